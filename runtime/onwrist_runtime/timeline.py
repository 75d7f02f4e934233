"""Samples of all sensors in as they arrive, grid blocks that will never change out.

- newest: the newest stamp of all sensors so far. A sample that is older than the newest
  stamp before it, or its own, by more than the lateness is late: counted and dropped.
- watermark: newest less lateness. A sample below it is settled: nothing older than it, and
  nothing between it and its neighbours, can be accepted any more.
- origin: the first grid point at or after the earliest sample, once that is settled; of
  minutes the last multiple of the hop, counted from midnight, at or before it.
- final: a grid point is final when all stamps that can reach its value, in any channel that
  the stream could have, lie below the watermark: a minute when the watermark has reached
  its end. Which channels really send samples plays no part.

So what a grid point is does not depend on how the samples were split or ordered on their
way here, as long as none came late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.clock import HISTORY, strays
from onwrist_runtime.minutes import Minutes
from onwrist_runtime.resampling import SAME_TIME, resample_block
from onwrist_runtime.sensors import Sensor
from onwrist_runtime.signals import resample_rows

Grid = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(slots=True)
class Tally:
    """What became of one channel's samples.

    Attributes
    ----------
    samples, late, duplicate, repaired : how many were taken, came too late, came twice, and
        had stamps that were off the line of their clock when they were resampled.
    last : stamp of the newest sample; None before the first.
    """

    samples: int = 0
    late: int = 0
    duplicate: int = 0
    repaired: int = 0
    last: float | None = None


@dataclass(slots=True)
class Timeline:
    """All sensors of a stream on one clock.

    Attributes
    ----------
    sensors : they hold the samples.
    tallies : of each channel, by row.
    rate : of the grid, in Hz.
    lateness : seconds.
    minutes : the intervals that are the grid points; None where these are instants.
    whole : the origin is a multiple of so many minutes.
    newest : -inf before the first sample.
    origin : None before it is known.
    finished : no more samples will come, and all are settled.
    repaired_to : stamps below were looked at for repair.
    least : once finished, so many grid points are final from the origin on, even if they
        lie past the newest sample; minutes up to a whole multiple of it.
    """

    sensors: tuple[Sensor, ...]
    tallies: tuple[Tally, ...]
    rate: float
    lateness: float
    minutes: Minutes | None = None
    whole: int = 1
    newest: float = -math.inf
    origin: int | None = None
    finished: bool = False
    repaired_to: float = -math.inf
    least: int = 0
    _reach: float = field(init=False)

    def __post_init__(self) -> None:
        self._reach = max(sensor.reach for sensor in self.sensors) + SAME_TIME

    def take(
        self,
        sensor: Sensor,
        times: NDArray[np.float64],
        values: NDArray[np.float32],
        steps: NDArray[np.float64] | None,
        floor: float | None = None,
    ) -> None:
        """Take samples of one sensor.

        Parameters
        ----------
        times : float64 (n,).
        values : float32 (k, n), NaN where a channel has no sample.
        steps : from stamp to stamp, if all are above 0 and no value is NaN; else None.
        floor : stamps below are late; None if each newer stamp of these makes older ones
            that follow it late.
        """
        least = self.newest - self.lateness if floor is None else floor
        plain = steps is not None and times.item(0) >= least
        if plain and steps is not None and sensor.append(times, values, steps):
            count, last = len(times), times.item(-1)
            for row in sensor.rows:
                tally = self.tallies[row]
                tally.samples += count
                if tally.last is None or last > tally.last:
                    tally.last = last
            if last > self.newest:
                self.newest = last
        else:
            self._sort_in(sensor, times, values, floor)

    def _sort_in(
        self,
        sensor: Sensor,
        times: NDArray[np.float64],
        values: NDArray[np.float32],
        floor: float | None,
    ) -> None:
        tallies = [self.tallies[row] for row in sensor.rows]
        some = ~np.isnan(values).all(axis=0)
        times, values = times[some], values[:, some]
        if not len(times):
            return
        running = np.maximum(np.maximum.accumulate(times), self.newest)
        late = times < (running - self.lateness if floor is None else floor)
        real = ~np.isnan(values)
        for tally, count in zip(tallies, (real & late).sum(axis=1).tolist(), strict=True):
            tally.late += count
        times, values, real = times[~late], values[:, ~late], real[:, ~late]
        if not len(times):
            return
        duplicates = sensor.merge(times, values).tolist()
        for tally, mine, twice in zip(tallies, real, duplicates, strict=True):
            if mine.any():
                tally.samples += int(mine.sum()) - twice
                tally.duplicate += twice
                last = float(times[mine].max())
                tally.last = last if tally.last is None else max(tally.last, last)
        self.newest = max(self.newest, float(times.max()))

    def finish(self, least: int = 0) -> None:
        """Settle all samples: no more will come."""
        self.finished, self.least = True, least
        self.settle_origin()

    def settle_origin(self) -> None:
        """Fix the origin once no earlier sample can be accepted any more.

        To be called whenever samples of all sensors up to some time were taken.
        """
        if self.origin is not None:
            return
        watermark = math.inf if self.finished else self.newest - self.lateness
        first = [float(s.samples.times[0]) for s in self.sensors if len(s.samples)]
        if first and min(first) < watermark:
            if self.minutes is None:
                self.origin = math.ceil((min(first) - SAME_TIME) * self.rate)
            else:
                self.origin = self.minutes.holding(min(first)) // self.whole * self.whole

    @property
    def final(self) -> int:
        """The grid points before this one, from the origin on, will never change."""
        assert self.origin is not None
        if self.minutes is not None:
            if not self.finished:
                return self.minutes.holding(self.newest - self.lateness)
            past = self.minutes.holding(self.newest) + 1
            short = (self.origin - past) % self.least if self.least else 0
            return past + short
        if self.finished:
            past = math.floor((self.newest + SAME_TIME) * self.rate) + 1
            return max(past, self.origin + self.least)
        return math.ceil((self.newest - self.lateness - self._reach) * self.rate)

    def resample(self, first: int, count: int) -> Grid:
        """Values and observed (C, count) at grid points from `first` on, all of them final."""
        values = np.zeros((len(self.tallies), count), np.float32)
        observed = np.zeros(values.shape, np.bool_)
        end = self._time(first + count)
        for sensor in self.sensors:
            times, samples = sensor.samples.until(end + sensor.reach)
            if self.minutes is not None and sensor.sums is not None:
                values[sensor.where], observed[sensor.where] = self.minutes.aggregate(
                    times, samples, sensor.sums, first, count
                )
            elif len(times):
                way = resample_block if sensor.holed < times.item(0) else resample_rows
                values[sensor.where], observed[sensor.where] = way(
                    times, samples, sensor.rate, self.rate, first, count
                )
        return values, observed

    def _time(self, point: int) -> float:
        """When a grid point is, or begins."""
        return point / self.rate if self.minutes is None else self.minutes.start(point)

    def forget(self, first: int) -> None:
        """Drop what no grid point from `first` on needs."""
        before = self._time(first)
        self._count_repaired(before)
        for sensor in self.sensors:
            sensor.samples.drop(before - sensor.reach - sensor.run)

    def count_rest(self) -> None:
        """Look for repair at what is left, once all samples are settled."""
        self._count_repaired(math.inf)

    def _count_repaired(self, before: float) -> None:
        for sensor in self.sensors:
            if sensor.sums is not None or not len(sensor.samples):
                continue
            if sensor.strayed < self.repaired_to - sensor.run:
                continue
            times = sensor.samples.times
            begin, end = times.searchsorted((self.repaired_to, before))
            if begin == end:
                continue
            values = sensor.samples.values[:, :end]
            missing = np.isnan(values)
            if not missing.any():
                since = max(begin - HISTORY, 0)
                count = int(strays(times[since:end], sensor.rate)[begin - since :].sum())
                for row in sensor.rows:
                    self.tallies[row].repaired += count
                continue
            for row, real in zip(sensor.rows, ~missing, strict=True):
                mine = strays(times[:end][real], sensor.rate)
                new = times[:end][real] >= self.repaired_to
                self.tallies[row].repaired += int((mine & new).sum())
        self.repaired_to = before
