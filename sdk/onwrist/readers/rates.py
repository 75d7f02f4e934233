"""The native rate of a channel, estimated from its time stamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import RecordingError


def estimate_rate(where: str, times: NDArray[np.float64]) -> float:
    """Rate in Hz that fits strictly increasing time stamps with gaps and jitter.

    The median interval is a first guess that gaps cannot move. Written time stamps are
    often rounded (8.55 ms as 8 and 9), which the median keeps; so the rate is one over the
    mean of the intervals within half of it, in which rounding and jitter cancel. The most
    frequent interval is never used: of 8, 9, 9, 8, 9 ms it says 9.

    Raises
    ------
    RecordingError
        Fewer than two samples, from which no rate can be told.
    """
    if len(times) < 2:
        raise RecordingError(f"{where}: one sample tells no rate; give its rate")
    intervals = np.diff(times)
    median = np.median(intervals)
    regular = intervals[np.abs(intervals - median) <= 0.5 * median]
    return float(1.0 / regular.mean())
