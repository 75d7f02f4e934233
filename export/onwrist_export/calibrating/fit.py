"""Answers of people in, one temperature and one least confidence by task and pattern out.

In every figure each person counts the same. What is fitted is one number, so that it holds
for few people too; whether a task answers at all is decided on people left out in turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from onwrist_export.calibrating.answers import Answers
from onwrist_export.judging.selective import threshold
from onwrist_export.judging.trust import (
    Bins,
    calibration_error,
    debiased_calibration_error,
    fit_temperature,
    floor,
    negative_log_likelihood,
)
from onwrist_export.judging.weighting import even_weights
from onwrist_export.learning.calibrate import ABSTENTION, MARGIN

Array = NDArray[np.float64]

LEAST_PEOPLE, LEAST_WINDOWS = 2, 30
LEAST_ANSWERED = 0.5  # share of windows that a class task answers, whatever the risk
COLDEST, HOTTEST = 0.25, 4.0  # few people could ask for anything
DIGITS = 3  # of a least confidence, rounded down


@dataclass(frozen=True)
class Fitted:
    """One task in one pattern; with a reason it abstains there, and the numbers are None."""

    task: str
    sensors: tuple[str, ...]
    temperature: float | None
    minimum: float | None
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """How honest a fitted task is on some people; all weighted.

    Attributes
    ----------
    answered, risk : share of windows with an answer, and of wrong ones among these.
    said, right : mean confidence, and share of right answers, of all windows.
    error, debiased, floor : ECE, the same less what chance adds, and what the latter is for
        a perfectly calibrated model (see `judging.trust`).
    """

    people: int
    windows: int
    answered: float
    risk: float
    said: float
    right: float
    error: float
    debiased: float
    floor: float


def fit(task: str, sensors: tuple[str, ...], answers: Answers | None, risk: float) -> Fitted:
    """Temperature and least confidence of a task in a pattern, or why there are none.

    Parameters
    ----------
    risk : of a class task, the share of wrong answers that is wanted at most.
    """
    lack = _lack(answers)
    if lack or answers is None:
        return Fitted(task, sensors, None, None, lack)
    reason = _no_better(answers)
    if reason:
        return Fitted(task, sensors, None, None, reason)
    weights = even_weights(answers.subjects)
    temperature = cautious(answers)
    confidence, right = said(answers, temperature)
    if answers.rate:
        least = _rate_threshold(confidence, answers.missing, weights)
    else:
        half = _quantile(confidence, weights, 1 - LEAST_ANSWERED)
        least = min(threshold(confidence, right, weights, risk), half)
    minimum = math.floor(least * 10**DIGITS) / 10**DIGITS
    return Fitted(task, sensors, temperature, minimum)


def cautious(answers: Answers) -> float:
    """The highest of the temperatures that are fitted without each person in turn.

    Few people ask for one temperature together and for others each: whoever comes next must
    not be told more than any of them would have been.
    """
    each = []
    for person in answers.people:
        others = answers.select(answers.subjects != person)
        each.append(bounded(others, even_weights(others.subjects)))
    return max(each)


def bounded(answers: Answers, weights: Array) -> float:
    """The temperature of least negative log-likelihood within bounds.

    Of a rate it is never below 1: where a rate is labelled the signal is clean, and right
    answers there are no reason to be surer everywhere.
    """
    best = fit_temperature(answers.logits, answers.truth, weights)
    return float(np.clip(best, 1.0 if answers.rate else COLDEST, HOTTEST))


def judge(answers: Answers, fitted: Fitted) -> Judged:
    """A task that was fitted, on any people."""
    assert fitted.temperature is not None
    assert fitted.minimum is not None
    weights = even_weights(answers.subjects)
    confidence, right = said(answers, fitted.temperature)
    given = weights * (confidence >= fitted.minimum)
    bins = Bins.of(confidence, weights)
    accuracy = bins.accuracy(right)
    return Judged(
        people=len(answers.people),
        windows=len(answers),
        answered=float(given.sum()),
        risk=float(given @ ~right / given.sum()) if given.any() else float("nan"),
        said=float(weights @ confidence),
        right=float(weights @ right),
        error=float(calibration_error(bins, accuracy)),
        debiased=float(debiased_calibration_error(bins, accuracy)),
        floor=floor(confidence, weights).mean,
    )


def said(answers: Answers, temperature: float) -> tuple[Array, NDArray[np.bool_]]:
    """Confidence (W,), and which answers are right."""
    probability = softmax(answers.logits / temperature, axis=1)
    if answers.rate:
        return probability[:, 1], answers.truth == 1
    return probability.max(axis=1), probability.argmax(axis=1) == answers.truth


def _no_better(answers: Answers) -> str:
    """Why an answer would be no better than one without a sensor; empty if it is."""
    own, plain = left_out(answers)
    if own < plain:
        return ""
    if answers.rate:
        return f"its error {own:.2f} is not below the {plain:.2f} of a constant"
    return (
        f"its negative log-likelihood {own:.3f} is not below the {plain:.3f} of how often each "
        "label comes"
    )


def left_out(answers: Answers) -> tuple[float, float]:
    """Loss on each person by what the others gave, with the sensors and without; mean.

    Of a rate the mean absolute error, beside that of the mean rate of the others; of a class
    task the negative log-likelihood at their temperature, and by how often their labels come.
    """
    own, plain = [], []
    for person in answers.people:
        out = answers.subjects == person
        others, left = answers.select(~out), answers.select(out)
        weights, alike = even_weights(others.subjects), np.ones(len(left))
        if answers.rate:
            own.append(np.abs(left.value - left.target).mean())
            plain.append(np.abs(weights @ others.target - left.target).mean())
            continue
        temperature = bounded(others, weights)
        own.append(negative_log_likelihood(left.logits, left.truth, alike, temperature))
        labels = answers.logits.shape[1]
        shares = np.array([weights[others.truth == k].sum() for k in range(labels)])
        # A label that the others lack is possible all the same: one more window has it.
        shares = (shares * len(others) + 1 / labels) / (len(others) + 1)
        logits = np.tile(np.log(shares), (len(left), 1))
        plain.append(negative_log_likelihood(logits, left.truth, alike))
    return float(np.mean(own)), float(np.mean(plain))


def _lack(answers: Answers | None) -> str:
    """What is missing to fit anything; empty if nothing is."""
    if answers is None or not len(answers):
        return "no labelled window"
    if len(answers.people) < LEAST_PEOPLE:
        return f"labelled windows of {len(answers.people)} person only"
    if len(answers) < LEAST_WINDOWS:
        return f"{len(answers)} labelled windows only"
    if answers.rate and not answers.truth.any():
        return "no rate is within the tolerance"
    if not answers.rate and len(np.unique(answers.truth)) < 2:
        return "windows of one label only"
    return ""


def _rate_threshold(confidence: Array, missing: Array, weights: Array) -> float:
    """The rule of `learning.calibrate`: at each missing share, so many may go unanswered."""
    found = [
        _quantile(confidence[missing == share], weights[missing == share], MARGIN * most)
        for share, most in ABSTENTION.items()
        if (missing == share).any()
    ]
    return min(found)


def _quantile(values: Array, weights: Array, share: float) -> float:
    """The least value below which at most this share of the weight lies."""
    order = np.argsort(values, kind="stable")
    below = weights[order].cumsum() - weights[order]
    within = np.flatnonzero(below <= share * weights.sum())
    return float(values[order][within[-1]])
