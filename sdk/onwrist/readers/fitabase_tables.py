"""The files of one kind in a Fitabase export in, their rows once each and in order out.

A file is CSV or CSV in gzip with a header; its rows have an Id, a local time and numbers.
Times are written "4/13/2016 12:00:00 AM", or "4/13/2016 0:00" where a spreadsheet saved
the file again. What is repaired is counted in `Rows.notes`, all else is an error.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.extras import require
from onwrist.plausible import Limits
from onwrist_runtime.errors import RecordingError

_TIME = (
    r"^\s*(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
    r"(?:\s+(?P<half>[AaPp])[Mm])?)?\s*$"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    name : what the file's name says, such as minuteStepsWide.
    time : header of the time column.
    columns : headers of the numbers.
    period : seconds that every time is a multiple of.
    limits : numbers outside are not plausible and count as missing.
    """

    name: str
    time: str
    columns: tuple[str, ...]
    period: int
    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows by user and time.

    Attributes
    ----------
    users : whose rows there are, sorted.
    owners : int64 (n,), index of each row's user.
    times : int64 (n,), local seconds counted as if they were UTC.
    values : float64 (n, columns), NaN where missing.
    notes : what was repaired in all of it.
    """

    users: tuple[str, ...]
    owners: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    notes: tuple[str, ...]


def read(kind: Kind, paths: Sequence[Path]) -> Rows:
    """Read all files of one kind; rows that several hold are merged.

    Raises
    ------
    RecordingError
        A file that cannot be read, text where a number or time belongs, a line that is cut
        before the end, or two different rows of one user and time.
    """
    notes: list[str] = []
    parts = [_read_file(kind, path, notes) for path in paths]
    users = tuple(sorted({user for names, _, _, _ in parts for user in names}))
    owners = np.concatenate(
        [np.array([users.index(x) for x in names], np.int64)[k] for names, k, _, _ in parts]
    )
    times = np.concatenate([part[2] for part in parts])
    values = np.concatenate([part[3] for part in parts])
    order = np.lexsort((times, owners))
    owners, times, values = owners[order], times[order], values[order]
    again = (owners[1:] == owners[:-1]) & (times[1:] == times[:-1])
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    if (clash := again & ~same.all(axis=1)).any():
        first = int(clash.argmax()) + 1
        whose = f"{users[owners[first]]} at {stamp(times[first])}"
        _refuse(kind, paths, int(clash.sum()), whose, times)
    if again.any():
        notes.append(f"{kind.name}: {again.sum():,} rows that are there twice were merged")
    once = np.concatenate((np.ones(min(1, len(times)), np.bool_), ~again))
    return Rows(users, owners[once], times[once], values[once], tuple(notes))


def stamp(seconds: float) -> str:
    """Local seconds as people read them."""
    return str(np.datetime64(int(seconds), "s")).replace("T", " ")


def _refuse(
    kind: Kind, paths: Sequence[Path], count: int, first: str, times: NDArray[np.int64]
) -> None:
    why = "overlapping exports, or a clock that went back"
    if kind.period == 1 and not (times % 60).any():
        why = "no time has seconds, so a spreadsheet has dropped them; export the file again"
    raise RecordingError(
        f"{', '.join(map(str, paths))}: {count:,} rows contradict another of the same user "
        f"and time, first {first}: {why}"
    )


def _read_file(
    kind: Kind, path: Path, notes: list[str]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Users, index of each row's user, times and values in the order of the file."""
    table = _load(kind, path, notes)
    users, owners = _ids(path, table["Id"])
    times = _seconds(kind, path, table[kind.time])
    columns = [_numbers(path, name, table[name]) for name in kind.columns]
    values = np.stack(columns, axis=1)
    strange = kind.limits.outside(values)
    if strange.any():
        notes.append(
            f"{path.name}: {strange.sum():,} values outside {kind.limits} count as missing"
        )
        values[strange] = np.nan
    if not len(times):
        notes.append(f"{path.name}: no rows")
    return users, owners, times, values


