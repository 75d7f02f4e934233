"""LSM-2, compact: a transformer autoencoder over a day of minutes with its gaps.

A day is cut into patches in time; a patch of one group of channels is a token, unless it
is missing. The encoder sees the tokens that are there, the decoder puts mask tokens where
none is and says what every minute would have been. Source: "LSM-2: Learning from
Incomplete Wearable Sensor Data", arXiv 2506.05321; `days.masks` has its Adaptive and
Inherited Masking.

Beside the published model: attention prefers what is near in time, a mask token gets what
other groups say of the same time, and one channel, heart rate, is predicted as what has to
be added to an interpolation of the minutes that are seen.

Shapes: B batch, C channels, T minutes, n = T / patch, G groups, N = n * G tokens in the
order of time (token t * G + g), K of them encoded, D width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onwrist_export.model.interpolation import Interpolation, nearest

DAY = 1440  # minutes
HARMONICS = 4  # of the day, for the clock
NOWHERE = -100.0  # attention score of a token that is not there
STEEPEST = 1.5  # score that the nearest-sighted head loses a patch of distance
RECENT = 60.0  # minutes after which a token counts 1 / e in the recent mean


@dataclass(frozen=True)
class LSM2Config:
    """Sizes of an LSM-2. The defaults are our channels and the smallest size.

    Attributes
    ----------
    channels, minutes : C and T.
    patch : minutes of a patch.
    groups : the channels of each group, whose patch is one token.
    least : for each group, how many minutes of a patch must be seen for it to be a token:
        1, so that it is missing if all its minutes are, up to `patch`, if any is.
    interpolated : the channel that is predicted on top of its interpolation; None for none.
    width, depth, heads : of the encoder.
    decoder_width, decoder_depth, decoder_heads : of the decoder.
    """

    channels: int = 3
    minutes: int = DAY
    patch: int = 20
    groups: tuple[tuple[int, ...], ...] = ((0, 1), (2,))
    least: tuple[int, ...] = (1, 1)
    interpolated: int | None = 2
    width: int = 64
    depth: int = 2
    heads: int = 2
    decoder_width: int = 64
    decoder_depth: int = 1
    decoder_heads: int = 2

    @property
    def patches(self) -> int:
        """n, the patches of a day."""
        return self.minutes // self.patch

    @property
    def tokens(self) -> int:
        """N, the tokens of a day without gaps."""
        return self.patches * len(self.groups)

    @property
    def slots(self) -> int:
        """Channels of the largest group; a token has as many, empty where it has fewer."""
        return max(len(group) for group in self.groups)


# The published model has 26 channels in patches of ten minutes, one channel a token; it
# is missing if any minute is, for heart rate only if all are (in our first channel here).
SIZES = {
    "nano": LSM2Config(),
    "micro": LSM2Config(width=96, depth=3, heads=3, decoder_width=96, decoder_heads=3),
    "small": LSM2Config(width=128, depth=4, heads=4, decoder_width=128, decoder_heads=4),
    "base": LSM2Config(
        channels=26,
        patch=10,
        groups=tuple((channel,) for channel in range(26)),
        least=(1, *[10] * 25),
        interpolated=None,
        width=384,
        depth=12,
        heads=6,
        decoder_width=256,
        decoder_depth=4,
        decoder_heads=4,
    ),
}


class Scale(NamedTuple):
    """(x - offset) / scale of a channel, of log(1 + x) where `log`; and its plausible range."""

    offset: float
    scale: float
    log: bool
    minimum: float
    maximum: float


class Attention(nn.Module):
    """Self-attention whose scores get a bias (B or 1, heads, K, K)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        mixed = self.mixed(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        query = query * (width // self.heads) ** -0.5
        read = (query @ key.transpose(-1, -2) + bias).softmax(-1) @ value
        return self.out(read.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """A pre-norm transformer layer. ReLU, since it quantizes whole."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + self._drop(self.attention(self.before_attention(x), bias))
        first, activation, second = self.mlp
        return x + second(self._drop(activation(first(self.before_mlp(x)))))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Positions(nn.Module):
    """What a token's place says: time of day and group."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.clock = nn.Linear(2 * HARMONICS, width)
        self.group = nn.Parameter(torch.randn(groups, width) * 0.02)

    def forward(self, minutes: Tensor) -> Tensor:
        """Local minutes of the day (B, n), of the middle of each patch -> (B, N, D)."""
        angle = minutes[..., None] * (2 * math.pi / DAY)
        angle = angle * torch.arange(1, HARMONICS + 1, device=minutes.device)
        clock = self.clock(torch.cat([angle.sin(), angle.cos()], -1))
        return (clock[:, :, None] + self.group).flatten(1, 2)


class Encoded(NamedTuple):
    """Encoder outputs (B, K, D), the tokens they are of (B, K), and which are there (B, K)."""

    tokens: Tensor
    index: Tensor
    there: Tensor


class LSM2(nn.Module):
    """The whole autoencoder, in the units of the channels.

    Parameters
    ----------
    scales : of each channel. They are constants of the model, never of a person.
    dropout : share of units that training leaves out.
    """

    def __init__(
        self, config: LSM2Config, scales: Sequence[Scale], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.config = config
        groups, width, inner = len(config.groups), config.width, config.decoder_width
        for name, values in zip(Scale._fields, zip(*scales, strict=True), strict=True):
            column = torch.tensor(values)[:, None]
            self.register_buffer(f"_{name}", column, persistent=False)
        self.embed = nn.Linear(2 * config.slots * config.patch, width)
        self.positions = Positions(groups, width)
        self.encoder = nn.ModuleList(
            Block(width, config.heads, dropout) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, inner)
        self.align = nn.Linear(width, inner)
        self.mask_token = nn.Parameter(torch.randn(inner) * 0.02)
        self.decoder_positions = Positions(groups, inner)
        self.decoder = nn.ModuleList(
            Block(inner, config.decoder_heads, dropout) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(inner)
        self.leave = nn.Linear(inner, config.slots * config.patch)
        if config.interpolated is not None:
            self.interpolation = Interpolation(config.channels - 1)
            self.hint = nn.Linear(config.patch, inner)
        time = torch.arange(config.tokens) // groups
        self.register_buffer("time", time, persistent=False)  # (N,), in patches
        for name, heads in (("near", config.heads), ("decoder_near", config.decoder_heads)):
            steps = torch.arange(heads)
            slopes = torch.where(steps < heads - 1, STEEPEST * 4.0**-steps, 0.0)
            self.register_buffer(name, slopes[:, None, None], persistent=False)

    # From minutes to tokens

    def normalize(self, values: Tensor, seen: Tensor) -> Tensor:
        """Values (B, C, T) on the model's scale, 0 where not seen."""
        x = torch.where(seen, values, 0.0)
        x = torch.where(self._log, torch.log1p(x.clamp(min=0.0)), x)
        return (x - self._offset) / self._scale * seen

    def restore(self, x: Tensor) -> Tensor:
        """Values in the channels' units, within their plausible range."""
        x = x * self._scale + self._offset
        x = torch.where(self._log, torch.expm1(x.clamp(max=12.0)), x)
        return torch.maximum(torch.minimum(x, self._maximum), self._minimum)

    @property
    def zero(self) -> Tensor:
        """What each channel is where its scale is at 0, in its unit: (C, 1)."""
        return self.restore(torch.zeros(self.config.channels, 1))

    def there(self, seen: Tensor) -> Tensor:
        """Which tokens there are: bool (B, N) for seen minutes bool (B, C, T)."""
        config, found = self.config, []
        for group, least in zip(config.groups, config.least, strict=True):
            some = seen[:, list(group)].any(1)
            found.append(some.unflatten(1, (-1, config.patch)).sum(-1) >= least)
        return torch.stack(found, 2).flatten(1)

    def tokenize(self, x: Tensor, seen: Tensor) -> Tensor:
        """Content of every token (B, N, D) from normalized x and seen, float (B, C, T)."""
        config, rows = self.config, []
        empty = torch.zeros_like(x[:, :1])
        for group in config.groups:
            for part in (x, seen):
                rows += [part[:, channel : channel + 1] for channel in group]
                rows += [empty] * (config.slots - len(group))
        patches = torch.cat(rows, 1).unflatten(2, (-1, config.patch))  # (B, G*2S, n, P)
        patches = patches.unflatten(1, (len(config.groups), -1)).permute(0, 3, 1, 2, 4)
        return self.embed(patches.flatten(3)).flatten(1, 2)

    # From tokens to an embedding

    def bias(self, index: Tensor, there: Tensor) -> Tensor:
        """Attention scores (B, heads, K, K) for distance in time, and for what is not there."""
        time = self.time[index].to(self.near.dtype)
        apart = (time[:, :, None] - time[:, None]).abs()
        return torch.where(there, 0.0, NOWHERE)[:, None, None] - self.near * apart[:, None]

    def encode(self, tokens: Tensor, index: Tensor, there: Tensor, minute: Tensor) -> Encoded:
        """Encode chosen tokens.

        Parameters
        ----------
        tokens : content of all tokens (B, N, D).
        index : which of them to encode, (B, K) int64.
        there : whether each of these is one, or only fills up, (B, K) bool.
        minute : local minute of the day with which the day begins, (B,).
        """
        each = index[..., None].expand(-1, -1, self.config.width)
        x = tokens * there_of(index, there, tokens.shape[1])[..., None]
        x = (x + self.positions(self._middles(minute))).gather(1, each)
        bias = self.bias(index, there)
        for block in self.encoder:
            x = block(x, bias)
        return Encoded(self.norm(x), index, there)

    def pool(self, encoded: Encoded) -> Tensor:
        """The embedding (B, 2 D): means of the tokens there are, of the day and recent."""
        age = (self.config.patches - 1 - self.time[encoded.index]) * self.config.patch
        weights = torch.stack([torch.ones_like(age), torch.exp(-age / RECENT)], 1)
        weights = weights * encoded.there[:, None]
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-20)
        return (weights @ encoded.tokens).flatten(1)

    # From tokens back to minutes

    def decode(self, encoded: Encoded, x: Tensor, seen: Tensor, minute: Tensor) -> Tensor:
        """Every minute of every channel as the model has it, normalized: (B, C, T)."""
        config = self.config
        inner = self.enter(encoded.tokens)
        there = there_of(encoded.index, encoded.there, config.tokens)[..., None]
        places = encoded.index[..., None]
        h = torch.zeros(len(x), config.tokens, config.decoder_width, dtype=inner.dtype)
        h = h.to(x.device).scatter(1, places.expand_as(inner), inner)
        h = torch.where(there, h, self.mask_token.to(h.dtype))
        # what is known of a time, whichever group knows it
        shared = self.align(encoded.tokens) * encoded.there[..., None]
        known = torch.zeros(len(x), config.patches, config.decoder_width, dtype=shared.dtype)
        moment = self.time[encoded.index][..., None].expand_as(shared)
        known = known.to(x.device).scatter_add(1, moment, shared)
        h = h + known.repeat_interleave(len(config.groups), 1)
        h = h + self.decoder_positions(self._middles(minute))
        base = None
        if config.interpolated is not None:
            base = self.base(x, seen)
            hints = self.hint(base.unflatten(1, (-1, config.patch)))
            h = h.unflatten(1, (-1, len(config.groups)))
            mine = [config.interpolated in group for group in config.groups]
            h = (h + hints[:, :, None] * torch.tensor(mine, device=x.device)[:, None]).flatten(
                1, 2
            )
        apart = (self.time[:, None] - self.time).abs()
        bias = -self.decoder_near * apart
        for block in self.decoder:
            h = block(h, bias)
        out = self.leave(self.decoder_norm(h))
        return self._minutes(out, base)

    def base(self, x: Tensor, seen: Tensor) -> Tensor:
        """The interpolated channel before the decoder adds to it, normalized (B, T)."""
        channel = self.config.interpolated
        others = [c for c in range(self.config.channels) if c != channel]
        before, after = nearest(seen[:, channel] > 0)
        told = torch.cat([x[:, others], seen[:, others]], 1)
        return self.interpolation(x[:, channel], seen[:, channel], told, before, after)

    def _minutes(self, out: Tensor, base: Tensor | None) -> Tensor:
        """Decoder outputs (B, N, S * P) as channels (B, C, T), on top of the base."""
        config = self.config
        out = out.unflatten(2, (config.slots, config.patch))
        out = out.unflatten(1, (-1, len(config.groups)))  # (B, n, G, S, P)
        rows: list[Tensor] = [out[:, :, 0, 0].flatten(1)] * config.channels
        for g, group in enumerate(config.groups):
            for s, channel in enumerate(group):
                rows[channel] = out[:, :, g, s].flatten(1)
        if base is not None and config.interpolated is not None:
            rows[config.interpolated] = rows[config.interpolated] + base
        return torch.stack(rows, 1)

    def _middles(self, minute: Tensor) -> Tensor:
        """Local minute in the middle of each patch, (B, n)."""
        patch = self.config.patch
        return (
            minute[:, None]
            + torch.arange(self.config.patches, device=minute.device) * patch
            + patch / 2
        )

    def forward(
        self, values: Tensor, seen: Tensor, minute: Tensor, index: Tensor | None = None
    ) -> Tensor:
        """Every minute as the model has it, normalized (B, C, T).

        Parameters
        ----------
        values, seen : (B, C, T) in the channels' units, and bool.
        minute : local minute of the day with which each day begins, (B,).
        index : the tokens to encode, (B, K); all of them if None.
        """
        x, there = self.normalize(values, seen), self.there(seen)
        if index is None:
            index = torch.arange(self.config.tokens, device=x.device).expand(len(x), -1)
        encoded = self.encode(
            self.tokenize(x, seen.to(x.dtype)), index, there.gather(1, index), minute
        )
        return self.decode(encoded, x, seen.to(x.dtype), minute)


def there_of(index: Tensor, there: Tensor, tokens: int) -> Tensor:
    """Which of all tokens were encoded and there: bool (B, N)."""
    return torch.zeros(len(index), tokens, dtype=torch.bool, device=index.device).scatter(
        1, index, there
    )
