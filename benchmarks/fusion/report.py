"""Evidence in; reports for people, results.json for programs and figures out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np

from onwrist.files import written_beside
from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets
from onwrist_export.judging.patterns import AS_GIVEN, PER_PATTERN
from onwrist_export.judging.tables import markdown
from onwrist_export.judging.trust import ALLOWED, BINS, SIMULATIONS
from onwrist_export.judging.weighting import RESAMPLES, Array

from . import figures, tables
from .confidence import reliability
from .findings import Bound, Findings, bounds, find
from .scores import (
    Score,
    attention,
    best_fusion,
    score,
    sets,
)

WEIGHTS = f"""\
Every case is judged by models that never saw its subject. Subjects differ in how many cases
they have, so each case weighs 1 / (cases of its subject): **every subject counts the same in
every figure** here, calibration and thresholds too. Brackets are 95 % of {RESAMPLES} draws of
subjects, the same draws for all that is compared. Macro-F1 and balanced accuracy are over the
labels that are true of some case. Few subjects make a bootstrap's intervals rather too narrow.
"""
LOST = """\
Only cases with all sensors, so that every set of sensors is asked the same cases. *Mean* and
*worst* are over the sets with that many sensors lost.
"""
COSTS = """\
What one lost sensor costs, relative to each method's own macro-F1 with all sensors; then what
zero-filling pays more, in percentage points, bold where the interval is above zero.
"""
WORTH = """\
In macro-F1, of the cases with all sensors. Shapley values are exact, over all subsets; with no
sensor the answer is the most frequent label of the other subjects, so that they sum to the
macro-F1 with all sensors less that.
"""
TRUST = f"""\
Temperatures are fitted for each subject on the others' cases only: *one temperature* on cases
as recorded, *one per pattern* on all cases that have the pattern's sensors. ECE has {BINS} bins
of equal weight (less biased than equal width, Roelofs et al. 2022); *debiased* is the estimator
of Kumar et al. 2019, which may fall below zero. The *floor* is the mean (and 95 %) of the same
estimator in {SIMULATIONS} simulations of answers that are right exactly as often as they claim,
with the same confidences and weights. Bold: more than {ALLOWED} above the floor; *by chance* is
how many of the simulations were. The simulated answers are independent, those of one subject
are not, so that the floor is rather too low.
"""
RISES = """\
Pairs of the same case with one sensor more and one less: how often confidence rose when the
sensor was taken away, and how many of these answers were wrong.
"""
ABSTAIN = """\
The confidence from which an answer is given is chosen on the other subjects, as low as keeps
their share of wrong answers at the wanted one; then what it came to.
"""


def report(
    evidence: Evidence,
    leak: Evidence | None,
    folder: Path,
    conditions: str = "",
    judged: str | None = None,
) -> list[Bound]:
    """Write fusion.md, subsets.md, calibration.md, results.json and figures into `folder`.

    Parameters
    ----------
    leak : the same with windows split at random, to show what that would have claimed.
    conditions : in Markdown, what was run on what.
    judged : the method that the bounds are asked of; unless named, the best fusion of the
        first task.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = judged or best_fusion(sets(evidence, next(iter(evidence.labels))))
    found = {task: find(evidence, task, chosen) for task in evidence.labels}
    asked_for = bounds(found)
    leaked = _leaked(found, leak)
    looks = {method: attention(evidence, method) for method in evidence.weights}
    _draw(evidence, found, looks, folder)
    texts = {
        "fusion.md": _main(evidence, found, asked_for, leaked, conditions),
        "subsets.md": _subsets(evidence, found),
        "calibration.md": _calibration(found),
    }
    record = {
        "sensors": evidence.sensors,
        "labels": evidence.labels,
        "bounds": asked_for,
        "attention": looks,
        "random windows": [{"task": t, "apart": a, "mixed": m} for t, a, m in leaked],
        "tasks": {task: _record(each) for task, each in found.items()},
    }
    texts["results.json"] = json.dumps(_plain(record), separators=(",", ":")) + "\n"
    for name, text in texts.items():
        with written_beside(folder / name) as beside:
            beside.write_text(text)
    return asked_for


