"""Windows of several sensors in, answers out, by whichever way the sensors are fused.

A sensor's encoder makes tokens of its window: one that summarizes all stages, and those of
the last stage in time. Late fusion asks every sensor and averages; hybrid fusion lets the
tokens of all sensors attend to each other. A sensor that is not there has no tokens: it is
left out of every sum and every softmax, not multiplied by zero.

Shapes: B windows, S sensors, T tokens of a sensor, W their width, d the width of attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.model.graph import pool
from onwrist_export.model.himae import HiMAE
from onwrist_export.model.normalize import Normalize

GONE = 1e4  # taken from a score, its exponential is exactly 0 in float32


class Summary(nn.Module):
    """Mean and deviation over time of all stages, standardized, in W numbers."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features, affine=False)
        self.linear = nn.Linear(features, width)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        return torch.relu(self.linear(self.norm(torch.cat(pool(stages), dim=1))))


class SensorEncoder(nn.Module):
    """The HiMAE of one sensor, and the tokens (B, T, W) that it makes of a window."""

    def __init__(self, config: FusionConfig, rows: slice) -> None:
        super().__init__()
        scalings = config.scalings(rows)
        self.normalize = Normalize(scalings, observed_input=True)
        self.himae = HiMAE(config.himae(len(scalings)))
        widths = config.encoder.widths
        self.summary = Summary(2 * sum(widths), widths[-1])

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        stages = self.himae.encode(self.normalize(values, observed))
        summary = self.summary(stages)[:, None]
        return torch.cat([summary, stages[-1].transpose(1, 2)], dim=1)


class Encoders(nn.Module):
    """The encoders of all sensors; each runs on the windows in which its sensor is there."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.rows = config.rows
        own = [SensorEncoder(config, rows) for rows in config.rows]
        if config.encoder.shared:
            own = [own[0]] * len(own)
        self.sensors = nn.ModuleList(own)
        self.tokens = 1 + config.window.samples // 2 ** len(config.encoder.widths)
        self.width = config.encoder.widths[-1]

    def forward(self, values: Tensor, observed: Tensor, live: Tensor) -> Tensor:
        """2 x (B, C, N), live bool (B, S) -> (B, S, T, W), zero where not live."""
        found = []
        for k, (encoder, rows) in enumerate(zip(self.sensors, self.rows, strict=True)):
            tokens = values.new_zeros(len(values), self.tokens, self.width)
            which = live[:, k]
            if which.any():
                made = encoder(values[which, rows], observed[which, rows])
                tokens[which] = made.to(tokens.dtype)
            found.append(tokens)
        return torch.stack(found, dim=1)


class Answers(nn.Module):
    """The logits of every task, one after the other (B, sum of labels)."""

    def __init__(self, width: int, config: FusionConfig) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(width, sum(len(task.labels) for task in config.classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.drop(x))


class Early(nn.Module):
    """One encoder of the channels of all sensors together."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.encoder = SensorEncoder(config, slice(0, len(config.channels)))
        self.answers = Answers(self.encoder.summary.linear.out_features, config)

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        return self.answers(self.encoder(values, observed)[:, 0])


class Late(nn.Module):
    """Every sensor's own answer (B, S, L) from the summary of its window."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.encoder.widths[-1]
        self.heads = nn.ModuleList(Answers(width, config) for _ in config.sensors)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, S, T, W)
        return torch.stack([head(tokens[:, k, 0]) for k, head in enumerate(self.heads)], dim=1)


class Attention(nn.Module):
    """Multi-head attention over those keys that are there."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, source: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
        """(B, Q, d) attends to (B, K, d), of which `gone` (B, K) is 1 where nothing is.

        Returns what was attended to (B, Q, d) and how much (B, heads, Q, K).
        """
        q, k, v = (
            layer(each).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, each in ((self.query, x), (self.key, source), (self.value, source))
        )
        scores = q @ k.transpose(-1, -2) * self.scale - gone[:, None, None] * GONE
        shares = torch.softmax(scores, dim=-1)
        return self.out((shares @ v).transpose(1, 2).flatten(2)), shares


class Block(nn.Module):
    """Attention and a hidden layer, each added to what goes in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
        normed = self.first(x)
        attended, shares = self.attention(normed, normed, gone)
        x = x + attended
        return x + self.down(torch.relu(self.up(self.second(x)))), shares


class Fused(nn.Module):
    """Tokens of all sensors, attending to those of the sensors that are there."""

    def __init__(self, config: FusionConfig, tokens: int, width: int) -> None:
        super().__init__()
        d, sensors = config.fusion.width, len(config.sensors)
        self.embed = nn.Linear(width, d)
        self.place = nn.Parameter(0.02 * torch.randn(sensors * tokens, d))
        self.blocks = nn.ModuleList(
            Block(d, config.fusion.heads) for _ in range(config.fusion.layers)
        )
        self.norm = nn.LayerNorm(d)

    def forward(self, tokens: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S T, W), gone (B, S T) -> (B, S T, d), and the last shares (B, h, S T, S T)."""
        x = self.embed(tokens) + self.place
        shares = x.new_zeros(0)
        for block in self.blocks:
            x, shares = block(x, gone)
        return self.norm(x), shares


