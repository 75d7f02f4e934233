"""What the figure shades is what the model did not see."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onwrist import plot_signals, plots
from onwrist.recording import Recording
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.signals import Signal, resample


@given(
    kept=arrays.arrays(np.bool_, 60).filter(any),
    silent=arrays.arrays(np.bool_, 60),
    rate=st.sampled_from([4.0, 20.0, 32.0, 64.0]),
)
def test_gaps_are_where_nothing_is_observed(
    kept: np.ndarray, silent: np.ndarray, rate: float
) -> None:
    values = np.where(silent, np.nan, 1.0).astype(np.float32)
    whole = Signal.regular(values, rate)
    signal = Signal(values[kept], whole.times[kept], rate)
    start, end = 0.0, float(whole.times[-1])
    gaps = plot_signals.gaps_of(signal, start, end)

    grid_rate = 25.0
    count = int(end * grid_rate) + 1
    times = np.arange(count) / grid_rate
    _, observed = resample(signal, grid_rate, 0, count)
    shaded = np.zeros(count, bool)
    for begin, finish in gaps:
        shaded |= (times >= begin) & (times <= finish)
    seen = signal.times[np.isfinite(signal.values)]
    away = np.abs(times[:, None] - seen).min(axis=1, initial=np.inf)
    # Exactly one period from a sample is the edge of a gap, which has no width.
    inside = ~np.isclose(away, 1 / rate, atol=1e-3 / rate)
    np.testing.assert_array_equal(shaded[inside], ~observed[inside])


@given(samples=st.integers(2, 30_000), silent=st.floats(0, 0.9), seed=st.integers(0, 100))
def test_a_thinned_line_is_short_and_keeps_its_extremes(
    samples: int, silent: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=samples).astype(np.float32)
    values[1:][random.random(samples - 1) < silent] = np.nan
    times, thinned = plot_signals.thinned(Signal.regular(values, 64.0))
    assert len(thinned) <= 4 * plot_signals.POINTS
    assert np.all(np.diff(times) >= 0)
    assert np.nanmin(thinned) == np.nanmin(values)
    assert np.nanmax(thinned) == np.nanmax(values)


def test_a_recording_without_acceleration_is_drawn_without_a_warning(
    tmp_path: Path, toy_manifest: Manifest, simulated: Recording
) -> None:
    recording = Recording("still", None, {"ppg": simulated.signals["ppg"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(tmp_path / "still.png", recording, [], toy_manifest)
    assert (tmp_path / "still.png").stat().st_size
