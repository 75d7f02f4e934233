"""Many streams of one model, in a process of its own: memory of each, save and restore.

    python -m streaming.many BUNDLE ENGINE HOW

HOW is what to look with: "resident" memory, "tracemalloc", or "inside" for as many
interpreters as streams, which is what a state inside the model would need.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import islice

import onwrist
from streaming.memory import in_use
from streaming.variable import Inside, with_variable
from streaming.wrist import Burst, Wrist

STREAMS = 50
BURSTS = 40  # of 1.28 s: several windows, so that all buffers are as full as they get
CALLS = 200

Told = dict[str, float]


def main() -> None:
    bundle, engine, how = sys.argv[1:]
    model = onwrist.load(bundle, engine)
    looks = {"resident": _resident, "tracemalloc": _tracemalloc, "inside": _inside}
    print(json.dumps(looks[how](model)))


def _fed(model: onwrist.Model, count: int, bursts: list[Burst]) -> list[onwrist.Stream]:
    """Streams that take turns at each burst."""
    streams = [model.stream() for _ in range(count)]
    for burst in bursts:
        for stream in streams:
            for push in burst:
                list(stream.push(*push))
    gc.collect()
    return streams


def _resident(model: onwrist.Model) -> Told:
    bursts = list(islice(Wrist.of(model.manifest).bursts(), BURSTS))
    _fed(model, 2, bursts)  # what the first streams load is not theirs
    before = in_use()
    streams = _fed(model, STREAMS, bursts)
    each = (in_use() - before) / STREAMS
    blob = streams[0].save()
    return {
        "MB": each,
        "saved bytes": len(blob),
        "save us": _median(streams[0].save),
        "restore us": _median(lambda: model.restore_stream(blob)),
    }


def _tracemalloc(model: onwrist.Model) -> Told:
    bursts = list(islice(Wrist.of(model.manifest).bursts(), BURSTS))
    _fed(model, 2, bursts)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    streams = _fed(model, STREAMS, bursts)
    return {"MB": (tracemalloc.get_traced_memory()[0] - before) / len(streams) / 1e6}


def _inside(model: onwrist.Model) -> Told:
    (file,) = (
        g.file for g in model.manifest.graphs if (g.format, g.role) == ("tflite", "step")
    )
    content = with_variable(model.bundle.members[file])
    first = Inside(content)
    first.invoke()
    before, begun = in_use(), time.perf_counter()
    each = []
    for _ in range(STREAMS):
        each.append(Inside(content))
        each[-1].invoke()
    taken = time.perf_counter() - begun
    state = first.save()
    return {
        "MB": (in_use() - before) / STREAMS,
        "make us": 1e6 * taken / STREAMS,
        "save us": _median(first.save),
        "restore us": _median(lambda: first.restore(state)),
    }


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        before = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - before) / 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
