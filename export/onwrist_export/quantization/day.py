"""The day graphs and days to calibrate on in, each graph in INT8 and all its sizes out.

Linear layers become static INT8 (per-channel weights, min-max calibration); attention, layer
norms, pooling, positions and interpolation stay float. A graph of several sizes is exported
in each of them, with one set of scales: ONNX gets one file with a symbolic dimension, TFLite
one with a graph for each size.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from onwrist_export.model.day_graph import DayGraph
from onwrist_export.quantization import network, qdq, tflite
from onwrist_export.quantization.quantize import QuantizedModel, to_signed
from onwrist_runtime.chain import Chain
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import SLOTS, Manifest, Role
from onwrist_runtime.tokens import Cut

Array = NDArray[np.float32]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
MOVING = ("Reshape", "Transpose")  # they keep the scale
INPUT, ACTIVATION = ".input", ".activation"
SYMBOL = "size"


@dataclass(frozen=True, eq=False)
class Days:
    """Windows of days: values (W, C, S), NaN where not observed, and their clocks (W,)."""

    values: Array
    clocks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, chosen: NDArray[np.generic]) -> Days:
        """Some of them, by index or by a mask."""
        return Days(self.values[chosen], self.clocks[chosen])

    def sample(self, most: int) -> Days:
        """At most so many of them, evenly spread."""
        return self.select(np.unique(np.linspace(0, len(self) - 1, most).round().astype(int)))

    def without(self, gone: NDArray[np.bool_]) -> Days:
        """Less what is gone, a mask that fits (W, C, S)."""
        return Days(np.where(gone, np.float32(np.nan), self.values), self.clocks)

    def of_tokens(self, cut: Cut) -> Days:
        """Those that have a token; of others the chain has no answer."""
        return self.select(
            np.array([cut.present(~np.isnan(values)).any() for values in self.values], bool)
        )

    def inputs(self) -> Iterable[dict[str, Array]]:
        """What `Chain.run` takes, one day after the other."""
        for values, clock in zip(self.values, self.clocks, strict=True):
            observed = ~np.isnan(values)
            yield {
                "values": np.where(observed, values, np.float32(0))[None],
                "observed": observed[None].astype(np.float32),
                "clock": np.full((1, 1), clock, np.float32),
            }


class Member:
    """One graph of a chain: whatever runs it, as a host's engine."""

    def __init__(self, run: Run) -> None:
        self.name, self.graph, self.threads, self.run = "", "", 1, run


def chained(manifest: Manifest, runs: Mapping[Role, Run]) -> Chain:
    """The runtime's chain around what runs each graph."""
    decode = Member(runs["decode"]) if "decode" in runs else None
    return Chain(manifest, Member(runs["embed"]), Member(runs["encode"]), decode)


def quantize(
    graphs: Mapping[Role, DayGraph],
    manifest: Manifest,
    days: Days,
    exclude: Sequence[str] = (),
) -> dict[Role, QuantizedModel]:
    """Quantize all graphs of a day.

    Parameters
    ----------
    manifest : says how days are cut into tokens, and the sizes of each graph.
    days : to calibrate on, with the gaps that the device will see.
    exclude : layers to keep in float, such as "encode.blocks.0.up".

    Raises
    ------
    InputError : no days, or a layer that does not exist.
    """
    known = [f"{role}.{name}" for role, graph in graphs.items() for name in graph.quantized]
    unknown = [name for name in exclude if name not in known]
    if unknown:
        raise InputError(f"no layer {', '.join(unknown)}; the layers are {', '.join(known)}")
    days = days.of_tokens(Cut.of(manifest))
    if not len(days):
        raise InputError("calibration needs at least one day of which a patch is observed")
    fp32 = {role: export_sizes(graph, manifest.sizes(role)) for role, graph in graphs.items()}
    ranges = calibrate(fp32, manifest, days)
    made: dict[Role, QuantizedModel] = {}
    for role, model in fp32.items():
        kept = {n.removeprefix(f"{role}.") for n in exclude if n.startswith(f"{role}.")}
        u8 = insert(model, choose_scales(model, ranges[role], exact=f"embed{INPUT}"), kept)
        s8, sizes = to_signed(u8), manifest.sizes(role)
        made[role] = QuantizedModel(
            role=role,
            fp32=model,
            u8=u8,
            s8=s8,
            tflite=tflite.convert_sizes({str(size): bind(s8, size) for size in sizes}),
        )
    return made


