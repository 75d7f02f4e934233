"""Calls in, their latencies out: warm, after idle, and the events of a call.

All calls take turns in random order, so that a busy moment of the machine meets each of
them. Warm: a turn is some calls in a row, after a few that do not count. After idle: a turn is
one call after a sleep, as on a watch, when caches and clocks are cold.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping

import numpy as np

from onwrist.bench import counters, quantiles
from onwrist.bench.calls import Turn
from onwrist.bench.report import Counters, Mode, Series, What

CALLS, UNCOUNTED = 10, 3
_COUNTED = 200  # calls whose events are counted
_COUNTED_S = 1.0  # or as many as take so long


class Times:
    """Latencies of all calls in one mode, in the order of time."""

    def __init__(self, turns: Mapping[What, Turn], mode: Mode) -> None:
        self._turns, self._mode = turns, mode
        self._all = {what: array("d") for what in turns}
        self._inside = {what: array("d") for what in turns}

    def warm(self, seconds: float) -> Iterator[float]:
        """Take turns for so long, one round at least; the seconds that are left, by round."""
        yield from self._rounds(seconds, 0.0, UNCOUNTED, CALLS)

    def after_idle(self, seconds: float, every: float) -> Iterator[float]:
        """The same, with a sleep of `every` seconds before each call."""
        yield from self._rounds(seconds, every, 0, 1)

    def series(self) -> Iterator[Series]:
        """What was found."""
        for what, times in self._all.items():
            inside = self._inside[what]
            yield quantiles.series(
                what,
                self._mode,
                np.array(times) / 1000,
                np.array(inside) / 1000 if inside else None,
            )

    def _rounds(
        self, seconds: float, every: float, uncounted: int, count: int
    ) -> Iterator[float]:
        order, names = np.random.default_rng(0), list(self._turns)
        end = time.monotonic() + seconds
        left = seconds
        while left > 0:
            for k in order.permutation(len(names)).tolist():
                turn = self._turns[names[k]]
                if every:
                    time.sleep(every)
                for _ in range(uncounted):
                    turn()
                for _ in range(count):
                    timed = turn()
                    if timed is None:
                        continue
                    self._all[names[k]].append(timed.nanoseconds)
                    if timed.inside is not None:
                        self._inside[names[k]].append(timed.inside)
            left = end - time.monotonic()
            yield left


def count_events(turns: Mapping[What, Turn]) -> Counters:
    """Events of each call but a push by the processor's counters, warm."""
    per_call: dict[What, dict[str, float]] = {}
    for what, turn in turns.items():
        if what == "push":
            continue  # making its samples would be counted as well
        turn()
        before = time.perf_counter()
        turn()
        spent = time.perf_counter() - before
        calls = max(1, min(_COUNTED, int(_COUNTED_S / spent)))
        try:
            per_call[what] = counters.count(turn, calls)
        except OSError as error:
            return Counters(per_call={}, reason=counters.why(error))
    if not any(per_call.values()):
        return Counters(per_call={}, reason="the counters never counted")
    return Counters(per_call=per_call, reason=None)
