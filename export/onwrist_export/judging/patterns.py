"""Temperatures and thresholds by which sensors are there, fitted without the subject at hand.

Evidence in; for every case a temperature that no label of its subject had a part in. W
cases, K labels, S sensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence, named, subsets
from onwrist_export.judging.selective import threshold
from onwrist_export.judging.trust import Trust, fit_temperature, judge, probabilities
from onwrist_export.judging.weighting import even_weights

Array = NDArray[np.float64]
AS_GIVEN, ONE, PER_PATTERN = "as given", "one temperature", "one per pattern"
SCHEMES = (AS_GIVEN, ONE, PER_PATTERN)


@dataclass(frozen=True, eq=False)
class Asked:
    """The cases that a method was asked in a condition, for one task.

    Attributes
    ----------
    where : (n,) which of the W cases of the evidence.
    pattern : (n,) the sensors each had, as a condition is named.
    """

    where: NDArray[np.int64]
    logits: NDArray[np.float32]
    truth: NDArray[np.int64]
    subjects: NDArray[np.str_]
    pattern: NDArray[np.str_]

    @property
    def weights(self) -> Array:
        """Of each case, so that every subject counts the same."""
        return even_weights(self.subjects)

    @property
    def answers(self) -> NDArray[np.int64]:
        """The label with the most weight."""
        return np.asarray(self.logits.argmax(axis=-1))

    def among(self, chosen: NDArray[np.bool_]) -> Asked:
        """Only these of them."""
        return Asked(
            self.where[chosen],
            self.logits[chosen],
            self.truth[chosen],
            self.subjects[chosen],
            self.pattern[chosen],
        )


def asked(evidence: Evidence, method: str, condition: str, task: str) -> Asked:
    """What `method` was asked; a subset is its own pattern, else it is what was recorded."""
    logits = evidence.logits[method][condition][task]
    where = np.flatnonzero(np.isfinite(logits).all(axis=-1))
    if condition in {named(x) for x in subsets(evidence.sensors)}:
        pattern = np.full(len(where), condition)
    else:
        pattern = np.array([_pattern(evidence, row) for row in evidence.available[where]], str)
    truth, subjects = evidence.truth[task][where], evidence.subjects[where]
    return Asked(where, logits[where], truth, subjects, pattern)


def _pattern(evidence: Evidence, available: NDArray[np.bool_]) -> str:
    return named([x for x, there in zip(evidence.sensors, available, strict=True) if there])


# By pattern, then by the subject whose labels had no part in it.
Temperatures = Mapping[str, Mapping[str, float]]


def temperatures(evidence: Evidence, method: str, task: str, scheme: str) -> Temperatures:
    """Fitted for every subject on the out-of-subject logits of all the others.

    "one temperature" is fitted on cases as they were recorded, as one would calibrate who
    does not think of sensors that die; "one per pattern" on all cases that have the
    pattern's sensors, asked with only these. A pattern with a single subject stays as given.
    """
    conditions = evidence.logits[method]
    everybody = np.unique(evidence.subjects)
    patterns = [named(x) for x in subsets(evidence.sensors)]
    if scheme == AS_GIVEN:
        return {pattern: dict.fromkeys(everybody.tolist(), 1.0) for pattern in patterns}
    if scheme == ONE:
        found = _left_out(asked(evidence, method, AS_RECORDED, task), everybody)
        return dict.fromkeys(patterns, found)
    return {
        pattern: _left_out(asked(evidence, method, pattern, task), everybody)
        for pattern in patterns
        if pattern in conditions
    }


def _left_out(cases: Asked, everybody: NDArray[np.str_]) -> dict[str, float]:
    found: dict[str, float] = {}
    here = set(cases.subjects.tolist())
    # Nobody is left out for a subject who has no case here.
    whole = _fit(cases) if here else 1.0
    for subject in everybody.tolist():
        others = cases.among(cases.subjects != subject) if subject in here else None
        found[subject] = whole if others is None else _fit(others)
    return found


def _fit(cases: Asked) -> float:
    if not len(cases.where):
        return 1.0
    return fit_temperature(cases.logits, cases.truth, cases.weights)


def of_cases(found: Temperatures, cases: Asked) -> Array:
    """The temperature of each case (n,); 1 for a pattern that has none."""
    pairs = zip(cases.pattern.tolist(), cases.subjects.tolist(), strict=True)
    return np.array([found[p][s] if p in found else 1.0 for p, s in pairs])


def trust(
    evidence: Evidence, method: str, condition: str, task: str, found: Temperatures
) -> Trust:
    """Calibration in one condition with these temperatures."""
    cases = asked(evidence, method, condition, task)
    heat = of_cases(found, cases)
    return judge(cases.logits, cases.truth, cases.subjects, cases.weights, heat)


def thresholds(cases: Asked, found: Temperatures, wanted: float) -> Array:
    """The confidence from which each case (n,) is answered, chosen on other subjects.

    For a subject's threshold the others' confidence comes from the temperature without
    that subject, the same one that its own cases get.
    """
    least = np.full(len(cases.where), np.nan)
    for subject in np.unique(cases.subjects):
        own = cases.subjects == subject
        others = cases.among(~own)
        if not len(others.where):
            continue
        names, which = np.unique(others.pattern, return_inverse=True)
        heat = np.array([found[p][subject] if p in found else 1.0 for p in names])[which]
        confidence = probabilities(others.logits, heat).max(axis=-1)
        right = others.answers == others.truth
        least[own] = threshold(confidence, right, others.weights, wanted)
    return least


@dataclass(frozen=True)
class Rule:
    """What a bundle stores for a pattern and task; `least` is infinite where it abstains."""

    temperature: float
    least: float


def rules(evidence: Evidence, method: str, task: str, wanted: float) -> dict[str, Rule]:
    """By pattern, fitted on the out-of-subject logits of everybody, for new people.

    What such rules reach is told by `thresholds`, which leaves each subject out.
    """
    found = {}
    for pattern in map(named, subsets(evidence.sensors)):
        cases = asked(evidence, method, pattern, task)
        if not len(cases.where):
            continue
        heat = _fit(cases)
        confidence = probabilities(cases.logits, heat).max(axis=-1)
        right = cases.answers == cases.truth
        found[pattern] = Rule(heat, threshold(confidence, right, cases.weights, wanted))
    return found


@dataclass(frozen=True)
class Rise:
    """How often confidence grew when one of `sensors` sensors was taken away.

    Attributes
    ----------
    pairs : cases times sensors taken away.
    share : of pairs whose confidence rose; every subject counts the same.
    wrong : of these, how many gave a wrong answer with the sensor gone.
    """

    sensors: int
    pairs: int
    share: float
    wrong: float


def rises(evidence: Evidence, method: str, task: str, found: Temperatures) -> list[Rise]:
    """For every number of sensors from which one is lost, the largest first."""
    count = len(evidence.subjects)
    confidence, wrong = {}, {}
    for subset in subsets(evidence.sensors):
        if named(subset) not in evidence.logits[method]:
            continue
        cases = asked(evidence, method, named(subset), task)
        said = probabilities(cases.logits, of_cases(found, cases)).max(axis=-1)
        confidence[subset], wrong[subset] = np.full((2, count), np.nan)
        confidence[subset][cases.where] = said
        wrong[subset][cases.where] = cases.answers != cases.truth
    rows = []
    for sensors in range(len(evidence.sensors), 1, -1):
        pairs = [
            (before, after)
            for before in confidence
            for after in confidence
            if len(before) == sensors and len(after) == sensors - 1 and {*after} < {*before}
        ]
        if not pairs:
            continue
        grown = np.stack([confidence[after] - confidence[before] for before, after in pairs])
        missed = np.stack([wrong[after] for _, after in pairs])
        there = np.isfinite(grown)
        subjects = np.broadcast_to(evidence.subjects, grown.shape)[there]
        if not len(subjects):
            continue
        weights = even_weights(subjects)
        # Equal confidence differs by what float32 rounds.
        rose = grown[there] > 1e-6
        share = float(weights @ rose)
        among = float(weights @ (rose * missed[there])) / share if share else float("nan")
        rows.append(Rise(sensors, len(subjects), share, among))
    return rows