def _leaked(
    found: Mapping[str, Findings], leak: Evidence | None
) -> list[tuple[str, Score, Score]]:
    if leak is None:
        return []
    rows = []
    for task, each in found.items():
        for apart in each.scores:
            if apart.method in leak.logits and apart.condition in (AS_RECORDED, "wrist"):
                mixed = score(leak, apart.method, apart.condition, task)
                rows += [] if mixed is None else [(task, apart, mixed)]
    return rows


def _main(
    evidence: Evidence,
    found: Mapping[str, Findings],
    asked_for: Sequence[Bound],
    leaked: Sequence[tuple[str, Score, Score]],
    conditions: str,
) -> str:
    every = named(evidence.sensors)
    alone = ["wrist"] if "wrist" in evidence.sensors else []
    parts = ["# Fusion that loses sensors, and what its confidence is worth\n"]
    parts += [conditions] if conditions else []
    parts += [
        "## What was asked for\n",
        "\n".join(f"- {task}: {_who(f)}" for task, f in found.items()) + "\n",
        markdown(
            ["bound", "task", "found", "reached"],
            [[b.what, b.task, b.found, "yes" if b.reached else "**no**"] for b in asked_for],
        ),
        markdown(
            ["task", "sensors", "cases", "accuracy", "macro-F1", "balanced accuracy"],
            [_headline(task, f.of(c)) for task, f in found.items() for c in (every, *alone)],
        ),
        "## What it rests on\n",
        WEIGHTS,
        tables.people(evidence),
        "## Every method\n",
    ]
    for task, f in found.items():
        parts += [f"### {task}\n", tables.scores(f.scores, [AS_RECORDED, every, *alone])]
    parts += ["Every subset of the sensors: [subsets.md](subsets.md).\n"]
    if leaked:
        parts += [
            "## What leakage would have claimed\n",
            "The same models, with windows of every subject in training and in the test.\n",
            tables.leak(leaked),
        ]
    parts += ["## Sensors lost\n", LOST, "![Degradation](degradation.png)\n"]
    for task, f in found.items():
        parts += [
            f"### {task}\n",
            f"{f.sets.cases} cases of {f.sets.people} subjects.\n",
            tables.degradation(f.degradation),
            f"Less the macro-F1 of {f.judged}, mean over sets; bold where the interval "
            "excludes zero.\n",
            tables.differences(f.differences),
            COSTS,
            tables.costs(f.degradation),
        ]
        parts += [tables.margins(f.margins)] if f.margins else []
    parts += ["## Samples lost in spans\n", "Macro-F1.\n", "![Partial loss](partial.png)\n"]
    for task, f in found.items():
        table = tables.macro_f1_by(f.scores, (AS_RECORDED, *PARTIAL), "samples of every sensor")
        parts += [f"### {task}\n", table]
    parts += ["## What a sensor is worth\n", WORTH, "![Importance](importance.png)\n"]
    for task, f in found.items():
        own = next(i for i in f.importance if i.method == f.judged)
        parts += [f"### {task}, {f.judged}\n", tables.importance(own)]
    if evidence.weights:
        parts += ["![Attention between sensors](attention.png)\n"]
    parts += [
        "## Answer or abstain\n",
        "As recorded, a temperature per pattern; AURC is the mean risk over all coverages.\n",
        "![Risk against coverage](risk_coverage.png)\n",
    ]
    for task, f in found.items():
        parts += [f"### {task}\n", tables.areas(f.confidence.abstention)]
    parts += ["Calibration, and thresholds by pattern: [calibration.md](calibration.md).\n"]
    return "\n".join(parts)


def _who(f: Findings) -> str:
    if f.judged == f.best:
        return f"the bounds are asked of {f.judged}, the best fusion with all sensors"
    return f"the bounds are asked of {f.judged}; the best fusion with all sensors is {f.best}"


