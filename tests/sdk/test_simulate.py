"""The simulated wrist: its truth is the truth of its signals, its faults are where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.recording import Recording
from onwrist.simulate import RATES, simulate
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal


def dominant_bpm(signal: Signal, start: float, end: float) -> float:
    """The highest peak of the spectrum between 40 and 180 bpm."""
    inside = (signal.times >= start) & (signal.times < end)
    values = signal.values[inside] - signal.values[inside].mean()
    power = np.abs(np.fft.rfft(values * np.hanning(len(values)), 1 << 14))
    bpm = 60 * np.fft.rfftfreq(1 << 14, 1 / signal.rate)
    band = (bpm > 40) & (bpm < 180)
    return float(bpm[band][power[band].argmax()])


def true_bpm(recording: Recording, start: float, end: float) -> float:
    beats = [
        float(x.value)
        for x in recording.labels
        if x.task == "heart_rate" and start <= x.start and x.end <= end
    ]
    return float(np.mean(beats))


def test_two_minutes_at_the_rates_of_an_e4(simulated: Recording) -> None:
    assert {name: x.rate for name, x in simulated.signals.items()} == RATES
    assert simulated.start == 0
    assert simulated.end == pytest.approx(120, abs=0.1)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_labelled_heart_rate_is_the_one_in_the_pulse(seed: int) -> None:
    recording = simulate(60, seed, dropout=None, dies={})
    errors = [
        abs(dominant_bpm(recording.signals["ppg"], t, t + 10) - true_bpm(recording, t, t + 10))
        for t in range(0, 60, 10)
    ]
    # Motion may hide a window or two, and breathing moves the peak a little.
    assert sorted(errors)[3] < 4


def test_beats_lie_at_the_feet_of_the_pulse(simulated: Recording) -> None:
    ppg = simulated.signals["ppg"]
    beats = [x.end for x in simulated.labels if x.task == "heart_rate" and x.end > 50]
    at_feet = np.interp(beats, ppg.times, ppg.values)
    assert np.median(at_feet) < np.percentile(ppg.values, 20)


def test_stress_raises_heart_rate_and_skin_conductance(simulated: Recording) -> None:
    (stress,) = (x for x in simulated.labels if x.value == "stress")
    calm = true_bpm(simulated, 0, stress.start)
    assert true_bpm(simulated, stress.start + 15, stress.end) > calm + 10
    eda = simulated.signals["eda"]
    late = (eda.times > stress.start + 20) & (eda.times < stress.end)
    assert eda.values[late].mean() > 1.2 * eda.values[eda.times < stress.start].mean()
    spans = sorted((x.start, x.end) for x in simulated.labels if x.task == "stress")
    assert spans == [(0, stress.start), (stress.start, stress.end), (stress.end, 120)]


def test_ppg_drops_out_for_twenty_seconds_and_a_sensor_dies(simulated: Recording) -> None:
    assert np.diff(simulated.signals["ppg"].times).max() == pytest.approx(20, abs=0.1)
    assert simulated.signals["temp"].times[-1] < 76
    whole = simulate(dropout=None, dies={})
    assert len(whole.signals["ppg"].times) == 120 * 64
    assert whole.signals["temp"].times[-1] == 119.75
    assert "eda" not in simulate(dies={"eda": 0.0}).signals


def test_the_arm_moves_and_gravity_stays(simulated: Recording) -> None:
    axes = np.stack([simulated.signals[f"acc_{axis}"].values for axis in "xyz"])
    assert np.median(np.linalg.norm(axes, axis=0)) == pytest.approx(1.0, abs=0.05)
    assert np.abs(np.diff(axes)).max() > 0.1


def test_a_seed_decides_everything() -> None:
    one, same, other = simulate(10, 3), simulate(10, 3), simulate(10, 4)
    assert one.labels == same.labels
    assert one.labels != other.labels
    for channel, signal in one.signals.items():
        np.testing.assert_array_equal(signal.values, same.signals[channel].values)


def test_what_cannot_be_simulated_is_refused() -> None:
    for seconds in (0.0, -1.0, float("nan"), 1e6):
        with pytest.raises(InputError, match="cannot simulate"):
            simulate(seconds)
    with pytest.raises(InputError, match="gyro"):
        simulate(dies={"gyro": 1.0})


def test_it_looks_like_the_real_sensor(shared_data: Path) -> None:
    """Amplitude, shape and noise of clean pulse lie among those of 28 people."""
    real = readers.read_all(shared_data / "stress_predict_e4")
    simulations = [simulate(60, seed, dropout=None) for seed in range(20)]
    for measure in (_amplitude, _steepness):
        low, high = np.percentile([measure(x) for x in real], [2, 98])
        inside = [low <= measure(x) <= high for x in simulations]
        assert np.mean(inside) > 0.8, measure.__name__


def _clean(recording: Recording) -> np.ndarray:
    """Seconds of pulse (seconds, 64) of which every one lies within labelled beats."""
    ppg = recording.signals["ppg"]
    beats = [x for x in recording.labels if x.task == "heart_rate"]
    covered = np.zeros(len(ppg.times) // 64)
    for beat in beats:
        first, last = int(beat.start - ppg.times[0]), int(beat.end - ppg.times[0])
        for second in {first, last} & set(range(len(covered))):
            begin, end = ppg.times[0] + second, ppg.times[0] + second + 1
            covered[second] += max(0.0, min(end, beat.end) - max(begin, beat.start))
    seconds = ppg.values[: len(covered) * 64].reshape(-1, 64)
    return seconds[covered > 0.99]


def _amplitude(recording: Recording) -> float:
    return float(np.median(np.ptp(_clean(recording), axis=1)))


def _steepness(recording: Recording) -> float:
    """Fastest fall over fastest rise: below 1 where feet are pointed and rises fast."""
    steps = np.diff(_clean(recording), axis=1)
    return float(np.median(-steps.min(axis=1) / steps.max(axis=1)))
