"""What a stream remembers of each channel: a running mean and scale over minutes.

Blocks of grid points in, the graph's `baseline` input out. Old blocks are forgotten
exponentially, so that three numbers a channel are all there is to keep. Everything is
float64 and every block is merged relative to the mean so far, so that rounding does not
add up over a day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import InputError

# Seconds of observed grid points, after forgetting, that a mean takes to be worth saying:
# about one window. A channel that is gone is unknown again once it is forgotten to this.
LEAST = 10.0


class Baseline:
    """Running mean and scale (standard deviation) of each channel.

    Parameters
    ----------
    channels : C.
    rate : grid points a second.
    seconds : time constant: after this long a grid point counts 1 / e.
    samples : grid points of a block.
    """

    def __init__(self, channels: int, rate: float, seconds: float, samples: int) -> None:
        self.samples = samples
        self._kept = np.exp(-samples / rate / seconds)
        self._least = LEAST * rate
        self._weight = np.zeros(channels)
        self._mean = np.zeros(channels)
        self._squares = np.zeros(channels)  # weighted sum of (value - mean)^2

    def update(self, values: NDArray[np.float32], observed: NDArray[np.bool_]) -> None:
        """Take one block: values and observed (C, samples).

        The merge of two sets by count, mean and sum of squares is that of Chan, Golub and
        LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances" (1979), with the deviations of the block taken from the mean so far.
        """
        if not self._weight.all():
            # a mean of nothing starts at a value, so that differences from it are small
            first = values[np.arange(len(values)), observed.argmax(axis=1)]
            new = (self._weight == 0) & observed.any(axis=1)
            self._mean = np.where(new, first, self._mean)
        mean = self._mean[:, None]
        deviation = np.where(observed, values, mean) - mean
        count = np.add.reduce(observed, 1)
        total = np.add.reduce(deviation, 1)
        squares = np.add.reduce(deviation * deviation, 1)
        self._weight = self._weight * self._kept + count
        step = total / np.maximum(self._weight, 1e-9)
        self._mean = self._mean + step
        self._squares = np.maximum(self._squares * self._kept + squares - total * step, 0.0)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which channels enough is remembered (C,)."""
        return self._weight >= self._least

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean (C,) in each channel's unit, NaN where unknown."""
        return np.where(self.known, self._mean, np.nan)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Standard deviation (C,) in each channel's unit, NaN where unknown."""
        variance = self._squares / np.maximum(self._weight, 1e-9)
        return np.where(self.known, np.sqrt(variance), np.nan)

    @property
    def input(self) -> NDArray[np.float32]:
        """What the graph takes, see `as_input`."""
        return as_input(self.mean, self.scale)

    @property
    def state(self) -> NDArray[np.float64]:
        """All that is remembered (3, C): weight, mean, sum of squares. Setting it restores."""
        return np.stack([self._weight, self._mean, self._squares])

    @state.setter
    def state(self, state: NDArray[np.float64]) -> None:
        state = np.asarray(state, np.float64)
        if state.shape != (3, len(self._weight)):
            raise InputError(
                f"the state of a baseline of {len(self._weight)} channels has the shape "
                f"(3, {len(self._weight)}), not {state.shape}"
            )
        if not np.isfinite(state).all() or (state[[0, 2]] < 0).any():
            raise InputError("the state of a baseline is finite, its weights and sums >= 0")
        self._weight, self._mean, self._squares = state.copy()


def as_input(mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """The graph's `baseline` input (1, C, 3): mean, scale and 1; zeros where either is NaN."""
    rows = np.empty((1, len(mean), 3), np.float32)
    rows[0, :, 0], rows[0, :, 1], rows[0, :, 2] = mean, scale, 1.0
    rows[0, np.isnan(mean + scale)] = 0.0
    return rows
