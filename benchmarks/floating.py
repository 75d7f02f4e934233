"""A shipped INT8 graph in, its float original out: as ONNX and as TFLite.

A bundle holds no float graph, and none is needed to measure one: with every weight read back
as the number that its integer stands for, and no activation rounded, the same layers compute
in float. Weights are those that were rounded, so that what is left between the two graphs is
the INT8 of the activations alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from onwrist_export.quantization import network, tflite
from onwrist_export.quantization.day import bind

QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
LAYERS = ("Conv", "Gemm", "Add")  # a quantizer that cannot go below 0 has replaced their ReLU


def float_onnx(graph: bytes) -> bytes:
    """The float ONNX graph of an INT8 one in the QDQ form, such as `model.s8.onnx`."""
    return _unquantized(onnx.load_from_string(graph)).SerializeToString()


def float_tflite(graph: bytes, sizes: Sequence[int] = ()) -> bytes:
    """The float TFLite graph of an INT8 ONNX one.

    Parameters
    ----------
    sizes : of a graph of any size, those to write, each as a signature of that name.
    """
    model = _unquantized(onnx.load_from_string(graph))
    if not sizes:
        return tflite.convert(model)
    return tflite.convert_sizes({str(size): bind(model, size) for size in sizes})


def _unquantized(model: ModelProto) -> ModelProto:
    graph = model.graph
    constants = network.initializers(model)
    writers = {output: node for node in graph.node for output in node.output}
    stands_for: dict[str, str] = {}
    nodes: list[NodeProto] = []
    for node in graph.node:
        node.input[:] = [stands_for.get(name, name) for name in node.input]
        if node.op_type not in QUANTIZERS:
            nodes.append(node)
            continue
        source, result = node.input[0], node.output[0]
        if node.op_type == "DequantizeLinear" and source in constants:
            value = _dequantized(constants[source], *(constants[n] for n in node.input[1:3]))
            graph.initializer.append(numpy_helper.from_array(value, result))
        elif node.op_type == "QuantizeLinear" and _is_relu(node, writers, constants):
            nodes.append(helper.make_node("Relu", [source], [result], f"{node.name}/relu"))
        else:
            stands_for[result] = source
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    kept = [i for i in graph.initializer if i.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _dequantized(
    integers: NDArray[np.generic], scale: NDArray[np.float32], zero: NDArray[np.generic]
) -> NDArray[np.float32]:
    """What stored integers stand for; a scale by channel is one of the first axis."""
    shape = (-1, *[1] * (integers.ndim - 1)) if scale.ndim else ()
    centred = integers.astype(np.float64) - zero.astype(np.float64).reshape(shape)
    return (centred * scale.astype(np.float64).reshape(shape)).astype(np.float32)


def _is_relu(
    node: NodeProto, writers: dict[str, NodeProto], constants: dict[str, NDArray[np.generic]]
) -> bool:
    """Whether a quantizer of a layer's output has its zero at the lowest integer."""
    writer, zero = writers.get(node.input[0]), constants[node.input[2]]
    lowest = np.iinfo(zero.dtype).min
    return writer is not None and writer.op_type in LAYERS and bool(zero == lowest)
