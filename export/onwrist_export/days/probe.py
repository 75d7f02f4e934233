"""The probe: active minutes of the hour after a day, read from its frozen embedding.

People by minute and a trained encoder in; a head that gives a value and the calibrated
probability of its being right out, with what it reached on people it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from onwrist.readers.fitbit_grid import Person
from onwrist_export.days import masks, run
from onwrist_export.days.config import DayConfig, Probe
from onwrist_export.model.heads import MLP
from onwrist_export.model.lsm2 import DAY, LSM2
from onwrist_runtime.errors import InputError

EVERY = 120  # minutes from one example of a person to the next
FOLDS = 5
# Below even odds an answer is more likely wrong than right.
LEAST_CONFIDENCE = 0.5


class ProbeHead(nn.Module):
    """Embedding (B, E) in, value in minutes and confidence (B, 2) out.

    Attributes
    ----------
    trust : (2,) factor and offset of the confidence's log-odds, fitted on other people.
    """

    def __init__(self, inputs: int, probe: Probe) -> None:
        super().__init__()
        self.most, self.tolerance = float(probe.minutes), probe.tolerance
        self.mlp = MLP(inputs, probe.hidden, 2, dropout=0.1)
        self.register_buffer("trust", torch.tensor([1.0, 0.0]))

    def read(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Value in minutes, and log-odds of its being within the tolerance before trust."""
        out = self.mlp(embedding)
        return (out[:, :1] * self.tolerance).clamp(0.0, self.most), out[:, 1:]

    def forward(self, embedding: Tensor) -> Tensor:
        value, odds = self.read(embedding)
        confidence = torch.sigmoid(odds * self.trust[0] + self.trust[1])
        return torch.cat([value, confidence], 1)

    def loss(self, embedding: Tensor, truth: Tensor) -> Tensor:
        """Absolute error in tolerances, and cross-entropy of being right; truth (B, 1)."""
        value, odds = self.mlp(embedding).split(1, 1)
        off = (value - truth / self.tolerance).abs()
        right = (off.detach() <= 1.0).float()
        return off.mean() + F.binary_cross_entropy_with_logits(odds, right)


@dataclass(frozen=True, eq=False)
class Examples:
    """Embeddings (n, E), active minutes that followed (n, 1), whose, and which masked (n,)."""

    embeddings: Tensor
    truth: Tensor
    subjects: NDArray[np.str_]
    masked: NDArray[np.bool_]

    def of(self, chosen: NDArray[np.bool_]) -> Examples:
        """Some of them."""
        rows = torch.from_numpy(chosen)
        return Examples(
            self.embeddings[rows], self.truth[rows], self.subjects[chosen], self.masked[chosen]
        )


def examples(people: Sequence[Person], model: LSM2, config: DayConfig, seed: int) -> Examples:
    """One every two hours of every person, as it is and once more with an artificial mask.

    Raises
    ------
    InputError
        There is no hour with known activity after another.
    """
    probe, draw = config.probe, torch.Generator().manual_seed(seed)
    channel = config.row(probe.channel)
    days: list[NDArray[np.float32]] = []
    minute, truth, subjects = [], [], []
    for person in people:
        padding = np.full((len(person.values), DAY), np.nan, np.float32)
        values = np.concatenate([padding, person.values], axis=1)
        for end in range(DAY + EVERY, values.shape[1] - probe.minutes + 1, EVERY):
            after = values[channel, end : end + probe.minutes]
            if (
                np.isnan(after).any()
                or np.isnan(values[channel, end - probe.minutes : end]).all()
            ):
                continue
            days.append(values[:, end - DAY : end])
            minute.append(end % DAY)
            truth.append(float((after > 0).sum()))
            subjects.append(person.subject)
    if not days:
        raise InputError(f"nobody's {probe.channel} is known for an hour and the one after it")
    whole = np.stack(days)
    hidden = masks.artificial(len(whole), model.config, draw).numpy()
    found = [
        run.embed(model, given, np.array(minute))
        for given in (whole, np.where(hidden, np.float32(np.nan), whole))
    ]
    return Examples(
        torch.from_numpy(np.concatenate(found)),
        torch.tensor(truth * 2)[:, None],
        np.array(subjects * 2),
        np.repeat([False, True], len(days)),
    )


