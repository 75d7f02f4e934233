"""Heart rate and step counts of several sources in, one number a minute out.

Sources are a watch, a phone, an app. A count over an interval is split among its minutes by
their share of its time, so sums are kept. Minutes are whole minutes of Unix time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.plausible import LIMITS
from onwrist.wear import unworn

LONGEST_COUNT = 3600.0  # seconds; what was counted over longer says nothing about a minute

_Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one source wrote, in order of time.

    Attributes
    ----------
    beat_times, beats : (n,), Unix seconds and bpm.
    starts, ends, counts : (m,), Unix seconds and steps; an interval is [start, end).
    level_times, levels : (k,), Unix seconds and intensity, 0 to 3, of a minute.
    """

    beat_times: _Numbers
    beats: _Numbers
    starts: _Numbers
    ends: _Numbers
    counts: _Numbers
    level_times: _Numbers
    levels: _Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """One number a minute, NaN where not observed.

    Attributes
    ----------
    first : the first minute, counted from the Unix epoch.
    steps, intensity : (size,).
    owners : (size,), which of `ranked` the heart rate of a minute is taken from; -1 none.
    ranked : sources with heart rate, the one with most minutes of it first.
    notes : what was left out, a sentence each.
    """

    first: int
    steps: _Numbers
    intensity: _Numbers
    owners: NDArray[np.int16]
    ranked: tuple[str, ...]
    notes: tuple[str, ...]


def split(
    starts: NDArray[np.floating[Any]],
    ends: NDArray[np.floating[Any]],
    counts: NDArray[np.floating[Any]],
    first: int,
    size: int,
) -> _Numbers:
    """Counts over intervals by minute: each minute gets its share of the interval's time.

    Parameters
    ----------
    starts, ends, counts : (n,), Unix seconds, start <= end; a count of no duration belongs
        to the minute in which it lies.
    first, size : the minutes that are asked for; what lies in others is not given.

    Returns
    -------
    float64 (size,), NaN in minutes that no interval touches.
    """
    begin = np.floor(starts / 60).astype(np.int64)
    last = np.maximum(begin, np.ceil(ends / 60).astype(np.int64) - 1)
    pieces = last - begin + 1
    which = np.repeat(np.arange(len(starts)), pieces)
    minute = begin[which] + np.arange(len(which)) - np.repeat(pieces.cumsum() - pieces, pieces)
    low = np.maximum(starts[which], 60.0 * minute)
    high = np.minimum(ends[which], 60.0 * (minute + 1))
    length = (ends - starts)[which]
    share = np.ones(len(which))
    np.divide(high - low, length, out=share, where=length > 0)
    inside = (minute >= first) & (minute < first + size)
    place = minute[inside] - first
    total = np.bincount(place, (counts[which] * share)[inside], size)
    touched = np.bincount(place, minlength=size) > 0
    return np.where(touched, total, np.nan)


def means(times: _Numbers, values: _Numbers, first: int, size: int) -> _Numbers:
    """The mean of each minute, NaN where no sample lies in it."""
    place = np.floor(times / 60).astype(np.int64) - first
    inside = (place >= 0) & (place < size)
    count = np.bincount(place[inside], minlength=size)
    total = np.bincount(place[inside], values[inside], size)
    out = np.full(size, np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out


def merge(sources: Mapping[str, Source], first: int, size: int) -> Minutes:
    """One person's minutes, each from one source, so that nothing is counted twice.

    Heart rate of a minute is of the source with most minutes of it that has this one. Steps
    are of the first such source that was worn: 0 if it wrote none. Where none was worn they
    are of another source, such as a phone, only in minutes that it wrote about; nothing says
    that it was carried in the others.
    """
    beats = {
        name: means(x.beat_times, x.beats, first, size)
        for name, x in sources.items()
        if len(x.beats)
    }
    ranked = tuple(sorted(beats, key=lambda name: (-np.isfinite(beats[name]).sum(), name)))
    owners = np.full(size, -1, np.int16)
    for k, name in enumerate(ranked):
        owners[(owners < 0) & np.isfinite(beats[name])] = k
    written = {
        name: split(x.starts, x.ends, x.counts, first, size)
        for name, x in sources.items()
        if len(x.counts)
    }
    steps, notes = _steps(written, beats, ranked, size)
    strange = LIMITS["steps"].outside(steps)
    if strange.any():
        notes.append(f"{strange.sum():,} minutes of more than 1000 steps count as missing")
        steps[strange] = np.nan
    levels = np.full(size, np.nan)
    for x in sources.values():
        found = means(x.level_times, x.levels, first, size)
        levels = np.where(np.isnan(levels), found, levels)
    if ranked and written:
        levels[np.isnan(steps) & (levels == 0)] = np.nan  # of a device that nobody wore
    return Minutes(first, steps, levels, owners, ranked, tuple(notes))


def _steps(
    written: Mapping[str, _Numbers],
    beats: Mapping[str, _Numbers],
    ranked: tuple[str, ...],
    size: int,
) -> tuple[_Numbers, list[str]]:
    notes: list[str] = []
    steps, taken = np.full(size, np.nan), np.zeros(size, np.bool_)
    watches = [name for name in ranked if name in written and (written[name] > 0).any()]
    others = sorted(written.keys() - set(watches), key=lambda x: (-np.nansum(written[x]), x))
    for name in (*watches, *others):
        own = written[name]
        there = _worn(own, beats[name]) if name in watches else np.isfinite(own)
        free = there & ~taken
        steps[free] = np.nan_to_num(own[free])
        twice = float(np.nansum(own[taken]))
        if twice >= 1:
            notes.append(
                f"{twice:,.0f} steps of {name!r} in minutes that another source has were "
                "left out, as they are the same steps"
            )
        taken |= there
    return steps, notes


def _worn(steps: _Numbers, beats: _Numbers) -> NDArray[np.bool_]:
    """Minutes in which a watch was worn, as its heart rate before or after them says.

    Where no heart rate came between two times off the wrist, nothing tells a watch from a
    phone on a table: only minutes with steps count.
    """
    there = np.flatnonzero(np.isfinite(beats) | (steps > 0))
    worn = np.zeros(len(steps), np.bool_)
    span = slice(there[0], there[-1] + 1)
    worn[span] = ~unworn(steps[span], beats[span])
    run = np.cumsum(~worn)  # minutes of one number were worn without a break
    pulse = np.bincount(run, np.isfinite(beats)) > 0
    return worn & (pulse[run] | (steps > 0))
