"""What onwrist costs a fresh process: time and memory to import, load and predict once.

    python benchmarks/lean.py -o benchmarks/results/lean

Each figure is the median over fresh processes, which take turns between engines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common import conditions, identity, listed, pin, save, table

import onwrist
from onwrist.bundles import find
from onwrist_runtime import bundle
from onwrist_runtime.engines import usable

IMPORT_MS = 200.0
STEPS = ("start", "numpy", "import", "load", "first", "second")
WORDS = {
    "start": "Python alone",
    "numpy": "import numpy",
    "import": "import onwrist, NumPy included",
    "load": "load, engine imported, bundle checked and proven",
    "first": "the first prediction",
    "second": "the second prediction",
}

# Every step in a process of its own would hide what the ones before it have warmed.
FRESH = """
import json, os, sys, time
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
told = {"start": (0.0, rss())}
begun = time.perf_counter()
import numpy as np
told["numpy"] = (time.perf_counter() - begun, rss())
import onwrist
told["import"] = (time.perf_counter() - begun, rss())
def step(name, call):
    before = time.perf_counter()
    result = call()
    told[name] = (time.perf_counter() - before, rss())
    return result
model = step("load", lambda: onwrist.load(sys.argv[1], sys.argv[2]))
values = np.ones((len(model.channels), model.window_samples), np.float32)
step("first", lambda: model.predict(values))
step("second", lambda: model.predict(values))
print(json.dumps(told))
"""

Told = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """One step with one engine: its time, and the memory that is resident after it."""

    engine: str
    step: str
    ms: float
    least_ms: float
    resident_mb: float


def fresh(path: Path, engine: str) -> Told:
    """Seconds and resident memory in MB of every step in a new process."""
    command = [sys.executable, "-c", FRESH, str(path), engine]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: Told = json.loads(done.stdout)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the shipped one")
    parser.add_argument("--processes", type=int, default=15, help="how many for each engine")
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    pin()
    try:
        path = find(arguments.bundle)
        opened = bundle.read(path)
    except onwrist.OnwristError as error:
        print(f"lean: error: {error}", file=sys.stderr)
        return 2
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    what = {"bundle": f"{identity(opened)}, {size}", **conditions()}
    engines = usable(opened)
    fresh(path, engines[0])  # files come from the disk once
    told: dict[str, list[Told]] = {engine: [] for engine in engines}
    for _ in range(arguments.processes):
        for engine in engines:
            told[engine].append(fresh(path, engine))
    what["how"] = f"medians of {arguments.processes} processes for each engine, on one core"
    rows = [
        Row(
            engine,
            WORDS[step],
            1000 * statistics.median(t[step][0] for t in told[engine]),
            1000 * min(t[step][0] for t in told[engine]),
            statistics.median(t[step][1] for t in told[engine]),
        )
        for engine in engines
        for step in STEPS
    ]
    imports = [1000 * t["import"][0] for each in told.values() for t in each]
    reached = "reached" if statistics.median(imports) < IMPORT_MS else "missed"
    what["aim"] = f"import onwrist under {IMPORT_MS:.0f} ms: {reached}"
    header = ["engine", "step", "ms", "least ms", "resident MB after it"]
    cells = [
        [row.engine, row.step, f"{row.ms:.1f}", f"{row.least_ms:.1f}", f"{row.resident_mb:.0f}"]
        for row in rows
    ]
    text = f"# Lean\n\n{listed(what)}\n{table(header, cells)}"
    print(text)
    if arguments.output:
        save(arguments.output, text, {"conditions": what, "rows": [vars(row) for row in rows]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
