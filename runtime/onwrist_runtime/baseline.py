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
        # Weight, mean, and weighted sum of (value - mean)^2, each (C,); never written into.
        self._state = np.zeros((3, channels))

    def update(self, values: NDArray[np.float32], observed: NDArray[np.bool_]) -> None:
        """Take one block: values and observed (C, samples).

        The merge of two sets by count, mean and sum of squares is that of Chan, Golub and
        LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances" (1979), with the deviations of the block taken from the mean so far.
        """
        weight, mean, squares = self._state
        if not weight.all():
            # a mean of nothing starts at a value, so that differences from it are small
            first = values[np.arange(len(values)), observed.argmax(axis=1)]
            mean = np.where((weight == 0) & observed.any(axis=1), first, mean)
        before = mean[:, np.newaxis]
        deviation = np.where(observed, values, before) - before
        total = np.add.reduce(deviation, 1)
        deviation *= deviation
        weight = weight * self._kept + np.add.reduce(observed, 1)
        step = total / np.maximum(weight, 1e-9)
        squares = squares * self._kept + np.add.reduce(deviation, 1) - total * step
        self._state = np.array([weight, mean + step, np.maximum(squares, 0.0)])

    @property
    def usual(self) -> NDArray[np.float64]:
        """Mean and scale (standard deviation) (C, 2), in each channel's unit.

        Both are NaN where too little is remembered.
        """
        weight, mean, squares = self._state
        scale = np.sqrt(squares / np.maximum(weight, 1e-9))
        usual = np.array([mean, scale]).T
        usual[weight < self._least] = np.nan
        return usual

    @property
    def input(self) -> NDArray[np.float32]:
        """What the graph takes, see `as_input`."""
        return as_input(self.usual)

    @property
    def state(self) -> NDArray[np.float64]:
        """All that is remembered (3, C): weight, mean, sum of squares. Setting it restores."""
        return self._state

    @state.setter
    def state(self, state: NDArray[np.float64]) -> None:
        state = np.array(state, np.float64)
        if state.shape != self._state.shape:
            raise InputError(
                f"the state of a baseline of {self._state.shape[1]} channels has the shape "
                f"{self._state.shape}, not {state.shape}"
            )
        if not np.isfinite(state).all() or (state[[0, 2]] < 0).any():
            raise InputError("the state of a baseline is finite, its weights and sums >= 0")
        self._state = state


def as_input(usual: NDArray[np.float64]) -> NDArray[np.float32]:
    """The graph's `baseline` input (1, C, 3): mean, scale and 1; zeros where either is NaN."""
    rows = np.ones((1, len(usual), 3), np.float32)
    rows[0, :, :2] = usual
    rows[0, np.isnan(np.add.reduce(usual, 1))] = 0.0
    return rows
