"""The layers of the encoder in TFLite: convolution, sum, part and quantization.

ONNX says "dequantize, convolve in float, quantize"; TFLite has one integer operator for
that. Each function emits the integer operator where the pattern is complete, and the
float one where a layer was kept out of quantization.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import NodeProto

from onwrist_export.quantization.flatbuffer import Quantization, TensorInfo
from onwrist_export.quantization.network import HISTORY
from onwrist_export.quantization.tflite_scope import (
    TIME,
    Scope,
    attributes,
    axes,
    integers,
    maps_last,
    operands,
    output,
    quantized_output,
    refuse,
    stored,
)

JOINED_AT_ONCE = 5  # tensors that XNNPACK joins; more would leave it, and split the graph
ROUND_TO = 1.5 * 2**23  # x + ROUND_TO * s - ROUND_TO * s rounds x to a multiple of s


def conv(scope: Scope, node: NodeProto) -> None:
    """A convolution over time, in integers where input, weights and output are quantized."""
    given = attributes(node)
    if given.get("group", 1) != 1 or any(d != 1 for d in given.get("dilations", [])):
        raise refuse(node, "groups or dilations")
    if given.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise refuse(node, "automatic padding")
    stride = given.get("strides", [1])[0]
    before, after = given.get("pads", [0, 0])
    quantizer = scope.integer(node)
    x = scope.get_last(node.input[0] if quantizer is None else stored(scope, node.input[0]))
    kernels, bias = weights(scope, node, quantizer is not None)
    kernel = kernels.shape[2]
    length = x.shape[TIME]
    produced = (length + before + after - kernel) // stride + 1
    needed = max((produced - 1) * stride + kernel - length, 0)
    padding = schema.Padding.VALID
    if produced == -(-length // stride) and before == needed // 2:
        padding = schema.Padding.SAME
    elif before or needed:
        # SAME would put the odd sample of padding at the end, PyTorch has it at the start
        x = _pad_time(scope, x, f"{node.name}/padded", before, max(needed - before, 0))
    options = schema.Conv2DOptionsT()
    options.padding = padding
    options.strideW, options.strideH = stride, 1
    options.dilationWFactor = options.dilationHFactor = 1
    shape = (1, 1, produced, kernels.shape[0])
    if quantizer is not None:
        result, version = quantized_output(scope, quantizer, shape), 3
    else:
        result, version = output(scope, node, like=x), 1
    scope.flat.operator("CONV_2D", [x, kernels, bias], [result], version, options)


def weights(scope: Scope, node: NodeProto, integer: bool) -> tuple[TensorInfo, TensorInfo]:
    """Weights (O, I, K) as (O, 1, K, I), and bias (O,), of zeros where there is none.

    Those of a linear layer (O, I) become (O, 1, 1, I).
    """
    found = []
    for name, dtype in zip(node.input[1:3], (np.int8, np.int32), strict=False):
        quantization = None
        value = scope.constant(name)
        if value is None:
            raise refuse(node, f"computed weights {name}")
        if integer:
            source = scope.dequantizers[name]
            scale = scope.constants[source.input[1]].astype(np.float32)
            zeros = np.zeros(scale.shape, np.int64)
            quantization = Quantization(scale, zeros)
            value = scope.constants[source.input[0]].astype(dtype)
        if value.ndim == 2:  # of a linear layer: one of kernel 1
            value = value[..., None]
        if value.ndim == 3:
            value = value.transpose(0, 2, 1)[:, None]
        found.append(scope.flat.constant(name, value, quantization))
    if len(found) == 1:
        zeros = np.zeros(found[0].shape[:1], np.float32)
        found.append(scope.flat.constant(f"{node.name}/bias", zeros))
    return found[0], found[1]


def _pad_time(scope: Scope, x: TensorInfo, name: str, before: int, after: int) -> TensorInfo:
    one, height, length, channels = x.shape
    shape = (one, height, length + before + after, channels)
    result = scope.flat.tensor(name, shape, x.dtype, x.quantization)
    amounts = np.array([[0, 0], [0, 0], [before, after], [0, 0]], np.int32)
    version = 2 if x.dtype == np.int8 else 1
    inputs = [x, scope.flat.constant(f"{name}/amounts", amounts)]
    scope.flat.operator("PAD", inputs, [result], version, schema.PadOptionsT())
    return result


def quantize(scope: Scope, node: NodeProto) -> None:
    """Float to int8, where no integer operator has produced the integers already.

    Engines round ties differently here. With a scale that is a power of two, adding and
    subtracting a large number rounds first, in float, which they all do alike.
    """
    quantization = scope.quantization(node)
    last = scope.is_last(node.input[0])
    x = scope.get_last(node.input[0]) if last else scope.get(node.input[0])
    scale = float(quantization.scale)
    # what a stream remembers is whole multiples of the scale already
    if np.log2(scale).is_integer() and node.input[0] != HISTORY:
        large = scope.flat.constant(f"{node.name}/large", np.float32(ROUND_TO * scale))
        for builtin, options in (("ADD", schema.AddOptionsT), ("SUB", schema.SubOptionsT)):
            rounded = scope.flat.tensor(f"{node.name}/{builtin}", x.shape, np.float32)
            scope.flat.operator(builtin, [x, large], [rounded], 1, options())
            x = rounded
    name = node.output[0]
    result = scope.flat.tensor(name, x.shape, np.int8, quantization)
    scope.flat.operator("QUANTIZE", [x], [result], 1, schema.QuantizeOptionsT())
    (scope.last if last else scope.plain)[name] = result


def _laid_out(scope: Scope, node: NodeProto, last: bool) -> tuple[int, ...]:
    """Shape of the node's output, with channels last or as in ONNX."""
    shape = scope.shapes[node.output[0]]
    return (1, 1, shape[2], shape[1]) if last else shape


