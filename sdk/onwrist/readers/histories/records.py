"""Records of a person's own history, as a reader finds them, in; the same in order out.

Each belongs to a source: a watch, a phone, an app. What is there twice or cannot be is left
out and counted.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist.plausible import LIMITS
from onwrist.readers.histories.minutes import LONGEST_COUNT

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

    def rezone(self, ahead: Callable[[_Numbers], NDArray[np.int32]]) -> None:
        """Give every record the offset that `ahead` says of its time."""
        for kind in (self._beats, self._counts, self._levels):
            for columns in kind.values():
                columns.rezone(ahead)

    def records(self, notes: list[str]) -> dict[str, Records]:
        """The records of each source in order, without repeats and what cannot be.

        They are handed over: nothing is held here any more.
        """
        notes += self.notes
        notes += [f"{n:,} {what} were left out" for what, n in sorted(self.left_out.items())]
        return {
            name: Records(
                _tidy(self._beats.pop(name, _Columns(2)), "heart rates", name, notes),
                _tidy(self._counts.pop(name, _Columns(3)), "step counts", name, notes),
                _tidy(self._levels.pop(name, _Columns(2)), "intensities", name, notes),
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

    def rezone(self, ahead: Callable[[_Numbers], NDArray[np.int32]]) -> None:
        times = np.frombuffer(self._numbers[0], np.float64)
        inside = np.clip(times, _EARLIEST, _LATEST)  # others are left out later
        offsets = ahead(inside).astype(np.int32)
        self._offsets = array("i", offsets.tobytes())

    def table(self) -> tuple[NDArray[np.int32], _Numbers]:
        """Offsets (n,) and numbers (columns, n)."""
        numbers = np.stack([np.frombuffer(x, np.float64) for x in self._numbers])
        return np.frombuffer(self._offsets, np.int32), numbers


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows in order of their first number, a time; offsets (n,), numbers (columns, n)."""

    offsets: NDArray[np.int32]
    numbers: _Numbers

    def of_days(self, first: int, end: int) -> Rows:
        """Those of the local days from `first` to before `end`."""
        days = self.days
        kept = (days >= first) & (days < end)
        return self if kept.all() else Rows(self.offsets[kept], self.numbers[:, kept])

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.offsets)

    def by_minute(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Minutes since the Unix epoch in which there are any, and the first offset of each."""
        minute = (self.numbers[0] // 60).astype(np.int64)
        first = np.flatnonzero(np.diff(minute, prepend=minute[:1] - 1))
        return minute[first], self.offsets[first]

    @property
    def days(self) -> NDArray[np.int64]:
        """The local day of each row, counted from the Unix epoch."""
        return np.asarray(np.floor((self.numbers[0] + self.offsets) / DAY), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """What one source wrote."""

    beats: Rows
    counts: Rows
    levels: Rows

    @property
    def parts(self) -> tuple[Rows, Rows, Rows]:
        return self.beats, self.counts, self.levels

    @property
    def size(self) -> int:
        """How many there are."""
        return sum(part.size for part in self.parts)


def _tidy(columns: _Columns, what: str, source: str, notes: list[str]) -> Rows:
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
    if (numbers[0, 1:] > numbers[0, :-1]).all():
        return Rows(offsets, numbers)
    order = np.lexsort(numbers[::-1])
    offsets, numbers = offsets[order], numbers[:, order]
    # One source has one heart rate at a time, and one count of an interval.
    again = np.concatenate(([False], (np.diff(numbers[:-1]) == 0).all(axis=0)))[: len(offsets)]
    leave_out(again, "that are there twice were merged")
    return Rows(offsets, numbers)
