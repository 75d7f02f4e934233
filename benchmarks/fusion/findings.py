"""Evidence in, what is found of one method of each task, and whether the bounds hold, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence
from onwrist_export.judging.patterns import PER_PATTERN
from onwrist_export.judging.trust import ALLOWED

from . import tables
from .confidence import Confidence, confidence
from .scores import (
    Degradation,
    Difference,
    Importance,
    Margin,
    Score,
    Sets,
    best_fusion,
    degradation,
    difference,
    importance,
    margin,
    scores,
    sets,
    twins,
)

COST = 0.27  # of the best fusion's macro-F1, for any one sensor


@dataclass(frozen=True, eq=False)
class Findings:
    """Of one task."""

    judged: str
    best: str
    scores: list[Score]
    sets: Sets
    degradation: list[Degradation]
    differences: list[Difference]
    margins: list[Margin]
    importance: list[Importance]
    confidence: Confidence

    def of(self, condition: str) -> Score:
        """The judged method's score."""
        return next(
            s for s in self.scores if (s.method, s.condition) == (self.judged, condition)
        )


@dataclass(frozen=True)
class Bound:
    """One thing that was asked for, and what came of it."""

    what: str
    task: str
    found: str
    reached: bool


def find(evidence: Evidence, task: str, judged: str) -> Findings:
    """Everything about one task."""
    compared = sets(evidence, task)
    best = best_fusion(compared)
    methods = list(compared.by_method)
    return Findings(
        judged,
        best,
        scores(evidence, task),
        compared,
        [degradation(compared, m, best, evidence.sensors) for m in methods],
        [difference(compared, m, judged) for m in methods if m != judged],
        [
            margin(compared, method, zero, evidence.sensors)
            for method in methods
            for zero in twins(method, methods)
        ],
        [importance(compared, m, evidence.sensors) for m in methods],
        confidence(evidence, task, judged),
    )


def bounds(found: Mapping[str, Findings]) -> list[Bound]:
    """Each bound for each task."""
    rows = []
    for task, f in found.items():
        own = next(d for d in f.degradation if d.method == f.judged)
        sensor, worst = max(own.against_best.items(), key=lambda each: each[1].value)
        rows.append(
            Bound(
                f"any one sensor lost costs at most {COST:.0%} of the best fusion's macro-F1",
                task,
                f"{tables.percent(worst)} without {sensor}",
                worst.value <= COST,
            )
        )
        for m in [m for m in f.margins if m.method == f.judged]:
            weak = [sensor for sensor, e in m.by_sensor.items() if not e.above_zero]
            least = min(m.by_sensor.values(), key=lambda e: e.low)
            what = f"less than {m.other} pays, interval above 0"
            rows += [
                Bound(
                    f"{what}: mean over sensors",
                    task,
                    f"{tables.percent(m.mean)} less",
                    m.mean.above_zero,
                ),
                Bound(
                    f"{what}: each sensor",
                    task,
                    f"not without {', '.join(weak)}" if weak else f"{tables.percent(least)}",
                    not weak,
                ),
            ]
        patterns = [
            row
            for row in f.confidence.trust_of(f.judged, PER_PATTERN)
            if row.condition != AS_RECORDED
        ]
        last = max(patterns, key=lambda row: row.trust.above_floor)
        kept, count = sum(row.kept for row in patterns), len(patterns)
        perfect = count - sum(row.trust.floor.beyond for row in patterns)
        rows.append(
            Bound(
                f"debiased ECE at most {ALLOWED} above the floor in every pattern",
                task,
                f"{kept} of {count} patterns, at most {last.trust.above_floor:+.3f} "
                f"({last.condition}); a perfectly calibrated model keeps {perfect:.1f} "
                "on average",
                kept == count,
            )
        )
    return rows
