"""A model small enough to calculate by hand, as an ONNX and as a TFLite graph.

With m the mean of each channel over what is observed: heart_rate is 60 + 10 m of the
first channel, with confidence sigmoid(m); stress is the softmax of the m of the two
others; the embedding is all m, then twice all m.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

Outputs = Mapping[str, tuple[int, int]]


def toy_outputs(
    values: NDArray[np.float32], observed: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """What the graphs must give for windows (W, 3, N)."""
    count = observed.sum(axis=2, dtype=np.float64)
    mean = (values.astype(np.float64) * observed).sum(axis=2) / np.maximum(count, 1)
    odds = np.exp(mean[:, 1:])
    outputs = {
        "embedding": np.hstack([mean, 2 * mean]),
        "heart_rate": np.stack([60 + 10 * mean[:, 0], 1 / (1 + np.exp(-mean[:, 0]))], 1),
        "stress": odds / odds.sum(axis=1, keepdims=True),
    }
    return {name: output.astype(np.float32) for name, output in outputs.items()}


def onnx_graph(outputs: Outputs, channels: int, samples: int) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper, array = onnx.helper, onnx.numpy_helper.from_array
    node = helper.make_node
    nodes = [
        node("Mul", ["values", "observed"], ["seen"]),
        node("ReduceSum", ["seen", "time"], ["sum"], keepdims=0),
        node("ReduceSum", ["observed", "time"], ["count"], keepdims=0),
        node("Max", ["count", "one"], ["least"]),
        node("Div", ["sum", "least"], ["mean"]),
        node("Add", ["mean", "mean"], ["twice"]),
        node("Concat", ["mean", "twice"], ["embedding"], axis=1),
        node("Slice", ["mean", "from0", "to1", "axis1"], ["first"]),
        node("Slice", ["mean", "to1", "to3", "axis1"], ["others"]),
        node("Mul", ["first", "ten"], ["scaled"]),
        node("Add", ["scaled", "sixty"], ["bpm"]),
        node("Sigmoid", ["first"], ["sure"]),
        node("Concat", ["bpm", "sure"], ["heart_rate"], axis=1),
        node("Softmax", ["others"], ["stress"], axis=1),
    ]
    constants = {"one": 1.0, "ten": 10.0, "sixty": 60.0}
    indices = {"time": 2, "from0": 0, "to1": 1, "to3": 3, "axis1": 1}
    initializers = [array(np.array([v], np.float32), name) for name, v in constants.items()]
    initializers += [array(np.array([v], np.int64), name) for name, v in indices.items()]
    window = [1, channels, samples]
    sizes = {"values": window, "observed": window, **outputs}
    described = {
        name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in sizes.items()
    }
    graph = helper.make_graph(
        nodes,
        "toy",
        [described["values"], described["observed"]],
        [described[name] for name in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def tflite_graph(outputs: Outputs, channels: int, samples: int) -> bytes:
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = []
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    index: dict[str, int] = {}

    def tensor(name: str, shape: list[int], data: NDArray[np.generic] | None = None) -> None:
        made = schema.TensorT()
        made.name, made.shape = name, shape
        made.type = schema.TensorType.FLOAT32
        made.buffer = 0
        if data is not None:
            if data.dtype == np.int32:
                made.type = schema.TensorType.INT32
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        index[name] = len(graph.tensors)
        graph.tensors.append(made)

    def operator(kind: str, inputs: list[str], output: str, **options: object) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind.upper())
        code.deprecatedBuiltinCode = code.builtinCode
        code.version = 1
        made = schema.OperatorT()
        made.opcodeIndex = len(model.operatorCodes)
        model.operatorCodes.append(code)
        made.inputs = [index[name] for name in inputs]
        made.outputs = [index[output]]
        if options:
            name = options.pop("options")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
            made.builtinOptions = getattr(schema, f"{name}OptionsT")()
            for key, value in options.items():
                setattr(made.builtinOptions, key, value)
        graph.operators.append(made)

    window, row = [1, channels, samples], [1, channels]
    tensor("values", window)
    tensor("observed", window)
    for name, number in {"one": 1.0, "ten": 10.0, "sixty": 60.0}.items():
        tensor(name, [1], np.array([number], np.float32))
    for name, pair in {"time": [2], "at0": [0, 0], "at1": [0, 1], "by1": [1, 1]}.items():
        tensor(name, [len(pair)], np.array(pair, np.int32))
    tensor("by2", [2], np.array([1, 2], np.int32))
    for name in ("sum", "count", "least", "mean", "twice"):
        tensor(name, row)
    tensor("seen", window)
    for name in ("first", "scaled", "bpm", "sure"):
        tensor(name, [1, 1])
    tensor("others", [1, 2])
    for name, shape in outputs.items():
        tensor(name, list(shape))
    operator("mul", ["values", "observed"], "seen", options="Mul")
    operator("sum", ["seen", "time"], "sum", options="Reducer", keepDims=False)
    operator("sum", ["observed", "time"], "count", options="Reducer", keepDims=False)
    operator("maximum", ["count", "one"], "least")
    operator("div", ["sum", "least"], "mean", options="Div")
    operator("add", ["mean", "mean"], "twice", options="Add")
    operator("concatenation", ["mean", "twice"], "embedding", options="Concatenation", axis=1)
    operator("slice", ["mean", "at0", "by1"], "first")
    operator("slice", ["mean", "at1", "by2"], "others")
    operator("mul", ["first", "ten"], "scaled", options="Mul")
    operator("add", ["scaled", "sixty"], "bpm", options="Add")
    operator("logistic", ["first"], "sure")
    operator("concatenation", ["bpm", "sure"], "heart_rate", options="Concatenation", axis=1)
    operator("softmax", ["others"], "stress", options="Softmax", beta=1.0)
    graph.inputs = [index["values"], index["observed"]]
    graph.outputs = [index[name] for name in outputs]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
