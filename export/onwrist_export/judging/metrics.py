"""Errors and scores by subject, with bootstrap intervals over subjects.

People, not windows, are the independent unit: neighbouring windows of one person are
nearly the same window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Array = NDArray[np.float64]
RESAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """A figure over all windows, its mean over subjects with a 95 % interval, and each."""

    pooled: float
    mean: float
    interval: tuple[float, float]
    by_subject: dict[str, float]
    windows: int


def mean_absolute_error(predicted: Array, true: Array) -> float:
    """Mean of |predicted - true|; NaN over nothing."""
    return float(np.abs(predicted - true).mean()) if len(true) else float("nan")


def area_under_roc(score: Array, true: Array) -> float:
    """AUROC of `score` for true 0 or 1; NaN when only one class is there."""
    if len(np.unique(true)) < 2:
        return float("nan")
    return float(roc_auc_score(true, score))


def by_subject(
    metric: Callable[[Array, Array], float],
    predicted: Array,
    true: Array,
    subjects: NDArray[np.str_],
    seed: int = 0,
) -> Score:
    """`metric` pooled and by subject; subjects for whom it is undefined are left out."""
    each = {
        s: metric(predicted[subjects == s], true[subjects == s]) for s in np.unique(subjects)
    }
    defined = {str(s): value for s, value in each.items() if np.isfinite(value)}
    values = np.array(list(defined.values()))
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Score(
        metric(predicted, true),
        float(values.mean()),
        (float(low), float(high)),
        defined,
        len(true),
    )
