"""Endless augmented training batches from grids.

A batch is drawn afresh each time: where a window starts, how fast time runs in it (a
stretched pulse is a pulse of another rate, so the label stretches along), noise, the
sense of light and of the acceleration axes, rhythmic motion that shakes both, and above
all what is missing: samples, spans, channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from onwrist_export.config import Config, TaskConfig
from onwrist_export.windows.grids import Grid, rate_targets
from onwrist_export.windows.masks import drop_channels, drop_spans
from onwrist_export.windows.pulseless import pulseless
from onwrist_runtime.errors import InputError

SPEEDS = np.exp(np.linspace(np.log(0.7), np.log(1.45), 13))
SPACING = 8  # grid points between two windows that may be drawn
FLATTEN = 0.7  # 0 draws rates as they occur, 1 draws all rates equally often
SHAKEN = 0.2  # share of windows with rhythmic motion
RHYTHM = (0.7, 3.5)  # Hz, from slow gestures to running
SHAKE_ACCELERATION = (0.05, 0.7)  # g
SHAKE_LIGHT = (0.2, 3.0)  # standard deviations of the pulse
HARMONICS = 3
YOUNG = 0.1  # share of streams that began within their context
GAPPY = 0.6  # share of windows with spans missing
GAPPY_STREAMS = 0.45  # of windows with their context, which makes up for much of a gap
PULSELESS = 0.1  # share of windows whose light holds no pulse, and whose rate is unknown


class Examples(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Batches of values (B, C, N), observed (B, C, N) as 0/1, and rate (B,).

    The rate is NaN where there is none to be found. Without a task it always is, and
    windows are drawn from everywhere at the speed they were recorded. The first channel,
    which rates are read from, is there at least in part, unless `first_may_go`. With
    `context`, N is so many samples longer: what came before the window, as far as it was
    recorded.

    Raises
    ------
    InputError
        There is no window to draw, or none that has a label.
    """

    def __init__(
        self,
        grids: Sequence[Grid],
        config: Config,
        batch: int,
        task: TaskConfig | None,
        seed: int,
        first_may_go: bool = False,
        context: int = 0,
    ) -> None:
        if not grids:
            raise InputError("there are no recordings of people to train on")
        self.first_may_go = first_may_go
        window = config.window.samples
        self.context = context
        self.samples = context + window
        self.rate = config.window.rate
        self.batch = batch
        self.seed = seed
        # one long recording, channels last so that one lookup brings all of a sample
        self.values = np.concatenate([g.values for g in grids], axis=1).T.copy()
        self.observed = np.concatenate([g.observed for g in grids], axis=1).T.copy()
        offsets = np.cumsum([0, *(g.samples for g in grids[:-1])])
        entries = [
            _rate_entries(grid, offset, window, task)
            if task
            else _plain_entries(grid, offset, window)
            for grid, offset in zip(grids, offsets, strict=True)
        ]
        self.start, self.speed, self.target = np.concatenate(entries, axis=1)
        if not len(self.start):
            raise InputError(_no_window(grids, window, task))
        # where the recording of each entry begins
        self.begin = offsets[np.searchsorted(offsets, self.start, side="right") - 1]
        self.cumulative = np.cumsum(_weights(self.target) if task else np.ones(len(self.start)))
        fixed = np.array([c.normalization == "fixed" for c in config.channels])
        self.window_scaled = ~fixed
        self.noise = np.array([c.scale * 0.02 for c in config.channels], np.float32)
        self.moved = np.array([c.sensor == "acc" for c in config.channels])
        # what is reconstructed keeps its shape; what a rate is read from must not matter
        self.labelled = task is not None
        self.turned = self.moved | (self.window_scaled & self.labelled)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rng = np.random.default_rng(self.seed)
        while True:
            yield self._draw(rng)

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        drawn = rng.random(self.batch) * self.cumulative[-1]
        pick = np.searchsorted(self.cumulative, drawn)
        values, observed = self._look_up(self.start[pick], self.speed[pick], self.begin[pick])
        values = self._disturb(rng, values, observed)
        rate = self.target[pick].astype(np.float32)
        if self.labelled:
            rate = self._silence(rng, values, rate)
        observed &= self._missing(rng, values.shape)
        if self.context:
            self._forget(rng, observed)
        values[~observed] = 0
        return (
            torch.from_numpy(values),
            torch.from_numpy(observed.astype(np.float32)),
            torch.from_numpy(rate),
        )

    def _look_up(
        self,
        start: NDArray[np.float64],
        speed: NDArray[np.float64],
        begin: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        steps = np.arange(-self.context, self.samples - self.context)
        position = start[:, None] + steps * speed[:, None]
        recorded = position >= begin[:, None]
        position = np.maximum(position, begin[:, None])
        index = position.astype(np.int64)
        part = (position - index).astype(np.float32)[..., None]
        after = np.minimum(index + 1, len(self.values) - 1)
        values = self.values[index] * (1 - part) + self.values[after] * part
        observed = self.observed[index] & self.observed[after] & recorded[..., None]
        return values.transpose(0, 2, 1).copy(), observed.transpose(0, 2, 1).copy()

    def _disturb(
        self,
        rng: np.random.Generator,
        values: NDArray[np.float32],
        observed: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        windows, channels, _ = values.shape
        level = np.broadcast_to(self.noise, (windows, channels)).copy()
        level[:, self.window_scaled] = 0.3 * _deviation(
            values[:, self.window_scaled], observed[:, self.window_scaled]
        )
        level *= rng.random((windows, channels)) ** 3 * (rng.random((windows, channels)) < 0.5)
        noise = rng.standard_normal(values.shape, dtype=np.float32)
        turned = self.turned & (rng.random((windows, channels)) < 0.5)
        sense = np.where(turned, -1, 1)
        disturbed = (values * sense[..., None] + noise * level[..., None]).astype(np.float32)
        return self._shake(rng, disturbed, observed) if self.labelled else disturbed

    def _shake(
        self,
        rng: np.random.Generator,
        values: NDArray[np.float32],
        observed: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Add one rhythm to acceleration and light, as an arm that swings does."""
        which = np.flatnonzero(rng.random(len(values)) < SHAKEN)
        channels = np.flatnonzero(self.moved | self.window_scaled)
        pick = np.ix_(which, channels)
        shape = (len(which), len(channels), 1)
        rhythm = np.exp(rng.uniform(*np.log(RHYTHM), (len(which), 1, 1)))
        time = np.arange(self.samples) / self.rate
        wave = np.zeros((*shape[:2], self.samples))
        for harmonic in range(1, HARMONICS + 1):
            phase = rng.uniform(0, 2 * np.pi, shape)
            part = np.sin(2 * np.pi * harmonic * rhythm * time + phase)
            wave += rng.random(shape) / harmonic * part
        wave /= wave.std(axis=-1, keepdims=True) + 1e-6
        moved = np.exp(rng.uniform(*np.log(SHAKE_ACCELERATION), shape))
        light = np.exp(rng.uniform(*np.log(SHAKE_LIGHT), shape))
        light *= _deviation(values[pick], observed[pick])[..., None]
        values[pick] += wave * np.where(self.moved[channels][:, None], moved, light)
        return values

    def _silence(
        self, rng: np.random.Generator, values: NDArray[np.float32], rate: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Take the pulse out of some windows, in place; the rates that are left."""
        which = np.flatnonzero(rng.random(len(values)) < PULSELESS)
        for channel in np.flatnonzero(self.window_scaled):
            values[which, channel] = pulseless(rng, len(which), self.samples, self.rate)
        left = rate.copy()
        left[which] = np.nan
        return left

    def _forget(self, rng: np.random.Generator, observed: NDArray[np.bool_]) -> None:
        """Let some streams have begun only just before their window, in place."""
        which = rng.random(len(observed)) < YOUNG
        began = np.where(which, rng.integers(0, self.context + 1, len(observed)), 0)
        observed &= (np.arange(self.samples) >= began[:, None])[:, None]

    def _missing(
        self, rng: np.random.Generator, shape: tuple[int, int, int]
    ) -> NDArray[np.bool_]:
        windows, channels, samples = shape
        gappy = GAPPY_STREAMS if self.context else GAPPY
        share = rng.uniform(0.0, 0.85, windows) * (rng.random(windows) < gappy)
        first = drop_spans(rng, share, samples, self.rate)
        kept = np.repeat(first[:, None], channels, axis=1)
        # half of the time only the first channel has the gap, else all of the device
        kept[rng.random(windows) < 0.5, 1:] = True
        scattered = rng.uniform(0.0, 0.3, windows) * (rng.random(windows) < 0.1)
        kept &= rng.random(shape) >= scattered[:, None, None]
        present = drop_channels(rng, windows, channels, each=0.25, all_but_first=0.15)
        present[:, 0] |= not self.first_may_go
        return kept & present[..., None]


def _deviation(values: NDArray[np.float32], observed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Standard deviation over observed samples (B, C); zero where there are none."""
    count = np.maximum(observed.sum(axis=-1), 1)
    mean = (values * observed).sum(axis=-1) / count
    squares = ((values - mean[..., None]) * observed) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=-1) / count))


def _no_window(grids: Sequence[Grid], samples: int, task: TaskConfig | None) -> str:
    longest = max(grids, key=lambda g: g.samples)
    seconds = samples / longest.rate
    if longest.samples < samples or task is None:
        return (
            f"no recording to train on is as long as a window of {seconds:g} s; the longest "
            f"has {longest.samples / longest.rate:g} s"
        )
    return (
        f"no window to train on has a {task.name} label: label spans that fit inside a window "
        f"of {seconds:g} s must cover {task.label_seconds:g} s of it, with a value above "
        f"{task.lowest:g} and below {task.highest:g}"
    )


def _plain_entries(grid: Grid, offset: int, samples: int) -> NDArray[np.float64]:
    starts = np.arange(0, grid.samples - samples + 1, SPACING) + float(offset)
    return np.stack([starts, np.ones(len(starts)), np.full(len(starts), np.nan)])


def _rate_entries(
    grid: Grid, offset: int, samples: int, task: TaskConfig
) -> NDArray[np.float64]:
    share = task.label_seconds * grid.rate / samples
    parts = []
    for speed in SPEEDS:
        starts = np.arange(0, grid.samples - int(np.ceil(samples * speed)) - 1, SPACING)
        begin = starts / grid.rate + grid.start
        seconds = samples * speed / grid.rate
        target = rate_targets(grid, task, begin, seconds, share) * speed
        with np.errstate(invalid="ignore"):
            usable = (target > task.lowest) & (target < task.highest)
        rows = np.stack([starts + float(offset), np.full(len(starts), speed), target])
        parts.append(rows[:, usable])
    return np.concatenate(parts, axis=1)


def _weights(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chances that draw rare rates more often than they occur."""
    position = np.log(rates)
    counts, edges = np.histogram(position, bins=40)
    where = np.clip(np.searchsorted(edges, position, "right") - 1, 0, len(counts) - 1)
    return np.asarray(np.maximum(counts[where], 20.0) ** -FLATTEN)