class Restorer(nn.Module):
    """The restoration decoder: the tokens of every sensor, from what the others fused to.

    Each sensor asks by queries of its own, and has a layer of its own that answers.
    """

    def __init__(self, config: FusionConfig, tokens: int, width: int) -> None:
        super().__init__()
        d = config.fusion.width
        self.tokens = tokens
        self.asked = nn.Parameter(0.02 * torch.randn(len(config.sensors) * tokens, d))
        self.attention = Attention(d, config.fusion.heads)
        self.hidden = nn.Linear(d, 2 * d)
        self.out = nn.ModuleList(nn.Linear(2 * d, width) for _ in config.sensors)

    def forward(self, fused: Tensor, gone: Tensor) -> Tensor:
        """(B, S T, d), gone (B, S T) -> (B, S T, W)."""
        asked = self.asked.expand(len(fused), -1, -1)
        attended, _ = self.attention(asked, fused, gone)
        hidden = torch.relu(self.hidden(asked + attended))
        parts = hidden.split(self.tokens, dim=1)
        return torch.cat([out(p) for out, p in zip(self.out, parts, strict=True)], dim=1)


class Hybrid(nn.Module):
    """Attention between sensors, with something or nothing for those that are not there."""

    def __init__(self, config: FusionConfig, tokens: int, width: int) -> None:
        super().__init__()
        d, sensors = config.fusion.width, len(config.sensors)
        self.tokens, self.fill = tokens, config.fusion.fill
        self.stop_gradient = config.fusion.stop_gradient
        self.fused = Fused(config, tokens, width)
        self.score = nn.Linear(d, 1)
        self.answers = Answers(d, config)
        if self.fill in ("mask", "memory"):
            count = 1 if self.fill == "mask" else sensors * tokens
            self.constant = nn.Parameter(0.02 * torch.randn(count, width))
        self.restorer = Restorer(config, tokens, width) if self.fill == "restored" else None

    def forward(self, sensed: Tensor, live: Tensor) -> Outcome:
        """Tokens (B, S T, W) and which sensors are there (B, S) as 0 and 1."""
        there = live.repeat_interleave(self.tokens, dim=1)[..., None]  # (B, S T, 1)
        gone = 1.0 - there[..., 0]
        restored = None
        if self.fill == "none":
            fused, shares = self.fused(sensed, gone)
        else:
            if self.restorer is None:
                stand_in = self.constant
            else:
                fused, _ = self.fused(sensed, gone)
                source = fused.detach() if self.stop_gradient else fused
                restored = self.restorer(source, gone)
                stand_in = restored.detach() if self.stop_gradient else restored
            filled = there * sensed + (1.0 - there) * stand_in
            fused, shares = self.fused(filled, torch.zeros_like(gone))
        summaries = fused[:, :: self.tokens]  # (B, S, d)
        scores = self.score(summaries)[..., 0] - (1.0 - live) * GONE
        weights = torch.softmax(scores, dim=1)
        embedding = (weights[:, None] @ summaries)[:, 0]
        return Outcome(self.answers(embedding), embedding, weights, fused, restored, shares)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What hybrid fusion found.

    Attributes
    ----------
    logits : (B, L), of all tasks.
    embedding : (B, d).
    weights : (B, S), how much each sensor counted; 0 where it is not there.
    fused : (B, S T, d).
    restored : (B, S T, W), or None without a restoration decoder.
    shares : (B, heads, S T, S T), attention of the last block.
    """

    logits: Tensor
    embedding: Tensor
    weights: Tensor
    fused: Tensor
    restored: Tensor | None
    shares: Tensor


class Signals(nn.Module):
    """The scaled signals (B, C_s, N) of one sensor from its tokens in time (B, T - 1, W)."""

    def __init__(self, tokens: int, width: int, channels: int, samples: int) -> None:
        super().__init__()
        self.channels = channels
        self.hidden = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.out = nn.Conv1d(2 * width, channels * (samples // (tokens - 1)), 1)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.out(torch.relu(self.hidden(tokens.transpose(1, 2))))
        each = parts.unflatten(1, (self.channels, -1))  # (B, C_s, samples a token, tokens)
        return each.transpose(2, 3).flatten(2)
