"""A `DeployGraph` and calibration windows in, one INT8 graph in three files out.

The encoder becomes static INT8 (per-channel weights, min-max calibration); normalization
and heads stay float. Scales are fixed once, in an ONNX QDQ graph; `model.u8.onnx`,
`model.s8.onnx` and `model.tflite` hold the same numbers.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from onwrist.files import written_beside
from onwrist_export.fusion.graphs import SenseGraph
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.step import StepGraph
from onwrist_export.quantization import network, qdq, tflite
from onwrist_export.quantization.stepwise import STATE, each_step, input_shapes
from onwrist_export.windows.grids import Windows
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Role, Step

STEMS: dict[Role, str] = {
    "window": "model",
    "step": "step",
    "embed": "embed",
    "encode": "encode",
    "decode": "decode",
    "sense": "sense",
    "fuse": "fuse",
}
# A power of two, so that no engine's way of dividing by it can matter; 1.0 becomes 127.
INPUT_SCALE = 2.0**-7
# The one scale of all activations of a step, which its weights are rescaled for. Sums over
# time and of squares are then exact in float32 (whole multiples of a power of two, below
# 2^24 of them), in any order and however long a stream; and one int8 tensor can hold what
# all layers remember.
STEP_SCALE = 2.0**-8
# Residual sums before a ReLU take this many times their calibrated range. A coarser step
# costs the embedding little (centred cosine .9997 to .9994) and damps what differently
# rounding engines drift apart from stage to stage (4 steps to 3). Before a GELU, which
# such engines do not suit anyway, it would cost more.
HEADROOM = 1.75
MOVING = ("Pad", "Slice", "Concat", "Reshape", "Transpose")  # they keep the scale
QUANTIZABLE = ("Conv", "Add", "Relu", *MOVING)
ENCODER = ("stage", network.HISTORY, network.NEXT_HISTORY)  # how names of its nodes begin


@dataclass(frozen=True, eq=False)
class QuantizedModel:
    """The float graph and its INT8 forms, which all have the same inputs and outputs.

    `sensor` is whose, of the role "sense".
    """

    role: Role
    fp32: ModelProto
    u8: ModelProto
    s8: ModelProto
    tflite: bytes
    sensor: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """Of its files."""
        return file_names(self.role, self.sensor)

    @property
    def files(self) -> dict[str, bytes]:
        """The model files of a bundle by name."""
        names = self.names
        return {
            names["u8"]: self.u8.SerializeToString(deterministic=True),
            names["s8"]: self.s8.SerializeToString(deterministic=True),
            names["tflite"]: self.tflite,
        }

    @property
    def step(self) -> Step | None:
        """Samples and state of a step; None for a graph of windows."""
        shapes = input_shapes(self.fp32)
        if STATE not in shapes:
            return None
        return Step(samples=shapes["values"][-1], state=shapes[STATE][-1])

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each of `files`."""
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}

    def save(self, folder: Path) -> None:
        """Write all files, the float graph for comparison among them, into `folder`."""
        fp32 = self.fp32.SerializeToString(deterministic=True)
        for name, content in {self.names["fp32"]: fp32, **self.files}.items():
            with written_beside(folder / name) as beside:
                beside.write_bytes(content)

    @classmethod
    def load(cls, folder: Path, role: Role, sensor: str | None = None) -> Self:
        """Read what `save` wrote."""
        names = file_names(role, sensor)
        missing = [n for n in names.values() if not (folder / n).is_file()]
        if missing:
            raise InputError(
                f"{folder} has no {', '.join(missing)}: name a folder that "
                "`onwrist-export quantize` wrote"
            )
        return cls(
            role=role,
            fp32=onnx.load(folder / names["fp32"]),
            u8=onnx.load(folder / names["u8"]),
            s8=onnx.load(folder / names["s8"]),
            tflite=(folder / names["tflite"]).read_bytes(),
            sensor=sensor,
        )


def graph_name(role: Role, sensor: str | None = None) -> str:
    """How the files of a graph begin."""
    return STEMS[role] if sensor is None else f"{STEMS[role]}.{sensor}"


