"""How each ONNX operator is said in TFLite: one function an idea, one table of all.

A translator gets the `Scope` of the conversion and the ONNX node, adds TFLite operators
and registers the tensors of the node's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import NodeProto, helper

from onwrist_export.flatbuffer import Quantization, TensorInfo
from onwrist_export.tflite import ROUND_TO, Scope
from onwrist_runtime.errors import InputError

Translator = Callable[[Scope, NodeProto], None]

TIME, WIDTH = 2, 3  # axes of (1, 1, L, C)
LAST_AXES = {0: 0, 1: WIDTH, 2: TIME}  # axis of (1, C, L) -> axis of (1, 1, L, C)


def _attributes(node: NodeProto) -> dict[str, object]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _refuse(node: NodeProto, what: str) -> InputError:
    return InputError(f"{node.op_type} ({node.name}) with {what} has no TFLite translation")


def _integers(scope: Scope, node: NodeProto, index: int) -> list[int] | None:
    """The constant integers of an input, None where it is left out."""
    if len(node.input) <= index or not node.input[index]:
        return None
    value = scope.constant(node.input[index])
    if value is None:
        raise _refuse(node, f"a computed {node.input[index]}")
    return [int(v) for v in np.atleast_1d(value)]


def _axes(found: Sequence[int], rank: int) -> list[int]:
    return [a % rank for a in found]


def _maps_last(scope: Scope, node: NodeProto) -> bool:
    """Whether to compute with channels last: a feature map is, and all operands can be."""
    computed = [name for name in node.input if scope.constant(name) is None]
    ranks = {len(scope.shapes[name]) for name in computed}
    return ranks == {3} and any(scope.is_last(name) for name in computed)


def _output(scope: Scope, node: NodeProto, like: TensorInfo | None = None) -> TensorInfo:
    """The float output of `node`: in ONNX's shape, or channels last like a feature map."""
    name = node.output[0]
    shape = scope.shapes[name]
    if like is None:
        scope.plain[name] = scope.flat.tensor(name, shape, np.float32)
        return scope.plain[name]
    _, channels, length = shape
    scope.last[name] = scope.flat.tensor(name, (1, 1, length, channels), np.float32)
    return scope.last[name]


def _operands(scope: Scope, node: NodeProto) -> tuple[list[TensorInfo], TensorInfo]:
    """Inputs and output of an elementwise operator, all in one layout."""
    if _maps_last(scope, node):
        inputs = [scope.get_last(name) for name in node.input]
        return inputs, _output(scope, node, like=inputs[0])
    return [scope.get(name) for name in node.input], _output(scope, node)


def _quantized_output(scope: Scope, quantizer: NodeProto, shape: Sequence[int]) -> TensorInfo:
    name = quantizer.output[0]
    info = scope.flat.tensor(name, shape, np.int8, scope.quantization(quantizer))
    scope.last[name] = info
    return info


def _stored(scope: Scope, name: str) -> str:
    """The quantized tensor behind a dequantized one."""
    return scope.dequantizers[name].input[0]


def elementwise(builtin: str, options: Callable[[], object] | None = None) -> Translator:
    """One TFLite operator with the same inputs and output."""

    def translate(scope: Scope, node: NodeProto) -> None:
        inputs, output = _operands(scope, node)
        scope.flat.operator(builtin, inputs, [output], 1, options() if options else None)

    return translate


def add(scope: Scope, node: NodeProto) -> None:
    quantizer = scope.integer(node)
    if quantizer is None:
        elementwise("ADD", schema.AddOptionsT)(scope, node)
        return
    inputs = [scope.get_last(_stored(scope, name)) for name in node.input]
    output = _quantized_output(scope, quantizer, inputs[0].shape)
    scope.flat.operator("ADD", inputs, [output], 2, schema.AddOptionsT())


def clip(scope: Scope, node: NodeProto) -> None:
    """Bounds one after the other; either may be left out."""
    names = [node.input[i] if len(node.input) > i else "" for i in (1, 2)]
    last = _maps_last(scope, node)
    value = scope.get_last(node.input[0]) if last else scope.get(node.input[0])
    bounds = [(b, n) for b, n in zip(("MAXIMUM", "MINIMUM"), names, strict=True) if n]
    for position, (builtin, bound) in enumerate(bounds):
        final = position == len(bounds) - 1
        if final:
            result = _output(scope, node, like=value if last else None)
        else:
            result = scope.flat.tensor(f"{node.output[0]}/low", value.shape, np.float32)
        limit = scope.get(bound)
        options = schema.MaximumMinimumOptionsT()
        scope.flat.operator(builtin, [value, limit], [result], 1, options)
        value = result


