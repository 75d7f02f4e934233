"""From a push to its prediction, and where the time goes that is not the engine's.

A burst is 1.28 s of every sensor, one push each. Bursts that give exactly one prediction
count: the time of all their pushes, less the time inside `Engine.run`. The true engine runs,
so that what it does to the caches is part of the figure; a second row has an engine that only
gives back what it once gave.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from turns import CALLS, IDLE, UNCOUNTED

import onwrist
from onwrist.bench.calls import Clocked
from onwrist_runtime import arrivals
from onwrist_runtime.availability import Patterns
from onwrist_runtime.engines import Engine, open_engine
from onwrist_runtime.predictor import Predictor
from onwrist_runtime.rolling import Rolling
from onwrist_runtime.stream import Stream
from onwrist_runtime.timeline import Timeline
from streaming.wrist import BURST, Burst, Wrist

Arrays = Mapping[str, NDArray[np.float32]]

# What is timed for the breakdown; none of them calls another.
PARTS: dict[str, tuple[type, str]] = {
    "checks of what is pushed": (arrivals.Arrival, "__init__"),
    "samples into buffers": (Timeline, "take"),
    "resampling": (Timeline, "resample"),
    "running baseline": (Rolling, "_update_baseline"),
    "coverage and pattern": (Patterns, "of"),
    "decision, record": (Predictor, "answer"),
    "old samples forgotten": (Timeline, "forget"),
}
REST = "inputs of the graph, and what holds all together"


@dataclass(frozen=True)
class Row:
    """Microseconds a burst outside the engine."""

    mode: str
    stream: str
    bursts: int
    p50: float
    p90: float
    p99: float
    engine: float


class Echo:
    """An engine that costs nothing: it always gives what it gave first."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads
        self._run, self._outputs = engine.run, None

    def run(self, inputs: Arrays) -> Arrays:
        if self._outputs is None:
            self._outputs = self._run(inputs)
        return self._outputs


class Wearer:
    """A stream that is fed burst by burst."""

    def __init__(self, model: onwrist.Model, mode: Any, engine: Engine) -> None:
        self.engine = Clocked(engine)
        model = dataclasses.replace(model, engine=self.engine)
        model.__dict__["_step_engine"] = self.engine
        self._stream = model.stream(BURST, mode=mode)
        self._bursts = Wrist.of(model.manifest).bursts()
        for _ in range(32):
            self.push(next(self._bursts))

    def push(self, burst: Burst) -> int:
        """Push it; how many predictions it gave."""
        stream: Stream = self._stream
        given = 0
        for name, times, samples in burst:
            for _ in stream.push(name, times, samples):
                given += 1
        return given

    def turn(self) -> tuple[float, float, int]:
        """Microseconds of a burst outside and inside the engine, and its predictions."""
        burst = next(self._bursts)
        self.engine.spent = 0
        before = time.perf_counter_ns()
        given = self.push(burst)
        spent = time.perf_counter_ns() - before
        return (spent - self.engine.spent) / 1000, self.engine.spent / 1000, given


def wearers(model: onwrist.Model) -> dict[str, Wearer]:
    """A stream by steps, one whose engine costs nothing, and one by whole windows."""
    step = open_engine(model.bundle, model.engine.name, 1, "step")
    return {
        "by steps": Wearer(model, "step", step),
        "by steps, an engine of no cost": Wearer(model, "step", Echo(step)),
        "by whole windows": Wearer(model, "window", model.engine),
    }


def measure(model: onwrist.Model, rounds: int) -> list[Row]:
    """Streams take turns in random order, warm and after idle."""
    rows = []
    order = np.random.default_rng(0)
    for mode, count, uncounted, idle in (
        ("warm", CALLS, UNCOUNTED, 0.0),
        (f"after {1000 * IDLE:.0f} ms idle", 1, 0, IDLE),
    ):
        each = wearers(model)
        names = list(each)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(rounds):
            for k in order.permutation(len(names)):
                wearer = each[names[k]]
                time.sleep(idle)
                for turn in range(uncounted + count):
                    outside, inside, given = wearer.turn()
                    if turn >= uncounted and given == 1:
                        found[names[k]].append((outside, inside))
        for name, times in found.items():
            outside, inside = np.array(times).T
            p50, p90, p99 = np.percentile(outside, [50, 90, 99]).tolist()
            engine = float(np.median(inside))
            rows.append(Row(mode, name, len(times), p50, p90, p99, engine))
    return rows


def breakdown(model: onwrist.Model, bursts: int) -> dict[str, float]:
    """Mean microseconds a burst of each part, steps with the true engine, warm.

    Means add up, as medians do not; the slowest tenth of the bursts is left out. Looking
    costs a third of a microsecond for each part that is called.
    """
    wearer = wearers(model)["by steps"]
    times = []
    with _clocks() as spent:
        for turn in range(UNCOUNTED + bursts):
            spent.update(dict.fromkeys(spent, 0))
            outside, _, given = wearer.turn()
            if turn >= UNCOUNTED and given == 1:
                times.append([outside, *(x / 1000 for x in spent.values())])
    found = np.array(times)
    found = found[found[:, 0] <= np.quantile(found[:, 0], 0.9)].mean(axis=0)
    whole, *parts = found.tolist()
    named = dict(zip(PARTS, parts, strict=True))
    return {**named, REST: whole - sum(parts), "all": whole}


@contextmanager
def _clocks() -> Iterator[dict[str, int]]:
    """Nanoseconds spent in each part, while it is looked at."""
    spent = dict.fromkeys(PARTS, 0)
    originals = {part: owner.__dict__[name] for part, (owner, name) in PARTS.items()}
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, _clocked(originals[part], spent, part))
    try:
        yield spent
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, originals[part])


def _clocked(call: Callable[..., Any], spent: dict[str, int], part: str) -> Callable[..., Any]:
    def clocked(*arguments: Any, **named: Any) -> Any:
        before = time.perf_counter_ns()
        result = call(*arguments, **named)
        spent[part] += time.perf_counter_ns() - before
        return result

    return clocked
