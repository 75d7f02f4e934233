"""The u8 graph is chosen only where it is right."""

from __future__ import annotations

import platform

import pytest

from onwrist_runtime import processor

CASCADE_LAKE = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n"
ALDER_LAKE = "processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n"
HASWELL = "processor\t: 0\nflags\t\t: fpu avx2\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "cpuid", "expected"),
    [
        ("x86_64", CASCADE_LAKE, True, True),
        ("AMD64", ALDER_LAKE, False, True),
        ("x86_64", HASWELL, False, False),
        ("x86_64", CASCADE_LAKE, False, False),  # an emulator shows its host's cpuinfo
        ("aarch64", ARM, False, False),
        ("aarch64", CASCADE_LAKE, True, False),
        ("x86_64", "", True, False),
        ("x86_64", None, True, False),
    ],
)
def test_vnni(monkeypatch, tmp_path, machine, cpuinfo, cpuid, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_cpuid_avx512_vnni", lambda: cpuid)
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    assert processor.has_vnni(path) is expected


def test_this_processor_can_be_asked():
    assert processor.has_vnni() in (True, False)
    assert processor._cpuid_avx512_vnni() in (True, False)
