"""The parts of the day graphs: what the layers of an LSM-2 become for a device.

Each computes what its layer does for a batch of one, in operators that engines share, with
what is linear beside a linear layer folded into it.

Shapes: C channels, T minutes, K tokens, D width, H heads, d = D / H.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onwrist_export.model.interpolation import Interpolation
from onwrist_export.model.lsm2 import (
    DAY,
    HARMONICS,
    LSM2,
    Block,
    LSM2Config,
    Positions,
)

BEYOND = 1e6  # minutes: further away than any other
LARGEST_LOG = 12.0


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer of these weights."""
    made = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    return made


def after_norm(norm: nn.LayerNorm, layer: nn.Linear) -> nn.Linear:
    """`layer` with the weights of the `norm` before it in its own."""
    return linear(layer.weight * norm.weight, layer.bias + layer.weight @ norm.bias)


def standardize(x: Tensor) -> Tensor:
    """A layer norm without weights."""
    return F.layer_norm(x, x.shape[-1:])


class Layer(nn.Module):
    """A transformer layer: (K, D) and attention bias (H, K, K) in, (K, D) out."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.heads = block.attention.heads
        mixed = after_norm(block.before_attention, block.attention.mixed)
        width = mixed.in_features
        # half of the scores' scale in the queries and half in the keys, so that all that
        # comes from this layer has about one range
        scale = torch.ones(3 * width)
        scale[: 2 * width] = (width // self.heads) ** -0.25
        self.mixed = linear(mixed.weight * scale[:, None], mixed.bias * scale)
        self.out = block.attention.out
        self.up = after_norm(block.before_mlp, block.mlp[0])
        self.down = block.mlp[2]

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        mixed = self.mixed(standardize(x))
        width = mixed.shape[1] // (3 * self.heads)
        query, key, value = (
            mixed.reshape(-1, 3 * self.heads, width).transpose(0, 1).split(self.heads)
        )
        read = (query @ key.transpose(1, 2) + bias).softmax(-1) @ value
        x = x + self.out(read.transpose(0, 1).reshape(-1, self.heads * width))
        return x + self.down(F.relu(self.up(standardize(x))))


def quantized(layers: Iterable[nn.Module], name: str) -> tuple[str, ...]:
    """Names of the linear layers of a list of `Layer` called `name`."""
    parts = ("mixed", "out", "up", "down")
    return tuple(f"{name}.{k}.{part}" for k, _ in enumerate(layers) for part in parts)


class Place(nn.Module):
    """What a token's place says, (K, D), from its patch and group (1, K), and the clock (1, 1).

    Of the harmonics of the clock there is a table, so that no engine's sine matters.
    """

    def __init__(self, positions: Positions, config: LSM2Config) -> None:
        super().__init__()
        middles = torch.arange(0, DAY, config.patch) + config.patch / 2
        angle = middles[:, None] * (2 * math.pi / DAY) * torch.arange(1, HARMONICS + 1)
        harmonics = torch.cat([angle.sin(), angle.cos()], 1).float()
        self.register_buffer("harmonics", harmonics.T.contiguous())
        self.register_buffer("patches", torch.arange(len(middles), dtype=torch.float32))
        self.register_buffer("groups", torch.arange(len(config.groups), dtype=torch.float32))
        weight = torch.cat([positions.clock.weight, positions.group.T], 1)
        self.place = linear(weight, positions.clock.bias)

    def forward(self, patch: Tensor, group: Tensor, clock: Tensor) -> Tensor:
        last = len(self.patches) - 1
        now = patch + clock
        now = now - (last + 1) * F.relu(torch.clamp(now - last, max=1.0))
        harmonics = F.linear(one_hot(now, self.patches), self.harmonics)
        return self.place(torch.cat([harmonics, one_hot(group, self.groups)], 1))


def one_hot(index: Tensor, all_of: Tensor) -> Tensor:
    """Whole numbers (1, K) as rows (K, M) with a 1 where `all_of` (M,) is that number."""
    return F.relu(1.0 - (index.reshape(-1, 1) - all_of).abs())


class Normalized(nn.Module):
    """Values and observed (1, C, T) in, values on the model's scale out, 0 if not observed."""

    def __init__(self, model: LSM2) -> None:
        super().__init__()
        self.log = model._log.flatten().tolist()
        self.register_buffer("offset", model._offset.clone())
        self.register_buffer("factor", 1 / model._scale)

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        x = values * observed
        rows = [
            torch.log(F.relu(x[:, c : c + 1]) + 1.0) if log else x[:, c : c + 1]
            for c, log in enumerate(self.log)
        ]
        return (torch.cat(rows, 1) - self.offset) * self.factor * observed


class Restored(nn.Module):
    """Values (1, C, T) on the model's scale in, in the channels' units out, as plausible."""

    def __init__(self, model: LSM2) -> None:
        super().__init__()
        self.log = model._log.flatten().tolist()
        for name in ("offset", "scale", "minimum", "maximum"):
            self.register_buffer(name, getattr(model, f"_{name}").clone())

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale + self.offset
        rows = [
            torch.exp(torch.clamp(x[:, c : c + 1], max=LARGEST_LOG)) - 1.0
            if log
            else x[:, c : c + 1]
            for c, log in enumerate(self.log)
        ]
        return torch.minimum(torch.maximum(torch.cat(rows, 1), self.minimum), self.maximum)


class Between(nn.Module):
    """`Interpolation` in floats: x, seen, before and after (1, T) and others (1, R, T)."""

    def __init__(self, interpolation: Interpolation, minutes: int) -> None:
        super().__init__()
        self.look, self.explain = interpolation.look, interpolation.explain
        near = interpolation.near
        self.register_buffer(
            "near", torch.cat([near, 0 * near, 0 * near, near]).reshape(2, 2, -1)
        )
        self.register_buffer("fading", torch.exp(-interpolation.memory).detach())
        self.register_buffer("minute", torch.arange(minutes, dtype=torch.float32))

    def forward(
        self, x: Tensor, seen: Tensor, others: Tensor, before: Tensor, after: Tensor
    ) -> Tensor:
        last = self.minute.shape[0] - 1
        explained = self.explain(F.relu(self.look(others))).squeeze(1)
        rest = torch.cat([(x - explained) * seen, seen])[None]  # (1, 2, T)
        total = F.conv1d(rest, self.near, padding=self.near.shape[-1] // 2)
        steady = (total[:, :1] / torch.clamp(total[:, 1:], min=1.0)).squeeze(1)
        left = self._at(steady, F.relu(before))
        right = self._at(steady, torch.clamp(after, max=float(last)))
        none_before = F.relu(torch.clamp(-before, max=1.0))
        none_after = F.relu(torch.clamp(after - last, max=1.0))
        share = (self.minute - before) / torch.clamp(after - before, min=1.0)
        share = torch.maximum(share * (1.0 - none_after), none_before)
        between = left + (right - left) * share
        sums = rest.sum(2)  # (1, 2)
        usual = sums[:, :1] / torch.clamp(sums[:, 1:], min=1.0)
        away = torch.minimum(
            self.minute - before + BEYOND * none_before,
            after - self.minute + BEYOND * none_after,
        )
        worth = torch.exp(away * -self.fading)
        between = usual + (between - usual) * worth
        return x * seen + (explained + between) * (1.0 - seen)

    def _at(self, x: Tensor, index: Tensor) -> Tensor:
        """Columns of x (1, T) at whole numbers (1, T)."""
        return torch.index_select(x, 1, index.squeeze(0).long())
