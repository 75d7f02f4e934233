"""Trained fusions in, ways to ask them out: windows to the logits of all tasks.

W windows, S sensors, L labels of all tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from onwrist_export.fusion import cases, learn
from onwrist_export.fusion.baseline import Trees
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.learn import Encoded, Merged
from onwrist_export.fusion.networks import Early
from onwrist_export.windows.grids import Windows

Say = Callable[[str], None]
Array = NDArray[np.float32]
Ask = Callable[[Windows], Array]  # logits of all tasks (W, L); NaN where it cannot say

LATE, UNCERTAIN = "late", "uncertainty-aware late"
HYBRID, RESTORED = "hybrid", "hybrid, restored"
ALONE = " alone"

Methods = tuple[Mapping[str, Ask], Merged | None]


def trained(learned: Windows, config: FusionConfig, say: Say) -> Methods:
    """All ways of fusing, trained on these windows, and the fusion whose attention is shown."""
    say("  encoders")
    encoded = learn.encode(learned, config)
    methods: dict[str, Ask] = {
        "boosted trees": Trees(learned, config).ask,
        "early": early(learn.early(learned, config), config),
        LATE: late(encoded, config),
        "late, zero-filled": _zero_filled(late(encoded, config), config),
    }
    for k, sensor in enumerate(config.names):
        methods[sensor + ALONE] = alone(encoded, k, config)
    plain = config.with_fusion(fill="none")
    shown = None
    for name, each in (
        (HYBRID, plain),
        ("hybrid, mask token", config.with_fusion(fill="mask")),
        ("hybrid, memory token", config.with_fusion(fill="memory")),
        (RESTORED, config.with_fusion(fill="restored", stop_gradient=True)),
        (
            "hybrid, restored, gradient not stopped",
            config.with_fusion(fill="restored", stop_gradient=False),
        ),
    ):
        say(f"  {name}")
        merged = learn.fuse(encoded, learned, each)
        methods[name] = hybrid(merged, each)
        shown = merged if name == HYBRID else shown
    say("  hybrid, zero-filled")
    undropped = _with_dropout(plain, 0.0)
    merged = learn.fuse(encoded, learned, undropped, zero_filled=True)
    methods["hybrid, zero-filled"] = _zero_filled(hybrid(merged, plain), plain)
    return methods, shown


def _with_dropout(config: FusionConfig, share: float) -> FusionConfig:
    """The same with this share of windows losing sensors in training."""
    fuse = msgspec.structs.replace(config.fuse, sensor_dropout=share)
    return msgspec.structs.replace(config, fuse=fuse)


def _tensors(windows: Windows, config: FusionConfig) -> tuple[torch.Tensor, ...]:
    return (
        torch.from_numpy(windows.values),
        torch.from_numpy(windows.observed.astype(np.float32)),
        torch.from_numpy(cases.live(windows, config)),
    )


def early(model: Early, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        return _silent(model(values, observed), live.any(dim=1))

    return ask


def alone(encoded: Encoded, k: int, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        answers = encoded.late(encoded.encoders(values, observed, live))
        return _silent(answers[:, k], live[:, k])

    return ask


def late(encoded: Encoded, config: FusionConfig) -> Ask:
    """The mean of what the sensors say, as probabilities."""

    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        answers = encoded.late(encoded.encoders(values, observed, live))
        parts = answers.split([len(task.labels) for task in config.classes], dim=2)
        shares = live.float() / live.sum(dim=1, keepdim=True).clamp(min=1)
        means = [(torch.softmax(p, 2) * shares[..., None]).sum(1) for p in parts]
        return _silent(torch.log(torch.cat(means, 1) + 1e-9), live.any(dim=1))

    return ask


def hybrid(merged: Merged, config: FusionConfig) -> Ask:
    @torch.no_grad()
    def ask(windows: Windows) -> Array:
        values, observed, live = _tensors(windows, config)
        sensed = merged.encoders(values, observed, live).flatten(1, 2)
        return _silent(merged.hybrid(sensed, live.float()).logits, live.any(dim=1))

    return ask


def _zero_filled(ask: Ask, config: FusionConfig) -> Ask:
    """The same for windows in which all is observed: zeros where it was not."""

    def filled(windows: Windows) -> Array:
        gone = ~cases.live(windows, config)
        observed = windows.observed.copy()
        for k, rows in enumerate(config.rows):
            observed[gone[:, k], rows] = True
        return ask(replace(windows, observed=observed))

    return filled


def _silent(logits: torch.Tensor, live: torch.Tensor) -> Array:
    """NaN where nothing is there."""
    return torch.where(live[:, None], logits.float(), torch.nan).numpy()


@torch.no_grad()
def attention(merged: Merged, windows: Windows, config: FusionConfig) -> Array:
    """How much each sensor attends to each other (W, S, S), NaN where one is not there."""
    values, observed, live = _tensors(windows, config)
    tokens = merged.encoders(values, observed, live)
    shares = merged.hybrid(tokens.flatten(1, 2), live.float()).shares
    each, sensors = tokens.shape[2], tokens.shape[1]
    blocks = shares.mean(1).unflatten(2, (sensors, each)).unflatten(1, (sensors, each))
    between = blocks.sum(-1).mean(2)  # (W, S, S): rows sum to 1
    both = live[:, :, None] & live[:, None]
    return torch.where(both, between, torch.nan).numpy().astype(np.float32)
