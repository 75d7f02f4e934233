"""Minutes of steps and heart rate in, minutes in which the device was not worn out.

Exports write 0 steps, never a blank, for a device that lies on a table. Only heart rate
tells such a minute from one of sitting still.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_WORN = 60  # minutes without heart rate and steps, from which on nobody wore the device


def unworn(
    steps: NDArray[np.floating[Any]],
    heart_rate: NDArray[np.floating[Any]],
    minutes: int = NOT_WORN,
) -> NDArray[np.bool_]:
    """Minutes inside a run of at least `minutes` with no heart rate and no step.

    Parameters
    ----------
    steps, heart_rate : (n,), one number a minute, NaN where there is none. Use it only for
        people whose heart rate was recorded; of others it says that resting is not wearing.

    Returns
    -------
    bool (n,), True where steps and intensity of 0 say nothing.
    """
    still = np.isnan(heart_rate) & ~(steps > 0)
    edges = np.diff(np.concatenate(([False], still, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    found = np.zeros(len(still), np.bool_)
    for begin, end in zip(begins, ends, strict=True):
        found[begin:end] = end - begin >= minutes
    return found
