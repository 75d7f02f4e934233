"""Raw windows in, encoder input out: scaling that knows what is missing.

From correctly rounded operations only, so that every engine computes the same bits and
hence the same int8 input. Shapes: B windows, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FAR = 1e30  # beyond every sensor value, and still finite when doubled
FLAT = 1e-6  # a window whose range is below this is flat and becomes zero


@dataclass(frozen=True)
class Scaling:
    """How one channel becomes encoder input.

    "window": observed minimum and maximum go to -1 and 1, as HiMAE does for PPG.
    "fixed": (x - offset) / scale clipped to [-1, 1], where level and amplitude carry
    meaning and a window's own range would turn noise into full scale.
    """

    normalization: Literal["window", "fixed"]
    offset: float = 0.0
    scale: float = 1.0


class Normalize(nn.Module):
    """Mask-aware scaling, from correctly rounded operations only.

    Every engine therefore computes the same bits, and hence the same int8 input. Flat
    and empty channels become zero, as does every missing sample. Channels scaled by
    their window come first.
    """

    def __init__(self, channels: Sequence[Scaling], observed_input: bool = False) -> None:
        super().__init__()
        kinds = [c.normalization for c in channels]
        self.window_scaled = kinds.count("window")
        if kinds != ["window"] * self.window_scaled + ["fixed"] * (
            len(kinds) - self.window_scaled
        ):
            raise ValueError("channels scaled by their window come before the fixed ones")
        self.observed_input = observed_input
        fixed = channels[self.window_scaled :]
        offset = torch.tensor([c.offset for c in fixed]).reshape(1, -1, 1)
        gain = torch.tensor([1.0 / c.scale for c in fixed]).reshape(1, -1, 1)
        self.register_buffer("offset", offset)
        self.register_buffer("gain", gain)

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        """2 x (B, C, N) -> (B, C', N), each window scaled by its own extremes."""
        return self.scale(values, observed, *self.extremes(values, observed))

    def extremes(self, values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Least and greatest observed value along the last axis, of window-scaled channels.

        Of the first channel in any case. Where nothing is observed they are far above and
        far below zero.
        """
        ranged = max(self.window_scaled, 1)
        x, seen = values[:, :ranged], observed[:, :ranged]
        gap = (1.0 - seen) * FAR
        return (x + gap).amin(-1, keepdim=True), (x - gap).amax(-1, keepdim=True)

    @staticmethod
    def alive(low: Tensor, high: Tensor) -> Tensor:
        """0 where the first channel is absent or stuck, else 1: (B, 1) from its extremes."""
        span = (high[:, :1] - low[:, :1]).squeeze(-1)
        return torch.clamp(span * (1.0 / FLAT), 0.0, 1.0)

    def scale(self, values: Tensor, observed: Tensor, low: Tensor, high: Tensor) -> Tensor:
        parts = []
        if self.window_scaled:
            x, seen = values[:, : self.window_scaled], observed[:, : self.window_scaled]
            low, high = low[:, : self.window_scaled], high[:, : self.window_scaled]
            span = torch.clamp(high - low, min=FLAT)
            # ((x - low) - (high - x)) / span is 2 (x - low) / span - 1 and zero when flat
            parts.append(((x - low) - (high - x)) / span * seen)
        if self.window_scaled < values.shape[1]:
            x, seen = values[:, self.window_scaled :], observed[:, self.window_scaled :]
            parts.append(torch.clamp((x - self.offset) * self.gain, -1.0, 1.0) * seen)
        if self.observed_input:
            parts.append(observed)
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


class StreamNormalize(Normalize):
    """Scales a stream as its steps are: (B, C, T) with T a multiple of `step`.

    Each step of `step` samples is scaled by the extremes of the window of `samples` that
    ends with it, so that what became of a sample never changes later.
    """

    def __init__(
        self, channels: Sequence[Scaling], observed_input: bool, step: int, samples: int
    ) -> None:
        super().__init__(channels, observed_input)
        self.step, self.steps = step, samples // step

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        low, high = self.extremes(
            *(v.unflatten(-1, (-1, self.step)) for v in (values, observed))
        )
        low, high = (
            self._over_the_last(bound[..., 0]).repeat_interleave(self.step, dim=-1)
            for bound in (low, -high)
        )
        return self.scale(values, observed, low, -high)

    def _over_the_last(self, bounds: Tensor) -> Tensor:
        """Least of the bounds (B, C, K) of each step and those before it in a window."""
        padded = F.pad(bounds, (self.steps - 1, 0), value=FAR)
        return padded.unfold(-1, self.steps, 1).amin(-1)


def scaler(
    channels: Sequence[Scaling], observed_input: bool, samples: int, step: int | None
) -> Normalize:
    """Scales windows of `samples`, or with a `step` the streams that they end."""
    if step is None:
        return Normalize(channels, observed_input)
    return StreamNormalize(channels, observed_input, step, samples)
