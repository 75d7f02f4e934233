"""Cases of plausibility for `plausible.json`: a window of two sensors, which are blamed, why.

Of the channels of each sensor three are acceleration in g and three turning in deg/s. null is
what was not observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from onwrist_runtime.manifest_plausible import FEATURES, Plausible
from onwrist_runtime.plausibility import Plausibility

RATE, POINTS = 25.0, 60
GYRO = slice(3, 6)
Case = dict[str, Any]
Windows = dict[str, np.ndarray]


def plausible() -> list[Case]:
    """All cases."""
    return [case | {"expected": replay(case)} for case in _cases()]


def replay(case: Case) -> dict[str, str]:
    """Why a sensor cannot be believed, for each that cannot."""
    records = msgspec.convert(case["plausible"], tuple[Plausible, ...])
    given = np.array(case["values"], np.float64).astype(np.float32)
    observed = ~np.isnan(given)
    values = np.where(observed, given, np.float32(0))
    judge = Plausibility(records, case["channels"], case["rate"], values.shape[1])
    return judge.implausible(values, observed)


def _body(seed: int = 0) -> Windows:
    """A wrist at rest with gravity along x, an ankle that swings with gravity along -z."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(2, 6, POINTS))
    time = np.arange(POINTS) / RATE
    wrist, ankle = noise[0] * 0.01, noise[1] * 0.05
    wrist[0] += 1.0
    wrist[GYRO] *= 400.0
    ankle[2] -= 1.0
    ankle[0] += 0.6 * np.sin(2 * np.pi * 0.9 * time)
    ankle[GYRO] *= 200.0
    ankle[4] += 150 * np.sin(2 * np.pi * 0.9 * time)
    return {"wrist": wrist.round(3), "ankle": ankle.round(3)}


def _usual(means: list[float], spread: list[float], skew: float) -> Case:
    """A Gaussian of such means and deviations, with a little of each feature's neighbour."""
    whitening = np.diag(1 / np.array(spread)) + np.diag(np.full(FEATURES - 1, skew), -1)
    lower = whitening[np.tril_indices(FEATURES)].round(4).tolist()
    return {"mean": means, "whitening": lower}


def _records() -> list[Case]:
    shared: Case = {
        "gravity": [0.7, 1.6],
        "rest": [0.9, 1.1],
        "turns": [0.8, 600.0],
        "turns_per_g": [20.0, 4000.0],
        "run": 0.2,
        "rails": [0.15, 0.2],
        "turned": 30.0,
        "alarms": 0.01,
    }
    wrist = _usual(
        [0.9, 0.05, -0.05, -4.5, -4.5, -4.6, 1.4, 1.4, 1.3],
        [0.2, 0.2, 0.25, 0.5, 0.5, 0.5, 0.4, 0.5, 0.4],
        0.3,
    )
    ankle = _usual(
        [0.0, 0.1, -0.95, -0.8, -3.0, -2.9, 2.3, 4.6, 2.3],
        [0.15, 0.2, 0.2, 0.4, 0.4, 0.5, 0.5, 0.4, 0.5],
        -0.2,
    )
    return [
        {"sensor": "wrist", **_axes("wrist"), **shared, "usual": wrist}
        | {"exchanged": {"ankle": 40.0}},
        {"sensor": "ankle", **_axes("ankle"), **shared, "usual": ankle}
        | {"exchanged": {"wrist": 40.0}},
    ]


def _axes(sensor: str) -> Case:
    parts = {"acceleration": "acc", "turning": "gyro"}
    return {name: [f"{sensor}_{part}_{x}" for x in "xyz"] for name, part in parts.items()}


def _case(name: str, windows: Windows, records: list[Case] | None = None) -> Case:
    """A window; the rows of the ankle come first. Of one sensor nothing is said of others."""
    sensors = sorted(windows)
    rows = np.concatenate([windows[sensor] for sensor in sensors]).round(5)
    channels = [x for sensor in sensors for part in _axes(sensor).values() for x in part]
    if records is None:
        records = [one for one in _records() if one["sensor"] in windows]
    if len(windows) == 1:
        records = [one | {"exchanged": {}} for one in records]
    return {
        "name": name,
        "rate": RATE,
        "channels": channels,
        "plausible": records,
        "values": np.where(np.isnan(rows), None, rows).tolist(),
    }


def _with(sensor: str, altered: np.ndarray) -> Windows:
    return _body() | {sensor: altered}


