"""Evidence in; how right each method is, what a lost sensor costs, what a sensor is worth.

Every subject counts the same, and intervals are of 2000 draws of subjects, the same draws
for all that is compared on the same cases. S sensors, P subjects, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets
from onwrist_export.judging.patterns import Asked, asked
from onwrist_export.judging.subsets import (
    by_number_lost,
    drops,
    members,
    relative_loss,
    shapley,
    without,
)
from onwrist_export.judging.weighting import (
    Array,
    Estimate,
    Sampled,
    accuracy,
    answer_tables,
    balanced_accuracy,
    estimate,
    estimates,
    even_weights,
    macro_f1,
    resampled,
)

ZERO_FILLED, TREES = "zero-filled", "boosted trees"


@dataclass(frozen=True)
class Score:
    """One method in one condition, on all cases that it was asked there."""

    method: str
    condition: str
    cases: int
    people: int
    accuracy: Estimate
    macro_f1: Estimate
    balanced: Estimate


@dataclass(frozen=True)
class Degradation:
    """Macro-F1 of one method on cases with every sensor, as sensors are taken away.

    Attributes
    ----------
    mean, worst : over the sets with 0, 1, ... S - 1 sensors lost.
    costs : by sensor, 1 - macro-F1 without it / macro-F1 with all.
    dearest : the largest of the costs.
    against_best : by sensor, the same against the best fusion's macro-F1 with all.
    """

    method: str
    mean: list[Estimate]
    worst: list[Estimate]
    costs: dict[str, Estimate]
    dearest: Estimate
    mean_cost: Estimate
    against_best: dict[str, Estimate]


@dataclass(frozen=True)
class Margin:
    """By how much more a lost sensor costs `other` than `method`, each of its own macro-F1."""

    method: str
    other: str
    by_sensor: dict[str, Estimate]
    mean: Estimate


@dataclass(frozen=True)
class Difference:
    """Macro-F1 of `method` less that of `other`, mean over sets with so many sensors lost."""

    method: str
    other: str
    by_lost: list[Estimate]


@dataclass(frozen=True)
class Importance:
    """What each sensor is worth to one method, in macro-F1.

    Attributes
    ----------
    none, every : macro-F1 without any sensor (the others' most frequent label) and with all.
    drop : lost when only this one is taken away.
    shapley : its part of `every` less `none`.
    """

    method: str
    none: float
    every: float
    drop: dict[str, Estimate]
    shapley: dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class Sets:
    """Macro-F1 (2**S,) of each method for every set of sensors, on cases that have all."""

    cases: int
    people: int
    by_method: dict[str, Sampled]


def score(evidence: Evidence, method: str, condition: str, task: str) -> Score | None:
    """None where the method was not asked in that condition."""
    if task not in evidence.logits[method].get(condition, {}):
        return None
    cases = asked(evidence, method, condition, task)
    if not len(cases.where):
        return None
    sampled = resampled(_table(cases, cases.answers, len(evidence.labels[task])))
    return Score(
        method,
        condition,
        len(cases.where),
        len(np.unique(cases.subjects)),
        estimate(sampled.map(accuracy)),
        estimate(sampled.map(macro_f1)),
        estimate(sampled.map(balanced_accuracy)),
    )


def scores(evidence: Evidence, task: str) -> list[Score]:
    """Every method in every condition that it was asked in."""
    conditions = (AS_RECORDED, *map(named, subsets(evidence.sensors)), *PARTIAL)
    every = (score(evidence, m, c, task) for m in evidence.logits for c in conditions)
    return [each for each in every if each is not None]


def sets(evidence: Evidence, task: str) -> Sets:
    """Of the methods that were asked with every subset; like is compared with like."""
    full = evidence.available.all(axis=1)
    names = [
        named([evidence.sensors[k] for k in members(n, len(evidence.sensors))])
        for n in range(1, 2 ** len(evidence.sensors))
    ]
    labels = len(evidence.labels[task])
    found: dict[str, Sampled] = {}
    for method, conditions in evidence.logits.items():
        if not all(task in conditions.get(name, {}) for name in names):
            continue
        each = [asked(evidence, method, name, task) for name in names]
        each = [cases.among(full[cases.where]) for cases in each]
        tables = [_table(each[0], _most_frequent(each[0], labels), labels)]
        tables += [_table(cases, cases.answers, labels) for cases in each]
        found[method] = resampled(np.stack(tables, axis=1)).map(macro_f1)
    return Sets(int(full.sum()), len(np.unique(evidence.subjects[full])), found)


def best_fusion(found: Sets) -> str:
    """The method with the highest macro-F1 with all sensors; none that is there to compare."""
    fusions = [m for m in found.by_method if ZERO_FILLED not in m and m != TREES]
    return max(fusions, key=lambda method: float(found.by_method[method].value[-1]))


def twins(method: str, methods: Sequence[str]) -> list[str]:
    """The zero-filled methods of the same kind of fusion; all, if there is none."""
    zeroed = [m for m in methods if ZERO_FILLED in m]
    kind = method.partition(",")[0]
    same = [m for m in zeroed if kind.endswith(m.partition(",")[0])]
    return [] if method in zeroed else same or zeroed


def degradation(found: Sets, method: str, best: str, sensors: tuple[str, ...]) -> Degradation:
    """What losing sensors costs `method`."""
    values = found.by_method[method]
    lost = [without(k, len(sensors)) for k in range(len(sensors))]
    costs = values.map(lambda v: relative_loss(v)[..., lost])
    top = found.by_method[best]
    against = Sampled(
        1 - values.value[lost] / top.value[-1], 1 - values.draws[:, lost] / top.draws[:, -1:]
    )
    return Degradation(
        method,
        estimates(values.map(lambda v: by_number_lost(v)[0])),
        estimates(values.map(lambda v: by_number_lost(v)[1])),
        dict(zip(sensors, estimates(costs), strict=True)),
        estimate(costs.map(lambda c: c.max(axis=-1))),
        estimate(costs.map(lambda c: c.mean(axis=-1))),
        dict(zip(sensors, estimates(against), strict=True)),
    )


def margin(found: Sets, method: str, other: str, sensors: tuple[str, ...]) -> Margin:
    """Positive where `method` loses less."""
    lost = [without(k, len(sensors)) for k in range(len(sensors))]
    ours, theirs = (
        found.by_method[m].map(lambda v: relative_loss(v)[..., lost]) for m in (method, other)
    )
    more = Sampled(theirs.value - ours.value, theirs.draws - ours.draws)
    return Margin(
        method,
        other,
        dict(zip(sensors, estimates(more), strict=True)),
        estimate(more.map(lambda x: x.mean(axis=-1))),
    )


def difference(found: Sets, method: str, other: str) -> Difference:
    """On the same cases and draws of subjects."""
    ours, theirs = (
        found.by_method[m].map(lambda v: by_number_lost(v)[0]) for m in (method, other)
    )
    less = Sampled(ours.value - theirs.value, ours.draws - theirs.draws)
    return Difference(method, other, estimates(less))


def importance(found: Sets, method: str, sensors: tuple[str, ...]) -> Importance:
    """Drops and exact Shapley values."""
    values = found.by_method[method]
    return Importance(
        method,
        float(values.value[0]),
        float(values.value[-1]),
        dict(zip(sensors, estimates(values.map(drops)), strict=True)),
        dict(zip(sensors, estimates(values.map(shapley)), strict=True)),
    )


def attention(evidence: Evidence, method: str) -> Array:
    """Mean weights (S, S) of cases with every sensor; every subject counts the same."""
    weights = evidence.weights[method]
    there = np.isfinite(weights).all(axis=(1, 2)) & evidence.available.all(axis=1)
    each = even_weights(evidence.subjects[there])
    return np.asarray(np.einsum("w,wst->st", each, weights[there]))


def _table(cases: Asked, answers: NDArray[np.int64], labels: int) -> Array:
    return answer_tables(cases.truth, answers, cases.subjects, labels)


def _most_frequent(cases: Asked, labels: int) -> NDArray[np.int64]:
    """The label that most of the other subjects' cases have, by their weight."""
    answers = np.zeros(len(cases.where), np.int64)
    for subject in np.unique(cases.subjects):
        own = cases.subjects == subject
        others = cases.among(~own)
        if len(others.where):
            answers[own] = np.bincount(others.truth, others.weights, labels).argmax()
    return answers
