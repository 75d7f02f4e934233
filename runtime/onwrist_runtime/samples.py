"""The accepted samples of one sensor, in order of time, from what is still needed on.

Samples come in any order, columns of values with one stamp for all of them; what goes out
are views of the stamps and values so far, each stamp once. A channel that has no sample at
a stamp is NaN there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Values = NDArray[np.float32]

ZERO = np.float32(0)
SMALLEST = 64  # samples that there is always room for


class Samples:
    """A sorted buffer, which grows with what it must hold and is emptied from the front.

    Parameters
    ----------
    channels : k.

    Attributes
    ----------
    last : the newest stamp that was ever here; -inf before the first.
    """

    def __init__(self, channels: int) -> None:
        self._times: Times = np.empty(SMALLEST)
        self._values: Values = np.empty((channels, SMALLEST), np.float32)
        self._start = self._stop = 0
        self.last = -np.inf

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def times(self) -> Times:
        """Stamps (n,), strictly increasing."""
        return self._times[self._start : self._stop]

    @property
    def values(self) -> Values:
        """Values (k, n), NaN where a channel has no sample."""
        return self._values[:, self._start : self._stop]

    def until(self, time: float) -> tuple[Times, Values]:
        """Stamps (n,) and values (k, n) of the samples whose stamps are below `time`."""
        times = self._times[self._start : self._stop]
        count = int(times.searchsorted(time))
        return times[:count], self._values[:, self._start : self._start + count]

    def append(self, times: Times, values: Values) -> None:
        """Take samples (n,), (k, n) in order, all later than what is here."""
        stop = self._stop + len(times)
        if stop > len(self._times):
            self._make_room(len(times))
            stop = self._stop + len(times)
        self._times[self._stop : stop] = times
        # -0.0 and 0.0 are as small as each other: adding 0 makes them the same.
        np.add(values, ZERO, out=self._values[:, self._stop : stop])
        self._stop, self.last = stop, times.item(-1)

    def merge(self, times: Times, values: Values) -> NDArray[np.intp]:
        """Take samples (n,), (k, n) in any order; of several at one stamp the smallest.

        Returns
        -------
        duplicates : (k,), how many had to give way.
        """
        if not len(times):
            return np.zeros(len(values), np.intp)
        overlap = int(self.times.searchsorted(times.min()))
        all_times = np.concatenate([self.times[overlap:], times])
        all_values = np.concatenate([self.values[:, overlap:], values], axis=1)
        order = all_times.argsort(kind="stable")
        all_times, all_values = all_times[order], all_values[:, order]
        first = np.flatnonzero(np.diff(all_times, prepend=-np.inf))
        if len(first) == len(all_times):
            duplicates = np.zeros(len(values), np.intp)
        else:
            given = np.add.reduce(~np.isnan(all_values), axis=1)
            all_values = np.fmin.reduceat(all_values, first, axis=1)
            all_times = all_times[first]
            duplicates = given - np.add.reduce(~np.isnan(all_values), axis=1)
        self._stop = self._start + overlap
        self.append(all_times, all_values)
        return duplicates

    def drop(self, before: float) -> None:
        """Forget the samples whose stamps are below `before`."""
        self._start += int(self.times.searchsorted(before))
        if self._start == self._stop:
            self._start = self._stop = 0

    def _make_room(self, count: int) -> None:
        """Move to the front of a buffer with room for `count` more."""
        times, values = self.times, self.values
        held = len(times)
        size = len(self._times)
        while size < 2 * (held + count):
            size *= 2
        if size > len(self._times):
            self._times, self._values = (
                np.empty(size),
                np.empty((len(values), size), np.float32),
            )
        self._times[:held] = times
        self._values[:, :held] = values
        self._start, self._stop = 0, held
