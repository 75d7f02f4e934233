"""How many samples of a stream wait to be used: each push in, whether it is too much out.

The lateness, the rate and the window of a stream say for how many seconds a sample may have to
wait, but not how many samples a client sends within them.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.sensors import sensors_of
from onwrist_runtime.settings import settings_of
from onwrist_runtime.stream import Stream

_PARTS = 16  # of the seconds that a sample waits, in which samples are counted together


class Held:
    """The samples of all sensors that may still be needed; hardly fewer are.

    Parameters
    ----------
    rates : what the client said of them.
    most : samples.
    """

    def __init__(
        self, manifest: Manifest, stream: Stream, rates: dict[str, float] | None, most: int
    ) -> None:
        asked = settings_of(manifest, stream.mode, stream.hop, stream.lateness, rates)
        sensors = sensors_of(manifest, asked)
        self._seconds = max(sensor.limit.seconds for sensor in sensors)
        self._lateness, self._most = stream.lateness, most
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._counts: Counter[int] = Counter()  # by the newest time of their push

    def new(self, times: NDArray[np.float64], before: float, newest: float) -> int:
        """How many samples of a push may have to wait.

        Parameters
        ----------
        times : of its samples.
        before, newest : the newest time of all before it, and with it.

        Raises
        ------
        InputError
            With them more would wait than a stream holds.
        """
        since = max(before - self._lateness, newest - self._seconds)
        count = int(np.count_nonzero(times >= since))
        first = self._part(newest - self._seconds)
        held = count + sum(n for part, n in self._counts.items() if part >= first)
        if held > self._most:
            raise InputError(
                f"{held} samples would wait to be used, and a stream holds {self._most}: send "
                "fewer in a second, or ask for a smaller lateness in the hello"
            )
        return count

    def add(self, count: int, newest: float) -> None:
        """Take note of samples that were pushed."""
        part, first = self._part(newest), self._part(newest - self._seconds)
        for gone in [each for each in self._counts if each < first]:
            del self._counts[gone]
        self._counts[part] += count

    def _part(self, time: float) -> int:
        return math.floor(_PARTS * time / self._seconds)
