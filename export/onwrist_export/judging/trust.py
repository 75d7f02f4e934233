"""Whether confidence means what it says: temperature, calibration error and its floor.

Logits (W, K), truth (W,) and the weight of each case (W,) in, figures out. Confidence is
the probability of the label that is answered. W cases, K labels, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import erf, log_softmax, softmax

Array = NDArray[np.float64]
BINS = 10
SIMULATIONS = 1000
ALLOWED = 0.03  # debiased ECE above the mean of the floor
# Beyond these a model is as good as always sure, or as good as never.
COLDEST, HOTTEST = 0.05, 20.0


def probabilities(logits: NDArray[np.floating], temperature: float | Array = 1.0) -> Array:
    """Softmax of logits / temperature, which is one number or one of each case (W,)."""
    return np.asarray(softmax(_scaled(logits, temperature), axis=-1))


def fit_temperature(
    logits: NDArray[np.floating], truth: NDArray[np.int64], weights: Array
) -> float:
    """The temperature with the least weighted negative log-likelihood (Guo et al. 2017).

    The likelihood is convex in 1 / temperature, so that a bounded search finds the only
    minimum; between 0.05 and 20.
    """

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(logits, truth, weights, float(np.exp(logarithm)))

    bounds = float(np.log(COLDEST)), float(np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def negative_log_likelihood(
    logits: NDArray[np.floating],
    truth: NDArray[np.int64],
    weights: Array,
    temperature: float | Array = 1.0,
) -> float:
    """Weighted mean of -log P(truth), nats."""
    logs = log_softmax(_scaled(logits, temperature), axis=-1)
    return float(-(weights @ logs[np.arange(len(truth)), truth]) / weights.sum())


def brier(probability: Array, truth: NDArray[np.int64], weights: Array) -> float:
    """Weighted mean squared distance of probabilities from the truth, 0 to 2 (Brier 1950)."""
    wrong = probability.copy()
    wrong[np.arange(len(truth)), truth] -= 1
    return float(weights @ (wrong**2).sum(axis=-1) / weights.sum())


@dataclass(frozen=True, eq=False)
class Bins:
    """Cases of like confidence together.

    Attributes
    ----------
    share : (B, W) of each case in its bin; rows sum to 1.
    mass : (B,) share of all weight; sums to 1.
    confidence : (B,) weighted mean.
    cases : (B,) how many.
    """

    share: Array
    mass: Array
    confidence: Array
    cases: NDArray[np.int64]

    @classmethod
    def of(cls, confidence: Array, weights: Array, count: int = BINS) -> Bins:
        """At most `count` bins of equal weight.

        Equal weight rather than equal width, because the estimate is less biased (Roelofs
        et al. 2022), and because bins of equal width leave most of a few hundred cases in
        one of them and a handful in others.
        """
        order = np.argsort(confidence, kind="stable")
        total = weights[order].cumsum()
        # A case belongs where the middle of its weight lies.
        middle = (total - weights[order] / 2) / total[-1]
        place = np.empty(len(order), np.int64)
        place[order] = np.minimum((middle * count).astype(np.int64), count - 1)
        held = place == np.unique(place)[:, np.newaxis]
        mass = held @ weights
        share = held * weights / mass[:, np.newaxis]
        return cls(share, mass / mass.sum(), share @ confidence, held.sum(axis=1))

    def accuracy(self, right: NDArray[np.bool_] | Array) -> Array:
        """Weighted share (..., B) of right answers in each bin, of `right` (..., W)."""
        return np.asarray(right @ self.share.T, np.float64)

    def spread(self, accuracy: Array) -> Array:
        """Standard deviation of a bin's accuracy (..., B), from its weights."""
        variance = np.clip(accuracy * (1 - accuracy), 0, None)  # 1 may be 1 + 2e-16 by rounding
        return np.asarray(np.sqrt(variance * (self.share**2).sum(axis=1)))


def calibration_error(bins: Bins, accuracy: Array) -> Array:
    """ECE: weighted mean of |accuracy - confidence| over bins (..., B)."""
    return np.asarray(np.abs(accuracy - bins.confidence) @ bins.mass)


def debiased_calibration_error(bins: Bins, accuracy: Array) -> Array:
    """ECE less what chance adds to it; around nothing it may be negative.

    The estimator of Kumar, Liang and Ma, "Verified Uncertainty Calibration", 2019 (their
    library's `normal_debiased_ce`): what ECE gains, if each bin's accuracy is drawn anew
    from a normal distribution around the one observed, is taken off. They draw; the mean
    of a folded normal distribution gives the same in closed form.
    """
    off = accuracy - bins.confidence
    spread = bins.spread(accuracy)
    sure = np.where(spread > 0, spread, 1)
    folded = sure * np.sqrt(2 / np.pi) * np.exp(-(off**2) / (2 * sure**2)) + off * erf(
        off / (sure * np.sqrt(2))
    )
    drawn = np.where(spread > 0, folded, np.abs(off))
    return np.asarray((2 * np.abs(off) - drawn) @ bins.mass)


@dataclass(frozen=True)
class Floor:
    """Debiased ECE of a perfectly calibrated model with these confidences and weights.

    Attributes
    ----------
    highest : 95 % of simulations are below.
    beyond : share of simulations that are more than `ALLOWED` above the mean.
    """

    mean: float
    highest: float
    beyond: float


def floor(confidence: Array, weights: Array, seed: int = 0) -> Floor:
    """Simulate answers that are right with the probability that they claim."""
    bins = Bins.of(confidence, weights)
    right = np.random.default_rng(seed).random((SIMULATIONS, len(confidence))) < confidence
    errors = debiased_calibration_error(bins, bins.accuracy(right))
    mean = float(errors.mean())
    return Floor(
        mean, float(np.quantile(errors, 0.95)), float((errors > mean + ALLOWED).mean())
    )


@dataclass(frozen=True)
class Trust:
    """Calibration of one method in one condition; all weighted.

    Attributes
    ----------
    said, right : mean confidence and accuracy.
    above_floor : debiased ECE less the mean of the floor.
    """

    cases: int
    people: int
    said: float
    right: float
    error: float
    debiased: float
    floor: Floor
    likelihood: float
    brier: float

    @property
    def above_floor(self) -> float:
        return self.debiased - self.floor.mean


def judge(
    logits: NDArray[np.floating],
    truth: NDArray[np.int64],
    subjects: NDArray[np.str_],
    weights: Array,
    temperature: float | Array,
) -> Trust:
    """Everything about the confidence of these cases."""
    probability = probabilities(logits, temperature)
    confidence = probability.max(axis=-1)
    right = probability.argmax(axis=-1) == truth
    bins = Bins.of(confidence, weights)
    accuracy = bins.accuracy(right)
    return Trust(
        cases=len(truth),
        people=len(np.unique(subjects)),
        said=float(weights @ confidence / weights.sum()),
        right=float(weights @ right / weights.sum()),
        error=float(calibration_error(bins, accuracy)),
        debiased=float(debiased_calibration_error(bins, accuracy)),
        floor=floor(confidence, weights),
        likelihood=negative_log_likelihood(logits, truth, weights, temperature),
        brier=brier(probability, truth, weights),
    )


def _scaled(logits: NDArray[np.floating], temperature: float | Array) -> Array:
    wide = np.asarray(logits, np.float64)
    each = np.asarray(temperature, np.float64)
    return np.asarray(wide / (each[:, np.newaxis] if each.ndim else each))
