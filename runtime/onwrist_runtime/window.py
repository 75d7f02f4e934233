"""One window of samples on the model's grid, checked at the border.

What a caller gives comes in; `values` without NaN or infinity and `observed` go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime.errors import InputError

# Squares and sums of squares of a window stay finite in float32.
LARGEST = 1e15


def as_array(what: str, given: ArrayLike) -> NDArray[Any]:
    """Anything that numpy takes for an array; InputError for ragged lists and the like."""
    if isinstance(given, np.ma.MaskedArray):
        raise InputError(f"{what}: a masked array would lose its mask; fill it with NaN")
    try:
        return np.asarray(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what}: not an array of numbers: {error}") from None


@cache
def whole(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The one `observed` of all windows without a gap: read-only, known by identity."""
    everything = np.ones(shape, np.bool_)
    everything.flags.writeable = False
    return everything


def as_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Any array of real numbers as float32; InputError for other types.

    What float32 cannot hold becomes infinity, which the callers refuse.
    """
    array = as_array("values", values)
    if array.dtype == np.float32:
        return array
    if array.dtype.kind not in "fiu":
        raise InputError(f"values must be real numbers (float32), not {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def check(
    values: ArrayLike,
    observed: ArrayLike | None,
    channels: Sequence[str],
    samples: int,
    day: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Make one window fit for an engine.

    Parameters
    ----------
    values : (channels, samples), real numbers; NaN means not observed.
    observed : bool, the same shape; None where everything but NaN was observed.
    channels, samples : names of the rows, and their length.
    day : whether that length is a day, which is then said of another one.

    Returns
    -------
    values : float32 (channels, samples), contiguous, finite, 0 where not observed.
    observed : bool (channels, samples).

    Raises
    ------
    InputError
        Another shape or type, or an infinite value.
    """
    array = as_float32(values)
    if day and array.ndim == 2 and array.shape[1] != samples:
        points = "minutes" if samples == 1440 else "grid points"
        raise InputError(f"a day has {samples} {points}, this array has {array.shape[1]}")
    if array.shape != (len(channels), samples):
        raise InputError(
            f"values have the shape {array.shape}; this model takes "
            f"({len(channels)}, {samples}): {', '.join(channels)} at {samples} grid points"
        )
    # One sum tells that nothing is missing, as is usual; it is NaN where anything is.
    if observed is None and np.vdot(array, array) < LARGEST:
        return np.ascontiguousarray(array), whole(array.shape)
    usable = np.abs(array) < LARGEST
    if observed is None:
        seen = usable
    else:
        given = as_array("observed", observed)
        if given.dtype != np.bool_ or given.shape != array.shape:
            raise InputError(
                f"observed is {given.dtype} {given.shape}; it must be bool {array.shape}, "
                "like values: True where a sample was really seen"
            )
        seen = given & usable
    if usable.all():
        if observed is None:
            return np.ascontiguousarray(array), seen
    else:
        _refuse_infinity(array, usable, channels)
    return np.where(seen, array, np.float32(0)), seen


def _refuse_infinity(
    values: NDArray[np.float32], usable: NDArray[np.bool_], channels: Sequence[str]
) -> None:
    beyond = ~usable & ~np.isnan(values)
    if beyond.any():
        row, sample = np.argwhere(beyond)[0]
        raise InputError(
            f"channel {channels[row]!r} is {values[row, sample]} at sample {sample}; a value "
            f"must be below {LARGEST:g} in magnitude, and NaN where it is missing"
        )