def fit(given: Examples, config: DayConfig) -> tuple[ProbeHead, dict[str, float]]:
    """A head fitted on everybody and calibrated across people, and what it reaches.

    The second answer is measured on folds of people who were not fitted on: mean absolute
    error in minutes on days as they were and on masked ones, that of the median, the share of
    the variance that is explained (r2, days as they were), and over all the mean confidence
    beside the share that was right, the confidence of each fold calibrated on the others.

    Raises
    ------
    InputError
        There are fewer people than folds, their active minutes never differ, or every answer
        is right, or none, so that nothing tells how far one may be trusted.
    """
    people = np.unique(given.subjects)
    if len(people) < FOLDS:
        raise InputError(f"a probe needs {FOLDS} people with active minutes, not {len(people)}")
    if given.truth.min() == given.truth.max():
        raise InputError("every hour has the same active minutes: a probe learns nothing of it")
    values, odds = torch.zeros_like(given.truth), torch.zeros_like(given.truth)
    medians = torch.zeros_like(given.truth)
    for fold in range(FOLDS):
        test = np.isin(given.subjects, people[fold::FOLDS])
        head = _train(given.of(~test), config)
        with torch.no_grad():
            value, odd = head.read(given.embeddings[torch.from_numpy(test)])
        rows = torch.from_numpy(test)
        values[rows], odds[rows] = value, odd
        medians[rows] = given.of(~test).truth.median()
    right = ((values - given.truth).abs() <= config.probe.tolerance)[:, 0].numpy()
    head = _train(given, config)
    head.trust = _calibrated(odds, right, config)
    confidence = torch.zeros_like(odds)
    for fold in range(FOLDS):
        test = np.isin(given.subjects, people[fold::FOLDS])
        rows = torch.from_numpy(test)
        factor, offset = _calibrated(odds[~rows], right[~test], config)
        confidence[rows] = torch.sigmoid(odds[rows] * factor + offset)
    masked = torch.from_numpy(given.masked)
    error, whole = values - given.truth, ~masked
    return head.eval(), {
        "people": len(people),
        "examples": int(whole.sum()),
        "mae": float(error[whole].abs().mean()),
        "mae_masked": float(error[masked].abs().mean()),
        "mae_median": float((medians - given.truth)[whole].abs().mean()),
        "r2": float(1 - (error[whole] ** 2).mean() / given.truth[whole].var(correction=0)),
        "confidence": float(confidence.mean()),
        "right": float(right.mean()),
    }


def _calibrated(odds: Tensor, right: NDArray[np.bool_], config: DayConfig) -> Tensor:
    """Factor and offset (2,) with which log-odds (n, 1) tell how often answers are right."""
    if right.all() or not right.any():
        raise InputError(
            f"{'every' if right.all() else 'no'} answer is within {config.probe.tolerance:g} "
            "minutes: no confidence can be calibrated; change probe.tolerance"
        )
    fitted = LogisticRegression(C=1e6).fit(odds.numpy(), right)
    return torch.tensor([fitted.coef_[0, 0], fitted.intercept_[0]]).float()


def _train(given: Examples, config: DayConfig) -> ProbeHead:
    probe = config.probe
    torch.manual_seed(config.seed)
    head = ProbeHead(given.embeddings.shape[1], probe).train()
    optimizer = torch.optim.AdamW(
        head.parameters(), probe.learning_rate, weight_decay=probe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, probe.steps)
    for _ in range(probe.steps):
        rows = torch.randint(len(given.truth), (probe.batch,))
        loss = head.loss(given.embeddings[rows], given.truth[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()
