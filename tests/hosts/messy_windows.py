"""Random windows of motion in the format of `plausible.json`, and whom the runtime blames.

A seed in, a case out: sensors of several axes that are clipped, frozen, in other units,
turned, exchanged or missing for a while, held against records that hardly ever suit them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "vectors"))

from plausible_cases import replay

from onwrist_runtime.manifest_plausible import FEATURES, TRIANGLE

Case = dict[str, Any]
Draw = np.random.Generator

SENSORS = ("ankle", "chest", "wrist")
FACTORS = (1.0, 1.0, 1.0, 9.80665, 1000.0, 0.25, 4.0, 0.5, 2.0, 1.25)


def window(seed: int) -> Case:
    """A case."""
    draw = np.random.default_rng([seed, 2])
    rate, points = float(draw.choice([10.0, 25.0, 50.0])), int(draw.integers(30, 90))
    sensors = SENSORS[: int(draw.integers(1, 4))]
    rows = [_motion(draw, points, rate) for _ in sensors]
    values = np.concatenate(rows).round(3)
    channels = [name for sensor in sensors for name in _names(sensor)]
    kept = draw.permutation(len(channels)) if draw.random() < 0.3 else np.arange(len(channels))
    case = {
        "name": f"random window {seed}",
        "rate": rate,
        "channels": [channels[k] for k in kept],
        "plausible": [_record(draw, sensor, sensors) for sensor in sensors],
        "values": np.where(np.isnan(values), None, values)[kept].tolist(),
    }
    for record in case["plausible"]:
        record["exchanged"] = {
            other: margin
            for other, margin in record["exchanged"].items()
            if "usual" in next(x for x in case["plausible"] if x["sensor"] == other)
        }
    return case | {"expected": replay(case)}


def _names(sensor: str) -> list[str]:
    return [f"{sensor}_{part}_{axis}" for part in ("acc", "gyro") for axis in "xyz"]


def _motion(draw: Draw, points: int, rate: float) -> np.ndarray:
    gravity = draw.normal(size=3)
    gravity /= np.linalg.norm(gravity)
    moves = float(draw.choice([0.005, 0.05, 0.5]))
    time = np.arange(points) / rate
    motion = draw.normal(size=(6, points)) * moves * np.array([[0.3] * 3 + [60.0] * 3]).T
    motion[:3] += gravity[:, np.newaxis]
    motion[int(draw.integers(6))] += moves * np.sin(time * draw.uniform(3, 20))
    motion[:3] *= float(draw.choice(FACTORS))
    if draw.random() < 0.2:
        motion[3:] /= 57.29578
    row = int(draw.integers(6))
    begin, length = int(draw.integers(points)), int(draw.integers(points))
    spoilt = draw.random()
    if spoilt < 0.2:
        motion[row, begin : begin + length] = motion[row, begin]
    elif spoilt < 0.4:
        motion[row] = np.clip(motion[row], *np.quantile(motion[row], [0.2, 0.9]))
    if draw.random() < 0.4:
        motion[:, begin : begin + length] = np.nan
    if draw.random() < 0.2:
        motion[draw.random(motion.shape) < 0.03] = np.nan
    return motion


def _record(draw: Draw, sensor: str, sensors: tuple[str, ...]) -> Case:
    names = _names(sensor)
    record: Case = {
        "sensor": sensor,
        "acceleration": names[:3],
        "turning": names[3:],
        "gravity": [0.6, 1.7],
        "rest": [0.9, 1.1],
        "turns": [0.2, 120.0],
        "turns_per_g": [10.0, 3000.0],
        "run": float(draw.choice([0.1, 0.3])),
        "rails": [0.1, 0.15],
        "exchanged": {},
    }
    if draw.random() < 0.8:
        whitening = draw.normal(size=TRIANGLE)
        diagonal = [k * (k + 3) // 2 for k in range(FEATURES)]
        whitening[diagonal] = draw.uniform(0.5, 4, FEATURES)
        mean = np.r_[draw.normal(size=3) * 0.7, draw.uniform(-5, 0, 3), draw.uniform(-2, 3, 3)]
        usual = {"mean": mean.round(3).tolist(), "whitening": whitening.round(3).tolist()}
        record |= {"usual": usual, "alarms": 0.01, "turned": float(draw.uniform(0, 30))}
        if draw.random() < 0.3:
            record["turned"] = None
        others = [other for other in sensors if other != sensor and draw.random() < 0.7]
        record["exchanged"] = {other: float(draw.uniform(0, 30)) for other in others}
    return record
