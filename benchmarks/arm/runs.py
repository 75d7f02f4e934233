"""Bundles and a lane in, counts out: processes on emulated cores, and what they executed."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from cores import CORES, Core, python
from counted import Count
from numpy.typing import NDArray
from staging import stage

from onwrist.files import written_beside
from onwrist_runtime.bundle import Bundle

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENGINES = ("litert", "onnxruntime")
CALLS, RUNS = 5, 5
NOTHING = 1  # the label of calls that do nothing, as in guest.py
COLUMNS = ("instructions", "loads", "stores", "l1d_misses", "l1i_misses", "l2_misses")

# KiB x ways of the first data, the first instruction and the second cache, with lines of 64
# bytes: Arm's technical reference manuals of the cores (DDI 0500, 100442, 100095, 100798),
# where these leave a choice that of BCM2837, BCM2711 and BCM2712. No second cache of a watch's
# A55 is published; 128 is the middle of the three that Arm offers.
CACHES = {
    "Cortex-A53": ("32x4", "32x2", "512x16"),
    "Cortex-A55": ("32x4", "32x4", "128x4"),
    "Cortex-A72": ("32x2", "48x3", "1024x16"),
    "Cortex-A76": ("64x4", "64x4", "512x8"),
}

Columns = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One process on an emulated core: what it calls, and what is watched besides."""

    core: Core
    engine: str
    precision: str
    what: str
    caches: bool = False
    blocks: Path | None = None  # the folder for them


@dataclass(frozen=True)
class Regions:
    """What a run executed: columns (calls, 6) by bundle and role, and of doing nothing (6,)."""

    calls: Mapping[tuple[str, str], Columns]
    nothing: Columns


def every_run(blocks: Path) -> list[Run]:
    """All that is counted and published; the blocks of each region go to a folder."""
    runs = []
    for core, engine in product(CORES, ENGINES):
        graphs = Run(core, engine, "int8", "graphs")
        runs += [
            replace(graphs, what="proof,graphs,calls", blocks=blocks),
            *[graphs] * (RUNS - 1),
            replace(graphs, what="graphs,calls", caches=True),
            replace(graphs, precision="fp32", blocks=blocks),
            replace(graphs, precision="fp32", caches=True),
        ]
    return runs


def gate_runs() -> list[Run]:
    """What the gate needs: INT8 graphs, once on each core and in each engine.

    `predict` and push are run on the first core alone: what they add is Python, of which every
    core executes the same.
    """
    return [
        Run(core, engine, "int8", "graphs,calls" if core is CORES[0] else "graphs")
        for core, engine in product(CORES, ENGINES)
    ]


def count(lane: Path, bundles: Sequence[Bundle], runs: Sequence[Run]) -> list[Count]:
    """Count bundles, as many runs at once as there are processors.

    Raises
    ------
    FileNotFoundError
        The lane is not there.
    subprocess.CalledProcessError
        A guest failed, as where an engine does not give the bundle's golden numbers.
    """
    if not (lane / "count.so").exists():
        raise FileNotFoundError(f"{lane} has no count.so: make it by benchmarks/arm/lane.sh")
    found: list[Regions] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        work = Path(folder)
        stage(bundles, work, sorted({run.precision for run in runs}))
        for regions in pool.map(lambda run: regions_of(lane, work, run), runs):
            found.append(regions)
            print(f"\r{len(found)} of {len(runs)} runs", end="", file=sys.stderr)
    print(file=sys.stderr)
    return merged(runs, found)


def regions_of(lane: Path, work: Path, run: Run) -> Regions:
    """Run it, and write its blocks if they are wanted."""
    with tempfile.TemporaryDirectory() as folder:
        out, blocks = Path(folder) / "out", Path(folder) / "blocks"
        plugin = f"{lane.resolve() / 'count.so'},out={out}"
        if run.blocks:
            plugin += f",blocks={blocks}"
        if run.caches:
            plugin += "".join(
                f",{cache}={size}"
                for cache, size in zip(("l1d", "l1i", "l2"), CACHES[run.core.name], strict=True)
            )
        given = [run.what, run.engine, work / run.precision, work / "inputs.npz", str(CALLS)]
        sources = [ROOT / "runtime", ROOT / "sdk"]
        done = python(lane, run.core, HERE / "guest.py", *given, paths=sources, plugin=plugin)
        labels = {int(k): tuple(v) for k, v in json.loads(done.stdout).items()}
        lines = np.loadtxt(out, dtype=np.float64, ndmin=2)
        if run.blocks:
            split_blocks(blocks, labels, run)
    executed = {label: lines[lines[:, 0] == label, 1:] for label in (NOTHING, *labels)}
    calls = {region: executed[label] for label, region in labels.items()}
    return Regions(calls, np.median(executed[NOTHING], axis=0))


def split_blocks(blocks: Path, labels: Mapping[int, tuple[str, ...]], run: Run) -> None:
    """Write the blocks of each region to a file of its own, less those of doing nothing."""
    executed: dict[int, Counter[str]] = {}
    for line in blocks.read_text().splitlines():
        label, executions, code = line.split(" ", 2)
        executed.setdefault(int(label), Counter())[code] += int(executions)
    assert run.blocks is not None
    for label, (name, role) in labels.items():
        path = run.blocks / f"{name}.{role}.{run.precision}.{run.engine}.{run.core.name}.blocks"
        own = executed[label] - executed[NOTHING]  # as many calls
        with written_beside(path) as beside:
            beside.write_text("".join(f"{label} {n} {code}\n" for code, n in own.items()))


def merged(runs: Sequence[Run], found: Sequence[Regions]) -> list[Count]:
    """A count of each region, less doing nothing, from all runs that called it."""
    medians: dict[tuple[str, ...], list[Columns]] = {}
    watched: dict[tuple[str, ...], Columns] = {}
    empty: dict[tuple[str, ...], int] = {}
    for run, regions in zip(runs, found, strict=True):
        for region, calls in regions.calls.items():
            key = (*region, run.precision, run.engine, run.core.name)
            median = np.median(calls, axis=0) - regions.nothing
            if run.caches:
                watched[key] = median
            else:
                medians.setdefault(key, []).append(median)
                empty[key] = round(float(regions.nothing[0]))
    counts = []
    for key, each in medians.items():
        instructions = [float(run[0]) for run in each]
        others = watched.get(key, np.zeros(len(COLUMNS)))[1:]
        counts.append(
            Count(
                *key,
                calls=CALLS,
                runs=len(each),
                instructions=round(statistics.median(instructions)),
                least=round(min(instructions)),
                most=round(max(instructions)),
                empty=empty[key],
                **{k: round(float(v)) for k, v in zip(COLUMNS[1:], others, strict=True)},
            )
        )
    return counts