def file_names(role: Role, sensor: str | None = None) -> dict[str, str]:
    """The files of a model: the float graph, and the three that a bundle holds."""
    stem = graph_name(role, sensor)
    return {
        "fp32": f"{stem}.fp32.onnx",
        "u8": f"{stem}.u8.onnx",
        "s8": f"{stem}.s8.onnx",
        "tflite": f"{stem}.tflite",
    }


def quantize(
    graph: DeployGraph, windows: Windows, exclude: Sequence[str] = ()
) -> QuantizedModel:
    """Quantize the encoder of `graph`.

    Parameters
    ----------
    windows : raw windows to calibrate on, with the missingness that the device will see.
    exclude : layers to keep in float, such as "stage3.conv2".

    Raises
    ------
    InputError : no windows, or a layer that does not exist.
    """
    fp32 = network.export(graph)
    known = network.layers(fp32)
    unknown = [name for name in exclude if name not in known]
    if unknown:
        raise InputError(f"no layer {', '.join(unknown)}; the layers are {', '.join(known)}")
    scales = choose_scales(fp32, calibrate(fp32, windows))
    return _quantized("window", fp32, scales, exclude)


def quantize_step(graph: DeployGraph, windows: Windows, steps: int = 1) -> QuantizedModel:
    """Quantize the step form of a causal `graph`.

    Parameters
    ----------
    windows : raw windows with their context to calibrate on.
    steps : how many of them one call of the result takes. Scales are those of single steps,
        so that a whole stream in one call shows what its steps must equal to the bit.
    """
    single = StepGraph(graph)
    fp32 = network.export(single)
    scales = choose_scales(fp32, calibrate(fp32, windows))
    hidden, outputs = (
        [STEP_SCALE / float(scales[f"stage{k}{layer}"][0]) for k in range(1, 1 + single.depth)]
        for layer in (".conv1.activation", "")
    )
    single.rescale(hidden, outputs)
    fp32 = network.export(single)
    scales = choose_scales(fp32, calibrate(fp32, windows), STEP_SCALE)
    if steps > 1:
        several = StepGraph(graph, steps)
        several.rescale(hidden, outputs)
        fp32 = network.export(several)
    return _quantized("step", fp32, scales)


def quantize_sense(
    graph: SenseGraph, sensor: str, windows: Windows, exclude: Sequence[str] = ()
) -> QuantizedModel:
    """Quantize the encoder of one sensor, on windows of its channels."""
    fp32 = network.export(graph)
    scales = choose_scales(fp32, calibrate(fp32, windows))
    return _quantized("sense", fp32, scales, exclude, sensor)


def _quantized(
    role: Role,
    fp32: ModelProto,
    scales: Mapping[str, tuple[np.float32, int]],
    exclude: Sequence[str] = (),
    sensor: str | None = None,
) -> QuantizedModel:
    u8 = _insert(fp32, scales, exclude)
    s8 = to_signed(u8)
    return QuantizedModel(role, fp32, u8, s8, tflite.convert(s8), sensor)


def activations(model: ModelProto) -> tuple[str, ...]:
    """Float tensors of the encoder in order, from its input to the last stage."""
    names = [network.ENCODER_INPUT]
    names += [o for n in model.graph.node if n.name.startswith(ENCODER) for o in n.output]
    return tuple(dict.fromkeys(names))


