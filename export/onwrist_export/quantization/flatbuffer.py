"""A TFLite model under construction: tensors, constants and operators in, bytes out.

A file holds one graph, or one of several sizes, which share their constants and have a
signature each. Constants lie inside the flatbuffer, never behind an offset after it:
TFLite-Micro reads the latter wrongly without an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
class FlatFile:
    """What the graphs of a file share: constants, each once, and the list of operators."""

    # buffer 0 is, by the format, the empty one of everything computed
    buffers: list[schema.BufferT] = field(default_factory=lambda: [schema.BufferT()])
    codes: dict[tuple[int, int], int] = field(default_factory=dict)
    known: dict[bytes, int] = field(default_factory=dict)

    def buffer(self, data: bytes) -> int:
        """Index of the buffer that holds these bytes."""
        if data not in self.known:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            self.buffers.append(buffer)
            self.known[data] = len(self.buffers) - 1
        return self.known[data]

    def pack(self, graphs: Mapping[str, Graph]) -> bytes:
        """The finished file of graphs by name; with signatures of these names if several."""
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = "onwrist"
        model.buffers = self.buffers
        model.subgraphs = [graph.build(name) for name, graph in graphs.items()]
        if len(graphs) > 1:
            model.signatureDefs = [
                graph.sign(name, index) for index, (name, graph) in enumerate(graphs.items())
            ]
        model.operatorCodes = []
        for code, version in self.codes:
            c = schema.OperatorCodeT()
            c.builtinCode = code
            c.deprecatedBuiltinCode = min(code, OLD_BUILTIN_LIMIT)
            c.version = version
            model.operatorCodes.append(c)
        return _bytes(model)


@dataclass(frozen=True, eq=False)
class Graph:
    """A finished graph, and its inputs and outputs by the names that hosts use."""

    flat: FlatModel
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    def build(self, name: str) -> schema.SubGraphT:
        graph = schema.SubGraphT()
        graph.name = name
        graph.tensors = self.flat.tensors
        graph.operators = self.flat.used(self.outputs.values())
        graph.inputs = np.array([t.index for t in self.inputs.values()], np.int32)
        graph.outputs = np.array([t.index for t in self.outputs.values()], np.int32)
        return graph

    def sign(self, key: str, subgraph: int) -> schema.SignatureDefT:
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key, subgraph
        signature.inputs = [_named(n, t.index) for n, t in self.inputs.items()]
        signature.outputs = [_named(n, t.index) for n, t in self.outputs.items()]
        return signature


def _named(name: str, index: int) -> schema.TensorMapT:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


@dataclass(eq=False)
class FlatModel:
    """One graph, the one mutable object of its conversion."""

    file: FlatFile = field(default_factory=FlatFile)
    tensors: list[schema.TensorT] = field(default_factory=list)
    operators: list[schema.OperatorT] = field(default_factory=list)

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
            t.buffer = self.file.buffer(np.ascontiguousarray(data).tobytes())
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
        o.opcodeIndex = self.file.codes.setdefault((code, version), len(self.file.codes))
        o.inputs = np.array([t.index for t in inputs], np.int32)
        o.outputs = np.array([t.index for t in outputs], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            o.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            o.builtinOptions = options
        self.operators.append(o)

    def used(self, outputs: Iterable[TensorInfo]) -> list[schema.OperatorT]:
        """The operators that the outputs depend on, in order."""
        needed = {t.index for t in outputs}
        used = []
        for operator in reversed(self.operators):
            if needed.intersection(operator.outputs.tolist()):
                needed.update(operator.inputs.tolist())
                used.append(operator)
        return used[::-1]


def expose(model: bytes, tensors: Sequence[str]) -> bytes:
    """The same model with `tensors`, by name, as further outputs of every graph."""
    opened = schema.ModelT.InitFromPackedBuf(model, 0)
    for graph in opened.subgraphs:
        index = {t.name.decode(): i for i, t in enumerate(graph.tensors)}
        further = [index[name] for name in tensors if index[name] not in graph.outputs]
        graph.outputs = np.array([*graph.outputs, *further], np.int32)
    for signature in opened.signatureDefs or ():
        graph = opened.subgraphs[signature.subgraphIndex]
        named = {output.tensorIndex for output in signature.outputs}
        signature.outputs += [
            _named(graph.tensors[i].name.decode(), i) for i in graph.outputs if i not in named
        ]
    return _bytes(opened)


def sizes(model: bytes) -> dict[str, bytes]:
    """Each graph of a file as a file of its own, by its name.

    For hosts that cannot choose among several, such as TFLite-Micro.
    """
    found = {}
    for number in range(len(schema.ModelT.InitFromPackedBuf(model, 0).subgraphs)):
        opened = schema.ModelT.InitFromPackedBuf(model, 0)
        graph = opened.subgraphs[number]
        opened.subgraphs, opened.signatureDefs = [graph], None
        used = sorted({0, *(tensor.buffer for tensor in graph.tensors)})
        opened.buffers = [opened.buffers[index] for index in used]
        for tensor in graph.tensors:
            tensor.buffer = used.index(tensor.buffer)
        found[graph.name.decode()] = _bytes(opened)
    return found


def operators(model: bytes) -> tuple[str, ...]:
    """The built-in operators of a file by name, in alphabetical order: the kernels it needs."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    opened = schema.ModelT.InitFromPackedBuf(model, 0)
    return tuple(sorted({names[code.builtinCode] for code in opened.operatorCodes}))


def input_shapes(model: bytes) -> dict[str, tuple[int, ...]]:
    """Shape of each input of the first graph by its name."""
    graph = schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0]
    chosen = (graph.tensors[index] for index in graph.inputs)
    return {tensor.name.decode(): tuple(map(int, tensor.shape)) for tensor in chosen}


def _bytes(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())
