"""Records of a person's own history, by source, in; Recordings in local time out.

Apple Health, Health Connect, Fitbit and Garmin write Unix time and how far local time was
ahead of it. A Recording counts local seconds as if they were UTC, so that its days are the
wearer's: where a clock goes forward, local time that never was is missing, and where it goes
back, what repeats local time is left out.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist.plausible import LIMITS
from onwrist.readers.history_minutes import LONGEST_COUNT, Minutes, Source, merge
from onwrist.readers.rates import estimate_rate
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import LONGEST, Signal

DAY = 86_400
FARTHEST = 15 * 3600  # seconds that local time can be ahead of or behind UTC
_LATEST = 4_102_444_800  # 2100; later stamps, and those before 1990, are no history
_EARLIEST = 631_152_000
_NO_OFFSET = 1 << 30  # seconds that fit 32 bits and are no offset

_Numbers = NDArray[np.float64]


class Gathered:
    """What a reader found, to which it adds record by record or by arrays.

    Memory is 20 bytes a heart rate and 28 a step count; no record is kept otherwise.

    Attributes
    ----------
    notes : what was assumed, a sentence each.
    left_out : how many records of what, in words.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.left_out: Counter[str] = Counter()
        self._beats: defaultdict[str, _Columns] = defaultdict(lambda: _Columns(2))
        self._counts: defaultdict[str, _Columns] = defaultdict(lambda: _Columns(3))
        self._levels: defaultdict[str, _Columns] = defaultdict(lambda: _Columns(2))

    def beat(self, source: str, time: float, offset: int, value: float) -> None:
        """A heart rate in bpm at Unix seconds, with the offset of local time in seconds."""
        self._beats[source].add(offset, time, value)

    def count(self, source: str, start: float, end: float, offset: int, value: float) -> None:
        """Steps from `start` to `end`."""
        self._counts[source].add(offset, start, end, value)

    def beats(
        self, source: str, times: ArrayLike, offsets: ArrayLike, values: ArrayLike
    ) -> None:
        """Many heart rates."""
        self._beats[source].extend(offsets, times, values)

    def counts(
        self,
        source: str,
        starts: ArrayLike,
        ends: ArrayLike,
        offsets: ArrayLike,
        values: ArrayLike,
    ) -> None:
        """Many step counts."""
        self._counts[source].extend(offsets, starts, ends, values)

    def levels(
        self, source: str, times: ArrayLike, offsets: ArrayLike, values: ArrayLike
    ) -> None:
        """Intensities of minutes, 0 to 3."""
        self._levels[source].extend(offsets, times, values)

    def records(self, notes: list[str]) -> dict[str, _Records]:
        """The records of each source in order, without repeats and what cannot be."""
        notes += self.notes
        notes += [f"{n:,} {what} were left out" for what, n in sorted(self.left_out.items())]
        return {
            name: _Records(
                _tidy(self._beats[name], "heart rates", name, notes),
                _tidy(self._counts[name], "step counts", name, notes),
                _tidy(self._levels[name], "intensities", name, notes),
            )
            for name in sorted({*self._beats, *self._counts, *self._levels})
        }


