"""A float graph and scales in, the same graph with quantizers around its integers out.

In the QDQ form a quantized tensor T is followed by a QuantizeLinear and a DequantizeLinear,
and what computes with it reads `T_DequantizeLinear_Output`. Engines fuse a float operator
between such pairs into one of integers. Activations are unsigned, weights int8 by channel
and symmetric, biases int32.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence, Set

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

QUANTIZED, DEQUANTIZED = "_QuantizeLinear_Output", "_DequantizeLinear_Output"
MOST = 127  # of a symmetric int8
MOST_OF_BIAS = 2.0**30  # half of an int32, so that there is room for what is added to it


def affine(low: float, width: float, shared: float | None = None) -> tuple[np.float32, int]:
    """Scale and signed zero point of a range that begins at `low`, or of a shared scale."""
    scale = np.float32(shared or max(width, 1e-6) / 255)
    return scale, int(np.clip(round(-128 - low / float(scale)), -128, 127))


def insert(
    model: ModelProto, scales: Mapping[str, tuple[np.float32, int]], layers: Set[str]
) -> ModelProto:
    """Quantize `layers`: the nodes of these names.

    Parameters
    ----------
    scales : scale and signed zero point of the tensors that may be quantized. Those that
        `layers` read or write will be, but for what goes straight into a ReLU.
    """
    model = copy.deepcopy(model)
    graph = model.graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    chosen = [n for n in graph.node if n.name in layers and n.output[0] in scales]
    written = {n.output[0] for n in chosen}
    # unsigned integers cannot fall below the zero of a ReLU, so it need not be computed
    relus = {n.output[0]: n.input[0] for n in chosen if n.op_type == "Relu"}
    read = {name for n in chosen for name in n.input if name in scales}
    quantized = (read | written) - set(relus.values())

    added: dict[str, list[NodeProto]] = {}
    for name in scales:
        if name in quantized:
            scale, zero = scales[name]
            stored = _constant(graph, name, scale, np.array(zero + 128, np.uint8))
            added[name] = [
                helper.make_node(
                    "QuantizeLinear",
                    [relus.get(name, name), *stored],
                    [name + QUANTIZED],
                    f"{name}_QuantizeLinear",
                ),
                _dequantize(name + QUANTIZED, stored, name),
            ]
    nodes: list[NodeProto] = []
    for node in graph.node:
        integer = node.name in layers and node.output[0] in scales
        for k, name in enumerate(node.input):
            # floats that only pass by the integers stay as they were made
            if name in quantized and (integer or name in written):
                node.input[k] = name + DEQUANTIZED
        if integer and node.op_type in ("Conv", "Gemm"):
            nodes += _weights(graph, node, constants, scales)
        if node.output[0] not in relus:
            nodes.append(node)
        nodes += added.get(node.output[0], [])
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)
    del graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _weights(
    graph: onnx.GraphProto,
    layer: NodeProto,
    constants: Mapping[str, NDArray[np.generic]],
    scales: Mapping[str, tuple[np.float32, int]],
) -> list[NodeProto]:
    """Quantize weights (O, ...) and bias of a layer; the nodes that dequantize them."""
    weight = constants[layer.input[1]].astype(np.float64)
    given = constants[layer.input[2]] if len(layer.input) > 2 else np.zeros(len(weight))
    bias = given.astype(np.float64)
    incoming, _ = scales[layer.input[0].removesuffix(DEQUANTIZED)]
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    # a channel that is hardly more than its bias takes the finest scale that this allows
    scale = np.maximum(largest / MOST, np.abs(bias) / (MOST_OF_BIAS * float(incoming)))
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    bias_scale = incoming * scale
    each = scale.astype(np.float64).reshape(-1, *[1] * (weight.ndim - 1))
    integers = np.clip(np.rint(weight / each), -MOST, MOST).astype(np.int8)
    biases = np.rint(bias / bias_scale.astype(np.float64)).astype(np.int32)
    nodes = []
    for position, (what, values, step) in enumerate(
        (("weight", integers, scale), ("bias", biases, bias_scale)), start=1
    ):
        name = f"{layer.name}.{what}"
        graph.initializer.append(numpy_helper.from_array(values, f"{name}_quantized"))
        stored = _constant(graph, name, step, np.zeros(step.shape, values.dtype))
        nodes.append(_dequantize(f"{name}_quantized", stored, name, axis=0))
        del layer.input[position:]
        layer.input.append(name + DEQUANTIZED)
    return nodes


def _constant(
    graph: onnx.GraphProto, name: str, scale: NDArray[np.float32], zero: NDArray[np.generic]
) -> list[str]:
    """Names of the new constants for scale and zero point."""
    names = [f"{name}_scale", f"{name}_zero_point"]
    for each, value in zip(names, (np.asarray(scale, np.float32), zero), strict=True):
        graph.initializer.append(numpy_helper.from_array(value, each))
    return names


def _dequantize(source: str, stored: Sequence[str], name: str, **axis: int) -> NodeProto:
    return helper.make_node(
        "DequantizeLinear",
        [source, *stored],
        [name + DEQUANTIZED],
        f"{name}_DequantizeLinear",
        **axis,
    )


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Leave out the float weights that nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    kept = [i for i in graph.initializer if i.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