def _load(kind: Kind, path: Path, notes: list[str]) -> Any:
    """The columns that are needed, as text; blank cells are null."""
    reader = require("pyarrow.csv", "readers", "reading a Fitabase export")
    arrow = require("pyarrow", "readers", "reading a Fitabase export")
    header = _header(path)
    needed = ["Id", kind.time, *kind.columns]
    if absent := [name for name in needed if name not in header]:
        raise RecordingError(
            f"{path}: no column {', '.join(absent[:4])} among {', '.join(header[:6])}, ...; "
            f"a {kind.name} file has {kind.time} and {len(kind.columns)} of numbers"
        )
    if repeated := [name for name in needed if header.count(name) > 1]:
        raise RecordingError(f"{path}: two columns are called {repeated[0]!r}")
    broken: list[Any] = []

    def keep(row: Any) -> str:
        broken.append(row)
        return "skip"

    try:
        table = reader.read_csv(
            path,
            # One thread, so that the numbers of broken rows are known.
            read_options=reader.ReadOptions(
                use_threads=False, column_names=_unique(header), skip_rows=1
            ),
            parse_options=reader.ParseOptions(invalid_row_handler=keep),
            convert_options=reader.ConvertOptions(
                include_columns=needed,
                column_types=dict.fromkeys(needed, arrow.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (arrow.ArrowInvalid, OSError) as error:
        if "Empty CSV" in str(error):  # nothing after the header
            return {name: arrow.array([], arrow.string()) for name in needed}
        raise RecordingError(f"{path}: not a readable table ({error})") from None
    lines = table.num_rows + len(broken) + 1
    for row in broken:
        if row.number != lines or row.actual_columns > row.expected_columns:
            raise RecordingError(
                f"{path}, line {row.number}: {row.actual_columns} cells where the header has "
                f"{row.expected_columns}: {row.text[:60]!r}"
            )
        notes.append(f"{path.name}: the last line is cut off and was left out")
    return {name: table[name].combine_chunks() for name in needed}


def _header(path: Path) -> list[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            first = file.readline()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: not a readable table ({error})") from None
    if not first.strip():
        raise RecordingError(f"{path}: an empty file")
    return [name.strip() for name in next(csv.reader([first]))]


def _unique(header: Sequence[str]) -> list[str]:
    """Names that differ, for a parser that needs them; repeated ones are not used."""
    return [name if header.index(name) == k else f"{name}#{k}" for k, name in enumerate(header)]


def _ids(path: Path, column: Any) -> tuple[list[str], NDArray[np.int64]]:
    """The users of a file, and the index of each row's (n,)."""
    codes = column.dictionary_encode()
    names = [str(name).strip() for name in codes.dictionary.to_pylist()]
    for name in [""] * (codes.null_count > 0) + names:
        if not re.fullmatch(r"\w[\w-]*", name):
            why = (
                "; a spreadsheet has rounded it, export the file again" if "E+" in name else ""
            )
            raise RecordingError(f"{path}: {name[:40]!r} where an Id belongs{why}")
    return names, np.asarray(codes.indices.to_numpy(), np.int64)


def _seconds(kind: Kind, path: Path, column: Any) -> NDArray[np.int64]:
    compute = require("pyarrow.compute", "readers", "reading a Fitabase export")
    parsed = compute.extract_regex(column, _TIME)
    bad = parsed.is_null().to_numpy(zero_copy_only=False)
    if bad.any():
        raise _wrong(path, kind.time, column, bad, "a time such as 4/13/2016 12:00:00 AM")
    fields = dict(zip((x.name for x in parsed.type), parsed.flatten(), strict=True))
    month, day, year, hour, minute, second = (
        _integers(compute, fields[name])
        for name in ("month", "day", "year", "hour", "minute", "second")
    )
    half = fields["half"]
    twelve = compute.not_equal(half, "").to_numpy(zero_copy_only=False)
    bad = twelve & ((hour < 1) | (hour > 12)) | (hour > 23) | (minute > 59) | (second > 59)
    after = compute.equal(compute.utf8_upper(half), "P").to_numpy(zero_copy_only=False)
    hour = np.where(twelve, hour % 12, hour) + 12 * after
    # A date that the calendar lacks, such as 2/30, does not come back as it went in.
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    bad |= (month < 1) | (month > 12) | (day < 1) | (days.astype("datetime64[M]") != months)
    if bad.any():
        raise _wrong(path, kind.time, column, bad, "a time of month/day/year")
    seconds = 86_400 * days.astype(np.int64) + 3600 * hour + 60 * minute + second
    if (bad := seconds % kind.period != 0).any():
        whole = {3600: "a full hour", 86_400: "a date"}[kind.period]
        raise _wrong(path, kind.time, column, bad, whole)
    return np.asarray(seconds, np.int64)


def _integers(compute: Any, column: Any) -> NDArray[np.int64]:
    """Digits as numbers; what is not written is 0."""
    written = compute.if_else(compute.equal(column, ""), "0", column)
    return np.asarray(compute.cast(written, "int64").to_numpy(), np.int64)


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    compute = require("pyarrow.compute", "readers", "reading a Fitabase export")
    number = r"^\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*$"
    fits = compute.match_substring_regex(column, number).fill_null(True)
    if (bad := ~fits.to_numpy(zero_copy_only=False)).any():
        raise _wrong(path, name, column, bad, "a number")
    plain = compute.cast(compute.utf8_trim_whitespace(column), "float64")
    return np.array(plain.to_numpy(zero_copy_only=False), np.float64)


def _wrong(
    path: Path, name: str, column: Any, bad: NDArray[np.bool_], what: str
) -> RecordingError:
    row = int(bad.argmax())
    cell = str(column[row].as_py() or "")
    return RecordingError(f"{path}, line {row + 2}, {name}: {cell[:60]!r} where {what} belongs")
