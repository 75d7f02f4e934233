"""Memory of this process."""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path


def resident() -> float:
    """Resident MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_use() -> float:
    """Resident MB once all that is free went back to the system (glibc)."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident()
