"""A Fitbit account's export from Google Takeout, a folder or zip, in; records out.

Read are "Physical Activity_GoogleData" (heart_rate_*.csv, steps_*.csv, activity_level_*.csv:
timestamp, number or level, data source) and, for what is older or not there, "Global Export
Data" (heart_rate-YYYY-MM-DD.json, steps-*.json). `fitbit_zone` says what becomes of times.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist.readers import progress
from onwrist.readers.archives import Member
from onwrist.readers.histories.fitbit_zone import Clock, clock_of
from onwrist.readers.histories.records import Gathered
from onwrist_runtime.errors import RecordingError

NAME = "a Fitbit account's export (Google Takeout, folder or .zip)"

_FILE = re.compile(
    r"(?P<what>heart_rate|steps|activity_level)(?P<how>[-_])(?P<date>\d{4}-\d\d-\d\d)"
    r"\.(?P<form>json|csv)"
)
_AMERICAN = re.compile(r"(\d\d/\d\d/\d\d) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")
_LARGEST = 1 << 28  # bytes of one file; a month of steps or a day of heart rate has some MB
_SOURCE = "Fitbit"  # of the JSON files, which do not say which device
_LEVELS = {"SEDENTARY": 0, "LIGHTLY_ACTIVE": 1, "MODERATELY_ACTIVE": 2, "VERY_ACTIVE": 3}
_COLUMNS = {"heart_rate": "beats per minute", "steps": "steps", "activity_level": "level"}
# What apps put into the account, and the export tells of once more.
_MIRRORS = (" health connect", " health kit")

_Rows = list[tuple[float, float]]


class _Pulse(msgspec.Struct):
    bpm: float
    confidence: float = 1  # 0 to 3; 0 where no pulse was found, with some bpm beside it


class _Beat(msgspec.Struct):
    date_time: str = msgspec.field(name="dateTime")
    value: _Pulse


class _Step(msgspec.Struct):
    date_time: str = msgspec.field(name="dateTime")
    value: str | float


_JSON: dict[str, msgspec.json.Decoder[Any]] = {
    "heart_rate": msgspec.json.Decoder(list[_Beat]),
    "steps": msgspec.json.Decoder(list[_Step]),
}


def files(path: Path, members: Sequence[Member]) -> list[Member]:
    """The files of an export, and the profile that says the account's time zone."""
    found = [x for x in members if (kind := _kind(x)) and kind[1] in ("json", "csv")]
    if not found or (found[0].is_at(path) and not _is_ours(found[0])):
        return []
    return found + [x for x in members if x.name.endswith("Your Profile/Profile.csv")][:1]


def gather(path: Path, found: Sequence[Member]) -> Gathered:
    """Records of an export.

    Raises
    ------
    RecordingError
        A file that is cut, damaged or of other columns; its name and line are said.
    """
    gathered = Gathered()
    read = progress.Steps(len(found))
    by_kind: dict[tuple[str, str], list[Member]] = {}
    profile = None
    for member in found:
        if kind := _kind(member):
            by_kind.setdefault(kind, []).append(member)
        else:
            profile = member.read(1 << 20).decode("utf-8", "replace")
    for what in ("heart_rate", "steps"):
        _leave_out_twins(what, by_kind, gathered)
    days = [
        (_date(x), _from_json(x, "heart_rate", gathered))
        for x in read.each(by_kind.get(("heart_rate", "json"), []))
    ]
    steps = [
        _from_json(x, "steps", gathered) for x in read.each(by_kind.get(("steps", "json"), []))
    ]
    clock = clock_of(profile, [(date, rows[0]) for date, rows in days if len(rows[0])])
    gathered.notes.append(clock.note)
    for _, (times, values) in days:
        gathered.beats(_SOURCE, *clock.stamped(times), values)
    for times, values in steps:
        start, offset = clock.stamped(times)
        gathered.counts(_SOURCE, start, start + 60, offset, values)
    for what in _COLUMNS:
        for member in read.each(by_kind.get((what, "csv"), [])):
            _from_csv(member, what, clock, gathered)
    return gathered


def _leave_out_twins(
    what: str, by_kind: dict[tuple[str, str], list[Member]], gathered: Gathered
) -> None:
    """Of JSON files keep those from before the first CSV file, where there are any."""
    tables = by_kind.get((what, "csv"))
    if not tables:
        return
    first = min(map(_date, tables))
    every = by_kind.pop((what, "json"), [])
    older = by_kind[what, "json"] = [x for x in every if _date(x) < first]
    if twins := len(every) - len(older):
        gathered.notes.append(
            f"{twins} files {what}-*.json were left out: {what}_*.csv has the same"
        )


