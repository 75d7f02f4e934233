"""Calls in; medians, and ratios of them, with their bootstrap intervals out, by mode."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from turns import IDLE, race, resampled_medians

Call = Callable[[], object]

WARM, AFTER_IDLE = "warm", f"after {1000 * IDLE:.0f} ms idle"
CALLS = 5  # of a warm turn


class Interval(NamedTuple):
    """A figure with its 95 % bootstrap interval over rounds."""

    value: float
    low: float
    high: float


class Measured:
    """One mode of the race: microseconds (contestants, rounds, calls)."""

    def __init__(self, mode: str, names: list[object], times: NDArray[np.float64]) -> None:
        self.mode, self.names = mode, names
        self._row = {name: k for k, name in enumerate(names)}
        self._p50 = np.median(times, axis=(1, 2))
        self._drawn = resampled_medians(times)

    def median(self, name: object) -> Interval:
        """Microseconds of a contestant."""
        k = self._row[name]
        return _interval(self._p50[k], self._drawn[:, k])

    def ratio(self, name: object, to: object) -> Interval:
        """Of the medians of two contestants."""
        k, one = self._row[name], self._row[to]
        return _interval(self._p50[k] / self._p50[one], self._drawn[:, k] / self._drawn[:, one])


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def measure(calls: Mapping[object, Call], rounds: int, idle_rounds: int) -> list[Measured]:
    """Both modes, each one race of all."""
    found = []
    for mode, turns, count, idle in (
        (WARM, rounds, CALLS, 0.0),
        (AFTER_IDLE, idle_rounds, 1, IDLE),
    ):

        def told(done: int, mode: str = mode, turns: int = turns) -> None:
            if done % 10 == 0 or done == turns:
                say(f"{mode}: round {done} of {turns}")

        say(f"{mode}: {len(calls)} contestants")
        by_name = {str(name): call for name, call in calls.items()}
        times = race(by_name, turns, count, idle, told)
        found.append(Measured(mode, list(calls), times))
    return found


def say(what: str) -> None:
    """Progress, apart from the result."""
    print(what, file=sys.stderr, flush=True)
