"""A person's own history in one of the exports that phones and watches make in, Recordings out.

One module a format: `apple_health`, `health_connect`, `fitbit_export`, `garmin_fit`. Which
one it is, is told from what is inside (HISTORY.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onwrist.readers.archives import Member, kept_open, members
from onwrist.readers.histories import (
    apple_health,
    fitbit_export,
    garmin_fit,
    health_connect,
    local_time,
)
from onwrist.readers.histories.records import Gathered
from onwrist.recording import Recording
from onwrist_runtime.errors import RecordingError

_FORMATS = (apple_health, health_connect, fitbit_export, garmin_fit)
NAMES = ", ".join(each.NAME for each in _FORMATS)


@dataclass(frozen=True, slots=True)
class History:
    """An export that was found.

    Attributes
    ----------
    path : what was given.
    files : those of it that are read.
    gather : reads them.
    """

    path: Path
    files: Sequence[Member]
    gather: Callable[[Path, Sequence[Member]], Gathered]

    def read(self, user: str | None = None) -> Recording:
        """The newest 366 days, or the calendar year `user`."""
        return local_time.choose(self.path, self._gathered(), user)

    def read_all(self) -> list[Recording]:
        """All of it, in calendar years if it is longer than 366 days."""
        return local_time.years(self.path, self._gathered())

    def _gathered(self) -> Gathered:
        with kept_open(self.path):
            return self.gather(self.path, self.files)


def find(path: Path) -> History | None:
    """The history at `path`; None if there is none.

    Raises
    ------
    RecordingError
        A zip that cannot be read, or exports of several kinds.
    """
    there = members(path)
    found = [
        (each, History(path, files, each.gather))
        for each in _FORMATS
        if (files := each.files(path, there))
    ]
    if len(found) > 1:
        names = "; ".join(each.NAME for each, _ in found)
        raise RecordingError(f"{path}: several exports: {names}; give one of them")
    return found[0][1] if found else None
