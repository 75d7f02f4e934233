"""Windows in, windows with something taken away on purpose out: twelve ways.

Each sensor and each quarter of the local day, all of it or half of its patches, chosen at
random: what a day looks like of a watch that was charged, or saved power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tasks import DAY, HEART, PATCH, SEED

SENSORS = {"activity": slice(0, HEART), "heart rate": slice(HEART, HEART + 1)}
QUARTER = 360  # minutes
QUARTERS = {f"{6 * k}-{6 * k + 6} h": k for k in range(4)}
STRENGTHS = {"half": 0.5, "all": 1.0}
# A degradation of this share is what the LSM-2 paper's figures stay below on average.
BOUND = 0.27


@dataclass(frozen=True)
class Removal:
    """What is taken away, and how much of it."""

    what: str
    strength: str

    @property
    def name(self) -> str:
        """For tables and files."""
        return f"{self.what}, {self.strength}"


def removals() -> tuple[Removal, ...]:
    """All twelve."""
    return tuple(Removal(w, s) for w in (*SENSORS, *QUARTERS) for s in STRENGTHS)


def remove(
    values: NDArray[np.float32], start: int, subject: str, removal: Removal
) -> NDArray[np.float32]:
    """A window (3, 1440) that begins at the person's minute `start`, with less in it.

    Which patches go is drawn from the subject, the window and the removal alone.
    """
    number = removals().index(removal)
    draw = np.random.default_rng([SEED, int(subject), start + DAY, number])
    patches = DAY // PATCH
    count = round(STRENGTHS[removal.strength] * patches)
    gone = np.zeros(patches, bool)
    gone[draw.permutation(patches)[:count]] = True
    minutes = np.repeat(gone, PATCH)
    channels = slice(None)
    if removal.what in SENSORS:
        channels = SENSORS[removal.what]
    else:
        quarter = (start + np.arange(DAY)) % DAY // QUARTER
        minutes &= quarter == QUARTERS[removal.what]
    less = values.copy()
    less[channels, minutes] = np.nan
    return less
