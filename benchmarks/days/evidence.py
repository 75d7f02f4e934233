"""Scores in, what the report says out: one record a question.

Four questions: heart rate in gaps, the ablation, targeted missingness, and the probe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist.readers.fitbit_grid import Person

from . import probe
from .contestants import Contestant, embeddings
from .folds import Fold
from .missingness import Removal
from .probe import Hour
from .scores import Scores
from .statistics import (
    LEAST_PEOPLE,
    LINE,
    Difference,
    Estimate,
    Sample,
    difference,
    enough_of,
    estimate,
    interval,
    means,
    resampled,
    sample_of,
    with_better_line,
)
from .tasks import Setting

Array = NDArray[np.float64]
AGAINST = (LINE, "ridge", "boosting")
PERSISTENCE, BY_HOUR, ON_ACTIVITY = "persistence", "hour of day", "ridge on activity"


@dataclass(frozen=True)
class Summary:
    """One setting: every contestant, and one of them against some others."""

    setting: Setting
    estimates: dict[str, Estimate]
    differences: dict[str, Difference]


@dataclass(frozen=True)
class Degradation:
    """How much worse something gets when something is taken away, as a share of the error.

    Attributes
    ----------
    error : mean over people of the absolute error with the removal.
    share, low, high : error / error without the removal - 1, with its 95 % interval. All
        are NaN where there is not enough data.
    people : how many they rest on.
    """

    removal: Removal
    error: float
    share: float
    low: float
    high: float
    people: int


@dataclass(frozen=True)
class ProbeResult:
    """Active minutes of the next hour by one method."""

    estimate: Estimate
    r2: float


@dataclass(frozen=True)
class Answers:
    """Hours of everybody, and the answers (hours,) of each method that never saw them."""

    hours: tuple[Hour, ...]
    answers: dict[str, Array]

    @property
    def truth(self) -> Array:
        """Active minutes of each hour."""
        return np.array([hour.active for hour in self.hours])

    def merged(self, method: str, answers: Array) -> Answers:
        """With the answers of one more method."""
        return Answers(self.hours, self.answers | {method: answers})

    def sample(self, *methods: str) -> Sample:
        """Absolute errors in minutes."""
        errors = [np.abs(self.answers[method] - self.truth) for method in methods]
        person = np.array([hour.subject for hour in self.hours], str)
        day = np.array([hour.day for hour in self.hours], np.int64)
        return Sample(np.stack(errors, axis=1), person, day)


def summarise(
    scores: Scores, contestant: str, against: Sequence[str], everybody: Sequence[str]
) -> Summary:
    """One setting; of the two interpolations only the better takes part."""
    fair = with_better_line(scores)
    estimates = {
        name: estimate(sample_of(fair, values), everybody)
        for name, values in fair.errors.items()
        if np.isfinite(values).any()
    }
    differences = {
        other: found
        for other in against
        if (found := difference(fair, contestant, other, everybody)) is not None
    }
    return Summary(scores.setting, estimates, differences)


def degradation(removal: Removal, sample: Sample) -> Degradation:
    """From errors (n, 2): without and with the removal, on the same things."""
    solid = enough_of(sample)
    people = len(solid.people)
    if people < LEAST_PEOPLE:
        return Degradation(removal, math.nan, math.nan, math.nan, math.nan, people)
    intact, removed = means(solid)
    draws = resampled(solid)
    low, high = interval(draws[:, 1] / draws[:, 0] - 1)
    share = float(removed / intact - 1)
    return Degradation(removal, float(removed), share, low, high, people)


def probe_baselines(
    people: Mapping[str, Person], folds: Sequence[Fold], hours: Mapping[str, Sequence[Hour]]
) -> Answers:
    """What one would say without a model, by people who are not asked about."""
    x, last = {}, {}
    for subject, own in hours.items():
        shown = probe.windows(people[subject], own)
        pairs = list(zip(shown, own, strict=True))
        x[subject] = np.stack([probe.activity_features(v, hour.clock) for v, hour in pairs])
        last[subject] = np.array([probe.persistence(v) for v in shown])
    everyone: list[Hour] = []
    found: dict[str, list[Array]] = {PERSISTENCE: [], BY_HOUR: [], ON_ACTIVITY: []}
    for fold in folds:
        taught = [hour for subject in fold.train for hour in hours[subject]]
        by_hour = _by_hour(taught)
        model = probe_of({subject: x[subject] for subject in fold.train}, hours)
        for subject in fold.test:
            everyone += hours[subject]
            found[PERSISTENCE].append(last[subject])
            found[BY_HOUR].append(by_hour[[hour.clock for hour in hours[subject]]])
            found[ON_ACTIVITY].append(within_hour(model.predict(x[subject])))
    return Answers(tuple(everyone), {name: np.concatenate(v) for name, v in found.items()})


def probe_of(x: Mapping[str, Array], hours: Mapping[str, Sequence[Hour]]) -> probe.Pipeline:
    """The ridge regression that these people's features or embeddings teach."""
    taught = [hour for subject in x for hour in hours[subject]]
    y = np.array([hour.active for hour in taught])
    return probe.ridge(np.concatenate(list(x.values())), y, [h.subject for h in taught])


