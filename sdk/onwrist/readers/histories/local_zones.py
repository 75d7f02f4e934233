"""Names of time zones in, by how much local time is ahead of UTC out."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

QUARTER = 900  # seconds; zones change, and differ, by whole ones


def named(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of a name such as Europe/Berlin; None if there is none, or no data on it."""
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def ahead(times: NDArray[np.float64], zone: zoneinfo.ZoneInfo) -> NDArray[np.int32]:
    """Seconds by which local time is ahead of UTC at Unix times (n,)."""
    quarters, place = np.unique(np.floor(times / QUARTER), return_inverse=True)
    found = []
    for quarter in quarters.tolist():
        moment = datetime.fromtimestamp(quarter * QUARTER, UTC).astimezone(zone)
        offset = moment.utcoffset()
        found.append(0 if offset is None else int(offset.total_seconds()))
    return np.array(found, np.int32)[place.reshape(-1)]
