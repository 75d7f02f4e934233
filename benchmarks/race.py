"""Every engine on one bundle and its float original, racing on one core.

    python benchmarks/race.py                       # the shipped bundle, after `make bundle`
    python benchmarks/race.py BUNDLE --quantized FOLDER -o benchmarks/results/race

The folder is the one that `onwrist-export quantize` wrote, since a bundle does not hold its
float graph. In every round each contestant has one turn, in random order, so that a busy
moment of the machine meets all of them. Warm: a turn is a few calls in a row, after some
that do not count. After idle: a turn is one call after a sleep, as on a watch, when caches
and clocks are cold. Ratios are of medians, with a bootstrap interval over rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import (
    conditions,
    identity,
    inputs,
    listed,
    load_average,
    pin,
    save,
    table,
    window,
)
from numpy.typing import NDArray

import onwrist
from onwrist_runtime.engines import Engine, OnnxRuntime, open_engine, usable
from onwrist_runtime.processor import has_vnni

REFERENCE = "onnxruntime fp32"
PREDICT = "predict, "
# What the project has set itself: ratio to the reference, and microseconds of `predict`.
RATIOS = {"litert INT8": 0.2, "onnxruntime INT8": 0.45}
PREDICT_ADDS = 30.0
CALLS, UNCOUNTED, IDLE = 10, 3, 0.020
RESAMPLES = 1000

Call = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One contestant in one mode; times in microseconds.

    Attributes
    ----------
    ratio : of its median to the reference's.
    low, high : 95 % bootstrap interval of `ratio`.
    """

    mode: str
    contestant: str
    graph: str
    least: float
    p50: float
    p90: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """Microseconds that `predict` adds to its engine's own median, with its interval."""

    mode: str
    engine: str
    added: float
    low: float
    high: float


def contestants(model: onwrist.Model, folder: Path) -> tuple[dict[str, Call], dict[str, str]]:
    """What races, and which file each runs.

    Raises
    ------
    InputError
        The folder has no float graph, or is not what the bundle was made from.
    """
    values = window(model)
    engines: dict[str, Engine] = {REFERENCE: float_engine(model, folder)}
    for name in usable(model.bundle):
        engines[f"{name} INT8"] = open_engine(model.bundle, name)
    batch = inputs(model)
    calls: dict[str, Call] = {}
    for name, engine in engines.items():
        calls[name] = lambda engine=engine: engine.run(batch)
        if name != REFERENCE:
            whole = onwrist.Model(model.bundle, engine)
            calls[PREDICT + name] = lambda whole=whole: whole.predict(values)
    files = {name: engine.graph for name, engine in engines.items()}
    return calls, {name: files[name.removeprefix(PREDICT)] for name in calls}


def float_engine(model: onwrist.Model, folder: Path) -> Engine:
    """ONNX Runtime on the float graph, set up as the runtime sets up the INT8 ones."""
    import onnxruntime  # after the runtime has turned its telemetry off

    for name in (graph.file for graph in model.manifest.graphs):
        path = folder / name
        if not path.is_file() or path.read_bytes() != model.bundle.members[name]:
            raise onwrist.InputError(
                f"{path} is not the one in the bundle: name the folder that "
                "`onwrist-export quantize` wrote for it (`make bundle` makes both)"
            )
    file = "model.fp32.onnx"
    content = (folder / file).read_bytes()
    return OnnxRuntime(onnxruntime, "onnxruntime", file, content, threads=1)


