"""A seed in, a Recording of a simulated body with four inertial sensors out.

The wearer stands, walks, and lies down; the sensors are those of UMAFall, upright along
their x axes, and one of them falls silent while the wearer walks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onwrist.recording import Label, Recording
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal

RATE = 20.0  # Hz
POSITIONS = ("wrist", "chest", "waist", "ankle")
WALKS, LIES = 0.25, 0.75  # of the duration, from when on

# At each position gravity in g while upright (medians of UMAFall), how much walking shakes
# it (g) and turns it (deg/s), by axis.
_UPRIGHT = ((-0.97, 0.18, 0.28), (0.98, -0.04, 0.16), (1.0, -0.03, -0.03), (1.0, -0.03, -0.03))
_SHAKEN = ((0.21, 0.15, 0.14), (0.16, 0.11, 0.11), (0.17, 0.14, 0.15), (0.36, 0.30, 0.43))
_TURNED = ((75, 52, 65), (48, 16, 15), (47, 17, 20), (89, 112, 52))
_LYING = (0.1, 0.0, 1.0)  # gravity on one's back
_NOISE, _TURN_NOISE = 0.01, 1.5  # g, deg/s

_Array = NDArray[np.float64]


def body(
    seconds: float = 60.0, seed: int = 0, *, dies: Mapping[str, float] | None = None
) -> Recording:
    """Simulate a body from time 0.

    Parameters
    ----------
    seconds : how long, at least 1.
    seed : chooses gait as well as noise; equal seeds give equal recordings.
    dies : when (s) a position's sensor stops for good; default: the waist's in the middle.

    Returns
    -------
    Recording
        {position}_acc_x, ... in g and {position}_gyro_x, ... in deg/s at 20 Hz, and labels
        "activity" ("walking", "lying down") and "fall" ("no fall") where they are true.

    Raises
    ------
    InputError
        It cannot last so long, or there is no sensor of a name.
    """
    if not 1.0 <= seconds <= 3600.0:
        raise InputError(f"cannot simulate {seconds} s; give 1 s to one hour (3600)")
    dies = {"waist": seconds / 2} if dies is None else dies
    if unknown := dies.keys() - set(POSITIONS):
        raise InputError(f"no simulated sensor {', '.join(sorted(unknown))}; {list(POSITIONS)}")
    random = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    walking = ((times >= WALKS * seconds) & (times < LIES * seconds)).astype(np.float64)
    lying = np.clip((times - LIES * seconds) / 6.0, 0.0, 1.0)  # it takes six seconds
    stride = 2 * np.pi * random.uniform(0.8, 1.0) * times
    signals = {}
    for position, upright, shaken, turned in zip(
        POSITIONS, _UPRIGHT, _SHAKEN, _TURNED, strict=True
    ):
        kept = times < dies.get(position, np.inf)
        gravity = np.outer(upright, 1 - lying) + np.outer(_LYING, lying)
        gravity /= np.linalg.norm(gravity, axis=0)
        for axis, pull, shake, turn in zip("xyz", gravity, shaken, turned, strict=True):
            acc = pull + walking * shake * _gait(random, stride)
            gyro = walking * turn * _gait(random, stride)
            for kind, signal, noise in (("acc", acc, _NOISE), ("gyro", gyro, _TURN_NOISE)):
                noisy = (signal + noise * random.standard_normal(len(times)))[kept]
                if kept.any():
                    signals[f"{position}_{kind}_{axis}"] = Signal(
                        noisy.astype(np.float32), times[kept], RATE
                    )
    spans = ("walking", WALKS, LIES), ("lying down", LIES, 1.0)
    labels = [Label("activity", a * seconds, b * seconds, name) for name, a, b in spans]
    labels.append(Label("fall", 0.0, seconds, "no fall"))
    return Recording(f"simulated-body-{seed}", f"simulated-{seed}", signals, tuple(labels))


def _gait(random: np.random.Generator, stride: _Array) -> _Array:
    """A wave of unit deviation with the first three harmonics of the stride."""
    phases, parts = random.uniform(0, 2 * np.pi, 3), random.dirichlet((1.0, 2.0, 1.0))
    waves = [
        np.sqrt(2 * part) * np.sin(k * stride + phase)
        for k, (phase, part) in enumerate(zip(phases, parts, strict=True), start=1)
    ]
    return np.asarray(sum(waves))
