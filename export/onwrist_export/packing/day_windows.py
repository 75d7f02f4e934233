"""Windows of days to calibrate and check on, of recordings or simulated.

What calibrates comes from the first half of everybody's days, what is checked from the
second; nobody's are told apart otherwise, as the shipped model has seen them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import read_all
from onwrist.recording import Recording
from onwrist.simulate import days as simulate_days
from onwrist_export.quantization.day import Days
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel
from onwrist_runtime.minutes import Minutes

Array = NDArray[np.float32]

MINUTE, DAY = 60.0, 1440
EVERY = 720  # minutes from one window to the next: at midnight and at noon
SIMULATED = 14  # days of each simulated wearer


def calibration(
    recordings: Path | None, channels: Sequence[Channel], patch: int, most: int, seeds: range
) -> Days:
    """At most so many windows of the first halves, or of simulated wearers of these seeds."""
    return _windows(_tracks(recordings, channels, seeds), patch, most, recordings, 0)


def checking(
    recordings: Path | None, channels: Sequence[Channel], patch: int, most: int, seeds: range
) -> Days:
    """The same of the second halves."""
    return _windows(_tracks(recordings, channels, seeds), patch, most, recordings, 1)


def _windows(
    tracks: Iterator[Array], patch: int, most: int, recordings: Path | None, half: int
) -> Days:
    values, clocks = [], []
    for track in tracks:
        middle = track.shape[1] // DAY // 2 * DAY
        part = track[:, :middle] if half == 0 else track[:, middle:]
        for start in range(0, part.shape[1] - DAY + 1, EVERY):
            window = part[:, start : start + DAY]
            if not np.isnan(window).all():
                values.append(window)
                clocks.append(start % DAY // patch)
    if not values:
        where = "the simulation" if recordings is None else str(recordings)
        raise InputError(f"{where} has no two days of which anything is observed")
    return Days(np.stack(values), np.array(clocks)).sample(most)


def _tracks(
    recordings: Path | None, channels: Sequence[Channel], seeds: range
) -> Iterator[Array]:
    """Minutes (C, 1440 * days) from a midnight on, NaN where not observed."""
    if recordings is None:
        for seed in seeds:
            yield track(simulate_days(SIMULATED, seed), channels)
    else:
        for recording in read_all(recordings):
            yield track(recording, channels)


def track(recording: Recording, channels: Sequence[Channel]) -> Array:
    """The minutes of a recording on a local clock, of whole days from its first midnight on."""
    signals = [(row, recording.signals.get(c.name), c) for row, c in enumerate(channels)]
    times = [s.times for _, s, _ in signals if s is not None and len(s.times)]
    if not times:
        raise InputError(
            f"{recording.name} has none of {', '.join(c.name for c in channels)}: channels "
            "must have these names"
        )
    first = np.floor(min(t[0] for t in times) / (DAY * MINUTE)) * DAY * MINUTE
    last = max(t[-1] for t in times)
    count = int((last - first) // (DAY * MINUTE) + 1) * DAY
    found = np.full((len(channels), count), np.nan, np.float32)
    for row, signal, channel in signals:
        if signal is not None and len(signal.times):
            values, observed = Minutes(MINUTE, first).aggregate(
                signal.times, signal.values[None], [channel.aggregation == "sum"], 0, count
            )
            found[row] = np.where(observed[0], values[0], np.float32(np.nan))
    return found
