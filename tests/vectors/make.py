"""The runtime in, the vectors that every host passes out, in three files.

`host.json` is the arithmetic before and after the graph. Every host, in whatever language,
must give what it says: `values` and `value` within its `tolerance`, all else exactly. null
stands for NaN in samples and outputs, and for an absent answer in what is expected. Samples
and outputs are float32, all else float64. What was observed of a day is 0 or 1 for each grid
point; groups are rows of channels. Reasons name channels in the order of the task. Of a window
of sensors the first grid points of each channel are observed, as many as its `counts` say;
scales are float32.

`streams.json` is what a stream does with pushes, `plausible.json` which sensors of a window are
blamed, and why; what they hold under `about` says how they are read.

    python tests/vectors/make.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import day_cases
import msgspec
import numpy as np
import plausible_cases
import sensor_cases
import stream_cases
import stream_days
import stream_replay

from onwrist_runtime.decision import decide
from onwrist_runtime.manifest import Task
from onwrist_runtime.signals import Signal, resample

FOLDER = Path(__file__).parent
GRID = 25.0
EPOCH = 1_644_226_061.37
HEART_RATE = Task(
    name="heart_rate",
    kind="regression",
    unit="bpm",
    required={"ppg": 0.35, "acc_x": 0.5},
    minimum_confidence=0.45,
)
STRESS = Task(
    name="stress",
    kind="classification",
    labels=("rest", "stress"),
    required={},
    any_of={"ppg": 0.5, "eda": 0.25},
    minimum_confidence=0.6,
)
FULL = {"ppg": 1.0, "acc_x": 1.0, "eda": 1.0}


ABOUT_STREAMS = (
    "manifest is that of a bundle, with the fields that a stream looks at. settings: hop in "
    "grid points, lateness in seconds, rates in Hz as given to stream(), midnight in seconds.",
    "actions in order: push takes times (float64) and samples (float32, null for NaN; rows of "
    "all axes for a sensor of several), reset begins anew, at_least_one is a flush with or "
    "without it.",
    "The graphs are stand-ins. They give `outputs` whatever comes in; a step graph gives "
    "next_state = state + 1; embed gives for group g of a patch the token (observed grid "
    "points of the patch, over all channels; g); encode gives encoded = tokens.",
    "expected.after, for each action: whether it is refused, else what came due, in order. A "
    "window: first grid point; inputs of the graph, null where it does not run; prediction. "
    "A step: first grid point and inputs; prediction where one is given. Intervals are counted "
    "from midnight. coverage is by row; scales are float32.",
    "expected.grid: every observed grid point of any window or step that came due, by row, in "
    "stretches without a gap. All others in windows are 0 and not observed.",
    "expected.counters: taken, late, duplicate, repaired by channel; staleness by channel and "
    "latency in seconds, coverage by row: after the last action.",
    "Integers, names and reasons are equal, other numbers within the tolerance.",
)


def files() -> dict[str, dict[str, Any]]:
    """All files by name, as they stand in this folder."""
    return {"host.json": vectors(), "streams.json": streams(), "plausible.json": plausible()}


def plausible() -> dict[str, Any]:
    """All windows of motion, as they stand in their file."""
    about = (
        "A window of float32 values by row, null where not observed, and the records of a "
        "manifest. expected has the reason for each sensor that is blamed, exactly; no window "
        "is close to a limit."
    )
    return {"format": 1, "about": [about], "plausible": plausible_cases.plausible()}


def streams() -> dict[str, Any]:
    """All streams, as they stand in their file."""
    return {
        "format": 1,
        "tolerance": stream_replay.TOLERANCE,
        "about": list(ABOUT_STREAMS),
        "streams": stream_cases.streams(),
        "days": stream_days.days(),
    }


def vectors() -> dict[str, Any]:
    """All cases before and after the graph, as they stand in their file."""
    return {
        "format": 1,
        "tolerance": 1e-6,
        "resampling": [_resampled(*case) for case in _signals()],
        "decision": [_decided(*case) for case in _results()],
        "minutes": day_cases.minutes(),
        "slots": day_cases.slots(),
        "nearest": day_cases.nearest_points(),
        "clock": day_cases.clocks(),
        "sensors": sensor_cases.sensors(),
        "live_decision": sensor_cases.decisions(),
    }


def replay(case: dict[str, Any]) -> dict[str, Any]:
    """What the runtime gives for one case: its `expected`."""
    for field, replayed in (
        ("actions", stream_replay.replay),
        ("plausible", plausible_cases.replay),
        ("aggregation", day_cases.replay_minutes),
        ("samples", _replay_resampling),
        ("task", _replay_decision),
        ("groups", day_cases.replay_slots),
        ("live_task", sensor_cases.replay_decision),
        ("counts", sensor_cases.replay_sensors),
        ("points", day_cases.replay_nearest),
    ):
        if field in case:
            return replayed(case)
    return day_cases.replay_clock(case)


def _signals() -> Iterator[tuple[str, np.ndarray, np.ndarray, float, int, int]]:
    """Name, times, samples, rate, first grid point and how many."""
    draw = np.random.default_rng(0)

    def regular(rate: float, seconds: float, start: float = 0.0) -> tuple[Any, Any]:
        times = start + np.arange(int(seconds * rate)) / rate
        return times, np.sin(2 * np.pi * 1.3 * (times - start)) + 0.2 * draw.normal(
            size=times.size
        )

    yield "regular, with both ends", *regular(64.0, 2.0), 64.0, -3, 60
    yield "at the grid's own rate and points", *regular(25.0, 1.6), 25.0, 0, 40
    yield "slower than the grid, but no slow channel", *regular(20.0, 2.0, 0.013), 20.0, 0, 50
    times, samples = regular(32.0, 2.0, EPOCH)
    times = times + draw.uniform(-0.2, 0.2, times.size) / 32.0
    first = int(EPOCH * GRID)
    yield "jittered, on the Unix epoch", times, samples, 32.0, first, 54
    times, samples = regular(64.0, 2.4)
    kept = (times < 0.9) | (times > 1.4)
    yield "a gap in the time stamps", times[kept], samples[kept], 64.0, 0, 60
    times, samples = regular(64.0, 2.0)
    samples[[3, 50, 51, 52, 53, 54, 55, 90]] = np.nan
    yield "missing samples", times, samples, 64.0, 0, 50
    times, samples = regular(4.0, 5.0, 0.1)
    kept = np.arange(20) // 4 != 2
    yield "a slow channel with a gap", times[kept], samples[kept], 4.0, -5, 135
    yield "a slow channel's missing sample", *_with_a_hole(*regular(4.0, 2.0)), 4.0, 0, 50
    yield (
        "only missing samples",
        *_with_a_hole(*regular(25.0, 0.4), hole=slice(None)),
        25.0,
        0,
        10,
    )
    yield "long before the first sample", *regular(64.0, 0.5, 100.0), 64.0, 0, 5
    times, samples = regular(64.0, 2.0, 10.0)
    times = times + draw.uniform(-0.2, 0.2, times.size) / 64.0
    kept = (times < 10.8) | (times > 11.1)
    yield "jittered, with a gap", times[kept], samples[kept], 64.0, 250, 50
    times, samples = regular(4.0, 8.0)
    times[[9, 10, 17, 25]] += np.array([0.09, -0.1, 0.02, -0.1])
    yield "a slow channel with stray stamps", times, samples, 4.0, 0, 200
    times, samples = regular(32.0, 2.0)
    times[20:] += 0.01
    times[40:] -= 0.02
    yield "a clock that steps forward and back", times, samples, 32.0, 0, 50
    times, samples = regular(25.0, 2.0)
    times[30:] -= np.array([0.016, 0.044, *np.full(18, 0.04)])
    yield "stray, and followed at once", times, samples, 25.0, 0, 50

    # 512 x 25 / 1024 is 12.5: the kernel's table has 12 entries a period.
    times, samples = regular(1024.0, 0.4, 0.003)
    kept = draw.random(times.size) < 0.6
    yield "as fast as an ECG, with holes", times[kept], samples[kept], 1024.0, 0, 10


def _with_a_hole(times: Any, samples: Any, hole: slice = slice(3, 4)) -> tuple[Any, Any]:
    samples[hole] = np.nan
    return times, samples


def _resampled(
    name: str, times: np.ndarray, samples: np.ndarray, rate: float, first: int, count: int
) -> dict[str, Any]:
    case = {
        "name": name,
        "times": times.round(6).tolist(),
        "samples": [None if np.isnan(x) else x for x in samples.round(4).tolist()],
        "rate": rate,
        "grid_rate": GRID,
        "first": first,
        "count": count,
    }
    return case | {"expected": _replay_resampling(case)}


def _replay_resampling(case: dict[str, Any]) -> dict[str, Any]:
    samples = np.array(case["samples"], np.float32)  # None becomes NaN
    signal = Signal(samples, np.array(case["times"]), case["rate"])
    values, observed = resample(signal, case["grid_rate"], case["first"], case["count"])
    return {"values": values.astype(float).round(8).tolist(), "observed": observed.tolist()}


def _results() -> Iterator[tuple[str, Task, list[float | None] | None, dict[str, float]]]:
    """Name, task, its output (None where the graph did not run), coverage."""
    yield "a value", HEART_RATE, [72.5, 0.75], FULL
    yield "coverage just enough", HEART_RATE, [72.5, 0.75], FULL | {"ppg": 0.35, "acc_x": 0.5}
    yield "too little of one channel", HEART_RATE, [72.5, 0.75], FULL | {"ppg": 0.21}
    yield "a little too little", HEART_RATE, [72.5, 0.75], FULL | {"ppg": 0.3499}
    yield "a half is told by the even digit", HEART_RATE, [72.5, 0.75], FULL | {"ppg": 0.125}
    yield "too little of two", HEART_RATE, [72.5, 0.75], FULL | {"ppg": 0.1, "acc_x": 0.2}
    yield "too little confidence", HEART_RATE, [72.5, 0.31], FULL
    yield "0.45 is a little less in float32", HEART_RATE, [72.5, 0.45], FULL
    yield "confidence that is no number", HEART_RATE, [72.5, None], FULL
    yield "a graph that did not run", HEART_RATE, None, dict.fromkeys(FULL, 0.0)
    yield "a label", STRESS, [0.125, 0.875], FULL
    yield "one of several channels is enough", STRESS, [0.875, 0.125], FULL | {"ppg": 0.0}
    yield "too little of all", STRESS, [0.125, 0.875], FULL | {"ppg": 0.4, "eda": 0.2}
    yield "probabilities too even", STRESS, [0.45, 0.55], FULL
    tied = msgspec.structs.replace(STRESS, minimum_confidence=0.5)
    yield "of equal probabilities the first label", tied, [0.5, 0.5], FULL


def _decided(
    name: str, task: Task, output: list[float | None] | None, coverage: dict[str, float]
) -> dict[str, Any]:
    case = {
        "name": name,
        "task": msgspec.to_builtins(task) | {"labels": list(task.labels)},
        "output": output,
        "coverage": coverage,
    }
    return case | {"expected": _replay_decision(case)}


def _replay_decision(case: dict[str, Any]) -> dict[str, Any]:
    task, output = msgspec.convert(case["task"], Task), case["output"]
    outputs = None if output is None else {task.name: np.array([output], np.float32)}
    result = decide(SimpleNamespace(tasks=(task,)), outputs, case["coverage"])[task.name]
    return {
        "abstained": result.abstained,
        "value": result.value,
        "label": result.label,
        "reason": result.reason,
    }


def written(parts: dict[str, Any]) -> str:
    """The text of a file, one case a line."""
    shown = []
    for name, part in parts.items():
        text = json.dumps(part, allow_nan=False)
        if isinstance(part, list):
            text = "[\n" + ",\n".join(json.dumps(x, allow_nan=False) for x in part) + "\n]"
        shown.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(shown) + "\n}\n"


def main() -> None:
    """Write the files."""
    for name, parts in files().items():
        (FOLDER / name).write_text(written(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