def race(
    calls: Mapping[str, Call],
    rounds: int,
    count: int,
    idle: float,
    told: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """Times in microseconds, (contestants, rounds, count).

    Parameters
    ----------
    count : calls of a turn.
    idle : seconds of sleep before a turn; 0 for a few calls that do not count.
    told : is called with the number of each round that is done.
    """
    times = np.zeros((len(calls), rounds, count))
    order = np.random.default_rng(0)
    each = list(calls.values())
    for _ in range(50):
        for call in each:
            call()
    for turn in range(rounds):
        for k in order.permutation(len(each)):
            call = each[k]
            if idle:
                time.sleep(idle)
            else:
                for _ in range(UNCOUNTED):
                    call()
            for n in range(count):
                before = time.perf_counter_ns()
                call()
                times[k, turn, n] = (time.perf_counter_ns() - before) / 1000
        if told is not None:
            told(turn + 1)
    return times


def resampled_medians(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians (resamples, contestants) over rounds drawn with replacement."""
    draw = np.random.default_rng(0)
    rounds = times.shape[1]
    return np.stack(
        [
            np.median(times[:, draw.integers(rounds, size=rounds)], axis=(1, 2))
            for _ in range(RESAMPLES)
        ]
    )


def judge(
    mode: str, files: Mapping[str, str], times: NDArray[np.float64]
) -> tuple[list[Row], list[Cost]]:
    """The rows of one mode, and what `predict` costs in it."""
    names = list(files)
    p50 = np.median(times, axis=(1, 2))
    drawn = resampled_medians(times)
    reference = names.index(REFERENCE)
    low, high = np.percentile(drawn / drawn[:, [reference]], [2.5, 97.5], axis=0)
    rows = [
        Row(
            mode,
            name,
            files[name],
            float(times[k].min()),
            float(p50[k]),
            float(np.percentile(times[k], 90)),
            float(p50[k] / p50[reference]),
            float(low[k]),
            float(high[k]),
        )
        for k, name in enumerate(names)
    ]
    costs = []
    for k, name in enumerate(names):
        if name.startswith(PREDICT):
            own = names.index(name.removeprefix(PREDICT))
            bounds = np.percentile(drawn[:, k] - drawn[:, own], [2.5, 97.5])
            added = float(p50[k] - p50[own])
            costs.append(Cost(mode, names[own], added, float(bounds[0]), float(bounds[1])))
    return rows, costs


def verdicts(rows: list[Row], costs: list[Cost], vnni: bool) -> list[list[str]]:
    """What was aimed at, in which mode, what was measured, and whether it is reached."""
    found = []
    for row in rows:
        most = RATIOS.get(row.contestant)
        if most is not None and (vnni or row.contestant != "onnxruntime INT8"):
            aim = f"{row.contestant} at most {most} of {REFERENCE}"
            found.append([aim, row.mode, f"{row.ratio:.3f}", _verdict(row.ratio <= most)])
    for cost in costs:
        aim = f"predict adds at most {PREDICT_ADDS:.0f} us to {cost.engine}"
        reached = _verdict(cost.added <= PREDICT_ADDS)
        found.append([aim, cost.mode, f"{cost.added:.1f} us", reached])
    return found


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def report(
    what: Mapping[str, str], rows: list[Row], costs: list[Cost], aims: list[list[str]]
) -> str:
    text = "# The race\n\nMicroseconds a window, whole graph: raw values in, outputs out.\n\n"
    text += listed(what)
    for mode in dict.fromkeys(row.mode for row in rows):
        text += f"\n## {mode.capitalize()}\n\n"
        cells = [
            [
                row.contestant,
                row.graph,
                f"{row.least:.1f}",
                f"{row.p50:.1f}",
                f"{row.p90:.1f}",
                f"{row.ratio:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
            ]
            for row in rows
            if row.mode == mode
        ]
        head = ["contestant", "file", "min", "p50", "p90", f"of {REFERENCE}", "95 %"]
        text += table(head, cells)
        added = [
            [cost.engine, f"{cost.added:.1f}", f"{cost.low:.1f} to {cost.high:.1f}"]
            for cost in costs
            if cost.mode == mode
        ]
        text += "\n" + table(["predict(values) adds to", "us at the median", "95 %"], added)
    text += "\n## Aims\n\n"
    return text + table(["aim", "mode", "measured", ""], aims)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the shipped one")
    parser.add_argument("--quantized", type=Path, default=Path("out/quantized"))
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    core = pin()
    try:
        model = onwrist.load(arguments.bundle)
        calls, files = contestants(model, arguments.quantized)
    except onwrist.OnwristError as error:
        print(f"race: error: {error}", file=sys.stderr)
        return 2
    what = {"bundle": identity(model.bundle), **conditions()}
    rows: list[Row] = []
    costs: list[Cost] = []
    for mode, count, idle in (
        ("warm", CALLS, 0.0),
        (f"after {1000 * IDLE:.0f} ms idle", 1, IDLE),
    ):
        found = judge(mode, files, race(calls, arguments.rounds, count, idle))
        rows += found[0]
        costs += found[1]
    what["load average"] += f" before, {load_average()} after (this process is 1 of it)"
    what["how"] = (
        f"one thread, pinned to core {core}; {arguments.rounds} rounds in random order, "
        f"{CALLS} calls a turn warm and 1 after idle"
    )
    aims = verdicts(rows, costs, has_vnni())
    text = report(what, rows, costs, aims)
    print(text)
    if arguments.output:
        record = {
            "conditions": what,
            "rows": [vars(x) for x in rows],
            "predict": [vars(x) for x in costs],
        }
        save(arguments.output, text, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
