"""Vectors in, what the C host makes of them out; and the C host compiled.

    python tests/hosts/c_host.py CASES.json            the results of all cases, as JSON
    python tests/hosts/c_host.py --check CASES.json    a line for each case that differs, exit 1

CASES.json is a file of `tests/vectors`, or one like it. A case becomes words that
`c/vectors.c` reads, since a host in C parses no JSON; what it prints is given the shape that
the vectors have.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "sdk/onwrist/hosts/c"
VECTORS = HERE.parent / "vectors"
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2")
SANITIZED = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
ENGINES = ("onwrist_litert.c", "onwrist_tflite.c")
AGGREGATIONS = {"resample": 0, "mean": 1, "sum": 2}

Case = dict[str, Any]
Words = list[str]


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return shutil.which("gcc") or shutil.which("cc")


def build(
    target: Path,
    sources: Iterable[Path],
    flags: Sequence[str] = STRICT,
    libraries: Sequence[str | Path] = (),
    cc: Sequence[str] | None = None,
) -> Path:
    """Compile and link a program with the host.

    Raises
    ------
    RuntimeError
        The compiler's complaints.
    """
    command = [*(cc or [str(compiler())]), *flags, f"-I{SOURCES}", *map(str, sources)]
    command += ["-o", str(target), *map(str, libraries), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return target


def host(*left_out: str) -> list[Path]:
    """The host's sources without the engines and these."""
    skipped = {*ENGINES, *left_out}
    return [path for path in sorted(SOURCES.glob("*.c")) if path.name not in skipped]


def runner(
    folder: Path, flags: Sequence[str] = STRICT, cc: Sequence[str] | None = None
) -> Path:
    """The program that replays vectors."""
    sources = [HERE / "c/vectors.c", *host("onwrist_stream.c")]
    return build(folder / "vectors", sources, flags, cc=cc)


# Words


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "nan"
    return float(value).hex() if math.isfinite(value) else str(value)


def _numbers(values: Iterable[float | None]) -> Words:
    return [_number(value) for value in values]


def _text(text: str | None) -> str:
    return "-" if text is None else quote(text, safe="_.,:()").replace("-", "%2D")


def bundle(manifest: Mapping[str, Any], embedding: int = 1) -> Words:
    """What of a manifest the host asks for."""
    channels = manifest["channels"]
    sensors = list(manifest.get("sensors") or dict.fromkeys(x["sensor"] for x in channels))
    row = {channel["name"]: k for k, channel in enumerate(channels)}
    words = [_number(manifest["rate"]), str(manifest["samples"]), str(len(sensors))]
    words += [*map(_text, sensors), str(len(channels))]
    for channel in channels:
        words += [_text(channel["name"]), str(sensors.index(channel["sensor"]))]
        words += [_number(channel["rate"]), str(AGGREGATIONS[channel["aggregation"]])]
    tasks = manifest.get("tasks", ())
    words += [str(embedding), str(len(tasks))]
    for task in tasks:
        words += _task(task, row)
    baseline = manifest.get("baseline") or {"seconds": 0.0, "samples": 0}
    step = manifest.get("step") or {"samples": 0, "state": 0}
    words += [_number(baseline["seconds"]), str(baseline["samples"])]
    words += [str(step["samples"]), str(step["state"])]
    words += _tokens(manifest.get("tokens"), row)
    words += _patterns(manifest.get("availability"), sensors, [x["name"] for x in tasks])
    return words + _plausible(manifest.get("plausible", ()), sensors, row)


def _task(task: Case, row: Mapping[str, int]) -> Words:
    labels = task.get("labels", ())
    words = [_text(task["name"]), _text(task.get("unit")), str(len(labels))]
    words += map(_text, labels)
    for needs in (task["required"], task.get("any_of", {})):
        words.append(str(len(needs)))
        for channel, least in needs.items():
            words += [str(row[channel]), _number(least)]
    return [*words, _number(task["minimum_confidence"])]


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
        return [_number(0.0), "0"]
    words = [_number(availability["least"]), str(len(availability["patterns"]))]
    for pattern in availability["patterns"]:
        words += [str(int(sensor in pattern["sensors"])) for sensor in sensors]
        words += _numbers(pattern["temperatures"].get(task, 0.0) for task in tasks)
        words += _numbers(pattern["minimum_confidence"].get(task, 0.0) for task in tasks)
    return words


def _plausible(records: Sequence[Case], sensors: list[str], row: Mapping[str, int]) -> Words:
    words = [str(len(records))]
    for record in records:
        words.append(str(sensors.index(record["sensor"])))
        words += [str(row[x]) for x in (*record["acceleration"], *record["turning"])]
        for name in ("gravity", "rest", "turns", "turns_per_g"):
            words += _numbers(record[name])
        words += [_number(record["run"]), *_numbers(record["rails"])]
        usual, turned = record.get("usual"), record.get("turned")
        words.append(str(int(usual is not None)))
        if usual is not None:
            words += [*_numbers(usual["mean"]), *_numbers(usual["whitening"])]
        words.append(_number(math.inf if turned is None else turned))
        margins = record.get("exchanged", {})
        words += _numbers(margins.get(other["sensor"], math.inf) for other in records)
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
    moment = _numbers(case[name] for name in ("start", "midnight", "period"))
    return ["C", *moment, str(case["patch"])]


