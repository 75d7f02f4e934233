"""Findings in, Markdown out. Brackets are 95 % intervals over draws of subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence
from onwrist_export.judging.patterns import SCHEMES
from onwrist_export.judging.tables import markdown
from onwrist_export.judging.weighting import Estimate

from .confidence import WANTED, AbstentionRow, RiseRow, TrustRow
from .scores import Degradation, Difference, Importance, Margin, Score


def figure(e: Estimate) -> str:
    """Of a share: 0.81 [0.77, 0.85]."""
    if np.isnan(e.value):
        return "nothing answered"
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def percent(e: Estimate) -> str:
    """12.3 % [8.0, 17.1]."""
    # Adding 0 makes -0.0 a plain zero.
    value, low, high = (round(100 * x, 1) + 0.0 for x in (e.value, e.low, e.high))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def people(evidence: Evidence) -> str:
    """How many cases each subject has, and how many of them with which sensor."""
    names, counts = np.unique(evidence.subjects, return_counts=True)
    rows = []
    for name, count in zip(names, counts, strict=True):
        there = evidence.available[evidence.subjects == name]
        every = str(int(there.all(axis=1).sum()))
        rows.append([name, str(count), *map(str, there.sum(axis=0)), every])
    there = evidence.available
    total = [str(len(there)), *map(str, there.sum(axis=0)), str(int(there.all(axis=1).sum()))]
    rows.append(["together", *total])
    return markdown(["subject", "cases", *evidence.sensors, "all sensors"], rows)


def scores(rows: Sequence[Score], conditions: Sequence[str]) -> str:
    """The three measures of every method in these conditions."""
    return markdown(
        ["method", "sensors", "cases", "subjects", "accuracy", "macro-F1", "balanced accuracy"],
        (
            [
                s.method,
                s.condition,
                str(s.cases),
                str(s.people),
                figure(s.accuracy),
                figure(s.macro_f1),
                figure(s.balanced),
            ]
            for condition in conditions
            for s in rows
            if s.condition == condition
        ),
    )


def macro_f1_by(rows: Sequence[Score], conditions: Sequence[str], what: str) -> str:
    """Macro-F1, conditions down and methods across."""
    found = {(s.method, s.condition): s for s in rows}
    methods = list(dict.fromkeys(s.method for s in rows))
    lines = []
    for condition in conditions:
        here = [found.get((m, condition)) for m in methods]
        cells = ["" if s is None else f"{s.macro_f1.value:.3f}" for s in here]
        count = next((str(s.cases) for s in here if s is not None), "0")
        lines.append([condition, count, *cells])
    return markdown([what, "cases", *methods], lines)


def leak(rows: Iterable[tuple[str, Score, Score]]) -> str:
    """Task, the score with subjects kept apart, the one with windows drawn at random."""
    header = ["task", "method", "sensors", "macro-F1, subjects kept apart"]
    header += ["macro-F1, windows drawn at random", "claimed too much"]
    return markdown(
        header,
        (
            [
                task,
                apart.method,
                apart.condition,
                figure(apart.macro_f1),
                figure(mixed.macro_f1),
                f"{mixed.macro_f1.value - apart.macro_f1.value:+.3f}",
            ]
            for task, apart, mixed in rows
        ),
    )


def degradation(rows: Sequence[Degradation]) -> str:
    """Macro-F1 by number of sensors lost: mean (worst)."""
    lost = range(1, len(rows[0].mean))
    header = ["method", "all sensors", *(f"{n} lost: mean (worst)" for n in lost)]
    return markdown(
        header,
        (
            [
                d.method,
                figure(d.mean[0]),
                *(f"{d.mean[n].value:.3f} ({d.worst[n].value:.3f})" for n in lost),
            ]
            for d in rows
        ),
    )


def costs(rows: Sequence[Degradation]) -> str:
    """What one lost sensor costs each method of its own macro-F1."""
    sensors = list(rows[0].costs)
    return markdown(
        ["method", *(f"without {s}" for s in sensors), "mean", "dearest"],
        (
            [
                d.method,
                *(percent(d.costs[s]) for s in sensors),
                percent(d.mean_cost),
                percent(d.dearest),
            ]
            for d in rows
        ),
    )


def margins(rows: Sequence[Margin]) -> str:
    """What zero-filling costs more; bold where the interval is above zero."""
    sensors = list(rows[0].by_sensor)

    def cell(e: Estimate) -> str:
        return f"**{percent(e)}**" if e.above_zero else percent(e)

    return markdown(
        ["method", "against", *(f"without {s}" for s in sensors), "mean"],
        (
            [m.method, m.other, *(cell(m.by_sensor[s]) for s in sensors), cell(m.mean)]
            for m in rows
        ),
    )


def differences(rows: Sequence[Difference]) -> str:
    """Bold where the interval excludes zero."""

    def cell(e: Estimate) -> str:
        text = f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"
        return f"**{text}**" if e.low > 0 or e.high < 0 else text

    lost = range(1, len(rows[0].by_lost))
    header = ["method", "all sensors", *(f"{n} lost" for n in lost)]
    return markdown(header, ([d.method, *map(cell, d.by_lost)] for d in rows))


def importance(found: Importance) -> str:
    """Drop and Shapley value of every sensor."""
    return markdown(
        ["sensor", "drop when lost alone", "Shapley value"],
        [[s, figure(e), figure(found.shapley[s])] for s, e in found.drop.items()],
    )


def trust(rows: Sequence[TrustRow]) -> str:
    """Everything about calibration, a row a condition; bold where the bound is broken."""
    return markdown(
        ["sensors", "temperatures", "T", "cases", "subjects", "said", "right", "ECE",
         "debiased", "floor (95 %)", "above floor", "by chance", "NLL", "Brier"],
        (
            [
                row.condition,
                row.scheme,
                f"{row.temperature:.2f}",
                str(t.cases),
                str(t.people),
                f"{t.said:.3f}",
                f"{t.right:.3f}",
                f"{t.error:.3f}",
                f"{t.debiased:.3f}",
                f"{t.floor.mean:.3f} ({t.floor.highest:.3f})",
                f"{t.above_floor:+.3f}" if row.kept else f"**{t.above_floor:+.3f}**",
                f"{t.floor.beyond:.0%}",
                f"{t.likelihood:.3f}",
                f"{t.brier:.3f}",
            ]
            for row in rows
            for t in [row.trust]
        ),
    )  # fmt: skip


def trust_summary(rows: Sequence[TrustRow]) -> str:
    """A row a method and scheme, over subsets."""
    keys = dict.fromkeys((row.method, row.scheme) for row in rows)
    lines = []
    for method, scheme in keys:
        own = [
            row
            for row in rows
            if (row.method, row.scheme) == (method, scheme) and row.condition != AS_RECORDED
        ]
        if not own:
            continue
        above = [row.trust.above_floor for row in own]
        lines.append(
            [
                method,
                scheme,
                f"{sum(row.kept for row in own)} of {len(own)}",
                f"{np.mean(above):+.3f}",
                f"{max(above):+.3f}",
                f"{np.mean([row.trust.likelihood for row in own]):.3f}",
                f"{np.mean([row.trust.brier for row in own]):.3f}",
            ]
        )
    header = ["method", "temperatures", "patterns within the bound", "above floor, mean"]
    return markdown([*header, "largest", "NLL, mean", "Brier, mean"], lines)


def rises(rows: Sequence[RiseRow], methods: Sequence[str]) -> str:
    """Share of pairs whose confidence rose, and how many of these were then wrong."""
    chosen = [r for r in rows if r.method in methods and r.rises]
    counts = [r.sensors for r in chosen[0].rises]
    return markdown(
        ["method", "temperatures", *(f"{n} sensors to {n - 1}" for n in counts)],
        (
            [
                row.method,
                row.scheme,
                *(
                    f"{r.share:.1%} ({r.wrong:.0%} of them wrong)" if r.share else "0.0%"
                    for r in row.rises
                ),
            ]
            for row in sorted(
                chosen, key=lambda r: (methods.index(r.method), SCHEMES.index(r.scheme))
            )
        ),
    )


def areas(rows: Sequence[AbstentionRow]) -> str:
    """AURC of every method as recorded."""
    return markdown(
        ["method", "AURC", "best order of the same answers", "excess"],
        (
            [r.method, f"{r.area:.4f}", f"{r.best_area:.4f}", f"{r.area - r.best_area:.4f}"]
            for r in rows
            if r.condition == AS_RECORDED
        ),
    )


def abstention(rows: Sequence[AbstentionRow]) -> str:
    """Reached risk and coverage for each wanted risk, a row a method and condition."""
    header = ["method", "sensors", "cases"]
    for wanted in WANTED:
        header += [f"wrong, wanted {wanted:.0%}", "answered"]
    lines = []
    for row in rows:
        cells = [row.method, row.condition, str(row.cases)]
        for r in row.reached:
            none = np.isnan(r.risk.value)
            cells += ["" if none else percent(r.risk), "none" if none else percent(r.coverage)]
        lines.append(cells)
    return markdown(header, lines)
