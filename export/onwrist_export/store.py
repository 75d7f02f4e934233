"""Our own checkpoints: safetensors with the configuration in its header, never a pickle.

A pretrained checkpoint holds a `HiMAE`, a trained one the whole `DeployGraph` with what
calibration found. Both carry the configuration that made them, and the command.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from onwrist.files import written_beside
from onwrist_export.calibrate import RateRules
from onwrist_export.config import Config
from onwrist_export.himae import HiMAE
from onwrist_export.train import Trained, build_graph
from onwrist_runtime.errors import CheckpointError


def save_pretrained(path: Path, model: HiMAE, config: Config, command: str) -> None:
    """Write an encoder with its decoder."""
    _write(path, model, {"kind": "pretrained", "config": _json(config), "command": command})


def load_pretrained(path: Path) -> tuple[HiMAE, Config]:
    """Read what `save_pretrained` wrote."""
    header, tensors = _read(path, "pretrained")
    config = _config(path, header)
    model = HiMAE(config.himae)
    _fill(path, model, tensors)
    return model, config


def save_trained(path: Path, trained: Trained, command: str) -> None:
    """Write a graph with its heads and calibration."""
    header = {
        "kind": "trained",
        "config": _json(trained.config),
        "rules": _json(trained.rules),
        "constants": _json(trained.constants),
        "command": command,
    }
    _write(path, trained.graph, header)


def load_trained(path: Path) -> tuple[Trained, str]:
    """Read what `save_trained` wrote: the graph and the command that made it."""
    header, tensors = _read(path, "trained")
    config = _config(path, header)
    graph = build_graph(config)
    _fill(path, graph, tensors)
    try:
        rules = msgspec.json.decode(header["rules"], type=dict[str, RateRules])
        constants = msgspec.json.decode(header["constants"], type=dict[str, float])
    except (KeyError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{path}: its header is damaged: {error}") from None
    return Trained(config, graph.eval(), rules, constants), header.get("command", "")


def kind(path: Path) -> str | None:
    """"pretrained", "trained", or None if this is no checkpoint of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("kind")
    except (OSError, SafetensorError):
        return None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _write(path: Path, module: torch.nn.Module, header: dict[str, str]) -> None:
    tensors = {name: t.detach().contiguous() for name, t in module.state_dict().items()}
    with written_beside(path) as beside:
        beside.write_bytes(save(tensors, header))


def _read(path: Path, expected: str) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error}") from None
    found = header.get("kind")
    if found != expected:
        raise CheckpointError(f"{path} is a {found!r} checkpoint; this needs a {expected!r} one")
    return header, tensors


def _config(path: Path, header: dict[str, str]) -> Config:
    try:
        return msgspec.json.decode(header["config"], type=Config)
    except (KeyError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{path}: its configuration is damaged: {error}") from None


def _fill(path: Path, module: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit its own configuration: {error}") from None
