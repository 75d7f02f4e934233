"""The signals of a recording in, pieces of all sensors in the order of time out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onwrist_runtime.arrivals import PIECE
from onwrist_runtime.errors import InputError
from onwrist_runtime.samples import Times, Values
from onwrist_runtime.sensors import Sensor, Target
from onwrist_runtime.signals import LONGEST, Signal

SAME_RATE = 0.02  # share that a recording's rate may be off the stream's


@dataclass(frozen=True, slots=True)
class Track:
    """Axes of one sensor that have the same stamps.

    Attributes
    ----------
    times : float64 (n,).
    axes : values (n,) by axis.
    """

    sensor: Sensor
    times: Times
    axes: dict[int, Values]

    def values(self, part: slice) -> Values:
        """Values (k, m) of all axes of the sensor, NaN where one is not given."""
        return self.sensor.all_axes({axis: x[part] for axis, x in self.axes.items()})


def check_recording(
    signals: Mapping[str, Signal], rates: Mapping[str, float | None], newest: float
) -> dict[str, Signal]:
    """The signals that a stream uses: those of its channels that have samples.

    Parameters
    ----------
    rates : nominal native rate of each channel of the model; None where any will do, as
        nothing is resampled.
    newest : the newest stamp that the stream has seen; -inf before the first.

    Raises
    ------
    InputError
        There is none, or one is no `Signal`, of another rate or on another clock.
    """
    if not isinstance(signals, Mapping):
        raise InputError(
            f"a recording is its signals by channel, not a {type(signals).__name__}"
        )
    used = {name: signals[name] for name in rates if name in signals}
    for name, signal in used.items():
        if not isinstance(signal, Signal):
            raise InputError(
                f"{name!r} is a {type(signal).__name__}; a recording is made of signals: "
                "Signal(values, times, rate) or Signal.regular(values, rate)"
            )
        rate = rates[name]
        if rate is not None and abs(signal.rate / rate - 1) > SAME_RATE:
            raise InputError(
                f"{name!r} was recorded at {signal.rate:g} Hz, but this stream takes it at "
                f"{rate:g} Hz; make one with stream(rates={{{name!r}: {signal.rate:g}}})"
            )
    used = {name: signal for name, signal in used.items() if _has_samples(signal)}
    if not used:
        raise InputError(
            f"no samples of {', '.join(rates)} among "
            f"{', '.join(map(str, signals)) or 'no signals'}"
        )
    earliest = min(float(signal.times[0]) for signal in used.values())
    latest = max(float(signal.times[-1]) for signal in used.values())
    base = earliest if newest == -np.inf else newest
    if earliest < base - LONGEST or latest > base + LONGEST:
        since = "" if newest == -np.inf else f", and the newest before was at {newest}"
        raise InputError(
            f"the samples span {latest - earliest:.0f} s, from {earliest} to {latest}{since}: "
            "all channels of a recording must be on one clock"
        )
    return used


def _has_samples(signal: Signal) -> bool:
    values = signal.values
    begins = range(0, len(values), PIECE)
    return any(not np.isnan(values[begin : begin + PIECE]).all() for begin in begins)


def tracks_of(signals: Mapping[str, Signal], targets: Mapping[str, Target]) -> list[Track]:
    """What can be taken together."""
    tracks: list[Track] = []
    for name, signal in signals.items():
        sensor, axis = targets[name]
        for track in tracks:
            if track.sensor is sensor and np.array_equal(track.times, signal.times):
                track.axes[axis or 0] = signal.values
                break
        else:
            tracks.append(Track(sensor, signal.times, {axis or 0: signal.values}))
    return tracks


def turns(tracks: Sequence[Track]) -> Iterator[list[tuple[Track, slice]]]:
    """Pieces of all tracks up to the same time: of the densest one as many as a piece."""
    taken = [0] * len(tracks)
    while True:
        ends = [
            float(track.times[min(done + PIECE, len(track.times)) - 1])
            for track, done in zip(tracks, taken, strict=True)
            if done < len(track.times)
        ]
        if not ends:
            return
        turn = []
        for k, track in enumerate(tracks):
            part = slice(taken[k], int(track.times.searchsorted(min(ends), "right")))
            if part.start < part.stop:
                turn.append((track, part))
                taken[k] = part.stop
        yield turn
