"""Cases of vectors in, words for `c/vectors.c` out: a host in C parses no JSON.

Numbers are in hexadecimal, so that they keep their bits; texts are quoted as in an address.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

AGGREGATIONS = {"resample": 0, "mean": 1, "sum": 2}

Case = dict[str, Any]
Words = list[str]


def number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "nan"
    return float(value).hex() if math.isfinite(value) else str(value)


def numbers(values: Iterable[float | None]) -> Words:
    return [number(value) for value in values]


def text(text: str | None) -> str:
    return "-" if text is None else quote(text, safe="_.,:()").replace("-", "%2D")


def bundle(manifest: Mapping[str, Any], embedding: int = 1) -> Words:
    """What of a manifest the host asks for."""
    channels = manifest["channels"]
    sensors = list(manifest.get("sensors") or dict.fromkeys(x["sensor"] for x in channels))
    row = {channel["name"]: k for k, channel in enumerate(channels)}
    words = [number(manifest["rate"]), str(manifest["samples"]), str(len(sensors))]
    words += [*map(text, sensors), str(len(channels))]
    for channel in channels:
        words += [text(channel["name"]), str(sensors.index(channel["sensor"]))]
        words += [number(channel["rate"]), str(AGGREGATIONS[channel["aggregation"]])]
    tasks = manifest.get("tasks", ())
    words += [str(embedding), str(len(tasks))]
    for task in tasks:
        words += _task(task, row)
    baseline = manifest.get("baseline") or {"seconds": 0.0, "samples": 0}
    step = manifest.get("step") or {"samples": 0, "state": 0}
    words += [number(baseline["seconds"]), str(baseline["samples"])]
    words += [str(step["samples"]), str(step["state"])]
    words += _tokens(manifest.get("tokens"), row)
    words += _patterns(manifest.get("availability"), sensors, [x["name"] for x in tasks])
    return words + _plausible(manifest.get("plausible", ()), sensors, row)


def _task(task: Case, row: Mapping[str, int]) -> Words:
    labels = task.get("labels", ())
    words = [text(task["name"]), text(task.get("unit")), str(len(labels))]
    words += map(text, labels)
    for needs in (task["required"], task.get("any_of", {})):
        words.append(str(len(needs)))
        for channel, least in needs.items():
            words += [str(row[channel]), number(least)]
    return [*words, number(task["minimum_confidence"])]


def _tokens(tokens: Case | None, row: Mapping[str, int]) -> Words:
    if tokens is None:
        return ["0"] * 4
    words = [str(tokens["patch"]), str(tokens["width"]), str(len(tokens["groups"]))]
    for group in tokens["groups"]:
        rows = [str(row[name]) for name in group["channels"]]
        words += [str(len(rows)), *rows, str(group["least"])]
    return [*words, str(len(tokens["sizes"])), *map(str, tokens["sizes"])]


def _patterns(availability: Case | None, sensors: list[str], tasks: list[str]) -> Words:
    if availability is None:
        return [number(0.0), "0"]
    words = [number(availability["least"]), str(len(availability["patterns"]))]
    for pattern in availability["patterns"]:
        words += [str(int(sensor in pattern["sensors"])) for sensor in sensors]
        words += numbers(pattern["temperatures"].get(task, 0.0) for task in tasks)
        words += numbers(pattern["minimum_confidence"].get(task, 0.0) for task in tasks)
    return words


def _plausible(records: Sequence[Case], sensors: list[str], row: Mapping[str, int]) -> Words:
    words = [str(len(records))]
    for record in records:
        words.append(str(sensors.index(record["sensor"])))
        words += [str(row[x]) for x in (*record["acceleration"], *record["turning"])]
        for name in ("gravity", "rest", "turns", "turns_per_g"):
            words += numbers(record[name])
        words += [number(record["run"]), *numbers(record["rails"])]
        usual, turned = record.get("usual"), record.get("turned")
        words.append(str(int(usual is not None)))
        if usual is not None:
            words += [*numbers(usual["mean"]), *numbers(usual["whitening"])]
        words.append(number(math.inf if turned is None else turned))
        margins = record.get("exchanged", {})
        words += numbers(margins.get(other["sensor"], math.inf) for other in records)
    return words


# Cases


def words_of(case: Case) -> Words:
    """A case of any of the files."""
    for field, make in (
        ("actions", _stream),
        ("aggregation", _minutes),
        ("plausible", _judged),
        ("samples", _resampling),
        ("task", _decision),
        ("groups", _slots),
        ("live_task", _live_decision),
        ("counts", _sensors),
        ("points", _nearest),
    ):
        if field in case:
            return make(case)
    moment = numbers(case[name] for name in ("start", "midnight", "period"))
    return ["C", *moment, str(case["patch"])]


def _resampling(case: Case) -> Words:
    words = ["R", *numbers(case[name] for name in ("rate", "grid_rate", "first"))]
    words += [str(case["count"]), str(len(case["times"]))]
    return [*words, *numbers(case["times"]), *numbers(case["samples"])]


def _minutes(case: Case) -> Words:
    sums = str(int(case["aggregation"] == "sum"))
    words = ["M", *numbers((case["period"], case["zero"])), sums, number(case["first"])]
    words += [str(case["count"]), str(len(case["times"]))]
    return [*words, *numbers(case["times"]), *numbers(case["samples"])]


def _plain(names: Iterable[str], sensor: str = "one") -> list[Case]:
    return [
        {"name": name, "sensor": sensor, "rate": 1.0, "aggregation": "resample"}
        for name in names
    ]


def _slots(case: Case) -> Words:
    rows = case["channels"]
    channels = _plain(map(str, range(len(rows))))
    groups = [
        {"channels": list(map(str, group)), "least": least}
        for group, least in zip(case["groups"], case["least"], strict=True)
    ]
    tokens = {"patch": case["patch"], "width": 1, "groups": groups, "sizes": case["sizes"]}
    manifest = {"rate": 1.0, "samples": len(rows[0]), "channels": channels, "tokens": tokens}
    return ["S", *bundle(manifest), "".join(rows)]


def _nearest(case: Case) -> Words:
    return ["N", str(len(case["points"])), case["points"]]


def _decision(case: Case) -> Words:
    coverage, output = case["coverage"], case["output"]
    manifest = {
        "rate": 1.0,
        "samples": 1,
        "channels": _plain(coverage),
        "tasks": [case["task"]],
    }
    words = ["D", *bundle(manifest), str(-1 if output is None else len(output))]
    return [*words, *numbers(output or ()), *numbers(coverage.values()), "1"]


def _live_decision(case: Case) -> Words:
    sensors, pattern, coverage = case["sensors"], case["pattern"], case["coverage"]
    none = {"sensors": [], "temperatures": {}, "minimum_confidence": {}}
    listed = [pattern if pattern["temperatures"] else none]
    manifest = {
        "rate": 1.0,
        "samples": 1,
        "sensors": sensors,
        "channels": _plain(coverage, sensors[0]),
        "tasks": [case["live_task"]],
        "availability": {"least": 0.5, "patterns": listed},
    }
    words = ["D", *bundle(manifest), str(len(case["output"])), *numbers(case["output"])]
    live = [str(int(sensor in pattern["sensors"])) for sensor in sensors]
    return [*words, *numbers(coverage.values()), *live]


def _sensors(case: Case) -> Words:
    channels: list[Case] = [{}] * len(case["counts"])
    for sensor, rows in case["rows"].items():
        for row in rows:
            channels[row] = _plain([f"{sensor}_{row}"], sensor)[0]
    tasks = [
        {"name": name, "unit": "1", "required": {}, "minimum_confidence": 0.0}
        for name in case["tasks"]
    ]
    manifest = {
        "rate": 1.0,
        "samples": case["points"],
        "sensors": list(case["rows"]),
        "channels": channels,
        "tasks": tasks,
        "availability": {"least": case["least"], "patterns": case["patterns"]},
    }
    words = ["V", *bundle(manifest), *map(str, case["counts"])]
    return words + [text(case["left_out"].get(sensor)) for sensor in case["rows"]]


def _judged(case: Case) -> Words:
    sensor = {
        name: record["sensor"]
        for record in case["plausible"]
        for name in (*record["acceleration"], *record["turning"])
    }
    channels = [_plain([name], sensor.get(name, "other"))[0] for name in case["channels"]]
    manifest = {
        "rate": case["rate"],
        "samples": len(case["values"][0]),
        "channels": channels,
        "plausible": case["plausible"],
    }
    values = (value for row in case["values"] for value in row)
    return ["P", *bundle(manifest), *numbers(values)]


def _stream(case: Case) -> Words:
    manifest, settings, outputs = case["manifest"], case["settings"], case["outputs"]
    words = ["T", *bundle(manifest, len(outputs["embedding"]))]
    hop = settings["hop"] / manifest["rate"]
    words += [*numbers((hop, settings["lateness"])), str(int(settings["mode"] == "step"))]
    words.append(number(settings["midnight"]))
    for channel in manifest["channels"]:
        rates = (settings["rates"].get(channel[key]) for key in ("name", "sensor"))
        words.append(number(next((rate for rate in rates if rate), 0.0)))
    words.append(str(len(outputs)))
    for name, given in outputs.items():
        words += [text(name), str(len(given)), *numbers(given)]
    actions = [action_words(action, manifest) for action in case["actions"]]
    actions = [action for action in actions if action is not None]
    return [*words, str(len(actions)), *(word for action in actions for word in action)]


def action_words(action: Case, manifest: Case) -> Words | None:
    """None for one that a caller in C cannot say: shapes are a count there."""
    if action.get("reset"):
        return ["R"]
    if "at_least_one" in action:
        return ["F", str(int(action["at_least_one"]))]
    name, times, samples = action["push"], action["times"], action["samples"]
    width = len(samples[0]) if samples and isinstance(samples[0], list) else 1
    channels = manifest["channels"]
    named = sum(x["name"] == name for x in channels)
    axes = named or sum(x["sensor"] == name for x in channels)
    if len(times) != len(samples) or (samples and axes and width != axes):
        return None
    flat = [x for row in samples for x in (row if isinstance(row, list) else [row])]
    words = ["P", text(name), str(width), str(len(times))]
    return [*words, *numbers(times), *numbers(flat)]
