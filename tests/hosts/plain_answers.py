"""What was observed of a window in; what is asked of its answer, and the decision, out.

Plain Python, written from HOST.md alone: its sections "Sensors" and "Decision".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plain_grid import float32

Case = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """Of a window: observed grid points by row, shares by sensor, who is live, the pattern."""

    counts: list[int]
    shares: dict[str, float]
    live: list[str]
    pattern: Case | None
    scales: dict[str, float]


def asked_of(record: Case, sensors: dict[str, list[int]], counts: list[int]) -> Asked:
    """What the manifest asks where so many grid points of each row are observed."""
    shares = {
        name: sum(counts[row] for row in rows) / (record["samples"] * len(rows))
        for name, rows in sensors.items()
    }
    availability = record.get("availability")
    if availability is None:
        return Asked(counts, shares, [s for s, x in shares.items() if x > 0], None, {})
    live = [name for name, share in shares.items() if share >= availability["least"]]
    unlisted: Case = {"temperatures": {}, "minimum_confidence": {}}
    listed = (x for x in availability["patterns"] if x["sensors"] == live)
    pattern = next(listed, unlisted)
    scales = {
        f"{task['name']}_scale": float32(1 / pattern["temperatures"].get(task["name"], 1.0))
        for task in record["tasks"]
    }
    return Asked(counts, shares, live, pattern, scales)


def answered(case: Case, asked: Asked, runs: bool) -> Case:
    """Coverage by row; with tasks, the result of each and the state of each sensor."""
    record = case["manifest"]
    coverage = [count / record["samples"] for count in asked.counts]
    if not record["tasks"]:
        return {"coverage": coverage}
    names = [channel["name"] for channel in record["channels"]]
    covered = dict(zip(names, coverage, strict=True))
    tasks = {}
    for task in record["tasks"]:
        numbers = [float32(x) for x in case["outputs"][task["name"]]]
        reason = _lack(task, covered, asked, runs) or _doubt(task, numbers, asked)
        found: Case = {"abstained": reason is not None, "value": None, "label": None}
        if reason is None and task["kind"] == "regression":
            found["value"] = numbers[0]
        elif reason is None:
            found["label"] = task["labels"][numbers.index(max(numbers))]
        tasks[task["name"]] = found | {"reason": reason}
    least = (record.get("availability") or {"least": 0.0})["least"]
    sensors = {
        name: {"coverage": share, "used": name in asked.live, "reason": _unused(share, least)}
        for name, share in asked.shares.items()
    }
    return {"coverage": coverage, "tasks": tasks, "sensors": sensors}


def _lack(task: Case, covered: dict[str, float], asked: Asked, runs: bool) -> str | None:
    """Why a task abstains before its output is looked at."""
    if not runs:
        return "too little was observed" if any(asked.counts) else "nothing was observed"
    short = {c: least for c, least in task["required"].items() if covered[c] < least}
    if short:
        return " and ".join(
            f"{c} {_below('coverage', covered[c], x)}" for c, x in short.items()
        )
    any_of = task.get("any_of") or {}
    if any_of and all(covered[c] < least for c, least in any_of.items()):
        words = [f"{c} {_below('coverage', covered[c], x)}" for c, x in any_of.items()]
        return "too little of all of: " + ", ".join(words)
    if asked.pattern is None or task["name"] in asked.pattern["temperatures"]:
        return None
    if not asked.live:
        return "too little was observed"
    alone = " alone" if len(asked.live) < len(asked.shares) else ""
    return f"not calibrated for {_joined(asked.live)}{alone}"


def _doubt(task: Case, numbers: list[float], asked: Asked) -> str | None:
    """Why a task abstains because of its confidence."""
    confidence = numbers[1] if task["kind"] == "regression" else max(numbers)
    least = task["minimum_confidence"]
    if asked.pattern is not None:
        least = asked.pattern["minimum_confidence"][task["name"]]
    if confidence >= least:
        return None
    reason = _below("confidence", confidence, least)
    if asked.pattern is None:
        return reason
    ask = "asks" if len(asked.live) == 1 else "ask"
    return f"{reason}, which {_joined(asked.live)} {ask} for"


def _unused(share: float, least: float) -> str | None:
    if share == 0:
        return "nothing was observed"
    return _below("coverage", share, least) if share < least else None


def _below(what: str, value: float, least: float) -> str:
    for digits in (2, 4, 9):
        told = f"{value:.{digits}f}", f"{least:.{digits}f}"
        if told[0] != told[1]:
            break
    return f"{what} {told[0]} is below {told[1]}"


def _joined(names: list[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
