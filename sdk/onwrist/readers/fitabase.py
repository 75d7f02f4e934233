"""A Fitabase export of Fitbit data, a folder of CSV files, in; a Recording a user out.

Files that are read, each may be absent, be there several times, be in gzip or lie in a
folder below: minuteStepsWide, minuteIntensitiesWide, heartrate_seconds, sleepDay,
dailyActivity. Steps and intensity are stamped at the beginning of their minute, heart rate
as it was sampled (about every 5 s), all in local seconds counted as if they were UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.plausible import LIMITS, Limits
from onwrist.readers import fitabase_tables as tables
from onwrist.readers.fitabase_tables import Kind, Rows
from onwrist.readers.zones import shift_between
from onwrist.recording import Label, Recording
from onwrist.wear import NOT_WORN, unworn
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import LONGEST, Signal

_HOUR, _DAY = 3600, 86_400  # seconds
_HEART_RATE = 0.2  # Hz


def _wide(name: str, prefix: str, limits: Limits) -> Kind:
    columns = tuple(f"{prefix}{minute:02}" for minute in range(60))
    return Kind(name, "ActivityHour", columns, _HOUR, limits)


_KINDS = {
    "steps": _wide("minuteStepsWide", "Steps", LIMITS["steps"]),
    "intensity": _wide("minuteIntensitiesWide", "Intensity", LIMITS["intensity"]),
    "heart_rate": Kind("heartrate_seconds", "Time", ("Value",), 1, LIMITS["heart_rate"]),
    "minutes_asleep": Kind(
        "sleepDay",
        "SleepDay",
        ("TotalMinutesAsleep",),
        _DAY,
        Limits(0.0, 1440.0, "minutes asleep"),
    ),
    "daily_steps": Kind(
        "dailyActivity",
        "ActivityDate",
        ("TotalSteps",),
        _DAY,
        Limits(0.0, 200_000.0, "steps a day"),
    ),
}
_SIGNALS = ("steps", "intensity", "heart_rate")
_LABELS = ("minutes_asleep", "daily_steps")


def is_fitabase_folder(path: Path) -> bool:
    """Whether a folder, or one right below it, holds a file of the export."""
    return path.is_dir() and bool(_files(path))


def read(path: Path, user: str | None = None) -> Recording:
    """The recording of one user.

    Raises
    ------
    InputError
        There are several users and `user` does not say which; a package is missing.
    RecordingError
        A file is damaged or contradicts itself or another, heart rate and steps are in two
        time zones, or the user has no minutes.
    """
    export = _read(path)
    if user is None and len(export.users) > 1:
        raise InputError(
            f"{path}: several users; choose one of {', '.join(export.users)} "
            "(--user ID, user= in Python)"
        )
    if user is not None and user not in export.users:
        raise InputError(f"{path}: no user {user}; there are {', '.join(export.users)}")
    return _recording(path, export, user or export.users[0])


def read_all(path: Path) -> list[Recording]:
    """A recording of each user with minutes or heart rate, by number."""
    export = _read(path)
    return [_recording(path, export, user) for user in export.users]


@dataclass(frozen=True, slots=True)
class _Export:
    """Rows by channel or task, and the users who have any signal."""

    rows: dict[str, Rows]
    users: tuple[str, ...]


def _files(folder: Path) -> dict[str, list[Path]]:
    """Files by channel or task."""
    found: dict[str, list[Path]] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        name = path.name.lower()
        if name.startswith(".") or not name.endswith((".csv", ".csv.gz")):
            continue
        for what, kind in _KINDS.items():
            if kind.name.lower() in name:
                found.setdefault(what, []).append(path)
    return found


def _read(path: Path) -> _Export:
    files = _files(path)
    rows = {what: tables.read(_KINDS[what], files[what]) for what in _KINDS if what in files}
    users = {user for what in _SIGNALS if what in rows for user in rows[what].users}
    if not users:
        raise RecordingError(f"{path}: no minutes and no heart rate of anybody in this export")
    return _Export(rows, tuple(sorted(users)))


def _recording(path: Path, export: _Export, user: str) -> Recording:
    notes = [note for rows in export.rows.values() for note in rows.notes]
    own = {what: _of(rows, user) for what, rows in export.rows.items()}
    own = {what: x for what, x in own.items() if len(x[0])}
    first, count = _days(f"{path}, user {user}", [own[x][0] for x in _SIGNALS if x in own])
    minutes = {
        what: _by_minute(what, own[what], first, count) for what in _SIGNALS if what in own
    }
    moves = minutes.get("steps", minutes.get("intensity"))
    if moves is not None and "heart_rate" in minutes:
        _check_zones(f"{path}, user {user}", moves, minutes["heart_rate"])
        off = unworn(moves, minutes["heart_rate"])
        taken = off & ~np.isnan(moves)
        for what in ("steps", "intensity"):
            if what in minutes:
                minutes[what][off] = np.nan
        if taken.any():
            notes.append(
                f"{taken.sum():,} minutes in runs of {NOT_WORN} or more without heart rate "
                "and steps count as not worn: their steps and intensity are not observed"
            )
    signals = _signals(own, minutes, first)
    if not signals:
        raise RecordingError(f"{path}: no minute of user {user} was observed")
    if moves is not None:
        notes += _short_days(own["steps" if "steps" in own else "intensity"][0])
    return Recording(user, user, signals, _labels(own), notes=tuple(notes))


def _of(rows: Rows, user: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times (n,) and values (n, columns) of one user."""
    if user not in rows.users:
        return rows.times[:0], rows.values[:0]
    mine = rows.owners == rows.users.index(user)
    return rows.times[mine], rows.values[mine]


