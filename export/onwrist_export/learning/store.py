"""Our own checkpoints: safetensors with the configuration in its header, never a pickle.

A pretrained checkpoint holds a `HiMAE`, a trained one the whole `DeployGraph` with what
calibration found. Both carry the configuration that made them, and the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from onwrist.files import written_beside
from onwrist_export.config import Config
from onwrist_export.learning.calibrate import RateRules
from onwrist_export.learning.train import Trained, build_graph
from onwrist_export.model.himae import HiMAE
from onwrist_runtime.errors import CheckpointError


def save_pretrained(path: Path, model: HiMAE, config: Config, commands: list[str]) -> None:
    """Write an encoder with its decoder, and the commands that made it."""
    header = {"kind": "pretrained", "config": json(config), "commands": json(commands)}
    write(path, model, header)


def load_pretrained(path: Path) -> tuple[HiMAE, Config, list[str]]:
    """Read what `save_pretrained` wrote."""
    header, tensors = read(path, "pretrained")
    config = field(path, header, "config", Config)
    model = HiMAE(config.himae)
    fill(path, model, tensors)
    return model.eval(), config, field(path, header, "commands", list[str])


def save_trained(path: Path, trained: Trained, commands: list[str]) -> None:
    """Write a graph with its heads and calibration, and the commands that made it."""
    header = {
        "kind": "trained",
        "config": json(trained.config),
        "rules": json(trained.rules),
        "constants": json(trained.constants),
        "commands": json(commands),
    }
    write(path, trained.graph, header)


def load_trained(path: Path) -> tuple[Trained, list[str]]:
    """Read what `save_trained` wrote: the graph and the commands that made it."""
    header, tensors = read(path, "trained")
    config = field(path, header, "config", Config)
    graph = build_graph(config)
    fill(path, graph, tensors)
    trained = Trained(
        config,
        graph.eval(),
        field(path, header, "rules", dict[str, RateRules]),
        field(path, header, "constants", dict[str, float]),
    )
    return trained, field(path, header, "commands", list[str])


def kind(path: Path) -> str | None:
    """ "pretrained", "trained", or None if this is no checkpoint of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("kind")
    except (OSError, SafetensorError):
        return None


def json(value: object) -> str:
    """A header field."""
    return msgspec.json.encode(value).decode()


def write(path: Path, module: torch.nn.Module, header: dict[str, str]) -> None:
    """Write the weights of a module under a header."""
    # copies, as safetensors refuses weights that two modules share
    tensors = {name: t.detach().contiguous().clone() for name, t in module.state_dict().items()}
    with written_beside(path) as beside:
        beside.write_bytes(save(tensors, header))


def read(path: Path, expected: str) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Header and tensors of a checkpoint of the `expected` kind."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error}") from None
    found = header.get("kind")
    if found != expected:
        raise CheckpointError(
            f"{path} is a {found!r} checkpoint; this needs a {expected!r} one"
        )
    return header, tensors


def field(path: Path, header: dict[str, str], name: str, kind: Any) -> Any:
    """What a field of the header holds."""
    try:
        return msgspec.json.decode(header[name], type=kind)
    except (KeyError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{path}: {name!r} of its header is damaged: {error}") from None


def fill(path: Path, module: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Put weights into the module that they are of."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit its own configuration: {error}") from None
