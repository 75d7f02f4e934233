"""A quantized ONNX graph in, a TFLite model of plain built-in operators out.

One pass over the nodes: each is handed to its translator in `tflite_ops`, which finds
its operands in the `tflite_scope`. Scales are those of the ONNX graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto

from onwrist_export.tflite_ops import TRANSLATORS
from onwrist_export.tflite_scope import Scope
from onwrist_runtime.errors import InputError


def convert(model: ModelProto, outputs: Sequence[str] = ()) -> bytes:
    """The TFLite form of a QDQ graph with int8 activations.

    Parameters
    ----------
    outputs : tensors of `model` to output besides its own, for checking: quantized ones
        come as int8, feature maps as float or int8 (1, 1, L, C).

    Raises
    ------
    InputError : an operator that has no translation.
    """
    scope = Scope(model)
    inputs = []
    for value in model.graph.input:
        info = scope.flat.tensor(value.name, scope.shapes[value.name], np.float32)
        scope.plain[value.name] = info
        inputs.append(info)
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" or scope.done(node):
            continue
        translate = TRANSLATORS.get(node.op_type)
        if translate is None:
            raise InputError(
                f"{node.op_type} ({node.name}) has no TFLite translation; "
                f"known: {', '.join(sorted(TRANSLATORS))}"
            )
        translate(scope, node)
    found = [scope.get(value.name) for value in model.graph.output]
    found += [scope.last.get(name) or scope.get(name) for name in outputs]
    return scope.flat.pack(inputs, found)
