"""Signals at the border, and what the resampler guarantees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onwrist_runtime.errors import InputError
from onwrist_runtime.resampling import reach
from onwrist_runtime.signals import Signal, resample

GRID = 25.0
RATES = (4.0, 20.0, 25.0, 32.0, 64.0, 125.0)
EPOCH = 1_644_226_061.37


def tone(frequency: float, rate: float, seconds: float = 40.0, start: float = 0.0) -> Signal:
    times = start + np.arange(int(seconds * rate)) / rate
    return Signal(np.sin(2 * np.pi * frequency * times + 0.3), times, rate)


def level(frequency: float, signal: Signal) -> float:
    """Gain in dB of a tone after resampling, from its energy away from the edges."""
    values, observed = resample(signal, GRID, 100, 750)
    assert observed.all()
    return float(20 * np.log10(max(values.std() * np.sqrt(2), 1e-9)))


# Anti-aliasing


@pytest.mark.parametrize("rate", [26.0, 32.0, 50.0, 64.0, 100.0, 125.0, 500.0])
def test_tones_above_the_new_nyquist_lose_40_dB(rate):
    for frequency in np.linspace(GRID / 2, rate / 2, 24)[1:-1]:
        assert level(frequency, tone(frequency, rate)) < -40, frequency


@pytest.mark.parametrize("rate", [25.0, 26.0, 32.0, 50.0, 64.0, 100.0, 125.0, 500.0])
def test_the_passband_is_flat_to_8_Hz(rate):
    for frequency in (0.3, 1, 2, 3.3, 5, 6.7, 8):
        assert abs(level(frequency, tone(frequency, rate, start=0.007))) < 0.1, frequency


@pytest.mark.parametrize("rate", [32.0, 64.0, 125.0])
def test_a_tone_comes_out_in_phase(rate):
    signal = tone(1.5, rate, start=EPOCH)
    first = int(EPOCH * GRID) + 100
    values, _ = resample(signal, GRID, first, 500)
    expected = np.sin(2 * np.pi * 1.5 * (np.arange(first, first + 500) / GRID) + 0.3)
    np.testing.assert_allclose(values, expected, atol=2e-3)


@pytest.mark.parametrize("rate", [32.0, 64.0, 125.0])
def test_jitter_drift_and_drops_barely_disturb_a_pulse(rate):
    draw = np.random.default_rng(3)
    n = int(40 * rate)
    times = np.arange(n) / rate * (1 + 200e-6) + draw.uniform(-0.2, 0.2, n) / rate
    kept = draw.random(n) > 0.02
    values = np.sin(2 * np.pi * 1.5 * times)
    signal = Signal(values[kept], times[kept], rate)
    resampled, observed = resample(signal, GRID, 100, 750)
    expected = np.sin(2 * np.pi * 1.5 * np.arange(100, 850) / GRID)
    error = (resampled - expected)[observed]
    assert observed.mean() > 0.97
    assert np.sqrt(np.mean(error**2)) < 0.05
    assert np.abs(error).max() < 0.25


def test_samples_that_lie_on_the_grid_come_back_unchanged():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    out, observed = resample(Signal.regular(values, GRID), GRID, 0, 500)
    assert observed.all()
    np.testing.assert_array_equal(out, values)


def test_slow_signals_become_continuous():
    slow = Signal.regular(np.arange(40.0), 4.0)  # one unit a quarter of a second
    values, observed = resample(slow, GRID, 0, 240)
    assert observed.all()
    np.testing.assert_allclose(values, 4 * np.arange(240) / GRID, atol=1e-4)


def test_a_real_pulse_survives(shared_data):
    folder = shared_data / "stress_predict_e4"
    path = sorted(folder.rglob("*.npz"))[0]
    with np.load(path) as recording:
        name = next(k for k in recording.files if k.lower() in ("bvp", "ppg", "bvp_64hz"))
        pulse = recording[name].astype(np.float64)[: 64 * 120]
    values, _ = resample(Signal.regular(pulse, 64.0), GRID, 0, 120 * 25)
    spectrum = [np.abs(np.fft.rfft(x * np.hanning(len(x)))) for x in (pulse, values)]
    # both cover 120 s, so bin k is k / 120 Hz; heart rates lie between 0.5 and 4 Hz
    ratio = spectrum[1][60:480] * 64 / (spectrum[0][60:480] * 25)
    assert abs(np.median(ratio) - 1) < 0.01


# What is observed


@pytest.mark.parametrize("rate", RATES)
def test_a_whole_signal_is_observed_throughout(rate):
    signal = tone(1.0, rate, 20.0)
    _, observed = resample(signal, GRID, 0, 490)
    assert observed.all()


@pytest.mark.parametrize("rate", RATES)
def test_a_hole_of_three_seconds_is_not_observed(rate):
    signal = tone(1.0, rate, 20.0)
    inside = (signal.times > 8.0) & (signal.times < 11.0)
    holed = Signal(np.where(inside, np.nan, signal.values), signal.times, rate)
    dropped = Signal(signal.values[~inside], signal.times[~inside], rate)
    values, observed = resample(holed, GRID, 0, 480)
    grid = np.arange(480) / GRID
    real = signal.times[~inside]
    distance = np.abs(grid[:, None] - real).min(axis=1)
    np.testing.assert_array_equal(observed, distance < 1 / rate - 1e-6)
    assert not values[~observed].any()
    for a, b in zip(resample(dropped, GRID, 0, 480), (values, observed), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rate", RATES)
def test_a_gap_does_not_ring(rate):
    """A constant next to a gap stays that constant, whatever lies beyond the gap."""
    times = np.arange(int(20 * rate)) / rate
    values = np.where(times < 10, 5.0, -5.0)
    kept = (times < 8) | (times > 12)
    out, observed = resample(Signal(values[kept], times[kept], rate), GRID, 0, 480)
    expected = np.where(np.arange(480) / GRID < 10, 5.0, -5.0)
    np.testing.assert_allclose(out[observed], expected[observed], atol=1e-5)


def test_nothing_is_observed_without_samples():
    for signal in (
        Signal(np.zeros(0), np.zeros(0), 64.0),
        Signal.regular(np.full(100, np.nan), 64.0),
        Signal.regular(np.ones(100), 64.0, start=1000.0),
    ):
        values, observed = resample(signal, GRID, 0, 50)
        assert not observed.any()
        assert not values.any()
        assert values.dtype == np.float32
        assert observed.dtype == np.bool_


def test_one_sample_is_seen_for_one_period():
    values, observed = resample(Signal([7.0], [1.0], 8.0), GRID, 0, 50)
    np.testing.assert_array_equal(np.flatnonzero(observed), [22, 23, 24, 25, 26, 27, 28])
    np.testing.assert_array_equal(values[observed], 7.0)


# Properties


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Irregular time stamps with holes and NaN, on the epoch or not."""
    rate = draw(st.sampled_from([1.0, 4.0, 9.0, 12.5, 20.0, 25.0, 32.0, 64.0, 125.0]))
    n = draw(st.integers(1, 400))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = (1 + draw(st.sampled_from([0.0, 0.1, 0.5, 0.9])) * random.uniform(-1, 1, n)) / rate
    steps += (random.random(n) < draw(st.sampled_from([0.0, 0.02, 0.1]))) * random.exponential(
        1.0, n
    )
    times = draw(st.sampled_from([0.0, -3.2, EPOCH])) + np.cumsum(steps)
    values = random.normal(size=n) * draw(st.sampled_from([1.0, 1e4]))
    values[random.random(n) < draw(st.sampled_from([0.0, 0.1, 0.9]))] = np.nan
    return Signal(values, times, rate)


