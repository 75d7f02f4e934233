"""Checkpoints of the day model: safetensors with the configuration in its header.

A pretrained one holds an `LSM2`, a finished one its heads and their rules, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from onwrist_export.days.config import DayConfig
from onwrist_export.days.probe import ProbeHead
from onwrist_export.learning import store
from onwrist_export.model.lsm2 import LSM2

PRETRAINED, FINISHED = "pretrained day", "day"


@dataclass(frozen=True, eq=False)
class Trained:
    """A day model with its heads.

    Attributes
    ----------
    heads : by task; each takes the embedding (B, E) and gives value and confidence (B, 2).
    least_confidence : of each task, below which it abstains.
    reached : what each head reached on people it was not fitted on, see `probe.fit`.
    """

    config: DayConfig
    model: LSM2
    heads: nn.ModuleDict
    least_confidence: dict[str, float]
    reached: dict[str, dict[str, float]]


class _Whole(nn.Module):
    def __init__(self, model: LSM2, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.model, self.heads = model, heads


def save_pretrained(path: Path, model: LSM2, config: DayConfig, commands: list[str]) -> None:
    """Write an encoder with its decoder, and the commands that made it."""
    header = {
        "kind": PRETRAINED,
        "config": store.json(config),
        "commands": store.json(commands),
    }
    store.write(path, model, header)


def load_pretrained(path: Path) -> tuple[LSM2, DayConfig, list[str]]:
    """Read what `save_pretrained` wrote."""
    header, tensors = store.read(path, PRETRAINED)
    config = store.field(path, header, "config", DayConfig)
    model = LSM2(config.lsm2, config.scales)
    store.fill(path, model, tensors)
    return model.eval(), config, store.field(path, header, "commands", list[str])


def save(path: Path, trained: Trained, commands: list[str]) -> None:
    """Write a model with its heads, and the commands that made it."""
    header = {
        "kind": FINISHED,
        "config": store.json(trained.config),
        "least_confidence": store.json(trained.least_confidence),
        "reached": store.json(trained.reached),
        "commands": store.json(commands),
    }
    store.write(path, _Whole(trained.model, trained.heads), header)


def load(path: Path) -> tuple[Trained, list[str]]:
    """Read what `save` wrote."""
    header, tensors = store.read(path, FINISHED)
    config = store.field(path, header, "config", DayConfig)
    model = LSM2(config.lsm2, config.scales)
    head = ProbeHead(2 * config.lsm2.width, config.probe)
    whole = _Whole(model, nn.ModuleDict({config.probe.name: head}))
    store.fill(path, whole, tensors)
    trained = Trained(
        config,
        model.eval(),
        whole.heads.eval(),
        store.field(path, header, "least_confidence", dict[str, float]),
        store.field(path, header, "reached", dict[str, dict[str, float]]),
    )
    return trained, store.field(path, header, "commands", list[str])
