"""Emulated cores: a guest in, its outputs and the instructions of its regions out."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from guest import LABELS
from numpy.typing import NDArray


@dataclass(frozen=True)
class Core:
    """A core as LiteRT sees it: what the emulator executes, and what Linux would call it.

    Kernels are chosen by both. QEMU 7.2 has no Cortex-A55: the A76 has its instructions, the
    integer dot product among them, which LiteRT does not look for in an A55 of variant 0.
    """

    name: str
    emulated: str
    part: str
    variant: str


CORES = (
    Core("Cortex-A53", "cortex-a53", "0xd03", "0x0"),
    Core("Cortex-A55", "cortex-a76", "0xd05", "0x1"),
    Core("Cortex-A76", "cortex-a76", "0xd0b", "0x3"),
)


def disguise(root: Path, core: Core) -> None:
    """Write what a guest in `root` reads of its one processor."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: {core.variant}\nCPU part\t: {core.part}\nCPU revision\t: 0\n"
    )
    system = root / "sys/devices/system/cpu"
    system.mkdir(parents=True, exist_ok=True)
    for name in ("kernel_max", "possible", "present"):
        (system / name).write_text("0\n")


def emulate(
    lane: Path, core: Core, guest: Path, work: Path
) -> tuple[dict[str, NDArray[np.generic]], dict[str, list[int]]]:
    """Run guest.py on `work` in what root.sh has put into `lane`.

    Returns
    -------
    outputs : as in guest.py.
    regions : the instructions of each region in order, marks included, by its label.
    """
    disguise(lane / "root", core)
    outputs, counts = work / f"{core.name}.npz", work / f"{core.name}.txt"
    host = lane / "host"
    libraries = f"{host}/lib/x86_64-linux-gnu:{host}/usr/lib/x86_64-linux-gnu"
    command: list[str | Path] = [
        *(host / "lib64/ld-linux-x86-64.so.2", "--library-path", libraries),
        *(host / "usr/bin/qemu-aarch64", "-cpu", core.emulated, "-L", lane / "root"),
        *("-plugin", f"{lane}/count.so,out={counts}", "-E", f"PYTHONPATH={lane}/site"),
        *(lane / "root/usr/bin/python3.11", guest, work, outputs),
    ]
    subprocess.run(command, check=True, env={"PATH": os.defpath})
    names = {label: name for name, label in LABELS.items()}
    regions: dict[str, list[int]] = {name: [] for name in LABELS}
    for line in counts.read_text().splitlines():
        label, instructions = map(int, line.split())
        regions[names[label]].append(instructions)
    with np.load(outputs) as given:
        return dict(given), regions