def concat(scope: Scope, node: NodeProto) -> None:
    """Parts joined along any axis in float, of int8 maps along time without leaving int8."""
    axis = attributes(node)["axis"] % len(scope.shapes[node.output[0]])
    quantizer = scope.integer(node)
    names = [name if quantizer is None else stored(scope, name) for name in node.input]
    last = maps_last(scope, node) if quantizer is None else scope.is_last(names[0])
    inputs = [scope.get_last(name) if last else scope.get(name) for name in names]
    if quantizer is None:
        result = output(scope, node, like=inputs[0] if last else None)
    else:
        result = quantized_output(scope, quantizer, _laid_out(scope, node, last))
    axis = {1: 3, 2: TIME}[axis] if last else axis
    while len(inputs) > JOINED_AT_ONCE:
        # Neighbours that are joined beforehand are copied twice: the smallest are.
        count = min(JOINED_AT_ONCE, len(inputs) - JOINED_AT_ONCE + 1)
        runs = [inputs[k : k + count] for k in range(len(inputs) - count + 1)]
        sizes = [sum(part.shape[axis] for part in run) for run in runs]
        k = sizes.index(min(sizes))
        shape = list(inputs[0].shape)
        shape[axis] = sizes[k]
        name = f"{node.output[0]}/joined{len(inputs)}"
        joined = scope.flat.tensor(name, shape, result.dtype, result.quantization)
        _join(scope, runs[k], joined, axis)
        inputs[k : k + count] = [joined]
    _join(scope, inputs, result, axis)


def _join(scope: Scope, inputs: list[TensorInfo], result: TensorInfo, axis: int) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    version = 2 if result.dtype == np.int8 else 1
    scope.flat.operator("CONCATENATION", inputs, [result], version, options)


