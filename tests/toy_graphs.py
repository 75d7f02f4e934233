"""A model small enough to calculate by hand, as an ONNX and as a TFLite graph.

With m the mean of each channel over what is observed, less the mean of the baseline if there
is one: heart_rate is 60 + 10 m of the first channel, with confidence sigmoid(m); stress is
the softmax of the m of the two others; the embedding is all m, then twice all m.

With scales, the m of what a task is sure by are multiplied with its scale.

As a step graph it keeps the sums and counts of the steps before in its state, oldest first,
and m is that of the window that ends with the step.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

Outputs = Mapping[str, tuple[int, int]]


def toy_outputs(
    values: NDArray[np.float32],
    observed: NDArray[np.uint8],
    baseline: NDArray[np.float32] | None = None,
    scales: Mapping[str, NDArray[np.float32]] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """What the graphs must give for windows (W, 3, N), baselines (W, 3, 3), scales (W, 1)."""
    count = observed.sum(axis=2, dtype=np.float64)
    mean = (values.astype(np.float64) * observed).sum(axis=2) / np.maximum(count, 1)
    if baseline is not None:
        mean -= baseline[:, :, 0]
    log_odds, logits = mean[:, 0], mean[:, 1:]
    if scales is not None:
        log_odds = log_odds * scales["heart_rate_scale"][:, 0]
        logits = logits * scales["stress_scale"]
    odds = np.exp(logits)
    outputs = {
        "embedding": np.hstack([mean, 2 * mean]),
        "heart_rate": np.stack([60 + 10 * mean[:, 0], 1 / (1 + np.exp(-log_odds))], 1),
        "stress": odds / odds.sum(axis=1, keepdims=True),
    }
    return {name: output.astype(np.float32) for name, output in outputs.items()}


def onnx_graph(
    outputs: Outputs,
    channels: int,
    samples: int,
    baseline: bool = False,
    state: int = 0,
    scales: bool = False,
) -> bytes:
    """The graph of a window, or of a step whose state has so many numbers."""
    onnx = pytest.importorskip("onnx")
    helper, array = onnx.helper, onnx.numpy_helper.from_array
    node = helper.make_node
    nodes = [
        node("Mul", ["values", "observed"], ["seen"]),
        node("ReduceSum", ["seen", "time"], ["new_sum"], keepdims=0),
        node("ReduceSum", ["observed", "time"], ["new_count"], keepdims=0),
    ]
    summed, counted = ("all_sum", "all_count") if state else ("new_sum", "new_count")
    if state:
        nodes += [
            node("Concat", ["state", "new_sum", "new_count"], ["ring"], axis=1),
            node("Slice", ["ring", "to6", "to_end", "axis1"], ["next_state"]),
            node("Reshape", ["ring", "by_step"], ["steps"]),
            node("ReduceSum", ["steps", "axis1"], ["all"], keepdims=0),
            node("Slice", ["all", "from0", "to3", "axis1"], ["all_sum"]),
            node("Slice", ["all", "to3", "to6", "axis1"], ["all_count"]),
        ]
    nodes += [
        node("Max", [counted, "one"], ["least"]),
        node("Div", [summed, "least"], ["plain" if baseline else "mean"]),
    ]
    if baseline:
        nodes += [
            node("Slice", ["baseline", "from0", "to1", "time"], ["usual"]),
            node("Squeeze", ["usual", "time"], ["flat"]),
            node("Sub", ["plain", "flat"], ["mean"]),
        ]
    nodes += [
        node("Add", ["mean", "mean"], ["twice"]),
        node("Concat", ["mean", "twice"], ["embedding"], axis=1),
        node("Slice", ["mean", "from0", "to1", "axis1"], ["first"]),
        node("Slice", ["mean", "to1", "to3", "axis1"], ["others"]),
        node("Mul", ["first", "ten"], ["scaled"]),
        node("Add", ["scaled", "sixty"], ["bpm"]),
    ]
    sure, stress = "first", "others"
    if scales:
        nodes += [
            node("Mul", ["first", "heart_rate_scale"], ["log_odds"]),
            node("Mul", ["others", "stress_scale"], ["logits"]),
        ]
        sure, stress = "log_odds", "logits"
    nodes += [
        node("Sigmoid", [sure], ["sure"]),
        node("Concat", ["bpm", "sure"], ["heart_rate"], axis=1),
        node("Softmax", [stress], ["stress"], axis=1),
    ]
    constants = {"one": 1.0, "ten": 10.0, "sixty": 60.0}
    indices = {"time": 2, "from0": 0, "to1": 1, "to3": 3, "to6": 6, "axis1": 1}
    indices["to_end"] = state + 6
    initializers = [array(np.array([v], np.float32), name) for name, v in constants.items()]
    initializers += [array(np.array([v], np.int64), name) for name, v in indices.items()]
    initializers.append(array(np.array([1, state // 6 + 1, 6], np.int64), "by_step"))
    takes, gives = _tensors(outputs, channels, samples, baseline, state)
    if scales:
        takes |= {"heart_rate_scale": [1, 1], "stress_scale": [1, 1]}
    inputs, results = (
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in sizes.items()
        ]
        for sizes in (takes, gives)
    )
    graph = helper.make_graph(nodes, "toy", inputs, results, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _tensors(
    outputs: Outputs, channels: int, samples: int, baseline: bool, state: int
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Shapes of what a graph takes and gives."""
    takes = {name: [1, channels, samples] for name in ("values", "observed")}
    gives = {name: list(shape) for name, shape in outputs.items()}
    if baseline:
        takes["baseline"] = [1, channels, 3]
    if state:
        takes["state"] = gives["next_state"] = [1, state]
    return takes, gives


