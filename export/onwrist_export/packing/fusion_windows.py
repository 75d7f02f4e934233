"""Recordings in; out, the windows of several sensors to train, calibrate, check and prove on.

Training and calibration take the people whom the split does not hold out, checks those whom
it tests on. Golden windows are simulated, so that a bundle holds nobody's recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.simulate import body
from onwrist_export.fusion import cases
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import subsets
from onwrist_export.windows.grids import Grid, Windows, load_grids, of_subjects
from onwrist_export.windows.masks import drop_spans
from onwrist_runtime.signals import resample

APART = 22  # grid points between two windows that are calibrated or checked on
GAPS = (0.25, 0.5, 0.75)  # shares that go missing in spans
SIMULATED = 60  # windows
TURN = 0.35  # of a channel's scale, how far swings go


def training(recordings: Path, config: FusionConfig) -> Windows:
    """What the people of training did."""
    return cases.drawable(_learned(load_grids(recordings, config), config), config)


def calibration(recordings: Path | None, config: FusionConfig, most: int, seed: int) -> Windows:
    """Windows of training, every other one with spans missing."""
    windows = _sampled(recordings, config, most, seed, tested=False)
    rng = np.random.default_rng(seed)
    count, _, samples = windows.values.shape
    kept = np.ones(windows.observed.shape, bool)
    for rows in config.rows:
        share = rng.uniform(0.0, cases.MOST_GONE, count) * (np.arange(count) % 2)
        kept[:, rows] = drop_spans(rng, share, samples, config.window.rate)[:, None]
    return windows.without(kept)


def checking(recordings: Path | None, config: FusionConfig, most: int, seed: int) -> Windows:
    """Labelled windows of the people whom the split tests on."""
    return _sampled(recordings, config, most, seed, tested=True)


def plain(recordings: Path, config: FusionConfig) -> Windows:
    """Windows of training as they were recorded."""
    return cases.labelled(_learned(load_grids(recordings, config), config), config, APART)


def _sampled(
    recordings: Path | None, config: FusionConfig, most: int, seed: int, tested: bool
) -> Windows:
    if recordings is None:
        return simulated(config, SIMULATED, seed)
    grids = load_grids(recordings, config)
    chosen = of_subjects(grids, config.split.test) if tested else _learned(grids, config)
    windows = cases.labelled(chosen, config, APART)
    few = np.unique(np.linspace(0, len(windows) - 1, most).round().astype(int))
    return windows.select(few)


def _learned(grids: Sequence[Grid], config: FusionConfig) -> list[Grid]:
    held = {*config.split.test, *config.split.validation}
    return of_subjects(grids, {grid.subject for grid in grids} - held)


def simulated(config: FusionConfig, count: int, seed: int) -> Windows:
    """Somebody who swings every sensor to one beat, about a place of its own."""
    rng = np.random.default_rng(seed)
    shape = count, len(config.channels)
    time = np.arange(config.window.samples) / config.window.rate
    beat = rng.uniform(0.3, 2.5, (count, 1, 1))
    swing = rng.uniform(0.0, TURN, (*shape, 1)) * rng.integers(0, 2, (count, 1, 1))
    phase = rng.uniform(0.0, 2 * np.pi, (*shape, 1))
    values = rng.uniform(-TURN, TURN, (*shape, 1)) + swing * np.sin(
        2 * np.pi * beat * time + phase
    )
    values += 0.01 * rng.standard_normal((*shape, len(time)))
    scale, offset, low, high = (
        np.array([getattr(c, what) for c in config.channels])[:, None]
        for what in ("scale", "offset", "minimum", "maximum")
    )
    values = np.clip(values * scale + offset, low, high).astype(np.float32)
    return Windows(
        values,
        np.ones(values.shape, bool),
        np.zeros(count),
        np.full(count, "simulated"),
        {task.name: np.full(count, np.nan) for task in config.classes},
    )


def walking(windows: Windows, config: FusionConfig) -> Windows:
    """The windows with what `onwrist.simulate.body` has of their channels, while it walks."""
    values, samples = windows.values.copy(), config.window.samples
    seconds = 4 * samples / config.window.rate  # of which the middle half is walked
    for row in range(len(windows)):
        worn = body(seconds, row, dies={}).signals
        for channel, name in enumerate(config.channel_names):
            if name in worn:
                first = int(1.25 * samples)
                values[row, channel], _ = resample(
                    worn[name], config.window.rate, first, samples
                )
    return replace(windows, values=values)


def patterns(windows: Windows, config: FusionConfig) -> dict[tuple[str, ...], Windows]:
    """For every subset of the sensors, the windows that have all of them, less the others."""
    found, there = {}, cases.live(windows, config)
    for subset in subsets(config.names):
        which = np.array([name in subset for name in config.names])
        rows = np.flatnonzero((there | ~which).all(axis=1))
        found[subset] = cases.given(windows.select(rows), which, config)
    return found


def golden(config: FusionConfig, seed: int) -> Windows:
    """A window for every subset of the sensors, some with gaps, and one that hardly counts.

    Where a simulated body has the sensor, somebody walks, so that every sensor is believed.
    """
    subset_list = subsets(config.names)
    windows = walking(simulated(config, len(subset_list) + len(GAPS) + 1, seed), config)
    kept = np.ones(windows.observed.shape, bool)
    for row, subset in enumerate(subset_list):
        for name, rows in zip(config.names, config.rows, strict=True):
            kept[row, rows] = name in subset
    rng, samples = np.random.default_rng(seed), config.window.samples
    for row, share in enumerate(GAPS, len(subset_list)):
        share = min(share, 1 - config.fusion.least - 1 / samples)
        for rows in config.rows:
            kept[row, rows] = drop_spans(rng, np.array([share]), samples, config.window.rate)
    kept[-1] = _least(config)
    return windows.without(kept)


def _least(config: FusionConfig) -> NDArray[np.bool_]:
    """The last samples of one sensor, just as many as make it live (C, N)."""
    samples = config.window.samples
    kept = np.zeros((len(config.channels), samples), bool)
    count = int(np.ceil(config.fusion.least * samples))
    kept[config.rows[0], samples - count :] = True
    return kept