def conv(scope: Scope, node: NodeProto) -> None:
    """A convolution over time, in integers where input, weights and output are quantized."""
    given = _attributes(node)
    if given.get("group", 1) != 1 or any(d != 1 for d in given.get("dilations", [])):
        raise _refuse(node, "groups or dilations")
    if given.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise _refuse(node, "automatic padding")
    stride = given.get("strides", [1])[0]
    before, after = given.get("pads", [0, 0])
    quantizer = scope.integer(node)
    x = scope.get_last(node.input[0] if quantizer is None else _stored(scope, node.input[0]))
    weights, bias = _weights(scope, node, quantizer is not None)
    kernel = weights.shape[2]
    length = x.shape[TIME]
    produced = (length + before + after - kernel) // stride + 1
    needed = (produced - 1) * stride + kernel - length
    padding = schema.Padding.SAME
    if needed <= 0:
        padding = schema.Padding.VALID
    elif before != needed // 2 or produced != -(-length // stride):
        # SAME puts the odd sample of padding at the end, PyTorch at the start
        x = _pad_time(scope, x, f"{node.name}/padded", before, needed - before)
        padding = schema.Padding.VALID
    options = schema.Conv2DOptionsT()
    options.padding = padding
    options.strideW, options.strideH = stride, 1
    options.dilationWFactor = options.dilationHFactor = 1
    shape = (1, 1, produced, weights.shape[0])
    if quantizer is not None:
        output, version = _quantized_output(scope, quantizer, shape), 3
    else:
        output, version = _output(scope, node, like=x), 1
    scope.flat.operator("CONV_2D", [x, weights, bias], [output], version, options)


def _weights(scope: Scope, node: NodeProto, integer: bool) -> tuple[TensorInfo, TensorInfo]:
    """Weights (O, I, K) as (O, 1, K, I), and bias (O,)."""
    found = []
    for name, dtype in zip(node.input[1:3], (np.int8, np.int32), strict=True):
        quantization = None
        value = scope.constant(name)
        if value is None:
            raise _refuse(node, f"computed weights {name}")
        if integer:
            source = scope.dequantizers[name]
            scale = scope.constants[source.input[1]].astype(np.float32)
            zeros = np.zeros(scale.shape, np.int64)
            quantization = Quantization(scale, zeros)
            value = scope.constants[source.input[0]].astype(dtype)
        if value.ndim == 3:
            value = value.transpose(0, 2, 1)[:, None]
        found.append(scope.flat.constant(name, value, quantization))
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
    if np.log2(scale).is_integer():
        large = scope.flat.constant(f"{node.name}/large", np.float32(ROUND_TO * scale))
        for builtin, options in (("ADD", schema.AddOptionsT), ("SUB", schema.SubOptionsT)):
            rounded = scope.flat.tensor(f"{node.name}/{builtin}", x.shape, np.float32)
            scope.flat.operator(builtin, [x, large], [rounded], 1, options())
            x = rounded
    name = node.output[0]
    result = scope.flat.tensor(name, x.shape, np.int8, quantization)
    scope.flat.operator("QUANTIZE", [x], [result], 1, schema.QuantizeOptionsT())
    (scope.last if last else scope.plain)[name] = result


def reduce(builtin: str) -> Translator:
    """A reduction over constant axes."""

    def translate(scope: Scope, node: NodeProto) -> None:
        name = node.input[0]
        rank = len(scope.shapes[name])
        given = _integers(scope, node, 1)
        axes = _axes(given if given is not None else range(rank), rank)
        keep = bool(_attributes(node).get("keepdims", 1))
        options = schema.ReducerOptionsT()
        if rank == 3 and axes == [2] and scope.is_last(name):
            x, axes, options.keepDims = scope.get_last(name), [1, TIME], False
        else:
            x, options.keepDims = scope.get(name), keep
        indices = scope.flat.constant(f"{node.output[0]}/axes", np.array(axes, np.int32))
        shape = scope.shapes[node.output[0]]
        if keep and not options.keepDims:
            reduced = scope.flat.tensor(f"{node.output[0]}/reduced", shape[:2], np.float32)
            scope.flat.operator(builtin, [x, indices], [reduced], 1, options)
            scope.plain[node.output[0]] = scope.reshape(reduced, node.output[0], shape)
        else:
            output = _output(scope, node)
            scope.flat.operator(builtin, [x, indices], [output], 1, options)

    return translate


def gemm(scope: Scope, node: NodeProto) -> None:
    given = _attributes(node)
    if given.get("transA", 0) or given.get("alpha", 1.0) != 1 or given.get("beta", 1.0) != 1:
        raise _refuse(node, "a transposed or scaled input")
    weights = scope.constant(node.input[1])
    if weights is None:
        raise _refuse(node, "computed weights")
    if not given.get("transB", 0):
        weights = weights.T
    inputs = [scope.get(node.input[0]), scope.flat.constant(node.input[1], weights)]
    if len(node.input) > 2:
        inputs.append(scope.get(node.input[2]))
    options = schema.FullyConnectedOptionsT()
    scope.flat.operator("FULLY_CONNECTED", inputs, [_output(scope, node)], 1, options)