def _cases() -> Iterator[Case]:
    yield _case("as usual", _body())
    yield _case("no records", _body(), [])
    yield from _stuck()
    yield from _scaled()
    yield from _arranged()
    yield from _missing()


def _stuck() -> Iterator[Case]:
    wrist, ankle = _body()["wrist"], _body()["ankle"]
    clipped = ankle.copy()
    clipped[0] = np.clip(clipped[0], -0.45, 0.45)
    yield _case("saturated acceleration", {"ankle": clipped})
    clipped = ankle.copy()
    clipped[4] = np.clip(clipped[4], -400.0, 90.0)
    yield _case("saturated turning", {"ankle": clipped})
    frozen = wrist.copy()
    frozen[1, 30:45] = frozen[1, 30]
    yield _case("constant for a while", {"wrist": frozen})
    almost = frozen.copy()
    almost[1, 30:45] += 0.00008 * (np.arange(15) % 2)
    yield _case("a run of samples that are all but equal", {"wrist": almost})
    frozen = np.repeat(wrist[:, :1], POINTS, axis=1)
    yield _case("all of it constant", {"wrist": frozen})
    both = ankle.copy()
    both[0] = np.where(np.arange(POINTS) < 14, 0.7, both[0])
    both[0, [20, 30]] = 0.7
    yield _case("at its limit, and back, and again", {"ankle": both})
    broken = wrist.copy()
    broken[1, 30:45] = broken[1, 30]
    broken[:, 37] = np.nan
    yield _case("a gap ends a run", {"wrist": broken})


def _scaled() -> Iterator[Case]:
    wrist, ankle = _body()["wrist"], _body()["ankle"]
    for name, factor in (
        ("in m/s2", 9.80665),
        ("in mg", 1000.0),
        ("half the range", 0.5),
        ("twice the range", 2.0),
        ("a quarter of the range", 0.25),
        ("fourfold the range", 4.0),
        ("too heavy", 1.3),
    ):
        scaled = wrist.copy()
        scaled[:3] *= factor
        yield _case(f"acceleration {name}", {"wrist": scaled})
    moved = ankle.copy()
    moved[:3] *= 3.0
    yield _case("never at rest, and too heavy", {"ankle": moved})
    moved[:3] *= 9.80665 / 3.0
    yield _case("never at rest, in m/s2", {"ankle": moved})
    turned = ankle.copy()
    turned[GYRO] /= 57.29578 * 3
    yield _case("turning in rad/s", {"ankle": turned})
    turned = ankle.copy()
    turned[GYRO] *= 10
    yield _case("it turns too fast", {"ankle": turned})
    turned = ankle.copy()
    turned[GYRO] /= 20
    yield _case("it turns too little for its acceleration", {"ankle": turned})


def _arranged() -> Iterator[Case]:
    wrist, ankle = _body()["wrist"], _body()["ankle"]
    yield _case("upside down", _with("wrist", wrist * ([[-1], [-1], [1]] * 2)))
    yield _case("axes swapped", _with("ankle", ankle[[2, 1, 0, 5, 4, 3]]))
    yield _case("two sensors exchanged", {"wrist": ankle, "ankle": wrist})
    records = _records()
    records[0] |= {"turned": None, "exchanged": {}, "alarms": None}
    yield _case("only one of two may be blamed for its axes", _with("wrist", -wrist), records)
    records = _records()
    for one in records:
        one |= {"usual": None, "turned": None, "exchanged": {}, "alarms": None}
    yield _case("nothing is said of what is usual", {"wrist": ankle, "ankle": wrist}, records)
    records = _records()
    records[0] |= {"usual": None, "turned": None, "exchanged": {}, "alarms": None}
    records[1] |= {"exchanged": {}}
    swapped = ankle[[0, 2, 1, 3, 5, 4]]
    yield _case("one of two has something usual", _with("ankle", swapped), records)
    heavy = wrist.copy()
    heavy[:3] *= 2
    yield _case("what is blamed is not compared", {"wrist": ankle, "ankle": heavy})


def _missing() -> Iterator[Case]:
    wrist = _body()["wrist"] * 2.0
    for name, points in (("too few", 14), ("just enough", 15)):
        few = wrist.copy()
        few[:, points:] = np.nan
        yield _case(f"{name} grid points", {"wrist": few})
    few = wrist.copy()
    few[2, 14:] = np.nan
    yield _case("too few of one channel", {"wrist": few})
    yield _case("nothing observed", {"wrist": wrist * np.nan})
    holes = wrist.copy()
    holes[:, 5::20] = np.nan
    yield _case("no whole stretch at rest", {"wrist": holes})
