"""Recordings and a pretrained encoder in, a calibrated graph with all its heads out.

Training subjects teach, validation subjects calibrate and choose thresholds, test
subjects are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from onwrist_export.config import Config, TaskConfig
from onwrist_export.learning import calibrate, classify
from onwrist_export.learning.calibrate import ABSTENTION, Evidence, RateRules
from onwrist_export.learning.loops import tune_rate
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.heads import ClassHead, RateHead
from onwrist_export.model.himae import HiMAE
from onwrist_export.windows.damage import first_channel_missing, knowing, with_missing
from onwrist_export.windows.grids import (
    Grid,
    Windows,
    cut_windows,
    of_subjects,
    require_classes,
)
from onwrist_export.windows.pulseless import pulseless
from onwrist_runtime.errors import InputError

# Beyond the shares that may be answered, to find where an answer is no longer worth it.
CALIBRATION_SHARES = (*ABSTENTION, 0.65, 0.85, 0.90, 0.95)

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A graph, the configuration that made it, and when its rates may be believed.

    `constants` are the means of training by rate task: what one would say without a
    sensor, which is the baseline of its abstention.
    """

    config: Config
    graph: DeployGraph
    rules: dict[str, RateRules]
    constants: dict[str, float]


def build_graph(config: Config, encoder: HiMAE | None = None) -> DeployGraph:
    """An untrained graph with the heads that `config` names."""
    graph = DeployGraph(
        encoder or HiMAE(config.himae),
        config.scalings,
        rates={t.name: rate_head(config, t) for t in config.tasks if t.kind == "rate"},
        observed_input=config.encoder.observed_input,
        baseline=config.baseline is not None,
        step=config.step_samples,
    )
    for task in config.tasks:
        if task.kind == "class":
            graph.classes[task.name] = ClassHead(
                graph.context_size, task.hidden, len(task.labels)
            )
    return graph


def rate_head(config: Config, task: TaskConfig) -> RateHead:
    """An untrained head for a rate task."""
    return RateHead(
        2 * sum(config.encoder.widths),
        hidden=task.hidden,
        lowest=task.lowest,
        highest=task.highest,
        tolerance=task.tolerance,
    )


def train(
    encoder: HiMAE, grids: Sequence[Grid], config: Config, say: Say, progress: bool = False
) -> Trained:
    """Tune `encoder` with its heads, calibrate them, and give the graph to export."""
    learn = _training(grids, config)
    learned, choose = _windows(grids, config)
    graph = build_graph(config, encoder)

    rates = [t for t in config.tasks if t.kind == "rate"]
    if len(rates) != 1:
        raise InputError(f"one rate task tunes the encoder; the configuration has {len(rates)}")
    task = rates[0]
    people = len({g.subject for g in learn})
    say(f"tuning {task.name} on {people} people, {config.train.steps} steps")
    head = graph.rates[task.name]
    tune_rate(encoder, head, learn, config, task.name, progress)
    constant = float(learned.labelled(task.name).targets[task.name].mean())
    known = choose.labelled(task.name)
    evidence = _evidence(graph, known, task, config)
    silent = _read(graph, _silenced(known, config), task, missing=float("nan"))
    rules = calibrate.fit_rate(head, evidence, constant, silent)
    say(f"{task.name}: coverage from {rules.coverage}, confidence from {rules.confidence}")

    _train_classes(graph, learned, choose, config, say)
    return Trained(config, graph.eval(), {task.name: rules}, {task.name: constant})


def train_heads(trained: Trained, grids: Sequence[Grid], config: Config, say: Say) -> Trained:
    """Class heads trained anew; encoder and rate heads stay those of `trained`."""
    learned, choose = _windows(grids, config)
    graph = build_graph(config, trained.graph.encoder)
    graph.rates = trained.graph.rates
    _train_classes(graph, learned, choose, config, say)
    return Trained(config, graph.eval(), trained.rules, trained.constants)


def _training(grids: Sequence[Grid], config: Config) -> list[Grid]:
    """The grids of the people to train on."""
    held = {*config.split.test, *config.split.validation}
    subjects = sorted({g.subject for g in grids} - held)
    if not subjects:
        raise InputError("the split leaves no subject to train on")
    return of_subjects(grids, subjects)


def _windows(grids: Sequence[Grid], config: Config) -> tuple[Windows, Windows]:
    """Windows of training and of validation, with all classes in both."""
    learned = cut_windows(_training(grids, config), config, config.hop)
    choose = cut_windows(of_subjects(grids, config.split.validation), config, config.hop)
    for labelled in (t for t in config.tasks if t.kind == "class"):
        require_classes(learned, labelled, "training")
        require_classes(choose, labelled, "validation")
    return learned, choose


def _train_classes(
    graph: DeployGraph, learned: Windows, choose: Windows, config: Config, say: Say
) -> None:
    """Train the class heads of `graph`, in place, on what the rest of it finds."""
    classify.fit_statistics(graph, learned)
    for task in (t for t in config.tasks if t.kind == "class"):
        say(f"training {task.name} on the frozen encoder, {config.classify.steps} steps")
        graph.classes[task.name] = _class_head(graph, learned, choose, task, config)


def _evidence(
    graph: DeployGraph, known: Windows, task: TaskConfig, config: Config
) -> list[Evidence]:
    if not len(known):
        raise InputError(
            f"no window of the validation subjects has a {task.name} label to calibrate by"
        )
    rate = config.window.rate
    return [
        _read(graph, first_channel_missing(known, share, rate), task, share)
        for share in CALIBRATION_SHARES
    ]


@torch.no_grad()
def _read(graph: DeployGraph, windows: Windows, task: TaskConfig, missing: float) -> Evidence:
    graph.eval()
    head = graph.rates[task.name]
    batches = windows.batches()
    logits = torch.cat([head.mlp(graph.features(v, seen)[1]) for v, seen, *_ in batches])
    coverage = windows.coverage[:, 0]
    return Evidence(missing, logits, coverage, windows.targets[task.name])


def _silenced(windows: Windows, config: Config) -> Windows:
    """The windows with no pulse in their first channel, and no rate."""
    rng = np.random.default_rng(config.seed)
    values = windows.values.copy()
    count, _, samples = values.shape
    silent = pulseless(rng, count, samples, config.window.rate)
    values[:, 0] = np.where(windows.observed[:, 0], silent, 0)
    targets = {name: np.full(count, np.nan) for name in windows.targets}
    return replace(windows, values=values, targets=targets)


def _class_head(
    graph: DeployGraph, learned: Windows, choose: Windows, task: TaskConfig, config: Config
) -> ClassHead:
    known = learned.labelled(task.name)
    variants = classify.variants(graph, known, config)
    head = classify.train_head(
        variants, known.targets[task.name], known.subjects, task, config.classify, config.seed
    )
    held = choose.labelled(task.name)
    damaged = with_missing(held, config, config.seed)
    cases = [v for w in (held, damaged) for v in knowing(w).values()]
    logits = np.concatenate([classify.logits(head, classify.contexts(graph, w)) for w in cases])
    calibrate.fit_classes(head, logits, np.tile(held.targets[task.name], len(cases)))
    return head
