"""Graphs as lists of nodes: calculated by NumPy, and written as ONNX and as TFLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from onwrist_runtime.manifest import Shapes

Array = NDArray[np.float32]


class Node(NamedTuple):
    """One step of a graph: what it does to which tensors, and what it calls the result."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    option: tuple[int, ...] = ()


def calculate(nodes: Sequence[Node], given: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of a graph, from its inputs and constants."""
    at = dict(given)
    for kind, names, output, option in nodes:
        operands = [at[name] for name in names]
        at[output] = {
            "mul": lambda a, b: a * b,
            "add": lambda a, b: a + b,
            "div": lambda a, b: a / b,
            "min": lambda a, b: np.minimum(a, b),
            "max": lambda a, b: np.maximum(a, b),
            "matmul": lambda a, b: a @ b,
            "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
            "softmax": lambda a: np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True),
            "reshape": lambda a, option=option: a.reshape(option),
            "transpose": lambda a, option=option: a.transpose(option),
            "sum": lambda a, option=option: a.sum(axis=option),
            "concat": lambda *a, option=option: np.concatenate(a, axis=option[0]),
        }[kind](*operands).astype(np.float32)
    return at


ONNX = {
    "mul": "Mul",
    "add": "Add",
    "div": "Div",
    "min": "Min",
    "max": "Max",
    "matmul": "MatMul",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "reshape": "Reshape",
    "transpose": "Transpose",
    "sum": "ReduceSum",
    "concat": "Concat",
}


def onnx_of(
    nodes: Sequence[Node],
    constants: Mapping[str, Array],
    takes: Sequence[Shapes],
    gives: Sequence[Shapes],
) -> bytes:
    """The graph of these nodes; a dimension that is not the same in all shapes is symbolic."""
    onnx = pytest.importorskip("onnx")
    helper, array = onnx.helper, onnx.numpy_helper.from_array
    initializers = [array(value, name) for name, value in constants.items()]
    made = []
    for kind, names, output, option in nodes:
        inputs, options = list(names), {}
        if kind in ("reshape", "sum"):
            inputs.append(f"{output}.option")
            initializers.append(array(np.array(option, np.int64), inputs[-1]))
        if kind == "sum":
            options["keepdims"] = 0
        if kind == "concat":
            options["axis"] = option[0]
        if kind == "transpose":
            options["perm"] = option
        made.append(helper.make_node(ONNX[kind], inputs, [output], **options))

    def tensors(each: Sequence[Shapes]) -> list[object]:
        return [
            helper.make_tensor_value_info(
                name,
                onnx.TensorProto.FLOAT,
                [
                    size if all(shapes[name][k] == size for shapes in each) else f"size{k}"
                    for k, size in enumerate(each[0][name])
                ],
            )
            for name in each[0]
        ]

    graph = helper.make_graph(made, "toy", tensors(takes), tensors(gives), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


TFLITE = {
    "mul": ("MUL", "Mul"),
    "add": ("ADD", "Add"),
    "div": ("DIV", "Div"),
    "min": ("MINIMUM", None),
    "max": ("MAXIMUM", None),
    "matmul": ("BATCH_MATMUL", "BatchMatMul"),
    "sigmoid": ("LOGISTIC", None),
    "softmax": ("SOFTMAX", "Softmax"),
    "reshape": ("RESHAPE", None),
    "transpose": ("TRANSPOSE", None),
    "sum": ("SUM", "Reducer"),
    "concat": ("CONCATENATION", "Concatenation"),
}


def tflite_of(
    nodes: Sequence[Node],
    constants: Mapping[str, Array],
    takes: Sequence[Shapes],
    gives: Sequence[Shapes],
    keys: Sequence[str],
) -> bytes:
    """A subgraph of these nodes for each shapes, with its key for a signature if several."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT()
    model.version, model.subgraphs = 3, []
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    buffers: dict[tuple[str, bytes], int] = {}
    codes: dict[str, int] = {}

    def buffer(data: NDArray[np.generic]) -> int:
        key = data.dtype.name, data.tobytes()
        if key not in buffers:
            buffers[key] = len(model.buffers)
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(key[1], np.uint8)
        return buffers[key]

    def code(name: str) -> int:
        if name not in codes:
            codes[name] = len(model.operatorCodes)
            made = schema.OperatorCodeT()
            made.builtinCode = getattr(schema.BuiltinOperator, name)
            made.deprecatedBuiltinCode = min(made.builtinCode, 127)
            made.version = 1
            model.operatorCodes.append(made)
        return codes[name]

    for shapes, outputs, key in zip(takes, gives, keys, strict=True):
        zeros = {n: np.zeros(s, np.float32) for n, s in shapes.items()}
        with np.errstate(invalid="ignore"):  # only the shapes are wanted
            all_tensors = calculate(nodes, {**constants, **zeros})
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = key, [], []
        index: dict[str, int] = {}

        def tensor(name, shape, data=None, graph=graph, index=index):
            made = schema.TensorT()
            made.name, made.shape = name, list(shape)
            whole = data is not None and data.dtype == np.int32
            made.type = schema.TensorType.INT32 if whole else schema.TensorType.FLOAT32
            made.buffer = 0 if data is None else buffer(data)
            index[name] = len(graph.tensors)
            graph.tensors.append(made)

        for name, value in all_tensors.items():
            tensor(name, value.shape, constants.get(name))
        for kind, names, output, option in nodes:
            inputs = list(names)
            if kind in ("reshape", "sum", "transpose"):
                inputs.append(f"{output}.option")
                told = all_tensors[output].shape if kind == "reshape" else option
                tensor(inputs[-1], [len(told)], np.array(told, np.int32))
            made = schema.OperatorT()
            operator, options = TFLITE[kind]
            made.opcodeIndex = code(operator)
            made.inputs, made.outputs = [index[n] for n in inputs], [index[output]]
            if options is not None:
                made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
                made.builtinOptions = getattr(schema, f"{options}OptionsT")()
            if kind == "concat":
                made.builtinOptions.axis = option[0]
            if kind == "softmax":
                made.builtinOptions.beta = 1.0
            graph.operators.append(made)
        graph.inputs = [index[name] for name in shapes]
        graph.outputs = [index[name] for name in outputs]
        model.subgraphs.append(graph)
    if len(keys) > 1:
        model.signatureDefs = []
        for subgraph, key in enumerate(keys):
            graph = model.subgraphs[subgraph]
            signature = schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = key, subgraph

            def maps(indices: list[int], graph=graph) -> list[object]:
                made = []
                for k in indices:
                    made.append(schema.TensorMapT())
                    made[-1].name, made[-1].tensorIndex = graph.tensors[k].name, k
                return made

            signature.inputs, signature.outputs = maps(graph.inputs), maps(graph.outputs)
            model.signatureDefs.append(signature)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