def _resampling(case: Case) -> Words:
    words = ["R", *_numbers(case[name] for name in ("rate", "grid_rate", "first"))]
    words += [str(case["count"]), str(len(case["times"]))]
    return [*words, *_numbers(case["times"]), *_numbers(case["samples"])]


def _minutes(case: Case) -> Words:
    sums = str(int(case["aggregation"] == "sum"))
    words = ["M", *_numbers((case["period"], case["zero"])), sums, _number(case["first"])]
    words += [str(case["count"]), str(len(case["times"]))]
    return [*words, *_numbers(case["times"]), *_numbers(case["samples"])]


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
    return [*words, *_numbers(output or ()), *_numbers(coverage.values()), "1"]


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
    words = ["D", *bundle(manifest), str(len(case["output"])), *_numbers(case["output"])]
    live = [str(int(sensor in pattern["sensors"])) for sensor in sensors]
    return [*words, *_numbers(coverage.values()), *live]


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
    return words + [_text(case["left_out"].get(sensor)) for sensor in case["rows"]]


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
    return ["P", *bundle(manifest), *_numbers(values)]


def _stream(case: Case) -> Words:
    manifest, settings, outputs = case["manifest"], case["settings"], case["outputs"]
    words = ["T", *bundle(manifest, len(outputs["embedding"]))]
    hop = settings["hop"] / manifest["rate"]
    words += [*_numbers((hop, settings["lateness"])), str(int(settings["mode"] == "step"))]
    words.append(_number(settings["midnight"]))
    for channel in manifest["channels"]:
        rates = (settings["rates"].get(channel[key]) for key in ("name", "sensor"))
        words.append(_number(next((rate for rate in rates if rate), 0.0)))
    words.append(str(len(outputs)))
    for name, numbers in outputs.items():
        words += [_text(name), str(len(numbers)), *_numbers(numbers)]
    actions = [_action(action, manifest) for action in case["actions"]]
    actions = [action for action in actions if action is not None]
    return [*words, str(len(actions)), *(word for action in actions for word in action)]


def _action(action: Case, manifest: Case) -> Words | None:
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
    words = ["P", _text(name), str(width), str(len(times))]
    return [*words, *_numbers(times), *_numbers(flat)]


# What comes back


def _shaped(case: Case, found: Any) -> Any:
    """As the vectors have it."""
    if "plausible" in case and "values" in case:
        sensors = dict.fromkeys(record["sensor"] for record in case["plausible"])
        channels = _judged_sensors(case)
        return {s: found[channels.index(s)] for s in sensors if found[channels.index(s)]}
    if "counts" in case:
        tasks = case["tasks"]
        calibrated = zip(tasks, found["calibrated"], strict=True)
        return found | {
            "calibrated": [name for name, is_ in calibrated if is_],
            "scales": {f"{x}_scale": y for x, y in zip(tasks, found["scales"], strict=True)},
            "reasons": dict(zip(case["rows"], found["reasons"], strict=True)),
        }
    if "actions" not in case:
        return found
    names = [channel["name"] for channel in case["manifest"]["channels"]]
    said = iter(found["after"])
    after = []
    for action in case["actions"]:
        told = {"due": [], "refused": True}
        if _action(action, case["manifest"]) is not None:
            told = next(said)
        after.append({"refused": True} if told["refused"] else told)
    return found | {
        "after": after,
        "counters": dict(zip(names, found["counters"], strict=True)),
        "staleness": dict(zip(names, found["staleness"], strict=True)),
    }


def _judged_sensors(case: Case) -> list[str]:
    sensor = {
        name: record["sensor"]
        for record in case["plausible"]
        for name in (*record["acceleration"], *record["turning"])
    }
    return list(dict.fromkeys(sensor.get(name, "other") for name in case["channels"]))


def replay(cases: Sequence[Case], program: Sequence[str | Path]) -> list[Any]:
    """What the C host gives for each case: its `expected`."""
    words = "\n".join(" ".join(words_of(case)) for case in cases)
    done = subprocess.run(
        [str(part) for part in program],
        input=words + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the C host ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = done.stdout.splitlines()
    return [_shaped(case, json.loads(line)) for case, line in zip(cases, lines, strict=True)]


def cases_of(path: Path) -> list[Case]:
    """All cases of a file of vectors, or the cases themselves."""
    given = json.loads(path.read_text(encoding="utf-8"))
    parts = given.values() if isinstance(given, dict) else [given]
    return [case for part in parts if isinstance(part, list) for case in part if _is_case(case)]


def _is_case(case: Any) -> bool:
    return isinstance(case, dict)


def main(arguments: Sequence[str], program: Path | None = None) -> int:
    """The command line; `program` is a runner that is built already."""
    check = arguments[:1] == ["--check"]
    paths = arguments[check:]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    cases = cases_of(Path(paths[0]))
    with tempfile.TemporaryDirectory() as folder:
        found = replay(cases, [program or runner(Path(folder))])
    if not check:
        print(json.dumps(found))
        return 0
    sys.path.append(str(VECTORS))
    from stream_replay import apart

    failed = 0
    for case, given in zip(cases, found, strict=True):
        off = apart(given, case["expected"])
        failed += bool(off)
        for line in off[:1]:
            print(f"{case['name']}: {line}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