def calibrate(model: ModelProto, windows: Windows) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every encoder tensor over `windows`."""
    names = activations(model)
    session = network.session(network.expose(model, names))
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    for inputs in windows.feeds():
        for found in each_step(lambda feed: network.run(session, feed), inputs, model):
            for name in names:
                low[name] = min(low[name], float(found[name].min()))
                high[name] = max(high[name], float(found[name].max()))
    if np.isinf(low[network.ENCODER_INPUT]):
        raise InputError("calibration needs at least one window")
    return {name: (low[name], high[name]) for name in names}


def choose_scales(
    model: ModelProto,
    ranges: Mapping[str, tuple[float, float]],
    shared: float | None = None,
) -> dict[str, tuple[np.float32, int]]:
    """Scale and signed zero point of every encoder tensor.

    What only moves numbers keeps the scale that they have. With `shared`, the range of every
    activation is known to fit that scale, and takes it.

    The two inputs and the output of a residual addition share one scale: the sum of
    their integers is then exact, so that engines that round sums otherwise still agree
    to the bit, and the output adds no rounding of its own.
    """
    ranges = {name: (min(low, 0.0), max(high, 0.0)) for name, (low, high) in ranges.items()}
    widths = {name: high - low for name, (low, high) in ranges.items()}
    following = {n.input[0]: n for n in model.graph.node if n.op_type == "Relu"}
    for node in model.graph.node:
        if node.op_type != "Add" or not node.name.startswith("stage"):
            continue
        first, second = node.input
        output, headroom = node.output[0], 1.0
        if output in following:
            headroom = HEADROOM
            # what one input has below minus the other's maximum, ReLU cuts off anyway
            ranges[first], ranges[second] = (
                (max(ranges[first][0], -ranges[second][1]), ranges[first][1]),
                (max(ranges[second][0], -ranges[first][1]), ranges[second][1]),
            )
            output = following[output].output[0]
        group = (first, second, output)
        width = headroom * max(ranges[name][1] - ranges[name][0] for name in group)
        widths.update(dict.fromkeys(group, width))
    scales = {name: qdq.affine(low, widths[name], shared) for name, (low, _) in ranges.items()}
    scales[network.ENCODER_INPUT] = (np.float32(INPUT_SCALE), 0)
    for node in model.graph.node:
        if node.name.startswith(ENCODER) and node.op_type in MOVING:
            newest = node.input[1 if node.op_type == "Concat" else 0]
            if newest in scales and node.output[0] != network.ENCODER_INPUT:
                scales[node.output[0]] = scales[newest]
    return scales


def _insert(
    model: ModelProto, scales: Mapping[str, tuple[np.float32, int]], exclude: Sequence[str]
) -> ModelProto:
    """`model` with unsigned activations and signed per-channel weights in its encoder."""
    layers = {
        n.name
        for n in model.graph.node
        if n.name.startswith(ENCODER)
        and n.op_type in QUANTIZABLE
        and n.output[0] != network.ENCODER_INPUT  # made in float, and quantized then
        and n.name.removesuffix(".activation") not in exclude
    }
    quantized = qdq.insert(model, scales, layers)
    _keep_float(quantized, exclude)
    return onnx.shape_inference.infer_shapes(quantized, strict_mode=True)


def _keep_float(model: ModelProto, layers: Sequence[str]) -> None:
    """Shield convolutions that stay in float.

    ONNX Runtime quantizes the weights of any convolution that it finds between a
    dequantizer and a quantizer, asked or not. A maximum with the lowest float changes no
    number, is not optimized away, and breaks that pattern.
    """
    lowest = numpy_helper.from_array(np.finfo(np.float32).min, "lowest")
    for index, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Conv" and node.name in layers:
            shielded = f"{node.name}.float"
            shield = helper.make_node("Max", [node.input[0], "lowest"], [shielded], shielded)
            node.input[0] = shielded
            model.graph.node.insert(index, shield)
    if any(n.input[1:] == ["lowest"] for n in model.graph.node):
        model.graph.initializer.append(lowest)


def to_signed(model: ModelProto) -> ModelProto:
    """The same QDQ graph with int8 activations: every zero point less 128, scales equal."""
    model = copy.deepcopy(model)
    for index, initializer in enumerate(model.graph.initializer):
        if initializer.name.endswith("_zero_point"):
            zero = numpy_helper.to_array(initializer)
            if zero.dtype == np.uint8:
                signed = (zero.astype(np.int16) - 128).astype(np.int8)
                model.graph.initializer[index].CopyFrom(
                    numpy_helper.from_array(signed, initializer.name)
                )
    for value in model.graph.value_info:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            value.type.tensor_type.elem_type = TensorProto.INT8
    return model
