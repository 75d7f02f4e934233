"""MobileNet v1 with random weights as .tflite, in float and in INT8: a file in, the file out.

The network of Howard et al. 2017 at width 1 and 224 x 224, whose time XNNPACK and TensorFlow
have published on boards: what the model says of LiteRT can be held against that. Weights are
random and scales made up, which changes nothing of what is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from onwrist_export.quantization.flatbuffer import (
    FlatModel,
    Graph,
    Quantization,
    TensorInfo,
)

SIZE, CLASSES, SEED = 224, 1001, 7
FIRST = 32
# Channels and stride of each pointwise convolution and the depthwise one before it.
STAGES = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def build(int8: bool) -> bytes:
    """The network as a flatbuffer."""
    rng = np.random.default_rng(SEED)
    flat = FlatModel()
    dtype = np.dtype(np.int8 if int8 else np.float32)

    def layer(shape: Sequence[int], name: str) -> TensorInfo:
        scaled = Quantization(np.array([0.05], np.float32), np.array([-128])) if int8 else None
        return flat.tensor(name, shape, dtype, scaled)

    def constants(name: str, shape: Sequence[int], axis: int) -> list[TensorInfo]:
        channels = shape[axis]
        if not int8:
            weights = rng.standard_normal(shape).astype(np.float32) * 0.1
            bias = np.zeros(channels, np.float32)
            return [flat.constant(name, weights), flat.constant(f"{name}/bias", bias)]
        zeros = np.zeros(channels, np.int64)
        scale = np.full(channels, 0.005, np.float32)
        weights = rng.integers(-127, 128, shape, np.int8)
        bias = np.zeros(channels, np.int32)
        return [
            flat.constant(name, weights, Quantization(scale, zeros, axis)),
            flat.constant(f"{name}/bias", bias, Quantization(scale * np.float32(0.05), zeros)),
        ]

    def convolve(
        x: TensorInfo, name: str, channels: int, kernel: int, stride: int
    ) -> TensorInfo:
        made = layer((1, x.shape[1] // stride, x.shape[2] // stride, channels), name)
        weights = constants(f"{name}/weights", (channels, kernel, kernel, x.shape[3]), 0)
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = stride
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        flat.operator("CONV_2D", [x, *weights], [made], 3 if int8 else 1, options)
        return made

    def depthwise(x: TensorInfo, name: str, stride: int) -> TensorInfo:
        made = layer((1, x.shape[1] // stride, x.shape[2] // stride, x.shape[3]), name)
        weights = constants(f"{name}/weights", (1, 3, 3, x.shape[3]), 3)
        options = schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = stride
        options.depthMultiplier = 1
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        flat.operator("DEPTHWISE_CONV_2D", [x, *weights], [made], 3 if int8 else 1, options)
        return made

    image = layer((1, SIZE, SIZE, 3), "image")
    x = convolve(image, "first", FIRST, 3, 2)
    for number, (channels, stride) in enumerate(STAGES):
        x = depthwise(x, f"stage{number}/depthwise", stride)
        x = convolve(x, f"stage{number}/pointwise", channels, 1, 1)
    pooled = layer((1, 1, 1, x.shape[3]), "pooled")
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.filterHeight = options.filterWidth = x.shape[1]
    options.strideH = options.strideW = 1
    flat.operator("AVERAGE_POOL_2D", [x], [pooled], 2 if int8 else 1, options)
    scores = convolve(pooled, "scores", CLASSES, 1, 1)
    graph = Graph(flat, {"image": image}, {"scores": scores})
    return flat.file.pack({"main": graph})


def write(folder: Path) -> list[Path]:
    """Put both into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for precision in ("fp32", "int8"):
        paths.append(folder / f"mobilenet_v1.{precision}.tflite")
        paths[-1].write_bytes(build(precision == "int8"))
    return paths
