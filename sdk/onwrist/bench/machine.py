"""The files of /proc and /sys in, what the machine is out.

Every reader takes the root under which the files lie, so that those of another machine can
be read as well.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

from onwrist.bench.cores import name_of
from onwrist.bench.report import Core, Machine

ROOT = Path("/")
PACKAGES = {
    "litert": "ai-edge-litert",
    "onnxruntime": "onnxruntime",
    "tflite-runtime": "tflite-runtime",
}
# What engines use for INT8, as Linux names it on x86, on Arm, and on 32-bit Arm.
_INT8 = (
    *("avx2", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("neon", "asimd", "asimddp", "i8mm", "sve", "sve2", "svei8mm"),
)
# How /proc/cpuinfo numbers a core, from its maker to its revision.
_ARM = ("CPU implementer", "CPU part", "CPU variant", "CPU revision")
_X86 = ("vendor_id", "model", "cpu family", "stepping")


def text(path: Path) -> str | None:
    """What stands in a file of the kernel's, without its end; None if it cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The whole number in such a file."""
    try:
        return int(text(path) or "")
    except ValueError:
        return None


def found(folder: Path, pattern: str) -> list[Path]:
    """What a folder of the kernel's has of some name; nothing where it may not be read."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # Android refuses apps even to ask whether a folder is there
        return []


def machine_of(root: Path = ROOT) -> Machine:
    """What Python runs on."""
    name, version = platform.libc_ver()
    return Machine(
        board=board(root),
        kernel=platform.release(),
        libc=f"{name} {version}".strip() or None,
        machine=platform.machine(),
        bits=8 * struct.calcsize("P"),
        cores=cores(root),
        features=features(root),
        memory_bytes=_memory(root),
    )


def versions(engine: str) -> dict[str, str]:
    """Of Python and of the packages that decide a figure."""
    from importlib import metadata  # it loads the modules of mail, sockets among them

    known = {"Python": platform.python_version()}
    for package in ("onwrist", "numpy", PACKAGES[engine]):
        try:
            known[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            known[package] = "unknown"  # runs from its folder, without being installed
    return known


def board(root: Path = ROOT) -> str | None:
    """The model of the device tree, as on every Arm board; of the DMI, as on a PC."""
    for path in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        if model := text(root / path):
            return model
    dmi = root / "sys/class/dmi/id"
    named = (text(dmi / name) for name in ("sys_vendor", "product_name"))
    return " ".join(word for word in named if word) or None


def processors(root: Path = ROOT) -> Iterator[dict[str, str]]:
    """The fields of /proc/cpuinfo, by processor."""
    for block in (text(root / "proc/cpuinfo") or "").split("\n\n"):
        pairs = (line.partition(":") for line in block.splitlines())
        fields = {name.strip(): value.strip() for name, _, value in pairs}
        if fields.get("processor", "").isdecimal():  # 32-bit Arm ends with one of the board
            yield fields


def cores(root: Path = ROOT) -> tuple[Core, ...]:
    """The kinds of cores, in the order of their first processor."""
    kinds: dict[tuple[str | None, ...], list[int]] = {}
    for fields in processors(root):
        numbered = _ARM if "CPU part" in fields else _X86
        implementer, part, variant, revision = map(fields.get, numbered)
        name = name_of(implementer, part) or fields.get("model name")
        kind = name, implementer, part, variant, revision
        kinds.setdefault(kind, []).append(int(fields["processor"]))
    return tuple(
        Core(
            processors=tuple(numbers),
            name=name,
            implementer=implementer,
            part=part,
            variant=variant,
            revision=revision,
        )
        for (name, implementer, part, variant, revision), numbers in kinds.items()
    )


def processor_name(root: Path = ROOT) -> str:
    """The kinds of cores by name; the kind of machine where no name is known."""
    names = dict.fromkeys(core.name for core in cores(root) if core.name)
    return ", ".join(names) or platform.processor() or platform.machine()


def features(root: Path = ROOT) -> tuple[str, ...]:
    """What every processor has for INT8."""
    each = [
        {*fields.get("flags", "").split(), *fields.get("Features", "").split()}
        for fields in processors(root)
    ]
    common = set.intersection(*each) if each else set()
    return tuple(name for name in _INT8 if name in common)


def usable_processors() -> tuple[int, ...]:
    """Those that this process may run on; all where only Linux would tell."""
    if not hasattr(os, "sched_getaffinity"):
        return tuple(range(os.cpu_count() or 1))
    return tuple(sorted(os.sched_getaffinity(0)))


def _memory(root: Path) -> int | None:
    for line in (text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return 1024 * int(line.split()[1])
    return None
