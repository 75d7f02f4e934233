"""The two stages of training: each sensor's encoder alone, then attention between them.

First, encoders learn from their own sensor's answers and from masked patches, as HiMAE does.
Then, as in PhysioME ("A Robust Multimodal Self-Supervised Framework for Physiological
Signals with Missing Modalities", arXiv 2510.11110), they are frozen but for low-rank
adapters, and fusion learns with sensors dropped: its tasks, a contrast between what each
sensor says and what they say together (NT-Xent), hidden tokens to predict, and the tokens
of the dropped sensors to restore.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onwrist_export.fusion.adapters import adapt, merge
from onwrist_export.fusion.cases import Batch, Draws
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.networks import (
    Early,
    Encoders,
    Hybrid,
    Late,
    SensorEncoder,
    Signals,
)
from onwrist_export.learning.loops import Scheduled, fit, statistics_kept
from onwrist_export.model.himae import masked_loss, patch_mask
from onwrist_export.windows.grids import Windows

PROJECTED = 64  # width of what is contrasted
MASKED_SHARE = 3  # every third window of a batch also takes the masked task
EARLY = 2  # times the steps: one encoder costs less, and learns all sensors at once


def task_loss(logits: Tensor, targets: Tensor, config: FusionConfig) -> Tensor:
    """Cross entropy of all tasks together: logits (B, L), targets (B, tasks)."""
    parts = logits.float().split([len(task.labels) for task in config.classes], dim=1)
    each = [F.cross_entropy(part, targets[:, k]) for k, part in enumerate(parts)]
    return torch.stack(each).sum()


class EncoderTraining(Scheduled):
    """Encoders and their sensors' answers; the masked task beside them."""

    def __init__(self, encoders: Encoders, late: Late, config: FusionConfig) -> None:
        super().__init__(config.encode)
        self.encoders, self.late, self.config = encoders, late, config
        self.generator = torch.Generator().manual_seed(config.seed)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        values, observed, live, targets = batch
        answers = self.late(self.encoders(values, observed, live))
        loss = torch.zeros(())
        for k in range(len(self.encoders.rows)):
            there = live[:, k]
            if there.sum() > 1:
                loss = loss + task_loss(answers[there, k], targets[there], self.config)
        # one sensor a step takes the masked task, which costs more than all else
        k = index % len(self.encoders.rows)
        few, rows = live[:, k].nonzero()[::MASKED_SHARE, 0], self.encoders.rows[k]
        if len(few) > 1:
            loss = loss + self.config.encode.reconstruction * masked_task(
                self.encoders.sensors[k],
                values[few, rows],
                observed[few, rows],
                self.config,
                self.generator,
            )
        return loss


class EarlyTraining(Scheduled):
    """One encoder of all channels; sensors are dropped before it."""

    def __init__(self, early: Early, config: FusionConfig) -> None:
        steps = EARLY * config.encode.steps
        super().__init__(msgspec.structs.replace(config.encode, steps=steps))
        self.early, self.config = early, config
        self.generator = torch.Generator().manual_seed(config.seed)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        values, observed, live, targets = batch
        left = dropped(live, self.config.fuse.sensor_dropout, self.generator)
        counts = torch.tensor([rows.stop - rows.start for rows in self.config.rows])
        kept = left.repeat_interleave(counts, dim=1)[..., None].float()
        loss = task_loss(self.early(values * kept, observed * kept), targets, self.config)
        some = slice(None, None, MASKED_SHARE)
        return loss + self.config.encode.reconstruction * masked_task(
            self.early.encoder, values[some], observed[some], self.config, self.generator
        )


def masked_task(
    encoder: SensorEncoder,
    values: Tensor,
    observed: Tensor,
    config: FusionConfig,
    generator: torch.Generator,
) -> Tensor:
    """Error on masked patches; batch norm keeps the statistics of whole windows."""
    x = encoder.normalize(values, observed)
    patching = config.encode
    masked = patch_mask(len(x), x.shape[-1], patching.patch, patching.mask_ratio, generator)
    with statistics_kept(encoder):
        made = encoder.himae(x * ~masked).float()
    return masked_loss(made, x[:, : values.shape[1]], masked & (observed > 0))


