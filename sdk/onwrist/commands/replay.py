"""A recording in; its samples, as they would have arrived, and predictions on them out."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

import numpy as np

from onwrist.commands.interrupt import Interrupt
from onwrist.recording import Recording
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.signals import Signal
from onwrist_runtime.stream import Stream

_BURST, _LONGEST_BURST = 1.0, 60.0  # seconds of a recording that are replayed at once
_BURSTS_PER_SECOND = 20.0  # at most: who replays faster than that gets longer bursts


def rates_of(recording: Recording, manifest: Manifest) -> dict[str, float]:
    """Native rates by sensor; the axes of one have the rate of the first."""
    rates: dict[str, float] = {}
    for channel in manifest.channels:
        if channel.name in recording.signals:
            rates.setdefault(channel.sensor, recording.signals[channel.name].rate)
    return rates


def bursts(
    recording: Recording, channels: Collection[str], seconds: float
) -> Iterator[tuple[float, dict[str, Signal]]]:
    """The samples of some channels, seconds at a time, with the time when these are over."""
    signals = {}
    for name in recording.signals.keys() & channels:
        given = recording.signals[name]
        real = ~np.isnan(given.values)
        if real.any():
            signals[name] = Signal(given.values[real], given.times[real], given.rate)
    taken = dict.fromkeys(signals, 0)
    while True:
        left = {name: signals[name].times[taken[name] :] for name in signals}
        ahead = [float(times[0]) for times in left.values() if len(times)]
        if not ahead:
            return
        # A gap is passed over at once, but its time passes for who waits.
        until = recording.start + seconds * (1 + (min(ahead) - recording.start) // seconds)
        burst = {}
        for name, times in left.items():
            part = slice(taken[name], taken[name] + int(times.searchsorted(until, "right")))
            if part.start < part.stop:
                whole = signals[name]
                burst[name] = Signal(whole.values[part], whole.times[part], whole.rate)
                taken[name] = part.stop
        yield min(until, recording.end), burst


def replay(
    stream: Stream, recording: Recording, speed: float, interrupt: Interrupt
) -> Iterator[Prediction]:
    """Push a recording as fast as it was recorded, or `speed` times as fast."""
    seconds = min(max(_BURST, speed / _BURSTS_PER_SECOND), _LONGEST_BURST)
    begun = time.monotonic()
    for until, burst in bursts(recording, stream.coverage, seconds):
        due = begun + (until - recording.start) / speed
        with interrupt.waiting():
            time.sleep(max(0.0, due - time.monotonic()))
        yield from stream.push_recording(burst)
