"""Results in, the Markdown of the report out.

A cell never hides what it rests on: means over people stand beside pooled means, intervals
beside differences, and where there are too few gaps or people it says "not enough data".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from onwrist.readers.fitbit_grid import Person
from onwrist_export.judging.tables import markdown

from .evidence import AGAINST, Degradation, ProbeResult, Summary
from .folds import Fold
from .missingness import BOUND, Removal
from .statistics import LINE, Difference, Estimate
from .tasks import DAY, HEART, Setting
from .tokens import Likeness

NOT_ENOUGH = "not enough data"
ORDER = (
    "last value",
    LINE,
    "person's mean",
    "person's mean by hour",
    "others' mean by hour",
    "ridge",
    "boosting",
)
HIDDEN = {
    "interpolation": "{} min inside the window",
    "extrapolation": "{} min at its end",
    "random": "{} % of the patches",
    "sensor": "heart rate of a whole day",
}


def described(setting: Setting) -> str:
    """What is hidden, in words."""
    return HIDDEN[setting.task].format(setting.size)


def _activity(setting: Setting) -> str:
    return "known" if setting.activity else "hidden too"


def _bpm(value: float | None) -> str:
    return NOT_ENOUGH if value is None else f"{value:.2f}"


def _mean(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.mean is None:
        return NOT_ENOUGH
    return f"{estimate.mean:.2f} ({estimate.pooled:.2f})"


def difference(found: Difference | None) -> str:
    """Mean with its interval, and on how many people it is below zero."""
    if found is None:
        return ""
    e = found.estimate
    if e.mean is None or e.low is None or e.high is None:
        return NOT_ENOUGH
    each = f"{e.mean:+.2f} [{e.low:+.2f}, {e.high:+.2f}] {found.better}/{e.people}"
    return f"**{each}**" if e.high < 0 or e.low > 0 else each


def people(everybody: Sequence[Person], folds: Sequence[Fold]) -> str:
    """Who there is, and how much of them."""
    fold_of = {subject: fold.name for fold in folds for subject in fold.test}
    rows = []
    for person in everybody:
        heart = np.isfinite(person.values[HEART]).reshape(-1, DAY)
        worn = int(np.isfinite(person.values[0]).sum())
        rows.append(
            [
                person.subject,
                person.heart_rate,
                str(heart.shape[0]),
                str(int(heart.any(axis=1).sum())),
                f"{int(heart.sum()):,}",
                f"{worn:,}",
                f"{person.not_worn:,}",
                fold_of[person.subject],
            ]
        )
    header = [
        "person",
        "heart rate",
        "days",
        "days with heart rate",
        "its minutes",
        "minutes of activity",
        "taken out as not worn",
        "tested in",
    ]
    return markdown(header, rows)


def errors(summaries: Sequence[Summary], names: Sequence[str]) -> str:
    """Mean over people and, in brackets, the pooled mean, by setting and contestant."""
    rows = []
    for summary in summaries:
        counts = next(iter(summary.estimates.values()))
        rows.append(
            [
                described(summary.setting),
                _activity(summary.setting),
                f"{counts.people}, {counts.days}, {counts.things}",
                *(_mean(summary.estimates.get(name)) for name in names),
            ]
        )
    header = ["hidden", "activity there", "people, days, gaps", *names]
    return markdown(header, rows)


def differences(summaries: Sequence[Summary], against: Sequence[str], minus: str) -> str:
    """`minus` less each of the others."""
    rows = [
        [
            described(summary.setting),
            _activity(summary.setting),
            *(difference(summary.differences.get(other)) for other in against),
        ]
        for summary in summaries
    ]
    return markdown(
        ["hidden", "activity there", *(f"{minus} - {other}" for other in against)], rows
    )


def by_person(summaries: Sequence[Summary], names: Sequence[str], subjects: list[str]) -> str:
    """Every person by themselves: the contestants of `names`, parted by slashes."""
    rows = []
    for summary in summaries:
        cells = []
        for subject in subjects:
            values = [
                summary.estimates[name].by_person[subject]
                for name in names
                if name in summary.estimates
            ]
            short = any(value is None for value in values)
            cells.append(NOT_ENOUGH if short else " / ".join(map(_bpm, values)))
        rows.append([described(summary.setting), _activity(summary.setting), *cells])
    return markdown(["hidden", "activity there", *subjects], rows)


def verdicts(summaries: Sequence[Summary], contestant: str) -> str:
    """What was set as a goal, and whether it is so."""
    lines = []
    for other in AGAINST:
        for summary in summaries:
            setting = summary.setting
            asked = setting.task == "interpolation" and setting.activity and setting.size >= 60
            if not asked or other not in summary.differences:
                continue
            found = summary.differences[other]
            e = found.estimate
            if e.mean is None or e.high is None or e.low is None:
                word = NOT_ENOUGH
            elif e.high < 0:
                word = "better in the mean, and the interval excludes zero"
            elif e.low > 0:
                word = "worse in the mean, and the interval excludes zero"
            else:
                word = "no difference that the interval would tell from zero"
            lines.append(
                f"- {contestant} against {other}, {described(setting)}: {word} "
                f"({difference(found).strip('*')} people).\n"
            )
    return "".join(lines)


def degradations(
    heart: Mapping[str, Sequence[Degradation]], active: Mapping[str, Sequence[Degradation]]
) -> str:
    """By removal: error with it and the share it adds, of each contestant in both tasks."""
    names = list(heart)
    header = ["removed"]
    header += [f"heart rate, {name}" for name in names]
    header += [f"active minutes, {name}" for name in names]
    rows = []
    first: Iterable[Removal] = [each.removal for each in heart[names[0]]]
    for k, removal in enumerate(first):
        rows.append(
            [
                removal.name,
                *(_degradation(heart[name][k]) for name in names),
                *(_degradation(active[name][k]) for name in names),
            ]
        )
    return markdown(header, rows)


def resting_on(
    heart: Mapping[str, Sequence[Degradation]], active: Mapping[str, Sequence[Degradation]]
) -> str:
    """How many people both halves of that table rest on."""
    counts = [next(iter(each.values()))[0].people for each in (heart, active)]
    return f"Heart rate of {counts[0]} people, active minutes of {counts[1]}.\n"


def _degradation(found: Degradation) -> str:
    if math.isnan(found.share):
        return NOT_ENOUGH
    each = f"{found.error:.2f}, {found.share:+.0%} [{found.low:+.0%}, {found.high:+.0%}]"
    return f"**{each}**" if found.share > BOUND else each


def probes(results: Mapping[str, ProbeResult]) -> str:
    """Active minutes of the next hour."""
    rows = []
    for name, result in results.items():
        e = result.estimate
        low, high = (f"{x:.2f}" if x is not None else "" for x in (e.low, e.high))
        rows.append(
            [
                name,
                f"{e.people}, {e.days}, {e.things:,}",
                f"{_mean(e)} [{low}, {high}]",
                f"{result.r2:.3f}",
            ]
        )
    return markdown(
        ["method", "people, days, hours", "MAE, mean over people (pooled), min", "R2"], rows
    )


def likenesses(
    found: Mapping[str, Sequence[Likeness]], untrained: Mapping[str, Sequence[Likeness]]
) -> str:
    """By person, since each comes from another model; beside it one that was never trained."""
    rows = [
        [
            subject,
            pair.first,
            pair.second,
            f"{pair.auc:.3f}",
            f"{before.auc:.3f}",
            f"{pair.within:+.2f}",
            f"{pair.between:+.2f}",
        ]
        for subject, pairs in found.items()
        for pair, before in zip(pairs, untrained[subject], strict=True)
    ]
    header = [
        "person",
        "first",
        "second",
        "AUC",
        "AUC, untrained",
        "cosine within",
        "cosine between",
    ]
    return markdown(header, rows)
