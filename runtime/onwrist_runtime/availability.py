"""What was observed of a window in; which sensors are live, and what is asked of them, out.

This is the one place that says from when on a sensor is live; HOST.md has it for every host.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import SCALE, Manifest, Pattern

Scales = Mapping[str, NDArray[np.float32]]

NOTHING: Mapping[str, str] = MappingProxyType({})  # is left out


class Situation(NamedTuple):
    """How much of a window there is, and what is asked of it.

    Attributes
    ----------
    coverage : share of observed grid points of each channel.
    sensors : the same of all channels of each sensor.
    live : which sensors are live.
    left_out : why a sensor is not believed, by its name; such a one is not live.
    pattern : of the live sensors; one that is not listed names no tasks. None for a bundle
        without `availability`.
    scales : (1, 1) by input, what the graph multiplies logits with; empty likewise.
    """

    coverage: Sequence[float]
    sensors: Sequence[float]
    live: tuple[bool, ...]
    left_out: Mapping[str, str]
    pattern: Pattern | None
    scales: Scales


class Patterns:
    """The patterns of a manifest, ready to be looked up.

    Attributes
    ----------
    sensors : names of the sensors.
    least : from which coverage on a sensor is live; in a bundle without `availability` it is
        as soon as anything of it was observed.
    scales : names of the inputs that tell a graph the scales.
    """

    def __init__(self, manifest: Manifest) -> None:
        availability = manifest.availability
        self.sensors = manifest.sensors
        self.least = math.ulp(0.0) if availability is None else availability.least
        self._asks = availability is not None
        self._channels, self._samples = len(manifest.channels), manifest.samples
        self._rows = [manifest.rows(sensor) for sensor in self.sensors]
        self._points = [len(rows) * self._samples for rows in self._rows]
        self._tasks = [task.name for task in manifest.tasks] if self._asks else []
        self._listed: dict[tuple[bool, ...], tuple[Pattern, Scales]] = {}
        for pattern in () if availability is None else availability.patterns:
            live = tuple(sensor in pattern.sensors for sensor in self.sensors)
            self._listed[live] = pattern, self._scales(pattern.temperatures)
        self._plain = self._scales({})
        self.scales = tuple(self._plain)

    def of(
        self, observed: NDArray[np.bool_], left_out: Mapping[str, str] = NOTHING
    ) -> Situation:
        """The situation of a window (C, N).

        Parameters
        ----------
        left_out : why a sensor is not believed, by its name.
        """
        counts: list[int] = np.add.reduce(observed, 1).tolist()
        return self._situation(counts, left_out)

    @cached_property
    def full(self) -> Situation:
        """The situation where everything was observed."""
        return self._situation([self._samples] * self._channels, NOTHING)

    def _situation(self, counts: Sequence[int], left_out: Mapping[str, str]) -> Situation:
        # Whole numbers are added up and divided once: the same bits on every host.
        shares = [
            sum([counts[row] for row in rows]) / points
            for rows, points in zip(self._rows, self._points, strict=True)
        ]
        live = tuple([share >= self.least for share in shares])
        if left_out:
            named = zip(live, self.sensors, strict=True)
            live = tuple(there and name not in left_out for there, name in named)
        pattern, scales = self._asked(live) if self._asks else (None, self._plain)
        coverage = [count / self._samples for count in counts]
        return Situation(coverage, shares, live, left_out, pattern, scales)

    def _asked(self, live: tuple[bool, ...]) -> tuple[Pattern, Scales]:
        """The pattern of these sensors; if it is not listed, one of no tasks."""
        found = self._listed.get(live)
        if found is not None:
            return found
        names = tuple(s for s, there in zip(self.sensors, live, strict=True) if there)
        return Pattern(sensors=names, temperatures={}, minimum_confidence={}), self._plain

    def _scales(self, temperatures: Mapping[str, float]) -> Scales:
        return {
            f"{task}{SCALE}": np.full((1, 1), 1 / temperatures.get(task, 1.0), np.float32)
            for task in self._tasks
        }
