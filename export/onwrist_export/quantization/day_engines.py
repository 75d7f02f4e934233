"""The files of a day graph in several engines, against each other, integer by integer.

Between its integer layers a day is computed in float. Where engines differ there in the last
bit, a number may be rounded to the next integer, and attention hands that on to every token.
So a layer is held to its limit where both engines gave it the same integers to read, and the
record says how much that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.check import U8, agreement, onnx_run
from onwrist_export.quantization.day import INPUT, MOVING, Run
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_export.quantization.parity import Agreement
from onwrist_export.quantization.qdq import DEQUANTIZED, QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_runtime.manifest import ENCODED
from onwrist_runtime.processor import has_vnni

Array = NDArray[np.float32]
Outputs = dict[str, NDArray[np.float64]]
EXACT = f"embed{INPUT}{QUANTIZED}"  # in patches, and the same in every engine
Calls = list[tuple[Mapping[str, Array], int | None]]  # inputs, and how many rows are tokens


def agreements(model: QuantizedModel, calls: Calls, exact: str = EXACT) -> Iterator[Agreement]:
    """Each file in each engine against the s8 file in ONNX Runtime.

    Parameters
    ----------
    exact : the tensor that must be the same in every engine.
    """
    files = model.names
    tensors = quantized(model)
    reads = _reads(model, tensors, exact)
    exposed = flatbuffer.expose(model.tflite, tensors)

    def outputs(run: Run) -> list[Outputs]:
        return run_calls(run, calls, lambda name: name in tensors or name == ENCODED)

    reference = outputs(onnx_run(network.expose(model.s8, tensors)))
    engines = [(f"{files['tflite']} in LiteRT", LiteRT(exposed).run, True, 0)]
    if has_vnni():  # elsewhere u8 is wrong, and never run
        u8 = onnx_run(network.expose(model.u8, tensors))
        engines.append((f"{files['u8']} in ONNX Runtime", u8, True, U8))
    for whose, kernels in (
        ("tflite-runtime", Kernels.BUILT_IN),
        ("TFLite-Micro", Kernels.REFERENCE),
    ):
        name = f"{files['tflite']} with the kernels of {whose}"
        engines.append((name, LiteRT(exposed, kernels).run, False, 0))
    against = f"{files['s8']} in ONNX Runtime"
    for name, run, alike, shift in engines:
        found = outputs(run)
        told = [
            comparable(tensors, reads, expected, got, shift)
            for expected, got in zip(reference, found, strict=True)
        ]
        yield agreement(name, against, alike, tensors, reference, found, exact, shift, told)


def run_calls(run: Run, calls: Calls, rows_of: Callable[[str], bool]) -> list[Outputs]:
    """Outputs of each call, without the rows that are left over."""
    found = []
    for inputs, rows in calls:
        outputs = {}
        for name, value in run(inputs).items():
            value = value.astype(np.float64)
            if value.ndim == 4:  # (1, 1, K, D) of TFLite
                value = value[0, 0]
            outputs[name] = value[..., :rows, :] if rows_of(name) else value
        found.append(outputs)
    return found


def quantized(model: QuantizedModel) -> list[str]:
    """What is quantized for its own sake in the INT8 graph, no copies in other shapes."""
    nodes = model.s8.graph.node
    writers = {output: node for node in nodes for output in node.output}
    return [
        node.output[0]
        for node in nodes
        if node.op_type == "QuantizeLinear" and writers[node.input[0]].op_type not in MOVING
    ]


def int8_tensors(model: QuantizedModel) -> set[str]:
    """What the nodes of the INT8 graph give, by name."""
    return {name for node in model.s8.graph.node for name in node.output}


def _reads(model: QuantizedModel, tensors: Sequence[str], exact: str) -> dict[str, str]:
    """What INT8 layers give, each with the one of `tensors` that it reads token by token."""
    writers = {output: node for node in model.s8.graph.node for output in node.output}
    found = {}
    for name in tensors:
        layer = writers.get(writers[name].input[0])
        if layer is not None and layer.op_type == "Gemm":
            read = layer.input[0]
            if read.endswith(DEQUANTIZED):  # else the layer is kept in float
                while read not in tensors:
                    read = writers[read].input[0]
                found[name] = read
    return {name: read for name, read in found.items() if read != exact}


def comparable(
    tensors: Sequence[str],
    reads: Mapping[str, str],
    expected: Outputs,
    got: Outputs,
    shift: int,
) -> dict[str, NDArray[np.bool_]]:
    """Where tensors (.., K, d) were computed from the same integers in both engines.

    A token of a layer, if all that it reads of that token is the same; anything else, if
    everything before it is, as attention reads every token.
    """
    found, all_same = {}, True
    same = {name: got[name] - shift == expected[name] for name in tensors}
    for name in tensors:
        told = all_same
        if name in reads:
            read = same[reads[name]]
            told = read.all(axis=(*range(read.ndim - 2), read.ndim - 1))[:, None]
        found[name] = np.broadcast_to(told, expected[name].shape)
        all_same = all_same and bool(same[name].all())
    return found
