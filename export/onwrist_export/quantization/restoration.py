"""Decode graphs and windows in; how much of a lost sensor's signals they restore out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.quantization.day import Run
from onwrist_export.quantization.fusion import Sensed
from onwrist_export.quantization.parity import Imputation
from onwrist_export.windows.grids import Windows
from onwrist_runtime.manifest import IMPUTED, LIVE, SENSED

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Restored:
    """How much of the signals of a sensor that was taken away came back, from all others.

    Attributes
    ----------
    windows : in which it and another sensor are live.
    r2 : share of the variance about each channel's mean over all windows that is explained,
        mean over the channels of `unit`.
    r2_within : the same about the mean of each window, with both less their mean there.
    """

    sensor: str
    unit: str
    windows: int
    r2: float
    r2_within: float


def restoration(
    windows: Windows, both: Sequence[Sensed], runs: Sequence[Run], config: FusionConfig
) -> tuple[tuple[Imputation, ...], tuple[Restored, ...]]:
    """Errors on the signals of each sensor, restored from all others that are live."""
    errors, restored = [], []
    for k, rows in enumerate(config.rows):
        others = np.arange(len(config.names)) != k
        chosen = np.flatnonzero(both[0].live[:, k] & both[0].live[:, others].any(axis=1))
        if len(chosen) < 2:
            continue
        first, second = (
            _signals(run, each.select(chosen).of(others), rows)
            for run, each in zip(runs, both, strict=True)
        )
        truth, seen = windows.values[chosen, rows], windows.observed[chosen, rows]
        channels = config.channels[rows]
        for c, channel in enumerate(channels):
            told = seen[:, c]
            means = (np.abs(x[:, c] - truth[:, c])[told].mean() for x in (first, second))
            errors.append(Imputation(channel.name, int(told.sum()), *map(float, means)))
        for unit in dict.fromkeys(channel.unit for channel in channels):
            mine = [c for c, channel in enumerate(channels) if channel.unit == unit]
            explained = [_explained(truth[:, c], second[:, c], seen[:, c]) for c in mine]
            means = np.mean(explained, axis=0)
            restored.append(
                Restored(config.names[k], unit, len(chosen), float(means[0]), float(means[1]))
            )
    return tuple(errors), tuple(restored)


def _signals(run: Run, found: Sensed, rows: slice) -> Array:
    """The restored signals of one sensor (W, C, N)."""
    return np.concatenate(
        [
            np.asarray(run({SENSED: given[SENSED], LIVE: given[LIVE]})[IMPUTED], np.float32)[
                :, rows
            ]
            for given in found.inputs(())
        ]
    )


def _explained(truth: Array, made: Array, seen: NDArray[np.bool_]) -> tuple[float, float]:
    """R2 of one channel (W, N) about its mean, and about that of each window."""
    x, y = truth.astype(np.float64), made.astype(np.float64)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)

    def within(signal: NDArray[np.float64]) -> NDArray[np.float64]:
        return signal - (signal * seen).sum(axis=1, keepdims=True) / count

    def share(off: NDArray[np.float64], about: NDArray[np.float64]) -> float:
        return float(1 - (off[seen] ** 2).sum() / max((about[seen] ** 2).sum(), 1e-12))

    return share(x - y, x - x[seen].mean()), share(within(x) - within(y), within(x))
