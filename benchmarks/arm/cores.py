"""A core and a script for it in, what Python says on that core out, in what lane.sh has made.

QEMU 10 shows a guest the core that it emulates. Only QEMU 7.2 counts instructions; there a
guest is told by files which core it is on, since engines choose their kernels by that.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Core:
    """A core for both emulators.

    Attributes
    ----------
    name : Arm's name.
    cpu : QEMU 10's name of it.
    counted : QEMU 7.2's name of it, or of one with the same instructions.
    part, variant : what Linux tells of it, and QEMU 7.2 has to be told.
    bits : 64, or 32.
    """

    name: str
    cpu: str
    counted: str
    part: str
    variant: str
    bits: int = 64


# QEMU 7.2 has no Cortex-A55: the A76 has its instructions, the integer dot product among them,
# which engines do not look for in an A55 of variant 0.
CORES = (
    Core("Cortex-A53", "cortex-a53", "cortex-a53", "0xd03", "0x0"),
    Core("Cortex-A55", "cortex-a55", "cortex-a76", "0xd05", "0x1"),
    Core("Cortex-A72", "cortex-a72", "cortex-a72", "0xd08", "0x0"),
    Core("Cortex-A76", "cortex-a76", "cortex-a76", "0xd0b", "0x3"),
)
CORTEX_A7 = Core("Cortex-A7", "cortex-a7", "cortex-a7", "0xc07", "0x0", bits=32)

_PROCESSORS = 2  # as boards have; where there is one, ONNX Runtime runs other kernels


def python(
    lane: Path,
    core: Core,
    *arguments: str | Path,
    paths: Sequence[Path] = (),
    plugin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the lane's Python on a core.

    Parameters
    ----------
    lane : the folder that lane.sh made.
    arguments : of Python.
    paths : folders to import from before the lane's packages.
    plugin : a QEMU plugin and its options, which count on QEMU 7.2; None for QEMU 10.

    Raises
    ------
    FileNotFoundError
        The lane is not there.
    subprocess.CalledProcessError
        Python failed; `stderr` says why.
    """
    lane = lane.resolve()
    wide = core.bits == 64
    root = lane / ("root" if wide else "armhf")
    sites = [lane / "site"]
    if not wide:
        sites = [lane / "site-armhf", root / "usr/lib/python3/dist-packages"]
    needed = [lane / ("qemu" if plugin is None else "host"), root, sites[0]]
    if missing := [part for part in needed if not part.is_dir()]:
        script = Path(__file__).with_name("lane.sh")
        raise FileNotFoundError(f"{missing[0]} is not there: make it by {script} {lane}")
    emulator = "qemu-aarch64" if wide else "qemu-arm"
    path = ":".join(map(str, [*paths, *sites]))
    guest = ["-E", f"PYTHONPATH={path}", root / "usr/bin/python3.11", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        if plugin is None:
            qemu = [lane / "qemu/usr/bin" / emulator, "-cpu", core.cpu, "-L", root]
        else:
            _disguise(Path(folder), root, core)
            host = lane / "host"
            libraries = f"{host}/lib/x86_64-linux-gnu:{host}/usr/lib/x86_64-linux-gnu"
            loader = [host / "lib64/ld-linux-x86-64.so.2", "--library-path", libraries]
            qemu = [*loader, host / "usr/bin" / emulator, "-cpu", core.counted, "-L", folder]
            qemu += ["-plugin", plugin]
        return subprocess.run(
            [*qemu, *guest], check=True, capture_output=True, text=True, env=_environment()
        )


def _environment() -> dict[str, str]:
    """Nothing of this machine's, since the guest would take it for its own."""
    return {"PATH": os.defpath, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}


def _disguise(folder: Path, root: Path, core: Core) -> None:
    """Fill a folder with `root`, and with files that tell a guest which core it is on."""
    for name in ("usr", "lib"):
        (folder / name).symlink_to(root / name)
    (folder / "proc").mkdir()
    architecture = 8 if core.bits == 64 else 7
    (folder / "proc/cpuinfo").write_text(
        "".join(
            f"processor\t: {number}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: {architecture}\nCPU variant\t: {core.variant}\n"
            f"CPU part\t: {core.part}\nCPU revision\t: 0\n\n"
            for number in range(_PROCESSORS)
        )
    )
    system = folder / "sys/devices/system/cpu"
    system.mkdir(parents=True)
    (system / "kernel_max").write_text(f"{_PROCESSORS - 1}\n")
    for name in ("possible", "present", "online"):
        (system / name).write_text(f"0-{_PROCESSORS - 1}\n")
