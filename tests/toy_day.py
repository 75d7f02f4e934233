"""Graphs of a day that are small enough to calculate by hand, in ONNX and in TFLite.

One list of nodes makes both. With whole numbers in, every result but the confidence is exact
in float32, whatever order an engine adds in, as that of an integer layer is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from onwrist_runtime.manifest import Manifest, Role, Shapes

Array = NDArray[np.float32]

# Sums of steps, intensity and heart rate, then how many of each were observed, to the four
# numbers of the tokens `activity` and `heart`.
MIX = np.zeros((6, 8), np.float32)
MIX[[0, 1, 3, 4], [0, 1, 2, 3]] = 1.0
MIX[[2, 5, 2, 5], [4, 5, 6, 7]] = [1.0, 1.0, -1.0, 2.0]


def day_tokens(values: Array, observed: NDArray[np.bool_], patch: int) -> Array:
    """What embed must give for one window (3, S): (patches * 2, 4)."""
    seen = np.where(observed, values, 0).reshape(3, -1, patch).sum(axis=2)
    count = observed.reshape(3, -1, patch).sum(axis=2)
    tokens = np.concatenate([seen, count]).T @ MIX
    return tokens.reshape(-1, 4).astype(np.float32)


def day_outputs(
    values: Array, observed: NDArray[np.bool_], clock: float, patch: int = 120
) -> dict[str, Array]:
    """What a bundle must give for one window (3, S), with everything said in plain numpy."""
    tokens = day_tokens(values, observed, patch)
    by_patch = observed.reshape(3, -1, patch)
    activity = (by_patch[0] | by_patch[1]).sum(axis=1) >= 1
    present = np.stack([activity, by_patch[2].sum(axis=1) >= 30], axis=1).ravel()
    slots = np.flatnonzero(present)
    weighted = (slots[:, None] + 1) * tokens[slots]
    count = max(len(slots), 1)
    embedding = np.concatenate(
        [tokens[slots].sum(axis=0), weighted.sum(axis=0) + clock * count]
    )
    points = np.arange(values.shape[1])
    heart = np.flatnonzero(observed[2])
    before = [max(heart[heart <= k], default=-1) for k in points]
    after = [min(heart[heart >= k], default=len(points)) for k in points]
    base = np.array(before) + 2 * np.array(after) + clock + 1000 * present.sum()
    imputed = base + weighted.sum() + 3 * np.where(observed, values, 0) + observed
    return {
        "embedding": (embedding / count)[None].astype(np.float32),
        "active_minutes": np.array([[len(slots), 1 / (1 + np.exp(-clock))]], np.float32),
        "imputed": imputed[None].astype(np.float32),
    }


class Node(NamedTuple):
    """One step of a graph: what it does to which tensors, and what it calls the result."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    option: tuple[int, ...] = ()


CONSTANTS = {
    "mix": MIX,
    "zero": np.float32([0]),
    "one": np.float32([1]),
    "two": np.float32([2]),
    "three": np.float32([3]),
    "thousand": np.float32([1000]),
}


def nodes_of(role: Role, patch: int, points: int) -> list[Node]:
    """The graph of a role."""
    if role == "embed":
        return [
            Node("mul", ("values", "observed"), "seen"),
            Node("reshape", ("seen",), "cut", (3, -1, patch)),
            Node("reshape", ("observed",), "cut_observed", (3, -1, patch)),
            Node("sum", ("cut",), "sums", (2,)),
            Node("sum", ("cut_observed",), "counts", (2,)),
            Node("concat", ("sums", "counts"), "both", (0,)),
            Node("transpose", ("both",), "rows", (1, 0)),
            Node("matmul", ("rows", "mix"), "mixed"),
            Node("reshape", ("mixed",), "tokens", (1, -1, 4)),
        ]
    if role == "encode":
        return [
            Node("add", ("slots", "one"), "after_slots"),
            Node("min", ("after_slots", "one"), "valid"),
            Node("reshape", ("after_slots",), "weights", (1, -1, 1)),
            Node("reshape", ("valid",), "valids", (1, -1, 1)),
            Node("mul", ("tokens", "weights"), "encoded"),
            Node("mul", ("tokens", "valids"), "used"),
            Node("sum", ("used",), "day", (1,)),
            Node("sum", ("encoded",), "recent", (1,)),
            Node("sum", ("valid",), "few", (1,)),
            Node("reshape", ("few",), "count", (1, 1)),
            Node("max", ("count", "one"), "least"),
            Node("div", ("day", "least"), "mean"),
            Node("div", ("recent", "least"), "recent_mean"),
            Node("add", ("recent_mean", "clock"), "recent_clock"),
            Node("concat", ("mean", "recent_clock"), "embedding", (1,)),
            Node("sigmoid", ("clock",), "sure"),
            Node("concat", ("count", "sure"), "active_minutes", (1,)),
        ]
    return [
        Node("sum", ("encoded",), "by_width", (1,)),
        Node("sum", ("by_width",), "total", (1,)),
        Node("sum", ("present",), "few", (1,)),
        Node("mul", ("few", "thousand"), "thousands"),
        Node("add", ("total", "thousands"), "sum"),
        Node("mul", ("after", "two"), "twice"),
        Node("add", ("before", "twice"), "between"),
        Node("add", ("between", "sum"), "based"),
        Node("add", ("based", "clock"), "timed"),
        Node("reshape", ("timed",), "row", (1, 1, points)),
        Node("mul", ("values", "three"), "thrice"),
        Node("add", ("thrice", "observed"), "known"),
        Node("add", ("known", "row"), "imputed"),
    ]