def span(signal: Signal) -> tuple[int, int]:
    first = int(np.floor(signal.times[0] * GRID)) - 10
    return first, int(np.ceil(signal.times[-1] * GRID)) + 10 - first


@given(signal=signals(), data=st.data())
def test_any_split_gives_the_same_bits(signal, data):
    first, count = span(signal)
    values, observed = resample(signal, GRID, first, count)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=6)))
    parts = [
        resample(signal, GRID, first + a, b - a)
        for a, b in zip([0, *cuts], [*cuts, count], strict=True)
    ]
    assert np.concatenate([v for v, _ in parts]).tobytes() == values.tobytes()
    assert np.concatenate([o for _, o in parts]).tobytes() == observed.tobytes()


@given(signal=signals(), seed=st.integers(0, 2**32))
def test_samples_beyond_the_reach_change_nothing(signal, seed):
    first, count = span(signal)
    whole = resample(signal, GRID, first, count)
    for k in np.random.default_rng(seed).integers(0, count, 30):
        now = (first + k) / GRID
        known = signal.times <= now + reach(signal.rate, GRID)
        so_far = Signal(signal.values[known], signal.times[known], signal.rate)
        value, observed = resample(so_far, GRID, first + int(k), 1)
        assert value.tobytes() == whole[0][k : k + 1].tobytes()
        assert observed[0] == whole[1][k]


@given(signal=signals())
def test_nan_samples_change_nothing(signal):
    first, count = span(signal)
    kept = ~np.isnan(signal.values)
    without = Signal(signal.values[kept], signal.times[kept], signal.rate)
    for a, b in zip(
        resample(signal, GRID, first, count), resample(without, GRID, first, count), strict=True
    ):
        assert a.tobytes() == b.tobytes()


