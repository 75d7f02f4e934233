"""Outputs of the graph and coverage in, one result for each task out.

This is where a model abstains: below what the manifest asks of coverage or confidence
there is no value and no label, and the reason is given in words.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import Manifest, Task
from onwrist_runtime.prediction import TaskResult


def decide(
    manifest: Manifest,
    outputs: Mapping[str, NDArray[np.float32]] | None,
    coverage: Mapping[str, float],
) -> dict[str, TaskResult]:
    """The result of every task of a bundle on one window.

    Parameters
    ----------
    manifest : says what each task needs.
    outputs : outputs of the graph by name; None where nothing was observed, or too little
        for a token.
    coverage : share of observed grid points by channel.
    """
    results = {}
    for task in manifest.tasks:
        if outputs is None:
            little = "too little" if any(coverage.values()) else "nothing"
            results[task.name] = _abstained(task, None, f"{little} was observed")
            continue
        reason = _lack_of_coverage(task, coverage)
        if reason is not None:
            results[task.name] = _abstained(task, None, reason)
            continue
        numbers = outputs[task.name][0].tolist()
        results[task.name] = (
            _regression(task, numbers)
            if task.kind == "regression"
            else _classification(task, numbers)
        )
    return results


def _regression(task: Task, numbers: list[float]) -> TaskResult:
    value, confidence = numbers
    if not confidence >= task.minimum_confidence:
        return _unsure(task, confidence)
    return TaskResult(value, task.unit, None, None, confidence, False, None)


def _classification(task: Task, numbers: list[float]) -> TaskResult:
    confidence = max(numbers)
    if not confidence >= task.minimum_confidence:
        return _unsure(task, confidence)
    label = task.labels[numbers.index(confidence)]
    probabilities = dict(zip(task.labels, numbers, strict=True))
    return TaskResult(None, None, label, probabilities, confidence, False, None)


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


def _unsure(task: Task, confidence: float) -> TaskResult:
    reason = _below("confidence", confidence, task.minimum_confidence)
    return _abstained(task, confidence, reason)


def _abstained(task: Task, confidence: float | None, reason: str) -> TaskResult:
    return TaskResult(None, task.unit, None, None, confidence, True, reason)


def _below(what: str, value: float, least: float) -> str:
    """As many digits as it takes to see that the one is below the other."""
    digits = next(d for d in (2, 4, 9) if d == 9 or f"{value:.{d}f}" != f"{least:.{d}f}")
    return f"{what} {value:.{digits}f} is below {least:.{digits}f}"
