"""Models in engines and on processors that cannot share this environment, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from onwrist_export.quantization.elsewhere import Elsewhere, environment
from onwrist_runtime.errors import EngineError

REPOSITORY = Path(__file__).parents[2]
Arrays = dict[str, NDArray[np.generic]]


def python_with(engine: str) -> str:
    """The Python of an engine's environment, made on first use; skips where it cannot be."""
    try:
        folder = REPOSITORY / f".venv-{engine.removeprefix('tflite-')}"
        return str(environment(engine, folder))
    except EngineError as error:
        pytest.skip(str(error))


def run_elsewhere(
    command: Sequence[str], engine: str, model: bytes, inputs: Mapping[str, NDArray[np.float32]]
) -> Arrays:
    """Outputs (W, ...) by name for inputs (W, ...) by name.

    What a model says of its `next_state` is its `state` in the next window.
    """
    found: dict[str, list[NDArray[np.generic]]] = {}
    feed: Arrays = {}
    with Elsewhere(command, engine, model) as other:
        for k in range(len(inputs["values"])):
            state = {"state": feed["next_state"]} if "next_state" in feed else {}
            feed = other.run({n: x[k : k + 1] for n, x in inputs.items()} | state)
            for name, output in feed.items():
                found.setdefault(name, []).append(output[0])
    return {name: _layout(np.stack(each).astype(np.float64)) for name, each in found.items()}


def _layout(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """(W, 1, L, C) of TFLite as (W, C, L)."""
    return array[:, 0].transpose(0, 2, 1) if array.ndim == 4 else array