@given(signal=signals(), constant=st.floats(-1e6, 1e6, width=32))
def test_constants_stay_constant(signal, constant):
    flat = np.where(np.isnan(signal.values), np.nan, constant)
    values, observed = resample(Signal(flat, signal.times, signal.rate), GRID, *span(signal))
    np.testing.assert_allclose(values[observed], constant, rtol=1e-6)
    assert not values[~observed].any()


@given(signal=signals(), periods=st.integers(-1000, 1000))
def test_a_shift_by_whole_grid_periods_only_shifts(signal, periods):
    first, count = span(signal)
    moved = Signal(signal.values, signal.times + periods / GRID, signal.rate)
    values, observed = resample(signal, GRID, first, count)
    shifted, seen = resample(moved, GRID, first + periods, count)
    # Rounded times may move a sample across an edge of the kernel or of a period: rare.
    assert (observed != seen).sum() <= 2 + 0.02 * count
    both = observed & seen
    scale = np.nanmax(np.abs(signal.values), initial=1.0)
    off = np.abs(values - shifted)[both] / scale
    assert (off > 1e-3).sum() <= 2 + 0.02 * count
    assert (off < 0.1).all()


@given(signal=signals())
def test_values_stay_near_the_range_of_the_samples(signal):
    values, observed = resample(signal, GRID, *span(signal))
    assert np.isfinite(values).all()
    if observed.any():
        low, high = np.nanmin(signal.values), np.nanmax(signal.values)
        margin = 0.5 * (high - low) + 1e-3 * abs(high)
        assert (values[observed] >= low - margin).all()
        assert (values[observed] <= high + margin).all()


# Signals at the border


@pytest.mark.parametrize(
    ("values", "times", "rate", "message"),
    [
        (np.ones(3), np.arange(3, dtype=np.float32), 1.0, "float64, not float32.*128 s"),
        (np.ones(3), np.arange(3, dtype=np.float16), 1.0, "float64, not float16"),
        (np.ones(3), np.arange(4.0), 1.0, r"shape \(3,\) and times of shape \(4,\)"),
        (np.ones((3, 2)), np.arange(3.0), 1.0, r"shape \(3, 2\)"),
        (np.ones(3), np.array([0.0, 2.0, 1.0]), 1.0, "sample 2 at 1.0 follows one at 2.0"),
        (np.ones(3), np.array([0.0, 1.0, 1.0]), 1.0, "must increase"),
        (np.ones(2), np.array([0.0, np.nan]), 1.0, "finite and in seconds, not nan"),
        (np.ones(2), np.array([0.0, np.inf]), 1.0, "finite and in seconds, not inf"),
        (np.ones(2), np.array([1.6e12, 1.6e12 + 1]), 1.0, "milliseconds"),
        (np.ones(2), np.array([0, 1], "datetime64[s]"), 1.0, r"datetime64.*numpy\.timedelta64"),
        (np.ones(2), np.array(["0", "1"]), 1.0, "float64 seconds, not <U1"),
        (np.array([1, np.inf]), np.arange(2.0), 1.0, "sample 1 is inf"),
        (np.array([1e300, 1]), np.arange(2.0), 1.0, "sample 0 is inf"),
        (np.array(["a", "b"]), np.arange(2.0), 1.0, "real numbers .float32., not <U1"),
        (np.array([1j, 2]), np.arange(2.0), 1.0, "not complex128"),
        (np.array([None, 2]), np.arange(2.0), 1.0, "not object"),
        (np.ones(2), [[0.0], [1.0, 2.0]], 1.0, "times: not an array"),
        (np.ones(2), np.arange(2.0), np.complex128(25), "a rate must be a number in Hz"),
        (np.ones(2), np.arange(2.0), 0.0, "positive and finite, in Hz, not 0.0"),
        (np.ones(2), np.arange(2.0), -64.0, "must be positive"),
        (np.ones(2), np.arange(2.0), np.nan, "must be positive"),
        (np.ones(2), np.arange(2.0), np.inf, "must be positive"),
        (np.ones(2), np.arange(2.0), 1e9, "from 1e-06 to 100000 Hz, not 1e.09"),
        (np.ones(2), np.arange(2.0), 1e-310, "from 1e-06 to 100000 Hz"),
        (np.ones(2), np.arange(2.0), "64", "number in Hz, not '64'"),
    ],
)
def test_signals_that_cannot_be_used(values, times, rate, message):
    with pytest.raises(InputError, match=message):
        Signal(values, times, rate)


def test_regular_signals_need_an_honest_start():
    with pytest.raises(InputError, match="float32"):
        Signal.regular(np.ones(3), 4.0, start=np.float32(1e9))
    np.testing.assert_array_equal(Signal.regular(np.ones(3), 4.0, 10).times, [10, 10.25, 10.5])
