"""Health Connect's export, a zip with an SQLite database or that database, in; records out.

Android 14 and later write health_connect_export.db: steps_record_table has intervals,
heart_rate_record_table has series whose samples are in heart_rate_record_series_table. Times
are Unix milliseconds, offsets of local time are seconds. There is no public specification:
the names here are those of exports. The database is opened for reading only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from onwrist.readers.archives import Member, as_file
from onwrist.readers.histories.records import Gathered
from onwrist_runtime.errors import RecordingError

NAME = "a Health Connect export (.zip or .db)"

_MAGIC = b"SQLite format 3\0"
_LARGEST = 1 << 33  # bytes; an export of years has some 0.1 GB
_ROWS = 100_000  # at a time

_STEPS = ("steps_record_table", ("start_time", "end_time", "start_zone_offset", "count"))
_SERIES = ("heart_rate_record_table", ("row_id", "start_zone_offset"))
_BEATS = ("heart_rate_record_series_table", ("parent_key", "epoch_millis", "beats_per_minute"))
_APPS = ("application_info_table", ("row_id", "package_name"))


def files(path: Path, members: Sequence[Member]) -> list[Member]:
    """The database among files."""
    found = [x for x in members if x.file.lower().endswith(".db") and x.name.count("/") <= 2]
    if members and members[0].is_at(path):
        return found
    # There may be databases of other programs.
    return [
        x
        for x in found[:50]
        if (x.file.startswith("health_connect") or (x.archived and len(members) == 1))
        and x.head(len(_MAGIC)) == _MAGIC
    ]


def gather(path: Path, found: Sequence[Member]) -> Gathered:
    """Records of an export.

    Raises
    ------
    RecordingError
        No such database, other tables or columns, or one that is damaged.
    """
    if len(found) > 1:
        names = ", ".join(x.name for x in found[:3])
        raise RecordingError(f"{path}: several databases, {names}; give one of them")
    (member,) = found
    if member.head(len(_MAGIC)) != _MAGIC:
        raise RecordingError(f"{member.where}: not an SQLite database")
    with as_file(member, _LARGEST) as file:
        # immutable: SQLite neither locks the file nor writes anything beside it.
        address = f"file:{quote(str(file.resolve()))}?mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(address, uri=True)) as database:
                database.execute("PRAGMA trusted_schema = OFF")
                gathered = _read(member.where, database)
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise RecordingError(
                f"{member.where}: a database that cannot be read ({error}); export it again"
            ) from None
    beside = Path(f"{member.path}-wal")
    if not member.archived and beside.is_file() and beside.stat().st_size:
        gathered.notes.append(
            f"what {beside.name} holds was not read: it was not written into the database yet"
        )
    return gathered


def _read(where: str, database: sqlite3.Connection) -> Gathered:
    schema = {
        name: [str(row[1]) for row in database.execute(f'PRAGMA table_info("{name}")')]
        # Views are not looked at: they could compute without end.
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if '"' not in name
    }
    steps, beats = _STEPS[0] in schema, _BEATS[0] in schema
    if not (steps or beats):
        few = ", ".join(sorted(schema)[:6]) or "none"
        raise RecordingError(
            f"{where}: not a Health Connect export: neither {_STEPS[0]} nor {_BEATS[0]} "
            f"among its tables ({few})"
        )
    for table, columns in [_STEPS] * steps + [_SERIES, _BEATS] * beats:
        if absent := [x for x in columns if x not in schema.get(table, ())]:
            there = ", ".join(schema.get(table, ())) or "no such table"
            raise RecordingError(
                f"{where}: {table} lacks {', '.join(absent)}; it has: {there}. This version "
                "of Health Connect is not known here: please report it"
            )
    gathered = Gathered()
    apps = _apps(database, schema)
    if steps:
        app = "app_info_id" if "app_info_id" in schema[_STEPS[0]] else "NULL"
        query = f"SELECT start_time, end_time, start_zone_offset, count, {app} FROM {_STEPS[0]}"
        for rows in _blocks(where, _STEPS[0], database, query, gathered):
            for source, mine in _by_app(rows[4], apps):
                start, end, offset, count = rows[:4, mine]
                gathered.counts(source, start / 1000, end / 1000, offset, count)
    if beats:
        app = "r.app_info_id" if "app_info_id" in schema[_SERIES[0]] else "NULL"
        query = (
            f"SELECT s.epoch_millis, r.start_zone_offset, s.beats_per_minute, {app} "
            f"FROM {_BEATS[0]} s JOIN {_SERIES[0]} r ON s.parent_key = r.row_id"
        )
        for rows in _blocks(where, _BEATS[0], database, query, gathered):
            for source, mine in _by_app(rows[3], apps):
                time, offset, value = rows[:3, mine]
                gathered.beats(source, time / 1000, offset, value)
    return gathered


def _apps(database: sqlite3.Connection, schema: dict[str, list[str]]) -> dict[int, str]:
    """Names of apps by their number."""
    table, columns = _APPS
    if not set(columns) <= set(schema.get(table, ())):
        return {}
    found = database.execute(f"SELECT row_id, package_name FROM {table}")
    return {int(row): str(name) for row, name in found.fetchmany(10_000) if row is not None}


def _blocks(
    where: str, table: str, database: sqlite3.Connection, query: str, gathered: Gathered
) -> Iterator[NDArray[np.float64]]:
    """Rows as float64 (columns, rows); those without a time, offset or number are counted."""
    cursor = database.execute(query)
    lost = 0
    while rows := cursor.fetchmany(_ROWS):
        block = _numbers(where, table, rows)
        whole = np.isfinite(block[:-1]).all(axis=0) & (np.abs(block[:-1]) < 2**53).all(axis=0)
        lost += int((~whole).sum())
        yield block[:, whole]
    if lost:
        gathered.left_out[f"rows of {table} without all numbers"] = lost


def _numbers(where: str, table: str, rows: list[Any]) -> NDArray[np.float64]:
    for row in rows:
        for cell in row:
            if not (cell is None or isinstance(cell, int | float)):
                raise RecordingError(
                    f"{where}: {table}: {str(cell)[:40]!r} where a number belongs"
                )
    return np.array(rows, np.float64).T


def _by_app(
    ids: NDArray[np.float64], apps: dict[int, str]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for number in np.unique(ids[np.isfinite(ids)]):
        yield apps.get(int(number), f"app {int(number)}"), ids == number
    if (none := ~np.isfinite(ids)).any():
        yield "unknown app", none
