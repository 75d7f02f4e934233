"""Records of a person's own history, by source, in; Recordings in local time out.

Apple Health, Health Connect, Fitbit and Garmin write Unix time and how far local time was
ahead of it. A Recording counts local seconds as if they were UTC, so that its days are the
wearer's: where a clock goes forward, local time that never was is missing, and where it goes
back, what repeats local time is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.readers.histories.minutes import Minutes, Source, merge
from onwrist.readers.histories.records import DAY, Gathered, Records
from onwrist.readers.rates import estimate_rate
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import LONGEST, Signal

# Minutes: of a stay in another zone, and from before it to after it, too short for a trip.
_STAY, _TRIP = 180, 720
_MOST_SOURCES = 50  # of a year; each takes 8 MB


def choose(path: Path, gathered: Gathered, user: str | None) -> Recording:
    """The newest 366 days of a history, or the calendar year `user`.

    Raises
    ------
    InputError
        `user` is no year of it.
    RecordingError
        It has no heart rate and no steps.
    """
    notes: list[str] = []
    records = gathered.records(notes)
    days = _days(path, records, notes)
    years = [str(year) for year in np.unique(_year(days))]
    if user is not None and user not in years:
        raise InputError(
            f"{path}: no year {user!r} in this history; it has {', '.join(years)} "
            "(--user YEAR, user= in Python)"
        )
    if user is not None:
        return _recording(f"{path.stem}_{user}", _of_year(records, int(user)), notes)
    oldest = days[-1] - round(LONGEST / DAY) + 1
    if days[0] < oldest:
        notes.append(
            f"{(days < oldest).sum():,} days before {np.datetime64(int(oldest), 'D')} were "
            f"left out; --user YEAR reads a year of {', '.join(years)}"
        )
        records = _between(records, int(oldest), int(days[-1]) + 1)
    return _recording(path.stem, records, notes)


def years(path: Path, gathered: Gathered) -> list[Recording]:
    """The whole history: one recording, or one a calendar year if it has over 366 days."""
    notes: list[str] = []
    records = gathered.records(notes)
    days = _days(path, records, notes)
    if (days[-1] - days[0] + 1) * DAY <= LONGEST:
        return [_recording(path.stem, records, notes)]
    return [
        _recording(f"{path.stem}_{year}", _of_year(records, int(year)), list(notes))
        for year in np.unique(_year(days))
    ]


def _days(path: Path, records: dict[str, Records], notes: list[str]) -> NDArray[np.int64]:
    found = [np.unique(rows.days) for x in records.values() for rows in x.parts]
    days = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))
    if not len(days):
        why = "".join(f"; {note}" for note in notes)
        raise RecordingError(f"{path}: no heart rate and no steps in this export{why}")
    return days


def _year(days: NDArray[np.int64]) -> NDArray[np.int64]:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _of_year(records: dict[str, Records], year: int) -> dict[str, Records]:
    first, last = (int(np.datetime64(f"{x}-01-01", "D").astype(int)) for x in (year, year + 1))
    return _between(records, first, last)


def _between(records: dict[str, Records], first: int, end: int) -> dict[str, Records]:
    """The records of the local days from `first` to before `end`."""
    return {
        name: Records(*(x.of_days(first, end) for x in record.parts))
        for name, record in records.items()
    }


def _recording(name: str, records: dict[str, Records], notes: list[str]) -> Recording:
    records = _of_most(records, notes)
    sources = {
        source: Source(*(row for part in x.parts for row in part.numbers))
        for source, x in records.items()
        if x.size
    }
    times = [x.numbers[:-1] for record in records.values() for x in record.parts if x.size]
    first = int(min(x.min() for x in times) // 60)
    found = merge(sources, first, int(max(x.max() for x in times) // 60) - first + 1)
    notes += found.notes
    ahead = _offsets(records, found)
    minute = np.arange(len(ahead)) + ahead // 60
    there = (found.owners >= 0) | np.isfinite(found.steps) | np.isfinite(found.intensity)
    # Time off the wrist, as on the way back from the east, repeats nothing.
    latest = np.maximum.accumulate(np.where(there, minute, minute[0] - 1))
    kept = np.concatenate(([True], minute[1:] > latest[:-1]))
    lost = ~kept & there
    if lost.any():
        notes.append(
            f"{lost.sum():,} minutes after a clock went back repeat local time; left out"
        )
    signals: dict[str, Signal] = {}
    local = 60.0 * (first + minute).astype(np.float64)
    for channel, values in (("steps", found.steps), ("intensity", found.intensity)):
        real = kept & np.isfinite(values)
        if real.any():
            signals[channel] = Signal(values[real].astype(np.float32), local[real], 1 / 60)
    signals |= _heart_rate(sources, found, ahead, kept)
    if not signals:
        raise RecordingError(f"{name}: nothing was observed: {'; '.join(notes)}")
    return Recording(name, None, signals, notes=tuple(notes))


def _of_most(records: dict[str, Records], notes: list[str]) -> dict[str, Records]:
    """The sources with most records, so that memory is bounded."""
    if len(records) <= _MOST_SOURCES:
        return records
    most = sorted(records, key=lambda x: -records[x].size)[:_MOST_SOURCES]
    lost = sum(x.size for x in records.values()) - sum(records[x].size for x in most)
    notes.append(
        f"{lost:,} records of all but the {_MOST_SOURCES} sources with most were left out"
    )
    return {name: records[name] for name in most}


def _heart_rate(
    sources: dict[str, Source],
    found: Minutes,
    ahead: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> dict[str, Signal]:
    """The samples of each minute's own source, at their own times."""
    times, values = [np.zeros(0)], [np.zeros(0, np.float32)]
    for k, name in enumerate(found.ranked):
        source = sources[name]
        minute = np.floor(source.beat_times / 60).astype(np.int64) - found.first
        mine = (found.owners[minute] == k) & kept[minute]
        times.append(source.beat_times[mine] + ahead[minute[mine]])
        values.append(source.beats[mine].astype(np.float32))
    local, beats = np.concatenate(times), np.concatenate(values)
    if not len(local):
        return {}
    if not (local[1:] >= local[:-1]).all():
        order = local.argsort()
        local, beats = local[order], beats[order]
    rate = 1 / 60
    if len(local) > 1:
        rate = float(np.clip(estimate_rate("heart rate", local), 1 / 600, 1.0))
    return {"heart_rate": Signal(beats, local, rate)}


