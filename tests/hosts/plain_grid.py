"""Samples of one channel in, grid points out: plain Python, written from HOST.md alone.

Numbers are those of the page: r is a native rate, g the time of a grid point.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache

SAME = 1e-6  # seconds


def float32(x: float) -> float:
    """The nearest float32."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def repaired(times: list[float], rate: float) -> tuple[list[float], list[bool]]:
    """Stamps on the line of their clock, and which of them were off it."""
    period, begin = 1 / rate, 0
    out, stray = list(times), [False] * len(times)
    for i, time in enumerate(times):
        if i and abs(time - times[i - 1] - period) >= period / 2:
            begin = i
        back = min(14, i - begin)
        lines = sorted((times[i - k] - time) + k * period for k in range(back + 1))
        off = lines[back // 2]
        if abs(off) <= period / 16:
            continue
        stray[i] = True
        off = max(-7 * period / 16, min(7 * period / 16, off))
        if i + 1 < len(times) and times[i + 1] - time <= period / 2:
            off = min(off, 0.0)
        out[i] = time + off
    return out, stray


def reach(rate: float, grid: float) -> float:
    """Seconds past a grid point within which a stamp can change its value."""
    return 0.5 / rate + (2 / rate if rate < grid / 2 else 9 / min(rate, grid))


def at(
    times: list[float], values: list[float], rate: float, grid: float, g: float
) -> float | None:
    """The value at a time g of samples with repaired stamps; None where it is not observed."""
    if not times:
        return None
    after = bisect_left(times, g)
    i, j = max(after - 1, 0), min(after, len(times) - 1)
    if not min(abs(g - times[i]), abs(times[j] - g)) < 1 / rate - SAME:
        return None
    if rate >= grid / 2:
        return float32(_filtered(times, values, _kernel(rate, grid), g))
    if i == j or g <= times[0]:
        return float32(values[j] if g <= times[0] else values[i])
    step = times[j] - times[i]
    share = (g - times[i]) / step
    if step >= 2 / rate - SAME:
        return float32(values[j] if share > 0.5 else values[i])
    return float32(values[i] + (values[j] - values[i]) * share)


@dataclass(frozen=True)
class Kernel:
    """The integral of the low-pass kernel: `width` seconds to each side, from `start` on."""

    width: float
    start: float
    entries: float  # a second
    table: tuple[float, ...]

    def up_to(self, twice: float) -> float:
        """The integral up to half of this distance from the kernel's middle."""
        place = (twice - 2 * self.start) * (self.entries / 2)
        entry = int(place)
        rise = self.table[entry + 1] - self.table[entry]
        return self.table[entry] + rise * (place - entry)


def _filtered(times: list[float], values: list[float], kernel: Kernel, g: float) -> float:
    first = bisect_right(times, g - kernel.width)
    last = bisect_left(times, g + kernel.width) - 1
    total = before = 0.0
    for i in range(first, last + 1):
        upto = 1.0
        if i < last:
            upto = kernel.up_to((times[i] - g) + (times[i + 1] - g))
        total += values[i] * (upto - before)
        before = upto
    return total


@cache
def _kernel(rate: float, grid: float) -> Kernel:
    slower = min(rate, grid)
    width, fine = 9 / slower, max(1, round(512 * slower / rate))
    taps = math.ceil(width * rate) + 1
    cutoff = 0.41 * grid if rate > grid else rate / 2
    table = [0.0] * ((2 * taps + 1) * fine)
    for j in range(fine):
        tap = []
        for m in range(2 * taps + 1):
            distance = ((m - taps) * fine + j) / fine / rate
            inside = 1 - (distance / width) ** 2
            window = _bessel(5 * math.sqrt(inside)) / _bessel(5) if inside > 0 else 0.0
            tap.append(2 * cutoff / rate * _sinc(2 * cutoff * distance) * window)
        whole, total = sum(tap), 0.0
        for m, each in enumerate(tap):
            total += each / whole
            table[m * fine + j] = total
    return Kernel(width, (0.5 - taps) / rate, fine * rate, (*table, table[-1]))


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _bessel(x: float) -> float:
    """The modified Bessel function of order 0, by its series."""
    total = term = 1.0
    k = 1
    while term > 1e-18 * total:
        term *= (x / 2 / k) ** 2
        total += term
        k += 1
    return total
