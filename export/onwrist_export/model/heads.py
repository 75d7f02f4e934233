"""Float heads: from what the encoder found to calibrated task outputs.

A rate head sees the pooled features of a window (B, F), a class head its context
(B, S): channel statistics and what the rate heads found. What makes an output
calibrated (temperature, weights of confidence) are buffers, fitted after training on
validation subjects.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-6
MANTISSA = 2**12  # steps of the mantissa of a weight in a bundle


class MLP(nn.Module):
    """Standardize, one hidden layer, out; the standardization folds into the layer."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs, affine=False)
        self.hidden = nn.Linear(inputs, hidden)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs) -> (B, outputs)
        return self.out(self.drop(torch.relu(self.hidden(self.norm(x)))))

    def fold(self) -> None:
        """Make it fit for export: the standardization moves into the hidden layer.

        Weights keep 12 bits of mantissa, so that they compress: six graphs hold them.
        """
        if isinstance(self.norm, nn.Identity):
            return
        scale = (self.norm.running_var + self.norm.eps).rsqrt()
        with torch.no_grad():
            self.hidden.weight.copy_(_shorten(self.hidden.weight * scale))
            self.hidden.bias -= self.hidden.weight @ self.norm.running_mean
            self.out.weight.copy_(_shorten(self.out.weight))
        self.norm = nn.Identity()


def _shorten(weight: Tensor) -> Tensor:
    """Each number rounded to 12 bits of mantissa."""
    mantissa, exponent = torch.frexp(weight)
    return torch.ldexp((mantissa * MANTISSA).round() / MANTISSA, exponent)


class RateHead(nn.Module):
    """A rate as a distribution over log-spaced bins, with P(error <= tolerance).

    The value is the mean of the log rate under the sharpened distribution: unlike an
    arg max it is continuous in its inputs, so that a last-bit difference between
    engines cannot move it by a bin.

    Attributes
    ----------
    tolerance : the error that `confidence` is the probability of not exceeding.
    sharpness : exponent applied to the distribution before its mean is taken.
    trust : (3,) weights of log-odds of the mass near the value, of coverage, and bias.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 128,
        bins: int = 100,
        lowest: float = 36.0,
        highest: float = 205.0,
        tolerance: float = 5.0,
    ) -> None:
        super().__init__()
        self.mlp = MLP(inputs, hidden, bins, dropout=0.1)
        self.tolerance = tolerance
        rates = torch.logspace(
            torch.log2(torch.tensor(lowest)).item(),
            torch.log2(torch.tensor(highest)).item(),
            bins,
            base=2.0,
        )
        self.register_buffer("rates", rates)
        self.register_buffer("sharpness", torch.tensor(3.0))
        self.register_buffer("trust", torch.tensor([1.0, 0.0, 0.0]))

    def target(self, rate: Tensor, spread: float = 1.5) -> Tensor:
        """Soft target (B, bins): a Gaussian of `spread` bins around each rate (B,).

        Where the rate is NaN there is none to be found, and every bin is as likely.
        """
        position = torch.log(self.rates)
        step = position[1] - position[0]
        distance = (position[None] - torch.log(rate)[:, None]) / (spread * step)
        return torch.softmax(torch.nan_to_num(-0.5 * distance**2), dim=1)

    def loss(self, logits: Tensor, rate: Tensor) -> Tensor:
        """Cross entropy between `logits` (B, bins) and the soft target of `rate` (B,)."""
        return -(self.target(rate) * torch.log_softmax(logits, dim=1)).sum(1).mean()

    def position(self, value: Tensor) -> Tensor:
        """Where `value` lies between the lowest and the highest rate: -1 to 1, log scale."""
        low, high = torch.log(self.rates[0]), torch.log(self.rates[-1])
        return (torch.log(value) - (low + high) / 2) * (2 / (high - low))

    def evidence(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Value (B, 1) and log-odds (B, 1) of the mass within `tolerance` of it."""
        sharp = torch.softmax(logits * self.sharpness, dim=1)
        value = torch.exp((sharp * torch.log(self.rates)).sum(1, keepdim=True))
        # one within the tolerance, zero from twice the tolerance on
        near = torch.clamp(2.0 - (self.rates - value).abs() * (1.0 / self.tolerance), 0.0, 1.0)
        mass = (torch.softmax(logits, dim=1) * near).sum(1, keepdim=True)
        return value, torch.log(mass + EPSILON) - torch.log(1.0 + EPSILON - mass)

    def read(self, logits: Tensor, coverage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, bins), coverage (B, 1) -> value, log-odds, confidence, each (B, 1)."""
        value, odds = self.evidence(logits)
        trust = self.trust[0] * odds + self.trust[1] * coverage + self.trust[2]
        return value, odds, torch.sigmoid(trust)

    def forward(self, features: Tensor, coverage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, F), coverage (B, 1) -> value, log-odds, confidence, each (B, 1)."""
        return self.read(self.mlp(features), coverage)


class ClassHead(nn.Module):
    """Class probabilities from the context of a window, with a calibrated temperature."""

    def __init__(self, inputs: int, hidden: int, classes: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.mlp = MLP(inputs, hidden, classes, dropout)
        self.register_buffer("inverse_temperature", torch.tensor(1.0))

    def forward(self, context: Tensor) -> Tensor:  # (B, S) -> (B, classes)
        return torch.softmax(self.mlp(context) * self.inverse_temperature, dim=1)
