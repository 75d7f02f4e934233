"""What a caller pushes in: stamps and samples of any kind in, checked pieces out.

Everything is checked before anything is taken, piece by piece, so that a day in one call
needs no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import LATEST, LONGEST, as_times, not_seconds
from onwrist_runtime.window import LARGEST, as_array, as_float32

PIECE = 16_384  # samples that are taken at a time


class Piece(NamedTuple):
    """Some samples of one push.

    Attributes
    ----------
    times : float64 (n,), finite.
    values : float32 (k, n), finite or NaN.
    steps : from each stamp to the next (n - 1,), if the samples are plain: if all steps are
        above 0 and no value is NaN. None otherwise.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    steps: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Limit:
    """How many samples of one sensor a stream holds at once.

    Attributes
    ----------
    samples : the most of them.
    seconds : within so many.
    """

    samples: int
    seconds: float


class Arrival:
    """One push, checked.

    Attributes
    ----------
    only : the one piece that it is, if it is short.

    Parameters
    ----------
    timestamps, samples : what the caller gives: (n,), and (n,) or (n, k).
    channels : k.
    newest : the newest stamp that the stream has seen; -inf before the first.
    lateness : seconds.
    held, limit : samples that the stream holds of this sensor, and may hold.

    Raises
    ------
    InputError
        Shapes, types, stamps or values cannot be used.
    """

    def __init__(
        self,
        timestamps: ArrayLike,
        samples: ArrayLike,
        channels: int,
        newest: float,
        lateness: float,
        held: int,
        limit: Limit,
    ) -> None:
        self._times = as_times(timestamps)
        self._samples = columns(samples, channels)
        count = len(self._samples)
        if self._times.shape != (count,):
            raise InputError(
                f"samples of shape {np.shape(samples)} and time stamps of shape "
                f"{self._times.shape}: every sample needs one time stamp"
            )
        self.only: Piece | None = None
        if count <= PIECE and held + count <= limit.samples:
            if count:
                self.only = _piece(self._times, self._samples)
                _check_clock(self.only, newest)
            return
        mark = newest
        for piece in self.pieces():
            kept, newest = _check_clock(piece, newest, lateness)
            held += kept
            if newest - mark >= limit.seconds:
                mark, held = newest, kept
            elif held > limit.samples:
                raise InputError(
                    f"more than {limit.samples} samples within {limit.seconds:.0f} s are more "
                    "than a stream holds: state the sensor's rate by stream(rates=...), or "
                    "correct the time stamps"
                )

    def pieces(self) -> Iterator[Piece]:
        """The samples in the order in which they were pushed."""
        if self.only is not None:
            yield self.only
            return
        for begin in range(0, len(self._times), PIECE):
            part = slice(begin, begin + PIECE)
            yield _piece(self._times[part], self._samples[part])


def _piece(stamps: NDArray[Any], samples: NDArray[Any]) -> Piece:
    """The samples (n, k) at the stamps (n,), n > 0."""
    times = stamps.astype(np.float64, copy=False)
    values = as_float32(samples)
    steps = times[1:] - times[:-1]
    increasing = bool(np.minimum.reduce(steps, initial=np.inf) > 0)
    if not (increasing and times.item(0) >= -LATEST and times.item(-1) <= LATEST):
        beyond = ~(np.abs(times) <= LATEST)
        if beyond.any():
            raise InputError(not_seconds(float(times[beyond.argmax()])))
    # One sum tells that no value is NaN or infinite, as is usual.
    finite = bool(np.vdot(values, values) < LARGEST)
    if not finite:
        magnitude = np.abs(values)
        beyond = magnitude >= LARGEST
        if beyond.any():
            raise InputError(
                f"a sample is {values[beyond][0]:g}; a sample must be below {LARGEST:g} in "
                "magnitude, and NaN where it is missing"
            )
        finite = not np.isnan(magnitude).any()
    return Piece(times, values.T, steps if increasing and finite else None)


def columns(samples: ArrayLike, channels: int) -> NDArray[Any]:
    """Samples (n,) of one channel, or (n, k) of so many, as (n, k)."""
    array = as_array("samples", samples)
    if array.ndim == 1 and channels == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.shape[1] != channels:
        wanted = "(n,)" if channels == 1 else f"(n, {channels})"
        raise InputError(f"samples of shape {array.shape}; it must be {wanted}")
    if array.dtype.kind not in "fiu":
        raise InputError(f"samples must be real numbers (float32), not {array.dtype}")
    return array


def _check_clock(piece: Piece, newest: float, lateness: float = 0.0) -> tuple[int, float]:
    """How many samples are not late, and the newest stamp after them.

    Raises
    ------
    InputError
        A stamp is so far from the newest one before it that it is of another clock.
    """
    times = piece.times
    if piece.steps is not None:
        first, last = times.item(0), times.item(-1)
        base = first if newest == -np.inf else newest
        if base - LONGEST <= first and last <= base + LONGEST:
            late = 0
            if first < newest - lateness:
                late = int(times.searchsorted(newest - lateness))
            return len(times) - late, max(newest, last)
    real = ~np.isnan(piece.values).all(axis=0)
    times = times[real]
    if not len(times):
        return 0, newest
    before = np.maximum.accumulate(np.concatenate([[newest], times[:-1]]))
    if newest == -np.inf:
        before[0] = times[0]
    far = np.abs(times - before) > LONGEST
    if far.any():
        at = int(far.argmax())
        raise InputError(
            f"a time stamp is {times[at]}, but the newest so far is {before[at]}: all sensors "
            f"of a stream must be on one clock; reset() begins anew"
        )
    running = np.maximum(before, times)
    return int((times >= running - lateness).sum()), float(running[-1])
