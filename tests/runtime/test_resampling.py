"""The resampler's bits do not depend on what is computed with them, or how."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist_runtime import resampling
from onwrist_runtime.clock import repaired
from onwrist_runtime.resampling import lookahead, reach, resample_block
from onwrist_runtime.signals import resample_rows

GRID = 25.0
EPOCH = 1_644_226_061.37


@st.composite
def sensors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Times (n,), values (k, n) and the rate of a sensor, steady or not."""
    rate = draw(st.sampled_from([4.0, 12.5, 25.0, 32.0, 64.0, 125.0]))
    n = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = 1 + draw(st.sampled_from([0.0, 1e-4, 0.2, 0.9])) * random.uniform(-1, 1, n)
    steps += (random.random(n) < draw(st.sampled_from([0.0, 0.02]))) * random.exponential(20, n)
    times = draw(st.sampled_from([0.0, EPOCH])) + np.cumsum(steps) / rate
    values = random.normal(size=(draw(st.integers(1, 4)), n)).astype(np.float32)
    return times, values, rate


def span(times: np.ndarray) -> tuple[int, int]:
    first = int(np.floor(times[0] * GRID)) - 5
    return first, int(np.ceil(times[-1] * GRID)) + 5 - first


def by_definition(times, values, rate, grid_time):
    """One value of a channel that is not slow, its terms added one after the other."""
    kernel = resampling._kernel(rate, GRID)
    inside = (times > grid_time - kernel.half_width) & (times < grid_time + kernel.half_width)
    times, values = times[inside], values[inside].astype(np.float64)
    total, before = 0.0, 0.0
    for k, value in enumerate(values):
        upto = kernel.table[-1]
        if k + 1 < len(times):
            boundary = 0.5 * ((times[k] - grid_time) + (times[k + 1] - grid_time))
            entry, share = divmod((2 * boundary - kernel.start_twice) * kernel.scale_half, 1.0)
            low = kernel.table[int(entry)]
            upto = low + (kernel.table[int(entry) + 1] - low) * share
        total += (upto - before) * value
        before = upto
    return np.float32(total)


@given(sensor=sensors())
@settings(max_examples=30)
def test_every_value_is_a_plain_sum_over_its_samples(sensor):
    times, values, rate = sensor
    if rate == 4.0:
        return
    first, count = span(times)
    found, observed = resample_block(times, values[:1], rate, GRID, first, count)
    times = repaired(times, rate)
    for k in np.flatnonzero(observed)[::7]:
        expected = by_definition(times, values[0], rate, (first + int(k)) / GRID)
        assert found[0, k].tobytes() == expected.tobytes()


@given(sensor=sensors(), seed=st.integers(0, 2**32))
def test_axes_do_not_know_of_each_other(sensor, seed):
    times, values, rate = sensor
    values[np.random.default_rng(seed).random(values.shape) < 0.1 * (seed % 2)] = np.nan
    first, count = span(times)
    together, seen = resample_rows(times, values, rate, GRID, first, count)
    for row, axis in enumerate(values):
        real = ~np.isnan(axis)
        alone, observed = resample_block(
            times[real], axis[np.newaxis, real], rate, GRID, first, count
        )
        assert together[row].tobytes() == alone[0].tobytes()
        np.testing.assert_array_equal(seen[row], observed)


@given(sensor=sensors(), data=st.data())
def test_any_block_has_the_same_bits(sensor, data):
    times, values, rate = sensor
    first, count = span(times)
    whole, observed = resample_block(times, values, rate, GRID, first, count)
    begin = data.draw(st.integers(0, count - 1))
    size = data.draw(st.integers(1, count - begin))
    # What lies within reach of the block, and the 14 stamps before that.
    far = reach(rate, GRID)
    ends = (first + begin) / GRID - far, (first + begin + size - 1) / GRID + far
    since, until = np.searchsorted(times, ends)
    near = slice(max(0, since - 14), until)
    part, seen = resample_block(times[near], values[:, near], rate, GRID, first + begin, size)
    assert part.tobytes() == whole[:, begin : begin + size].tobytes()
    assert seen.tobytes() == observed[begin : begin + size].tobytes()


@pytest.mark.parametrize(
    ("rate", "density"), [(4.0, 1), (64.0, 1), (64.0, 40), (1000.0, 1), (64.0, 0.05)]
)
def test_long_recordings_are_resampled_without_a_seam(rate, density):
    """Also where samples are denser or rarer than the nominal rate says."""
    random = np.random.default_rng(0)
    n = int(200 * rate * density)
    times = EPOCH + np.cumsum(random.uniform(0.5, 1.5, n)) / (rate * density)
    values = random.normal(size=(2, n)).astype(np.float32)
    first, count = span(times)
    assert count > 2 * resampling.POINTS
    whole, observed = resample_block(times, values, rate, GRID, first, count)
    parts = [
        resample_block(times, values, rate, GRID, first + k, min(777, count - k))
        for k in range(0, count, 777)
    ]
    assert np.concatenate([p[0] for p in parts], axis=1).tobytes() == whole.tobytes()
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), observed)
    assert observed.any()


@pytest.mark.parametrize("rate", [4.0, 32.0, 64.0])
def test_repair_brings_jittered_samples_nearer_to_the_truth(rate, monkeypatch):
    """A steady sensor whose samples were stamped as they arrived."""
    random = np.random.default_rng(2)
    true = np.arange(int(60 * rate)) / rate
    frequency = rate / 20
    values = np.sin(2 * np.pi * frequency * true).astype(np.float32)[np.newaxis]
    stamped = true + random.uniform(-0.2, 0.2, true.size) / rate

    def error() -> float:
        found, _ = resample_block(stamped, values, rate, GRID, 50, 1400)
        grid = np.arange(50, 1450) / GRID
        return float(np.std(found[0] - np.sin(2 * np.pi * frequency * grid)))

    with_repair = error()
    monkeypatch.setattr(resampling, "repaired", lambda times, rate: times)
    assert with_repair < 0.85 * error()


def test_a_sample_beyond_a_gap_leaves_no_trace_however_large():
    times, values = np.array([0.0, 2.0]), np.array([[1e14, 1.0]], np.float32)
    found, observed = resample_block(times, values, 4.0, GRID, 45, 10)
    assert observed.all()
    np.testing.assert_array_equal(found, 1.0)


def test_reach_is_the_lookahead_and_half_a_period():
    assert lookahead(64.0, GRID) == 9 / 25
    assert lookahead(4.0, GRID) == 0.5
    assert reach(64.0, GRID) == 9 / 25 + 0.5 / 64
    assert reach(4.0, GRID) == 0.5 + 0.5 / 4
