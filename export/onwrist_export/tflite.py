"""A quantized ONNX graph in, a TFLite model of plain built-in operators out.

ONNX says "dequantize, convolve in float, quantize"; TFLite has one integer operator for
that. So each integer pattern becomes one operator with the scales of the graph, and
everything else becomes float operators (`tflite_ops`). Feature maps (1, C, L) of the
encoder are laid out channels last, (1, 1, L, C), as TFLite's convolutions want; they
turn back only where an operator needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from onwrist_export import network
from onwrist_export.flatbuffer import FlatModel, Quantization, TensorInfo
from onwrist_runtime.errors import InputError

PLAIN_TO_LAST = (0, 1, 3, 2)  # (1, 1, C, L) -> (1, 1, L, C), and back
ROUND_TO = 1.5 * 2**23  # x + ROUND_TO * s - ROUND_TO * s rounds x to a multiple of s


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
    from onwrist_export import tflite_ops

    scope = Scope(model)
    inputs = []
    for value in model.graph.input:
        info = scope.flat.tensor(value.name, scope.shapes[value.name], np.float32)
        scope.plain[value.name] = info
        inputs.append(info)
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" or scope.done(node):
            continue
        translate = tflite_ops.TRANSLATORS.get(node.op_type)
        if translate is None:
            raise InputError(
                f"{node.op_type} ({node.name}) has no TFLite translation; "
                f"known: {', '.join(sorted(tflite_ops.TRANSLATORS))}"
            )
        translate(scope, node)
    found = [scope.get(value.name) for value in model.graph.output]
    found += [scope.last.get(name) or scope.get(name) for name in outputs]
    return scope.flat.pack(inputs, found)


@dataclass(eq=False)
class Scope:
    """Which TFLite tensor stands for which ONNX tensor, while a graph is converted.

    `plain` holds tensors in ONNX's own shape, `last` feature maps with channels last.
    """

    model: ModelProto
    flat: FlatModel = field(default_factory=FlatModel)
    plain: dict[str, TensorInfo] = field(default_factory=dict)
    last: dict[str, TensorInfo] = field(default_factory=dict)

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
        return node.output[0] in self.plain or node.output[0] in self.last

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
        return self._swap(source, name, (1, 1, length, channels))

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
        if source.shape == tuple(shape):
            return source
        result = self.flat.tensor(name, shape, source.dtype, source.quantization)
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        target = self.flat.constant(f"{name}/shape", np.array(shape, np.int32))
        self.flat.operator("RESHAPE", [source, target], [result], 1, options)
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
