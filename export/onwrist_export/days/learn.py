"""People in, a trained LSM-2 out: masked training with Adaptive and Inherited Masking.

The loss counts minutes that were hidden and really observed, and nothing else. For
comparison the same model can be trained as an ordinary masked autoencoder on days whose
gaps were filled in before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import IterableDataset

from onwrist.readers.fitbit_grid import Person
from onwrist_export.days import masks
from onwrist_export.days.config import DayConfig, Missing
from onwrist_export.days.examples import Days
from onwrist_export.days.fill import filled
from onwrist_export.learning.loops import Scheduled, fit
from onwrist_export.model.lsm2 import LSM2

# values (B, C, T) in units, what is seen and what the loss counts bool (B, C, T), local
# minute of the day (B,), and the tokens to encode (B, K)
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def pretrain(
    people: Sequence[Person],
    config: DayConfig,
    missing: Missing = "inherited",
    progress: bool = False,
) -> tuple[LSM2, list[float]]:
    """A trained model, and its loss curve.

    Parameters
    ----------
    missing : "inherited" as published; "linear" and "zero" fill what was not observed and
        train on it as if it were real.
    """
    torch.manual_seed(config.seed)
    model = LSM2(config.lsm2, config.scales, config.pretrain.unit_dropout)
    batches = MaskedDays(people, model, config, missing)
    losses = fit(MaskedTraining(model, config), batches, config.pretrain.steps, progress)
    return model, losses


class MaskedDays(IterableDataset[Batch]):
    """Random days with their masks, without end."""

    def __init__(
        self, people: Sequence[Person], model: LSM2, config: DayConfig, missing: Missing
    ) -> None:
        self.model, self.config, self.missing = model, config, missing
        self.channel = config.row(config.interpolated)
        self.days = Days(people, self.channel, config.seed)

    def __iter__(self) -> Iterator[Batch]:
        budget = self.config.pretrain
        while True:
            values, minute = self.days.batch(budget.batch)
            observed = ~values.isnan()
            if self.missing != "inherited":
                values = filled(values, self.missing, self.model.zero)
                observed = torch.ones_like(observed)
            hidden, dropped = self._masks(observed)
            seen = observed & ~hidden
            values[:, self.channel] += self._shift(values, observed, seen)
            index = masks.kept(self.model.there(seen), dropped, self.days.generator)
            yield torch.nan_to_num(values), seen, hidden & observed, minute, index

    def _shift(self, values: Tensor, observed: Tensor, seen: Tensor) -> Tensor:
        """How far the interpolated channel is moved, (B, 1).

        Where nothing of it is seen its mean goes to the middle of the scale: from so few
        people a model would learn by heart whose activity goes with which level.
        """
        chance = torch.rand(len(values), 1, generator=self.days.generator)
        moved = self.config.pretrain.shift * (2 * chance - 1)
        level, known = values[:, self.channel], observed[:, self.channel]
        total = torch.where(known, level, 0.0).sum(1, keepdim=True)
        mean = total / known.sum(1, keepdim=True).clamp(min=1)
        middle = self.model.zero[self.channel] - mean
        return torch.where(seen[:, self.channel].any(1, keepdim=True), moved, middle)

    def _masks(self, observed: Tensor) -> tuple[Tensor, int]:
        """What is hidden, and how many tokens are dropped."""
        budget, sizes, draw = self.config.pretrain, self.model.config, self.days.generator
        if torch.rand((), generator=draw) < budget.spans:
            return masks.spans(observed, sizes, self.channel, draw), 0
        hidden = masks.artificial(len(observed), sizes, draw)
        also = torch.rand(len(observed), 1, 1, generator=draw) < budget.single
        hidden = hidden | (masks.single(len(observed), sizes, draw) & also)
        return hidden, int(budget.dropout * sizes.tokens)


class MaskedTraining(Scheduled):
    """Says what was hidden."""

    def __init__(self, model: LSM2, config: DayConfig) -> None:
        super().__init__(config.pretrain)
        self.model, self.bend = model, config.pretrain.bend
        weights = torch.tensor(config.pretrain.weights)
        self.register_buffer("weights", weights, persistent=False)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        values, seen, counted, minute, kept = batch
        loss = self.loss(self.model(values, seen, minute, kept), values, counted)
        self.log("loss", loss, prog_bar=True)
        return loss

    def loss(self, found: Tensor, values: Tensor, counted: Tensor) -> Tensor:
        """Huber's loss of normalized minutes, averaged in each channel over what counts."""
        truth = self.model.normalize(values, counted)
        each = F.smooth_l1_loss(found.float(), truth, reduction="none", beta=self.bend)
        means = (each * counted).sum((0, 2)) / counted.sum((0, 2)).clamp(min=1)
        return (means * self.weights).sum()
