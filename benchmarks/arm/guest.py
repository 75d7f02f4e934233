"""Bundles and inputs in, calls that are counted out: runs on an emulated core under count.c.

    python guest.py WHAT ENGINE BUNDLES INPUTS CALLS

BUNDLES is a folder of .onwrist files. INPUTS.npz has their "BUNDLE/ROLE/INPUT"; a role of one
size of several is "encode-72". WHAT is any of "graphs", that of each role on its own,
"calls", `predict` and the push of a hop, and "proof", the golden vectors before all else,
joined by commas. Each call is a region, warm by then. Printed is JSON, what each label stands
for.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.bench.calls import Pushes, turns
from onwrist_runtime import bundle, engines, verify
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.model import Model

MARK, END = 0x6F6E7772, 0  # as in count.c
NOTHING = 1  # the label of calls that do nothing
WARM = 3  # calls that go before those that are counted

_prctl = ctypes.CDLL(None).prctl
_prctl.argtypes = [ctypes.c_ulong] * 5


def region(label: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, as a region of its own."""

    def counted(*given: object) -> Any:
        _prctl(MARK, label, 0, 0, 0)
        result = call(*given)
        _prctl(MARK, END, 0, 0, 0)
        return result

    return counted


def repeat(calls: int, label: int, call: Callable[[], object]) -> None:
    """Call it until it is warm, and then as often as is counted."""
    for _ in range(WARM):
        call()
    counted = region(label, call)
    for _ in range(calls):
        counted()


def repeat_pushes(calls: int, label: int, pushes: Pushes) -> None:
    """Count the pushes of a hop, without the making of their samples.

    Raises
    ------
    RuntimeError
        A push ended in no prediction, or in several.
    """
    pushes.push = region(label, pushes.push)  # type: ignore[method-assign]
    for _ in range(calls):
        if pushes.turn() is None:
            raise RuntimeError("a push did not give one prediction")


def engine_calls(
    opened: bundle.Bundle,
    engine: str,
    fed: dict[str, dict[str, NDArray[np.float32]]],
    calls: int,
    labels: count[int],
) -> dict[int, str]:
    """Count LiteRT's `Invoke` or ONNX Runtime's `run` alone, for each role."""
    regions = {}
    for role, inputs in fed.items():
        sensor = opened.manifest.sensors[0] if role == "sense" else None
        graph = engines.open_engine(opened, engine, role=role.partition("-")[0], sensor=sensor)
        for _ in range(WARM):
            graph.run(inputs)
        label = next(labels)
        regions[label] = role
        if engine == "litert":
            native = graph._interpreter._interpreter
            marked = SimpleNamespace(
                SetTensor=native.SetTensor,
                Invoke=region(label, native.Invoke),
                GetTensor=native.GetTensor,
            )
            graph._interpreter = SimpleNamespace(_interpreter=marked, owner=graph._interpreter)
        else:
            graph._session = SimpleNamespace(run=region(label, graph._session.run))
        for _ in range(calls):
            graph.run(inputs)
    return regions


def whole_calls(
    opened: bundle.Bundle, engine: str, calls: int, labels: count[int]
) -> dict[int, str]:
    """Count `predict` and a push, of an engine that gives the bundle's golden numbers here."""
    model = Model(opened, engines.open_engine(opened, engine))
    predict, push = next(labels), next(labels)
    repeat(calls, predict, turns(model)["predict"])
    repeat_pushes(calls, push, Pushes(model))  # warm as it is made
    return {predict: "predict", push: "push"}


def prove(opened: bundle.Bundle, engine: str) -> None:
    """Replay the golden windows, and steps where there are any."""
    for role in ("window", "step"):
        if role == "window" or engines.steps(opened, engine):
            verify.prove(opened, engines.open_engine(opened, engine, role=role))


def inputs_of(manifest: Manifest, path: Path) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Inputs of each role of a bundle."""
    fed: dict[str, dict[str, NDArray[np.float32]]] = {}
    with np.load(path) as inputs:
        for key in inputs:
            name, role, tensor = key.split("/")
            if name == manifest.name:
                fed.setdefault(role, {})[tensor] = inputs[key]
    return fed


def main() -> None:
    what, engine, folder, inputs, calls = sys.argv[1:]
    parts = what.split(",")
    gc.disable()  # it would count in whichever region it falls into
    labels = count(NOTHING + 1)
    repeat(int(calls), NOTHING, gc.isenabled)
    regions: dict[int, tuple[str, str]] = {}
    for path in sorted(Path(folder).glob("*.onwrist")):
        opened = bundle.read(path)
        name = opened.manifest.name
        found: dict[int, str] = {}
        if "proof" in parts:
            prove(opened, engine)
        if "graphs" in parts:
            fed = inputs_of(opened.manifest, Path(inputs))
            found |= engine_calls(opened, engine, fed, int(calls), labels)
        if "calls" in parts:
            found |= whole_calls(opened, engine, int(calls), labels)
        regions |= {label: (name, role) for label, role in found.items()}
    print(json.dumps(regions))


if __name__ == "__main__":
    main()
