"""Which TFLite tensor stands for which ONNX tensor while a graph is converted.

Feature maps (1, C, L) of the encoder are laid out channels last, (1, 1, L, C), as
TFLite's convolutions want; they turn back only where an operator needs it. Below the
`Scope` stand the small questions that every translator asks of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from onwrist_export.quantization import network
from onwrist_export.quantization.flatbuffer import FlatModel, Quantization, TensorInfo
from onwrist_runtime.errors import InputError

TIME = 2  # axis of (1, 1, L, C)
PLAIN_TO_LAST = (0, 1, 3, 2)  # (1, 1, C, L) -> (1, 1, L, C), and back


@dataclass(eq=False)
class Scope:
    """Which TFLite tensor stands for which ONNX tensor, while a graph is converted.

    `plain` holds tensors in ONNX's own shape, `last` feature maps with channels last.
    """

    model: ModelProto
    flat: FlatModel = field(default_factory=FlatModel)
    plain: dict[str, TensorInfo] = field(default_factory=dict)
    last: dict[str, TensorInfo] = field(default_factory=dict)
    reshaped: dict[int, TensorInfo] = field(default_factory=dict)
    # tensors whose last two axes are yet to be exchanged, by what reads them
    flipped: dict[str, TensorInfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = network.initializers(self.model)
        self.shapes = {
            v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
            for v in (*graph.value_info, *graph.input, *graph.output)
        }
        self.dequantizers = {
            n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"
        }
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)

    def done(self, node: NodeProto) -> bool:
        return any(node.output[0] in held for held in (self.plain, self.last, self.flipped))

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The value of a float constant, dequantized if it is stored quantized."""
        if name in self.constants:
            return self.constants[name]
        node = self.dequantizers.get(name)
        if node is None or node.input[0] not in self.constants:
            return None
        stored, scale = self.constants[node.input[0]], self.constants[node.input[1]]
        shape = [-1 if scale.ndim else 1, *[1] * (stored.ndim - 1)]
        return (stored * scale.reshape(shape)).astype(np.float32)

    def quantization(self, node: NodeProto) -> Quantization:
        """Scale and zero point of a QuantizeLinear or DequantizeLinear node."""
        scale, zero = (self.constants[name] for name in node.input[1:3])
        return Quantization(scale.astype(np.float32), zero.astype(np.int64))

    def get(self, name: str) -> TensorInfo:
        """The tensor in ONNX's own shape, converted on first use."""
        if name not in self.plain:
            self.plain[name] = self._make_plain(name)
        return self.plain[name]

    def get_last(self, name: str) -> TensorInfo:
        """The feature map (1, C, L) as (1, 1, L, C), converted on first use."""
        if name not in self.last:
            self.last[name] = self._make_last(name)
        return self.last[name]

    def is_last(self, name: str) -> bool:
        """Whether the tensor is at hand with channels last and not in its own shape."""
        node = self.dequantizers.get(name)
        stored = name if node is None else node.input[0]
        return name not in self.plain and (name in self.last or stored in self.last)

    def _make_plain(self, name: str) -> TensorInfo:
        value = self.constant(name)
        if value is not None:
            return self.flat.constant(name, value)
        if name in self.last or self.is_last(name):
            return self._swap(self.get_last(name), name, self.shapes[name])
        return self._dequantize(self.get(self.dequantizers[name].input[0]), name)

    def _make_last(self, name: str) -> TensorInfo:
        value = self.constant(name)
        if value is not None:
            full = value.reshape((1,) * (3 - value.ndim) + value.shape)
            return self.flat.constant(name, full[:, None].transpose(0, 1, 3, 2))
        if name not in self.plain and name in self.dequantizers:
            return self._dequantize(self.get_last(self.dequantizers[name].input[0]), name)
        source = self.get(name)
        _, channels, length = source.shape
        return self._swap(source, f"{name}/last", (1, 1, length, channels))

    def _dequantize(self, source: TensorInfo, name: str) -> TensorInfo:
        result = self.flat.tensor(name, source.shape, np.float32)
        self.flat.operator("DEQUANTIZE", [source], [result], 2, schema.DequantizeOptionsT())
        return result

    def _swap(self, source: TensorInfo, name: str, shape: Sequence[int]) -> TensorInfo:
        """Exchange channels and time of a feature map, to `shape`, from either layout."""
        rows, columns = source.shape[-2:]
        if 1 in (rows, columns):  # nothing moves in memory
            return self.reshape(source, name, shape)
        source = self.reshape(source, f"{name}/rank4", (1, 1, rows, columns))
        step = name if len(shape) == 4 else f"{name}/swapped"
        swapped = self.flat.tensor(
            step, (1, 1, columns, rows), source.dtype, source.quantization
        )
        order = self.flat.constant(f"{name}/order", np.array(PLAIN_TO_LAST, np.int32))
        version = 2 if source.dtype == np.int8 else 1
        self.flat.operator(
            "TRANSPOSE", [source, order], [swapped], version, schema.TransposeOptionsT()
        )
        return self.reshape(swapped, name, shape)

    def reshape(self, source: TensorInfo, name: str, shape: Sequence[int]) -> TensorInfo:
        source = self.reshaped.get(source.index, source)  # of a reshaped tensor, its origin
        if source.shape == tuple(shape):
            return source
        result = self.flat.tensor(name, shape, source.dtype, source.quantization)
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        target = self.flat.constant(f"{name}/shape", np.array(shape, np.int32))
        self.flat.operator("RESHAPE", [source, target], [result], 1, options)
        self.reshaped[result.index] = source
        return result

    def quantizer_after(self, node: NodeProto) -> NodeProto | None:
        """The QuantizeLinear that alone reads the node's output, if there is one."""
        following = self.consumers.get(node.output[0], [])
        alone = len(following) == 1 and following[0].op_type == "QuantizeLinear"
        return following[0] if alone else None

    def integer(self, node: NodeProto) -> NodeProto | None:
        """The quantizer behind `node` if all its inputs and its output are quantized."""
        quantized = all(name in self.dequantizers for name in node.input if name)
        return self.quantizer_after(node) if quantized else None


