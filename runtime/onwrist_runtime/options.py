"""What a caller asks of a model beside samples, checked against what its bundle can do."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime.baseline import as_input
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.signals import check_time
from onwrist_runtime.window import LARGEST, as_array


def baseline_of(manifest: Manifest, given: ArrayLike) -> NDArray[np.float32]:
    """The graph's `baseline` from mean and scale (C, 2); InputError if it takes none."""
    if manifest.baseline is None:
        raise InputError(f"{manifest.name} {manifest.version} takes no baseline")
    array, channels = as_array("baseline", given), len(manifest.channels)
    if array.shape != (channels, 2) or array.dtype.kind not in "fiu":
        raise InputError(
            f"baseline is {array.dtype} {array.shape}; it must be mean and scale of each "
            f"channel, float ({channels}, 2)"
        )
    if not (np.isnan(array) | (np.abs(array) < LARGEST)).all() or (array[:, 1] < 0).any():
        raise InputError("a baseline is finite, or NaN where unknown, and its scale >= 0")
    return as_input(array.astype(np.float64))


def midnight_of(manifest: Manifest, given: float | None) -> float:
    """A local midnight in seconds; InputError if the model does not ask for it."""
    if given is None:
        return 0.0
    if manifest.tokens is None:
        raise InputError(
            f"{manifest.name} {manifest.version} does not ask for the time of day: leave out "
            "midnight"
        )
    return check_time(given)


def impute_of(manifest: Manifest, given: bool | None, days: bool) -> bool:
    """Whether to impute; InputError if the model cannot.

    If None is said: days are if `days`, and other windows are not.
    """
    if given is None:
        return days and manifest.tokens is not None and manifest.imputes
    if not isinstance(given, bool):
        raise InputError(f"impute must be True, False or None, not {given!r}")
    if not manifest.imputes:
        raise InputError(f"{manifest.name} {manifest.version} cannot impute: leave out impute")
    return given


def start_of(manifest: Manifest, given: float | None) -> float | None:
    """When a window begins; InputError if it is not said of a day."""
    if given is None and manifest.tokens is not None:
        raise InputError(
            f"{manifest.name} {manifest.version} asks for the time of day: say when the window "
            "begins by start=, in seconds of local time, or with midnight="
        )
    return None if given is None else check_time(given)


def each_window(what: str, given: NDArray[Any] | None, windows: int) -> Iterable[Any]:
    """What was given for each window of a batch; None for all if nothing was."""
    if given is None:
        return repeat(None, windows)
    if given.shape[:1] != (windows,):
        raise InputError(f"{what} has the shape {given.shape}, but there are {windows} windows")
    return given
