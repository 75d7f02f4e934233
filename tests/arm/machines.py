"""A machine's name and a script for it in, the script run on it: cores, and this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

from run_bundles import Arrays

REPOSITORY = Path(__file__).parents[2]
sys.path.append(str(REPOSITORY / "benchmarks/arm"))
from cores import CORES, CORTEX_A7, python  # noqa: E402

SCRIPT = Path(__file__).with_name("run_bundles.py")
BUNDLES = REPOSITORY / "sdk/onwrist/bundles"
SOURCES = (REPOSITORY / "runtime", REPOSITORY / "sdk")
ENGINES = ("onnxruntime", "litert")
HERE, OLD_X86 = "this machine", "x86 without VNNI"
ARM = {core.name: core for core in CORES}
CORTEX = {**ARM, CORTEX_A7.name: CORTEX_A7}
NARROW = (CORTEX_A7.name, "tflite-runtime")  # of 32 bits; no other engine has wheels for it

Outputs = dict[tuple[str, str], Future[Arrays]]  # of run_bundles.py by machine and engine


def run(lane: Path, machine: str, *arguments: str | Path) -> None:
    """Run a script by the machine's Python, which finds the repository's runtime and SDK.

    Raises
    ------
    RuntimeError
        It failed: what it wrote to stderr.
    """
    try:
        if machine in CORTEX:
            python(lane, CORTEX[machine], *arguments, paths=SOURCES)
            return
        qemu = [lane / "qemu/usr/bin/qemu-x86_64", "-cpu", "Haswell"]
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": ":".join(map(str, SOURCES)),
            "OMP_NUM_THREADS": "1",
        }
        subprocess.run(
            [*(qemu if machine == OLD_X86 else []), sys.executable, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"on {machine}: {error.stderr}") from error
