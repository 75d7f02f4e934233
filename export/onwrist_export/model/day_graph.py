"""The three graphs of the day model that a device runs, around a trained LSM-2.

`EmbedGraph` makes tokens of minutes, `EncodeGraph` takes those that there are with the slots
that they belong to, `DecodeGraph` says every minute. Inputs and outputs are as the bundle's
specification has them: float32, a batch of one, and 0 or 1 for what is missing or there.

Shapes: C channels, L minutes, n patches, G groups, N tokens, K of them encoded, D width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onwrist_export.model.day_layers import (
    Between,
    Layer,
    Normalized,
    Place,
    Restored,
    after_norm,
    quantized,
    standardize,
)
from onwrist_export.model.lsm2 import LSM2, NOWHERE, RECENT
from onwrist_runtime.manifest import (
    AFTER,
    BEFORE,
    CLOCK,
    EMBEDDING,
    ENCODED,
    IMPUTED,
    PRESENT,
    SLOTS,
    TOKENS,
)


class DayGraph(nn.Module):
    """What the three have in common.

    Attributes
    ----------
    output_names : of what `forward` gives, in order.
    quantized : names of the linear layers that become INT8, in the order of `forward`.
    """

    output_names: tuple[str, ...]
    quantized: tuple[str, ...]

    def __init__(self, model: LSM2) -> None:
        super().__init__()
        self.config = model.config

    def example(self, size: int) -> dict[str, Tensor]:
        """Inputs by name, of so many minutes or tokens."""
        raise NotImplementedError


class EmbedGraph(DayGraph):
    """values, observed (1, C, L) -> tokens (1, L / patch * G, D)."""

    output_names = (TOKENS,)
    quantized = ("embed",)

    def __init__(self, model: LSM2) -> None:
        super().__init__(model)
        self.normalized = Normalized(model)
        self.embed = model.embed

    def example(self, size: int) -> dict[str, Tensor]:
        shape = 1, self.config.channels, size
        return {"values": torch.zeros(shape), "observed": torch.ones(shape)}

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        config, rows = self.config, []
        x = self.normalized(values, observed)
        empty = x[:, :1] * 0.0  # a constant would have a size
        for group in config.groups:
            for part in (x, observed):
                rows += [part[:, channel : channel + 1] for channel in group]
                rows += [empty] * (config.slots - len(group))
        patches = torch.cat(rows, 1).reshape(len(rows), -1, config.patch)
        patches = patches.transpose(0, 1).reshape(-1, 2 * config.slots * config.patch)
        return self.embed(patches)[None]


class EncodeGraph(DayGraph):
    """tokens (1, K, D), slots (1, K), clock (1, 1) -> embedding, tasks, encoded (1, K, D).

    Parameters
    ----------
    heads : by task, from the embedding (1, E) to the task's output.
    """

    def __init__(self, model: LSM2, heads: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__(model)
        self.position = Place(model.positions, model.config)
        self.blocks = nn.ModuleList(Layer(block) for block in model.encoder)
        self.norm = model.norm
        self.heads = nn.ModuleDict(heads or {})
        self.register_buffer("near", model.near.clone())  # (H, 1, 1)
        self.quantized = quantized(self.blocks, "blocks")
        self.output_names = EMBEDDING, *self.heads, ENCODED

    def example(self, size: int) -> dict[str, Tensor]:
        return {
            TOKENS: torch.zeros(1, size, self.config.width),
            SLOTS: torch.arange(size, dtype=torch.float32)[None],
            CLOCK: torch.zeros(1, 1),
        }

    def forward(self, tokens: Tensor, slots: Tensor, clock: Tensor) -> tuple[Tensor, ...]:
        config = self.config
        there = F.relu(torch.clamp(slots + 1.0, max=1.0))  # (1, K), 0 where left over
        taken = F.relu(slots)
        patch = torch.floor((taken + 0.5) * (1 / len(config.groups)))
        group = taken - patch * len(config.groups)
        x = tokens.squeeze(0) * there.reshape(-1, 1)
        x = x + self.position(patch, group, clock)
        apart = (patch.reshape(-1, 1) - patch).abs()
        bias = (there - 1.0) * -NOWHERE - self.near * apart  # (H, K, K)
        for block in self.blocks:
            x = block(x, bias)
        x = self.norm(x)
        age = (config.patches - 1.0 - patch) * config.patch
        weights = torch.cat([there, there * torch.exp(age * (-1 / RECENT))])  # (2, K)
        weights = weights / torch.clamp(weights.sum(1, keepdim=True), min=1e-20)
        embedding = (weights @ x).reshape(1, -1)
        return embedding, *(head(embedding) for head in self.heads.values()), x[None]


class DecodeGraph(DayGraph):
    """Encoded tokens at their places (1, N, D), which there are (1, N), and the day -> minutes.

    It is also told the nearest observed minutes of the interpolated channel, (1, T) each.
    """

    output_names = (IMPUTED,)

    def __init__(self, model: LSM2) -> None:
        super().__init__(model)
        config = model.config
        if config.interpolated is None:
            raise ValueError("a day graph decodes on top of an interpolated channel")
        self.channel: int = config.interpolated
        self.others = [c for c in range(config.channels) if c != self.channel]
        self.normalized, self.restored = Normalized(model), Restored(model)
        self.between = Between(model.interpolation, config.minutes)
        self.enter, self.align, self.hint = model.enter, model.align, model.hint
        self.mask_token = model.mask_token
        self.position = Place(model.decoder_positions, config)
        self.blocks = nn.ModuleList(Layer(block) for block in model.decoder)
        self.leave = after_norm(model.decoder_norm, model.leave)
        time = model.time.float()
        self.register_buffer("patch", time[None])
        self.register_buffer(
            "group", torch.arange(config.tokens)[None] % len(config.groups) * 1.0
        )
        self.register_buffer("near", model.decoder_near.clone())  # (H, 1, 1)
        mine = [[float(self.channel in group)] for group in config.groups]
        self.register_buffer("mine", torch.tensor([mine]))  # (1, G, 1)
        self.quantized = "enter", "align", *quantized(self.blocks, "blocks")

    def example(self, size: int) -> dict[str, Tensor]:
        config = self.config
        minutes = torch.arange(size, dtype=torch.float32)[None]
        shape = 1, config.channels, size
        return {
            ENCODED: torch.zeros(1, config.tokens, config.width),
            PRESENT: torch.ones(1, config.tokens),
            "values": torch.zeros(shape),
            "observed": torch.ones(shape),
            BEFORE: minutes,
            AFTER: minutes.clone(),  # one tensor would be exported as one input
            CLOCK: torch.zeros(1, 1),
        }

    def forward(
        self,
        encoded: Tensor,
        present: Tensor,
        values: Tensor,
        observed: Tensor,
        before: Tensor,
        after: Tensor,
        clock: Tensor,
    ) -> Tensor:
        config = self.config
        groups, mine = len(config.groups), self.channel
        x = self.normalized(values, observed)
        others = torch.cat(
            [part[:, c : c + 1] for part in (x, observed) for c in self.others], 1
        )
        heard, seen = (part[:, mine : mine + 1].squeeze(1) for part in (x, observed))
        base = self.between(heard, seen, others, before, after)
        tokens, there = encoded.squeeze(0), present.reshape(-1, 1)
        h = self.enter(tokens) * there + self.mask_token * (1.0 - there)
        h = (h + self.position(self.patch, self.group, clock)).reshape(-1, groups, h.shape[1])
        # what is known of a time, whichever group knows it
        h = h + (self.align(tokens) * there).reshape(h.shape).sum(1, keepdim=True)
        hints = self.hint(base.reshape(-1, config.patch))
        h = (h + hints.reshape(-1, 1, h.shape[2]) * self.mine).reshape(config.tokens, -1)
        time = self.patch + clock  # computed, where a constant bias would be large
        bias = self.near * -(time.reshape(-1, 1) - time).abs()
        for block in self.blocks:
            h = block(h, bias)
        out = self.leave(standardize(h)).reshape(-1, groups * config.slots, config.patch)
        out = out.transpose(0, 1).reshape(1, groups * config.slots, -1)
        return self.restored(self._channels(out, base[None]))

    def _channels(self, out: Tensor, base: Tensor) -> Tensor:
        """Rows of groups and slots (1, G * S, T), and the base (1, 1, T), as channels."""
        config = self.config
        rows = [out[:, :1]] * config.channels
        for g, group in enumerate(config.groups):
            for s, channel in enumerate(group):
                row = g * config.slots + s
                rows[channel] = out[:, row : row + 1]
        rows[self.channel] = rows[self.channel] + base
        return torch.cat(rows, 1)
