"""What this processor can do: decides between the u8 and the s8 graph."""

from __future__ import annotations

import importlib
import platform
from functools import cache
from pathlib import Path

import numpy as np

VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})


@cache
def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether u8 x s8 products are exact and fast here.

    An x86 without VNNI adds pairs of such products in 16 bits, which saturate: its
    results are plainly wrong. Where nothing can be read, the answer is no, and the s8
    graph, which is right everywhere, is used.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    if not VNNI_FLAGS.intersection(flags):
        return False
    # Under qemu-user /proc/cpuinfo is the host's; NumPy asks the processor itself.
    return "avx512_vnni" not in flags or _cpuid_avx512_vnni()


def _cpuid_avx512_vnni() -> bool:
    core = "numpy._core" if int(np.__version__.split(".")[0]) >= 2 else "numpy.core"
    features = importlib.import_module(f"{core}._multiarray_umath").__cpu_features__
    return bool(features.get("AVX512VNNI", True))
