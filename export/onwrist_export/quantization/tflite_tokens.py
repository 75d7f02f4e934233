"""The operators of a transformer in TFLite: linear layers, products, norms and choices.

A linear layer is one integer operator where the pattern of quantizers is complete; all
else here computes in float.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import NodeProto

from onwrist_export.quantization.flatbuffer import TensorInfo
from onwrist_export.quantization.tflite_layers import weights
from onwrist_export.quantization.tflite_scope import (
    Scope,
    attributes,
    output,
    refuse,
    stored,
)


def gemm(scope: Scope, node: NodeProto) -> None:
    """A linear layer of rows (K, I), with weights (O, I) and bias."""
    given = attributes(node)
    if given.get("transA", 0) or given.get("alpha", 1.0) != 1 or given.get("beta", 1.0) != 1:
        raise refuse(node, "a transposed or scaled input")
    quantizer = scope.integer(node)
    if quantizer is not None:
        _integer(scope, node, quantizer)
        return
    value = scope.constant(node.input[1])
    if value is None:
        raise refuse(node, "computed weights")
    if not given.get("transB", 0):
        value = value.T
    inputs = [scope.get(node.input[0]), scope.flat.constant(node.input[1], value)]
    if len(node.input) > 2:
        inputs.append(scope.get(node.input[2]))
    options = schema.FullyConnectedOptionsT()
    scope.flat.operator("FULLY_CONNECTED", inputs, [output(scope, node)], 1, options)


def _integer(scope: Scope, node: NodeProto, quantizer: NodeProto) -> None:
    """As a convolution of kernel 1: as fast as FULLY_CONNECTED, the same bits, and unlike it
    known by channel to every engine."""
    rows, width = scope.shapes[node.output[0]]
    x = scope.get(stored(scope, node.input[0]))
    x = scope.reshape(x, f"{node.name}/rows", (1, 1, *x.shape))
    weight, bias = weights(scope, node, integer=True)
    quantization = scope.quantization(quantizer)
    name = quantizer.output[0]
    made = scope.flat.tensor(name, (1, 1, rows, width), np.int8, quantization)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideW = options.strideH = 1
    options.dilationWFactor = options.dilationHFactor = 1
    scope.flat.operator("CONV_2D", [x, weight, bias], [made], 3, options)
    scope.plain[name] = scope.reshape(made, f"{name}/plain", (rows, width))


def matmul(scope: Scope, node: NodeProto) -> None:
    """A product of computed tensors; a second one that was turned is read as it was."""
    flipped = scope.flipped.get(node.input[1])
    second = scope.get(node.input[1]) if flipped is None else flipped
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = False, flipped is not None
    inputs = [scope.get(node.input[0]), second]
    scope.flat.operator("BATCH_MATMUL", inputs, [output(scope, node)], 1, options)


def layer_norm(scope: Scope, node: NodeProto) -> None:
    """x less its mean over the last axis, by its deviation; then weights, if any."""
    name, shape = node.output[0], scope.shapes[node.output[0]]
    given = attributes(node)
    if given.get("axis", -1) % len(shape) != len(shape) - 1:
        raise refuse(node, "an axis other than the last")
    flat = scope.flat
    axis = flat.constant(f"{name}/axis", np.array([len(shape) - 1], np.int32))

    def step(builtin: str, what: str, inputs: list[TensorInfo], options=None) -> TensorInfo:
        across = (*shape[:-1], 1) if builtin == "MEAN" else inputs[0].shape
        made = flat.tensor(f"{name}/{what}", across, np.float32)
        flat.operator(builtin, inputs, [made], 1, options)
        return made

    keep = schema.ReducerOptionsT()
    keep.keepDims = True
    x = scope.get(node.input[0])
    mean = step("MEAN", "mean", [x, axis], keep)
    x = step("SUB", "centred", [x, mean], schema.SubOptionsT())
    square = step("MUL", "squares", [x, x], schema.MulOptionsT())
    variance = step("MEAN", "variance", [square, axis], keep)
    small = flat.constant(f"{name}/epsilon", np.float32(given.get("epsilon", 1e-5)))
    variance = step("ADD", "floored", [variance, small], schema.AddOptionsT())
    inverse = step("RSQRT", "inverse", [variance])
    last = [("MUL", schema.MulOptionsT, inverse)]
    scale = scope.constant(node.input[1])
    if scale is None or (scale != 1).any():
        last.append(("MUL", schema.MulOptionsT, scope.get(node.input[1])))
    if len(node.input) > 2:
        last.append(("ADD", schema.AddOptionsT, scope.get(node.input[2])))
    for k, (builtin, options, operand) in enumerate(last[:-1]):
        x = step(builtin, f"last{k}", [x, operand], options())
    builtin, options, operand = last[-1]
    flat.operator(builtin, [x, operand], [output(scope, node)], 1, options())


def split(scope: Scope, node: NodeProto) -> None:
    """Equal parts along an axis."""
    shape = scope.shapes[node.input[0]]
    axis = attributes(node).get("axis", 0) % len(shape)
    parts = {scope.shapes[name][axis] for name in node.output}
    if len(parts) != 1:
        raise refuse(node, "parts of different sizes")
    which = scope.flat.constant(f"{node.name}/axis", np.int32(axis))
    options = schema.SplitOptionsT()
    options.numSplits = len(node.output)
    made = [scope.flat.tensor(n, scope.shapes[n], np.float32) for n in node.output]
    scope.plain.update(zip(node.output, made, strict=True))
    scope.flat.operator("SPLIT", [which, scope.get(node.input[0])], made, 1, options)


def cast(scope: Scope, node: NodeProto) -> None:
    """Floats as whole numbers, to choose by."""
    name = node.output[0]
    result = scope.flat.tensor(name, scope.shapes[name], np.int32)
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.FLOAT32, schema.TensorType.INT32
    scope.flat.operator("CAST", [scope.get(node.input[0])], [result], 1, options)
    scope.plain[name] = result


def gather(scope: Scope, node: NodeProto) -> None:
    """Columns, or whatever the axis holds, at computed indices."""
    options = schema.GatherOptionsT()
    options.axis = attributes(node).get("axis", 0) % len(scope.shapes[node.input[0]])
    inputs = [scope.get(name) for name in node.input]
    scope.flat.operator("GATHER", inputs, [output(scope, node)], 1, options)
