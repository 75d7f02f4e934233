"""Statistics of each channel of a raw window, over what is observed.

Scaling a window by its own range makes PPG comparable between devices and erases its
amplitude; eight bits blur the level of skin conductance and temperature. These
statistics keep both, in float, beside the int8 encoder. People differ in both, and so a
graph may also take what the last minutes of a stream were like: its running baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEVIATION_FLOOR = 1e-3  # added to deviations, in the channel's unit
JERK_FLOOR = 1e-4
LEVEL_FLOOR = 0.02  # least level whose logarithm is told apart
FARTHEST = 10.0  # scales of a baseline, or e-foldings of one, that are told apart


class ChannelStatistics(nn.Module):
    """Level, slope, log level, log deviation and log jerk by channel, standardized.

    The first `window_scaled` channels have arbitrary levels, which are left out. All
    statistics of a channel without one observed sample are zero, their mean.

    With `baseline` there are three more by channel: level, log deviation and log jerk
    relative to the running mean and scale, zero where these are unknown. The scale itself
    is left out: it grows while a recording is young, and would tell the time.
    """

    def __init__(
        self, channels: int, window_scaled: int, samples: int, baseline: bool = False
    ) -> None:
        super().__init__()
        self.levelless = window_scaled
        self.baseline = baseline
        levels = channels - window_scaled
        self.size = 2 * levels + 3 * channels + (levels + 2 * channels) * baseline
        self.register_buffer("time", torch.linspace(-1, 1, samples).reshape(1, 1, -1))
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(self.size))

    def raw(
        self, values: Tensor, observed: Tensor, baseline: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
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
        statistics = [level, slope, torch.log(torch.cat(logarithms, dim=1))]
        exist = [levelled, present, levelled, present, present]
        if baseline is not None:
            # sliced and not indexed, for which TFLite has a plain operator
            mean, scale, known = (baseline[..., k : k + 1].squeeze(-1) for k in range(3))
            scale = scale + DEVIATION_FLOOR
            risen = (level - mean[:, self.levelless :]) / scale[:, self.levelless :]
            moved = [deviation + DEVIATION_FLOOR, jerk + JERK_FLOOR]
            livelier = torch.log(torch.cat([m / scale for m in moved], dim=1))
            relative = torch.cat([risen, livelier], dim=1)
            statistics.append(torch.clamp(relative, -FARTHEST, FARTHEST))
            exist += [levelled * known[:, self.levelless :], present * known, present * known]
        return torch.cat(statistics, dim=1), torch.cat(exist, dim=1)

    def forward(
        self, values: Tensor, observed: Tensor, baseline: Tensor | None = None
    ) -> Tensor:  # 2 x (B, C, N), (B, C, 3) -> (B, S)
        """`values` are zero where not observed; `baseline` is mean, scale, and 0/1 if known."""
        statistics, exist = self.raw(values, observed, baseline)
        return (statistics - self.mean) * self.scale * exist

    @torch.no_grad()
    def fit(self, values: Tensor, observed: Tensor, baseline: Tensor | None = None) -> None:
        """Standardize by what is observed in these windows."""
        statistics, exist = self.raw(values, observed, baseline)
        count = exist.sum(0).clamp(min=1)
        self.mean.copy_((statistics * exist).sum(0) / count)
        variance = (((statistics - self.mean) * exist) ** 2).sum(0) / count
        self.scale.copy_((variance + 1e-6).rsqrt())
