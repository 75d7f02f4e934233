"""Samples with time stamps in, the mean or sum of each minute and `observed` out.

Where a grid point is an interval of time and not an instant: interval k is [zero + k period,
zero + (k + 1) period). Nothing is interpolated and no stamp is repaired: an interval is
observed if a sample lies in it, and one on an edge belongs to the interval that begins there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.window import LARGEST

Grid = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Minutes:
    """The intervals of a clock.

    Attributes
    ----------
    period : seconds, a whole number of them.
    zero : when interval 0 begins: a local midnight.
    """

    period: float
    zero: float

    def start(self, interval: int) -> float:
        """When an interval begins."""
        return self.zero + interval * self.period

    def holding(self, time: float) -> int:
        """The interval in which a time lies."""
        interval = math.floor((time - self.zero) / self.period)
        # The division rounds, the edges count.
        while time < self.start(interval):
            interval -= 1
        while time >= self.start(interval + 1):
            interval += 1
        return interval

    def aggregate(
        self,
        times: NDArray[np.float64],
        values: NDArray[np.float32],
        sums: Sequence[bool],
        first: int,
        count: int,
    ) -> Grid:
        """The intervals first ... first + count - 1 of channels that share time stamps.

        Parameters
        ----------
        times : (n,), seconds, strictly increasing.
        values : (k, n), NaN where a channel has no sample.
        sums : for each channel whether its samples are summed, or their mean is taken.

        Returns
        -------
        values : (k, count), 0 where not observed. Samples are added one after the other in
            the order of time, in float64, which is what `bincount` does.
        observed : bool (k, count); a sum of 1e15 or more is not observed, as no graph is
            given such a number.
        """
        edges = self.zero + np.arange(first, first + count + 1, dtype=np.float64) * self.period
        bounds = times.searchsorted(edges)
        interval = np.repeat(np.arange(count), np.diff(bounds))
        out = np.zeros((len(values), count), np.float32)
        observed = np.zeros(out.shape, np.bool_)
        for row, samples in enumerate(values[:, bounds[0] : bounds[-1]]):
            real = ~np.isnan(samples)
            taken = np.bincount(interval[real], minlength=count)
            total = np.bincount(interval[real], samples[real], count).astype(np.float64)
            if not sums[row]:
                total /= np.maximum(taken, 1)
            observed[row] = (taken > 0) & (np.abs(total) < LARGEST)
            out[row, observed[row]] = total[observed[row]]
        return out, observed
