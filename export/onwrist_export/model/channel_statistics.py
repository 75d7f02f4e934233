"""Statistics of each channel of a raw window, over what is observed.

Scaling a window by its own range makes PPG comparable between devices and erases its
amplitude; eight bits blur the level of skin conductance and temperature. These
statistics keep both, in float, beside the int8 encoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEVIATION_FLOOR = 1e-3  # added to deviations, in the channel's unit
JERK_FLOOR = 1e-4
LEVEL_FLOOR = 0.02  # least level whose logarithm is told apart


class ChannelStatistics(nn.Module):
    """Level, slope, log level, log deviation and log jerk by channel, standardized.

    The first `window_scaled` channels have arbitrary levels, which are left out. All
    statistics of a channel without one observed sample are zero, their mean.
    """

    def __init__(self, channels: int, window_scaled: int, samples: int) -> None:
        super().__init__()
        self.levelless = window_scaled
        self.size = 2 * (channels - window_scaled) + 3 * channels
        self.register_buffer("time", torch.linspace(-1, 1, samples).reshape(1, 1, -1))
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(self.size))

    def raw(self, values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics (B, S) before standardization, and 0/1 where they exist (B, S)."""
        count = observed.sum(-1)
        present = torch.clamp(count, max=1.0)
        share = 1.0 / torch.clamp(count, min=1.0)
        mean = values.sum(-1) * share
        centred = (values - mean[..., None]) * observed
        deviation = torch.sqrt((centred * centred).sum(-1) * share)
        slope = (centred * self.time).sum(-1) * share / (deviation + DEVIATION_FLOOR)
        pairs = observed[..., 1:] * observed[..., :-1]
        jerk = ((centred[..., 1:] - centred[..., :-1]).abs() * pairs).sum(-1) * share
        level, levelled = mean[:, self.levelless :], present[:, self.levelless :]
        logarithms = [
            torch.clamp(level, min=LEVEL_FLOOR),
            deviation + DEVIATION_FLOOR,
            jerk + JERK_FLOOR,
        ]
        statistics = torch.cat([level, slope, torch.log(torch.cat(logarithms, dim=1))], dim=1)
        return statistics, torch.cat([levelled, present, levelled, present, present], dim=1)

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:  # 2 x (B, C, N) -> (B, S)
        """`values` are zero where not observed."""
        statistics, exist = self.raw(values, observed)
        return (statistics - self.mean) * self.scale * exist

    @torch.no_grad()
    def fit(self, values: Tensor, observed: Tensor) -> None:
        """Standardize by what is observed in these windows."""
        statistics, exist = self.raw(values, observed)
        count = exist.sum(0).clamp(min=1)
        self.mean.copy_((statistics * exist).sum(0) / count)
        variance = (((statistics - self.mean) * exist) ** 2).sum(0) / count
        self.scale.copy_((variance + 1e-6).rsqrt())
