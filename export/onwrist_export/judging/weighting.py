"""Scores in which every subject counts the same, with intervals over subjects.

Cases in, one table of truth by answer for each subject out; every figure is a function of
the sum of these tables, so that a bootstrap draws subjects and adds their tables. Whatever
is computed with the same subjects and seed is paired. P subjects, K labels, R draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 2000


def even_weights(subjects: NDArray[np.str_]) -> Array:
    """Weight of each case (W,), 1 / (cases of its subject * subjects); they sum to 1."""
    _, who, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    return np.asarray(1 / (counts[who] * len(counts)), np.float64)


def by_subject(values: Array, subjects: NDArray[np.str_]) -> Array:
    """Mean of `values` (W, ...) over the cases of each subject, (P, ...), by sorted name."""
    names, who = np.unique(subjects, return_inverse=True)
    totals = np.zeros((len(names), *values.shape[1:]))
    np.add.at(totals, who, values)
    counts = np.bincount(who).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(totals / counts, np.float64)


def answer_tables(
    truth: NDArray[np.int64],
    answers: NDArray[np.int64],
    subjects: NDArray[np.str_],
    labels: int,
) -> Array:
    """Share of a subject's cases by truth (row) and answer, (P, K, K); each sums to 1."""
    cells = np.zeros((len(truth), labels, labels))
    cells[np.arange(len(truth)), truth, answers] = 1
    return by_subject(cells, subjects)


@dataclass(frozen=True, eq=False)
class Sampled:
    """A figure (...) of all subjects, and of each draw of subjects (R, ...)."""

    value: Array
    draws: Array

    def map(self, function: Callable[[Array], Array]) -> Sampled:
        """The same function of both; it works on the last axes."""
        return Sampled(function(self.value), function(self.draws))

    def interval(self) -> tuple[Array, Array]:
        """95 %, draws that have no value left out."""
        low, high = np.nanpercentile(self.draws, [2.5, 97.5], axis=0)
        return low, high


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval over draws of subjects."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0


def resampled(parts: Array, seed: int = 0, resamples: int = RESAMPLES) -> Sampled:
    """Means over subjects of `parts` (P, ...), of all and of draws with replacement."""
    people = len(parts)
    drawn = np.random.default_rng(seed).multinomial(people, [1 / people] * people, resamples)
    flat = parts.reshape(people, -1)
    draws = (drawn @ flat / people).reshape(resamples, *parts.shape[1:])
    return Sampled(parts.mean(axis=0), draws)


def estimates(sampled: Sampled) -> list[Estimate]:
    """One of each of the figures (M,)."""
    triples = zip(sampled.value, *sampled.interval(), strict=True)
    return [Estimate(float(v), float(a), float(b)) for v, a, b in triples]


def estimate(sampled: Sampled) -> Estimate:
    """Of a single figure."""
    low, high = sampled.interval()
    return Estimate(float(sampled.value), float(low), float(high))


def accuracy(table: Array) -> Array:
    """Share of right answers, of tables (..., K, K)."""
    return np.asarray(np.trace(table, axis1=-2, axis2=-1) / table.sum(axis=(-2, -1)))


def balanced_accuracy(table: Array) -> Array:
    """Mean recall of the labels that are there, of tables (..., K, K)."""
    right, true, _ = _sums(table)
    return _mean_where(right / np.where(true > 0, true, 1), true > 0)


def macro_f1(table: Array) -> Array:
    """Mean F1 of the labels that are there, of tables (..., K, K).

    An answer that is true of no case is no label to average over; it counts against the
    label that was missed.
    """
    right, true, said = _sums(table)
    return _mean_where(2 * right / np.where(true > 0, true + said, 1), true > 0)


def _sums(table: Array) -> tuple[Array, Array, Array]:
    return (
        np.asarray(np.diagonal(table, axis1=-2, axis2=-1)),
        np.asarray(table.sum(axis=-1)),
        np.asarray(table.sum(axis=-2)),
    )


def _mean_where(values: Array, there: NDArray[np.bool_]) -> Array:
    return np.asarray((values * there).sum(axis=-1) / there.sum(axis=-1))
