"""The graphs that a device runs for several sensors, around the trained networks.

`SenseGraph` makes tokens of one sensor's window, `FuseGraph` answers from those of the
sensors that are live, `DecodeGraph` restores the signals of all. Inputs and outputs are as
the bundle's specification has them: float32, a batch of one, and 0 or 1 for what is there.

Shapes: S sensors, T tokens of each, K = S T, W their width, d that of attention, H heads,
C channels, N samples.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.learn import Merged
from onwrist_export.fusion.networks import (
    GONE,
    Block,
    Fused,
    Hybrid,
    Restorer,
    SensorEncoder,
    Signals,
)
from onwrist_export.model.day_layers import Layer, after_norm, linear, quantized, standardize
from onwrist_export.model.graph import pool
from onwrist_runtime.manifest import EMBEDDING, IMPUTED, LIVE, SCALE, SENSED, WEIGHTS

# How layers are named by what they compute of: tokens of live sensors, of those with what
# stands for the others, of the others, and signals.
SEEN, FILLED, RESTORE, SIGNALS = "seen", "filled", "restore", "signals"
NEIGHBOURS = 3  # tokens that a restored stretch of signal is made from


class SenseGraph(nn.Module):
    """values, observed (1, C, N) of one sensor -> sensed (1, T, W).

    What is pooled is read in float, as by the heads of other bundles: means and deviations of
    all stages have no range in common, and where kernels round otherwise they differ by most.
    """

    output_names = (SENSED,)

    def __init__(self, encoder: SensorEncoder) -> None:
        super().__init__()
        self.normalize, self.encoder = encoder.normalize, encoder.himae
        self.summary, norm = encoder.summary.linear, encoder.summary.norm
        self.register_buffer("mean", norm.running_mean[None].clone())
        self.register_buffer("factor", torch.rsqrt(norm.running_var + norm.eps)[None])

    def example(self) -> dict[str, Tensor]:
        config = self.encoder.config
        shape = 1, config.outputs, config.samples
        return {"values": torch.zeros(shape), "observed": torch.ones(shape)}

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        stages = self.encoder.encode(self.normalize(values, observed))
        pooled = (torch.cat(pool(stages), dim=1) - self.mean) * self.factor
        summary = F.relu(self.summary(pooled))
        return torch.cat([summary[:, None], stages[-1].transpose(1, 2)], dim=1)


class Attended(nn.Module):
    """Tokens (K, W) that attend to those that a bias (1, 1, K) leaves: (K, d), standardized."""

    def __init__(self, fused: Fused) -> None:
        super().__init__()
        self.embed = fused.embed
        self.blocks = nn.ModuleList(Layer(_like_lsm2(block)) for block in fused.blocks)
        self.register_buffer("place", fused.place.detach().clone())

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        x = self.embed(tokens) + self.place
        for block in self.blocks:
            x = block(x, bias)
        return standardize(x)

    def quantized(self, name: str) -> tuple[str, ...]:
        return f"{name}.embed", *quantized(self.blocks, f"{name}.blocks")


def _like_lsm2(block: Block) -> SimpleNamespace:
    """A block with its parts called as an LSM-2 calls them."""
    own = block.attention
    parts = own.query, own.key, own.value
    mixed = linear(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]))
    return SimpleNamespace(
        before_attention=block.first,
        attention=SimpleNamespace(heads=own.heads, mixed=mixed, out=own.out),
        before_mlp=block.second,
        mlp=(block.up, nn.ReLU(), block.down),
    )


class Restore(nn.Module):
    """Attended tokens (K, d) and their bias in, what the tokens would be (K, W) out.

    What every sensor asks is known beforehand, and so is all that is linear in it.
    """

    def __init__(self, restorer: Restorer, norm: nn.LayerNorm) -> None:
        super().__init__()
        own, hidden = restorer.attention, restorer.hidden
        self.heads, self.tokens = own.heads, restorer.tokens
        key, value = after_norm(norm, own.key), after_norm(norm, own.value)
        half = own.scale**0.5
        self.mixed = linear(
            torch.cat([key.weight * half, value.weight]),
            torch.cat([key.bias * half, value.bias]),
        )
        self.hidden = linear(hidden.weight @ own.out.weight, torch.zeros(len(hidden.bias)))
        self.out = restorer.out
        with torch.no_grad():
            asked = (own.query(restorer.asked) * half).unflatten(1, (self.heads, -1))
            known = hidden(restorer.asked + own.out.bias)
        self.register_buffer("asked", asked.transpose(0, 1).contiguous())
        self.register_buffer("known", known)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        mixed = self.mixed(x)
        width = mixed.shape[1] // (2 * self.heads)
        key, value = mixed.reshape(-1, 2 * self.heads, width).transpose(0, 1).split(self.heads)
        read = (self.asked @ key.transpose(1, 2) + bias).softmax(-1) @ value
        hidden = self.hidden(read.transpose(0, 1).reshape(-1, self.heads * width))
        hidden = F.relu(hidden + self.known)
        each = self.tokens
        return torch.cat(
            [out(hidden[k * each : (k + 1) * each]) for k, out in enumerate(self.out)]
        )

    def quantized(self, name: str) -> tuple[str, ...]:
        outs = (f"{name}.out.{k}" for k, _ in enumerate(self.out))
        return f"{name}.mixed", f"{name}.hidden", *outs


class FromSensed(nn.Module):
    """What both graphs of all sensors have in common.

    Attributes
    ----------
    output_names : of what `forward` gives, in order.
    quantized : names of the linear layers that become INT8, in the order of `forward`.
    """

    output_names: tuple[str, ...]
    quantized: tuple[str, ...]

    def __init__(self, hybrid: Hybrid, config: FusionConfig) -> None:
        super().__init__()
        self.sensors, self.tokens = len(config.sensors), hybrid.tokens
        self.width = hybrid.fused.embed.in_features
        self.register_buffer("each", torch.ones(1, self.tokens))

    def example(self, _: int) -> dict[str, Tensor]:
        """Inputs by name; there is one size."""
        return {
            SENSED: torch.zeros(1, self.sensors * self.tokens, self.width),
            LIVE: torch.ones(1, self.sensors),
        }

    def there(self, live: Tensor) -> Tensor:
        """Of every token, whether its sensor is live (K, 1)."""
        return (live.reshape(-1, 1) * self.each).reshape(-1, 1)


class FuseGraph(FromSensed):
    """sensed (1, K, W), live (1, S), a scale (1, 1) a task -> embedding, tasks, weights."""

    def __init__(self, merged: Merged, config: FusionConfig) -> None:
        super().__init__(merged.hybrid, config)
        hybrid = merged.hybrid
        self.fill = hybrid.fill
        names: tuple[str, ...] = ()
        if self.fill in ("none", "restored"):
            self.seen = Attended(hybrid.fused)
            names += self.seen.quantized(SEEN)
        if hybrid.restorer is not None:
            self.restore = Restore(hybrid.restorer, hybrid.fused.norm)
            names += self.restore.quantized(RESTORE)
        if self.fill != "none":
            self.filled = Attended(hybrid.fused)
            names += self.filled.quantized(FILLED)
        if self.fill in ("mask", "memory"):
            self.register_buffer("constant", hybrid.constant.detach().clone())
        self.quantized = names
        self.register_buffer("gain", hybrid.fused.norm.weight.detach().clone())
        self.register_buffer("shift", hybrid.fused.norm.bias.detach().clone())
        self.score, out = hybrid.score, hybrid.answers.out
        sizes = [len(task.labels) for task in config.classes]
        parts = zip(out.weight.split(sizes), out.bias.split(sizes), strict=True)
        self.answers = nn.ModuleList(linear(*part) for part in parts)
        self.names = [task.name for task in config.classes]
        self.output_names = EMBEDDING, *self.names, WEIGHTS

    def example(self, size: int) -> dict[str, Tensor]:
        scales = {f"{name}{SCALE}": torch.full((1, 1), 1.0) for name in self.names}
        return super().example(size) | scales

    def forward(self, sensed: Tensor, live: Tensor, *scales: Tensor) -> tuple[Tensor, ...]:
        tokens, there = sensed.squeeze(0), self.there(live)
        bias = ((there - 1.0) * GONE).reshape(1, 1, -1)
        if self.fill in ("none", "restored"):
            x = self.seen(tokens, bias)
        if self.fill != "none":
            stand_in = self.restore(x, bias) if self.fill == "restored" else self.constant
            filled = tokens * there + stand_in * (1.0 - there)
            x = self.filled(filled, bias * 0.0)
        summaries = x.reshape(self.sensors, -1)[:, : x.shape[1]] * self.gain + self.shift
        scores = self.score(summaries).reshape(1, -1) + (live - 1.0) * GONE
        weights = scores.softmax(-1)
        embedding = weights @ summaries
        found = [
            (answer(embedding) * scale).softmax(-1)
            for answer, scale in zip(self.answers, scales, strict=True)
        ]
        return embedding, *found, weights


class DecodeGraph(FromSensed):
    """sensed (1, K, W), live (1, S) -> imputed (1, C, N) in the channels' units.

    Of a live sensor they are made of its own tokens, of another one of restored tokens.
    """

    output_names = (IMPUTED,)

    def __init__(self, merged: Merged, config: FusionConfig) -> None:
        super().__init__(merged.hybrid, config)
        hybrid = merged.hybrid
        if hybrid.restorer is None:
            raise ValueError("only fusion with a restoration decoder restores signals")
        self.seen = Attended(hybrid.fused)
        self.restore = Restore(hybrid.restorer, hybrid.fused.norm)
        self.signals = nn.ModuleList(Drawn(signals) for signals in merged.signals)
        drawn = (f"{SIGNALS}.{k}" for k, _ in enumerate(self.signals))
        self.quantized = (
            *self.seen.quantized(SEEN),
            *self.restore.quantized(RESTORE),
            *(f"{name}.{part}" for name in drawn for part in ("hidden", "out")),
        )
        for what in ("scale", "offset", "minimum", "maximum"):
            numbers = [getattr(channel, what) for channel in config.channels]
            self.register_buffer(what, torch.tensor(numbers)[:, None])

    def forward(self, sensed: Tensor, live: Tensor) -> Tensor:
        tokens, there = sensed.squeeze(0), self.there(live)
        bias = ((there - 1.0) * GONE).reshape(1, 1, -1)
        restored = self.restore(self.seen(tokens, bias), bias)
        filled = tokens * there + restored * (1.0 - there)
        starts = range(0, self.sensors * self.tokens, self.tokens)
        parts = [
            signals(filled[start + 1 : start + self.tokens])
            for start, signals in zip(starts, self.signals, strict=True)
        ]
        x = torch.cat(parts) * self.scale + self.offset
        return torch.minimum(torch.maximum(x, self.minimum), self.maximum)[None]


class Drawn(nn.Module):
    """The scaled signals (C, N) of a sensor from its tokens in time (T - 1, W).

    Its convolutions are linear layers of neighbours.
    """

    def __init__(self, signals: Signals) -> None:
        super().__init__()
        self.channels = signals.channels
        hidden, out = signals.hidden, signals.out
        self.hidden = linear(hidden.weight.transpose(1, 2).flatten(1), hidden.bias)
        self.out = linear(out.weight[..., 0], out.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        count, nothing = tokens.shape[0], tokens[:1] * 0.0
        padded = torch.cat([nothing, tokens, nothing])
        near = torch.cat([padded[k : k + count] for k in range(NEIGHBOURS)], dim=1)
        parts = self.out(F.relu(self.hidden(near)))
        return (
            parts.reshape(count, self.channels, -1).transpose(0, 1).reshape(self.channels, -1)
        )
