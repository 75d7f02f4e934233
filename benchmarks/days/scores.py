"""Answers in, one absolute error a gap out; kept in files, so that nothing is fitted twice.

A gap's error is the mean over its true minutes. A file belongs to the gaps that it was made
from and to what made it: their digest stands in it, and a file with another one is ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.files import written_beside
from onwrist.readers.fitbit_grid import Person

from .tasks import Gap, Setting, truth

Errors = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Errors of several contestants on the same gaps.

    Attributes
    ----------
    minutes : (gaps,) how many true minutes each gap has.
    errors : (gaps,) of each contestant, bpm; NaN where it has no answer.
    """

    setting: Setting
    gaps: tuple[Gap, ...]
    minutes: NDArray[np.int64]
    errors: dict[str, Errors]

    @classmethod
    def of(cls, people: Mapping[str, Person], setting: Setting, gaps: Sequence[Gap]) -> Scores:
        """Nobody's errors yet."""
        minutes = [len(truth(people[gap.subject], gap)[0]) for gap in gaps]
        return cls(setting, tuple(gaps), np.array(minutes), {})

    def merged(self, errors: dict[str, Errors]) -> Scores:
        """With the errors of more contestants."""
        return Scores(self.setting, self.gaps, self.minutes, self.errors | errors)


def digest(gaps: Sequence[Gap], *parts: object) -> str:
    """Changes with any gap, and with any of the other things that a file depends on."""
    text = json.dumps([[(g.subject, g.start, g.spans) for g in gaps], *map(str, parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(path: Path, identity: str, errors: dict[str, Errors]) -> None:
    """Write the errors of some contestants; NaN becomes null."""
    rows = {
        name: [None if np.isnan(e) else round(float(e), 5) for e in each]
        for name, each in errors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as part:
        part.write_text(json.dumps({"digest": identity, "errors": rows}))


def load(path: Path, identity: str) -> dict[str, Errors] | None:
    """The errors in a file, None if there is none of this identity."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    if found["digest"] != identity:
        return None
    return {
        name: np.array([np.nan if e is None else e for e in each])
        for name, each in found["errors"].items()
    }
