"""Checkpoints of both stages: safetensors with the configuration in their header.

An encoded one holds every sensor's encoder and its own answers, a finished one the encoders
with fusion and what shows signals.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.learn import Encoded, Merged
from onwrist_export.fusion.networks import Encoders, Hybrid, Late, Signals
from onwrist_export.learning import store

ENCODED, FINISHED = "fusion-encoded", "fusion"


class _First(nn.Module):
    def __init__(self, encoders: Encoders, late: Late) -> None:
        super().__init__()
        self.encoders, self.late = encoders, late


class _Second(nn.Module):
    def __init__(self, encoders: Encoders, hybrid: Hybrid, signals: list[Signals]) -> None:
        super().__init__()
        self.encoders, self.hybrid = encoders, hybrid
        self.signals = nn.ModuleList(signals)


def networks(config: FusionConfig) -> Merged:
    """Those of the second stage, with random weights."""
    encoders = Encoders(config)
    signals = [
        Signals(encoders.tokens, encoders.width, rows.stop - rows.start, config.window.samples)
        for rows in config.rows
    ]
    return Merged(encoders, Hybrid(config, encoders.tokens, encoders.width), signals)


def save_encoded(
    path: Path, encoded: Encoded, config: FusionConfig, commands: list[str]
) -> None:
    """Write the first stage, and the commands that made it."""
    whole = _First(encoded.encoders, encoded.late)
    store.write(path, whole, _header(ENCODED, config, commands))


def load_encoded(path: Path) -> tuple[Encoded, FusionConfig, list[str]]:
    """Read what `save_encoded` wrote."""
    header, tensors = store.read(path, ENCODED)
    config = store.field(path, header, "config", FusionConfig)
    whole = _First(Encoders(config), Late(config))
    store.fill(path, whole, tensors)
    whole.eval()
    encoded = Encoded(whole.encoders, whole.late)
    return encoded, config, store.field(path, header, "commands", list[str])


def save(path: Path, merged: Merged, config: FusionConfig, commands: list[str]) -> None:
    """Write the second stage, and the commands that made it."""
    whole = _Second(merged.encoders, merged.hybrid, list(merged.signals))
    store.write(path, whole, _header(FINISHED, config, commands))


def load(path: Path) -> tuple[Merged, FusionConfig, list[str]]:
    """Read what `save` wrote."""
    header, tensors = store.read(path, FINISHED)
    config = store.field(path, header, "config", FusionConfig)
    made = networks(config)
    whole = _Second(made.encoders, made.hybrid, list(made.signals))
    store.fill(path, whole, tensors)
    whole.eval()
    merged = Merged(whole.encoders, whole.hybrid, list(whole.signals))
    return merged, config, store.field(path, header, "commands", list[str])


def _header(kind: str, config: FusionConfig, commands: list[str]) -> dict[str, str]:
    return {"kind": kind, "config": store.json(config), "commands": store.json(commands)}
