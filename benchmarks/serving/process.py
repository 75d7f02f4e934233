"""`onwrist serve` on a core of its own, and what the system says of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A service that runs.

    Attributes
    ----------
    url : of its streams.
    """

    url: str
    number: int

    def processor_seconds(self) -> float:
        """How long it ran so far, all threads together."""
        fields = Path(f"/proc/{self.number}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self) -> float:
        """MB."""
        pages = int(Path(f"/proc/{self.number}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def serving(bundle: str, core: int, streams: int, threads: int) -> Iterator[Process]:
    """The command, pinned to a core."""
    options = ["--port", "0", "--json", "--max-streams", streams, "--threads", threads]
    words = [sys.executable, "-m", "onwrist", "serve", bundle, *map(str, options)]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        (name,) = told["models"]
        url = f"{told['url'].replace('http', 'ws', 1)}/v1/models/{name}/stream"
        yield Process(url, process.pid)
        process.send_signal(signal.SIGTERM)
        if process.wait(20):
            raise SystemExit(f"the service ended with {process.returncode}")
    finally:
        process.kill()


def busy_seconds() -> tuple[float, float, float]:
    """Seconds that all processors were busy, and stolen, and of any kind, so far."""
    line = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
    user, nice, system, idle, iowait, irq, soft, stolen = (int(x) / _TICK for x in line)
    busy = user + nice + system + irq + soft
    return busy, stolen, busy + idle + iowait + stolen