def tflite_graph(
    outputs: Outputs, channels: int, samples: int, baseline: bool = False, state: int = 0
) -> bytes:
    """As `onnx_graph`."""
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

    takes, gives = _tensors(outputs, channels, samples, baseline, state)
    window, row = takes["values"], [1, channels]
    for name, shape in (takes | gives).items():
        tensor(name, shape)
    for name, number in {"one": 1.0, "ten": 10.0, "sixty": 60.0}.items():
        tensor(name, [1], np.array([number], np.float32))
    for name, pair in {"time": [2], "at0": [0, 0], "at1": [0, 1], "by1": [1, 1]}.items():
        tensor(name, [len(pair)], np.array(pair, np.int32))
    constants = {"by2": [1, 2], "by3": [1, 3], "at3": [0, 3], "at6": [0, 6], "axis1": [1]}
    constants |= {"by_state": [1, state], "by_step": [1, state // 6 + 1, 6]}
    constants |= {"corner": [0, 0, 0], "first_column": [1, channels, 1], "row": row}
    for name, numbers in constants.items():
        tensor(name, [len(numbers)], np.array(numbers, np.int32))
    for name in ("new_sum", "new_count", "least", "plain", "flat", "mean", "twice"):
        tensor(name, row)
    if state:
        tensor("ring", [1, state + 6])
        tensor("steps", [1, state // 6 + 1, 6])
        tensor("all", [1, 6])
        tensor("all_sum", row)
        tensor("all_count", row)
    tensor("usual", [1, channels, 1])
    tensor("seen", window)
    for name in ("first", "scaled", "bpm", "sure"):
        tensor(name, [1, 1])
    tensor("others", [1, 2])
    operator("mul", ["values", "observed"], "seen", options="Mul")
    operator("sum", ["seen", "time"], "new_sum", options="Reducer", keepDims=False)
    operator("sum", ["observed", "time"], "new_count", options="Reducer", keepDims=False)
    summed, counted = ("all_sum", "all_count") if state else ("new_sum", "new_count")
    if state:
        operator(
            "concatenation",
            ["state", "new_sum", "new_count"],
            "ring",
            options="Concatenation",
            axis=1,
        )
        operator("slice", ["ring", "at6", "by_state"], "next_state")
        operator("reshape", ["ring", "by_step"], "steps")
        operator("sum", ["steps", "axis1"], "all", options="Reducer", keepDims=False)
        operator("slice", ["all", "at0", "by3"], "all_sum")
        operator("slice", ["all", "at3", "by3"], "all_count")
    operator("maximum", [counted, "one"], "least")
    operator("div", [summed, "least"], "plain" if baseline else "mean", options="Div")
    if baseline:
        operator("slice", ["baseline", "corner", "first_column"], "usual")
        operator("reshape", ["usual", "row"], "flat")
        operator("sub", ["plain", "flat"], "mean", options="Sub")
    operator("add", ["mean", "mean"], "twice", options="Add")
    operator("concatenation", ["mean", "twice"], "embedding", options="Concatenation", axis=1)
    operator("slice", ["mean", "at0", "by1"], "first")
    operator("slice", ["mean", "at1", "by2"], "others")
    operator("mul", ["first", "ten"], "scaled", options="Mul")
    operator("add", ["scaled", "sixty"], "bpm", options="Add")
    operator("logistic", ["first"], "sure")
    operator("concatenation", ["bpm", "sure"], "heart_rate", options="Concatenation", axis=1)
    operator("softmax", ["others"], "stress", options="Softmax", beta=1.0)
    graph.inputs = [index[name] for name in takes]
    graph.outputs = [index[name] for name in gives]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