def reshape(scope: Scope, node: NodeProto) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the same numbers in the inferred shape."""
    shape, source = scope.shapes[node.output[0]], node.input[0]
    quantizer = scope.quantizer_after(node) if source in scope.dequantizers else None
    source = source if quantizer is None else stored(scope, source)
    name = node.output[0] if quantizer is None else quantizer.output[0]
    scope.plain[name] = scope.reshape(scope.get(source), name, shape)


def transpose(scope: Scope, node: NodeProto) -> None:
    """Axes in another order; channels and time of an int8 map change places for nothing."""
    rank = len(scope.shapes[node.input[0]])
    order = list(attributes(node).get("perm", range(rank)[::-1]))
    quantizer = scope.integer(node)
    if order == [0, 2, 1] and (quantizer is not None or _between_maps(scope, node)):
        source, name = node.input[0], node.output[0]
        if quantizer is not None:
            source, name = stored(scope, source), quantizer.output[0]
        one, rows, columns = scope.shapes[node.output[0]]
        if scope.is_last(source):
            scope.plain[name] = scope.reshape(
                scope.get_last(source), name, (one, rows, columns)
            )
        else:
            scope.last[name] = scope.reshape(scope.get(source), name, (one, 1, columns, rows))
        return
    following = scope.consumers.get(node.output[0], [])
    if (
        order == [*range(rank - 2), rank - 1, rank - 2]
        and following
        and all(n.op_type == "MatMul" and n.input[1] == node.output[0] for n in following)
    ):
        scope.flipped[node.output[0]] = scope.get(node.input[0])  # a product can read it so
        return
    if quantizer is None:
        x, result, version = scope.get(node.input[0]), output(scope, node), 1
    else:
        x = scope.get(stored(scope, node.input[0]))
        result = quantized_output(scope, quantizer, scope.shapes[node.output[0]])
        version = 2
    turn = scope.flat.constant(f"{node.output[0]}/order", np.array(order, np.int32))
    options = schema.TransposeOptionsT()
    scope.flat.operator("TRANSPOSE", [x, turn], [result], version, options)


def _between_maps(scope: Scope, node: NodeProto) -> bool:
    """Whether a float feature map comes in channels last, or is joined to one that does."""
    readers = scope.consumers.get(node.output[0], [])
    return scope.is_last(node.input[0]) or any(
        n.op_type == "Concat" and maps_last(scope, n) for n in readers
    )


def add(scope: Scope, node: NodeProto) -> None:
    quantizer = scope.integer(node)
    if quantizer is None:
        inputs, result = operands(scope, node)
        version = 1
    else:
        inputs = [scope.get_last(stored(scope, name)) for name in node.input]
        result, version = quantized_output(scope, quantizer, inputs[0].shape), 2
    scope.flat.operator("ADD", inputs, [result], version, schema.AddOptionsT())


def slice_(scope: Scope, node: NodeProto) -> None:
    """A part of every axis, with a step; of int8 feature maps too, whose scale it keeps."""
    name, quantizer = node.input[0], scope.quantizer_after(node)
    integer = quantizer is not None and name in scope.dequantizers
    shape = scope.shapes[name]
    starts, ends = integers(scope, node, 1), integers(scope, node, 2)
    chosen = axes(integers(scope, node, 3) or range(len(starts)), len(shape))
    steps = integers(scope, node, 4) or [1] * len(chosen)
    parts = [slice(0, size, 1) for size in shape]
    for start, end, axis, step in zip(starts, ends, chosen, steps, strict=True):
        if step < 1:
            raise refuse(node, "a negative step")
        parts[axis] = slice(*slice(start, end, step).indices(shape[axis]))
    last = scope.is_last(name) if integer else maps_last(scope, node)
    if last:
        _, channels, length = parts
        parts = [slice(0, 1, 1), slice(0, 1, 1), length, channels]
        x = scope.get_last(stored(scope, name) if integer else name)
    else:
        x = scope.get(stored(scope, name) if integer else name)
    if integer:
        result = quantized_output(scope, quantizer, _laid_out(scope, node, last))
    else:
        result = output(scope, node, like=x if len(x.shape) == 4 else None)
    edges = [
        scope.flat.constant(
            f"{node.output[0]}/{edge}", np.array([getattr(p, edge) for p in parts], np.int32)
        )
        for edge in ("start", "stop", "step")
    ]
    version = 2 if x.dtype == np.int8 else 1
    options = schema.StridedSliceOptionsT()
    scope.flat.operator("STRIDED_SLICE", [x, *edges], [result], version, options)
