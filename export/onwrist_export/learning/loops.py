"""The loops: masked pretraining of the encoder, then supervised tuning with a rate head.

Lightning runs them (progress, precision, devices, checkpoints). Both follow the
published schedule: AdamW, a tenth of the steps to warm up, then linearly down to zero.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from onwrist_export.config import Budget, Config, Pretraining, Tuning
from onwrist_export.model.graph import of_window, pool
from onwrist_export.model.heads import RateHead
from onwrist_export.model.himae import HiMAE, masked_loss, patch_mask
from onwrist_export.model.normalize import Normalize, scaler
from onwrist_export.windows.examples import Examples
from onwrist_export.windows.grids import Grid

WARM_UP = 0.1
SETTLING_BATCHES = 40
MOMENTUM = 0.1  # of batch-norm statistics, PyTorch's own

Batch = tuple[Tensor, Tensor, Tensor]  # values, observed, rate


class Scheduled(lightning.LightningModule):
    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget

    def configure_optimizers(self) -> dict[str, object]:
        budget = self.budget
        optimizer = torch.optim.AdamW(
            self.parameters(), budget.learning_rate, weight_decay=budget.weight_decay
        )
        warm = max(1, round(WARM_UP * budget.steps))

        def factor(step: int) -> float:
            rest = (budget.steps - step) / max(1, budget.steps - warm)
            return min((step + 1) / warm, max(rest, 0.0))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class MaskedTask:
    """Reconstruct masked patches; the loss counts what was masked and really observed."""

    def __init__(
        self, model: HiMAE, normalize: Normalize, patching: Pretraining, seed: int
    ) -> None:
        self.model = model
        self.normalize = normalize
        self.patch, self.ratio = patching.patch, patching.mask_ratio
        self.generator = torch.Generator().manual_seed(seed)

    def loss(self, values: Tensor, observed: Tensor) -> Tensor:
        x = self.normalize(values, observed)
        masked = patch_mask(len(x), x.shape[-1], self.patch, self.ratio, self.generator)
        masked = masked.to(x.device)
        target = x[:, : values.shape[1]]
        return masked_loss(self.model(x * ~masked).float(), target, masked & (observed > 0))


class MaskedAutoencoding(Scheduled):
    """Pretraining: the masked task alone."""

    def __init__(self, task: MaskedTask, budget: Budget) -> None:
        super().__init__(budget)
        self.model, self.normalize, self.task = task.model, task.normalize, task

    def training_step(self, batch: Batch, index: int) -> Tensor:
        values, observed, _ = batch
        loss = self.task.loss(values, observed)
        self.log("loss", loss, prog_bar=True)
        return loss


class RateTuning(Scheduled):
    """Encoder and rate head together, end to end, and the masked task beside them."""

    def __init__(self, task: MaskedTask, head: RateHead, budget: Tuning) -> None:
        super().__init__(budget)
        self.model, self.normalize, self.task = task.model, task.normalize, task
        self.head = head
        self.samples = task.model.config.samples
        self.weight = budget.reconstruction

    def training_step(self, batch: tuple[Batch, Batch], index: int) -> Tensor:
        (values, observed, rate), (any_values, any_observed, _) = batch
        stages = self.model.encode(self.normalize(values, observed))
        features = torch.cat(pool(of_window(stages, self.samples)), dim=1)
        loss = self.head.loss(self.head.mlp(features).float(), rate)
        self.log("rate", loss, prog_bar=True)
        # masked windows must not enter the statistics that whole windows are scaled by
        with statistics_kept(self.model):
            loss = loss + self.weight * self.task.loss(any_values, any_observed)
        return loss


def _normalize(config: Config) -> Normalize:
    return scaler(
        config.scalings,
        config.encoder.observed_input,
        config.window.samples,
        config.step_samples,
    )


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Leave running batch-norm statistics as they are."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm in norms:
            norm.momentum = MOMENTUM


class Pairs(IterableDataset[tuple[Batch, Batch]]):
    """A batch of each of two streams."""

    def __init__(self, first: Examples, second: Examples) -> None:
        self.first, self.second = first, second

    def __iter__(self) -> Iterator[tuple[Batch, Batch]]:
        return zip(self.first, self.second, strict=False)


class Curve(Callback):
    """Keeps the loss of every step, averaged over a hundredth of the run."""

    def __init__(self, steps: int) -> None:
        self.every = max(1, steps // 100)
        self.losses: list[float] = []
        self.means: list[float] = []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        self.losses.append(float(outputs["loss"]))
        if len(self.losses) == self.every:
            self.means.append(sum(self.losses) / self.every)
            self.losses.clear()


def pretrain(
    grids: Sequence[Grid], config: Config, progress: bool = False
) -> tuple[HiMAE, list[float]]:
    """A HiMAE trained to reconstruct what is masked, settled, and its loss curve."""
    torch.manual_seed(config.seed)
    model = HiMAE(config.himae)
    normalize = _normalize(config)
    task = MaskedTask(model, normalize, config.pretrain, config.seed)
    examples = Examples(grids, config, config.pretrain.batch, None, config.seed)
    module = MaskedAutoencoding(task, config.pretrain)
    losses = fit(module, examples, config.pretrain.steps, progress)
    settle(model, grids, config)
    return model, losses


@torch.no_grad()
def settle(model: HiMAE, grids: Sequence[Grid], config: Config) -> None:
    """Take batch-norm statistics anew from windows that are not masked.

    Pretraining sees windows of which most is masked; its statistics would misplace every
    activation of a whole window.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
    normalize = _normalize(config)
    examples = Examples(grids, config, config.pretrain.batch, None, config.seed)
    model.train()
    for values, observed, _ in itertools.islice(examples, SETTLING_BATCHES):
        model(normalize(values, observed))
    model.eval()
    for norm in norms:
        norm.momentum = MOMENTUM


def tune_rate(
    model: HiMAE,
    head: RateHead,
    grids: Sequence[Grid],
    config: Config,
    name: str,
    progress: bool = False,
) -> list[float]:
    """Train `model`'s encoder and `head` on rate task `name` in place; the loss curve."""
    torch.manual_seed(config.seed)
    normalize = _normalize(config)
    task = MaskedTask(model, normalize, config.pretrain, config.seed)
    budget = config.train
    labelled = Examples(
        grids, config, budget.batch, config.task(name), config.seed, context=config.context
    )
    anything = Examples(
        grids, config, budget.reconstruction_batch, None, config.seed, first_may_go=True
    )
    module = RateTuning(task, head, budget)
    return fit(module, Pairs(labelled, anything), budget.steps, progress)


def fit(
    module: Scheduled, examples: IterableDataset, steps: int, progress: bool
) -> list[float]:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module.train()
    curve = Curve(steps)
    trainer = lightning.Trainer(
        max_steps=steps,
        precision="bf16-mixed",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        callbacks=[curve],
        gradient_clip_val=1.0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*num_workers.*")
        warnings.filterwarnings("ignore", message=".*in eval mode.*")  # frozen on purpose
        warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
        trainer.fit(module, DataLoader(examples, batch_size=None))
    module.eval()
    return curve.means
