"""Errors of gaps in; means over people, paired differences and their intervals out.

People are the independent unit, and within a person days: gaps of one day share much. The
bootstrap draws people with replacement and then, of each that was drawn, days; all
contestants see the same draws, so that differences are paired. With five or six people such
an interval is rather too narrow: how many of them agree in sign stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import Scores
from .tasks import LEAST_DAYS, LEAST_GAPS

Array = NDArray[np.float64]
RESAMPLES, SEED = 2000, 0
LEAST_PEOPLE = 3  # below, no mean over people
LINES = ("linear, plain", "linear, anchored")
LINE = "linear"


@dataclass(frozen=True)
class Sample:
    """Errors (n, k) of k contestants on n things, with the person and day of each."""

    values: Array
    person: NDArray[np.str_]
    day: NDArray[np.int64]

    @property
    def people(self) -> list[str]:
        """Who is in it, by number."""
        return sorted({str(p) for p in self.person}, key=int)

    def of(self, subject: str) -> Sample:
        """One person's part."""
        mine = self.person == subject
        return Sample(self.values[mine], self.person[mine], self.day[mine])

    def days(self) -> int:
        """Days, counted by person."""
        return len(set(zip(self.person.tolist(), self.day.tolist(), strict=True)))


@dataclass(frozen=True)
class Estimate:
    """A mean over people with its 95 % interval; the mean over all things beside it.

    Attributes
    ----------
    by_person : mean of each person, None where there is not enough data.
    people, days, things : what the mean over people rests on.
    """

    mean: float | None
    low: float | None
    high: float | None
    pooled: float | None
    by_person: dict[str, float | None]
    people: int
    days: int
    things: int


@dataclass(frozen=True)
class Difference:
    """Contestant minus another, bpm; `better` of `people` have the smaller error with it."""

    estimate: Estimate
    better: int


def enough_of(sample: Sample) -> Sample:
    """Only the people who have enough gaps and days to count."""
    kept = [
        subject
        for subject in sample.people
        if len((own := sample.of(subject)).values) >= LEAST_GAPS and own.days() >= LEAST_DAYS
    ]
    mine = np.isin(sample.person, kept)
    return Sample(sample.values[mine], sample.person[mine], sample.day[mine])


def means(sample: Sample) -> Array:
    """Mean over people of each person's mean, (k,)."""
    return np.mean([sample.of(s).values.mean(axis=0) for s in sample.people], axis=0)


def resampled(sample: Sample, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """That mean for people, and days within them, drawn with replacement: (resamples, k)."""
    draw = np.random.default_rng(seed)
    people = sample.people
    bank = np.stack(
        [_days_drawn(sample.of(s), resamples * len(people), draw) for s in people]
    ).reshape(len(people), resamples, len(people), -1)
    chosen = draw.integers(len(people), size=(resamples, len(people)))
    rows, slots = np.ogrid[:resamples, : len(people)]
    return bank[chosen, rows, slots].mean(axis=1)


def _days_drawn(own: Sample, times: int, draw: np.random.Generator) -> Array:
    """One person's mean over so many draws of days, (times, k)."""
    days, index = np.unique(own.day, return_inverse=True)
    total = np.zeros((len(days), own.values.shape[1]))
    np.add.at(total, index, own.values)
    weights = draw.multinomial(len(days), np.full(len(days), 1 / len(days)), size=times)
    return weights @ total / (weights @ np.bincount(index))[:, np.newaxis]


def interval(draws: Array) -> tuple[float, float]:
    """The middle 95 % of draws (resamples,)."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def estimate(sample: Sample, everybody: Sequence[str]) -> Estimate:
    """Of one contestant, `sample.values` (n, 1); `everybody` gets a row, None if not enough."""
    solid = enough_of(sample)
    by_person: dict[str, float | None] = dict.fromkeys(everybody)
    for subject in solid.people:
        by_person[subject] = float(solid.of(subject).values.mean())
    count = len(solid.people), solid.days(), len(solid.values)
    if len(solid.people) < LEAST_PEOPLE:
        return Estimate(None, None, None, None, by_person, *count)
    low, high = interval(resampled(solid)[:, 0])
    mean, pooled = float(means(solid)[0]), float(solid.values.mean())
    return Estimate(mean, low, high, pooled, by_person, *count)


def sample_of(scores: Scores, values: Array) -> Sample:
    """Values (gaps,) of the gaps of these scores that have one."""
    there = np.isfinite(values)
    person = np.array([gap.subject for gap in scores.gaps], str)
    day = np.array([gap.day for gap in scores.gaps], np.int64)
    return Sample(values[there, np.newaxis], person[there], day[there])


def difference(
    scores: Scores, contestant: str, against: str, everybody: Sequence[str]
) -> Difference | None:
    """Paired on every gap that both answered; None if one of them has no answer at all."""
    if contestant not in scores.errors or against not in scores.errors:
        return None
    values = scores.errors[contestant] - scores.errors[against]
    if not np.isfinite(values).any():
        return None
    found = estimate(sample_of(scores, values), everybody)
    return Difference(found, sum(d is not None and d < 0 for d in found.by_person.values()))


def with_better_line(scores: Scores) -> Scores:
    """The two interpolations as one, `linear`: the one with the less error in this setting.

    Chosen on the very gaps of the judgement, which favours the line.
    """
    found = {
        name: means(enough_of(sample_of(scores, scores.errors[name])))[0]
        for name in LINES
        if np.isfinite(scores.errors[name]).any()
    }
    errors = {name: each for name, each in scores.errors.items() if name not in LINES}
    if found:
        errors[LINE] = scores.errors[min(found, key=found.__getitem__)]
    return Scores(scores.setting, scores.gaps, scores.minutes, errors)
