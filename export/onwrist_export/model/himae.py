"""HiMAE: a hierarchical masked autoencoder over sensor windows, as published.

A U-Net of residual stages, each halving time. Its encoder yields one representation
per temporal resolution; its decoder reconstructs what was masked. Source: "HiMAE:
Hierarchical Masked Autoencoders Discover Resolution-Specific Structure in Wearable
Time Series", arXiv 2510.25785. Module names follow the official checkpoints, so that
their weights load unchanged.

Shapes: B batch, C input channels, N samples; stage k has W_k channels and
N / 2^k samples (rounded up).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL = 5
STRIDE = 2
# Samples that the two convolutions of a causal stage look back beyond a step.
HISTORY = (KERNEL - STRIDE, KERNEL - 1)


@dataclass(frozen=True)
class HiMAEConfig:
    """Sizes of a HiMAE. The defaults are the published five-stage model.

    Attributes
    ----------
    inputs : channels going into the encoder.
    outputs : channels that the decoder reconstructs.
    widths : channels of each stage; its length is the depth.
    rate, samples : grid rate in Hz and window length in samples.
    activation : "gelu" as published, or "relu", which quantizes whole.
    padding : "same" as published, or "causal": no stage looks ahead.
    """

    inputs: int = 1
    outputs: int = 1
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    rate: float = 25.0
    samples: int = 250
    activation: Literal["gelu", "relu"] = "gelu"
    padding: Literal["same", "causal"] = "same"

    @property
    def strides(self) -> tuple[int, ...]:
        """Input samples per output sample of each stage."""
        return tuple(STRIDE ** (k + 1) for k in range(len(self.widths)))

    @property
    def receptive_fields(self) -> tuple[int, ...]:
        """Input samples that one output sample of each stage depends on."""
        fields, reach, step = [], 1, 1
        for _ in self.widths:
            reach += (KERNEL - 1) * step
            step *= STRIDE
            reach += (KERNEL - 1) * step
            fields.append(reach)
        return tuple(fields)


def _activation(name: str) -> nn.Module:
    return nn.GELU() if name == "gelu" else nn.ReLU()


class EncoderStage(nn.Module):
    """A strided and a plain convolution around a strided 1x1 shortcut.

    With causal padding, output k depends on inputs up to 2 k + 1 and the shortcut
    takes the newest of them, so that a stream of steps needs no future sample.
    """

    def __init__(self, inputs: int, width: int, activation: str, causal: bool) -> None:
        super().__init__()
        padding = 0 if causal else KERNEL // 2
        self.causal = causal
        self.main_path = nn.Sequential(
            nn.Conv1d(inputs, width, KERNEL, STRIDE, padding, bias=False),
            nn.BatchNorm1d(width),
            _activation(activation),
            nn.Conv1d(width, width, KERNEL, 1, padding, bias=False),
            nn.BatchNorm1d(width),
        )
        self.shortcut = nn.Sequential(
            nn.Conv1d(inputs, width, 1, STRIDE, bias=False), nn.BatchNorm1d(width)
        )
        self.activation = _activation(activation)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, L) -> (B, width, ceil(L / 2))
        if not self.causal:
            return self.activation(self.main_path(x) + self.shortcut(x))
        first, norm, act, second, second_norm = self.main_path
        h = act(norm(first(F.pad(x, (HISTORY[0], 0)))))
        h = second_norm(second(F.pad(h, (HISTORY[1], 0))))
        return self.activation(h + self.shortcut(x[..., STRIDE - 1 :]))

    def step(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Go on where an earlier part of the stream ended; causal padding only.

        Parameters
        ----------
        x : (B, inputs, 3 + L), the last three inputs of the part before, then the new.
        before : (B, width, 4), what the first convolution gave last.

        Returns
        -------
        (B, width, L / 2), and the first convolution's outputs (B, width, 4 + L / 2).
        """
        first, norm, act, second, second_norm = self.main_path
        h = torch.cat([before, act(norm(first(x)))], dim=-1)
        newest = x[..., HISTORY[0] + STRIDE - 1 :]
        return self.activation(second_norm(second(h)) + self.shortcut(newest)), h


class DecoderStage(nn.Module):
    """Upsample by two, append the encoder's output of that resolution, convolve."""

    def __init__(self, inputs: int, width: int, activation: str) -> None:
        super().__init__()
        self.upconv = nn.ConvTranspose1d(
            inputs, width, KERNEL, STRIDE, KERNEL // 2, output_padding=1
        )
        self.conv_block = nn.Sequential(
            nn.Conv1d(2 * width, width, KERNEL, padding=KERNEL // 2, bias=False),
            nn.BatchNorm1d(width),
            _activation(activation),
            nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, bias=False),
            nn.BatchNorm1d(width),
            _activation(activation),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.upconv(x)[..., : skip.shape[-1]]
        return self.conv_block(torch.cat([x, skip], dim=1))


class HiMAE(nn.Module):
    """Encoder and decoder; `encode` for representations, `forward` for the masked task."""

    def __init__(self, config: HiMAEConfig) -> None:
        super().__init__()
        self.config = config
        causal = config.padding == "causal"
        inputs = (config.inputs, *config.widths[:-1])
        self.encoder_layers = nn.ModuleList(
            EncoderStage(i, w, config.activation, causal)
            for i, w in zip(inputs, config.widths, strict=True)
        )
        widths = config.widths[::-1]
        self.decoder_layers = nn.ModuleList(
            DecoderStage(i, w, config.activation) for i, w in pairwise(widths)
        )
        self.final_deconv = nn.ConvTranspose1d(
            widths[-1], config.outputs, KERNEL, STRIDE, KERNEL // 2, output_padding=1
        )

    def encode(self, x: Tensor) -> list[Tensor]:
        """Stage outputs, finest first: x (B, C, N) -> [(B, W_k, N / 2^k), ...]."""
        stages = []
        for layer in self.encoder_layers:
            x = layer(x)
            stages.append(x)
        return stages

    def decode(self, stages: list[Tensor], samples: int) -> Tensor:
        """Reconstruction (B, outputs, samples) from all stage outputs."""
        x = stages[-1]
        for layer, skip in zip(self.decoder_layers, stages[-2::-1], strict=True):
            x = layer(x, skip)
        return torch.tanh(self.final_deconv(x)[..., :samples])

    def forward(self, x: Tensor) -> Tensor:  # (B, C, N) -> (B, outputs, N)
        return self.decode(self.encode(x), x.shape[-1])


def patch_mask(
    batch: int, samples: int, patch: int, ratio: float, generator: torch.Generator
) -> Tensor:
    """Bool (batch, 1, samples), True where masked: a share of patches, uniformly drawn.

    The last patch may be short; each row masks the same number of patches.
    """
    patches = -(-samples // patch)
    order = torch.rand(batch, patches, generator=generator).argsort(dim=1)
    masked = order < round(ratio * patches)
    return masked.repeat_interleave(patch, dim=1)[:, None, :samples]


def masked_loss(reconstruction: Tensor, target: Tensor, scored: Tensor) -> Tensor:
    """Mean squared error over the positions in `scored` (masked and really observed)."""
    weight = scored.to(target.dtype).expand_as(target)
    return ((reconstruction - target) ** 2 * weight).sum() / weight.sum().clamp(min=1)
