"""Outputs of the graph and coverage in, one result for each task and sensor out.

This is where a model abstains: below what the manifest asks of coverage or confidence
there is no value and no label, and the reason is given in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.availability import Patterns, Situation
from onwrist_runtime.manifest import WEIGHTS, Manifest, Pattern, Task
from onwrist_runtime.prediction import SensorState, TaskResult

NOTHING_OBSERVED = "nothing was observed"
_WHOLE = SensorState(1.0, True, None, None)  # as most are


def decide(
    manifest: Manifest,
    outputs: Mapping[str, NDArray[np.float32]] | None,
    coverage: Mapping[str, float],
    pattern: Pattern | None = None,
    doubted: bool = False,
) -> dict[str, TaskResult]:
    """The result of every task of a bundle on one window.

    Parameters
    ----------
    manifest : says what each task needs.
    outputs : outputs of the graph by name; None where nothing was observed, or too little
        for a token or a live sensor.
    coverage : share of observed grid points by channel.
    pattern : of the sensors that are live, in a bundle with `availability`.
    doubted : whether some sensor is not believed.
    """
    results = {}
    for task in manifest.tasks:
        if outputs is None:
            results[task.name] = _abstained(task, None, _not_run(coverage, doubted))
            continue
        reason = _lack_of_coverage(task, coverage)
        if reason is None and pattern is not None and task.name not in pattern.temperatures:
            reason = _not_calibrated(pattern, manifest)
        if reason is not None:
            results[task.name] = _abstained(task, None, reason)
            continue
        numbers = outputs[task.name][0].tolist()
        results[task.name] = (
            _regression(task, numbers, pattern)
            if task.kind == "regression"
            else _classification(task, numbers, pattern)
        )
    return results


def states(
    patterns: Patterns,
    situation: Situation,
    outputs: Mapping[str, NDArray[np.float32]] | None,
) -> dict[str, SensorState]:
    """What became of every sensor in a window."""
    weights = None
    if outputs is not None and WEIGHTS in outputs:
        weights = outputs[WEIGHTS][0].tolist()
    found = {}
    for k, (name, share, live) in enumerate(
        zip(patterns.sensors, situation.sensors, situation.live, strict=True)
    ):
        weight = None if weights is None else weights[k]
        if live and share == 1 and weight is None:
            found[name] = _WHOLE
            continue
        reason = situation.left_out.get(name)
        if share == 0:
            reason = NOTHING_OBSERVED
        elif share < patterns.least:
            reason = _below("coverage", share, patterns.least)
        found[name] = SensorState(share, live, weight, reason)
    return found


def _regression(task: Task, numbers: list[float], pattern: Pattern | None) -> TaskResult:
    value, confidence = numbers
    if not confidence >= _least_confidence(task, pattern):
        return _unsure(task, confidence, pattern)
    return TaskResult(value, task.unit, None, None, confidence, False, None)


def _classification(task: Task, numbers: list[float], pattern: Pattern | None) -> TaskResult:
    confidence = max(numbers)
    if not confidence >= _least_confidence(task, pattern):
        return _unsure(task, confidence, pattern)
    label = task.labels[numbers.index(confidence)]
    probabilities = dict(zip(task.labels, numbers, strict=True))
    return TaskResult(None, None, label, probabilities, confidence, False, None)


def _not_run(coverage: Mapping[str, float], doubted: bool) -> str:
    if doubted:
        return "too little of what was observed can be believed"
    return "too little was observed" if any(coverage.values()) else NOTHING_OBSERVED


def _lack_of_coverage(task: Task, coverage: Mapping[str, float]) -> str | None:
    short = [c for c, least in task.required.items() if coverage[c] < least]
    if short:
        return " and ".join(
            f"{channel} {_below('coverage', coverage[channel], task.required[channel])}"
            for channel in short
        )
    if task.any_of and all(coverage[c] < least for c, least in task.any_of.items()):
        return "too little of all of: " + ", ".join(
            f"{channel} {_below('coverage', coverage[channel], least)}"
            for channel, least in task.any_of.items()
        )
    return None


def _least_confidence(task: Task, pattern: Pattern | None) -> float:
    return task.minimum_confidence if pattern is None else pattern.minimum_confidence[task.name]


def _not_calibrated(pattern: Pattern, manifest: Manifest) -> str:
    if not pattern.sensors:
        return "too little was observed"
    alone = "" if pattern.sensors == manifest.sensors else " alone"
    return f"not calibrated for {_listed(pattern.sensors)}{alone}"


def _unsure(task: Task, confidence: float, pattern: Pattern | None) -> TaskResult:
    reason = _below("confidence", confidence, _least_confidence(task, pattern))
    if pattern is not None:
        ask = "asks" if len(pattern.sensors) == 1 else "ask"
        reason += f", which {_listed(pattern.sensors)} {ask} for"
    return _abstained(task, confidence, reason)


def _abstained(task: Task, confidence: float | None, reason: str) -> TaskResult:
    return TaskResult(None, task.unit, None, None, confidence, True, reason)


def _listed(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _below(what: str, value: float, least: float) -> str:
    """As many digits as it takes to see that the one is below the other."""
    digits = next(d for d in (2, 4, 9) if d == 9 or f"{value:.{d}f}" != f"{least:.{d}f}")
    return f"{what} {value:.{digits}f} is below {least:.{digits}f}"
