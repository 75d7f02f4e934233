"""A step graph in, something that runs a whole stretch of a stream out.

With this, whatever judges a graph by windows judges a step by streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from onwrist_export.windows.grids import Run

STATE, NEXT_STATE = "state", "next_state"
IN_TIME = ("values", "observed")


def carried(run: Run, model: ModelProto) -> Run:
    """A step of one stream after the other, from the first state on.

    `run` runs `model`. It is given back as it is if that is no step.
    """
    shapes = input_shapes(model)
    if STATE not in shapes:
        return run
    state = np.zeros(shapes[STATE], np.float32)

    def step(inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[Any]]:
        nonlocal state
        outputs = run({**inputs, STATE: state})
        state = outputs[NEXT_STATE]
        return outputs

    return step


def each_step(
    run: Run, inputs: Mapping[str, NDArray[np.float32]], model: ModelProto
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Outputs of every step of a stretch, from the first state on.

    Parameters
    ----------
    run : runs `model`; if that is no step, the whole stretch is one.
    inputs : by name, as of a graph; values and observed are (1, C, T).
    """
    step, length = carried(run, model), input_shapes(model)["values"][-1]
    for start in range(0, inputs["values"].shape[-1], length):
        part = {name: inputs[name][..., start : start + length] for name in IN_TIME}
        yield step({**inputs, **part})


def stepwise(run: Run, model: ModelProto) -> Run:
    """The outputs of the last step, as a function of a window with its context."""

    def last(inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[Any]]:
        *_, outputs = each_step(run, inputs, model)
        return {name: output for name, output in outputs.items() if name != NEXT_STATE}

    return last


def input_shapes(model: ModelProto) -> dict[str, list[int]]:
    """Shape of each input of a graph by its name."""
    return {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
