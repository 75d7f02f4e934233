"""Latencies in the order of time in, their quantiles, interval and drift out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onwrist.bench.report import Mode, Series, What

BEYOND = 3  # calls that must be slower than a quantile for it to be known
KEPT = 2000  # samples of a series that a report holds
HALVES = 100  # calls from which the halves of a series are compared
BLOCKS, RESAMPLES = 20, 2000  # of the bootstrap

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def series(what: What, mode: Mode, times: Array, inside: Array | None = None) -> Series:
    """The record of a series.

    Parameters
    ----------
    times : (calls,), microseconds in the order of time.
    inside : (calls,), those of them that the engine took, where both are known.
    """
    low, high = np.percentile(resampled_medians(times), [2.5, 97.5])
    return Series(
        what=what,
        mode=mode,
        calls=len(times),
        least_us=_rounded(times.min()),
        p50_us=_rounded(np.median(times)),
        p50_low_us=_rounded(low),
        p50_high_us=_rounded(high),
        p90_us=_quantile(times, 0.90),
        p99_us=_quantile(times, 0.99),
        p999_us=_quantile(times, 0.999),
        most_us=_rounded(times.max()),
        drift=_drift(times),
        engine_p50_us=None if inside is None else _rounded(np.median(inside)),
        samples_us=tuple(map(_rounded, thinned(times))),
    )


def resampled_medians(times: Array, seed: int = 0) -> Array:
    """Medians (resamples,) of a series whose blocks are drawn with replacement.

    Calls that follow each other are alike: the same clock, the same neighbours. Drawn one by
    one they would promise too much, so stretches of the series are drawn whole (Carlstein
    1986, https://doi.org/10.1214/aos/1176350057).
    """
    blocks = np.array_split(times, min(BLOCKS, len(times)))
    values = np.unique(times)
    # How many calls of each block are at most each value: (blocks, values).
    below = np.stack([np.searchsorted(np.sort(x), values, "right") for x in blocks])
    share = np.full(len(blocks), 1 / len(blocks))
    drawn = np.random.default_rng(seed).multinomial(len(blocks), share, RESAMPLES)
    calls = drawn @ below[:, -1]
    lower = _smallest(drawn, below, (calls + 1) // 2)
    upper = _smallest(drawn, below, calls // 2 + 1)
    medians: Array = (values[lower] + values[upper]) / 2
    return medians


def _smallest(drawn: Integers, below: Integers, rank: Integers) -> Integers:
    """Index of the value of some rank in each resample, by bisection over all values."""
    low, high = np.zeros_like(rank), np.full_like(rank, below.shape[1] - 1)
    while (low < high).any():
        middle = (low + high) // 2
        enough = (drawn * below[:, middle].T).sum(axis=1) >= rank
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return high


def thinned(times: Array) -> Array:
    """At most `KEPT` of them, evenly spread and in the order of time."""
    if len(times) <= KEPT:
        return times
    return times[np.arange(KEPT) * len(times) // KEPT]


def _quantile(times: Array, share: float) -> float | None:
    if len(times) * (1 - share) < BEYOND - 1e-9:
        return None
    return _rounded(np.quantile(times, share))


def _drift(times: Array) -> float | None:
    """By which share the median of the second half is above that of the first."""
    if len(times) < HALVES:
        return None
    first, second = np.array_split(times, 2)
    return round(float(np.median(second) / np.median(first) - 1), 4)


def _rounded(value: np.floating | float) -> float:
    """In tenths, which clocks do not resolve; nothing takes no time."""
    return max(0.1, round(float(value), 1))
