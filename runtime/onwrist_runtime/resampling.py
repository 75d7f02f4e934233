"""The resampler: samples with time stamps in, values and `observed` on the grid out.

Two ways, by the native rate. From half the grid's rate up, a Kaiser-windowed sinc:
below half the *grid's* rate where there is something above it to remove, else an
interpolating one that gives samples on the grid back unchanged. Below half the grid's
rate (temperature, skin conductance), straight lines between neighbours.

Every grid point is computed on its own, with elementwise float64 operations in one
fixed order, so its bits do not depend on which other points are computed with it. Hence
samples are summed by `bincount`, which adds one after the other: NumPy's `sum` adds in an
order that depends on the shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.clock import HISTORY, is_regular, repaired

Array = NDArray[np.float64]
Grid = tuple[NDArray[np.float32], NDArray[np.bool_]]

# Time stamps on the Unix epoch step by 0.24 us; within this, two times are one.
SAME_TIME = 1e-6

# Measured at 25 Hz from 26 to 500 Hz: within 0.05 dB up to 8 Hz, at least 46 dB down
# from 12.5 Hz on.
HALF_WIDTH = 9.0  # periods of the slower of the two rates, to each side
CUTOFF = 0.41  # of the grid's rate
KAISER_BETA = 5.0
TABLE_STEPS = 512  # per period of the slower rate: the table's error is below 1e-6

CLOSED = 1.75  # periods: between samples that are nearer, every point is observed

POINTS = 2048  # grid points that are computed at a time, fewer where samples are denser
SAMPLES = 65_536  # that lie in so many grid points, at the nominal rate
CELLS = 16_384  # weights that are held at a time: they stay in a core's cache


def lookahead(rate: float, grid_rate: float) -> float:
    """Seconds past a grid point within which samples can change its value.

    Parameters
    ----------
    rate, grid_rate : nominal native rate and grid rate in Hz.
    """
    if _is_slow(rate, grid_rate):
        return 2 / rate
    return HALF_WIDTH / min(rate, grid_rate)


def reach(rate: float, grid_rate: float) -> float:
    """Seconds past a grid point within which stamps can change it: repair moves them."""
    return lookahead(rate, grid_rate) + 0.5 / rate


def _is_slow(rate: float, grid_rate: float) -> bool:
    return rate < grid_rate / 2


def resample_block(
    times: Array,
    values: NDArray[np.float32],
    rate: float,
    grid_rate: float,
    first: int,
    count: int,
) -> Grid:
    """Channels that share time stamps, at grid points first ... first + count - 1.

    Grid point k lies at k / grid_rate. Stamps are repaired first. The same grid point has
    the same bits whatever `first`, `count` and the other channels are, and whatever
    samples there are further away than `reach(rate, grid_rate)` and not among the 14
    before those.

    Parameters
    ----------
    times : float64 (n,), seconds, strictly increasing.
    values : float32 (k, n), finite: a sample that is missing is not there.
    rate, grid_rate : nominal native rate and grid rate in Hz.

    Returns
    -------
    values : float32 (k, count), 0 where not observed.
    observed : bool (count,), True within one native period of a sample.
    """
    at_once = _at_once(rate, grid_rate)
    if count <= at_once:
        return _block(times, values, rate, grid_rate, first, count)
    out = np.empty((len(values), count), np.float32)
    observed = np.empty(count, np.bool_)
    for done in range(0, count, at_once):
        part = slice(done, min(done + at_once, count))
        size = part.stop - done
        block = _block(times, values, rate, grid_rate, first + done, size)
        out[:, part], observed[part] = block
    return out, observed


@lru_cache(maxsize=64)
def _at_once(rate: float, grid_rate: float) -> int:
    return max(1, min(POINTS, int(SAMPLES * grid_rate / rate)))


def _block(
    times: Array,
    values: NDArray[np.float32],
    rate: float,
    grid_rate: float,
    first: int,
    count: int,
) -> Grid:
    grid = _grid(first, count, grid_rate)
    if len(times) > POINTS and count:
        far = reach(rate, grid_rate)
        begin, end = times.searchsorted((grid[0] - far, grid[-1] + far))
        near = slice(max(begin - HISTORY, 0), end)
        times, values = times[near], values[:, near]
    if not (count and len(times)):
        return np.zeros((len(values), count), np.float32), np.zeros(count, np.bool_)
    samples = values.astype(np.float64)
    steps = times[1:] - times[:-1]
    regular = is_regular(steps, rate)
    if not regular:
        times = repaired(times, rate)
        steps = times[1:] - times[:-1]
    inside = times[0] < grid[0] and grid[-1] <= times[-1]
    if inside and (regular or steps.max() < CLOSED / rate):
        # The short way to the same bits: without a gap, every point is observed and lies
        # between two samples that belong together.
        if _is_slow(rate, grid_rate):
            at = _between(samples, times, steps, grid)
        else:
            at = _filtered(samples, times, _kernel(rate, grid_rate), grid)
        observed = np.empty(count, np.bool_)
        observed.fill(True)
        return at.astype(np.float32), observed
    # A point exactly one period away is not observed, however its time is rounded.
    observed = _distance(times, grid) < 1 / rate - SAME_TIME
    out = np.zeros((len(values), count), np.float32)
    if observed.any():
        seen = grid[observed]
        if _is_slow(rate, grid_rate):
            out[:, observed] = _straight_lines(samples, times, rate, seen)
        else:
            out[:, observed] = _filtered(samples, times, _kernel(rate, grid_rate), seen)
    return out, observed


@lru_cache(maxsize=8)
def _grid(first: int, count: int, grid_rate: float) -> Array:
    """The times of grid points, the same for all channels of a window."""
    grid: Array = np.arange(first, first + count, dtype=np.float64) / grid_rate
    grid.flags.writeable = False
    return grid


def _distance(times: Array, grid: Array) -> Array:
    """From each grid time (m,) to the nearest of the sample times (n,), n > 0."""
    after = times.searchsorted(grid)
    left = grid - times[np.maximum(after - 1, 0)]
    right = times[np.minimum(after, len(times) - 1)] - grid
    return np.minimum(np.abs(left), np.abs(right))


def _straight_lines(values: Array, times: Array, rate: float, grid: Array) -> Array:
    """Lines between samples that are less than two periods apart, else the nearest one."""
    after = times.searchsorted(grid)
    left = np.maximum(after - 1, 0)
    right = np.minimum(after, len(times) - 1)
    step = times[right] - times[left]
    past = grid - times[left]
    share = past / np.where(step > 0, step, 1.0)
    hold = step >= 2 / rate - SAME_TIME
    left = np.where(hold & (share > 0.5), right, left)
    share = np.where(hold, 0.0, share)
    share = np.clip(share, 0.0, 1.0)  # before the first and after the last sample
    return values[:, left] + (values[:, right] - values[:, left]) * share


def _between(values: Array, times: Array, steps: Array, grid: Array) -> Array:
    """`_straight_lines` where every grid time lies between two samples to be joined."""
    left = times[1:].searchsorted(grid)
    share = grid - times.take(left)
    share /= steps.take(left)
    rises = values[:, 1:] - values[:, :-1]
    at = rises.take(left, axis=1)
    at *= share
    at += values.take(left, axis=1)
    return at


@dataclass(frozen=True, slots=True)
class _Kernel:
    """Running integral of the low-pass kernel, tabulated.

    A sample stands for the time that is nearer to it than to its neighbours; its
    weight is the integral over that time. For regular samples the integral is built to
    be the plain filter tap, and over a gap it is the sum of the taps that the missing
    samples would have had: they take the value of the nearest real one. The weights of a
    grid point sum to one, so constants stay constant.

    Attributes
    ----------
    half_width : seconds.
    start_twice : seconds from the kernel's middle to the table's first entry, doubled.
    scale_half : entries a second, halved.
    table : the integral from minus infinity; the last two entries are all of it.
    slope : from each entry to the next.
    """

    half_width: float
    start_twice: float
    scale_half: float
    table: Array
    slope: Array


@lru_cache(maxsize=64)
def _kernel(rate: float, grid_rate: float) -> _Kernel:
    cutoff = CUTOFF * grid_rate if rate > grid_rate else rate / 2
    half_width = HALF_WIDTH / min(rate, grid_rate)
    taps = int(np.ceil(half_width * rate)) + 1
    steps = max(1, round(TABLE_STEPS * min(rate, grid_rate) / rate))
    # Each row is one period of the filter; adding up the rows makes the difference
    # between two points that are one period apart exactly the tap between them.
    distance = np.arange(-taps * steps, (taps + 1) * steps).reshape(-1, steps) / steps / rate
    inside = np.maximum(1 - (distance / half_width) ** 2, 0)
    window = np.i0(KAISER_BETA * np.sqrt(inside)) / np.i0(KAISER_BETA) * (inside > 0)
    tap = 2 * cutoff / rate * np.sinc(2 * cutoff * distance) * window
    table = np.cumsum(tap / tap.sum(axis=0), axis=0).reshape(-1)
    # The sum up to the tap at one distance is the integral up to the end of its cell.
    start = (0.5 - taps) / rate
    table = np.append(table, table[-1])
    return _Kernel(half_width, 2 * start, rate * steps / 2, table, np.diff(table))


def _filtered(values: Array, times: Array, kernel: _Kernel, grid: Array) -> Array:
    """Values (k, m) at grid times (m,) that each lie within the kernel of a sample."""
    first = times.searchsorted(grid - kernel.half_width, "right")
    last = times.searchsorted(grid + kernel.half_width, "left")
    last -= 1
    if int(last[-1] - first[0] + 1) * len(grid) * len(values) <= CELLS:
        return _summed(values, times, kernel, grid, first, last)
    most = int(np.maximum.reduce(last - first)) + 1
    at_once = max(1, CELLS // (most * len(values)))
    out = np.empty((len(values), len(grid)))
    for begin in range(0, len(grid), at_once):
        part = slice(begin, begin + at_once)
        out[:, part] = _summed(values, times, kernel, grid[part], first[part], last[part])
    return out


def _summed(
    values: Array,
    times: Array,
    kernel: _Kernel,
    grid: Array,
    first: NDArray[np.intp],
    last: NDArray[np.intp],
) -> Array:
    """The weighted sum of the samples `first` (m,) ... `last` (m,) for each grid time."""
    taps = last - first
    most, fewest = int(np.maximum.reduce(taps)) + 1, int(np.minimum.reduce(taps))
    sample = _column(most + 1) + first  # (most + 1, m)
    away = times.take(sample, mode="clip")
    away -= grid
    # Half of the sum of two neighbours, less the table's start, in entries: halving is
    # exact, so it may be done last.
    position = away[:-1] + away[1:]
    position -= kernel.start_twice
    position *= kernel.scale_half
    # From the last sample on, the integral is all of it; what follows has the weight 0.
    position[fewest:][sample[fewest:-1] >= last] = len(kernel.slope) - 1
    whole = np.trunc(position)
    entry = whole.astype(np.intp)
    position -= whole
    upto = kernel.slope.take(entry)
    upto *= position
    upto += kernel.table.take(entry)
    weights = position
    weights[0] = upto[0]
    np.subtract(upto[1:], upto[:-1], out=weights[1:])
    terms = values.take(sample[:-1], axis=1, mode="clip")  # (k, most, m)
    terms *= weights
    sums = cast(Array, np.bincount(_sums(terms.shape), terms.ravel()))  # stubs say integers
    return sums.reshape(len(values), -1)


@lru_cache(maxsize=64)
def _column(size: int) -> NDArray[np.intp]:
    return np.arange(size)[:, np.newaxis]


@lru_cache(maxsize=8)
def _sums(shape: tuple[int, int, int]) -> NDArray[np.intp]:
    """For each term of (k, most, m), which of the (k, m) sums it belongs to."""
    channels, _, points = shape
    sums = np.arange(channels * points).reshape(channels, 1, points)
    return np.broadcast_to(sums, shape).ravel()
