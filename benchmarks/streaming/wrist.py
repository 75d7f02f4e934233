"""A simulated wrist that goes on for as long as asked: bursts or recordings out.

One period is simulated and repeated with later stamps, so that no more than a period is ever
held. The period is a whole number of steps and of samples of every sensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist.simulate import RATES, simulate
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.signals import Signal

BURST = 1.28  # seconds
PERIOD = 640.0  # seconds
START = 1_700_000_000.0  # a time of day, whose float64 stamps are as coarse as real ones

Burst = list[tuple[str, NDArray[np.float64], NDArray[np.float32]]]


@dataclass(frozen=True)
class Wrist:
    """One period of every sensor: stamps (n,) from 0 on, and samples (n, channels)."""

    sensors: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float32]]]
    channels: Mapping[str, tuple[str, int]]

    @classmethod
    def of(cls, manifest: Manifest, seed: int = 0, jitter: float = 0.0) -> Wrist:
        """What the channels of a bundle measure, each stamp off by up to `jitter` seconds.

        Raises
        ------
        InputError
            A channel cannot be simulated.
        """
        signals = simulate(PERIOD, seed, dropout=None, dies={}).signals
        random = np.random.default_rng(seed)
        rows: dict[str, list[str]] = {}
        for channel in manifest.channels:
            if channel.name not in RATES:
                raise InputError(f"{channel.name} cannot be simulated")
            rows.setdefault(channel.sensor, []).append(channel.name)
        sensors = {}
        for sensor, names in rows.items():
            times = signals[names[0]].times
            times = times + random.uniform(-jitter, jitter, len(times))
            values = np.stack([signals[name].values for name in names], axis=1)
            sensors[sensor] = times, values
        channels = {
            name: (sensor, axis)
            for sensor, names in rows.items()
            for axis, name in enumerate(names)
        }
        return cls(sensors, channels)

    def bursts(self) -> Iterator[Burst]:
        """What each sensor took, a push for each sensor, without end."""
        edges = np.arange(0.0, PERIOD + BURST / 2, BURST)
        cuts = {name: times.searchsorted(edges) for name, (times, _) in self.sensors.items()}
        start = START
        while True:
            for k in range(len(edges) - 1):
                burst: Burst = []
                for name, (times, values) in self.sensors.items():
                    part = slice(*cuts[name][k : k + 2])
                    samples = values[part] if values.shape[1] > 1 else values[part, 0]
                    burst.append((name, start + times[part], samples))
                yield burst
            start += PERIOD

    def recording(self, period: int) -> dict[str, Signal]:
        """The signals of one period, the first being 0."""
        start = START + period * PERIOD
        signals = {}
        for channel, (sensor, axis) in self.channels.items():
            times, values = self.sensors[sensor]
            signals[channel] = Signal(
                np.ascontiguousarray(values[:, axis]), start + times, RATES[channel]
            )
        return signals
