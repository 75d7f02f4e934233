"""The figures on the card: heart rate, stress and motion, each beside its baselines.

A predictor maps windows to the outputs of the graph by name, so that the float graph
and every engine are judged by the same code. Shapes: W windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onwrist_export.config import Config, TaskConfig
from onwrist_export.judging.baselines import (
    elapsed_scores,
    fft_rate,
    lomb_scargle_rate,
    summary_features,
)
from onwrist_export.judging.metrics import (
    Array,
    Score,
    area_under_roc,
    by_subject,
    mean_absolute_error,
)
from onwrist_export.learning import classify
from onwrist_export.learning.calibrate import ABSTENTION, RateRules
from onwrist_export.model.graph import DeployGraph
from onwrist_export.windows.damage import first_channel_missing, knowing
from onwrist_export.windows.grids import Run, Windows, run_all

Predictor = Callable[[Windows], dict[str, Array]]
FOLDS = 5
MIDDLE = (600.0, 2400.0)  # s of a recording in which the protocol's order says least


@dataclass(frozen=True)
class RateRow:
    """One method at one share of missing samples.

    `every` counts all windows, `answered` those above the method's abstention rules,
    whose share is 1 - `abstained`.
    """

    missing: float
    method: str
    every: Score
    answered: Score | None
    abstained: float


@dataclass(frozen=True)
class ClassRow:
    """AUROC of one method over whole recordings, and over `MIDDLE` of those that reach it."""

    task: str
    method: str
    whole: Score
    middle: Score | None


def graph_predictor(graph: DeployGraph) -> Predictor:
    """Outputs of the float graph in PyTorch, in batches."""

    @torch.no_grad()
    def predict(windows: Windows) -> dict[str, Array]:
        graph.eval()
        parts = [graph(*inputs) for inputs in windows.batches()]
        return {
            name: torch.cat([p[k] for p in parts]).double().numpy()
            for k, name in enumerate(graph.output_names)
        }

    return predict


def engine_predictor(run: Run) -> Predictor:
    """Outputs of an inference engine."""
    return lambda windows: run_all(run, windows)


def answers(confidence: Array, windows: Windows, rules: RateRules) -> NDArray[np.bool_]:
    """Which windows (W,) get a rate: enough of the first channel, and enough confidence."""
    coverage = windows.coverage[:, 0]
    return np.asarray((confidence >= rules.confidence) & (coverage >= rules.coverage))


def rate_table(
    predictors: dict[str, Predictor],
    windows: Windows,
    task: TaskConfig,
    rules: RateRules,
    constant: float,
    rate: float,
    shares: Sequence[float] = tuple(ABSTENTION),
) -> list[RateRow]:
    """Mean absolute error of each predictor and of the baselines, by missing share."""
    rows = []
    known = windows.labelled(task.name)
    true, people = known.targets[task.name], known.subjects

    def score(values: Array, which: NDArray[np.bool_] | slice = slice(None)) -> Score:
        return by_subject(mean_absolute_error, values[which], true[which], people[which])

    for share in shares:
        damaged = first_channel_missing(known, share, rate)
        own = damaged.alone()
        ppg, seen = own.values[:, 0], own.observed[:, 0]
        for method, predict in predictors.items():
            value, confidence = predict(damaged)[task.name].T
            answered = answers(confidence, damaged, rules)
            given = score(value, answered) if answered.any() else None
            rows.append(RateRow(share, method, score(value), given, float(1 - answered.mean())))
        for method, value in (
            ("FFT peak", fft_rate(ppg, seen, rate)),
            ("Lomb-Scargle", lomb_scargle_rate(ppg, seen, rate)),
            ("mean of training", np.full(len(true), constant)),
        ):
            rows.append(RateRow(share, method, score(value), None, 0.0))
    return rows


def class_table(
    graph: DeployGraph, windows: Windows, config: Config, task: TaskConfig
) -> list[ClassRow]:
    """AUROC by subject-wise cross-validation over all labelled people.

    The head is trained anew in every fold on people outside it; the encoder, which never
    saw a label of this task, stays as it is. One head is judged with and without its running
    baseline. What a sceptic would use shares the folds: logistic regression on summary
    statistics, and the share of positives at each time since start.
    """
    known = windows.labelled(task.name)
    true, people, elapsed = known.targets[task.name], known.subjects, known.elapsed
    variants = classify.variants(graph, known, config)
    seen = {what: classify.contexts(graph, w) for what, w in knowing(known).items()}
    summaries = {
        what: summary_features(w.values, w.observed, config.window.rate, w.baseline)
        for what, w in knowing(known.alone()).items()
    }
    scores: dict[str, Array] = {}

    def put(method: str, out: NDArray[np.bool_], score: Array) -> None:
        scores.setdefault(method, np.zeros(len(true)))[out] = score

    for fold in classify.subject_folds(people, FOLDS, config.seed):
        out = np.isin(people, fold)
        inside = torch.from_numpy(~out)
        head = classify.train_head(
            [v[inside] for v in variants],
            true[~out],
            people[~out],
            task,
            config.classify,
            config.seed,
        )
        for what, context in seen.items():
            found = classify.logits(head, context[~inside])
            put(f"onwrist, {what}", out, found[:, 1] - found[:, 0])
        for what, summary in summaries.items():
            linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
            linear.fit(summary[~out], true[~out])
            put(f"logistic regression, {what}", out, linear.decision_function(summary[out]))
        put("time only", out, elapsed_scores(elapsed[~out], true[~out], elapsed[out]))
    middle = (elapsed > MIDDLE[0]) & (elapsed < MIDDLE[1])
    return [
        ClassRow(
            task.name,
            method,
            by_subject(area_under_roc, score, true, people),
            by_subject(area_under_roc, score[middle], true[middle], people[middle])
            if middle.any()
            else None,
        )
        for method, score in scores.items()
    ]
