"""A live stream: bursts of samples in as they arrive, predictions out as they come due.

What becomes of samples, by what happens on their way; `timeline` has the terms.

- In bursts, or out of order within the lateness: the same as in order, one by one.
- Later than the lateness: counted as late and dropped.
- Twice at one stamp: counted as a duplicate; the smaller value stays, whichever came first.
- With jittered stamps: those more than 1/16 period off the line of their clock are moved to
  it, 7/16 at most, and counted as repaired. Drift up to 200 ppm moves no stamp.
- A clock steps back: what it says again is late or a duplicate. It steps forward: a gap, and
  the old time is late from then on. By more than a year: refused as another clock.
- A sensor changes its rate: faster is low-pass filtered like the nominal rate, slower leaves
  grid points unobserved that are a nominal period from any sample.
- A sensor appears late or never: unobserved until then. Nothing waits for it.
- A sensor runs ahead of the others by more than the lateness: the others are late.

Of minutes no stamp is repaired and no sample filtered, whatever its rate: a sample counts in
the minute in which it lies, and a minute without one is not observed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime import saved
from onwrist_runtime.arrivals import Arrival, Piece
from onwrist_runtime.days import Days
from onwrist_runtime.errors import EngineError, InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.minutes import Minutes
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.recorded import Track, check_recording, tracks_of, turns
from onwrist_runtime.rolling import Rolling
from onwrist_runtime.sensors import Sensor, Target, sensors_of, targets_of
from onwrist_runtime.settings import Mode, Settings, no_such_name
from onwrist_runtime.signals import Signal
from onwrist_runtime.timeline import Tally, Timeline

AT_ONCE = 64  # predictions that a call computes before it returns


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the samples of one channel so far.

    Attributes
    ----------
    samples : how many were taken; those that are NaN are none.
    late : dropped, since they were older than the newest stamp by more than the lateness.
    duplicate : dropped, since there was another at the same stamp.
    repaired : among those that were resampled so far, how many had a stamp off the line of
        the sensor's clock.
    """

    samples: int
    late: int
    duplicate: int
    repaired: int


