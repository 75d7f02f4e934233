"""A cold start, as a script: bundle, engine and threads in, one JSON object out.

    python -P fresh.py BUNDLE ENGINE THREADS

It is run in a process of its own and imports nothing that an app would not, until all is
measured. The first window is of ones; what it holds does not matter to the time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def memory(field: str) -> int | None:
    """Bytes of this process: VmRSS is what is resident, VmHWM the most that ever was."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return found[0] if found else None


def main(path: str, engine: str, threads: int) -> None:
    before = memory("VmRSS")
    begun = time.perf_counter()
    import onwrist

    imported = time.perf_counter()
    model = onwrist.load(path, engine, threads)
    loaded = time.perf_counter()
    import numpy as np

    values = np.ones((len(model.channels), model.window_samples), np.float32)
    first = time.perf_counter()
    model.predict(values, start=0.0)
    done = time.perf_counter()
    told = {
        "import_s": imported - begun,
        "load_s": loaded - imported,
        "first_s": done - first,
        "resident_before_bytes": before,
        "resident_bytes": memory("VmRSS"),
        "peak_bytes": memory("VmHWM"),
    }
    from onwrist.bench.emulation import emulation

    print(json.dumps({"start": told, "emulated": emulation().emulated}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
