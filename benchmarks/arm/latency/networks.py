"""ncnn's benchmark networks and a lane in, their counts on each core out: counted.csv.

The networks are ncnn's benchmark/models/*.param, from a folder that the user names; ncnn comes
as a wheel into the lane. MobileNet v1 in LiteRT is added, which is not fitted on but held
against.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cores import CORES, Core, python

from latency import mobilenet
from latency.blocks import instructions, read_blocks
from latency.fit import NCNN
from latency.mca import CPUS, Tools
from onwrist.files import written_beside

HERE = Path(__file__).resolve().parent
PLATFORM = "manylinux_2_28_aarch64"
COLUMNS = ("core", "network", "instructions", "cycles", "l1d_misses", "l1i_misses", "l2_misses")

# Networks and the size of their image, as in benchncnn.cpp.
SIZES = {
    "blazeface": 128,
    "squeezenet": 227,
    "squeezenet_int8": 227,
    "mobilenet": 224,
    "mobilenet_int8": 224,
    "mobilenet_v3": 224,
    "shufflenet_v2": 224,
    "resnet18_int8": 224,
    "googlenet_int8": 224,
    "squeezenet_ssd_int8": 300,
    "alexnet": 227,
    "yolo-fastestv2": 352,
    "mobilenet_ssd_int8": 300,
    "resnet18": 224,
    "FastestDet": 352,
}
# KiB x ways of L1D, L1I and L2 of the boards that the published times come from.
CACHES = {
    "Cortex-A53": "l1d=32x4,l1i=32x2,l2=512x16",
    "Cortex-A55": "l1d=32x4,l1i=32x2,l2=512x16",
    "Cortex-A72": "l1d=32x2,l1i=48x3,l2=1024x16",
    "Cortex-A76": "l1d=64x4,l1i=64x4,l2=512x8",
}


def recount(params: Path, lane: Path, tools: Tools, output: Path) -> None:
    """Count every network on every core, and write what was found.

    Raises
    ------
    FileNotFoundError
        The lane is not there.
    ValueError
        The folder lacks a network.
    subprocess.CalledProcessError
        A guest or pip failed.
    """
    if not (lane / "count.so").exists():
        raise FileNotFoundError(f"{lane} has no count.so: make it by benchmarks/arm/lane.sh")
    if missing := [name for name in SIZES if not (params / f"{name}.param").exists()]:
        raise ValueError(
            f"{params} lacks {missing[0]}.param: give the folder benchmark/models of ncnn"
        )
    site = lane / f"ncnn-{NCNN}"
    if not site.exists():
        _install(site)
    with written_beside(output) as beside, beside.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_rows(params, lane, site, tools))


def _install(site: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    which = ["--only-binary=:all:", "--platform", PLATFORM, "--python-version", "3.11"]
    subprocess.run([*pip, *which, f"ncnn=={NCNN}"], check=True, capture_output=True, text=True)


def _rows(params: Path, lane: Path, site: Path, tools: Tools) -> Iterator[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        files = {name: (params / f"{name}.param", size) for name, size in SIZES.items()}
        for path in mobilenet.write(Path(folder)):
            files[f"litert/{path.stem}"] = path, mobilenet.SIZE
        for core in CORES:
            for name, (path, size) in files.items():
                print(f"{core.name}: {name}", file=sys.stderr)
                yield _count(core, name, lane, site, path, size, tools)


def _count(
    core: Core, name: str, lane: Path, site: Path, path: Path, size: int, tools: Tools
) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder:
        out, blocks = Path(folder) / "out", Path(folder) / "blocks"
        plugin = f"{lane.resolve() / 'count.so'},out={out},blocks={blocks},{CACHES[core.name]}"
        guest = HERE / "guest.py"
        python(lane, core, guest, path, str(size), paths=[site.resolve()], plugin=plugin)
        _, counted, _, _, l1d, l1i, l2 = map(int, out.read_text().split())
        executed = read_blocks(blocks)
    assert instructions(executed) == counted
    cycles = tools.cycles(executed, CPUS[core.name]).cycles
    return core.name, name, counted, round(cycles), l1d, l1i, l2
