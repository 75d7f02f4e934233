"""Turns of calls in random order, and what their medians are worth.

What speed is measured with: in every round each contestant has one turn, so that a busy
moment of the machine meets all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

CALLS, UNCOUNTED, IDLE = 10, 3, 0.020
RESAMPLES = 1000

Call = Callable[[], object]


def turn(call: Call, count: int, idle: float) -> list[float]:
    """Microseconds of each of `count` calls in a row.

    Parameters
    ----------
    idle : seconds of sleep before; 0 for a few calls that do not count.
    """
    if idle:
        time.sleep(idle)
    else:
        for _ in range(UNCOUNTED):
            call()
    found = []
    for _ in range(count):
        before = time.perf_counter_ns()
        call()
        found.append((time.perf_counter_ns() - before) / 1000)
    return found


def race(
    calls: Mapping[str, Call],
    rounds: int,
    count: int,
    idle: float,
    told: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """Times in microseconds, (contestants, rounds, count), of contestants in this process.

    Parameters
    ----------
    count, idle : as of a `turn`.
    told : is called with the number of each round that is done.
    """
    times = np.zeros((len(calls), rounds, count))
    order = np.random.default_rng(0)
    each = list(calls.values())
    for _ in range(50):
        for call in each:
            call()
    for done in range(rounds):
        for k in order.permutation(len(each)):
            times[k, done] = turn(each[k], count, idle)
        if told is not None:
            told(done + 1)
    return times


def resampled_medians(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians (resamples, contestants) over rounds drawn with replacement."""
    draw = np.random.default_rng(0)
    rounds = times.shape[1]
    return np.stack(
        [
            np.median(times[:, draw.integers(rounds, size=rounds)], axis=(1, 2))
            for _ in range(RESAMPLES)
        ]
    )
