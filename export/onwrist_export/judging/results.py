"""What a trained model reaches on people it never saw, float and INT8; for the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onwrist_export.config import Config, TaskConfig
from onwrist_export.judging.evaluate import (
    ClassRow,
    Predictor,
    RateRow,
    answers,
    class_table,
    graph_predictor,
    rate_table,
)
from onwrist_export.judging.metrics import Score, area_under_roc, by_subject
from onwrist_export.learning.calibrate import ABSTENTION, RateRules
from onwrist_export.model.graph import DeployGraph
from onwrist_export.windows.damage import first_channel_missing, knowing
from onwrist_export.windows.grids import Grid, Windows, cut_windows, of_subjects
from onwrist_runtime.manifest import Role

FLOAT, INT8, STEP = "onwrist fp32", "onwrist INT8", "onwrist INT8, in steps"


@dataclass(frozen=True)
class TrustRow:
    """Whether confidence means what it says, on answered windows of test subjects."""

    missing: float
    windows: int
    said: float
    right: float


@dataclass(frozen=True)
class Results:
    """Everything measured on labelled recordings.

    `files` are the SHA-256 of the model files that were judged. `classes` are of heads
    trained anew in cross-validation, `shipped_classes` the AUROC of the INT8 graph's own
    heads on test subjects, by task and by what is known beside the window.

    `unlabelled_abstained` is the share of test windows without a label, the less clean
    ones, on which the rate task abstains; None where all have labels.
    """

    files: dict[str, str]
    people: dict[str, list[str]]
    rates: list[RateRow]
    first_channel_only: float
    trust: list[TrustRow]
    unlabelled_abstained: float | None
    classes: list[ClassRow]
    shipped_classes: dict[str, dict[str, Score]]


def measure(
    graph: DeployGraph,
    engines: Mapping[Role, Predictor],
    files: dict[str, str],
    grids: Sequence[Grid],
    config: Config,
    rules: dict[str, RateRules],
    constants: dict[str, float],
) -> Results:
    """Judge a trained graph and its INT8 forms; one rate task, any number of class tasks.

    `engines` predict by the INT8 graphs. Steps see the same windows, with what came before.
    """
    int8 = engines["window"]
    streamed = config.causal if "step" in engines else config
    whole = cut_windows(of_subjects(grids, config.split.test), streamed, config.hop)
    test = whole.alone()
    (task,) = (t for t in config.tasks if t.kind == "rate")
    predictors = {FLOAT: _alone(graph_predictor(graph)), INT8: _alone(int8)}
    forms = {INT8: (int8, test)}
    if "step" in engines:
        predictors[STEP] = engines["step"]
        forms[STEP] = engines["step"], whole
    known = test.labelled(task.name)
    alone = np.zeros(known.values.shape, bool)
    alone[:, 0] = True
    only, _ = int8(known.without(alone))[task.name].T
    unknown = test.select(np.isnan(test.targets[task.name]))
    rate = config.window.rate
    everything = cut_windows(grids, config, config.hop)
    return Results(
        files=files,
        people=_people(grids, config),
        rates=rate_table(predictors, whole, task, rules[task.name], constants[task.name], rate),
        first_channel_only=float(np.abs(only - known.targets[task.name]).mean()),
        trust=_trust(int8, known, task, rules[task.name], rate),
        unlabelled_abstained=_abstained(int8, unknown, task, rules[task.name])
        if len(unknown)
        else None,
        classes=[
            row
            for t in config.tasks
            if t.kind == "class"
            for row in class_table(graph, everything, config, t)
        ],
        shipped_classes={
            t.name: {
                f"{form}, {what}": _shipped(predict, known, t)
                for form, (predict, windows) in forms.items()
                for what, known in knowing(windows.labelled(t.name)).items()
            }
            for t in config.tasks
            if t.kind == "class"
        },
    )


def _alone(predict: Predictor) -> Predictor:
    """For a graph that takes windows without what came before them."""
    return lambda windows: predict(windows.alone())


def _shipped(predict: Predictor, known: Windows, task: TaskConfig) -> Score:
    score = predict(known)[task.name][:, 1]
    return by_subject(area_under_roc, score, known.targets[task.name], known.subjects)


def _people(grids: Sequence[Grid], config: Config) -> dict[str, list[str]]:
    test, validation = list(config.split.test), list(config.split.validation)
    training = sorted({g.subject for g in grids} - {*test, *validation})
    return {"training": training, "validation": validation, "test": test}


def _trust(
    predict: Predictor, known: Windows, task: TaskConfig, rules: RateRules, rate: float
) -> list[TrustRow]:
    rows = []
    for share in ABSTENTION:
        damaged = first_channel_missing(known, share, rate)
        value, confidence = predict(damaged)[task.name].T
        answered = answers(confidence, damaged, rules)
        if not answered.any():
            continue
        right = np.abs(value - known.targets[task.name]) <= task.tolerance
        rows.append(
            TrustRow(
                share,
                int(answered.sum()),
                float(confidence[answered].mean()),
                float(right[answered].mean()),
            )
        )
    return rows


def _abstained(
    predict: Predictor, windows: Windows, task: TaskConfig, rules: RateRules
) -> float:
    _, confidence = predict(windows)[task.name].T
    return float(1 - answers(confidence, windows, rules).mean())
