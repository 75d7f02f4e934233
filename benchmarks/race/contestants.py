"""Who races: an engine, the file that it runs, and the environment that it is installed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onwrist_runtime.processor import has_vnni

Precision = Literal["fp32", "INT8"]

REFERENCE = "onnxruntime fp32"
PREDICT = "predict, "
U8, S8 = "onnxruntime INT8 u8", "onnxruntime INT8 s8"


@dataclass(frozen=True)
class Contestant:
    """One row of the race.

    Attributes
    ----------
    engine : as `engines.open_engine` knows it.
    file : what it runs, among the files of `models.prepare`.
    environment : one of `environments.PEERS`; None for this one.
    adds_to : of a whole `predict`, the contestant that is its engine alone.
    """

    name: str
    engine: str
    precision: Precision
    file: str
    environment: str | None = None
    adds_to: str | None = None


CONTESTANTS = (
    Contestant(REFERENCE, "onnxruntime", "fp32", "fp32.onnx"),
    Contestant(U8, "onnxruntime", "INT8", "u8.onnx"),
    Contestant(S8, "onnxruntime", "INT8", "s8.onnx"),
    Contestant("litert fp32", "litert", "fp32", "fp32.tflite"),
    Contestant("litert INT8", "litert", "INT8", "s8.tflite"),
    Contestant(
        "tflite-runtime fp32", "tflite-runtime", "fp32", "fp32.tflite", "tflite-runtime"
    ),
    Contestant("tflite-runtime INT8", "tflite-runtime", "INT8", "s8.tflite", "tflite-runtime"),
    Contestant("ExecuTorch fp32", "executorch", "fp32", "fp32.pte", "executorch"),
    Contestant("ExecuTorch INT8", "executorch", "INT8", "s8.pte", "executorch"),
    Contestant("OpenVINO fp32", "openvino", "fp32", "fp32.onnx", "openvino"),
    Contestant("OpenVINO INT8", "openvino", "INT8", "u8.onnx", "openvino"),
    Contestant("ncnn fp32", "ncnn", "fp32", "fp32.param", "ncnn"),
    Contestant("MNN fp32", "mnn", "fp32", "fp32.mnn", "mnn"),
    Contestant("MNN INT8", "mnn", "INT8", "s8.mnn", "mnn"),
    Contestant("torch eager fp32", "torch", "fp32", "fp32.onnx"),
    Contestant(
        f"{PREDICT}litert INT8", "predict litert", "INT8", "bundle", adds_to="litert INT8"
    ),
    Contestant(
        f"{PREDICT}onnxruntime INT8",
        "predict onnxruntime",
        "INT8",
        "bundle",
        adds_to=U8 if has_vnni() else S8,
    ),
)
# What nobody can run here, and why.
ABSENT = {"ncnn INT8": "the package holds no quantizer, and ncnn reads no INT8 of others"}
