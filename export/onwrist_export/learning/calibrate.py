"""What makes an output honest, fitted on validation subjects only.

For a rate: how sharply its distribution is read, the weights that turn it into
P(error <= tolerance), the coverage below which it is no better than a constant, and the
confidence below which it abstains. For classes: temperature and bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from onwrist_export.model.heads import ClassHead, RateHead
from onwrist_runtime.errors import InputError

SHARPNESS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
# Share of samples missing in spans -> share of windows that may go unanswered.
ABSTENTION = {0.0: 0.05, 0.25: 0.10, 0.50: 0.20, 0.75: 0.40}
MARGIN = 0.7  # validation may use this part of ABSTENTION; new people differ


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rate logits (W, bins), coverage (W,) and truth (W,) with `missing` of the ppg gone."""

    missing: float
    logits: Tensor
    coverage: NDArray[np.float64]
    true: NDArray[np.float64]

    def values(self, head: RateHead) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Value and confidence (W,) that `head` gives now."""
        with torch.no_grad():
            coverage = torch.from_numpy(self.coverage).float()[:, None]
            value, _, confidence = head.read(self.logits, coverage)
        return value[:, 0].double().numpy(), confidence[:, 0].double().numpy()


@dataclass(frozen=True)
class RateRules:
    """When a rate is given: least coverage of its channel, and least confidence."""

    coverage: float
    confidence: float


def fit_rate(
    head: RateHead, evidence: list[Evidence], constant: float, pulseless: Evidence | None = None
) -> RateRules:
    """Calibrate `head` in place on evidence at several missing shares.

    Parameters
    ----------
    evidence : on validation subjects; those whose `missing` is in `ABSTENTION` decide
        the confidence threshold, all decide the rest.
    constant : what a predictor without a sensor would say (the mean of training).
    pulseless : windows without a rate, whose truth is NaN: whatever is said is wrong.

    Raises
    ------
    InputError
        All that is said is right, or all is wrong.
    """

    def error(e: Evidence) -> float:
        return float(np.abs(e.values(head)[0] - e.true).mean())

    def total(sharpness: float) -> float:
        head.sharpness.fill_(sharpness)
        return sum(error(e) for e in evidence if e.missing in ABSTENTION)

    head.sharpness.fill_(min(SHARPNESS, key=total))
    _fit_trust(head, [*evidence, pulseless] if pulseless else evidence)

    useless = [
        float(e.coverage.max())
        for e in evidence
        if error(e) >= np.abs(constant - e.true).mean()
    ]
    coverage = round(max(useless, default=0.0) + 0.02, 2)
    thresholds = [
        float(np.quantile(e.values(head)[1], MARGIN * ABSTENTION[e.missing]))
        for e in evidence
        if e.missing in ABSTENTION
    ]
    return RateRules(coverage, round(min(thresholds), 3))


def _fit_trust(head: RateHead, evidence: list[Evidence]) -> None:
    rows, right = [], []
    for e in evidence:
        with torch.no_grad():
            value, odds = head.evidence(e.logits)
        rows.append(np.column_stack([odds[:, 0].double().numpy(), e.coverage]))
        right.append(np.abs(value[:, 0].double().numpy() - e.true) <= head.tolerance)
    hits = np.concatenate(right)
    if hits.all() or not hits.any():
        raise InputError(
            f"{'every' if hits.all() else 'no'} rate of the validation subjects is within the "
            f"tolerance of {head.tolerance:g}, so that no confidence can be fitted: train "
            "longer, or change the tolerance"
        )
    fit = LogisticRegression().fit(np.concatenate(rows), hits)
    head.trust.copy_(torch.tensor([*fit.coef_[0], *fit.intercept_]))


def fit_classes(
    head: ClassHead, logits: NDArray[np.float64], true: NDArray[np.float64]
) -> None:
    """Set temperature and bias of a two-class `head` from its logits (W, 2) and truth."""
    margin = (logits[:, 1] - logits[:, 0])[:, None]
    fit = LogisticRegression().fit(margin, true)
    slope, bias = max(float(fit.coef_[0, 0]), 1e-3), float(fit.intercept_[0])
    head.inverse_temperature.fill_(slope)
    with torch.no_grad():
        head.mlp.out.bias[1] += bias / slope
