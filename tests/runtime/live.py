"""Samples as a wrist sends them, and what a stream must make of them, said another way.

The oracle goes through the samples one by one in plain Python, resamples what is left as one
recording, and cuts that up.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from toy_graphs import toy_outputs

from onwrist_runtime import Model, Prediction, Signal, Stream
from onwrist_runtime.signals import resample

EPOCH = 1_644_226_061.37
RATES = {"ppg": 64.0, "acc_x": 32.0, "acc_y": 32.0}
ROWS = {"ppg": [0], "acc": [1, 2], "acc_x": [1], "acc_y": [2]}


class Push(NamedTuple):
    name: str
    times: np.ndarray
    samples: np.ndarray


class Recorder:
    """Stands for an engine: keeps what it is given, and is quick."""

    name, graph, threads = "onnxruntime", "model.u8.onnx", 1

    def __init__(self) -> None:
        self.inputs: list[dict[str, np.ndarray]] = []

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        self.inputs.append({name: x.copy() for name, x in inputs.items()})
        observed = inputs["observed"].astype(np.uint8)
        return toy_outputs(inputs["values"], observed, inputs.get("baseline"))


def recording(model: Model) -> tuple[Model, Recorder]:
    """The model with an engine that keeps what it is given."""
    engine = Recorder()
    return dataclasses.replace(model, engine=engine), engine


def run(stream: Stream, pushes: Sequence[Push], flush: bool = True) -> list[Prediction]:
    found = [p for push in pushes for p in stream.push(*push)]
    return found + (list(stream.flush()) if flush else [])


def facts(predictions: Sequence[Prediction]) -> list[tuple[object, ...]]:
    """All that a prediction says, to the bit."""
    return [
        (
            p.start,
            p.end,
            dict(p.coverage),
            dict(p.tasks),
            None if p.embedding is None else p.embedding.tobytes(),
        )
        for p in predictions
    ]


def bits(engine: Recorder) -> list[bytes]:
    return [x["values"].tobytes() + x["observed"].tobytes() for x in engine.inputs]


@st.composite
def samples(draw: st.DrawFn) -> dict[str, Push]:
    """What each sensor took: jittered, with holes, NaN and samples that come twice."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    start = draw(st.sampled_from([0.0, -3.3, EPOCH]))
    seconds = draw(st.sampled_from([1.0, 6.0, 15.0]))
    taken = {}
    for name, rate in (("ppg", 64.0), ("acc", 32.0)):
        if draw(st.integers(0, 9)) == 0:
            continue
        begin = draw(st.sampled_from([0.0, 0.011, 2.5]))
        times = np.arange(begin, seconds, 1 / rate * draw(st.sampled_from([1, 1.0002, 0.5])))
        jitter = draw(st.sampled_from([0.0, 0.1, 0.45])) / rate
        times += random.uniform(-1, 1, len(times)) * jitter
        hole = draw(st.floats(0, seconds))
        keep = (times < hole) | (times > hole + draw(st.sampled_from([0.0, 0.3, 3.0])))
        times = times[keep & (random.random(len(times)) > draw(st.sampled_from([0, 0.1])))]
        times = np.sort(start + times)
        values = random.normal(size=(len(times), len(ROWS[name]))).astype(np.float32)
        values[random.random(values.shape) < draw(st.sampled_from([0.0, 0.02, 0.5]))] = np.nan
        twice = random.integers(0, max(len(times), 1), draw(st.integers(0, 5)))
        if len(times):
            times = np.concatenate([times, times[twice]])
            values = np.concatenate([values, values[twice] + random.integers(-1, 2)])
        taken[name] = Push(name, times, values)
    return taken


def arrivals(
    taken: Mapping[str, Push], random: np.random.Generator, lateness: float
) -> list[Push]:
    """The samples in an order in which none comes later than `lateness`, in some pushes."""
    each = []
    for name, times, values in taken.values():
        delay = random.uniform(0, lateness, len(times)) * 0.999
        if random.random() < 0.3:
            delay[:] = 0.0
        each += [(t + d, name, t, v) for t, d, v in zip(times, delay, values, strict=True)]
    each.sort(key=lambda sample: sample[0])
    pushes: list[Push] = []
    while each:
        # as many samples of one sensor in a row as there are, or fewer
        name, most = each[0][1], int(random.choice([1, 3, 50, 1000]))
        count = next((k for k, s in enumerate(each[:most]) if s[1] != name), len(each[:most]))
        burst, each = each[:count], each[count:]
        pushes.append(
            Push(name, np.array([s[2] for s in burst]), np.array([s[3] for s in burst]))
        )
    return pushes


def split(pushes: Sequence[Push], random: np.random.Generator) -> list[Push]:
    """The same pushes, torn into smaller ones, and some single samples by axis."""
    torn = []
    for name, times, values in pushes:
        cuts = sorted(random.integers(0, len(times) + 1, random.integers(0, 4)))
        for a, b in zip([0, *cuts], [*cuts, len(times)], strict=True):
            torn.append(Push(name, times[a:b], values[a:b]))
            if name == "acc" and b - a == 1 and random.random() < 0.5:
                axes = zip(("acc_x", "acc_y"), torn.pop().samples.T, strict=True)
                torn += [Push(axis, times[a:b], numbers) for axis, numbers in axes]
    return torn


class Oracle:
    """What a stream must give for pushes, from one pass over all samples."""

    def __init__(self, pushes: Sequence[Push], lateness: float) -> None:
        self.newest = -math.inf
        self.kept: list[dict[float, float]] = [{}, {}, {}]
        self.late, self.duplicate = [0, 0, 0], [0, 0, 0]
        for name, times, values in pushes:
            rows = ROWS[name]
            for t, numbers in zip(
                times, np.reshape(values, (len(times), len(rows))), strict=True
            ):
                real = [(r, float(x)) for r, x in zip(rows, numbers, strict=True) if x == x]
                if real:
                    self.newest = max(self.newest, float(t))
                for row, x in real:
                    if t < self.newest - lateness:
                        self.late[row] += 1
                    elif t in self.kept[row]:
                        self.duplicate[row] += 1
                        self.kept[row][t] = min(self.kept[row][t], x)
                    else:
                        self.kept[row][t] = x

    def grid(self) -> tuple[int, np.ndarray, np.ndarray]:
        """First grid point, values and observed up to the newest sample."""
        first = math.ceil((min(min(k) for k in self.kept if k) - 1e-6) * 25)
        last = math.floor((self.newest + 1e-6) * 25)
        values = np.zeros((3, last + 1 - first), np.float32)
        observed = np.zeros(values.shape, bool)
        for row, (kept, rate) in enumerate(zip(self.kept, RATES.values(), strict=True)):
            times = np.array(sorted(kept))
            signal = Signal(np.array([kept[t] for t in times], np.float32), times, rate)
            values[row], observed[row] = resample(signal, 25.0, first, last + 1 - first)
        return first, values, observed

    def windows(self, samples: int, hop: int) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        """Start, values and observed of each window until a flush."""
        if self.newest == -math.inf:
            return
        first, values, observed = self.grid()
        for begin in range(0, values.shape[1] - samples + 1, hop):
            part = slice(begin, begin + samples)
            yield (first + begin) / 25, values[:, part], observed[:, part]
