"""Samples with time stamps in, values and `observed` on the model's grid out.

The grid is the clock's own: grid point k lies at time k / rate, whatever was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """The samples of one channel.

    Attributes
    ----------
    values : float32 (n,), in the channel's unit; NaN where a sample is missing.
    times : float64 (n,), seconds, strictly increasing, one clock for a recording.
    rate : nominal native sampling rate in Hz; one native period is 1 / rate.
    """

    values: NDArray[np.float32]
    times: NDArray[np.float64]
    rate: float

    @classmethod
    def regular(cls, values: NDArray[np.float32], rate: float, start: float = 0.0) -> Signal:
        """The signal whose sample k was taken at start + k / rate seconds."""
        return cls(values, start + np.arange(len(values)) / rate, rate)
