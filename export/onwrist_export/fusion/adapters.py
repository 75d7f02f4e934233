"""Low-rank adapters (LoRA, arXiv 2106.09685) beside the frozen convolutions of encoders."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from onwrist_export.fusion.networks import Encoders

SECOND = 3  # where a stage's main path has the convolution that takes an adapter


class Adapter(nn.Module):
    """A frozen convolution and a low-rank one beside it, which begins as nothing (LoRA)."""

    def __init__(self, conv: nn.Conv1d, rank: int, alpha: float) -> None:
        super().__init__()
        self.conv, self.scale = conv, alpha / rank
        self.first = nn.Conv1d(
            conv.in_channels, rank, conv.kernel_size[0], padding=conv.padding[0], bias=False
        )
        self.second = nn.Conv1d(rank, conv.out_channels, 1, bias=False)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.scale * self.second(self.first(x))

    @torch.no_grad()
    def merged(self) -> nn.Conv1d:
        """One convolution that computes the same."""
        conv = copy.deepcopy(self.conv)
        product = torch.einsum("or,rik->oik", self.second.weight[..., 0], self.first.weight)
        conv.weight += self.scale * product
        return conv


def adapt(encoders: Encoders, rank: int, alpha: float) -> None:
    """Freeze encoders but for an adapter on the second convolution of every stage."""
    encoders.requires_grad_(False)
    for encoder in dict.fromkeys(encoders.sensors):
        for stage in encoder.himae.encoder_layers:
            stage.main_path[SECOND] = Adapter(stage.main_path[SECOND], rank, alpha)


def merge(encoders: Encoders) -> None:
    """Put the adapters into the convolutions that they are beside."""
    for encoder in dict.fromkeys(encoders.sensors):
        for stage in encoder.himae.encoder_layers:
            stage.main_path[SECOND] = stage.main_path[SECOND].merged()
