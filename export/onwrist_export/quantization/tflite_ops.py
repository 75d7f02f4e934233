"""How each ONNX operator is said in TFLite: one function an idea, one table of all.

A translator gets the `Scope` of the conversion and the ONNX node, adds TFLite operators
and registers the tensors of the node's outputs. Those here compute in float.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import NodeProto

from onwrist_export.quantization import tflite_layers, tflite_tokens
from onwrist_export.quantization.tflite_scope import (
    TIME,
    Scope,
    attributes,
    axes,
    integers,
    maps_last,
    operands,
    output,
    refuse,
)

Translator = Callable[[Scope, NodeProto], None]


def elementwise(builtin: str, options: Callable[[], object] | None = None) -> Translator:
    """One TFLite operator with the same inputs and output."""

    def translate(scope: Scope, node: NodeProto) -> None:
        inputs, result = operands(scope, node)
        scope.flat.operator(builtin, inputs, [result], 1, options() if options else None)

    return translate


def clip(scope: Scope, node: NodeProto) -> None:
    """Bounds one after the other; either may be left out."""
    names = [node.input[i] if len(node.input) > i else "" for i in (1, 2)]
    last = maps_last(scope, node)
    value = scope.get_last(node.input[0]) if last else scope.get(node.input[0])
    bounds = [(b, n) for b, n in zip(("MAXIMUM", "MINIMUM"), names, strict=True) if n]
    for position, (builtin, bound) in enumerate(bounds):
        final = position == len(bounds) - 1
        if final:
            result = output(scope, node, like=value if last else None)
        else:
            result = scope.flat.tensor(f"{node.output[0]}/low", value.shape, np.float32)
        limit = scope.get(bound)
        options = schema.MaximumMinimumOptionsT()
        scope.flat.operator(builtin, [value, limit], [result], 1, options)
        value = result


def reduce(builtin: str) -> Translator:
    """A reduction over constant axes."""

    def translate(scope: Scope, node: NodeProto) -> None:
        name = node.input[0]
        rank = len(scope.shapes[name])
        given = integers(scope, node, 1)
        over = axes(given if given is not None else range(rank), rank)
        keep = bool(attributes(node).get("keepdims", 1))
        options = schema.ReducerOptionsT()
        if rank == 3 and over == [2] and scope.is_last(name):
            x, over, options.keepDims = scope.get_last(name), [1, TIME], False
        else:
            x, options.keepDims = scope.get(name), keep
        indices = scope.flat.constant(f"{node.output[0]}/axes", np.array(over, np.int32))
        shape = scope.shapes[node.output[0]]
        if keep and not options.keepDims:
            reduced = scope.flat.tensor(f"{node.output[0]}/reduced", shape[:2], np.float32)
            scope.flat.operator(builtin, [x, indices], [reduced], 1, options)
            scope.plain[node.output[0]] = scope.reshape(reduced, node.output[0], shape)
        else:
            scope.flat.operator(builtin, [x, indices], [output(scope, node)], 1, options)

    return translate


def softmax(scope: Scope, node: NodeProto) -> None:
    rank = len(scope.shapes[node.input[0]])
    if attributes(node).get("axis", -1) % rank != rank - 1:
        raise refuse(node, "an axis other than the last")
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    inputs = [scope.get(node.input[0])]
    scope.flat.operator("SOFTMAX", inputs, [output(scope, node)], 1, options)


def gelu(scope: Scope, node: NodeProto) -> None:
    inputs, result = operands(scope, node)
    options = schema.GeluOptionsT()
    options.approximate = attributes(node).get("approximate", b"none") == b"tanh"
    scope.flat.operator("GELU", inputs, [result], 1, options)


def reciprocal(scope: Scope, node: NodeProto) -> None:
    one = scope.flat.constant(f"{node.name}/one", np.float32(1))
    inputs, result = operands(scope, node)
    scope.flat.operator("DIV", [one, *inputs], [result], 1, schema.DivOptionsT())


TRANSLATORS: dict[str, Translator] = {
    "Abs": elementwise("ABS", schema.AbsOptionsT),
    "Add": tflite_layers.add,
    "Cast": tflite_tokens.cast,
    "Clip": clip,
    "Concat": tflite_layers.concat,
    "Conv": tflite_layers.conv,
    "Div": elementwise("DIV", schema.DivOptionsT),
    "Exp": elementwise("EXP", schema.ExpOptionsT),
    "Floor": elementwise("FLOOR"),
    "Flatten": tflite_layers.reshape,
    "Gelu": gelu,
    "Gather": tflite_tokens.gather,
    "Gemm": tflite_tokens.gemm,
    "LayerNormalization": tflite_tokens.layer_norm,
    "Log": elementwise("LOG"),
    "MatMul": tflite_tokens.matmul,
    "Max": elementwise("MAXIMUM", schema.MaximumMinimumOptionsT),
    "Min": elementwise("MINIMUM", schema.MaximumMinimumOptionsT),
    "Mul": elementwise("MUL", schema.MulOptionsT),
    "Neg": elementwise("NEG", schema.NegOptionsT),
    "QuantizeLinear": tflite_layers.quantize,
    "Reciprocal": reciprocal,
    "ReduceMax": reduce("REDUCE_MAX"),
    "ReduceMean": reduce("MEAN"),
    "ReduceMin": reduce("REDUCE_MIN"),
    "ReduceSum": reduce("SUM"),
    "Relu": elementwise("RELU"),
    "Reshape": tflite_layers.reshape,
    "Sigmoid": elementwise("LOGISTIC"),
    "Slice": tflite_layers.slice_,
    "Softmax": softmax,
    "Split": tflite_tokens.split,
    "Sqrt": elementwise("SQRT"),
    "Squeeze": tflite_layers.reshape,
    "Sub": elementwise("SUB", schema.SubOptionsT),
    "Tanh": elementwise("TANH"),
    "Transpose": tflite_layers.transpose,
    "Unsqueeze": tflite_layers.reshape,
}
