"""The graph that is exported: raw window and `observed` in, calibrated outputs out.

values, observed (B, C, N) -> normalize -> encode -> pool -> heads. With `baseline`
(B, C, 3), the running mean and scale of each channel and 1 where they are known, class
heads also see what changed. Everything that decides a number lies in here, so that no
host has to repeat it. Training runs the same modules, so that training and device cannot
differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from onwrist_export.model.channel_statistics import ChannelStatistics
from onwrist_export.model.heads import ClassHead, RateHead
from onwrist_export.model.himae import HiMAE
from onwrist_export.model.normalize import Scaling, scaler

VARIANCE_FLOOR = 1e-5


def pool(stages: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time of all stages: two (B, sum of widths)."""
    # concatenated first, so that the rest is a few operations and not a few a stage
    means = torch.cat([s.mean(-1) for s in stages], dim=1)
    squares = torch.cat([(s * s).mean(-1) for s in stages], dim=1)
    return means, deviation(means, squares)


def deviation(means: Tensor, squares: Tensor) -> Tensor:
    """Standard deviation from means and means of squares, never quite zero."""
    return torch.sqrt(torch.relu(squares - means * means) + VARIANCE_FLOOR)


def of_window(stages: Sequence[Tensor], samples: int) -> list[Tensor]:
    """The part of each stage that stands for the last `samples` of what was encoded."""
    return [s[..., -samples >> (k + 1) :] for k, s in enumerate(stages)]


class DeployGraph(nn.Module):
    """Normalization, encoder, pooling and heads as one module.

    Parameters
    ----------
    encoder : its decoder is not exported.
    channels : scaling of each input channel.
    rates : rate heads by task; they read the pooled features of all stages.
    classes : class heads by task; they read the channel statistics and what the rate
        heads found, see `read`.
    baseline : whether the graph takes one, as its third input.
    step : samples of one step of a causal encoder; None for another. A causal graph takes
        windows with their context, the past that they depend on, before them.
    """

    def __init__(
        self,
        encoder: HiMAE,
        channels: Sequence[Scaling],
        rates: Mapping[str, RateHead] | None = None,
        classes: Mapping[str, ClassHead] | None = None,
        observed_input: bool = False,
        baseline: bool = False,
        step: int | None = None,
    ) -> None:
        super().__init__()
        self.channels = len(channels)
        self.samples = encoder.config.samples
        self.normalize = scaler(channels, observed_input, self.samples, step)
        self.encoder = encoder
        self.rates = nn.ModuleDict(rates or {})
        self.classes = nn.ModuleDict(classes or {})
        self.statistics = ChannelStatistics(
            len(channels), self.normalize.window_scaled, encoder.config.samples, baseline
        )

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("embedding", *self.rates, *self.classes)

    def example(self) -> dict[str, Tensor]:
        """Inputs by name: one window, (1, C, N) each, and its baseline if it takes one."""
        shape = 1, self.channels, self.encoder.config.samples
        inputs = {"values": torch.zeros(shape), "observed": torch.ones(shape)}
        if self.statistics.baseline:
            inputs["baseline"] = torch.zeros(1, self.channels, 3)
        return inputs

    @property
    def context_size(self) -> int:
        """Inputs of a class head."""
        return self.statistics.size + 2 * len(self.rates)

    def features(self, values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding (B, E) and pooled features (B, 2 E)."""
        means, deviations = self._pooled(self.normalize(values, observed))
        return means, torch.cat([means, deviations], dim=1)

    def _pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return pool(of_window(self.encoder.encode(x), self.samples))

    def run(
        self, values: Tensor, observed: Tensor, baseline: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Embedding, output (B, 2) of each rate, and the class heads' context (B, S)."""
        means, deviations = self._pooled(self.normalize(values, observed))
        values, observed = values[..., -self.samples :], observed[..., -self.samples :]
        alive = self.normalize.alive(*self.normalize.extremes(values, observed))
        return means, *self.read(means, deviations, alive, values, observed, baseline)

    def read(
        self,
        means: Tensor,
        deviations: Tensor,
        alive: Tensor,
        values: Tensor,
        observed: Tensor,
        baseline: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Output (B, 2) of each rate and the class heads' context (B, S).

        From what was pooled of the encoder, and the raw window. Rates are read from the
        first channel: where it is not `alive` (B, 1) they have no confidence.
        """
        features = torch.cat([means, deviations], dim=1)
        seen = observed[:, :1].mean(-1)
        rates, found = {}, []
        for name, head in self.rates.items():
            value, odds, confidence = head(features, seen)
            rates[name] = torch.cat([value, confidence * alive], dim=1)
            found += [head.position(value) * alive, 0.25 * odds * alive]
        if not self.classes:
            return rates, None
        return rates, torch.cat([self.statistics(values, observed, baseline), *found], dim=1)

    def classify(self, context: Tensor | None) -> list[Tensor]:
        """Probabilities (B, labels) of each class task."""
        return [head(context) for head in self.classes.values()]

    def forward(
        self, values: Tensor, observed: Tensor, baseline: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        means, rates, context = self.run(values, observed, baseline)
        return means, *rates.values(), *self.classify(context)
