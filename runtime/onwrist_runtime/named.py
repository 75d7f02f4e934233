"""Samples by name at native rates in, one window on the model's grid out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime.arrivals import columns
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.minutes import Minutes
from onwrist_runtime.resampling import SAME_TIME
from onwrist_runtime.sensors import sums_of
from onwrist_runtime.settings import rows_of
from onwrist_runtime.signals import Signal, check_rate, resample_rows
from onwrist_runtime.window import as_float32

NamedSamples = Mapping[str, tuple[ArrayLike, float]]


def on_grid(
    manifest: Manifest, named: NamedSamples
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values and observed (channels, samples) of a window that begins with the samples.

    Parameters
    ----------
    named : (samples, rate in Hz) by channel or sensor; what is not named is unobserved.

    Raises
    ------
    InputError
        A name, rate or shape cannot be used, or they are more than one window.
    """
    shape = len(manifest.channels), manifest.samples
    values, observed = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    given: set[int] = set()
    for name, samples in named.items():
        rows = rows_of(manifest, name)
        if given.intersection(rows):
            raise InputError(f"{name!r} gives channels that are given by another name")
        given.update(rows)
        try:
            array, rate = _samples(samples, len(rows), manifest.samples / manifest.rate)
            signals = [Signal.regular(column, rate) for column in array.T]
            axes, times = np.stack([signal.values for signal in signals]), signals[0].times
            sums = sums_of(manifest, rows)
            if sums is None:
                values[rows], observed[rows] = resample_rows(
                    times, axes, rate, manifest.rate, 0, manifest.samples
                )
            else:
                values[rows], observed[rows] = Minutes(manifest.period, 0.0).aggregate(
                    times, axes, sums, 0, manifest.samples
                )
        except InputError as error:
            raise InputError(f"{name!r}: {error}") from None
    return values, observed


def _samples(
    samples: tuple[ArrayLike, float], count: int, seconds: float
) -> tuple[NDArray[np.float32], float]:
    """The samples (n, count) of one sensor, no more than so many seconds, and their rate."""
    if not isinstance(samples, tuple) or len(samples) != 2:
        raise InputError("give it as a pair: (samples, rate in Hz)")
    array, rate = as_float32(columns(samples[0], count)), check_rate(samples[1])
    if (len(array) - 1) / rate >= seconds - SAME_TIME:
        raise InputError(
            f"{len(array)} samples at {rate:g} Hz are more than one window of "
            f"{seconds:g} s; use predict_recording for longer recordings"
        )
    return array, rate
