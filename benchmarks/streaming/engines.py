"""Engine time of a window and of a step, and the two ways to carry a step's state.

All contestants race: whole windows and steps in every engine that has both, once as the
engine's own call alone, once as the runtime calls it, with inputs, outputs and state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from common import inputs
from numpy.typing import NDArray
from turns import CALLS, IDLE, race, resampled_medians

import onwrist
from onwrist_runtime.engines import OnnxRuntime, TFLite, open_engine, steps, usable
from onwrist_runtime.manifest import NEXT_STATE, STATE, Role
from streaming.variable import Inside, with_variable

ALONE, WHOLE = "invoke alone", "run"
INSIDE = "litert, state inside"

Call = Callable[[], object]
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Contestant:
    """What races: an engine, a window or a step, and how much of the call."""

    engine: str
    role: Role
    what: str


@dataclass(frozen=True)
class Row:
    """Microseconds of one contestant in one mode."""

    mode: str
    engine: str
    role: Role
    what: str
    least: float
    p50: float
    p90: float


@dataclass(frozen=True)
class Ratio:
    """Of the medians of two contestants, with a 95 % bootstrap interval over rounds."""

    mode: str
    engine: str
    what: str
    ratio: float
    low: float
    high: float


def contestants(model: onwrist.Model) -> dict[Contestant, Call]:
    """Every engine that can run both roles, and LiteRT with the state inside."""
    calls: dict[Contestant, Call] = {}
    for name in usable(model.bundle):
        if not steps(model.bundle, name):
            continue
        for role in ("window", "step"):
            opened = open_engine(model.bundle, name, 1, role)
            given = inputs(model) if role == "window" else step_inputs(model)
            run = (
                _stepping(opened.run, given) if role == "step" else _running(opened.run, given)
            )
            calls[Contestant(name, role, WHOLE)] = run
            run()
            calls[Contestant(name, role, ALONE)] = _alone(opened, given)
    tflite = [g.file for g in model.manifest.graphs if (g.format, g.role) == ("tflite", "step")]
    if Contestant("litert", "step", WHOLE) in calls:
        inside = Inside(with_variable(model.bundle.members[tflite[0]]))
        given = {name: x for name, x in step_inputs(model).items() if name != STATE}
        _agree(model, inside, given)
        calls[Contestant(INSIDE, "step", WHOLE)] = _running(inside.run, given)
        calls[Contestant(INSIDE, "step", ALONE)] = inside.invoke
    return calls


def step_inputs(model: onwrist.Model) -> dict[str, NDArray[np.float32]]:
    """The last step of the window, and the first state."""
    step = model.manifest.step
    assert step is not None
    given = inputs(model)
    for name in ("values", "observed"):
        given[name] = np.ascontiguousarray(given[name][:, :, -step.samples :])
    return given | {STATE: np.zeros((1, step.state), np.float32)}


def _running(run: Callable[[Arrays], Arrays], given: Arrays) -> Call:
    return lambda: run(given)


def _stepping(run: Callable[[Arrays], Arrays], given: dict[str, NDArray[np.float32]]) -> Call:
    def step() -> None:
        given[STATE] = run(given)[NEXT_STATE]

    return step


def _alone(engine: object, given: Arrays) -> Call:
    """The engine's own call with all tensors where they are."""
    if isinstance(engine, TFLite):
        invoke: Call = engine._interpreter.invoke
        return invoke
    assert isinstance(engine, OnnxRuntime)
    session = engine._session
    binding = session.io_binding()
    for name, array in given.items():
        binding.bind_cpu_input(name, array)
    for name in engine.outputs:
        binding.bind_output(name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def _agree(model: onwrist.Model, inside: Inside, given: Arrays) -> None:
    """Both ways must give the same bytes, after a restore as well."""
    outside = open_engine(model.bundle, "litert", 1, "step")
    state = step_inputs(model)[STATE]
    saved = inside.save()
    for turn in range(12):
        if turn == 6:
            inside.restore(saved)
            state = np.zeros_like(state)
        told = outside.run({**given, STATE: state})
        state = told[NEXT_STATE]
        for name, output in inside.run(given).items():
            assert np.array_equal(output, told[name]), f"step {turn}: {name}"
        assert np.array_equal(inside.save(), state), f"step {turn}: the state"


def measure(calls: Mapping[Contestant, Call], rounds: int) -> tuple[list[Row], list[Ratio]]:
    """Both modes of the race, and what a step costs of a window."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    each = list(calls)
    for mode, count, idle in (
        ("warm", CALLS, 0.0),
        (f"after {1000 * IDLE:.0f} ms idle", 1, IDLE),
    ):
        times = race({str(x): calls[x] for x in each}, rounds, count, idle)
        drawn = resampled_medians(times)
        p50 = np.median(times, axis=(1, 2))
        for k, x in enumerate(each):
            least, p90 = float(times[k].min()), float(np.percentile(times[k], 90))
            rows.append(Row(mode, x.engine, x.role, x.what, least, float(p50[k]), p90))
            if x.role == "step":
                window = each.index(Contestant(x.engine.partition(",")[0], "window", x.what))
                low, high = np.percentile(drawn[:, k] / drawn[:, window], [2.5, 97.5])
                ratio = float(p50[k] / p50[window])
                ratios.append(Ratio(mode, x.engine, x.what, ratio, float(low), float(high)))
    return rows, ratios