def within_hour(minutes: Array) -> Array:
    """An hour has from 0 to 60 active minutes."""
    return np.clip(minutes, 0, probe.HOUR)


def _by_hour(hours: Sequence[Hour]) -> Array:
    clock = np.array([hour.clock for hour in hours])
    active = np.array([hour.active for hour in hours])
    return np.bincount(clock, active, 24) / np.maximum(np.bincount(clock, minlength=24), 1)


def probe_results(answers: Answers, everybody: Sequence[str]) -> dict[str, ProbeResult]:
    """Every method: absolute error in minutes, and R2 over all hours."""
    return {
        method: ProbeResult(
            estimate(answers.sample(method), everybody), probe.r2(each, answers.truth)
        )
        for method, each in answers.answers.items()
    }


def paired(scores: Scores, first: Array, second: Array) -> Sample:
    """Two errors (gaps,) of each of the gaps, as (n, 2)."""
    one, other = sample_of(scores, first), sample_of(scores, second)
    return Sample(np.hstack([one.values, other.values]), one.person, one.day)


def probe_answers(
    models: Sequence[Contestant],
    people: Mapping[str, Person],
    folds: Sequence[Fold],
    hours: Mapping[str, Sequence[Hour]],
    some: Mapping[str, Sequence[Hour]],
    removals: Sequence[Removal],
) -> tuple[Array, list[Degradation]]:
    """Answers to all hours, in the order of `probe_baselines`, and what removals cost.

    Parameters
    ----------
    models : of each fold.
    some : the hours that are asked for again with something removed.
    """
    whole: list[Array] = []
    again: list[Array] = []
    asked: list[Hour] = []
    for fold, model in zip(folds, models, strict=True):
        taught = {s: embeddings(model, people[s], hours[s]) for s in fold.train if hours[s]}
        ridge = probe_of(taught, hours)
        for subject in fold.test:
            person, mine = people[subject], some[subject]
            whole.append(within_hour(ridge.predict(embeddings(model, person, hours[subject]))))
            columns = [
                within_hour(ridge.predict(embeddings(model, person, mine, removal)))
                for removal in (None, *removals)
            ]
            again.append(np.stack(columns, axis=1))
            asked += mine
    truth = np.array([hour.active for hour in asked])
    errors = np.abs(np.concatenate(again) - truth[:, np.newaxis])
    person_of = np.array([hour.subject for hour in asked], str)
    day = np.array([hour.day for hour in asked], np.int64)
    return np.concatenate(whole), [
        degradation(removal, Sample(errors[:, [0, k]], person_of, day))
        for k, removal in enumerate(removals, start=1)
    ]
