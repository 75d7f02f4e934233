"""Days in, active minutes of the next hour out: what an embedding knows beyond its day.

An active minute is one with an intensity above 0. Windows end at every full local hour whose
next hour was observed whole; everybody takes part, with heart rate or without. The probe is
a ridge regression on the embedding, learnt from the people of a fold's training set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from onwrist.readers.fitbit_grid import Person

from .tasks import DAY, INTENSITY, STEPS, window

HOUR = 60
COVERED = 0.5  # share of the window's activity that must be observed
LAGS = (5, 15, 30, 60, 120, 240, 480, 1440)
ALPHAS = tuple(10.0**k for k in range(-1, 6))
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hour:
    """A window that begins at the person's minute `start`, and the hour that follows it."""

    subject: str
    start: int
    active: float

    @property
    def day(self) -> int:
        """The day of the hour that is asked for."""
        return (self.start + DAY) // DAY

    @property
    def clock(self) -> int:
        """The local hour that is asked for."""
        return self.start % DAY // HOUR


def hours_of(person: Person) -> list[Hour]:
    """All of one person, by time."""
    intensity = person.values[INTENSITY]
    found = []
    for now in range(DAY, len(intensity) - HOUR + 1, HOUR):
        following, before = intensity[now : now + HOUR], intensity[now - DAY : now]
        if np.isfinite(following).all() and np.isfinite(before).mean() >= COVERED:
            found.append(Hour(person.subject, now - DAY, float((following > 0).sum())))
    return found


def persistence(values: NDArray[np.float32]) -> float:
    """Active minutes of the window's last hour, taken up to 60 where some are missing."""
    last = values[INTENSITY, -HOUR:]
    known = np.isfinite(last)
    return float((last[known] > 0).mean() * HOUR) if known.any() else 0.0


def activity_features(values: NDArray[np.float32], clock: int) -> Array:
    """Lagged activity of a window (3, 1440), its same hour a day ago, and the clock."""
    known = np.isfinite(values[INTENSITY])
    moving = np.where(known, values[INTENSITY] > 0, 0.0)
    steps = np.where(np.isfinite(values[STEPS]), np.log1p(values[STEPS]), 0.0)
    found = []
    for signal in (moving, steps):
        for lag in LAGS:
            found.append(signal[-lag:].sum() / max(known[-lag:].sum(), 1))
    found += [moving[:HOUR].mean(), moving[: 3 * HOUR].mean(), steps[:HOUR].mean()]
    angle = 2 * np.pi * clock / 24
    found += [wave(k * angle) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    return np.array(found)


def ridge(x: Array, y: Array, people: Sequence[str]) -> Pipeline:
    """A ridge regression whose penalty is chosen on people left out."""
    folds = list(GroupKFold(min(5, len(set(people)))).split(x, y, np.array(people)))
    search = RidgeCV(ALPHAS, cv=folds, scoring="neg_mean_squared_error")
    return make_pipeline(StandardScaler(), search).fit(x, y)


def windows(person: Person, asked: Sequence[Hour]) -> NDArray[np.float32]:
    """The windows (hours, 3, 1440) of one person, NaN where not observed."""
    empty = np.zeros((0, len(person.values), DAY), np.float32)
    return np.stack([window(person.values, hour.start) for hour in asked]) if asked else empty


def r2(answers: Array, truth: Array) -> float:
    """Share of the variance of all hours that the answers explain."""
    rest = ((answers - truth) ** 2).sum()
    return float(1 - rest / ((truth - truth.mean()) ** 2).sum())