class _Columns:
    """Rows of an offset and numbers."""

    def __init__(self, numbers: int) -> None:
        self._offsets = array("i")
        self._numbers = tuple(array("d") for _ in range(numbers))

    def add(self, offset: int, *numbers: float) -> None:
        self._offsets.append(offset)
        for column, number in zip(self._numbers, numbers, strict=True):
            column.append(number)

    def extend(self, offsets: ArrayLike, *numbers: ArrayLike) -> None:
        rows = [np.asarray(x, np.float64) for x in numbers]
        bounded = np.clip(np.asarray(offsets), -_NO_OFFSET, _NO_OFFSET)
        same = np.broadcast_to(bounded.astype(np.int32), rows[0].shape)
        self._offsets.frombytes(same.tobytes())
        for column, row in zip(self._numbers, rows, strict=True):
            column.frombytes(row.tobytes())

    def table(self) -> tuple[NDArray[np.int32], _Numbers]:
        """Offsets (n,) and numbers (columns, n)."""
        numbers = np.stack([np.frombuffer(x, np.float64) for x in self._numbers])
        return np.frombuffer(self._offsets, np.int32), numbers


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows in order of their first number, a time; offsets (n,), numbers (columns, n)."""

    offsets: NDArray[np.int32]
    numbers: _Numbers

    def only(self, kept: NDArray[np.bool_]) -> _Rows:
        return _Rows(self.offsets[kept], self.numbers[:, kept])

    @property
    def days(self) -> NDArray[np.int64]:
        """The local day of each row, counted from the Unix epoch."""
        return np.asarray(np.floor((self.numbers[0] + self.offsets) / DAY), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Records:
    beats: _Rows
    counts: _Rows
    levels: _Rows

    @property
    def parts(self) -> tuple[_Rows, _Rows, _Rows]:
        return self.beats, self.counts, self.levels


def _tidy(columns: _Columns, what: str, source: str, notes: list[str]) -> _Rows:
    offsets, numbers = columns.table()

    def leave_out(bad: NDArray[np.bool_], why: str) -> None:
        nonlocal offsets, numbers
        if bad.any():
            notes.append(f"{bad.sum():,} {what} of {source!r} {why}")
            offsets, numbers = offsets[~bad], numbers[:, ~bad]

    times = numbers[:-1]
    bad = ~((times >= _EARLIEST) & (times < _LATEST)).all(axis=0)
    leave_out(bad | (np.abs(offsets) > FARTHEST), "at impossible times were left out")
    if what == "heart rates":
        leave_out(LIMITS["heart_rate"].outside(numbers[1]), "outside 25 to 250 bpm are missing")
    if what == "step counts":
        length = numbers[1] - numbers[0]
        leave_out((length < 0) | ~(numbers[2] >= 0), "below 0 or ending early were left out")
        length = numbers[1] - numbers[0]
        leave_out(
            length > LONGEST_COUNT,
            "over more than an hour were left out: they say nothing about minutes",
        )
    leave_out(~np.isfinite(numbers[-1]), "that are no numbers were left out")
    order = np.lexsort(numbers[::-1])
    offsets, numbers = offsets[order], numbers[:, order]
    # One source has one heart rate at a time, and one count of an interval.
    again = np.concatenate(([False], (np.diff(numbers[:-1]) == 0).all(axis=0)))[: len(offsets)]
    leave_out(again, "that are there twice were merged")
    return _Rows(offsets, numbers)


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
    days = _days(path, records)
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
    days = _days(path, records)
    if (days[-1] - days[0] + 1) * DAY <= LONGEST:
        return [_recording(path.stem, records, notes)]
    return [
        _recording(f"{path.stem}_{year}", _of_year(records, int(year)), list(notes))
        for year in np.unique(_year(days))
    ]


def _days(path: Path, records: dict[str, _Records]) -> NDArray[np.int64]:
    found = [rows.days for x in records.values() for rows in x.parts]
    days = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))
    if not len(days):
        raise RecordingError(f"{path}: no heart rate and no steps in this export")
    return days


def _year(days: NDArray[np.int64]) -> NDArray[np.int64]:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _of_year(records: dict[str, _Records], year: int) -> dict[str, _Records]:
    first, last = (int(np.datetime64(f"{x}-01-01", "D").astype(int)) for x in (year, year + 1))
    return _between(records, first, last)


def _between(records: dict[str, _Records], first: int, end: int) -> dict[str, _Records]:
    """The records of the local days from `first` to before `end`."""
    return {
        name: _Records(*(x.only((x.days >= first) & (x.days < end)) for x in record.parts))
        for name, record in records.items()
    }


def _recording(name: str, records: dict[str, _Records], notes: list[str]) -> Recording:
    sources = {
        source: Source(*(row for part in x.parts for row in part.numbers))
        for source, x in records.items()
        if any(len(part.offsets) for part in x.parts)
    }
    times = [part.numbers[:-1].ravel() for x in records.values() for part in x.parts]
    every = np.floor(np.concatenate(times) / 60)
    first = int(every.min())
    found = merge(sources, first, int(every.max()) - first + 1)
    notes += found.notes
    ahead = _offsets(records, found)
    minute = np.arange(len(ahead)) + ahead // 60
    kept = np.concatenate(([True], minute[1:] > np.maximum.accumulate(minute)[:-1]))
    lost = ~kept & ((found.owners >= 0) | np.isfinite(found.steps))
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
    return Recording(name, None, signals, notes=tuple(notes))


def _heart_rate(
    sources: dict[str, Source],
    found: Minutes,
    ahead: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> dict[str, Signal]:
    """The samples of each minute's own source, at their own times."""
    times, values = [np.zeros(0)], [np.zeros(0)]
    for k, name in enumerate(found.ranked):
        source = sources[name]
        minute = np.floor(source.beat_times / 60).astype(np.int64) - found.first
        mine = (found.owners[minute] == k) & kept[minute]
        times.append(source.beat_times[mine] + ahead[minute[mine]])
        values.append(source.beats[mine])
    local, beats = np.concatenate(times), np.concatenate(values)
    if not len(local):
        return {}
    order = local.argsort()
    local, beats = local[order], beats[order]
    rate = 1 / 60
    if len(local) > 1:
        rate = float(np.clip(estimate_rate("heart rate", local), 1 / 600, 1.0))
    return {"heart_rate": Signal(beats.astype(np.float32), local, rate)}


def _offsets(records: dict[str, _Records], found: Minutes) -> NDArray[np.int64]:
    """Seconds by which local time is ahead in each minute, in whole minutes.

    They are those of the source with most records; others, whose clocks may be set
    otherwise, are asked only before and after it.
    """
    size = len(found.owners)
    known, ahead = np.zeros(size, np.bool_), np.zeros(size, np.int64)
    for record in sorted(records.values(), key=lambda x: -sum(len(y.offsets) for y in x.parts)):
        taken = np.flatnonzero(known)
        for part in record.parts:
            minute = np.floor(part.numbers[0] / 60).astype(np.int64) - found.first
            free = np.ones(len(minute), np.bool_)
            if len(taken):
                free = (minute < taken[0]) | (minute > taken[-1])
            ahead[minute[free]] = np.round(part.offsets[free] / 60).astype(np.int64) * 60
            known[minute[free]] = True
    latest = np.maximum.accumulate(np.where(known, np.arange(size), -1))
    latest[latest < 0] = np.flatnonzero(known)[0]
    return ahead[latest]
