"""Evidence in; how far confidence can be trusted, and what abstaining buys.

All temperatures and thresholds are fitted without the subject that they are judged on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence, named, subsets
from onwrist_export.judging.patterns import (
    PER_PATTERN,
    SCHEMES,
    Asked,
    Rise,
    Temperatures,
    asked,
    of_cases,
    rises,
    temperatures,
    thresholds,
    trust,
)
from onwrist_export.judging.selective import Curve, Reached, best_area, curve, reached
from onwrist_export.judging.trust import ALLOWED, Bins, Trust, probabilities
from onwrist_export.judging.weighting import Array

WANTED = (0.05, 0.1, 0.2)  # share of wrong answers among those given


@dataclass(frozen=True)
class TrustRow:
    """Calibration of one method in one condition.

    Attributes
    ----------
    temperature : mean over subjects left out; of "as recorded", over cases.
    """

    method: str
    condition: str
    scheme: str
    temperature: float
    trust: Trust

    @property
    def kept(self) -> bool:
        """Whether the bound is."""
        return self.trust.above_floor <= ALLOWED


@dataclass(frozen=True)
class RiseRow:
    """How often less made a method surer."""

    method: str
    scheme: str
    rises: list[Rise]


@dataclass(frozen=True)
class AbstentionRow:
    """Area under risk and coverage of one method as recorded, and thresholds that held."""

    method: str
    condition: str
    cases: int
    area: float
    best_area: float
    reached: list[Reached]


@dataclass(frozen=True, eq=False)
class Confidence:
    """Everything about the confidence of all methods for one task."""

    trust: list[TrustRow]
    rises: list[RiseRow]
    abstention: list[AbstentionRow]
    curves: dict[str, Curve]

    def trust_of(self, method: str, scheme: str) -> list[TrustRow]:
        """By condition, as they were asked."""
        return [r for r in self.trust if (r.method, r.scheme) == (method, scheme)]


def confidence(evidence: Evidence, task: str, judged: str) -> Confidence:
    """Of every method as recorded and in every subset; thresholds by subset of `judged`."""
    rows, rose, abstained, curves = [], [], [], {}
    for method, conditions in evidence.logits.items():
        patterns = [named(x) for x in subsets(evidence.sensors)]
        names = [c for c in (AS_RECORDED, *patterns) if task in conditions.get(c, {})]
        for scheme in SCHEMES:
            found = temperatures(evidence, method, task, scheme)
            rows += [_trust(evidence, method, c, task, scheme, found) for c in names]
            rose.append(RiseRow(method, scheme, rises(evidence, method, task, found)))
            if scheme != PER_PATTERN:
                continue
            for condition in names if method == judged else [AS_RECORDED]:
                cases = asked(evidence, method, condition, task)
                said, right = _said(cases, found)
                drawn = curve(said, right, cases.weights)
                least = [thresholds(cases, found, wanted) for wanted in WANTED]
                held = [
                    reached(wanted, said >= x, right, cases.subjects)
                    for wanted, x in zip(WANTED, least, strict=True)
                ]
                best = best_area(right, cases.weights)
                count = len(cases.where)
                abstained.append(
                    AbstentionRow(method, condition, count, drawn.area, best, held)
                )
                if condition == AS_RECORDED:
                    curves[method] = drawn
    return Confidence(rows, rose, abstained, curves)


def _trust(
    evidence: Evidence,
    method: str,
    condition: str,
    task: str,
    scheme: str,
    found: Temperatures,
) -> TrustRow:
    cases = asked(evidence, method, condition, task)
    heat = float(cases.weights @ of_cases(found, cases))
    judged = trust(evidence, method, condition, task, found)
    return TrustRow(method, condition, scheme, heat, judged)


def _said(cases: Asked, found: Temperatures) -> tuple[Array, NDArray[np.bool_]]:
    """Confidence, and whether the answer is right."""
    said = probabilities(cases.logits, of_cases(found, cases)).max(axis=-1)
    return said, np.asarray(cases.answers == cases.truth)


@dataclass(frozen=True, eq=False)
class Reliability:
    """What a reliability diagram shows: bins, their accuracy, and how far chance moves it."""

    bins: Bins
    accuracy: Array
    spread: Array


def reliability(
    evidence: Evidence, method: str, condition: str, task: str, scheme: str
) -> Reliability:
    """One condition's."""
    cases = asked(evidence, method, condition, task)
    said, right = _said(cases, temperatures(evidence, method, task, scheme))
    bins = Bins.of(said, cases.weights)
    # A calibrated model's accuracy would lie around the confidence by this much.
    return Reliability(bins, bins.accuracy(right), bins.spread(bins.confidence))
