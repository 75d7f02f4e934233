"""A quantized ONNX graph in, a TFLite model of plain built-in operators out.

One pass over the nodes: each is handed to its translator in `tflite_ops`, which finds
its operands in the `tflite_scope`. Scales are those of the ONNX graph. One graph in several
sizes becomes one file, whose weights are there once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto

from onwrist_export.quantization.flatbuffer import FlatFile, FlatModel, Graph
from onwrist_export.quantization.tflite_ops import TRANSLATORS
from onwrist_export.quantization.tflite_scope import Scope
from onwrist_runtime.errors import InputError


def convert(model: ModelProto) -> bytes:
    """The TFLite form of a QDQ graph with int8 activations.

    Raises
    ------
    InputError : an operator that has no translation.
    """
    return convert_sizes({"main": model})


def convert_sizes(models: Mapping[str, ModelProto]) -> bytes:
    """The TFLite form of several sizes of one graph, with a signature for each by its name."""
    file = FlatFile()
    return file.pack({name: _convert(model, file) for name, model in models.items()})


def _convert(model: ModelProto, file: FlatFile) -> Graph:
    scope = Scope(model, FlatModel(file))
    inputs = {}
    for value in model.graph.input:
        info = scope.flat.tensor(value.name, scope.shapes[value.name], np.float32)
        scope.plain[value.name] = inputs[value.name] = info
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
    outputs = {value.name: scope.get(value.name) for value in model.graph.output}
    return Graph(scope.flat, inputs, outputs)
