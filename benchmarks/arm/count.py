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
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from counted import COMMITTED, SCHEMA, Counted, cheaper, committed, dearer
from runs import CACHES, CALLS, count, every_run
from staging import check
from tables import report

from onwrist.bundles import find
from onwrist.files import written_beside
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import InputError, OnwristError

sys.path.append(str(Path(__file__).parents[1]))
from common import identity, save, shipped


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
        "counted": f"medians of {CALLS} warm calls from Python",
    }


def opened(names: Sequence[str]) -> list[Bundle]:
    """The bundles of these names or paths, or all that ship.

    Raises
    ------
    OnwristError
        One cannot be opened, or cannot be counted.
    """
    bundles = [bundle.read(path) for path in [find(name) for name in names] or shipped()]
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
        before = committed()
        counts = count(arguments.lane, bundles, every_run(arguments.output))
    except (OSError, OnwristError) as error:
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
    known = {each.key for each in before}
    again = [each for each in counts if each.key in known]
    for line in [*dearer(before, again), *cheaper(before, again)]:
        print(line, file=sys.stderr)
    if arguments.update:
        save(COMMITTED.with_suffix(""), text, asdict(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
