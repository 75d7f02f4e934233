"""Grids of recordings in, labelled windows of several sensors out, whole or damaged.

Shapes: W windows, C channels, S sensors, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.windows.grids import Grid, Windows, cut_windows
from onwrist_export.windows.masks import drop_spans
from onwrist_runtime.errors import InputError

SPACING = 4  # grid points between two windows that training may draw, or more where
MOST_DRAWN = 20_000  # there would be more of them than fit into memory
GAPPY = 0.4  # share of drawn windows of which a sensor misses spans
MOST_GONE = 0.8  # of such a window
TILT = 0.15  # radians, standard deviation of how a sensor is turned on the body
LOUDNESS = 0.1  # standard deviation of the logarithm of how large everything is

Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # values, observed, live, targets (B, tasks)


def coverage(observed: NDArray[np.bool_], rows: Sequence[slice]) -> NDArray[np.float64]:
    """Share of each sensor's grid points that were observed: (W, C, N) -> (W, S)."""
    channels = observed.mean(axis=2)
    return np.stack([channels[:, each].mean(axis=1) for each in rows], axis=1)


def live(windows: Windows, config: FusionConfig) -> NDArray[np.bool_]:
    """Which sensors are there (W, S)."""
    return coverage(windows.observed, config.rows) >= config.fusion.least


def labelled(grids: Sequence[Grid], config: FusionConfig, hop: int) -> Windows:
    """Windows every `hop` grid points of which every task and some sensor are known.

    Raises
    ------
    InputError : there is none.
    """
    windows = cut_windows(grids, config, hop)
    known = np.all([~np.isnan(target) for target in windows.targets.values()], axis=0)
    windows = windows.select(known & live(windows, config).any(axis=1))
    if not len(windows):
        names = " and ".join(task.name for task in config.classes)
        raise InputError(
            f"no window of {config.window.samples} samples is labelled for {names}"
        )
    return windows


def drawable(grids: Sequence[Grid], config: FusionConfig) -> Windows:
    """The windows that training draws from; see `labelled`."""
    total = sum(grid.samples for grid in grids)
    return labelled(grids, config, max(SPACING, total // MOST_DRAWN))


def middle(grids: Sequence[Grid], config: FusionConfig) -> tuple[Windows, list[int]]:
    """The window in the middle of each stretch of one label, and of which grid it is.

    A trial of one activity gives one; a long recording one in each half window of a label.
    """
    samples = config.window.samples
    chosen, places = [], []
    for place, grid in enumerate(grids):
        spare = grid.samples - samples
        if spare < 0:
            continue
        start = spare // 2 if spare < samples // 2 else 0
        cut = Grid(
            grid.subject,
            grid.start + start / grid.rate,
            grid.rate,
            grid.values[:, start:],
            grid.observed[:, start:],
            grid.labels,
        )
        if spare < samples // 2:
            cut = Grid(
                cut.subject,
                cut.start,
                cut.rate,
                cut.values[:, :samples],
                cut.observed[:, :samples],
                cut.labels,
            )
        chosen.append(cut)
        places.append(place)
    windows, found = every(chosen, config, samples // 2)
    return windows, [places[k] for k in found]


def every(grids: Sequence[Grid], config: FusionConfig, hop: int) -> tuple[Windows, list[int]]:
    """The windows every `hop` grid points, and of which grid each is."""
    samples = config.window.samples
    counts = [len(range(0, grid.samples - samples + 1, hop)) for grid in grids]
    return cut_windows(grids, config, hop), np.repeat(np.arange(len(grids)), counts).tolist()


def given(windows: Windows, which: NDArray[np.bool_], config: FusionConfig) -> Windows:
    """The windows of which only the sensors in `which` (S,) or (W, S) are given."""
    which = np.broadcast_to(which, (len(windows), len(config.sensors)))
    kept = np.empty(windows.observed.shape, bool)
    for k, rows in enumerate(config.rows):
        kept[:, rows] = which[:, k, None, None]
    return windows.without(kept)


def with_spans_missing(windows: Windows, share: float, config: FusionConfig) -> Windows:
    """The windows less this share of every sensor's samples, in spans of 1 to 5 s."""
    rng = np.random.default_rng(round(share * 100))
    count, _, samples = windows.values.shape
    kept = np.empty(windows.observed.shape, bool)
    for rows in config.rows:
        spans = drop_spans(rng, np.full(count, share), samples, config.window.rate)
        kept[:, rows] = spans[:, None]
    return windows.without(kept)


class Draws(IterableDataset[Batch]):
    """Endless batches of labelled windows, as many of each person and label as can be.

    Augmented by what differs between wearers: how a sensor is turned, how large motions
    are, and what is missing in spans. `zero_filled` gives sensors that are not there as
    zeros that were observed, which is what fusion without masks does.
    """

    def __init__(
        self, windows: Windows, config: FusionConfig, batch: int, seed: int, zero_filled: bool
    ) -> None:
        self.windows, self.config = windows, config
        self.batch, self.seed, self.zero_filled = batch, seed, zero_filled
        self.targets = targets(windows, config)
        self.chances = _chances(windows.subjects) * _chances(self.targets[:, 0])
        self.chances /= self.chances.sum()

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        while True:
            which = rng.choice(len(self.chances), self.batch, p=self.chances)
            windows = _shaken(rng, self.windows.select(which), self.config)
            there = live(windows, self.config)
            observed = windows.observed.astype(np.float32)
            if self.zero_filled:
                for k, rows in enumerate(self.config.rows):
                    observed[~there[:, k], rows] = 1.0
                there[:] = True
            yield (
                torch.from_numpy(windows.values),
                torch.from_numpy(observed),
                torch.from_numpy(there),
                torch.from_numpy(self.targets[which]),
            )


def targets(windows: Windows, config: FusionConfig) -> NDArray[np.int64]:
    """The label of every task, (W, tasks)."""
    return np.stack([windows.targets[t.name] for t in config.classes], axis=1).astype(np.int64)


def _chances(groups: NDArray[np.generic]) -> NDArray[np.float64]:
    """Of each member, so that a group of four times as many is drawn twice as often."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / np.sqrt(counts[place]))


def _shaken(rng: np.random.Generator, windows: Windows, config: FusionConfig) -> Windows:
    """The windows as other wearers might have given them."""
    count, _, samples = windows.values.shape
    values = windows.values * np.exp(LOUDNESS * rng.standard_normal((count, 1, 1)))
    kept = np.ones(windows.observed.shape, bool)
    for sensor, rows in zip(config.sensors, config.rows, strict=True):
        if sensor.inertial is not None:
            turned = _turns(rng, count)
            for first in (rows.start, rows.start + 3):
                axes = slice(first, first + 3)
                values[:, axes] = turned @ values[:, axes]
        share = rng.uniform(0.0, MOST_GONE, count) * (rng.random(count) < GAPPY)
        kept[:, rows] = drop_spans(rng, share, samples, config.window.rate)[:, None]
    turned_windows = Windows(
        values.astype(np.float32),
        windows.observed,
        windows.elapsed,
        windows.subjects,
        windows.targets,
    )
    return turned_windows.without(kept)


def _turns(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Random small rotations (count, 3, 3), by the formula of Rodrigues."""
    vector = TILT * rng.standard_normal((count, 3))
    angle = np.linalg.norm(vector, axis=1)[:, None, None]
    x, y, z = (vector / angle[:, :, 0]).T
    zero = np.zeros(count)
    cross = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
