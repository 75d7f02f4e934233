"""Whether software imitates the processor: the files of /proc in, an answer with signs out.

An emulator of programs (qemu-user, and those of its kind) shows a program its own
/proc/self/exe, but few other files. So:

- /proc/self/exe and /proc/thread-self/exe are the same file on a real kernel, and differ
  under such an emulator, where the second one is the emulator, or its loader.
- /proc/thread-self/maps lists the emulator, which is mapped into the process.
- An emulated Arm may see the /proc/cpuinfo of the x86 below it, or the other way round.
- Apple's translator of x86 programs calls the processor "VirtualApple".
- An emulator of whole machines names itself as the processor where it imitates one, as
  "QEMU TCG CPU" or as implementer 0x00. It can also imitate a known core, or be only a board
  around a real one (KVM): on a board of QEMU's the answer is "not known".
"""

from __future__ import annotations

import platform
from pathlib import Path

from onwrist.bench.machine import ROOT, board, processors, text
from onwrist.bench.report import Emulation

_X86 = ("x86_64", "i686", "i386", "amd64")
_BOARDS = ("linux,dummy-virt", "qemu")


def emulation(root: Path = ROOT, machine: str | None = None) -> Emulation:
    """What the files under `root` say, for a kernel that calls its machine `machine`."""
    signs = [*_programs(root), *_mapped(root), *_processors(root, machine)]
    first = next(processors(root), {})
    hypervisor = "hypervisor" in first["flags"].split() if "flags" in first else None
    emulated: bool | None = bool(signs)
    if not signs:
        on = (board(root) or "").lower()
        if on.startswith(_BOARDS):
            emulated, signs = None, [f"the board is {board(root)}: its processor may be real"]
        elif text(root / "proc/thread-self/maps") is None or not first:
            emulated, signs = None, ["/proc does not say enough"]
    return Emulation(emulated=emulated, signs=tuple(signs), hypervisor=hypervisor)


def _programs(root: Path) -> list[str]:
    try:
        shown, true = (
            (root / "proc" / name / "exe").readlink() for name in ("self", "thread-self")
        )
    except OSError:
        return []
    if shown == true:
        return []
    return [f"{shown.name} is run by {true.name}"]


def _mapped(root: Path) -> list[str]:
    lines = (text(root / "proc/thread-self/maps") or "").splitlines()
    names = {Path(line.split(maxsplit=5)[5]).name for line in lines if "/" in line}
    return [f"{name} is mapped" for name in sorted(names) if name.startswith("qemu-")]


def _processors(root: Path, machine: str | None) -> list[str]:
    machine = (machine or platform.machine()).lower()
    fields = next(processors(root), {})
    signs = []
    if fields.get("vendor_id") and machine.startswith(("aarch64", "arm")):
        signs.append(f"/proc/cpuinfo is of an x86, and the machine is {machine}")
    if fields.get("CPU implementer") and machine in _X86:
        signs.append(f"/proc/cpuinfo is of an Arm, and the machine is {machine}")
    if "TCG" in fields.get("model name", "") or fields.get("CPU implementer") == "0x00":
        signs.append("the processor calls itself QEMU's")
    if "VirtualApple" in fields.get("model name", ""):
        signs.append("the processor calls itself Apple's translator")
    return signs
