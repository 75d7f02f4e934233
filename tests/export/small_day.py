"""A small day model and simulated days, for tests that take seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from onwrist.simulate import days as simulate_days
from onwrist_export.days.config import DayConfig, load_day_config
from onwrist_export.model.lsm2 import LSM2
from onwrist_export.packing.day_windows import DAY, track
from onwrist_export.quantization.day import Days

SIZES = (36, 72, 108, 144)
CONFIG: DayConfig = load_day_config()


def model(depth: int = 1, width: int = 16, seed: int = 0) -> LSM2:
    """Random weights, with those that begin at zero or one moved away from it."""
    torch.manual_seed(seed)
    sizes = replace(
        CONFIG.lsm2, width=width, depth=depth, decoder_width=width, heads=2, decoder_heads=2
    )
    made = LSM2(sizes, CONFIG.scales).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def days(count: int, seed: int = 0) -> Days:
    """Windows that begin at any patch: whole, with most hours missing, without heart rate."""
    minutes = track(simulate_days(8, seed), CONFIG.channels)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, (minutes.shape[1] - DAY) // 20, count) * 20
    values = np.stack([minutes[:, start : start + DAY] for start in starts])
    for k in range(count):
        if k % 3 == 1:
            values[k, :, : rng.integers(DAY // 4, DAY - 100)] = np.nan
        if k % 3 == 2:
            values[k, 2] = np.nan
    return Days(values, starts // 20 % 72)
