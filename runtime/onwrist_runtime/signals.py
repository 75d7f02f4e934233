"""Samples with time stamps in, values and `observed` on the model's grid out.

The grid is the clock's own: grid point k lies at time k / rate, whatever was recorded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime.errors import InputError
from onwrist_runtime.resampling import resample_block
from onwrist_runtime.window import LARGEST, as_array, as_float32

SLOWEST, FASTEST = 1e-6, 1e5  # Hz
LATEST = 1e11  # seconds: the year 5138; milliseconds or nanoseconds lie beyond it
LONGEST = 366 * 86_400.0  # seconds from the first to the last sample of a recording


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """The samples of one channel.

    Attributes
    ----------
    values : float32 (n,), in the channel's unit; NaN where a sample is missing.
    times : float64 (n,), seconds, strictly increasing, one clock for a recording.
    rate : nominal native sampling rate in Hz; one native period is 1 / rate.

    Raises
    ------
    InputError
        Values or times are not one-dimensional, of another length or type, infinite,
        or the times do not increase.
    """

    values: NDArray[np.float32]
    times: NDArray[np.float64]
    rate: float

    def __post_init__(self) -> None:
        values = as_float32(self.values)
        times = as_times(self.times)
        if values.ndim != 1 or values.shape != times.shape:
            raise InputError(
                f"values of shape {values.shape} and times of shape {times.shape}: "
                "a signal needs one time stamp for each of its samples"
            )
        _check_finite(values)
        _check_order(times)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "rate", check_rate(self.rate))

    @classmethod
    def regular(cls, values: NDArray[np.float32], rate: float, start: float = 0.0) -> Signal:
        """The signal whose sample k was taken at start + k / rate seconds."""
        rate, start = check_rate(rate), check_time(start)
        return cls(values, start + np.arange(np.size(values)) / rate, rate)


def check_rate(rate: float) -> float:
    """A sampling rate in Hz as a float; InputError unless it is positive and finite."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise InputError(f"a rate must be a number in Hz, not {rate!r}")
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"a rate must be positive and finite, in Hz, not {rate}")
    if not SLOWEST <= rate <= FASTEST:
        raise InputError(f"a rate must be from {SLOWEST:g} to {FASTEST:g} Hz, not {rate:g}")
    return float(rate)


def check_time(time: float) -> float:
    """A time in seconds as a float; InputError if it is float32, infinite or no number."""
    if isinstance(time, np.floating) and time.dtype != np.float64:
        raise InputError(_too_coarse(time.dtype))
    if isinstance(time, bool) or not isinstance(time, int | float | np.integer):
        raise InputError(f"a time must be a number of seconds, not {time!r}")
    if not abs(time) <= LATEST:
        raise InputError(not_seconds(time))
    return float(time)


def as_times(times: ArrayLike) -> NDArray[np.float64]:
    array = as_array("times", times)
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        raise InputError(_too_coarse(array.dtype))
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"time stamps must be float64 seconds, not {array.dtype}; of a datetime64 "
            "array, pass (times - numpy.datetime64(0, 's')) / numpy.timedelta64(1, 's')"
        )
    return array.astype(np.float64, copy=False)


def _too_coarse(dtype: np.dtype[Any]) -> str:
    return (
        f"time stamps must be float64, not {dtype}: at the Unix epoch float32 seconds "
        "step by 128 s"
    )


def not_seconds(value: float) -> str:
    return f"a time must be finite and in seconds, not {value} (milliseconds, perhaps?)"


def _check_finite(values: NDArray[np.float32]) -> None:
    beyond = np.abs(values) >= LARGEST
    if beyond.any():
        sample = int(beyond.argmax())
        raise InputError(
            f"sample {sample} is {values[sample]}; a sample must be below {LARGEST:g} in "
            "magnitude, and NaN where it is missing"
        )


def _check_order(times: NDArray[np.float64]) -> None:
    beyond = ~(np.abs(times) <= LATEST)
    if beyond.any():
        raise InputError(not_seconds(float(times[beyond.argmax()])))
    backward = np.diff(times) <= 0
    if backward.any():
        sample = int(backward.argmax()) + 1
        raise InputError(
            f"time stamps must increase, but sample {sample} at {times[sample]} follows "
            f"one at {times[sample - 1]}"
        )


def resample(
    signal: Signal, grid_rate: float, first: int, count: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The signal at grid points first ... first + count - 1, point k at k / grid_rate.

    Stamps are repaired, and tones above half the grid's rate removed. The same grid point
    has the same bits whatever `first` and `count` are, and whatever samples there are
    further away than `reach(signal.rate, grid_rate)` seconds and not among the 14 before
    those.

    Returns
    -------
    values : float32 (count,), 0 where not observed.
    observed : bool (count,), True within one native period of a sample that is not NaN.
    """
    rows = signal.values[np.newaxis]
    values, observed = resample_rows(signal.times, rows, signal.rate, grid_rate, first, count)
    return values[0], observed[0]


def resample_rows(
    times: NDArray[np.float64],
    values: NDArray[np.float32],
    rate: float,
    grid_rate: float,
    first: int,
    count: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The axes of one sensor, values (k, n) at times (n,), each as in `resample`.

    Returns
    -------
    values : float32 (k, count).
    observed : bool (k, count).
    """
    missing = np.isnan(values)
    observed = np.empty((len(values), count), np.bool_)
    if not np.logical_or.reduce(missing, axis=None):
        out, observed[:] = resample_block(times, values, rate, grid_rate, first, count)
        return out, observed
    out = np.empty(observed.shape, np.float32)
    for row, real in enumerate(~missing):
        one = values[row : row + 1, real]
        out[row : row + 1], observed[row] = resample_block(
            times[real], one, rate, grid_rate, first, count
        )
    return out, observed