def _date(member: Member) -> str:
    match = _FILE.fullmatch(member.file)
    assert match is not None  # it was found by that
    return match["date"]


def _kind(member: Member) -> tuple[str, str] | None:
    match = _FILE.fullmatch(member.file)
    if match is None or (match["how"] == "-") != (match["form"] == "json"):
        return None
    return match["what"], match["form"]


def _is_ours(member: Member) -> bool:
    """Whether a single file is Fitbit's, and not a table that is called alike."""
    head = member.head(4096)
    kind = _kind(member)
    if kind is None or kind[1] == "json":
        return b'"dateTime"' in head
    return head.startswith(b"timestamp,") and _COLUMNS[kind[0]].encode() in head


def _from_json(
    member: Member, what: str, gathered: Gathered
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times, as they stand and counted as if they were UTC, and values."""
    try:
        rows = _JSON[what].decode(member.read(_LARGEST))
        if what == "heart_rate" and (unsure := sum(not x.value.confidence for x in rows)):
            gathered.left_out["heart rates of confidence 0 in JSON files"] += unsure
            rows = [x for x in rows if x.value.confidence]
        times = [_american(row.date_time) for row in rows]
        values = [float(x.value.bpm if what == "heart_rate" else x.value) for x in rows]
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordingError(
            f"{member.where}: not a {what} file of Fitbit, or a cut one ({error})"
        ) from None
    return np.array(times, np.float64), np.array(values, np.float64)


def _american(text: str) -> float:
    """Seconds of "05/01/24 07:00:07"."""
    match = _AMERICAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} where a time such as 05/01/24 07:00:07 belongs")
    date, hour, minute, second = match.groups()
    return _midnight(date) + 3600 * int(hour) + 60 * int(minute) + int(second)


@lru_cache(maxsize=1000)
def _midnight(date: str) -> float:
    return datetime.strptime(date, "%m/%d/%y").replace(tzinfo=UTC).timestamp()


def _from_csv(member: Member, what: str, clock: Clock, gathered: Gathered) -> None:
    try:
        text = member.read(_LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordingError(f"{member.where}: not text ({error.reason})") from None
    if not text.strip() or text.strip() == "no data":  # so says an account without any
        return
    lines = _rows(member, text)
    header = [name.strip() for name in next(lines)]
    column = _COLUMNS[what]
    if absent := [x for x in ("timestamp", column) if x not in header]:
        raise RecordingError(
            f"{member.where}: no column {', '.join(absent)} among {', '.join(header[:6])}"
        )
    time, value = header.index("timestamp"), header.index(column)
    source = header.index("data source") if "data source" in header else None
    found: dict[str, _Rows] = {}
    for number, row in enumerate(lines, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise RecordingError(
                f"{member.where}, line {number:,}: {len(row)} cells where the header has "
                f"{len(header)}; a cut file? export it again"
            )
        name = row[source].strip() if source is not None else _SOURCE
        if name.lower().endswith(_MIRRORS):
            gathered.left_out[f"rows of {what}_*.csv that another app wrote"] += 1
        elif row[value].strip():
            try:
                pair = _iso(row[time]), _number(what, row[value].strip())
            except ValueError as error:
                raise RecordingError(f"{member.where}, line {number:,}: {error}") from None
            found.setdefault(name, []).append(pair)
    for name, rows in found.items():
        times, values = np.array(rows, np.float64).T
        offsets = clock.ahead(times)
        if what == "heart_rate":
            gathered.beats(name, times, offsets, values)
        elif what == "steps":
            gathered.counts(name, times, times + 60, offsets, values)
        else:
            gathered.levels(name, times, offsets, values)


def _rows(member: Member, text: str) -> Iterator[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        yield from lines
    except csv.Error as error:
        raise RecordingError(f"{member.where}, line {lines.line_num:,}: {error}") from None


def _iso(text: str) -> float:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} where a time belongs") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _number(what: str, text: str) -> float:
    try:
        return float(_LEVELS[text]) if what == "activity_level" else float(text)
    except (KeyError, ValueError):
        raise ValueError(f"{text[:40]!r} is no {_COLUMNS[what]}") from None