def softmax(scope: Scope, node: NodeProto) -> None:
    if _attributes(node).get("axis", -1) % len(scope.shapes[node.input[0]]) != (
        len(scope.shapes[node.input[0]]) - 1
    ):
        raise _refuse(node, "an axis other than the last")
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    inputs = [scope.get(node.input[0])]
    scope.flat.operator("SOFTMAX", inputs, [_output(scope, node)], 1, options)


def gelu(scope: Scope, node: NodeProto) -> None:
    inputs, output = _operands(scope, node)
    options = schema.GeluOptionsT()
    options.approximate = _attributes(node).get("approximate", b"none") == b"tanh"
    scope.flat.operator("GELU", inputs, [output], 1, options)


def concat(scope: Scope, node: NodeProto) -> None:
    options = schema.ConcatenationOptionsT()
    options.axis = _attributes(node)["axis"] % len(scope.shapes[node.output[0]])
    inputs = [scope.get(name) for name in node.input]
    scope.flat.operator("CONCATENATION", inputs, [_output(scope, node)], 1, options)


def slice_(scope: Scope, node: NodeProto) -> None:
    """A part of every axis, with a step; of int8 feature maps too, whose scale it keeps."""
    name, quantizer = node.input[0], scope.quantizer_after(node)
    integer = quantizer is not None and name in scope.dequantizers
    shape = scope.shapes[name]
    starts, ends = _integers(scope, node, 1), _integers(scope, node, 2)
    axes = _axes(_integers(scope, node, 3) or range(len(starts)), len(shape))
    steps = _integers(scope, node, 4) or [1] * len(axes)
    parts = [slice(0, size, 1) for size in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise _refuse(node, "a negative step")
        parts[axis] = slice(*slice(start, end, step).indices(shape[axis]))
    if integer or _maps_last(scope, node):
        _, channels, length = parts
        parts = [slice(0, 1, 1), slice(0, 1, 1), length, channels]
        x = scope.get_last(_stored(scope, name) if integer else name)
    else:
        x = scope.get(name)
    if integer:
        _, channels, length = scope.shapes[node.output[0]]
        output = _quantized_output(scope, quantizer, (1, 1, length, channels))
    else:
        output = _output(scope, node, like=x if len(x.shape) == 4 else None)
    edges = [
        scope.flat.constant(
            f"{node.output[0]}/{edge}", np.array([getattr(p, edge) for p in parts], np.int32)
        )
        for edge in ("start", "stop", "step")
    ]
    version = 2 if x.dtype == np.int8 else 1
    options = schema.StridedSliceOptionsT()
    scope.flat.operator("STRIDED_SLICE", [x, *edges], [output], version, options)


def reshape(scope: Scope, node: NodeProto) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the same numbers in the inferred shape."""
    shape = scope.shapes[node.output[0]]
    scope.plain[node.output[0]] = scope.reshape(scope.get(node.input[0]), node.output[0], shape)


def transpose(scope: Scope, node: NodeProto) -> None:
    rank = len(scope.shapes[node.input[0]])
    order = np.array(_attributes(node).get("perm", range(rank)[::-1]), np.int32)
    inputs = [
        scope.get(node.input[0]),
        scope.flat.constant(f"{node.output[0]}/order", order),
    ]
    options = schema.TransposeOptionsT()
    scope.flat.operator("TRANSPOSE", inputs, [_output(scope, node)], 1, options)


def identity(scope: Scope, node: NodeProto) -> None:
    scope.plain[node.output[0]] = scope.get(node.input[0])


TRANSLATORS: dict[str, Translator] = {
    "Abs": elementwise("ABS", schema.AbsOptionsT),
    "Add": add,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Div": elementwise("DIV", schema.DivOptionsT),
    "Exp": elementwise("EXP", schema.ExpOptionsT),
    "Flatten": reshape,
    "Gelu": gelu,
    "Gemm": gemm,
    "Identity": identity,
    "Log": elementwise("LOG"),
    "Max": elementwise("MAXIMUM", schema.MaximumMinimumOptionsT),
    "Min": elementwise("MINIMUM", schema.MaximumMinimumOptionsT),
    "Mul": elementwise("MUL", schema.MulOptionsT),
    "Neg": elementwise("NEG", schema.NegOptionsT),
    "QuantizeLinear": quantize,
    "ReduceMax": reduce("REDUCE_MAX"),
    "ReduceMean": reduce("MEAN"),
    "ReduceMin": reduce("REDUCE_MIN"),
    "ReduceSum": reduce("SUM"),
    "Relu": elementwise("RELU"),
    "Reshape": reshape,
    "Sigmoid": elementwise("LOGISTIC"),
    "Slice": slice_,
    "Softmax": softmax,
    "Sqrt": elementwise("SQRT"),
    "Squeeze": reshape,
    "Sub": elementwise("SUB", schema.SubOptionsT),
    "Tanh": elementwise("TANH"),
    "Transpose": transpose,
    "Unsqueeze": reshape,
}
