"""Events of the processor's own counters, by perf_event_open: calls in, means a call out.

The system call has no wrapper in the C library. Structure and constants are those of
perf_event_open(2) and <linux/perf_event.h>; only user space is counted, which Linux allows
everyone at perf_event_paranoid 2, and of this thread only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from onwrist.bench.machine import ROOT, number

HARDWARE = 0  # PERF_TYPE_HARDWARE
EVENTS = {"cycles": 0, "instructions": 1, "cache_misses": 3, "branch_misses": 5}

# By the process's own instruction set: a 32-bit Python runs under a 64-bit kernel as well.
_NUMBERS = {
    ("x86_64", 64): 298,
    ("aarch64", 64): 241,
    ("aarch64", 32): 364,
    ("armv8l", 32): 364,
    ("armv7l", 32): 364,
    ("armv6l", 32): 364,
}
_SIZE = 112  # PERF_ATTR_SIZE_VER5; a kernel takes any size that it knows
_DISABLED, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 0, 1 << 5, 1 << 6
_TIME_ENABLED, _TIME_RUNNING = 1 << 0, 1 << 1
_ENABLE, _DISABLE, _RESET = 0x2400, 0x2401, 0x2403


class Counter:
    """One event of this thread, which does not count until it is told to.

    Raises
    ------
    OSError
        The kernel, or what emulates it, refuses.
    """

    def __init__(self, kind: int, event: int) -> None:
        key = platform.machine(), 8 * struct.calcsize("P")
        if sys.platform != "linux" or key not in _NUMBERS:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        flags = _DISABLED | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
        # type, size, config, sample_period, sample_type, read_format, flags
        given = (kind, _SIZE, event, 0, 0, _TIME_ENABLED | _TIME_RUNNING, flags)
        attributes = ctypes.create_string_buffer(struct.pack("=IIQQQQQ", *given), _SIZE)
        this_thread, any_processor, no_group = 0, -1, -1
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.syscall(
            ctypes.c_long(_NUMBERS[key]),
            ctypes.byref(attributes),
            ctypes.c_int(this_thread),
            ctypes.c_int(any_processor),
            ctypes.c_int(no_group),
            ctypes.c_ulong(0),
        )
        if self._file < 0:
            refused = ctypes.get_errno()
            raise OSError(refused, os.strerror(refused))

    def start(self) -> None:
        self._tell(_RESET)
        self._tell(_ENABLE)

    def stop(self) -> float | None:
        """Events since the start; None if it never had a counter of the processor.

        Where there are more events than counters, these take turns, and the count is scaled
        to the whole time.
        """
        self._tell(_DISABLE)
        value, enabled, running = struct.unpack("=QQQ", os.read(self._file, 24))
        return value * enabled / running if running else None

    def close(self) -> None:
        os.close(self._file)

    def _tell(self, request: int) -> None:
        self._libc.ioctl(self._file, ctypes.c_ulong(request), 0)


def count(call: Callable[[], object], calls: int) -> dict[str, float]:
    """Mean events of a call, of those events that can be counted here.

    Raises
    ------
    OSError
        None of them can; the error is the kernel's.
    """
    counters: dict[str, Counter] = {}
    refused: OSError | None = None
    for name, event in EVENTS.items():
        try:
            counters[name] = Counter(HARDWARE, event)
        except OSError as error:
            refused = error
    if refused is not None and not counters:
        raise refused
    found = {}
    try:
        for counter in counters.values():
            counter.start()
        for _ in range(calls):
            call()
        for name, counter in counters.items():
            events = counter.stop()
            if events is not None:
                found[name] = round(events / calls, 1)
    finally:
        for counter in counters.values():
            counter.close()
    return found


def why(error: OSError, root: Path = ROOT) -> str:
    """The refusal of a kernel in words."""
    if error.errno in (errno.EACCES, errno.EPERM):
        level = number(root / "proc/sys/kernel/perf_event_paranoid")
        if level is None or level <= 2:
            return "not allowed, perhaps by a container or a security policy"
        return (
            f"not allowed: perf_event_paranoid is {level}, "
            "and `sudo sysctl kernel.perf_event_paranoid=2` allows it"
        )
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
        return "this processor, or the virtual machine around it, offers no counters"
    if error.errno == errno.ENOSYS:
        return "no perf_event_open here: not Linux, an unknown processor, or an emulator"
    return f"perf_event_open failed: {error.strerror}"