def _days(where: str, times: list[NDArray[np.int64]]) -> tuple[int, int]:
    """First midnight in seconds, and how many days there are from it."""
    first = min(int(x[0]) for x in times) // _DAY
    last = max(int(x[-1]) for x in times) // _DAY
    if (last - first) * _DAY > LONGEST:
        raise RecordingError(
            f"{where}: from {tables.stamp(first * _DAY)[:10]} to "
            f"{tables.stamp(last * _DAY)[:10]} are more than the "
            f"{LONGEST / _DAY:.0f} days of a recording; export fewer"
        )
    return first * _DAY, last - first + 1


def _by_minute(
    what: str,
    rows: tuple[NDArray[np.int64], NDArray[np.float64]],
    first: int,
    days: int,
) -> NDArray[np.float32]:
    """The values on whole days of minutes from `first` on; of heart rate the mean."""
    times, values = rows
    size = days * 1440
    if what != "heart_rate":
        hours = np.full((days * 24, 60), np.nan, np.float32)
        hours[(times - first) // _HOUR] = values
        return hours.reshape(-1)
    real = ~np.isnan(values[:, 0])
    minute = (times[real] - first) // 60
    total = np.bincount(minute, values[real, 0], size)
    count = np.bincount(minute, minlength=size)
    mean = np.full(size, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.astype(np.float32)


def _check_zones(
    where: str, steps: NDArray[np.float32], heart_rate: NDArray[np.float32]
) -> None:
    found = shift_between(steps, heart_rate)
    if found is not None:
        shift, there, here = found
        raise RecordingError(
            f"{where}: heart rate and steps are in two time zones: heart rate moved by "
            f"{shift / 60:+g} h follows the steps (correlation {there:.2f}), as it stands it "
            f"does not ({here:.2f}); export both in local time"
        )


def _signals(
    own: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]],
    minutes: dict[str, NDArray[np.float32]],
    first: int,
) -> dict[str, Signal]:
    signals: dict[str, Signal] = {}
    for what in ("steps", "intensity"):
        if what in minutes and (real := ~np.isnan(minutes[what])).any():
            times = first + 60.0 * np.flatnonzero(real).astype(np.float64)
            signals[what] = Signal(minutes[what][real], times, 1 / 60)
    if "heart_rate" in own:
        stamps, values = own["heart_rate"]
        real = ~np.isnan(values[:, 0])
        if real.any():
            beats = values[real, 0].astype(np.float32)
            signals["heart_rate"] = Signal(beats, stamps[real].astype(np.float64), _HEART_RATE)
    return signals


def _labels(
    own: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> tuple[Label, ...]:
    """Totals of a day over that day; sleep belongs to the day on which it ended."""
    return tuple(
        Label(task, float(time), float(time + _DAY), float(value))
        for task in _LABELS
        if task in own
        for time, value in zip(own[task][0], own[task][1][:, 0], strict=True)
        if not np.isnan(value)
    )


def _short_days(times: NDArray[np.int64]) -> list[str]:
    """A note if days lack hours; days between that are wholly absent count as well."""
    hours = np.bincount((times - times[0] // _DAY * _DAY) // _DAY)
    short = int((hours < 24).sum())
    if not short:
        return []
    return [
        f"{short} of {len(hours)} days have fewer than 24 hours of minutes; the hours that "
        "are absent are not observed"
    ]
