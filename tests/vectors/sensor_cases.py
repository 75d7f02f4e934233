"""Cases of sensors for `host.json`: which are live, what is asked of them, and the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from onwrist_runtime.availability import NOTHING, Patterns
from onwrist_runtime.decision import decide, states
from onwrist_runtime.manifest import Availability, Pattern, Task

POINTS = 40
SENSORS = {"wrist": [0, 1, 3], "chest": [2], "ankle": [4, 5]}  # rows of their channels
ALL = [40, 40, 40, 40, 40, 40]
BOTH = {"activity": 1.7, "effort": 0.7}
TEMPERATURES: dict[tuple[str, ...], dict[str, float]] = {
    ("wrist", "chest", "ankle"): BOTH,
    ("wrist", "ankle"): {"activity": 3.0, "effort": 0.9},
    ("wrist",): {"effort": 1.3},
    ("ankle",): BOTH,
}
PATTERNS = [
    Pattern(sensors=sensors, temperatures=each, minimum_confidence=dict.fromkeys(each, 0.62))
    for sensors, each in TEMPERATURES.items()
]
ACTIVITY = Task(
    name="activity",
    kind="classification",
    labels=("rest", "walking"),
    required={"wrist_x": 0.25},
    minimum_confidence=0.0,
)
EFFORT = Task(name="effort", kind="regression", unit="W", required={}, minimum_confidence=0.0)


def sensors() -> list[dict[str, Any]]:
    """What was observed of a window, in grid points of each channel, and what follows."""
    return [_completed(name, *case) for name, *case in _windows()]


def decisions() -> list[dict[str, Any]]:
    """An output, and the live sensors that it is of."""
    return [
        case | {"expected": replay_decision(case)}
        for case in (
            {
                "name": name,
                "live_task": msgspec.to_builtins(task),
                "output": output,
                "coverage": {"wrist_x": coverage},
                "sensors": list(SENSORS),
                "pattern": msgspec.to_builtins(_pattern(live)),
            }
            for name, task, output, coverage, live in _answers()
        )
    ]


def _windows() -> Iterator[tuple[str, list[int], float, dict[str, str]]]:
    """Name, observed grid points of each channel, least, reasons not to believe a sensor."""
    yield "all sensors are live", ALL, 0.5, {}
    yield "one sensor is dead", [40, 40, 0, 40, 40, 40], 0.5, {}
    yield "a pattern that does not name a task", [40, 40, 0, 40, 0, 0], 0.5, {}
    yield "a pattern that is not listed", [40, 40, 40, 40, 0, 0], 0.5, {}
    yield "nothing is observed", [0] * 6, 0.5, {}
    yield "too little of every sensor", [9, 10, 19, 0, 3, 20], 0.5, {}
    yield "just at the least", [20, 40, 20, 0, 40, 0], 0.5, {}
    yield "a grid point below it", [20, 39, 19, 0, 39, 0], 0.5, {}
    # The mean of the channels' shares, rounded each, would be just below.
    yield "a whole number divided once", [28, 9, 40, 5, 40, 40], 0.35, {}
    yield "the same of another least", [22, 39, 40, 23, 40, 40], 0.7, {}
    yield "one grid point is enough for a small least", [1, 0, 0, 0, 0, 0], 1e-9, {}
    yield "a sensor that is not believed", ALL, 0.5, {"chest": "constant"}
    yield (
        "too little of one that is not believed",
        [40, 40, 9, 40, 9, 9],
        0.5,
        {"chest": "constant"},
    )


def _answers() -> Iterator[tuple[str, Task, list[float] | None, float, tuple[str, ...]]]:
    """Name, task, its output, coverage of its channel, live sensors."""
    yield "an answer of all", ACTIVITY, [0.25, 0.75], 1.0, ("wrist", "chest", "ankle")
    yield "what two sensors ask for", ACTIVITY, [0.5625, 0.4375], 1.0, ("wrist", "ankle")
    yield "what one sensor asks for", EFFORT, [81.0, 0.5], 1.0, ("wrist",)
    yield "a task that is not calibrated", ACTIVITY, [0.25, 0.75], 1.0, ("wrist",)
    yield "two that are not calibrated", EFFORT, [81.0, 0.75], 1.0, ("wrist", "chest")
    yield "no live sensor", EFFORT, [81.0, 0.75], 1.0, ()
    yield "too little coverage comes first", ACTIVITY, [0.25, 0.75], 0.12, ("wrist",)


def _pattern(live: tuple[str, ...]) -> Pattern:
    unlisted = Pattern(sensors=live, temperatures={}, minimum_confidence={})
    return next((pattern for pattern in PATTERNS if pattern.sensors == live), unlisted)


def _completed(
    name: str, counts: list[int], least: float, left_out: dict[str, str]
) -> dict[str, Any]:
    case = {
        "name": name,
        "rows": SENSORS,
        "points": POINTS,
        "counts": counts,
        "least": least,
        "left_out": left_out,
        "patterns": msgspec.to_builtins(PATTERNS),
        "tasks": ["activity", "effort"],
    }
    return case | {"expected": replay_sensors(case)}


def replay_sensors(case: dict[str, Any]) -> dict[str, Any]:
    """The situation of a window in which the first grid points of each channel are observed."""
    rows: Mapping[str, Sequence[int]] = case["rows"]
    listed = msgspec.convert(case["patterns"], tuple[Pattern, ...])
    manifest: Any = SimpleNamespace(
        sensors=tuple(rows),
        rows=rows.__getitem__,
        channels=case["counts"],
        samples=case["points"],
        tasks=[SimpleNamespace(name=name) for name in case["tasks"]],
        availability=Availability(least=case["least"], patterns=listed),
    )
    patterns = Patterns(manifest)
    observed = np.arange(case["points"]) < np.array(case["counts"])[:, np.newaxis]
    situation = patterns.of(observed, case["left_out"] or NOTHING)
    assert situation.pattern is not None
    told = states(patterns, situation, None)
    return {
        "coverage": list(situation.coverage),
        "sensors": list(situation.sensors),
        "live": list(situation.live),
        "calibrated": [x for x in case["tasks"] if x in situation.pattern.temperatures],
        "scales": {name: float(x[0, 0]) for name, x in situation.scales.items()},
        "reasons": {name: state.reason for name, state in told.items()},
    }


def replay_decision(case: dict[str, Any]) -> dict[str, Any]:
    """As a decision of a bundle without availability."""
    task = msgspec.convert(case["live_task"], Task)
    outputs = {task.name: np.array([case["output"]], np.float32)}
    manifest: Any = SimpleNamespace(tasks=(task,), sensors=tuple(case["sensors"]))
    pattern = msgspec.convert(case["pattern"], Pattern)
    result = decide(manifest, outputs, case["coverage"], pattern)[task.name]
    return {
        "abstained": result.abstained,
        "value": result.value,
        "label": result.label,
        "reason": result.reason,
    }
