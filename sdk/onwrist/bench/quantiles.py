"""Latencies in the order of time in, their quantiles, interval and drift out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onwrist.bench.report import Mode, Series, What

BEYOND = 3  # calls that must be slower than a quantile for it to be known
KEPT = 2000  # samples of a series that a report holds
HALVES = 100  # calls from which the halves of a series are compared
RESAMPLES = 2000

Array = NDArray[np.float64]


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
    """Medians (resamples,) of as many calls, drawn from `times` with replacement.

    Nothing is drawn but the ranks of the middle: the k-th smallest of n uniform numbers is
    Beta(k, n + 1 - k), and the next one is spread likewise over what is left above it. It
    takes as long for a million calls as for ten.
    """
    n, draw = len(times), np.random.default_rng(seed)
    ordered = np.sort(times)
    k = (n + 1) // 2
    lower = draw.beta(k, n + 1 - k, RESAMPLES)
    middle: Array = ordered[np.minimum((n * lower).astype(int), n - 1)]
    if n % 2:
        return middle
    upper = lower + (1 - lower) * draw.beta(1, n - k, RESAMPLES)
    middle += ordered[np.minimum((n * upper).astype(int), n - 1)]
    return middle / 2


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
