"""A model in, the calls that are measured out: predict, engine, step and push.

predict is one window from an array to a Prediction, engine the graph of a window alone, step
the graph of a step alone with the state that the step before left. push is one hop of
samples of every sensor, pushed to a stream at native rates, until its prediction is there.
Windows and steps are golden ones of the bundle, the fullest of each.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onwrist.bench.report import What
from onwrist_runtime.availability import Patterns
from onwrist_runtime.chain import Chain
from onwrist_runtime.engines import open_engine, steps
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.errors import EngineError
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import CLOCK, NEXT_STATE, STATE, Channel, Manifest, Role
from onwrist_runtime.model import Model
from onwrist_runtime.verify import golden_vectors

Arrays = Mapping[str, NDArray[np.float32]]
MOST_LIVE = 8  # of the sensors that are fused; fewer are timed from here down
_BEAT = 1.2  # Hz, of the signal that is pushed


class Timed(NamedTuple):
    """What one call took: all of it, and the engine in it where both are known."""

    nanoseconds: int
    inside: int | None = None


Turn = Callable[[], Timed | None]  # None for a push that gave no prediction


def turns(model: Model) -> dict[What, Turn]:
    """Every call that this model has, ready to be timed."""
    window, values = _fullest(model)
    start = 0.0
    if model.manifest.tokens is not None:
        patch = model.manifest.tokens.patch * model.manifest.period
        start = float(window[CLOCK][0, 0]) * patch
    engine = model.engine
    run: Callable[[], object] = partial(engine.run, window)
    if isinstance(engine, Ensemble):
        # As in `predict`, where restoring has to be asked for.
        live = Patterns(model.manifest).of(window["observed"][0] > 0)
        given = window["values"][0], window["observed"][0] > 0
        run = partial(engine.window, *given, live.live, live.scales, False)
    found: dict[What, Turn] = {
        "predict": _timed(lambda: model.predict(values, start=start)),
        "engine": _timed(run),
    }
    if isinstance(engine, Ensemble):
        found |= _with_fewer(model, values)
    if steps(model.bundle, engine.name):
        found["step"] = _timed(_stepping(model))
    found["push"] = Pushes(model).turn
    return found


def kinds(manifest: Manifest) -> int:
    """How many calls take turns, at most."""
    return 4 if manifest.fusion is None else 2 + min(len(manifest.sensors), MOST_LIVE)


def _fullest(model: Model) -> tuple[Arrays, NDArray[np.float32]]:
    """What the engine takes of the fullest golden window, and its values, NaN where missing."""
    golden = golden_vectors(model.bundle, model.engine)
    fullest = int(golden["observed"].mean(axis=(1, 2)).argmax())
    window = {
        name: golden[name][fullest : fullest + 1].astype(np.float32)
        for name in model.manifest.inputs()
    }
    seen = window["observed"][0] > 0
    return window, np.where(seen, window["values"][0], np.float32(np.nan))


def _with_fewer(model: Model, values: NDArray[np.float32]) -> dict[What, Turn]:
    """Predicting on the window where only the first sensors are there: one fewer each time."""
    manifest = model.manifest
    live = [name for name, state in model.predict(values).sensors.items() if state.used]
    found = {}
    for count in range(min(len(live), MOST_LIVE) - 1, 0, -1):
        kept = live[:count]
        there = np.array([channel.sensor in kept for channel in manifest.channels])
        fewer = np.where(there[:, np.newaxis], values, np.float32(np.nan))
        found[f"predict with {'+'.join(kept)}"] = _timed(partial(model.predict, fewer))
    return found


def step_engine(model: Model) -> Engine:
    """An engine of the model's step graph."""
    return open_engine(model.bundle, model.engine.name, model.engine.threads, "step")


def _timed(call: Callable[[], object]) -> Turn:
    def turn() -> Timed:
        before = time.perf_counter_ns()
        call()
        return Timed(time.perf_counter_ns() - before)

    return turn


def _stepping(model: Model) -> Callable[[], None]:
    engine, step = step_engine(model), model.manifest.step
    assert step is not None
    golden = golden_vectors(model.bundle, engine)
    fullest = int(golden["observed"].mean(axis=(1, 2)).argmax())
    inputs = {
        name: golden[name][fullest : fullest + 1].astype(np.float32)
        for name in model.manifest.inputs("step")
        if name != STATE
    }
    inputs[STATE] = np.zeros((1, step.state), np.float32)

    def call() -> None:
        inputs[STATE] = engine.run(inputs)[NEXT_STATE]

    return call


