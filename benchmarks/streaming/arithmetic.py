"""Multiply-adds of an ONNX graph, counted from the shapes of its convolutions and layers."""

from __future__ import annotations

import math
from collections import Counter

import onnx
from onnx import shape_inference


def multiply_adds(content: bytes) -> dict[str, int]:
    """How many, by "Conv", "Gemm" (layers) and "MatMul" (products of computed tensors).

    Raises
    ------
    ValueError
        The shape of a tensor that is multiplied is not known.
    """
    graph = shape_inference.infer_shapes(onnx.load_from_string(content)).graph
    shapes = {x.name: tuple(x.dims) for x in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims):
            shapes.setdefault(value.name, tuple(d.dim_value for d in dims))

    def shape(name: str) -> tuple[int, ...]:
        if name not in shapes:
            raise ValueError(f"the shape of {name} is not known")
        return shapes[name]

    counts: Counter[str] = Counter()
    for node in graph.node:
        if node.op_type == "Conv":
            # Weights (out, in of a group, kernel...): one product for each with every output.
            weights, (batch, _, *points) = shape(node.input[1]), shape(node.output[0])
            counts["Conv"] += batch * math.prod(points) * math.prod(weights)
        elif node.op_type in ("Gemm", "MatMul"):
            turned = any(a.name == "transA" and a.i for a in node.attribute)
            inner = shape(node.input[0])[0 if turned else -1]
            counts[node.op_type] += math.prod(shape(node.output[0])) * inner
    return dict(counts)
