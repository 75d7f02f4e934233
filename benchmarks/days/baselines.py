"""Gaps in, heart rate of what one would do without the model out.

Last value, linear interpolation (plain, and anchored at means of 5 minutes), the person's
mean and mean by hour (of other days only), and two regressions on activity that correct the
line: ridge and gradient boosting. The regressions learn from the people of a fold's training
set alone, one of each a setting, which is the form most in their favour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from onwrist.readers.fitbit_grid import Person

from . import scores
from .features import ANCHOR, features, interpolated
from .folds import Fold
from .tasks import DAY, HEART, SEED, Gap, Setting, place, shown, truth

Minutes = NDArray[np.float64]
SIMPLE = ("last value", "linear, plain", "linear, anchored")
OF_PERSON = ("person's mean", "person's mean by hour")
OF_OTHERS = ("others' mean by hour",)
LEARNED = ("ridge", "boosting")
TRAINING_MINUTES = 15_000  # of each person in the training set, in each setting
TRAINING_GAPS = 1500
TRAINING_WINDOWS = 60  # of the random task
CODE = ("tasks", "folds", "features", "baselines")  # what a kept error depends on
LEAST_HOUR = 20  # minutes that make a mean of an hour of the day
ALPHAS = (100.0, 1000.0, 10_000.0, 100_000.0)


@dataclass(frozen=True)
class Table:
    """Rows of one person in one setting: features, line and truth in bpm, gap of each row."""

    x: NDArray[np.float32]
    line: Minutes
    y: Minutes
    gap: NDArray[np.intp]


def table(person: Person, setting: Setting, gaps: Sequence[Gap]) -> Table | None:
    """Rows of all truths of these gaps, None if there is no gap."""
    parts = []
    for k, gap in enumerate(gaps):
        at, heart = truth(person, gap)
        x, line = features(shown(person, gap, setting.activity), gap.start, at)
        parts.append((x.astype(np.float32), line, heart, np.full(len(at), k)))
    if not parts:
        return None
    x, line, y, gap_of = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Table(x, line, y.astype(np.float64), gap_of)


def training_table(person: Person, setting: Setting) -> Table | None:
    """Other gaps than those of the judgement, and up to `TRAINING_MINUTES` of their rows."""
    count = min(TRAINING_GAPS, 2 * TRAINING_MINUTES // setting.size + 1)
    if setting.task == "random":
        count = TRAINING_WINDOWS
    gaps = place(person, setting.task, setting.size, count, seed=SEED + 1, apart=1)
    rows = table(person, setting, gaps)
    if rows is None or len(rows.y) <= TRAINING_MINUTES:
        return rows
    draw = np.random.default_rng([SEED, int(person.subject)])
    kept = np.sort(draw.choice(len(rows.y), TRAINING_MINUTES, replace=False))
    return Table(rows.x[kept], rows.line[kept], rows.y[kept], rows.gap[kept])


@dataclass(frozen=True)
class Fitted:
    """The two regressions of one setting, and how many minutes and people taught them."""

    ridge: Pipeline
    boosting: HistGradientBoostingRegressor
    alpha: float
    minutes: int
    people: int


def fit(tables: Mapping[str, Table | None]) -> Fitted:
    """Both regressions of what the line gets wrong, on the tables of the training people."""
    there = [(subject, rows) for subject, rows in tables.items() if rows is not None]
    x = np.concatenate([rows.x for _, rows in there])
    y = np.concatenate([rows.y - rows.line for _, rows in there])
    who = np.concatenate([np.full(len(rows.y), k) for k, (_, rows) in enumerate(there)])
    alpha = _alpha(x, y, who)
    boosting = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=150,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=80,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return Fitted(_ridge(alpha).fit(x, y), boosting.fit(x, y), alpha, len(y), len(there))


def _ridge(alpha: float) -> Pipeline:
    return make_pipeline(StandardScaler(), Ridge(alpha))


def _alpha(x: NDArray[np.float32], y: Minutes, who: NDArray[np.intp]) -> float:
    """The penalty with the least absolute error on people left out of the training set."""
    errors = []
    for alpha in ALPHAS:
        each = []
        for person in np.unique(who):
            out = who == person
            model = _ridge(alpha).fit(x[~out], y[~out])
            each.append(float(np.abs(model.predict(x[out]) - y[out]).mean()))
        errors.append(float(np.mean(each)))
    return ALPHAS[int(np.argmin(errors))]


def simple(person: Person, gap: Gap) -> dict[str, Minutes]:
    """What needs no training set, for the true minutes of one gap."""
    at, _ = truth(person, gap)
    heart = shown(person, gap, activity=True)[HEART]
    answers = {}
    if np.isfinite(heart).any():
        answers["last value"] = _last(heart)[at]
        answers["linear, plain"] = interpolated(heart, 1)[at]
        answers["linear, anchored"] = interpolated(heart, ANCHOR)[at]
    elsewhere = other_days(person, gap)
    if np.isfinite(elsewhere).any():
        answers["person's mean"] = np.full(len(at), np.nanmean(elsewhere))
        answers["person's mean by hour"] = by_hour([elsewhere])[(gap.start + at) % DAY // 60]
    return answers


def _last(heart: NDArray[np.float32]) -> Minutes:
    """Of each minute the last one observed before it; the first, before any."""
    known = np.flatnonzero(np.isfinite(heart))
    before = np.searchsorted(known, np.arange(len(heart))) - 1
    return heart[known[np.clip(before, 0, None)]].astype(np.float64)


def other_days(person: Person, gap: Gap) -> NDArray[np.float32]:
    """The person's heart rate with every day NaN in which a minute of the gap lies."""
    heart = person.values[HEART].copy()
    for minute in {(gap.start + int(m)) // DAY for m in np.flatnonzero(gap.hidden)}:
        heart[minute * DAY : (minute + 1) * DAY] = np.nan
    return heart


def by_hour(hearts: Sequence[NDArray[np.float32]]) -> Minutes:
    """Mean of each hour of the day (24,), of all where an hour has hardly any minute."""
    values = np.concatenate(hearts)
    hours = np.concatenate([np.arange(len(heart)) % DAY // 60 for heart in hearts])
    known = np.isfinite(values)
    total = np.bincount(hours[known], values[known], 24)
    count = np.bincount(hours[known], minlength=24)
    return np.where(count >= LEAST_HOUR, total / np.maximum(count, 1), values[known].mean())


def taught(people: Mapping[str, Person], fold: Fold) -> list[str]:
    """Who of the fold's training set has heart rate to teach with."""
    return [s for s in fold.train if people[s].heart_rate in ("raw", "derived")]


def errors(
    people: Mapping[str, Person], folds: Sequence[Fold], setting: Setting, gaps: Sequence[Gap]
) -> dict[str, NDArray[np.float64]]:
    """Mean absolute error of every baseline on every gap, NaN where it has no answer."""
    found = {
        name: np.full(len(gaps), np.nan) for name in (*SIMPLE, *OF_PERSON, *OF_OTHERS, *LEARNED)
    }
    teachers = {subject for fold in folds for subject in taught(people, fold)}
    tables = {subject: training_table(people[subject], setting) for subject in teachers}
    for fold in folds:
        judge = people[fold.judge]
        own = [k for k, gap in enumerate(gaps) if gap.subject == fold.judge]
        rows = table(judge, setting, [gaps[k] for k in own])
        if rows is None:
            continue
        fitted = fit({subject: tables[subject] for subject in taught(people, fold)})
        others = by_hour([people[subject].values[HEART] for subject in taught(people, fold)])
        learned = {
            "ridge": rows.line + fitted.ridge.predict(rows.x),
            "boosting": rows.line + fitted.boosting.predict(rows.x),
        }
        for n, k in enumerate(own):
            at, heart = truth(judge, gaps[k])
            answers = simple(judge, gaps[k])
            answers["others' mean by hour"] = others[(gaps[k].start + at) % DAY // 60]
            answers |= {name: answer[rows.gap == n] for name, answer in learned.items()}
            for name, answer in answers.items():
                found[name][k] = np.abs(answer - heart).mean()
    return found


def kept(
    people: Mapping[str, Person],
    folds: Sequence[Fold],
    setting: Setting,
    gaps: Sequence[Gap],
    folder: Path,
) -> dict[str, NDArray[np.float64]]:
    """`errors`, from a file if this code wrote it about these people and gaps."""
    code = [Path(__file__).with_name(f"{name}.py").read_text() for name in CODE]
    data = [hashlib.sha256(person.values).hexdigest() for person in people.values()]
    identity = scores.digest(gaps, folds, data, code)
    path = folder / f"{setting.name.replace('/', '-')}.json"
    found = scores.load(path, identity)
    if found is None:
        found = errors(people, folds, setting, gaps)
        scores.save(path, identity, found)
    return found
