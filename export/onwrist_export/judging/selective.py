"""Answer or abstain: risk against coverage, and thresholds chosen on other subjects.

Coverage is the share of cases that get an answer, risk the share of wrong ones among these
answers; both weighted. W cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_export.judging.weighting import Estimate, by_subject, estimate, resampled

Array = NDArray[np.float64]
NEVER = float("inf")


@dataclass(frozen=True, eq=False)
class Curve:
    """By threshold, the highest first: cases of the same confidence stand or fall together."""

    threshold: Array
    coverage: Array
    risk: Array

    @property
    def area(self) -> float:
        """AURC, the mean risk over all coverages (Geifman, Uziel and El-Yaniv 2019)."""
        return float(np.diff(self.coverage, prepend=0) @ self.risk)


def curve(confidence: Array, right: NDArray[np.bool_], weights: Array) -> Curve:
    """Risk at every coverage that some threshold gives."""
    order = np.argsort(-confidence, kind="stable")
    ordered, mass = confidence[order], weights[order].cumsum()
    wrong = (weights * ~right)[order].cumsum()
    last = np.append(ordered[1:] != ordered[:-1], True)
    return Curve(ordered[last], mass[last] / mass[-1], wrong[last] / mass[last])


def best_area(right: NDArray[np.bool_], weights: Array) -> float:
    """AURC of a confidence that puts every right answer before every wrong one."""
    order = np.argsort(~right, kind="stable")
    mass = weights[order]
    return float(mass @ ((mass * ~right[order]).cumsum() / mass.cumsum()) / mass.sum())


def threshold(
    confidence: Array, right: NDArray[np.bool_], weights: Array, wanted: float
) -> float:
    """The least confidence to answer from, so that most is answered at the wanted risk.

    Zero where all may be answered; infinite where no threshold gives that risk, so that
    nothing may be.
    """
    found = curve(confidence, right, weights)
    good = np.flatnonzero(found.risk <= wanted)
    if not len(good):
        return NEVER
    last = int(good[-1])
    return 0.0 if last == len(found.risk) - 1 else float(found.threshold[last])


@dataclass(frozen=True)
class Reached:
    """What thresholds for a wanted risk came to on subjects they were not chosen on."""

    wanted: float
    risk: Estimate
    coverage: Estimate


def reached(
    wanted: float,
    answered: NDArray[np.bool_],
    right: NDArray[np.bool_],
    subjects: NDArray[np.str_],
) -> Reached:
    """Risk is NaN where nothing was answered."""
    wrong = answered & ~right
    parts = resampled(by_subject(np.stack([wrong, answered], 1).astype(np.float64), subjects))

    def risk(sums: Array) -> Array:
        given = sums[..., 1]
        return np.where(given > 0, sums[..., 0] / np.where(given > 0, given, 1), np.nan)

    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    return Reached(
        wanted,
        estimate(parts.map(risk)) if answered.any() else nothing,
        estimate(parts.map(lambda sums: sums[..., 1])),
    )