def dropped(live: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Which sensors are left (B, S): of a `share` of windows a subset, drawn evenly.

    First how many are lost, then which; one at least is left of those that are live.
    """
    count = live.sum(dim=1, keepdim=True)
    lost = (torch.rand(len(live), 1, generator=generator) * count).long()
    lost = torch.where(torch.rand(len(live), 1, generator=generator) < share, lost, 0)
    order = torch.rand(live.shape, generator=generator).masked_fill(~live, 2.0)
    return live & (order.argsort(dim=1).argsort(dim=1) >= lost)


class FusionTraining(Scheduled):
    """Attention between sensors of which some are dropped, on adapted encoders."""

    def __init__(
        self, encoders: Encoders, hybrid: Hybrid, signals: nn.ModuleList, config: FusionConfig
    ) -> None:
        super().__init__(config.fuse)
        self.encoders, self.hybrid, self.signals = encoders, hybrid, signals
        self.config = config
        self.settings = config.fuse
        d, width = config.fusion.width, encoders.width
        self.single = nn.ModuleList(nn.Linear(width, PROJECTED) for _ in config.sensors)
        self.together = nn.Linear(d, PROJECTED)
        self.hidden = nn.Parameter(0.02 * torch.randn(width))
        self.predicted = nn.Linear(d, width)
        self.generator = torch.Generator().manual_seed(config.seed)

    def train(self, mode: bool = True) -> FusionTraining:
        super().train(mode)
        self.encoders.eval()  # frozen: batch norm keeps its statistics
        return self

    def training_step(self, batch: Batch, index: int) -> Tensor:
        values, observed, live, targets = batch
        weighs, each = self.settings, self.encoders.tokens
        tokens = self.encoders(values, observed, live)  # (B, S, T, W)
        left = dropped(live, weighs.sensor_dropout, self.generator)
        there = left.float()
        sensed = tokens.flatten(1, 2) * there.repeat_interleave(each, dim=1)[..., None]
        found = self.hybrid(sensed, there)
        loss = task_loss(found.logits, targets, self.config)
        loss = loss + weighs.contrast * self._contrast(tokens, left, found.embedding)
        if weighs.prediction:
            loss = loss + weighs.prediction * self._prediction(sensed, left)
        shown = tokens.detach()
        if found.restored is not None:
            lost = (live & ~left).repeat_interleave(each, dim=1)
            wanted = tokens.flatten(1, 2).detach()
            loss = loss + weighs.restoration * _error(found.restored, wanted, lost)
            # what is drawn of a sensor that is lost comes from what was restored of it
            restored = found.restored.detach().unflatten(1, shown.shape[1:3]).to(shown.dtype)
            shown = torch.where(left[..., None, None], shown, restored)
        for k, (decoder, rows) in enumerate(zip(self.signals, self.encoders.rows, strict=True)):
            which = live[:, k]
            if which.any():
                made = decoder(shown[which, k, 1:])
                x = self.encoders.sensors[k].normalize(
                    values[which, rows], observed[which, rows]
                )
                seen = observed[which, rows] > 0
                loss = loss + masked_loss(made.float(), x[:, : made.shape[1]], seen)
        return loss

    def _contrast(self, tokens: Tensor, left: Tensor, embedding: Tensor) -> Tensor:
        """NT-Xent between each sensor's summary and the embedding of all (B, d)."""
        together = F.normalize(self.together(embedding).float(), dim=1)
        losses = []
        for k, layer in enumerate(self.single):
            which = left[:, k]
            if which.sum() > 1:
                alone = F.normalize(layer(tokens[which, k, 0]).float(), dim=1)
                losses.append(nt_xent(alone, together[which], self.settings.temperature))
        return torch.stack(losses).mean() if losses else embedding.new_zeros(())

    def _prediction(self, sensed: Tensor, left: Tensor) -> Tensor:
        """Error on hidden tokens, from all tokens that are there and not hidden."""
        there = left.repeat_interleave(self.encoders.tokens, dim=1)
        drawn = torch.rand(there.shape, generator=self.generator)
        hidden = there & (drawn < self.settings.token_mask)
        given = torch.where(hidden[..., None], self.hidden.to(sensed.dtype), sensed)
        fused, _ = self.hybrid.fused(given, 1.0 - there.float())
        return _error(self.predicted(fused), sensed.detach(), hidden)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Each row of one against all rows of both but itself, its partner being the right one.

    The normalized temperature-scaled cross entropy of SimCLR (arXiv 2002.05709), of unit
    rows (B, P) and (B, P).
    """
    both = torch.cat([first, second])
    scores = both @ both.T / temperature
    scores = scores.masked_fill(torch.eye(len(both), dtype=torch.bool), -torch.inf)
    partner = torch.arange(len(both)).roll(len(first))
    return F.cross_entropy(scores, partner)


def _error(made: Tensor, wanted: Tensor, which: Tensor) -> Tensor:
    """Mean squared error where `which` (B, K) says, by the deviation of each of W numbers."""
    if not which.any():
        return made.new_zeros(())
    scale = wanted.float().flatten(0, 1).std(dim=0) + 0.1
    off = (made.float() - wanted.float())[which] / scale
    return (off * off).mean()


@dataclass(frozen=True, eq=False)
class Encoded:
    """The first stage: encoders, and every sensor's own answers."""

    encoders: Encoders
    late: Late


@dataclass(frozen=True, eq=False)
class Merged:
    """The second stage: encoders with their adapters merged, fusion, and what shows signals."""

    encoders: Encoders
    hybrid: Hybrid
    signals: Sequence[Signals]


def encode(windows: Windows, config: FusionConfig, progress: bool = False) -> Encoded:
    """Train the encoders of all sensors, each on its own."""
    torch.manual_seed(config.seed)
    encoders, late = Encoders(config), Late(config)
    draws = Draws(windows, config, config.encode.batch, config.seed, zero_filled=False)
    training = EncoderTraining(encoders, late, config)
    fit(training, draws, config.encode.steps, progress)
    return Encoded(encoders.eval(), late.eval())


def early(windows: Windows, config: FusionConfig, progress: bool = False) -> Early:
    """Train one encoder of all channels."""
    torch.manual_seed(config.seed)
    model = Early(config)
    draws = Draws(windows, config, config.encode.batch, config.seed, zero_filled=False)
    training = EarlyTraining(model, config)
    fit(training, draws, training.budget.steps, progress)
    return model.eval()


def fuse(
    encoded: Encoded,
    windows: Windows,
    config: FusionConfig,
    zero_filled: bool = False,
    progress: bool = False,
) -> Merged:
    """Train fusion on the encoders of the first stage, which stay as they are."""
    torch.manual_seed(config.seed)
    encoders = copy.deepcopy(encoded.encoders)
    adapt(encoders, config.fuse.rank, config.fuse.alpha)
    hybrid = Hybrid(config, encoders.tokens, encoders.width)
    signals = nn.ModuleList(
        Signals(encoders.tokens, encoders.width, rows.stop - rows.start, config.window.samples)
        for rows in config.rows
    )
    draws = Draws(windows, config, config.fuse.batch, config.seed, zero_filled)
    fit(FusionTraining(encoders, hybrid, signals, config), draws, config.fuse.steps, progress)
    merge(encoders)
    return Merged(encoders.eval(), hybrid.eval(), list(signals.eval()))
