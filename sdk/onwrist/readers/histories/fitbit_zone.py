"""What a Fitbit export says about time zones in, local time of its stamps out.

Stamps of CSV files are UTC ("...Z"). Those of JSON files name no zone: as parsers of real
exports report, they are UTC too, while each file of heart rate holds one local day. So the
name of such a file bounds how far local time was ahead of its stamps, and that decides.
"""

from __future__ import annotations

import csv
import io
import math
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from onwrist.readers.histories.local_zones import QUARTER, ahead, named

_DAY = 86_400  # seconds
_WEST, _EAST = -12 * 4, 14 * 4  # quarters of an hour
_UNKNOWN = (
    "the export does not say its time zone: days are those of UTC; give how far local time "
    "is ahead of it with --utc-offset HOURS"
)

_Times = NDArray[np.float64]
_Offsets = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Clock:
    """How stamps become Unix time and local time.

    Attributes
    ----------
    note : what was assumed, in words.
    zone : of the account; None if not known.
    wall : whether stamps of JSON files are local time and not UTC.
    changes : where `zone` is None, (UTC seconds, offset) from which on an offset holds.
    """

    note: str
    zone: zoneinfo.ZoneInfo | None = None
    wall: bool = False
    changes: tuple[tuple[float, int], ...] = ()

    def ahead(self, times: _Times) -> _Offsets:
        """Seconds by which local time is ahead at Unix times."""
        if self.zone is None:
            if not self.changes:
                return np.zeros(len(times), np.int32)
            since, offsets = np.array(self.changes).T
            place = np.clip(since.searchsorted(times, "right") - 1, 0, None)
            return np.asarray(offsets[place], np.int32)
        return ahead(times, self.zone)

    def stamped(self, times: _Times) -> tuple[_Times, _Offsets]:
        """Unix times and offsets of stamps of JSON files."""
        if not self.wall:
            return times, self.ahead(times)
        if self.zone is None:
            return times, np.zeros(len(times), np.int32)
        # Local time is ahead by the zone's offset at that time, of which it is ahead by that.
        offsets = self.ahead(times - self.ahead(times))
        return times - offsets, offsets


def clock_of(profile: str | None, days: Sequence[tuple[str, _Times]]) -> Clock:
    """The clock of an export.

    Parameters
    ----------
    profile : text of Profile.csv, whose "timezone" is such as America/Los_Angeles.
    days : the date in the name of each daily heart-rate JSON file, and its stamps.
    """
    bounds = [bound for date, times in days if (bound := _bounds(date, times))]
    zone = _zone(profile)
    if zone is not None:
        right = sum(
            low <= int(ahead(np.array([at]), zone)[0]) < high for at, low, high in bounds
        )
        local = sum(low <= 0 < high for _, low, high in bounds)
        if local > right:
            return Clock(
                f"times of JSON files are taken as local time of {zone.key}: their days are",
                zone,
                wall=True,
            )
        return Clock(f"times are UTC, days those of {zone.key}, the account's zone", zone)
    changes = _changes(bounds)
    if not changes:
        return Clock(_UNKNOWN)
    shown = ", ".join(sorted({f"{offset / 3600:+g} h" for _, offset in changes}))
    return Clock(f"local time is ahead of UTC by {shown}: files of heart rate are local days",
                 changes=changes)  # fmt: skip


def _bounds(date: str, times: _Times) -> tuple[np.float64, float, float] | None:
    """A stamp, and how far ahead local time is at least and less than, if this is a day."""
    try:
        midnight = datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    low, high = midnight - times.min(), midnight + _DAY - times.max()
    if not (low < high and high > _WEST * QUARTER and low <= _EAST * QUARTER):
        return None
    return times.min(), float(low), float(high)


def _changes(
    bounds: Sequence[tuple[np.float64, float, float]],
) -> tuple[tuple[float, int], ...]:
    """From when on which offset holds; nothing if the files leave several possible."""
    runs: list[tuple[float, set[int]]] = []
    for at, low, high in sorted(bounds):
        here = {
            k * QUARTER
            for k in range(max(_WEST, math.ceil(low / QUARTER)), _EAST + 1)
            if k * QUARTER < high
        }
        if not here:
            continue
        if runs and runs[-1][1] & here:
            runs[-1] = runs[-1][0], runs[-1][1] & here
        else:
            runs.append((float(at), here))
    if not runs or any(len(possible) > 1 for _, possible in runs):
        return ()
    return tuple((at, possible.pop()) for at, possible in runs)


def _zone(profile: str | None) -> zoneinfo.ZoneInfo | None:
    try:
        rows = list(csv.DictReader(io.StringIO(profile))) if profile else []
    except csv.Error:
        return None
    name = (rows[0].get("timezone") or "").strip() if rows else ""
    return named(name)
