"""Recordings in, evidence out: every person judged by models that never saw them.

Leave-one-subject-out: for each person all ways of fusing are trained on the others, and
asked about every subset of sensors. A fold is kept in a file of its own, so that an
interrupted run goes on. Beside it stands what a random split of windows would have claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import read_all
from onwrist_export.fusion import cases, learn, methods
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL, Evidence, named, subsets
from onwrist_export.fusion.methods import (
    ALONE,
    HYBRID,
    LATE,
    RESTORED,
    UNCERTAIN,
    Array,
    Methods,
    Say,
)
from onwrist_export.judging.trust import fit_temperature, probabilities
from onwrist_export.judging.weighting import even_weights
from onwrist_export.windows.grids import Grid, Windows, to_grid
from onwrist_runtime.errors import InputError

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


def cross_validate(path: Path, config: FusionConfig, folder: Path, say: Say) -> Evidence:
    """Evidence on every person by models trained on all others.

    Parameters
    ----------
    folder : where folds are kept; one that is there is not trained again.
    """
    grids, names = load(path, config)
    found = []
    for subject in sorted({grid.subject for grid in grids}):
        file = folder / f"fold-{subject}.safetensors"
        if not file.exists():
            say(f"leaving out {subject}")
            learned = cases.drawable([g for g in grids if g.subject != subject], config)
            own = [(g, n) for g, n in zip(grids, names, strict=True) if g.subject == subject]
            windows, places = cases.middle([g for g, _ in own], config)
            asked = _known(windows, places, [n for _, n in own], config)
            folder.mkdir(parents=True, exist_ok=True)
            evidence(methods.trained(learned, config, say), asked, config).save(file)
        found.append(Evidence.load(file))
    return _uncertain(_joined(found))


def leak(path: Path, config: FusionConfig, folder: Path, say: Say) -> Evidence:
    """Evidence of a split of windows, not people: neighbours lie on both sides of it."""
    file = folder / "leak.safetensors"
    if not file.exists():
        grids, names = load(path, config)
        every = _known(*cases.every(grids, config, OVERLAP), names, config)
        windows = every.windows
        part = np.random.default_rng(config.seed).integers(0, SPLITS, len(windows))
        config = config.with_fusion(fill="restored", stop_gradient=True)
        found = []
        for k in range(SPLITS):
            say(f"random split of windows, part {k + 1} of {SPLITS}")
            encoded = learn.encode(windows.select(part != k), config)
            merged = learn.fuse(encoded, windows.select(part != k), config)
            ways = {
                LATE: methods.late(encoded, config),
                RESTORED: methods.hybrid(merged, config),
            }
            asked = Cases(windows.select(part == k), every.names[part == k])
            found.append(evidence((ways, None), asked, config))
        folder.mkdir(parents=True, exist_ok=True)
        _joined(found).save(file)
    return Evidence.load(file)


def _known(
    windows: Windows, places: Sequence[int], names: Sequence[str], config: FusionConfig
) -> Cases:
    """Those that are labelled and have a sensor; `places` tells of which recording each is."""
    known = np.all([~np.isnan(target) for target in windows.targets.values()], axis=0)
    known &= cases.live(windows, config).any(axis=1)
    return Cases(windows.select(known), np.array(names)[places][known])


def evidence(trained: Methods, asked: Cases, config: FusionConfig) -> Evidence:
    """What each method says of each case in all conditions."""
    ways, shown = trained
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
        weights={} if shown is None else {HYBRID: methods.attention(shown, windows, config)},
    )


def _by_task(logits: Array, config: FusionConfig) -> dict[str, Array]:
    ends = np.cumsum([len(task.labels) for task in config.classes])[:-1]
    parts = np.split(logits, ends, axis=1)
    return {t.name: np.ascontiguousarray(p) for t, p in zip(config.classes, parts, strict=True)}


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
