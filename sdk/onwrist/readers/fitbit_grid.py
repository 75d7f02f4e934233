"""The compact minute grid of the Fitbit data set (Furberg 2016) in, people by minute out.

`fitbit_minute_grid.npz` holds one row of 1440 local minutes a person-day: x (days, 1440,
5), user, date, hr_status and daily totals. Days that were not recorded have no row.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from onwrist.plausible import LIMITS
from onwrist.readers import npz
from onwrist.recording import Recording
from onwrist.wear import unworn
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import LONGEST, Signal

FILE = "fitbit_minute_grid.npz"
CHANNELS = ("steps", "intensity", "heart_rate")
DAY = 1440  # minutes

HeartRate = Literal["raw", "derived", "withheld", "none"]
_COLUMNS = ("steps", "intensity", "hr_mean_bpm")
# The grid's own words for where a person's heart rate comes from.
_STATUS: dict[str, HeartRate] = {
    "raw": "raw",
    "derived_minute": "derived",
    "exists_but_not_in_this_extract": "withheld",
    "no_hr_sensor": "none",
}


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """All days of one person, first to last.

    Attributes
    ----------
    subject : the person's number.
    heart_rate : "raw" (means of samples), "derived" (rounded minutes of a third party),
        "withheld" (there is one, but not in this copy: not a natural gap), "none".
    start : the first midnight, in local seconds counted as if they were UTC.
    values : float32 (3, 1440 * days), steps, intensity and heart rate (bpm) by minute; NaN
        where not observed, on days that are absent and while the device was not worn.
    not_worn : how many minutes of steps and intensity were taken out as not worn.
    implausible : how many numbers were taken out as outside of `LIMITS`.
    """

    subject: str
    heart_rate: HeartRate
    start: float
    values: NDArray[np.float32]
    not_worn: int = 0
    implausible: int = 0


def is_fitbit_grid(names: set[str]) -> bool:
    """Whether an .npz with arrays of these names is the minute grid."""
    return {"x", "channels", "user", "date", "hr_status"} <= names


def people(path: str | os.PathLike[str]) -> tuple[Person, ...]:
    """Everybody in the grid, by number; `path` is the .npz or the folder that holds it.

    Raises
    ------
    RecordingError
        Not the grid, or a shape, user, date or status that it cannot have.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    arrays = npz.arrays(path)
    if not is_fitbit_grid(set(arrays)):
        raise RecordingError(f"{path}: not the Fitbit minute grid: no x, user, date, ...")
    minutes, days = _minutes(path, arrays), _days(path, arrays)
    users, statuses = arrays["user"], arrays["hr_status"]
    rows = (len(minutes),)
    if not users.shape == days.shape == statuses.shape == rows or not len(minutes):
        raise RecordingError(f"{path}: x, user, date and hr_status are not of one length")
    if users.dtype.kind not in "iuU":
        raise RecordingError(f"{path}: user is {users.dtype}; it must be numbers or names")
    found = []
    for user in np.unique(users):
        rows = users == user
        status = np.unique(statuses[rows])
        if len(status) > 1 or str(status[0]) not in _STATUS:
            raise RecordingError(f"{path}: hr_status of {user} is {status.tolist()}")
        if len(np.unique(days[rows])) < rows.sum():
            raise RecordingError(f"{path}: a day of {user} is there twice")
        if 86_400 * np.ptp(days[rows]) > LONGEST:
            raise RecordingError(f"{path}: days of {user} are more than a year apart")
        kind = _STATUS[str(status[0])]
        found.append(_person(str(user), kind, days[rows], minutes[rows]))
    return tuple(found)


def read(path: Path, user: str | None = None) -> Recording:
    """The recording of one person.

    Raises
    ------
    InputError
        There are several and `user` does not say which.
    """
    there = {recording.subject: recording for recording in read_all(path)}
    if user not in there and (user is not None or len(there) > 1):
        asked = "several people" if user is None else f"no {user}"
        raise InputError(
            f"{path}: {asked}; choose one of {', '.join(map(str, there))} "
            "(--user ID, user= in Python)"
        )
    return there[user] if user is not None else next(iter(there.values()))


def read_all(path: Path) -> list[Recording]:
    """One recording a person who has any minute; each minute stamped at its beginning."""
    found = [person for person in people(path) if np.isfinite(person.values).any()]
    if not found:
        raise RecordingError(f"{path}: no minute of anybody")
    return [_recording(person) for person in found]


def _minutes(path: Path, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """steps, intensity and heart rate, (days, 3, 1440)."""
    x, names = arrays["x"], [str(name) for name in np.atleast_1d(arrays["channels"])]
    shape = (len(x), DAY, len(names))
    if x.shape != shape or x.dtype.kind != "f" or not set(_COLUMNS) <= set(names):
        raise RecordingError(
            f"{path}: x is {x.dtype} of shape {x.shape} with channels {names}; it must be "
            f"numbers of shape (days, {DAY}, channels) with {', '.join(_COLUMNS)}"
        )
    picked = x[:, :, [names.index(name) for name in _COLUMNS]]
    return np.ascontiguousarray(picked.transpose(0, 2, 1), np.float32)


def _days(path: Path, arrays: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Days since 1970-01-01."""
    try:
        dates = arrays["date"].astype("datetime64[D]")
    except ValueError as error:
        raise RecordingError(f"{path}: a date that is none ({error})") from None
    if np.isnat(dates).any():
        raise RecordingError(f"{path}: a date that is none")
    return cast("NDArray[np.int64]", dates.astype(np.int64))


def _person(
    subject: str, kind: HeartRate, days: NDArray[np.int64], minutes: NDArray[np.float32]
) -> Person:
    first = int(days.min())
    by_day = np.full((int(days.max()) - first + 1, 3, DAY), np.nan, np.float32)
    by_day[days - first] = minutes
    values = by_day.transpose(1, 0, 2).reshape(3, -1)
    outside = np.stack(
        [LIMITS[name].outside(row) for name, row in zip(CHANNELS, values, strict=True)]
    )
    values[outside] = np.nan
    count = 0
    if kind in ("raw", "derived"):
        off = unworn(values[0], values[2])
        count = int((off & np.isfinite(values[:2]).any(axis=0)).sum())
        values[:2, off] = np.nan
    return Person(subject, kind, 86_400.0 * first, values, count, int(outside.sum()))


def _recording(person: Person) -> Recording:
    signals = {}
    for channel, values in zip(CHANNELS, person.values, strict=True):
        real = np.flatnonzero(~np.isnan(values))
        if len(real):
            times = person.start + 60.0 * real.astype(np.float64)
            signals[channel] = Signal(values[real], times, 1 / 60)
    notes: tuple[str, ...] = ()
    if person.not_worn:
        notes = (
            f"{person.not_worn:,} minutes without heart rate and steps count as not worn: "
            "their steps and intensity of 0 are not observed",
        )
    if person.implausible:
        notes += (f"{person.implausible:,} numbers that are not plausible count as missing",)
    return Recording(person.subject, person.subject, signals, notes=notes)