def attributes(node: NodeProto) -> dict[str, object]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def refuse(node: NodeProto, what: str) -> InputError:
    return InputError(f"{node.op_type} ({node.name}) with {what} has no TFLite translation")


def integers(scope: Scope, node: NodeProto, index: int) -> list[int] | None:
    """The constant integers of an input, None where it is left out."""
    if len(node.input) <= index or not node.input[index]:
        return None
    value = scope.constant(node.input[index])
    if value is None:
        raise refuse(node, f"a computed {node.input[index]}")
    return [int(v) for v in np.atleast_1d(value)]


def axes(found: Sequence[int], rank: int) -> list[int]:
    return [a % rank for a in found]


def maps_last(scope: Scope, node: NodeProto) -> bool:
    """Whether to compute with channels last: a feature map is, and all operands can be."""
    computed = [name for name in node.input if name and scope.constant(name) is None]
    ranks = {len(scope.shapes[name]) for name in computed}
    return ranks == {3} and any(scope.is_last(name) for name in computed)


def output(scope: Scope, node: NodeProto, like: TensorInfo | None = None) -> TensorInfo:
    """The float output of `node`: in ONNX's shape, or channels last like a feature map."""
    name = node.output[0]
    shape = scope.shapes[name]
    if like is None:
        scope.plain[name] = scope.flat.tensor(name, shape, np.float32)
        return scope.plain[name]
    _, channels, length = shape
    scope.last[name] = scope.flat.tensor(name, (1, 1, length, channels), np.float32)
    return scope.last[name]


def operands(scope: Scope, node: NodeProto) -> tuple[list[TensorInfo], TensorInfo]:
    """Inputs and output of an elementwise operator, all in one layout."""
    if maps_last(scope, node):
        inputs = [scope.get_last(name) for name in node.input]
        return inputs, output(scope, node, like=inputs[0])
    return [scope.get(name) for name in node.input], output(scope, node)


def quantized_output(scope: Scope, quantizer: NodeProto, shape: Sequence[int]) -> TensorInfo:
    """The int8 output in that shape: of rank 4 with channels last, otherwise as in ONNX."""
    name = quantizer.output[0]
    info = scope.flat.tensor(name, shape, np.int8, scope.quantization(quantizer))
    (scope.last if len(shape) == 4 else scope.plain)[name] = info
    return info


def stored(scope: Scope, name: str) -> str:
    """The quantized tensor behind a dequantized one."""
    return scope.dequantizers[name].input[0]
