"""A stream on one core: steps against windows, pushes, a day, and many streams at once.

    python benchmarks/stream.py                  # the shipped bundle
    python benchmarks/stream.py BUNDLE -o benchmarks/results/stream

Engines race as in race.py. Pushes are timed with the engine inside them, whose own time is
taken off. The day and the many streams have processes of their own, so that their memory is
theirs alone. How the state of a step is carried is measured both ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import conditions, identity, listed, load_average, pin, save, table
from streaming import engines, push, report
from streaming.arithmetic import multiply_adds
from streaming.report import Told

import onwrist
from onwrist.bundles import find
from onwrist_runtime.engines import steps
from onwrist_runtime.manifest import Role

# What the project has set itself.
ENGINE_RATIO, ARITHMETIC_RATIO = 0.5, 1 / 6
PUSH_US, DAY_SECONDS, GROWTH_MB, STREAM_MB = 150.0, 60.0, 2.0, 0.5
JITTER = 0.003  # seconds: a fifth of a period of ppg, which the stream repairs
BREAKDOWN_BURSTS = 1000


def own_process(module: str, *arguments: object) -> Told:
    """What a module of `streaming` tells when it is run by itself."""
    command = [sys.executable, "-m", f"streaming.{module}", *map(str, arguments)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    told: Told = json.loads(done.stdout)
    return told


def arithmetic(model: onwrist.Model) -> dict[Role, dict[str, int]]:
    """Multiply-adds of the ONNX graph of each role."""
    files: dict[Role, str] = {
        g.role: g.file for g in model.manifest.graphs if g.format == "onnx"
    }
    return {role: multiply_adds(model.bundle.members[file]) for role, file in files.items()}


def verdicts(
    ratios: Sequence[engines.Ratio],
    arithmetic_ratio: float,
    pushes: Sequence[push.Row],
    days: Mapping[str, Told],
    many: Told,
) -> list[list[str]]:
    found = []

    def add(aim: str, measured: float, most: float, unit: str, digits: int) -> None:
        reached = "reached" if measured <= most else "missed"
        found.append([aim, f"{measured:.{digits}f}{unit}", reached])

    for r in ratios:
        if r.engine == "litert":
            aim = f"a step at most {ENGINE_RATIO:g} of a window in LiteRT, {r.what}, {r.mode}"
            add(aim, r.ratio, ENGINE_RATIO, "", 3)
    add("multiply-adds at most 1/6", arithmetic_ratio, ARITHMETIC_RATIO, "", 3)
    warm = next(row for row in pushes if (row.mode, row.stream) == ("warm", "by steps"))
    aim = f"push to prediction outside the engine at most {PUSH_US:.0f} us, warm"
    add(aim, warm.p50, PUSH_US, " us", 0)
    told = next(iter(days.values()))
    seconds = 24 * told["hours"][-1][1] / told["hours"][-1][0]
    add(f"24 hours in under {DAY_SECONDS:.0f} s", seconds, DAY_SECONDS, " s", 1)
    growth = report.growth(told)
    add(f"flat within {GROWTH_MB:g} MB after the first hour", growth, GROWTH_MB, " MB", 2)
    add(f"a stream below {STREAM_MB:g} MB", many["MB"], STREAM_MB, " MB", 3)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the shipped one")
    parser.add_argument("--rounds", type=int, default=300, help="of the races")
    parser.add_argument("--hours", type=float, default=24.0, help="of the day, 2 or more")
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    if arguments.hours < 2:
        parser.error("--hours must be 2 or more: memory is compared with that after one")
    core = pin()
    try:
        path = find(arguments.bundle).resolve()
        model = onwrist.load(path, "litert")
        if not steps(model.bundle, "litert"):
            raise onwrist.InputError(f"{path} has no step graph for LiteRT")
    except onwrist.OnwristError as error:
        print(f"stream: error: {error}", file=sys.stderr)
        return 2
    what = {"bundle": identity(model.bundle), **conditions()}
    rows, ratios = engines.measure(engines.contestants(model), arguments.rounds)
    pushes = push.measure(model, arguments.rounds)
    parts = push.breakdown(model, BREAKDOWN_BURSTS)
    days = {
        clock: own_process("day", path, "litert", arguments.hours, jitter)
        for clock, jitter in (("regular", 0.0), (f"jittered by {1000 * JITTER:.0f} ms", JITTER))
    }
    many, traced, inside = (
        own_process("many", path, "litert", how)
        for how in ("resident", "tracemalloc", "inside")
    )
    what["load average"] += f" before, {load_average()} after (this process is 1 of it)"
    what["how"] = (
        f"one thread, pinned to core {core}; {arguments.rounds} rounds in random order"
    )
    counts = arithmetic(model)
    ratio = sum(counts["step"].values()) / sum(counts["window"].values())
    assert model.manifest.step is not None
    text = f"# Streaming\n\n{listed(what)}\n"
    aims = verdicts(ratios, ratio, pushes, days, many)
    text += "## Aims\n\n" + table(["aim", "measured", ""], aims) + "\n"
    text += report.engines_text(rows, ratios)
    text += report.arithmetic_text(counts, ratio)
    text += report.push_text(pushes, parts)
    text += report.day_text(days, arguments.hours)
    text += report.state_text(rows, many, inside, traced, 4 * model.manifest.step.state)
    print(text)
    if arguments.output:
        record = {
            "conditions": what,
            "engines": [vars(row) for row in rows],
            "step of window": [vars(each) for each in ratios],
            "multiply-adds": counts,
            "push": [vars(row) for row in pushes],
            "push, parts": parts,
            "day": days,
            "many": {"resident": many, "tracemalloc": traced, "state inside": inside},
        }
        save(arguments.output, text, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
