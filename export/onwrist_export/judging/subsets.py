"""What sensors are worth, from a value for every set of them.

Values are arrays (..., 2**S): at index n stands the value of the set that has sensor k where
bit k of n is 1, so index 0 is no sensor and the last one is all. S sensors.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def members(index: int, sensors: int) -> list[int]:
    """Which sensors the set at `index` has."""
    return [k for k in range(sensors) if index >> k & 1]


def sizes(sensors: int) -> NDArray[np.int64]:
    """How many sensors each set has, (2**S,)."""
    return np.array([index.bit_count() for index in range(2**sensors)])


def without(sensor: int, sensors: int) -> int:
    """The index of the set of all but one."""
    return ((1 << sensors) - 1) & ~(1 << sensor)


def drops(values: Array) -> Array:
    """What all sensors lose when one is taken away, (..., S)."""
    sensors = values.shape[-1].bit_length() - 1
    return values[..., -1:] - values[..., [without(k, sensors) for k in range(sensors)]]


def shapley(values: Array) -> Array:
    """Each sensor's part in the value of all less that of none, (..., S), exactly.

    The mean of what a sensor adds, over all orders in which sensors may come (Shapley 1953).
    """
    sensors = values.shape[-1].bit_length() - 1
    parts = np.zeros((*values.shape[:-1], sensors))
    for index in range(2**sensors - 1):
        before = index.bit_count()
        orders = factorial(before) * factorial(sensors - before - 1) / factorial(sensors)
        for k in range(sensors):
            if not index >> k & 1:
                parts[..., k] += orders * (values[..., index | 1 << k] - values[..., index])
    return parts


def by_number_lost(values: Array) -> tuple[Array, Array]:
    """Mean and least value when 0, 1, ... S - 1 sensors are lost, (..., S) each."""
    sensors = values.shape[-1].bit_length() - 1
    left = sizes(sensors)
    groups = [values[..., left == n] for n in range(sensors, 0, -1)]
    return (
        np.stack([group.mean(axis=-1) for group in groups], axis=-1),
        np.stack([group.min(axis=-1) for group in groups], axis=-1),
    )


def relative_loss(values: Array) -> Array:
    """Share of the value of all sensors that each set lacks, (..., 2**S)."""
    return 1 - values / values[..., -1:]
