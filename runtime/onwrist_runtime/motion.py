"""Samples of sensors of motion in; out, what they look like: gravity, noise, runs, rails.

The same numbers are taken of one window of several sensors, when a window is judged, and of
many windows of one sensor, when a bundle is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REST = 0.8  # seconds that a sensor must be quiet
QUIET = 0.05  # greatest deviation of the magnitude of acceleration there, as share of its mean
EQUAL = 1e-4  # two samples are equal if they differ by less, in g or deg/s
LEAST_FEATURE = 1e-3  # deviations below are taken as this, so that they have a logarithm

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What B windows of a sensor, or a window of B sensors, look like.

    Attributes
    ----------
    count : grid points at which all six channels are observed, (B,).
    gravity : median magnitude of the acceleration in g, (B,); infinite where count is 0.
    rest_low, rest_high : second least and second greatest mean magnitude of a stretch at
        rest, (B,); infinity and minus infinity where there are not two.
    shakes, turns : root mean square of acceleration and turning about their means, (B,).
    run : longest run of equal samples of each channel, (B, 6).
    rails : how many samples of each channel are its least, or its greatest, (B, 6).
    features : (B, 9): mean acceleration in g, logarithms of the deviation of each axis.
    """

    count: NDArray[np.intp]
    gravity: Floats
    rest_low: Floats
    rest_high: Floats
    shakes: Floats
    turns: Floats
    run: NDArray[np.intp]
    rails: NDArray[np.intp]
    features: Floats


def looks(motion: Floats, observed: Floats, rate: float) -> Looks:
    """What windows look like.

    Parameters
    ----------
    motion : float32 (B, 6, N): acceleration in g, then turning in deg/s; 0 where missing.
    observed : float32 0 or 1 (B, 6, N).
    rate : grid points a second.
    """
    seen = observed.min(axis=1)
    count = seen.sum(axis=1)
    whole = count.astype(np.intp)
    share = (seen / np.maximum(count, 1)[:, None])[:, :, None]
    mean = motion @ share
    centred = (motion - mean) * seen[:, None, :]
    variance = np.einsum("bcn,bcn->bc", centred, centred) / np.maximum(count, 1)[:, None]
    magnitude = np.sqrt(np.einsum("bcn,bcn->bn", motion[:, :3], motion[:, :3]))
    rest_low, rest_high = _at_rest(magnitude, seen, max(2, round(REST * rate)))
    logs = np.log(np.maximum(np.sqrt(variance), LEAST_FEATURE))
    return Looks(
        count=whole,
        gravity=_median(magnitude, seen, whole),
        rest_low=rest_low,
        rest_high=rest_high,
        shakes=np.sqrt(variance[:, :3].sum(axis=1)),
        turns=np.sqrt(variance[:, 3:].sum(axis=1)),
        run=_longest_run(motion, seen),
        rails=_at_extremes(centred, whole),
        features=np.concatenate([mean[:, :3, 0], logs], axis=1),
    )


def _median(magnitude: Floats, seen: Floats, count: NDArray[np.intp]) -> Floats:
    """The lower median of what is seen, (B,)."""
    ordered = np.sort(np.where(seen > 0, magnitude, np.float32(np.inf)), axis=1)
    middle = np.maximum(count - 1, 0) // 2
    found: Floats = ordered[np.arange(len(ordered)), middle]
    return found


def _at_rest(magnitude: Floats, seen: Floats, length: int) -> tuple[Floats, Floats]:
    """Second least and second greatest mean over the stretches of `length` that are quiet."""
    stretches = magnitude.shape[1] // length
    if stretches < 2:
        nothing = np.full(len(magnitude), np.inf, np.float32)
        return nothing, -nothing
    shape = (len(magnitude), stretches, length)
    cut = magnitude[:, : stretches * length].reshape(shape)
    whole = seen[:, : stretches * length].reshape(shape).min(axis=2) > 0
    mean = cut.sum(axis=2) * np.float32(1 / length)
    square = np.einsum("bsn,bsn->bs", cut, cut) * np.float32(1 / length)
    quiet = whole & (square <= mean * mean * np.float32(1 + QUIET**2))
    low = np.sort(np.where(quiet, mean, np.float32(np.inf)), axis=1)[:, 1]
    high = np.sort(np.where(quiet, mean, np.float32(-np.inf)), axis=1)[:, -2]
    return low, high


def _longest_run(motion: Floats, seen: Floats) -> NDArray[np.intp]:
    """Samples in the longest run of equal ones of each channel, (B, C); gaps end a run."""
    windows, channels, samples = motion.shape
    begins = np.ones(motion.size + 1, bool)  # a run, of one sample or more
    inside = begins[:-1].reshape(motion.shape)[:, :, 1:]
    step = motion[:, :, 1:] - motion[:, :, :-1]
    np.greater_equal(np.abs(step, out=step), np.float32(EQUAL), out=inside)
    if not seen.all():
        inside |= ((seen[:, 1:] * seen[:, :-1]) == 0)[:, None]
    places = np.flatnonzero(begins)
    first = np.searchsorted(places, np.arange(0, motion.size, samples))
    return np.maximum.reduceat(places[1:] - places[:-1], first).reshape(windows, channels)


def _at_extremes(centred: Floats, count: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many samples of each channel are its least, or its greatest if that is more.

    What is missing is 0 in `centred` (B, C, N), the mean, which is neither but where all
    samples are equal.
    """
    least = centred <= centred.min(axis=2, keepdims=True) + np.float32(EQUAL)
    most = centred >= centred.max(axis=2, keepdims=True) - np.float32(EQUAL)
    counts = np.maximum(_how_many(least), _how_many(most))
    return np.minimum(counts, count[:, None])


def _how_many(true: NDArray[np.bool_]) -> NDArray[np.int32]:
    counts: NDArray[np.int32] = true.view(np.int8).sum(axis=2, dtype=np.int32)
    return counts
