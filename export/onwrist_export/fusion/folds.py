"""Recordings in, evidence out: every person judged by models that never saw them.

Leave-one-subject-out: for each person all ways of fusing are trained on the others, and
asked about every subset of sensors. A fold is kept in a file of its own, so that an
interrupted run goes on, and several can share the folds. Beside it stands what a random
split of windows would have claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from onwrist.readers import read_all
from onwrist_export.fusion import cases, learn
from onwrist_export.fusion.baseline import Trees
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets
from onwrist_export.fusion.learn import Encoded, Merged
from onwrist_export.fusion.networks import Early
from onwrist_export.judging.trust import fit_temperature, probabilities
from onwrist_export.judging.weighting import even_weights
from onwrist_export.windows.grids import Grid, Windows, to_grid
from onwrist_runtime.errors import InputError

Say = Callable[[str], None]
Array = NDArray[np.float32]
Ask = Callable[[Windows], Array]  # logits of all tasks (W, L); NaN where it cannot say

LATE, UNCERTAIN = "late", "uncertainty-aware late"
HYBRID, RESTORED = "hybrid", "hybrid, restored"
ALONE = " alone"
MISSING = dict(zip(PARTIAL, (0.25, 0.5, 0.75), strict=True))
SPLITS = 3  # parts of a random split
OVERLAP = 22  # grid points between the windows of a random split: most of each is shared


@dataclass(frozen=True, eq=False)
class Cases:
    """The windows that are asked about, and the names of their recordings."""

    windows: Windows
    names: NDArray[np.str_]


def load(path: Path, config: FusionConfig) -> tuple[list[Grid], list[str]]:
    """Grids and names of all recordings under `path`.

    Raises
    ------
    InputError
        A recording names no subject, or there are fewer than three of them.
    """
    recordings = read_all(path)
    for recording in recordings:
        if recording.subject is None:
            raise InputError(
                f"recording {recording.name!r} names no subject; a fold leaves one out"
            )
    if len({recording.subject for recording in recordings}) < 3:
        raise InputError(f"{path}: leaving one subject out needs at least three")
    return [to_grid(r, config) for r in recordings], [r.name for r in recordings]


def cross_validate(
    path: Path,
    config: FusionConfig,
    folder: Path,
    say: Say,
    only: Iterable[str] | None = None,
) -> Evidence:
    """Evidence on every person by models trained on all others.

    Parameters
    ----------
    folder : where folds are kept; one that is there is not trained again.
    only : the people whose folds to train now, all if None.
    """
    grids, names = load(path, config)
    subjects = sorted({grid.subject for grid in grids})
    found = []
    for subject in subjects if only is None else only:
        file = folder / f"fold-{subject}.safetensors"
        if not file.exists():
            say(f"leaving out {subject}")
            learned = cases.drawable([g for g in grids if g.subject != subject], config)
            own = [(g, n) for g, n in zip(grids, names, strict=True) if g.subject == subject]
            asked = _asked([g for g, _ in own], [n for _, n in own], config)
            folder.mkdir(parents=True, exist_ok=True)
            evidence(_methods(learned, config, say), asked, config).save(file)
        found.append(Evidence.load(file))
    return _uncertain(_joined(found))


def leak(path: Path, config: FusionConfig, folder: Path, say: Say) -> Evidence:
    """Evidence of a split of windows, not people: neighbours lie on both sides of it."""
    file = folder / "leak.safetensors"
    if not file.exists():
        grids, names = load(path, config)
        windows, places = _every(grids, config, OVERLAP)
        every = Cases(windows, np.array(names)[places])
        part = np.random.default_rng(config.seed).integers(0, SPLITS, len(windows))
        config = config.with_fusion(fill="restored", stop_gradient=True)
        found = []
        for k in range(SPLITS):
            say(f"random split of windows, part {k + 1} of {SPLITS}")
            encoded = learn.encode(windows.select(part != k), config)
            merged = learn.fuse(encoded, windows.select(part != k), config)
            methods = {LATE: _late(encoded, config), RESTORED: _hybrid(merged, config)}
            asked = Cases(windows.select(part == k), every.names[part == k])
            found.append(evidence((methods, None), asked, config))
        folder.mkdir(parents=True, exist_ok=True)
        _joined(found).save(file)
    return Evidence.load(file)


def _asked(grids: Sequence[Grid], names: Sequence[str], config: FusionConfig) -> Cases:
    windows, places = cases.middle(grids, config)
    known = np.all([~np.isnan(target) for target in windows.targets.values()], axis=0)
    known &= cases.live(windows, config).any(axis=1)
    return Cases(windows.select(known), np.array(names)[places][known])


def _every(grids: Sequence[Grid], config: FusionConfig, hop: int) -> tuple[Windows, list[int]]:
    """All labelled windows and of which grid each is."""
    parts, places = [], []
    for place, grid in enumerate(grids):
        if grid.samples >= config.window.samples:
            windows = cases.labelled([grid], config, hop)
            parts.append(windows)
            places += [place] * len(windows)
    joined = Windows(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.observed for p in parts]),
        np.concatenate([p.elapsed for p in parts]),
        np.concatenate([p.subjects for p in parts]),
        {t.name: np.concatenate([p.targets[t.name] for p in parts]) for t in config.classes},
    )
    return joined, places


Methods = tuple[Mapping[str, Ask], Merged | None]


def _methods(learned: Windows, config: FusionConfig, say: Say) -> Methods:
    """All ways of fusing, trained on these windows, and the fusion whose attention is shown."""
    say("  encoders")
    encoded = learn.encode(learned, config)
    methods: dict[str, Ask] = {
        "boosted trees": Trees(learned, config).ask,
        "early": _early(learn.early(learned, config), config),
        LATE: _late(encoded, config),
        "late, zero-filled": _zero_filled(_late(encoded, config), config),
    }
    for k, sensor in enumerate(config.names):
        methods[sensor + ALONE] = _alone(encoded, k, config)
    plain = config.with_fusion(fill="none")
    shown = None
    for name, each in (
        (HYBRID, plain),
        ("hybrid, mask token", config.with_fusion(fill="mask")),
        ("hybrid, memory token", config.with_fusion(fill="memory")),
        (RESTORED, config.with_fusion(fill="restored", stop_gradient=True)),
        (
            "hybrid, restored, gradient not stopped",
            config.with_fusion(fill="restored", stop_gradient=False),
        ),
    ):
        say(f"  {name}")
        merged = learn.fuse(encoded, learned, each)
        methods[name] = _hybrid(merged, each)
        shown = merged if name == HYBRID else shown
    say("  hybrid, zero-filled")
    undropped = _with_dropout(plain, 0.0)
    merged = learn.fuse(encoded, learned, undropped, zero_filled=True)
    methods["hybrid, zero-filled"] = _zero_filled(_hybrid(merged, plain), plain)
    return methods, shown


def _with_dropout(config: FusionConfig, share: float) -> FusionConfig:
    """The same with this share of windows losing sensors in training."""
    fuse = msgspec.structs.replace(config.fuse, sensor_dropout=share)
    return msgspec.structs.replace(config, fuse=fuse)


def evidence(methods: Methods, asked: Cases, config: FusionConfig) -> Evidence:
    """What each method says of each case in all conditions."""
    ways, shown = methods
    windows, names = asked.windows, config.names
    available = cases.live(windows, config)
    conditions = {AS_RECORDED: windows}
    for condition, share in MISSING.items():
        conditions[condition] = cases.with_spans_missing(windows, share, config)
    for subset in subsets(names):
        which = np.array([name in subset for name in names])
        rows = np.flatnonzero((available | ~which).all(axis=1))
        conditions[named(subset)] = cases.given(windows.select(rows), which, config)
    found: dict[str, dict[str, dict[str, Array]]] = {}
    for name, ask in ways.items():
        found[name] = {}
        for condition, given in conditions.items():
            if name.endswith(ALONE) and condition not in (AS_RECORDED, *PARTIAL):
                continue
            logits = ask(given)
            if len(given) < len(windows):
                subset = condition.split("+")
                which = np.array([each in subset for each in names])
                rows = np.flatnonzero((available | ~which).all(axis=1))
                spread = np.full((len(windows), logits.shape[1]), np.nan, np.float32)
                spread[rows] = logits
                logits = spread
            found[name][condition] = _by_task(logits, config)
    return Evidence(
        sensors=names,
        labels={task.name: task.labels for task in config.classes},
        subjects=windows.subjects,
        cases=asked.names,
        available=available,
        truth={
            task.name: windows.targets[task.name].astype(np.int64) for task in config.classes
        },
        logits=found,
        weights={} if shown is None else {HYBRID: attention(shown, windows, config)},
    )


def _by_task(logits: Array, config: FusionConfig) -> dict[str, Array]:
    ends = np.cumsum([len(task.labels) for task in config.classes])[:-1]
    parts = np.split(logits, ends, axis=1)
    return {t.name: np.ascontiguousarray(p) for t, p in zip(config.classes, parts, strict=True)}


def _tensors(windows: Windows, config: FusionConfig) -> tuple[torch.Tensor, ...]:
    return (
        torch.from_numpy(windows.values),
        torch.from_numpy(windows.observed.astype(np.float32)),
        torch.from_numpy(cases.live(windows, config)),
    )


def _early(model: Early, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        return _silent(model(values, observed), live.any(dim=1))

    return ask


def _alone(encoded: Encoded, k: int, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        answers = encoded.late(encoded.encoders(values, observed, live))
        return _silent(answers[:, k], live[:, k])

    return ask


def _late(encoded: Encoded, config: FusionConfig) -> Ask:
    """The mean of what the sensors say, as probabilities."""

    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        answers = encoded.late(encoded.encoders(values, observed, live))
        parts = answers.split([len(task.labels) for task in config.classes], dim=2)
        shares = live.float() / live.sum(dim=1, keepdim=True).clamp(min=1)
        means = [(torch.softmax(p, 2) * shares[..., None]).sum(1) for p in parts]
        return _silent(torch.log(torch.cat(means, 1) + 1e-9), live.any(dim=1))

    return ask


def _hybrid(merged: Merged, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        sensed = merged.encoders(values, observed, live).flatten(1, 2)
        return _silent(merged.hybrid(sensed, live.float()).logits, live.any(dim=1))

    return ask


def _zero_filled(ask: Ask, config: FusionConfig) -> Ask:
    """The same for windows in which all is observed: zeros where it was not."""

    def filled(windows: Windows) -> Array:
        gone = ~cases.live(windows, config)
        observed = windows.observed.copy()
        for k, rows in enumerate(config.rows):
            observed[gone[:, k], rows] = True
        return ask(replace(windows, observed=observed))

    return filled


def _silent(logits: torch.Tensor, live: torch.Tensor) -> Array:
    """NaN where nothing is there."""
    return torch.where(live[:, None], logits.float(), torch.nan).numpy()


@torch.no_grad()
def attention(merged: Merged, windows: Windows, config: FusionConfig) -> Array:
    """How much each sensor attends to each other (W, S, S), NaN where one is not there."""
    values, observed, live = _tensors(windows, config)
    tokens = merged.encoders(values, observed, live)
    shares = merged.hybrid(tokens.flatten(1, 2), live.float()).shares
    each, sensors = tokens.shape[2], tokens.shape[1]
    blocks = shares.mean(1).unflatten(2, (sensors, each)).unflatten(1, (sensors, each))
    between = blocks.sum(-1).mean(2)  # (W, S, S): rows sum to 1
    both = live[:, :, None] & live[:, None]
    return torch.where(both, between, torch.nan).numpy().astype(np.float32)


def _joined(parts: Sequence[Evidence]) -> Evidence:
    first = parts[0]
    return Evidence(
        sensors=first.sensors,
        labels=first.labels,
        subjects=np.concatenate([p.subjects for p in parts]),
        cases=np.concatenate([p.cases for p in parts]),
        available=np.concatenate([p.available for p in parts]),
        truth={t: np.concatenate([p.truth[t] for p in parts]) for t in first.truth},
        logits={
            method: {
                condition: {
                    task: np.concatenate([p.logits[method][condition][task] for p in parts])
                    for task in tasks
                }
                for condition, tasks in conditions.items()
            }
            for method, conditions in first.logits.items()
        },
        weights={m: np.concatenate([p.weights[m] for p in parts]) for m in first.weights},
    )


def _uncertain(joined: Evidence) -> Evidence:
    """With late fusion by calibrated confidence, and without the sensors' own answers.

    A sensor's temperature is fitted on everybody but the person who is asked about.
    """
    logits = dict(joined.logits)
    alone = [logits.pop(sensor + ALONE) for sensor in joined.sensors]
    found: dict[str, dict[str, Array]] = {}
    for condition in logits[LATE]:
        source = condition if condition in (AS_RECORDED, *PARTIAL) else AS_RECORDED
        given = condition.split("+") if source != condition else joined.sensors
        found[condition] = {}
        for task, late in logits[LATE][condition].items():
            total = np.zeros(late.shape)
            for sensor, own in zip(joined.sensors, alone, strict=True):
                if sensor not in given:
                    continue
                sure = _calibrated(own[AS_RECORDED][task], own[source][task], joined, task)
                there = np.isfinite(sure).all(axis=1)
                total[there] += sure[there] * sure[there].max(axis=1, keepdims=True)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = total / total.sum(axis=1, keepdims=True)
                mean[np.isnan(late).any(axis=1)] = np.nan
                found[condition][task] = np.log(mean + 1e-9).astype(np.float32)
    ordered = {}
    for method, conditions in logits.items():
        ordered[method] = conditions
        if method == LATE:
            ordered[UNCERTAIN] = found
    return replace(joined, logits=ordered)


def _calibrated(
    fitted: Array, asked: Array, joined: Evidence, task: str
) -> NDArray[np.float64]:
    """Probabilities of `asked`, each person's by the temperature of all the others."""
    truth, found = joined.truth[task], np.full(asked.shape, np.nan)
    for subject in np.unique(joined.subjects):
        own = joined.subjects == subject
        known = ~own & np.isfinite(fitted).all(axis=1)
        temperature = fit_temperature(
            fitted[known], truth[known], even_weights(joined.subjects[known])
        )
        found[own] = probabilities(asked[own], temperature)
    return found