def export(graph: DayGraph, size: int) -> ModelProto:
    """The float ONNX graph for a size, its linear layers and their tensors named."""
    model = network.to_onnx(graph, graph.example(size), graph.output_names)
    readers: dict[str, list[NodeProto]] = {}
    writers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    renamed: dict[str, str] = {}
    waiting, constants = iter(graph.quantized), network.initializers(model)

    def call(node: NodeProto, name: str) -> str:
        node.name = renamed[node.output[0]] = name
        return node.output[0]

    for node in model.graph.node:
        layer = node.input[1].removesuffix(".weight") if node.op_type == "Gemm" else ""
        if layer not in graph.quantized:
            continue
        # Of layers with equal weights the exporter keeps those of any: the order tells.
        layer = next(waiting)
        weight = graph.get_submodule(layer).weight.detach().numpy()
        assert np.array_equal(constants[node.input[1]], weight), f"{layer} is out of order"
        last, before, moves = call(node, layer), node.input[0], 0
        while writers[before].op_type in MOVING:
            moves += 1
            call(writers[before], f"{layer}.move{moves}")
            before = writers[before].input[0]
        renamed.setdefault(before, layer + INPUT)
        while len(readers.get(last, ())) == 1 and readers[last][0].op_type in (*MOVING, "Relu"):
            moves += 1
            relu = readers[last][0].op_type == "Relu"
            last = call(readers[last][0], layer + (ACTIVATION if relu else f".move{moves}"))
    for node in model.graph.node:
        node.input[:] = [renamed.get(n, n) for n in node.input]
        node.output[:] = [renamed.get(n, n) for n in node.output]
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def export_sizes(graph: DayGraph, sizes: Sequence[int]) -> ModelProto:
    """The float ONNX graph for all sizes: of any size, if there are several.

    It is exported in two sizes, which may differ in the sizes of inputs and outputs, and in
    one number of each shape that something is brought to.
    """
    model = export(graph, sizes[-1])
    if len(sizes) > 1:
        other = export(graph, sizes[-1] // 2)
        same = [node.SerializeToString() for node in model.graph.node]
        assert same == [node.SerializeToString() for node in other.graph.node]
        constants = network.initializers(other)
        for initializer in model.graph.initializer:
            value = numpy_helper.to_array(initializer)
            differs = value != constants[initializer.name]
            if differs.any():
                assert value.dtype == np.int64, f"{initializer.name} is no shape"
                assert differs.sum() == 1, f"{initializer.name} differs twice"
                free = np.where(differs, np.int64(-1), value)
                initializer.CopyFrom(numpy_helper.from_array(free, initializer.name))
        symbols: dict[tuple[int, int], str] = {}
        ends = [(*m.graph.input, *m.graph.output) for m in (model, other)]
        for mine, theirs in zip(*ends, strict=True):
            dims = (value.type.tensor_type.shape.dim for value in (mine, theirs))
            for dim, of_other in zip(*dims, strict=True):
                if dim.dim_value != of_other.dim_value:
                    pair = dim.dim_value, of_other.dim_value
                    dim.dim_param = symbols.setdefault(pair, f"{SYMBOL}{len(symbols) or ''}")
        del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def bind(model: ModelProto, size: int) -> ModelProto:
    """A graph of any size in one size."""
    model = copy.deepcopy(model)
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = size
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.Clear()  # to be inferred
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def sources(model: ModelProto) -> list[str]:
    """Float tensors that are quantized for their own sake: what layers read and give."""
    found = []
    for node in model.graph.node:
        for name in node.output:
            if name.endswith((INPUT, ACTIVATION)) or (
                name == node.name and node.op_type == "Gemm"
            ):
                found.append(name)
    return found


def calibrate(
    models: Mapping[Role, ModelProto], manifest: Manifest, days: Days
) -> dict[Role, dict[str, tuple[float, float]]]:
    """Least and greatest value of what layers read and give, in each graph."""
    found: dict[Role, dict[str, tuple[float, float]]] = {role: {} for role in models}

    def recorder(role: Role, model: ModelProto) -> Run:
        names = sources(model)
        session = network.session(network.expose(model, names))

        def run(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
            outputs = network.run(session, inputs)
            # rows that are left over become nothing
            count = int((inputs[SLOTS] >= 0).sum()) if SLOTS in inputs else None
            for name in names:
                value = outputs.pop(name)
                value = value[..., :count, :]
                low, high = found[role].get(name, (np.inf, -np.inf))
                found[role][name] = min(low, float(value.min())), max(high, float(value.max()))
            return outputs

        return run

    chain = chained(manifest, {role: recorder(role, model) for role, model in models.items()})
    for inputs in days.inputs():
        chain.run(inputs)
    return found


def choose_scales(
    model: ModelProto, ranges: Mapping[str, tuple[float, float]], exact: str
) -> dict[str, tuple[np.float32, int]]:
    """Scale and signed zero point of every tensor that is quantized.

    Parameters
    ----------
    exact : a tensor whose scale is a power of two, so that engines round all of it alike.
    """
    scales = {}
    for name, (low, high) in ranges.items():
        low, high = min(low, 0.0), max(high, 0.0)
        scales[name] = qdq.affine(low, high - low)
        if name == exact:
            power = 2.0 ** np.ceil(np.log2(scales[name][0]))
            scales[name] = qdq.affine(low, high - low, power)
    for node in model.graph.node:
        if node.op_type in MOVING and node.input[0] in scales and _named(node):
            scales[node.output[0]] = scales[node.input[0]]
    return scales


def _named(node: NodeProto) -> bool:
    return node.name == node.output[0]


def insert(
    model: ModelProto, scales: Mapping[str, tuple[np.float32, int]], exclude: set[str]
) -> ModelProto:
    """Quantize the linear layers but for those that are excluded."""
    layers = {
        node.name
        for node in model.graph.node
        if node.output[0] in scales
        and _named(node)
        and node.op_type in ("Gemm", "Relu", *MOVING)
        and not any(node.name == name or node.name.startswith(f"{name}.") for name in exclude)
    }
    return qdq.insert(model, scales, layers)
