"""Missing data made on purpose: where samples and channels are taken away.

All functions give bool arrays that are True where a sample stays, drawn from a NumPy
generator, so that training, evaluation and gates take away data in the same way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPAN_SECONDS = (1.0, 5.0)


def drop_spans(
    rng: np.random.Generator, share: NDArray[np.float64], samples: int, rate: float
) -> NDArray[np.bool_]:
    """Bool (len(share), samples): each row misses exactly its share, in spans of 1 to 5 s.

    Spans may hang over both ends of the window, so that its edges go missing as often
    as its middle.
    """
    shortest, longest = (round(s * rate) for s in SPAN_SECONDS)
    kept = np.ones((len(share), samples), bool)
    for row, missing in zip(kept, np.round(share * samples).astype(int), strict=True):
        left = missing
        while left > 0:
            length = rng.integers(shortest, longest + 1)
            start = rng.integers(1 - length, samples)
            span = np.flatnonzero(row[max(start, 0) : start + length])[:left]
            row[max(start, 0) + span] = False
            left -= len(span)
    return kept


def drop_channels(
    rng: np.random.Generator, windows: int, channels: int, each: float, all_but_first: float
) -> NDArray[np.bool_]:
    """Bool (windows, channels): each goes with one chance, all but the first with another."""
    kept = rng.random((windows, channels)) >= each
    alone = rng.random(windows) < all_but_first
    kept[alone] = np.arange(channels) == 0
    return kept