class Stream:
    """Predictions from samples that arrive in bursts, late, twice or out of order.

    Made by `Model.stream` and `Model.restore_stream`. Calls from several threads take turns.
    A call computes 64 predictions at most before it returns; where more are due, they are
    computed as the iterator is read. Until then every other call but `reset` is refused, and
    the arrays that were pushed must not be changed.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: Settings,
        roll: Callable[[Settings], Rolling | Days],
        bundle: str,
        record: saved.Record | None = None,
    ) -> None:
        self._manifest, self._settings, self._roll = manifest, settings, roll
        self._bundle = bundle
        self._names = tuple(channel.name for channel in manifest.channels)
        self._lock = threading.RLock()
        self._unfinished: Iterator[Prediction] | None = None
        self._begin()
        if record is not None:
            saved.fill(record, self._timeline, self._rolling)

    def _begin(self) -> None:
        """The first state."""
        manifest, settings = self._manifest, self._settings
        sensors = sensors_of(manifest, settings)
        tallies = tuple(Tally() for _ in self._names)
        minutes, whole = None, 1
        if manifest.tokens is not None:
            minutes, whole = Minutes(manifest.period, settings.midnight), settings.hop
        rate, lateness = manifest.rate, settings.lateness
        self._timeline = Timeline(sensors, tallies, rate, lateness, minutes, whole)
        self._rolling = self._roll(settings)
        self._targets = targets_of(manifest, sensors)

    # What goes in

    def push(
        self, name: str, timestamps: ArrayLike, samples: ArrayLike
    ) -> Iterator[Prediction]:
        """Take samples of one sensor or channel, and predict what has come due.

        Parameters
        ----------
        name : of a channel, or of a sensor.
        timestamps : float64 (n,), seconds, in any order, of one clock for all sensors.
        samples : (n,), or (n, channels) for a sensor of several; NaN where missing.

        Returns
        -------
        predictions : in the order of time.

        Raises
        ------
        InputError
            They cannot be used, or the stream was flushed. The stream is as before.
        EngineError
            The engine failed; where it had given predictions before, they come first. The
            samples up to there were taken, and the next call tries again.
        """
        with self._lock:
            self._refuse_unless_open()
            sensor, axis = self._target(name)
            count = len(sensor.rows) if axis is None else 1
            arrival = self._arrival(name, timestamps, samples, sensor, count)
            if arrival.only is None:
                return self._eagerly(self._push(sensor, axis, arrival))
            if self._take(sensor, axis, arrival.only):
                return self._eagerly(self._rolling.advance(self._timeline))
            return iter(())

    def push_recording(self, signals: Mapping[str, Signal]) -> Iterator[Prediction]:
        """Take a recording as if its samples came one by one in the order of time.

        Parameters
        ----------
        signals : what was recorded, by channel; other names are not used.

        Raises
        ------
        InputError
            None of the channels was recorded, or at another rate, or on another clock than
            what came before, or the stream was flushed. The stream is as before.
        """
        with self._lock:
            self._refuse_unless_open()
            rates: dict[str, float | None] = dict.fromkeys(self._names)
            if self._manifest.tokens is None:
                rates |= zip(self._names, self._settings.rates, strict=True)
            used = check_recording(signals, rates, self._timeline.newest)
            for name, signal in used.items():
                self._arrival(name, signal.times, signal.values, self._targets[name][0], 1)
            return self._eagerly(self._push_recording(tracks_of(used, self._targets)))

    def flush(self, *, at_least_one: bool = False) -> Iterator[Prediction]:
        """Settle every sample, and predict on the windows that they complete.

        After this nothing can be pushed until `reset`.

        Parameters
        ----------
        at_least_one : where samples came, but for less than one window, give one whose
            rest is unobserved, as for a whole recording that is so short. Of days: go on to
            the end of the hop that the newest sample lies in.

        Raises
        ------
        InputError
            An iterator of this stream was not read to its end.
        """
        with self._lock:
            self._refuse_while_unfinished()
            days = self._manifest.tokens is not None
            least = self._settings.hop if days else self._manifest.samples
            self._timeline.finish(least if at_least_one else 0)
            return self._eagerly(self._flush())

    def reset(self) -> None:
        """Begin anew, as a new stream does; what an unread iterator had left is dropped."""
        with self._lock:
            self._unfinished = None
            self._begin()

    def save(self) -> bytes:
        """All of the stream in some kilobytes, for `Model.restore_stream`.

        Raises
        ------
        InputError
            An iterator of this stream was not read to its end.
        """
        with self._lock:
            self._refuse_while_unfinished()
            return saved.write(
                self._bundle, self._manifest, self._settings, self._timeline, self._rolling
            )

    # What is going on

    @property
    def mode(self) -> Mode:
        """Whether predictions are made step by step, or window by window."""
        return self._settings.mode

    @property
    def hop(self) -> float:
        """Seconds from one prediction to the next."""
        return self._settings.hop / self._manifest.rate

    @property
    def lateness(self) -> float:
        """Seconds that a sample may be older than the newest one."""
        return self._settings.lateness

    @property
    def coverage(self) -> dict[str, float]:
        """Share of the last window's grid points that were observed, by channel."""
        return dict(zip(self._names, self._rolling.coverage, strict=True))

    @property
    def staleness(self) -> dict[str, float | None]:
        """Seconds from a channel's last sample to the newest of all; None without one."""
        with self._lock:
            newest = self._timeline.newest
            return {
                name: None if tally.last is None else newest - tally.last
                for name, tally in zip(self._names, self._timeline.tallies, strict=True)
            }

    @property
    def latency(self) -> float | None:
        """Seconds from the end of the last prediction to the newest sample."""
        with self._lock:
            end = self._rolling.end
            return None if end is None else self._timeline.newest - end

    @property
    def counters(self) -> dict[str, Counters]:
        """What became of the samples, by channel."""
        with self._lock:
            return {
                name: Counters(tally.samples, tally.late, tally.duplicate, tally.repaired)
                for name, tally in zip(self._names, self._timeline.tallies, strict=True)
            }

    @property
    def baseline(self) -> NDArray[np.float64]:
        """Running mean and scale (C, 2) of each channel; NaN where unknown."""
        with self._lock:
            baseline = self._rolling.baseline
            if baseline is None:
                return np.full((len(self._names), 2), np.nan)
            return baseline.usual

    # How it works

    def _push(self, sensor: Sensor, axis: int | None, arrival: Arrival) -> Iterator[Prediction]:
        for piece in arrival.pieces():
            if self._take(sensor, axis, piece):
                yield from self._rolling.advance(self._timeline)

    def _take(self, sensor: Sensor, axis: int | None, piece: Piece) -> bool:
        """Take some samples; whether anything has come due."""
        times, values, steps = piece
        if axis is not None:
            values, steps = sensor.all_axes({axis: values[0]}), None
        self._timeline.take(sensor, times, values, steps)
        self._timeline.settle_origin()
        return self._rolling.is_due(self._timeline)

    def _push_recording(self, tracks: Sequence[Track]) -> Iterator[Prediction]:
        timeline = self._timeline
        for turn in turns(tracks):
            floor = timeline.newest - timeline.lateness
            for track, part in turn:
                times, values = track.times[part], track.values(part)
                steps = None if np.isnan(values).any() else np.diff(times)
                timeline.take(track.sensor, times, values, steps, floor)
            timeline.settle_origin()
            yield from self._rolling.advance(timeline)

    def _flush(self) -> Iterator[Prediction]:
        yield from self._rolling.advance(self._timeline)
        self._timeline.count_rest()

    def _eagerly(self, work: Iterator[Prediction]) -> Iterator[Prediction]:
        """Do the work at once if it is little; else leave the rest to who reads on."""
        ready: list[Prediction] = []
        try:
            for prediction in islice(work, AT_ONCE + 1):
                ready.append(prediction)
        except EngineError as error:
            if not ready:
                raise
            return _then_raise(ready, error)
        if len(ready) <= AT_ONCE:
            return iter(ready)
        self._unfinished = work
        return self._rest(ready, work)

    def _rest(
        self, ready: Sequence[Prediction], work: Iterator[Prediction]
    ) -> Iterator[Prediction]:
        yield from ready
        while True:
            with self._lock:
                if self._unfinished is not work:
                    return
                try:
                    prediction = next(work)
                except BaseException as stop:
                    self._unfinished = None
                    if isinstance(stop, StopIteration):
                        return
                    raise
            yield prediction

    # What is refused

    def _refuse_unless_open(self) -> None:
        self._refuse_while_unfinished()
        if self._timeline.finished:
            raise InputError("this stream was flushed; reset() begins anew")

    def _refuse_while_unfinished(self) -> None:
        if self._unfinished is not None:
            raise InputError(
                "predictions of an earlier call are still to come: read its iterator to the "
                "end first, or reset()"
            )

    def _target(self, name: str) -> Target:
        """The sensor of a name, and which of its axes if it is one of several."""
        target = self._targets.get(name) if isinstance(name, str) else None
        if target is None:
            raise InputError(no_such_name(self._manifest, name))
        return target

    def _arrival(
        self, name: str, times: ArrayLike, samples: ArrayLike, sensor: Sensor, count: int
    ) -> Arrival:
        newest, lateness = self._timeline.newest, self._settings.lateness
        held = len(sensor.samples)
        try:
            return Arrival(times, samples, count, newest, lateness, held, sensor.limit)
        except InputError as error:
            raise InputError(f"{name!r}: {error}") from None


def _then_raise(ready: Sequence[Prediction], error: EngineError) -> Iterator[Prediction]:
    yield from ready
    raise error