class Clocked:
    """An engine that sums up the nanoseconds inside it."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads
        self._run = engine.run
        self.spent = 0

    def run(self, inputs: Arrays) -> Arrays:
        before = time.perf_counter_ns()
        outputs = self._run(inputs)
        self.spent += time.perf_counter_ns() - before
        return outputs


class Pushes:
    """A stream that is given one hop of samples at a time, each sensor with one push.

    Raises
    ------
    EngineError
        A hop does not give one prediction.
    """

    def __init__(self, model: Model) -> None:
        self._engines: list[Clocked] = []
        clocked = self._clocked(model)
        # A sensor that is pushed after another is behind it by a hop.
        self._stream = clocked.stream(lateness=2 * clocked.stream().hop)
        self._sensors: dict[str, list[Channel]] = {}
        for channel in model.manifest.channels:
            self._sensors.setdefault(channel.sensor, []).append(channel)
        self._manifest, self._worn = model.manifest, None
        if model.manifest.fusion is not None:
            self._worn = _fullest(model)[0]["values"][0]
        self._hop = 0
        self._next = self._burst()
        # A window is full, and old samples are forgotten at the pace that new ones come.
        window = model.window_samples / model.rate
        for _ in range(2 * int(np.ceil(window / self._stream.hop))):
            self.turn()
        if self.turn() is None:
            raise EngineError(f"a stream of {model.name} does not give one prediction a hop")

    def turn(self) -> Timed | None:
        """Push the next hop; None if it gave no prediction, or more than one."""
        for engine in self._engines:
            engine.spent = 0
        before = time.perf_counter_ns()
        given = self.push()
        spent = time.perf_counter_ns() - before
        # Made now, and not before the push: that would wake the processor after idle.
        self._next = self._burst()
        if given != 1:
            return None
        return Timed(spent, sum(engine.spent for engine in self._engines))

    def push(self) -> int:
        """The pushes of the next hop alone, once for each `turn`; how many predictions came."""
        given = 0
        for name, times, samples in self._next:
            for _ in self._stream.push(name, times, samples):
                given += 1
        return given

    def _clocked(self, model: Model) -> Model:
        """The same model with a clock around each graph that a stream runs."""
        if model.manifest.tokens is not None:
            embed, encode = (self._open(model, role) for role in ("embed", "encode"))
            return dataclasses.replace(model, engine=Chain(model.manifest, embed, encode, None))
        if model.manifest.fusion is not None:
            senses = [self._open(model, "sense", name) for name in model.manifest.sensors]
            fuse = self._open(model, "fuse")
            ensemble = Ensemble(model.manifest, senses, fuse, None)
            return dataclasses.replace(model, engine=ensemble)
        copy = dataclasses.replace(model, engine=self._around(model.engine))
        if steps(model.bundle, model.engine.name):
            # Where the model keeps the engine of its streams, once it has opened it.
            vars(copy)["_step_engine"] = self._open(model, "step")
        return copy

    def _open(self, model: Model, role: Role, sensor: str | None = None) -> Clocked:
        name, threads = model.engine.name, model.engine.threads
        return self._around(open_engine(model.bundle, name, threads, role, sensor))

    def _around(self, engine: Engine) -> Clocked:
        self._engines.append(Clocked(engine))
        return self._engines[-1]

    def _burst(self) -> list[tuple[str, NDArray[np.float64], NDArray[Any]]]:
        """The samples of the next hop."""
        begin, end = self._hop * self._stream.hop, (self._hop + 1) * self._stream.hop
        self._hop += 1
        burst = []
        for name, channels in self._sensors.items():
            rate = channels[0].rate
            times = np.arange(np.ceil(begin * rate - 1e-6), np.ceil(end * rate - 1e-6)) / rate
            samples = self._samples(name, channels, times).astype(np.float32)
            burst.append((name, times, samples[:, 0] if len(channels) == 1 else samples))
        return burst

    def _samples(
        self, name: str, channels: Sequence[Channel], times: NDArray[np.float64]
    ) -> NDArray[Any]:
        """(n, channels): a slow wave inside the range of each channel.

        Sensors that are fused must look as if they were worn: they repeat a golden window.
        """
        if self._worn is None:
            wave = np.sin(2 * np.pi * _BEAT * times)
            rows = [
                (x.minimum + x.maximum) / 2 + (x.maximum - x.minimum) / 20 * wave
                for x in channels
            ]
            return np.stack(rows, axis=1)
        point = np.floor(times * self._manifest.rate + 1e-6).astype(np.intp)
        worn: NDArray[Any] = self._worn[list(self._manifest.rows(name))].T
        return worn[point % len(worn)]
