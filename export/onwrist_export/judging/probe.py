"""Which temporal resolution carries which task, and whether pretraining helped.

A probe freezes the encoder, averages one stage over time and fits a linear model on it:
HiMAE's central experiment. Every figure stands beside the same probe on a random
encoder, because an untrained convolutional net is a strong set of features already.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onwrist_export.config import Config, TaskConfig
from onwrist_export.judging.metrics import (
    Score,
    area_under_roc,
    by_subject,
    mean_absolute_error,
)
from onwrist_export.learning.loops import settle, tune_rate
from onwrist_export.learning.train import rate_head
from onwrist_export.model.graph import pool
from onwrist_export.model.heads import RateHead
from onwrist_export.model.himae import HiMAE
from onwrist_export.model.normalize import Normalize
from onwrist_export.windows.damage import first_channel_missing
from onwrist_export.windows.grids import Grid, Windows, cut_windows, of_subjects
from onwrist_runtime.errors import InputError

PEOPLE = (8, 4, 1)  # training subjects besides all of them
DRAWS = {8: 1, 4: 2, 1: 3}  # how often these few people are drawn
RIDGE = tuple(np.logspace(-1, 6, 8))


@dataclass(frozen=True)
class ProbeRow:
    """A linear probe: its encoder, task, stage (1 is the finest), people and score."""

    encoder: str
    task: str
    stage: int
    people: int
    score: Score


@dataclass(frozen=True)
class TuningRow:
    """An encoder tuned end to end from some start, and its error with ppg missing."""

    start: str
    people: int
    draw: int
    missing: float
    score: Score


@torch.no_grad()
def stage_means(
    model: HiMAE, normalize: Normalize, windows: Windows
) -> list[NDArray[np.float64]]:
    """Mean over time of every stage: [(W, W_k), ...]."""
    model.eval()
    parts = [
        [s.mean(-1) for s in model.encode(normalize(values, seen))]
        for values, seen, *_ in windows.batches()
    ]
    return [torch.cat(stage).double().numpy() for stage in zip(*parts, strict=True)]


def random_encoder(grids: Sequence[Grid], config: Config) -> HiMAE:
    """An encoder without training; its batch-norm statistics are those of training windows."""
    torch.manual_seed(config.seed + 1)
    model = HiMAE(config.himae)
    _, _, everyone = draws(grids, config)[0]
    settle(model, of_subjects(grids, everyone), config)
    return model


def draws(grids: Sequence[Grid], config: Config) -> list[tuple[int, int, list[str]]]:
    """(people, draw, subjects): all training subjects, then nested few of them."""
    held = {*config.split.test, *config.split.validation}
    everyone = sorted({g.subject for g in grids} - held)
    if not everyone:
        raise InputError("the split leaves no subject to train on")
    chosen = [(len(everyone), 0, everyone)]
    for people in (n for n in PEOPLE if n < len(everyone)):
        for draw in range(DRAWS[people]):
            order = np.random.default_rng(config.seed + draw).permutation(everyone)
            chosen.append((people, draw, sorted(str(s) for s in order[:people])))
    return chosen


def probe(encoders: dict[str, HiMAE], grids: Sequence[Grid], config: Config) -> list[ProbeRow]:
    """Fit a probe on each stage for each task and number of people; score on test subjects."""
    normalize = Normalize(config.scalings, config.encoder.observed_input)
    windows = cut_windows(grids, config, config.hop)
    rows = []
    for name, model in encoders.items():
        stages = stage_means(model, normalize, windows)
        for task in config.tasks:
            known = ~np.isnan(windows.targets[task.name])
            test = known & np.isin(windows.subjects, config.split.test)
            for people, draw, subjects in draws(grids, config):
                train = known & np.isin(windows.subjects, subjects)
                if draw or not train.any():
                    continue
                for k, features in enumerate(stages):
                    score = _fit_probe(task, features, windows, train, test)
                    rows.append(ProbeRow(name, task.name, k + 1, people, score))
    return rows


def _fit_probe(
    task: TaskConfig,
    features: NDArray[np.float64],
    windows: Windows,
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> Score:
    target, people = windows.targets[task.name], windows.subjects[test]
    if task.kind == "rate":
        ridge = make_pipeline(StandardScaler(), Ridge())
        # neighbouring windows are nearly equal, so penalties are judged on whole people
        groups = windows.subjects[train]
        count = len(np.unique(groups))
        folds = KFold(5) if count == 1 else GroupKFold(min(5, count))
        parts = list(folds.split(features[train], groups=None if count == 1 else groups))
        search = GridSearchCV(ridge, {"ridge__alpha": RIDGE}, cv=parts)
        search.fit(features[train], np.log(target[train]))
        limits = np.log([task.lowest, task.highest])
        value = np.exp(np.clip(search.predict(features[test]), *limits))
        return by_subject(mean_absolute_error, value, target[test], people)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    model.fit(features[train], target[train])
    return by_subject(
        area_under_roc, model.decision_function(features[test]), target[test], people
    )


def tuning_study(
    pretrained: HiMAE, grids: Sequence[Grid], config: Config, steps: int, progress: bool = False
) -> list[TuningRow]:
    """Tune from the pretrained encoder and from scratch, with few people and with all.

    Both start from the same head, see the same batches and use the same learning rate.
    """
    task = next(t for t in config.tasks if t.kind == "rate")
    short = _with_steps(config, steps)
    normalize = Normalize(config.scalings, config.encoder.observed_input)
    test = cut_windows(
        of_subjects(grids, config.split.test), config, config.window.samples // 4
    )
    known = test.labelled(task.name)
    rows = []
    for people, draw, subjects in draws(grids, config):
        train = of_subjects(grids, subjects)
        for start in ("pretrained", "scratch"):
            model = copy.deepcopy(
                pretrained if start == "pretrained" else random_encoder(grids, config)
            )
            torch.manual_seed(config.seed)
            head = rate_head(config, task)
            tune_rate(model, head, train, short, task.name, progress)
            for missing in (0.0, 0.5):
                damaged = first_channel_missing(known, missing, config.window.rate)
                value = _rates(model, normalize, head, damaged)
                score = by_subject(
                    mean_absolute_error, value, known.targets[task.name], known.subjects
                )
                rows.append(TuningRow(start, people, draw, missing, score))
    return rows


@torch.no_grad()
def _rates(
    model: HiMAE, normalize: Normalize, head: RateHead, windows: Windows
) -> NDArray[np.float64]:
    model.eval()
    head.eval()
    parts = [
        head.evidence(head.mlp(torch.cat(pool(model.encode(normalize(v, seen))), dim=1)))[0]
        for v, seen, *_ in windows.batches()
    ]
    return np.asarray(torch.cat(parts)[:, 0].double().numpy())


def _with_steps(config: Config, steps: int) -> Config:
    return msgspec.structs.replace(
        config, train=msgspec.structs.replace(config.train, steps=steps)
    )
