"""The graph that is exported: raw window and `observed` in, calibrated outputs out.

values, observed (B, C, N) -> normalize -> encode -> pool -> heads. Everything that
decides a number lies in here, so that no host has to repeat it. Training runs the same
modules, so that training and device cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from onwrist_export.heads import ClassHead, RateHead
from onwrist_export.himae import HiMAE

FAR = 1e30  # beyond every sensor value, and still finite when doubled
FLAT = 1e-6  # a window whose range is below this is flat and becomes zero
VARIANCE_FLOOR = 1e-5


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
        self.window = kinds.count("window")
        if kinds != ["window"] * self.window + ["fixed"] * (len(kinds) - self.window):
            raise ValueError("channels scaled by their window come before the fixed ones")
        self.observed_input = observed_input
        fixed = channels[self.window :]
        offset = torch.tensor([c.offset for c in fixed]).reshape(1, -1, 1)
        gain = torch.tensor([1.0 / c.scale for c in fixed]).reshape(1, -1, 1)
        self.register_buffer("offset", offset)
        self.register_buffer("gain", gain)

    @property
    def outputs_per_channel(self) -> int:
        return 2 if self.observed_input else 1

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:  # 2 x (B, C, N) -> (B, C', N)
        parts = []
        if self.window:
            x, seen = values[:, : self.window], observed[:, : self.window]
            gap = (1.0 - seen) * FAR
            low = (x + gap).amin(-1, keepdim=True)
            high = (x - gap).amax(-1, keepdim=True)
            span = torch.clamp(high - low, min=FLAT)
            # ((x - low) - (high - x)) / span is 2 (x - low) / span - 1 and zero when flat
            parts.append(((x - low) - (high - x)) / span * seen)
        if self.window < values.shape[1]:
            x, seen = values[:, self.window :], observed[:, self.window :]
            parts.append(torch.clamp((x - self.offset) * self.gain, -1.0, 1.0) * seen)
        if self.observed_input:
            parts.append(observed)
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def pool(stages: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time of all stages: two (B, sum of widths)."""
    means = [s.mean(-1) for s in stages]
    deviations = [
        torch.sqrt(torch.relu((s * s).mean(-1) - m * m) + VARIANCE_FLOOR)
        for s, m in zip(stages, means, strict=True)
    ]
    return torch.cat(means, dim=1), torch.cat(deviations, dim=1)


class DeployGraph(nn.Module):
    """Normalization, encoder, pooling and heads as one module.

    Parameters
    ----------
    encoder : its decoder is not exported.
    channels : scaling of each input channel.
    heads : task name to head; a `RateHead` reads the pooled features, a `ClassHead`
        those and the channel statistics.
    """

    def __init__(
        self,
        encoder: HiMAE,
        channels: Sequence[Scaling],
        heads: dict[str, RateHead | ClassHead] | None = None,
        observed_input: bool = False,
    ) -> None:
        super().__init__()
        self.normalize = Normalize(channels, observed_input)
        self.encoder = encoder
        self.heads = nn.ModuleDict(heads or {})

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("embedding", *self.heads)

    def features(self, values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding (B, E) and pooled features (B, 2 E)."""
        means, deviations = pool(self.encoder.encode(self.normalize(values, observed)))
        return means, torch.cat([means, deviations], dim=1)

    def forward(self, values: Tensor, observed: Tensor) -> tuple[Tensor, ...]:
        embedding, features = self.features(values, observed)
        outputs = [embedding]
        for head in self.heads.values():
            if isinstance(head, RateHead):
                outputs.append(head(features, observed[:, :1].mean(-1)))
            else:
                outputs.append(head(features))
        return tuple(outputs)
