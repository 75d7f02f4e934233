"""A day of a wrist through one stream, in a process of its own: time and memory by the hour.

    python -m streaming.day BUNDLE ENGINE HOURS JITTER

The day comes as recordings of some minutes, which are repeated: the process never holds more
than one. Building them is not counted as time.
"""

from __future__ import annotations

import json
import sys
import time

import onwrist
from streaming.memory import resident
from streaming.wrist import PERIOD, Wrist


def main() -> None:
    bundle, engine, hours, jitter = sys.argv[1:]
    model = onwrist.load(bundle, engine)
    wrist = Wrist.of(model.manifest, jitter=float(jitter))
    stream = model.stream()
    taken = predictions = 0.0
    told = []
    for period in range(round(float(hours) * 3600 / PERIOD)):
        recording = wrist.recording(period)
        before = time.perf_counter()
        for _ in stream.push_recording(recording):
            predictions += 1
        taken += time.perf_counter() - before
        hour = (period + 1) * PERIOD / 3600
        if hour >= len(told) + 1:
            told.append((hour, taken, resident()))
    repaired = sum(c.repaired for c in stream.counters.values())
    print(json.dumps({"hours": told, "predictions": predictions, "repaired": repaired}))


if __name__ == "__main__":
    main()
