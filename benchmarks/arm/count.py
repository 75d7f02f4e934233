"""Instructions of a window and of a step on emulated Arm cores, and whether outputs agree.

    benchmarks/arm/root.sh
    python benchmarks/arm/count.py BUNDLE -o benchmarks/results/arm_step

BUNDLE holds a TFLite graph of each role; two files WINDOW.tflite STEP.tflite do as well.
Counted is every instruction from the call of LiteRT's `invoke` to its return, on one thread;
how long they take is not told. The same stream has to give the same bytes on a core as here.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from cores import CORES, emulate
from numpy.typing import NDArray

from onwrist.simulate import RATES, simulate
from onwrist_runtime import bundle
from onwrist_runtime.errors import OnwristError
from onwrist_runtime.signals import resample

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from common import identity, listed, save, table  # noqa: E402

ROLES = ("window", "step")
AIM = 0.25  # of the window's instructions
EXACT = ("embedding", "next_state")
CLOSE = 1e-5  # relative to the value or 1, for outputs that end in float functions
SEED, STEPS = 7, 24

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Count:
    """Instructions of the calls of one graph on one core."""

    core: str
    role: str
    calls: int
    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Agreement:
    """One output of all calls of a graph, on a core and on this machine."""

    core: str
    output: str
    calls: int
    identical: int
    difference: float
    relative: float

    @property
    def holds(self) -> bool:
        """To the byte what a stream carries on, closely what ends in float functions."""
        if self.output.endswith(EXACT):
            return self.identical == self.calls
        return self.relative <= CLOSE


def stage(paths: Sequence[Path], work: Path) -> tuple[str, tuple[str, ...], float]:
    """Put a graph of each role into `work`: what they are, their channels and their rate."""
    if len(paths) == len(ROLES):
        for role, path in zip(ROLES, paths, strict=True):
            shutil.copy(path, work / f"{role}.tflite")
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in paths]
        return f"window sha256 {hashes[0]}, step sha256 {hashes[1]}", tuple(RATES), 25.0
    opened = bundle.read(paths[0])
    files = {g.role: g.file for g in opened.manifest.graphs if g.format == "tflite"}
    for role in ROLES:
        if role not in files:
            raise ValueError(f"{paths[0]} has no TFLite {role}")
        (work / f"{role}.tflite").write_bytes(opened.members[files[role]])
    names = tuple(channel.name for channel in opened.manifest.channels)
    return identity(opened), names, opened.manifest.rate


def stream(channels: Sequence[str], rate: float, points: int) -> dict[str, NDArray[np.float32]]:
    """A simulated wrist with gaps (C, points), and its baseline so far (C, points, 3)."""
    if unknown := set(channels) - set(RATES):
        raise ValueError(f"no simulated channel {', '.join(sorted(unknown))}")
    signals = simulate(points / rate + 2, SEED).signals
    rows = [resample(signals[name], rate, 1, points) for name in channels]
    arrived = np.random.default_rng(SEED).random((len(rows), points // 16 + 1)) > 0.15
    observed = np.stack([row for _, row in rows]) & arrived.repeat(16, 1)[:, :points]
    values = np.where(observed, np.stack([row for row, _ in rows]), 0).astype(np.float32)
    seen = observed.cumsum(1)
    count = np.maximum(seen, 1)
    mean = values.cumsum(1, np.float64) / count
    square = np.square(values, dtype=np.float64).cumsum(1) / count
    scale = np.sqrt(np.maximum(square - mean**2, 0))
    known = np.where(seen >= 10 * rate, 1, 0)
    baseline = np.stack([mean * known, scale * known, known], 2)
    return {
        "values": values,
        "observed": observed.astype(np.float32),
        "baseline": baseline.astype(np.float32),
    }


def feed(work: Path, channels: Sequence[str], rate: float) -> None:
    """Write inputs.npz: the steps of one stream, and every window that ends with one."""
    inputs = {}
    for role in ROLES:
        details = Interpreter(str(work / f"{role}.tflite")).get_input_details()
        inputs[role] = {detail["name"]: tuple(detail["shape"]) for detail in details}
    points = {role: int(inputs[role]["values"][2]) for role in ROLES}
    whole = stream(channels, rate, STEPS * points["step"])
    fed = {}
    for role in ROLES:
        first = range(0, STEPS * points["step"] - points[role] + 1, points["step"])
        for name in inputs[role].keys() - {"state"}:
            if name not in whole:
                raise ValueError(f"the {role} takes {name!r}, which is not simulated")
            parts = [whole[name][:, start : start + points[role]] for start in first]
            if name == "baseline":
                parts = [part[:, -1] for part in parts]
            if parts[0].shape != inputs[role][name][1:]:
                raise ValueError(f"the {role} takes {name!r} as {inputs[role][name]}")
            fed[f"{role}/{name}"] = np.stack(parts)[:, np.newaxis]
    np.savez(work / "inputs.npz", **fed)


def counts(core: str, regions: Mapping[str, Sequence[int]]) -> Iterator[Count]:
    """The calls of each role, without what a region with nothing in it has."""
    nothing = statistics.median(regions["nothing"])
    for role in ROLES:
        calls = [instructions - nothing for instructions in regions[role]]
        yield Count(core, role, len(calls), statistics.median(calls), min(calls), max(calls))


def agreements(core: str, here: Arrays, there: Arrays) -> Iterator[Agreement]:
    """Every output of a core against that of this machine."""
    for name, expected in here.items():
        identical = [
            a.tobytes() == b.tobytes() for a, b in zip(expected, there[name], strict=True)
        ]
        apart = np.abs(expected.astype(np.float64) - there[name])
        relative = apart / np.maximum(np.abs(expected), 1)
        largest = float(apart.max()), float(relative.max())
        yield Agreement(core, name, len(identical), sum(identical), *largest)


def litert(site: Path | None = None) -> str:
    """Which LiteRT is installed, here or in a folder of wheels."""
    path = sys.path if site is None else [str(site)]
    return next(iter(distributions(name="ai-edge-litert", path=path))).version


def report(counted: Sequence[Count], agreed: Sequence[Agreement]) -> str:
    """Both tables in Markdown."""
    rows = []
    for window, step in zip(counted[::2], counted[1::2], strict=True):
        ratio = step.median / window.median
        cells = [
            cell
            for count in (window, step)
            for cell in (
                f"{count.median / 1e3:.0f}k",
                f"{count.least / 1e3:.1f}k to {count.most / 1e3:.1f}k",
            )
        ]
        verdict = "reached" if ratio <= AIM else "missed"
        rows.append([window.core, *cells, f"{ratio:.3f}", verdict])
    header = ["core", "window", "of all calls", "step", "of all calls"]
    header += ["step / window", f"at most {AIM}"]
    text = table(header, rows)
    rows = []
    for output in dict.fromkeys(each.output for each in agreed):
        cores = [each for each in agreed if each.output == output]
        found = [
            f"{each.identical} of {each.calls}, "
            + (f"{each.difference:.1e} apart" if each.difference else "nothing apart")
            + ("" if each.holds else ": too far")
            for each in cores
        ]
        rows.append([output, *found])
    header = ["calls identical", *(core.name for core in CORES)]
    return f"{text}\n{table(header, rows)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("graphs", nargs="+", type=Path, metavar="BUNDLE", help="or two .tflite")
    parser.add_argument("--root", type=Path, default=Path("out/arm"), help="made by root.sh")
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    lane, guest = arguments.root.resolve(), HERE / "guest.py"
    if len(arguments.graphs) > len(ROLES) or not (lane / "count.so").exists():
        parser.error(f"give one bundle or two graphs; {lane} is made by {HERE.name}/root.sh")
    counted: list[Count] = []
    agreed: list[Agreement] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        try:
            what, channels, rate = stage(arguments.graphs, work)
            feed(work, channels, rate)
        except (OnwristError, OSError, ValueError) as error:
            print(f"count: error: {error}", file=sys.stderr)
            return 2
        subprocess.run([sys.executable, guest, work, work / "here.npz"], check=True)
        with np.load(work / "here.npz") as given:
            here = dict(given)
        for core in CORES:
            there, regions = emulate(lane, core, guest, work)
            counted += counts(core.name, regions)
            agreed += agreements(core.name, here, there)
    conditions = {
        "graphs": what,
        "date": time.strftime("%Y-%m-%d"),
        "engine": f"LiteRT {litert(lane / 'site')} on cores, {litert()} here, one thread",
        "emulator": "QEMU 7.2 in user mode; Cortex-A55 is Cortex-A76 under an A55's name",
        "counted": "instructions of `invoke`, called from Python (about 1.5k of them); medians",
        "compared": f"{STEPS} steps of a simulated stream with gaps, on a core and on x86-64",
    }
    tables = report(counted, agreed)
    text = f"# Instructions of a step on Arm\n\n{listed(conditions)}\n{tables}"
    print(text)
    if arguments.output:
        record = {
            "conditions": conditions,
            "counts": [asdict(count) for count in counted],
            "agreements": [asdict(each) for each in agreed],
        }
        save(arguments.output, text, record)
    return 0 if all(each.holds for each in agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
