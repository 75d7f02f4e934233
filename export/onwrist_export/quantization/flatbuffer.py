"""A TFLite model under construction: tensors, constants and operators in, bytes out.

Constants lie inside the flatbuffer, never behind an offset after it: TFLite-Micro reads
the latter wrongly without an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}
SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
OLD_BUILTIN_LIMIT = 127  # operator codes from here on live in the field that replaced a byte


@dataclass(frozen=True, eq=False)
class Quantization:
    """real = scale * (integer - zero_point); per channel along `axis` if scale is a vector."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int = 0


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """What is known of tensor `index` of the model."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    quantization: Quantization | None = None


@dataclass(eq=False)
class FlatModel:
    """The one mutable object of a conversion."""

    tensors: list[schema.TensorT] = field(default_factory=list)
    operators: list[schema.OperatorT] = field(default_factory=list)
    # buffer 0 is, by the format, the empty one of everything computed
    buffers: list[schema.BufferT] = field(default_factory=lambda: [schema.BufferT()])
    codes: dict[tuple[int, int], int] = field(default_factory=dict)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: np.dtype[np.generic] | type[np.generic],
        quantization: Quantization | None = None,
        data: NDArray[np.generic] | None = None,
    ) -> TensorInfo:
        """Add a tensor; a constant if it has `data`."""
        t = schema.TensorT()
        t.name = name
        t.shape = np.array(shape, np.int32)
        t.type = TYPES[np.dtype(dtype)]
        t.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            t.buffer = len(self.buffers) - 1
        if quantization is not None:
            q = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(quantization.scale).astype(np.float32)
            q.zeroPoint = np.atleast_1d(quantization.zero_point).astype(np.int64)
            q.quantizedDimension = quantization.axis
            t.quantization = q
        self.tensors.append(t)
        index = len(self.tensors) - 1
        return TensorInfo(index, name, tuple(shape), np.dtype(dtype), quantization)

    def constant(
        self, name: str, data: NDArray[np.generic], quantization: Quantization | None = None
    ) -> TensorInfo:
        return self.tensor(name, data.shape, data.dtype, quantization, data)

    def operator(
        self,
        builtin: str,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        version: int = 1,
        options: object = None,
    ) -> None:
        """Add an operator by its name in the schema, such as "CONV_2D".

        `options` is a record of the schema such as `Conv2DOptionsT`; None where the
        operator has none.
        """
        code = getattr(schema.BuiltinOperator, builtin)
        o = schema.OperatorT()
        o.opcodeIndex = self.codes.setdefault((code, version), len(self.codes))
        o.inputs = np.array([t.index for t in inputs], np.int32)
        o.outputs = np.array([t.index for t in outputs], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            o.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            o.builtinOptions = options
        self.operators.append(o)

    def _used(self, outputs: Sequence[TensorInfo]) -> list[schema.OperatorT]:
        """The operators that the outputs depend on, in order."""
        needed = {t.index for t in outputs}
        used = []
        for operator in reversed(self.operators):
            if needed.intersection(operator.outputs.tolist()):
                needed.update(operator.inputs.tolist())
                used.append(operator)
        return used[::-1]

    def pack(self, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> bytes:
        """The finished model."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self.tensors, self._used(outputs)
        graph.inputs = np.array([t.index for t in inputs], np.int32)
        graph.outputs = np.array([t.index for t in outputs], np.int32)
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = "onwrist"
        model.buffers, model.subgraphs = self.buffers, [graph]
        model.operatorCodes = []
        for code, version in self.codes:
            c = schema.OperatorCodeT()
            c.builtinCode = code
            c.deprecatedBuiltinCode = min(code, OLD_BUILTIN_LIMIT)
            c.version = version
            model.operatorCodes.append(c)
        return _bytes(model)


def expose(model: bytes, tensors: Sequence[str]) -> bytes:
    """The same model with `tensors`, by name, as further outputs."""
    opened = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = opened.subgraphs
    index = {t.name.decode(): i for i, t in enumerate(graph.tensors)}
    further = [index[name] for name in tensors if index[name] not in graph.outputs]
    graph.outputs = np.array([*graph.outputs, *further], np.int32)
    return _bytes(opened)


def _bytes(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())