def calculate(nodes: Sequence[Node], inputs: dict[str, Array]) -> dict[str, Array]:
    """Every tensor of a graph."""
    at = dict(CONSTANTS) | inputs
    for kind, names, output, option in nodes:
        given = [at[name] for name in names]
        at[output] = {
            "mul": lambda a, b: a * b,
            "add": lambda a, b: a + b,
            "div": lambda a, b: a / b,
            "min": lambda a, b: np.minimum(a, b),
            "max": lambda a, b: np.maximum(a, b),
            "matmul": lambda a, b: a @ b,
            "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
            "reshape": lambda a, option=option: a.reshape(option),
            "transpose": lambda a, option=option: a.transpose(option),
            "sum": lambda a, option=option: a.sum(axis=option),
            "concat": lambda *a, option=option: np.concatenate(a, axis=option[0]),
        }[kind](*given).astype(np.float32)
    return at


ONNX = {
    "mul": "Mul",
    "add": "Add",
    "div": "Div",
    "min": "Min",
    "max": "Max",
    "matmul": "MatMul",
    "sigmoid": "Sigmoid",
    "reshape": "Reshape",
    "transpose": "Transpose",
    "sum": "ReduceSum",
    "concat": "Concat",
}


def onnx_day(manifest: Manifest, role: Role) -> bytes:
    """The graph of a role, with a symbolic dimension where it has several sizes."""
    onnx = pytest.importorskip("onnx")
    helper, array = onnx.helper, onnx.numpy_helper.from_array
    assert manifest.tokens is not None
    nodes, initializers = nodes_of(role, manifest.tokens.patch, manifest.samples), []
    initializers = [array(value, name) for name, value in CONSTANTS.items()]
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

    def tensors(of: str) -> list[object]:
        each: list[Shapes] = [getattr(manifest, of)(role, s) for s in manifest.sizes(role)]
        return [
            helper.make_tensor_value_info(
                name,
                onnx.TensorProto.FLOAT,
                [
                    size if all(shapes[name][k] == size for shapes in each) else f"{role}{k}"
                    for k, size in enumerate(each[0][name])
                ],
            )
            for name in each[0]
        ]

    graph = helper.make_graph(made, role, tensors("inputs"), tensors("gives"), initializers)
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
    "reshape": ("RESHAPE", None),
    "transpose": ("TRANSPOSE", None),
    "sum": ("SUM", "Reducer"),
    "concat": ("CONCATENATION", "Concatenation"),
}


def tflite_day(manifest: Manifest, role: Role) -> bytes:
    """The graph of a role: a subgraph and a signature for each size, if there are several."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    assert manifest.tokens is not None
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

    nodes = nodes_of(role, manifest.tokens.patch, manifest.samples)
    for size in manifest.sizes(role):
        shapes = manifest.inputs(role, size)
        all_tensors = calculate(nodes, {n: np.zeros(s, np.float32) for n, s in shapes.items()})
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = str(size), [], []
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
            tensor(name, value.shape, CONSTANTS.get(name))
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
            graph.operators.append(made)
        gives = manifest.gives(role, size)
        graph.inputs = [index[name] for name in shapes]
        graph.outputs = [index[name] for name in gives]
        model.subgraphs.append(graph)
    if len(manifest.sizes(role)) > 1:
        model.signatureDefs = []
        for subgraph, size in enumerate(manifest.sizes(role)):
            graph = model.subgraphs[subgraph]
            signature = schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = str(size), subgraph

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
