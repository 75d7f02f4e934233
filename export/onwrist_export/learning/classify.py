"""Class heads: trained on a frozen encoder, with an intercept for every person.

People differ more between each other in level than one person does between states. A
free intercept by subject absorbs that in training, so that the head learns what changes
within a person; it is dropped afterwards (a fixed-effects model). On the device, and on
people never seen, the intercept is that of calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from onwrist_export.config import Budget, Config, TaskConfig
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.heads import ClassHead
from onwrist_export.windows.damage import knowing, with_missing
from onwrist_export.windows.grids import Windows

VARIANTS = 4  # copies of each window that are trained on, all but the first with data missing
SMOOTHING = 0.05
NOISE = 0.1  # of a standard deviation, added to the standardized context
INTERCEPT_RATE = 10.0  # learning rate of intercepts, as a multiple of the head's


@torch.no_grad()
def contexts(graph: DeployGraph, windows: Windows) -> Tensor:
    """What the class heads see of each window: (W, S)."""
    graph.eval()
    parts = []
    for inputs in windows.batches():
        found = graph.run(*inputs)[2]
        if found is not None:
            parts.append(found)
    return torch.cat(parts)


def variants(graph: DeployGraph, windows: Windows, config: Config) -> list[Tensor]:
    """Contexts of the windows as they are, and of copies with data missing.

    All of them with and without their running baseline, if there is one.
    """
    copies = (with_missing(windows, config, config.seed + k) for k in range(1, VARIANTS))
    return [contexts(graph, v) for w in (windows, *copies) for v in knowing(w).values()]


def fit_statistics(graph: DeployGraph, windows: Windows) -> None:
    """Standardize the channel statistics by these windows (every eighth is enough)."""
    some = windows.select(np.arange(0, len(windows), 8)).alone()
    (inputs,) = some.batches(len(some))
    graph.statistics.fit(*inputs)


def train_head(
    contexts: Sequence[Tensor],
    target: NDArray[np.float64],
    subjects: NDArray[np.str_],
    task: TaskConfig,
    budget: Budget,
    seed: int,
) -> ClassHead:
    """A head trained on contexts (W, S) of the same windows in several variants."""
    torch.manual_seed(seed)
    head = ClassHead(contexts[0].shape[1], task.hidden, len(task.labels))
    names, person = np.unique(subjects, return_inverse=True)
    intercept = nn.Embedding(len(names), len(task.labels))
    nn.init.zeros_(intercept.weight)
    optimizer = torch.optim.AdamW(
        [
            {"params": head.parameters()},
            {
                "params": intercept.parameters(),
                "lr": budget.learning_rate * INTERCEPT_RATE,
                "weight_decay": 0.0,
            },
        ],
        lr=budget.learning_rate,
        weight_decay=budget.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, budget.steps)
    stacked = torch.stack(list(contexts))
    true, who = torch.from_numpy(target).long(), torch.from_numpy(person)
    spread = stacked[0].std(0)
    head.train()
    for _ in range(budget.steps):
        window = torch.randint(len(true), (budget.batch,))
        context = stacked[torch.randint(len(stacked), (budget.batch,)), window]
        context = context + NOISE * spread * torch.randn_like(context)
        logits = head.mlp(context) + intercept(who[window])
        loss = F.cross_entropy(logits, true[window], label_smoothing=2 * SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()


@torch.no_grad()
def logits(head: ClassHead, context: Tensor) -> NDArray[np.float64]:
    """Uncalibrated logits (W, classes) of contexts (W, S)."""
    return np.asarray(head.mlp(context).double().numpy())


def subject_folds(subjects: NDArray[np.str_], folds: int, seed: int) -> list[NDArray[np.str_]]:
    """People dealt into `folds` groups."""
    people = np.random.default_rng(seed).permutation(np.unique(subjects))
    return [people[k::folds] for k in range(folds)]