def _offsets(records: dict[str, Records], found: Minutes) -> NDArray[np.int64]:
    """Seconds by which local time is ahead in each minute, in whole minutes.

    They are those of the source with most records; others, whose clocks may be set
    otherwise, are asked only before and after it.
    """
    size = len(found.owners)
    known, ahead = np.zeros(size, np.bool_), np.zeros(size, np.int64)
    for record in sorted(records.values(), key=lambda x: -x.size):
        taken = np.flatnonzero(known)
        each = [x.by_minute() for x in record.parts]
        minute, place = np.unique(np.concatenate([x for x, _ in each]), return_index=True)
        minute -= found.first
        offsets = _steady(minute, np.concatenate([x for _, x in each])[place])
        free = np.ones(len(minute), np.bool_)
        if len(taken):
            free = (minute < taken[0]) | (minute > taken[-1])
        ahead[minute[free]] = np.round(offsets[free] / 60).astype(np.int64) * 60
        known[minute[free]] = True
    latest = np.maximum.accumulate(np.where(known, np.arange(size), -1))
    latest[latest < 0] = np.flatnonzero(known)[0]
    return ahead[latest]


def _steady(minute: NDArray[np.int64], offsets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Offsets (n,) of ascending minutes without those that came and went like no clock does.

    An app may write one kind of record in local time and another in UTC. Each return would
    seem to be a clock that goes back, and what follows to repeat local time.
    """
    out = offsets.copy()
    edges = np.flatnonzero(np.diff(offsets)) + 1
    values, numbers = np.unique(offsets, return_counts=True)
    counts = dict(zip(values.tolist(), numbers.tolist(), strict=True))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        before = int(offsets[begin - 1])
        stay, trip = minute[end - 1] - minute[begin], minute[end] - minute[begin - 1]
        rarer = counts[int(offsets[begin])] < counts[before]
        if before == offsets[end] and stay < _STAY and trip < _TRIP and rarer:
            out[begin:end] = before
    return out
