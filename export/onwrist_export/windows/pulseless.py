"""Light without a pulse in it: what a sensor gives off the wrist, or stuck.

A model that only ever saw pulses finds one everywhere. These signals teach it, and the
weights of its confidence, to say that it does not know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BREATHING = (0.05, 0.45)  # Hz
KINDS = 4


def pulseless(
    rng: np.random.Generator, windows: int, samples: int, rate: float
) -> NDArray[np.float32]:
    """Float32 (windows, samples): noise, drift, breathing, or a stuck value, by chance."""
    time = np.arange(samples) / rate
    white = rng.standard_normal((windows, samples))
    frequency = rng.uniform(*BREATHING, (windows, 1))
    phase = rng.uniform(0, 2 * np.pi, (windows, 1))
    signals = np.stack(
        [
            white,
            np.cumsum(white, axis=1),
            np.sin(2 * np.pi * frequency * time + phase)
            + 0.1 * rng.random((windows, 1)) * white,
            np.zeros((windows, samples)),
        ]
    )
    size = np.exp(rng.uniform(np.log(0.1), np.log(100.0), (windows, 1)))
    kind = rng.integers(KINDS, size=windows)
    level = rng.normal(0, 10, (windows, 1))
    return (signals[kind, np.arange(windows)] * size + level).astype(np.float32)