def _headline(task: str, s: Score) -> list[str]:
    which = "the wrist alone" if s.condition == "wrist" else "all"
    measures = [tables.figure(e) for e in (s.accuracy, s.macro_f1, s.balanced)]
    return [task, which, str(s.cases), *measures]


def _subsets(evidence: Evidence, found: Mapping[str, Findings]) -> str:
    names = [named(x) for x in subsets(evidence.sensors)]
    parts = [
        f"# All {len(names)} sets of sensors\n",
        "A set is asked of every case that has its sensors, so that rows differ in their "
        "cases; like is compared with like in [fusion.md](fusion.md).\n",
        WEIGHTS,
    ]
    for task, f in found.items():
        own = [s for s in f.scores if s.method == f.judged]
        parts += [
            f"## {task}, {f.judged}\n",
            tables.scores(own, names),
            f"## {task}, macro-F1 of every method\n",
            tables.macro_f1_by(f.scores, names, "sensors"),
        ]
    return "\n".join(parts)


def _calibration(found: Mapping[str, Findings]) -> str:
    parts = ["# How far confidence can be trusted\n", WEIGHTS, TRUST]
    for task, f in found.items():
        c = f.confidence
        own = sorted(
            (row for row in c.trust if row.method == f.judged),
            key=lambda row: [r.condition for r in c.trust].index(row.condition),
        )
        parts += [
            f"## {task}\n",
            "Over all subsets of the sensors:\n",
            tables.trust_summary(c.trust),
            f"{f.judged}, by pattern:\n",
            tables.trust(own),
            f"![Reliability by pattern, {task}](reliability_{task}.png)\n",
            RISES,
            tables.rises(
                c.rises, list(dict.fromkeys([f.judged, *(r.method for r in c.rises)]))
            ),
            ABSTAIN,
            tables.abstention(
                [r for r in c.abstention if f.judged == r.method or r.condition == AS_RECORDED]
            ),
        ]
    return "\n".join(parts)


def _draw(
    evidence: Evidence,
    found: Mapping[str, Findings],
    looks: Mapping[str, Array],
    folder: Path,
) -> None:
    judged = {task: f.judged for task, f in found.items()}
    figures.degradation(
        {t: f.degradation for t, f in found.items()}, judged, folder / "degradation.png"
    )
    figures.partial({t: f.scores for t, f in found.items()}, judged, folder / "partial.png")
    figures.risk_coverage(
        {t: f.confidence.curves for t, f in found.items()}, judged, folder / "risk_coverage.png"
    )
    figures.importance(
        {
            task: next(i for i in f.importance if i.method == f.judged)
            for task, f in found.items()
        },
        folder / "importance.png",
    )
    if looks:
        figures.attention(looks, evidence.sensors, folder / "attention.png")
    for task, f in found.items():
        panels = {
            row.condition: tuple(
                (reliability(evidence, f.judged, row.condition, task, scheme), other)
                for scheme in (AS_GIVEN, PER_PATTERN)
                for other in f.confidence.trust_of(f.judged, scheme)
                if other.condition == row.condition
            )
            for row in f.confidence.trust_of(f.judged, PER_PATTERN)
        }
        figures.reliability(panels, f"{task}, {f.judged}", folder / f"reliability_{task}.png")


def _record(f: Findings) -> dict[str, object]:
    """All but the curves, which the evidence gives again."""
    return {
        "judged": f.judged,
        "best fusion": f.best,
        "scores": f.scores,
        "cases with all sensors": f.sets.cases,
        "degradation": f.degradation,
        "differences": f.differences,
        "margins": f.margins,
        "importance": f.importance,
        "trust": f.confidence.trust,
        "rises": f.confidence.rises,
        "abstention": f.confidence.abstention,
    }


def _plain(value: object) -> object:
    """Values that JSON has; a number that is none becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value
