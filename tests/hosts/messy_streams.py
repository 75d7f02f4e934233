"""Random recordings as they really arrive, in the format of `streams.json`.

A seed in, a case with what the Python runtime makes of it out: sensors of any rate that
jitter, drift, stop, jump and repeat themselves, in bursts, late or out of order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

VECTORS = Path(__file__).parent.parent / "vectors"
sys.path.insert(0, str(VECTORS))

from stream_cases import case_of, manifest, push  # noqa: E402
from stream_days import DAY, HOUR, MIDNIGHT  # noqa: E402
from stream_replay import replay  # noqa: E402

Case = dict[str, Any]
Draw = np.random.Generator
Samples = tuple[np.ndarray, np.ndarray]

EPOCH = 1_644_226_061.37
RATES = (1.0, 4.0, 10.0, 12.5, 25.0, 25.6, 32.0, 50.0, 64.0, 100.0, 128.0)


def stream(seed: int) -> Case:
    """A case of instants on a grid."""
    draw = np.random.default_rng([seed, 0])
    rate = float(draw.choice([5.0, 20.0, 25.0, 50.0]))
    given: Case = {"rate": rate, "samples": int(draw.integers(2, 13)) * 5}
    channels, axes = _channels(draw)
    other: Case = {"lateness": float(draw.choice([0.0, 0.1, 0.5, 1.0, 2.0]))}
    other["hop"] = int(draw.integers(1, 2 * given["samples"]))
    if draw.random() < 0.3:
        blocks = int(draw.integers(1, given["samples"] + 1))
        given["baseline"] = {
            "seconds": float(draw.choice([5.0, 20.0, 90.0])),
            "samples": blocks,
        }
    if draw.random() < 0.35:
        step = int(draw.choice([1, 5, given["samples"]]))
        given["step"] = {"samples": step, "state": 1}
        other |= {"mode": "step", "hop": max(1, other["hop"] // step) * step}
    if draw.random() < 0.3:
        given["availability"] = _availability(draw, list(axes))
        given["tasks"] = [TASK | {"required": {channels[0]["name"]: 0.4}}]
        other["outputs"] = {"embedding": [0.5], "effort": [81.0, 0.625]}
    if draw.random() < 0.2:
        name = str(draw.choice(list(axes)))
        other["rates"] = {name: float(draw.choice(RATES))}
    natives = {one["sensor"]: one["rate"] for one in channels} | other.get("rates", {})
    seconds = float(draw.uniform(1.0, 2.5) * (given["samples"] + 12) / rate)
    start = float(draw.choice([0.0, -3.7, 1234.567, EPOCH]))
    parts = []
    for name, names in axes.items():
        if draw.random() < 0.1:
            continue
        own = start + float(draw.choice([0.0, draw.uniform(0, seconds / 2)]))
        recorded = _recorded(draw, natives[name], min(seconds, 900 / natives[name]), own, names)
        parts += _delivered(draw, name, names, recorded)
    actions = _in_turn(draw, parts)
    return _whole(f"random stream {seed}", manifest(*channels, **given), actions, draw, other)


def day(seed: int) -> Case:
    """A case of intervals on a grid."""
    draw = np.random.default_rng([seed, 1])
    tokens = DAY["tokens"] | {"patch": int(draw.choice([1, 2, 3, 4]))}
    count = 24 // tokens["patch"] * 2
    tokens["sizes"] = sorted({max(1, count // 5), count // 2, count})
    least = int(draw.integers(1, tokens["patch"] + 1))
    tokens["groups"] = [group | {"least": least} for group in tokens["groups"]]
    channels = DAY["channels"]
    if draw.random() < 0.3:
        channels = [channel | {"sensor": "band"} for channel in channels]
    axes = {
        c["sensor"]: [x["name"] for x in channels if x["sensor"] == c["sensor"]]
        for c in channels
    }
    other: Case = {
        "hop": int(draw.integers(1, 24 // tokens["patch"] + 1)) * tokens["patch"],
        "lateness": float(draw.choice([0.0, 60.0, HOUR, 5 * HOUR])),
        "midnight": float(draw.choice([0.0, MIDNIGHT, 1234.5, MIDNIGHT + 2 * HOUR + 0.3])),
    }
    start = float(draw.choice([0.0, MIDNIGHT, -40 * HOUR])) + float(draw.uniform(0, 30 * HOUR))
    parts = []
    for name, names in axes.items():
        rate = float(draw.choice([1 / 300, 1 / HOUR, 1 / 900]))
        hours = float(draw.uniform(2, 50))
        recorded = _recorded(draw, rate, min(hours * HOUR, 150 / rate), start, names)
        parts += _delivered(draw, name, names, (recorded[0], np.abs(recorded[1]) * 100))
    actions = _in_turn(draw, parts)
    return _whole(
        f"random days {seed}",
        DAY | {"channels": channels, "tokens": tokens},
        actions,
        draw,
        other,
    )


TASK: Case = {
    "name": "effort",
    "kind": "regression",
    "unit": "W",
    "required": {},
    "minimum_confidence": 0.5,
}


def _whole(name: str, record: Case, actions: list[Case], draw: Draw, other: Case) -> Case:
    end = draw.random()
    if end < 0.8:
        actions.append({"at_least_one": bool(end < 0.4)})
    if draw.random() < 0.1:  # of another time, so that the same grid point has one value
        actions = [*(_earlier(x) for x in actions), {"reset": True}, *actions]
    if draw.random() < 0.2:
        actions.insert(int(draw.integers(len(actions) + 1)), _useless(draw, record))
    case = case_of(name, record, actions, **other)
    return case | {"expected": replay(case)}


def _earlier(action: Case) -> Case:
    if "times" not in action:
        return action
    return action | {"times": [round(time - 9e5, 6) for time in action["times"]]}


def _useless(draw: Draw, record: Case) -> Case:
    """A push that every stream refuses, or ignores."""
    name = str(record["channels"][0]["name"])
    useless = [
        push("nobody", [1.0], [1.0]),
        push(name, [1e12], [1.0]),
        push(name, [1.0], [-2e15]),
        push(name, [1.0, 2.0], [1.0]),
        push(name, [-5e9], [1.0]),
        push(name, [1.0], [np.nan]),
    ]
    return useless[int(draw.integers(len(useless)))]


def _channels(draw: Draw) -> tuple[list[Case], dict[str, list[str]]]:
    """Channels of one to three sensors, and their names by sensor."""
    channels: list[Case] = []
    for sensor in ("ppg", "acc", "eda")[: int(draw.integers(1, 4))]:
        rate, axes = float(draw.choice(RATES)), int(draw.choice([1, 1, 2, 3]))
        names = [sensor] if axes == 1 else [f"{sensor}_{axis}" for axis in "xyz"[:axes]]
        channels += [{"name": name, "sensor": sensor, "rate": rate} for name in names]
    if draw.random() < 0.3:
        channels = [channels[k] for k in draw.permutation(len(channels))]
    sensors = dict.fromkeys(channel["sensor"] for channel in channels)
    named = {s: [c["name"] for c in channels if c["sensor"] == s] for s in sensors}
    return channels, named


def _availability(draw: Draw, sensors: list[str]) -> Case:
    listed = [sensors[:count] for count in range(1, len(sensors) + 1) if draw.random() < 0.7]
    patterns = [
        {
            "sensors": pattern,
            "temperatures": {"effort": round(float(draw.uniform(0.3, 3)), 3)},
            "minimum_confidence": {"effort": float(draw.choice([0.5, 0.625, 0.75]))},
        }
        for pattern in listed or [sensors]
    ]
    return {"least": float(draw.choice([0.1, 0.35, 0.5, 1.0])), "patterns": patterns}


def _recorded(
    draw: Draw, rate: float, seconds: float, start: float, names: list[str]
) -> Samples:
    """Samples of a clock that is as bad as clocks are."""
    count = max(2, round(seconds * rate))
    ticks = np.arange(count) * (1 + draw.choice([0.0, 0.0, 200e-6, 0.03]))
    jitter = float(draw.choice([0.0, 0.0, 0.02, 0.06, 0.2, 0.45]))
    ticks = ticks + draw.uniform(-jitter, jitter, count)
    if draw.random() < 0.3:  # it stops for a while
        ticks[draw.integers(count) :] += draw.uniform(0.5, 12)
    if draw.random() < 0.2:  # it jumps
        ticks[draw.integers(count) :] += draw.uniform(-4, 4)
    times = (start + ticks / rate).round(6)
    values = np.sin(times[:, np.newaxis] * draw.uniform(1, 9)) + draw.normal(
        size=(count, len(names))
    )
    if draw.random() < 0.4:
        values[draw.random(values.shape) < 0.1] = np.nan
    kept = draw.random(count) > float(draw.choice([0.0, 0.0, 0.1, 0.4]))
    if draw.random() < 0.3:
        again = draw.random(count) < 0.1
        times = np.concatenate([times[kept], times[again]])
        values = np.concatenate([values[kept], values[again] - 0.25])
        order = times.argsort(kind="stable")
        return times[order], values[order].round(3)
    return times[kept], values[kept].round(3)


def _delivered(draw: Draw, sensor: str, names: list[str], recorded: Samples) -> list[Case]:
    """Pushes of one sensor, together or axis by axis."""
    times, values = recorded
    if len(times) == 0:
        return []
    if draw.random() < 0.2:
        order = (np.arange(len(times)) + draw.uniform(0, 6, len(times))).argsort()
        times, values = times[order], values[order]
    parts = []
    begin = 0
    while begin < len(times):
        end = begin + int(draw.integers(1, 40))
        some, rows = times[begin:end], values[begin:end]
        if len(names) == 1:
            parts.append(push(str(draw.choice([sensor, names[0]])), some, rows[:, 0]))
        elif draw.random() < 0.15:
            axis = int(draw.integers(len(names)))
            parts.append(push(names[axis], some, rows[:, axis]))
        else:
            parts.append(push(sensor, some, rows))
        begin = end
    return parts


def _in_turn(draw: Draw, parts: list[Case]) -> list[Case]:
    """Pushes about in the order of time, some of them delayed."""
    spread = max((max(x["times"]) for x in parts), default=0.0)
    spread -= min((min(x["times"]) for x in parts), default=0.0)
    late = float(draw.choice([0.0, 0.0, 0.02, 0.1])) * spread
    return sorted(parts, key=lambda x: max(x["times"]) + draw.uniform(0, late))
