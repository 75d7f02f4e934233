"""The channels of a manifest in, the sensors of a stream and what names mean to it out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.arrivals import PIECE, Limit
from onwrist_runtime.clock import HISTORY, STRAY, is_regular
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.resampling import reach
from onwrist_runtime.samples import Samples, Times, Values
from onwrist_runtime.settings import Settings

DENSEST = 1000.0  # Hz: any sensor may be so fast, or four times what is stated of it
MOST = 1e9  # samples of one sensor, however long they must wait


@dataclass(slots=True)
class Sensor:
    """Channels that share stamps and rate.

    Attributes
    ----------
    rows, where : their rows of the window, ascending, and as an index.
    rate : nominal native sampling rate in Hz.
    sums : for each channel whether the samples of a minute are summed, or their mean is
        taken; None where they are resampled.
    reach : seconds past a grid point within which a stamp can change its value.
    run : seconds before a sample within which others can tell where its stamp should be.
    limit : how many samples may be held.
    samples : what is still needed.
    strayed : from the stamp after this one on, all came in order and at the nominal rate.
    holed : from the stamp after this one on, no channel's sample is missing.
    """

    rows: tuple[int, ...]
    where: slice | list[int]
    rate: float
    sums: tuple[bool, ...] | None
    reach: float
    run: float
    limit: Limit
    samples: Samples
    strayed: float = -math.inf
    holed: float = -math.inf

    @classmethod
    def of(
        cls,
        rows: Sequence[int],
        rate: float,
        grid_rate: float,
        wait: float,
        sums: tuple[bool, ...] | None,
    ) -> Sensor:
        """A sensor whose samples may have to wait for so many seconds until they are used."""
        run = ahead = 0.0
        if sums is None:
            # Steps of a run are below 3 / 2 periods.
            run, ahead = 1.5 * (HISTORY + 1) / rate, reach(rate, grid_rate)
        held = wait + run + 2 * ahead
        limit = Limit(int(min(held * max(DENSEST, 4 * rate), MOST)) + 2 * PIECE, held)
        together = rows[-1] - rows[0] + 1 == len(rows)  # a slice is the cheaper index
        where = slice(rows[0], rows[-1] + 1) if together else list(rows)
        return cls(tuple(rows), where, rate, sums, ahead, run, limit, Samples(len(rows)))

    def append(
        self,
        times: Times,
        values: Values,
        steps: Times,
    ) -> bool:
        """Take plain samples, if they are later than what is here; whether they are."""
        step = times.item(0) - self.samples.last
        if step <= 0:
            return False
        if abs(step - 1 / self.rate) > STRAY / HISTORY / self.rate:
            self.strayed = times.item(0)
        if not is_regular(steps, self.rate):
            self.strayed = times.item(-1)
        self.samples.append(times, values)
        return True

    def merge(self, times: Times, values: Values) -> NDArray[np.intp]:
        """Take samples in any order; how many of each channel came twice."""
        twice = self.samples.merge(times, values)
        self.strayed = self.holed = self.samples.last
        return twice

    def all_axes(self, axes: Mapping[int, Values]) -> Values:
        """Values (k, n) of all channels from those of some (n,), NaN elsewhere."""
        count = len(next(iter(axes.values())))
        values = np.full((len(self.rows), count), np.nan, np.float32)
        for axis, given in axes.items():
            values[axis] = given
        return values


Target = tuple[Sensor, int | None]  # a whole sensor, or one axis of several


def sensors_of(manifest: Manifest, settings: Settings) -> tuple[Sensor, ...]:
    """What samples together: channels of one sensor, at one rate."""
    groups: dict[tuple[str, float], list[int]] = {}
    for row, channel in enumerate(manifest.channels):
        groups.setdefault((channel.sensor, settings.rates[row]), []).append(row)
    # Until it is used a sample waits for the newest one, and for the next window's end, or
    # that of a patch.
    until = manifest.samples if manifest.tokens is None else manifest.tokens.patch
    wait = settings.lateness + 2 * until / manifest.rate
    return tuple(
        Sensor.of(rows, rate, manifest.rate, wait, sums_of(manifest, rows))
        for (_, rate), rows in groups.items()
    )


def sums_of(manifest: Manifest, rows: Sequence[int]) -> tuple[bool, ...] | None:
    """Which channels of a sensor are summed in a bundle with tokens; None in any other."""
    if manifest.tokens is None:
        return None
    return tuple(manifest.channels[row].aggregation == "sum" for row in rows)


def targets_of(manifest: Manifest, sensors: Sequence[Sensor]) -> dict[str, Target]:
    """What a name of `push` means: a whole sensor, or one axis of it."""
    targets: dict[str, Target] = {}
    for sensor in sensors:
        for axis, row in enumerate(sensor.rows):
            channel = manifest.channels[row]
            targets[channel.sensor] = sensor, None
            targets[channel.name] = sensor, axis if len(sensor.rows) > 1 else None
    return targets
