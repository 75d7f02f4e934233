"""A small model of several sensors and simulated windows, for tests that take seconds."""

from __future__ import annotations

import msgspec
import torch

from onwrist_export.fusion import store
from onwrist_export.fusion.config import Fill, FusionConfig, load_fusion_config
from onwrist_export.fusion.learn import Merged
from onwrist_export.packing import fusion_windows

SHIPPED: FusionConfig = load_fusion_config()


def config(fill: Fill = "restored", least: float = 0.2) -> FusionConfig:
    """The shipped sensors and tasks, 64 samples, and three narrow stages."""
    return msgspec.structs.replace(
        SHIPPED,
        window=msgspec.structs.replace(SHIPPED.window, samples=64),
        encoder=msgspec.structs.replace(SHIPPED.encoder, widths=(4, 8, 8)),
        fusion=msgspec.structs.replace(
            SHIPPED.fusion, fill=fill, width=16, heads=2, least=least
        ),
    )


def merged(configured: FusionConfig, seed: int = 0) -> Merged:
    """Random weights that begin neither at zero nor at one, and norms that have seen data."""
    torch.manual_seed(seed)
    made = store.networks(configured)
    modules = [made.encoders, made.hybrid, *made.signals]
    windows = fusion_windows.simulated(configured, 32, seed)
    values, observed = next(windows.batches(32))
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        for _ in range(20):
            made.encoders.train()(values, observed, torch.ones(32, len(configured.rows)) > 0)
    for module in modules:
        module.eval()
    return made
