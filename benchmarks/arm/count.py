"""Instructions, loads, stores and cache misses of shipped bundles on emulated Arm cores.

    benchmarks/arm/lane.sh
    python benchmarks/arm/count.py [BUNDLE ...] [-o FOLDER]
    python benchmarks/arm/count.py --update         # the committed counts

Counted, per call and on one thread, are the graph of each role alone, INT8 and in float, in
LiteRT and in ONNX Runtime; and of INT8 `predict`, and the push of one hop of samples up to
its prediction. FOLDER (out/arm/counts) gets counts.json, and the blocks of code that each ran
for the model of latencies. How long they take is not told.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
from cores import CORES, Core, python
from counted import COMMITTED, SCHEMA, Count, Counted, cheaper, dearer, read
from numpy.typing import NDArray
from staging import check, stage
from tables import report

from onwrist.bundles import SUFFIX, find
from onwrist.files import written_beside
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import InputError, OnwristError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent))
from common import identity, save  # noqa: E402

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

Regions = Mapping[tuple[str, str], NDArray[np.float64]]  # (calls, columns) by bundle and role


@dataclass(frozen=True)
class Run:
    """One process on an emulated core: what it calls, and what is watched besides."""

    core: Core
    engine: str
    precision: str
    what: str
    caches: bool = False
    blocks: Path | None = None  # the folder for them


def count(
    lane: Path, bundles: Sequence[Bundle], blocks: Path | None = None, gate: bool = False
) -> list[Count]:
    """Count bundles on every core; what a gate needs is INT8 graphs alone, run once.

    Raises
    ------
    FileNotFoundError
        The lane is not there.
    subprocess.CalledProcessError
        A guest failed, as where an engine does not give the bundle's golden numbers.
    """
    if not (lane / "count.so").exists():
        raise FileNotFoundError(f"{lane} has no count.so: make it by benchmarks/arm/lane.sh")
    runs = []
    for core in CORES:
        for engine in ENGINES:
            runs.append(
                Run(
                    core,
                    engine,
                    "int8",
                    "graphs" if gate else "proof,graphs,calls",
                    blocks=blocks,
                )
            )
            if not gate:
                runs += [Run(core, engine, "int8", "graphs")] * (RUNS - 1)
                runs += [
                    Run(core, engine, "fp32", "graphs", blocks=blocks),
                    Run(core, engine, "int8", "graphs,calls", caches=True),
                    Run(core, engine, "fp32", "graphs", caches=True),
                ]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stage(bundles, work, sorted({run.precision for run in runs}))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = []
            for regions in pool.map(lambda run: regions_of(lane, work, run), runs):
                found.append(regions)
                print(f"\r{len(found)} of {len(runs)} runs", end="", file=sys.stderr)
    print(file=sys.stderr)
    return merged(runs, found)


def regions_of(lane: Path, work: Path, run: Run) -> Regions:
    """What each call of a run executes, less what a call that does nothing does."""
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
        guest = [HERE / "guest.py", run.what, run.engine, work / run.precision]
        done = python(
            lane,
            run.core,
            *guest,
            work / "inputs.npz",
            str(CALLS),
            paths=[ROOT / "runtime", ROOT / "sdk"],
            plugin=plugin,
        )
        labels = {int(k): tuple(v) for k, v in json.loads(done.stdout).items()}
        lines = np.loadtxt(out, dtype=np.float64, ndmin=2)
        if run.blocks:
            split_blocks(blocks, labels, run)
    nothing = np.median(lines[lines[:, 0] == NOTHING, 1:], axis=0)
    return {
        region: lines[lines[:, 0] == label, 1:] - nothing for label, region in labels.items()
    }


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
    """A count of each region, from all runs that called it."""
    medians: dict[tuple[str, ...], list[NDArray[np.float64]]] = {}
    watched: dict[tuple[str, ...], NDArray[np.float64]] = {}
    for run, regions in zip(runs, found, strict=True):
        for region, calls in regions.items():
            key = (*region, run.precision, run.engine, run.core.name)
            if run.caches:
                watched[key] = np.median(calls, axis=0)
            else:
                medians.setdefault(key, []).append(np.median(calls, axis=0))
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
                **{k: round(float(v)) for k, v in zip(COLUMNS[1:], others, strict=True)},
            )
        )
    return counts


def conditions(lane: Path, bundles: Sequence[Bundle]) -> dict[str, str]:
    """What was counted, by what, and how."""
    found = {d.name: d.version for d in distributions(path=[str(lane / "site")])}
    with gzip.open(lane / "host/usr/share/doc/qemu-user/changelog.Debian.gz", "rt") as changes:
        version = changes.readline().split()[1].strip("()")
    caches = (f"{core} {' '.join(sizes)}" for core, sizes in CACHES.items())
    return {
        "bundles": "; ".join(map(identity, bundles)),
        "date": time.strftime("%Y-%m-%d"),
        "engines": f"LiteRT {found['ai-edge-litert']}, ONNX Runtime {found['onnxruntime']}, "
        "one thread; Python 3.11 in `predict` and `push`",
        "emulator": f"QEMU {version} in user mode; Cortex-A55 is a Cortex-A76 by another name",
        "caches": f"KiB x ways of L1D, L1I and L2: {', '.join(caches)}; the least recently "
        "used line goes, nothing is prefetched",
        "counted": f"medians of {CALLS} warm calls from Python, less a call that does nothing",
    }


def opened(names: Sequence[str]) -> list[Bundle]:
    """The bundles of these names or paths, or all that ship.

    Raises
    ------
    OnwristError
        One cannot be opened, or cannot be counted.
    """
    paths = [find(name) for name in names] or sorted(find().parent.glob(f"*{SUFFIX}"))
    bundles = [bundle.read(path) for path in paths]
    for each in bundles:
        check(each)
    if len({each.manifest.name for each in bundles}) < len(bundles):
        raise InputError("two of these bundles have one name: count one after the other")
    return bundles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help="all that ship if none")
    parser.add_argument("--lane", type=Path, default=Path("out/arm"), help="made by lane.sh")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/arm/counts"))
    parser.add_argument("--update", action="store_true", help="rewrite the committed counts")
    arguments = parser.parse_args()
    if arguments.update and arguments.bundles:
        parser.error("--update counts all bundles that ship: name none")
    try:
        bundles = opened(arguments.bundles)
        before = read(COMMITTED).counts if COMMITTED.exists() else ()
        counts = count(arguments.lane, bundles, blocks=arguments.output)
    except (FileNotFoundError, OnwristError) as error:
        print(f"count: error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"count: error: {error.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)
        return 1
    result = Counted(SCHEMA, conditions(arguments.lane, bundles), tuple(counts))
    with written_beside(arguments.output / "counts.json") as beside:
        beside.write_text(json.dumps([asdict(each) for each in counts], indent=1) + "\n")
    text = report(result)
    print(text)
    for line in [*dearer(before, counts), *cheaper(before, counts)]:
        print(line, file=sys.stderr)
    if arguments.update:
        save(COMMITTED.with_suffix(""), text, asdict(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
