"""The repair of time stamps: a channel's stamps in, those of its sampling clock out.

A sensor samples by a steady clock, but samples often get their stamps where they arrive,
a little early or late. A stamp that is off the line through the stamps before it is moved
onto that line; regular stamps, whatever their drift, stay as they are to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The line goes through the median of a stamp and up to so many before it: seven stray ones
# among fifteen do not move it, and it lags the clock by seven samples, which at 200 ppm of
# drift are 0.0014 periods.
HISTORY = 14
AGO = np.arange(HISTORY + 1)
STRAY = 1 / 16  # of a period: further off the line a stamp is moved, 45 times that lag
FURTHEST = 7 / 16  # of a period that a stamp is moved: with its rounding less than a half
CHUNK = 4096  # samples whose histories are held at a time


def repaired(times: Array, rate: float) -> Array:
    """The stamps (n,) of one channel on the line of its clock.

    With p = 1 / rate, samples belong to one run if the steps between them are within p / 2
    of p. The line at sample i is the lower median of t[i - k] + k p over k = 0 ... 14, as
    far as the run goes back. A stamp that is no more than p / 16 off the line stays; others
    are moved to the line, by 7 p / 16 at most, and not forward if the next sample follows
    within p / 2.

    Inside a run t[i] - i p changes by less than p / 2 from sample to sample, and so does
    each order statistic of its last fifteen, hence the line rises by more than p / 2 a
    sample and the result, which lies between line and stamp or is off the line by p / 16,
    rises too. No stamp is moved past the next run: that begins 3 p / 2 later or more, or
    within p / 2, where none is moved forward.

    The result for a sample depends on it, the 14 before it, and on whether the next one
    follows within p / 2.

    Parameters
    ----------
    times : float64 (n,), seconds, strictly increasing, without missing samples.
    rate : nominal sampling rate in Hz.
    """
    period = 1 / rate
    steps = times[1:] - times[:-1]
    off = _off_line(times, steps, period)
    if off is None:
        return times
    stays = np.abs(off) <= STRAY * period
    np.minimum(off, FURTHEST * period, out=off)
    np.maximum(off, -FURTHEST * period, out=off)
    np.minimum(off[:-1], 0, out=off[:-1], where=steps - period <= -period / 2)
    off[stays] = 0
    off += times
    return off


def strays(times: Array, rate: float) -> NDArray[np.bool_]:
    """Which of the stamps (n,) are off their line by more than p / 16, as in `repaired`.

    It depends for each sample on nothing but that sample and the 14 before it.
    """
    period = 1 / rate
    steps = times[1:] - times[:-1]
    off = _off_line(times, steps, period)
    if off is None:
        return np.zeros(len(times), np.bool_)
    return np.abs(off) > STRAY * period


def is_regular(steps: Array, rate: float) -> bool:
    """Whether steps between stamps are such that all lie in one run and none strays."""
    off = steps - 1 / rate
    steady = _steady(1 / rate)
    # The largest is no larger than the root of the sum of squares, which is had faster.
    return bool(off.dot(off) <= steady**2 or np.abs(off).max() <= steady)


def _steady(period: float) -> float:
    """How far a step may be off the period so that no sum of 14 is off by p / 16."""
    return STRAY / HISTORY * period


def _off_line(times: Array, steps: Array, period: float) -> Array | None:
    """The line less the stamp of each sample (n,); None if none can be off by p / 16."""
    apart = np.abs(steps - period)
    if not ((apart > _steady(period)) & (apart < period / 2)).any():
        return None
    sample = np.arange(len(times))
    history = sample
    breaks = np.flatnonzero(apart >= period / 2) + 1
    if len(breaks):
        begins = np.zeros(len(times), np.intp)
        begins[breaks] = breaks
        history = sample - np.maximum.accumulate(begins)
    history = np.minimum(history, HISTORY)
    padded = np.full(HISTORY + len(times), np.inf)
    padded[HISTORY:] = times
    # Stamp i - k in row i and column k; a view, and padded is alive as long as it is.
    size = padded.itemsize
    shape = len(times), HISTORY + 1
    before: Array = np.ndarray(shape, np.float64, padded, HISTORY * size, (size, -size))
    off = np.empty(len(times))
    for begin in range(0, len(times), CHUNK):
        part = slice(begin, begin + CHUNK)
        lines = before[part] - times[part, np.newaxis]
        lines += AGO * period
        if len(breaks):
            lines[history[part, np.newaxis] < AGO] = np.inf
        lines.sort(axis=1)
        off[part] = lines[sample[: len(lines)], history[part] // 2]
    return off
