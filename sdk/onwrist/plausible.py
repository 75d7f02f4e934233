"""Samples of a tracker in; out, which of them no wearer can have made.

Trackers and their exports write 0 for a pulse that was not found, and numbers out of all
bounds where a cell was damaged. As minutes of a day they would be believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import Manifest
from onwrist_runtime.settings import rows_of
from onwrist_runtime.signals import Signal


@dataclass(frozen=True, slots=True)
class Limits:
    """Least and most that is plausible, and of what, in words."""

    low: float
    high: float
    unit: str

    def outside(self, values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which values of any shape are not plausible; NaN, which is missing, is not one."""
        return (values < self.low) | (values > self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}"


LIMITS = {
    "steps": Limits(0.0, 1000.0, "steps a minute"),
    "intensity": Limits(0.0, 3.0, "of intensity"),
    "heart_rate": Limits(25.0, 250.0, "bpm"),
}


def repaired(signals: Mapping[str, Signal]) -> tuple[dict[str, Signal], tuple[str, ...]]:
    """The signals with NaN for what is not plausible, and a note on each channel that had it.

    A sample of steps may stand for more than a minute, which raises what is plausible.
    """
    kept, notes = dict(signals), []
    for name, limits in LIMITS.items():
        if name not in signals:
            continue
        signal = signals[name]
        minutes = max(1.0, 1 / (60 * signal.rate)) if name == "steps" else 1.0
        outside = limits.outside(signal.values / np.float32(minutes))
        if outside.any():
            values = np.where(outside, np.float32(np.nan), signal.values)
            kept[name] = Signal(values, signal.times, signal.rate)
            notes.append(
                f"{outside.sum():,} samples of {name} outside {limits} count as missing"
            )
    return kept, tuple(notes)


class Screen:
    """Leaves what is not plausible out of samples as they arrive.

    Attributes
    ----------
    left_out : how many, by channel.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._limits: dict[str, list[tuple[int, str]]] = {}  # columns that have any, by name
        self.left_out: Counter[str] = Counter()

    def passed(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (n, channels) of a sensor or channel, NaN where not plausible."""
        if name not in self._limits:
            channels = [self._manifest.channels[k].name for k in rows_of(self._manifest, name)]
            self._limits[name] = [(k, x) for k, x in enumerate(channels) if x in LIMITS]
        for column, channel in self._limits[name]:
            outside = LIMITS[channel].outside(values[:, column])
            if outside.any():
                values = values.copy()
                values[outside, column] = np.nan
                self.left_out[channel] += int(outside.sum())
        return values
