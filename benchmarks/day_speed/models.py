"""A size of the day model in; its graphs in every form, their files and inputs out.

Weights are random, from a fixed seed: they decide no time. Scales are chosen on simulated
days, as `onwrist-export quantize` does without recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ai_edge_litert.interpreter as litert
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from streaming.arithmetic import multiply_adds

from onwrist_export.days.config import DayConfig
from onwrist_export.days.probe import ProbeHead
from onwrist_export.model.day_graph import DayGraph, DecodeGraph, EmbedGraph, EncodeGraph
from onwrist_export.model.lsm2 import LSM2
from onwrist_export.packing.day_bundle import ROLES, describe
from onwrist_export.packing.day_windows import calibration
from onwrist_export.quantization import network, tflite
from onwrist_export.quantization.day import Days, bind, quantize
from onwrist_export.quantization.quantize import QuantizedModel, file_names
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.interpreters import Engine, OnnxRuntime, TFLite
from onwrist_runtime.manifest import (
    AFTER,
    BEFORE,
    CLOCK,
    ENCODED,
    PRESENT,
    SLOTS,
    TOKENS,
    Manifest,
    Role,
)
from onwrist_runtime.processor import has_vnni
from onwrist_runtime.tokens import nearest

Array = NDArray[np.float32]
Inputs = Mapping[str, Array]

SEED = 0
CALIBRATED_ON, WEARERS = 24, range(4)
REFERENCE = "onnxruntime fp32"
LITERT_FP32, LITERT_INT8 = "litert fp32", "litert INT8"
U8, S8 = "onnxruntime INT8 u8", "onnxruntime INT8 s8"


@dataclass(frozen=True, eq=False)
class Made:
    """A size of the model, made from random weights.

    Attributes
    ----------
    files : bytes of the file of each role for each contestant.
    work : multiply-adds by role and size, of layers ("Gemm") and attention ("MatMul").
    """

    size: str
    manifest: Manifest
    files: dict[tuple[Role, str], bytes]
    work: dict[tuple[Role, int], dict[str, int]]

    @property
    def bundle(self) -> Bundle:
        """As if it had been packed, but for golden vectors."""
        form = {"u8": U8, "s8": S8, "tflite": LITERT_INT8}
        members = {
            name: self.files[role, form[kind]]
            for role in ROLES
            for kind, name in file_names(role).items()
            if kind in form
        }
        return Bundle(self.manifest, members, "0" * 64)

    def engines(self, role: Role) -> dict[str, Engine]:
        """What races on the graph of a role, set up as the runtime sets it up."""
        made: dict[str, Engine] = {}
        sizes, sized = self.manifest.sizes(role), next(iter(self.manifest.inputs(role)))
        for name in (REFERENCE, U8, S8, LITERT_FP32, LITERT_INT8):
            content, label = self.files[role, name], f"{self.size} {role} {name}"
            if name.startswith("litert"):
                made[name] = TFLite(litert, "litert", label, content, 1, sizes, sized)
            elif name != U8 or has_vnni():  # elsewhere u8 is wrong, and never run
                # the one of `network`, whose telemetry is off
                made[name] = OnnxRuntime(network.ort, "onnxruntime", label, content, 1)
        return made


def make(size: str, config: DayConfig) -> Made:
    """Random weights of a size of LSM-2, exported and quantized."""
    config = msgspec.structs.replace(config, size=size)
    torch.manual_seed(SEED)
    model = LSM2(config.lsm2, config.scales).eval()
    head = ProbeHead(2 * config.lsm2.width, config.probe).eval()
    manifest = describe(config, {config.probe.name: 0.5})
    graphs: dict[Role, DayGraph] = {
        "embed": EmbedGraph(model),
        "encode": EncodeGraph(model, {config.probe.name: head}),
        "decode": DecodeGraph(model),
    }
    models = quantize(graphs, manifest, days(config, CALIBRATED_ON))
    files: dict[tuple[Role, str], bytes] = {}
    work: dict[tuple[Role, int], dict[str, int]] = {}
    for role, quantized in models.items():
        sized = {each: bind(quantized.fp32, each) for each in manifest.sizes(role)}
        for each, one in sized.items():
            work[role, each] = multiply_adds(one.SerializeToString())
        for name, content in _forms(quantized, sized).items():
            files[role, name] = content
    return Made(size, manifest, files, work)


def _forms(quantized: QuantizedModel, sized: Mapping[int, ModelProto]) -> dict[str, bytes]:
    """The file of every contestant."""
    names = file_names(quantized.role)
    return {
        REFERENCE: quantized.fp32.SerializeToString(deterministic=True),
        U8: quantized.files[names["u8"]],
        S8: quantized.files[names["s8"]],
        LITERT_FP32: tflite.convert_sizes({str(k): model for k, model in sized.items()}),
        LITERT_INT8: quantized.tflite,
    }


def days(config: DayConfig, most: int) -> Days:
    """Simulated days, with their gaps."""
    return calibration(None, config.channels, config.patch, most, WEARERS)


def complete_day(config: DayConfig) -> Array:
    """A simulated day (C, S) whose gaps are filled with the median of the channel."""
    found = days(config, 1).values[0]
    return np.where(np.isnan(found), np.nanmedian(found, axis=1, keepdims=True), found)


def inputs(made: Made, day: Array) -> dict[tuple[Role, int], Inputs]:
    """What each graph takes of a complete day, in each of its sizes."""
    manifest = made.manifest
    assert manifest.tokens is not None
    patch, count = manifest.tokens.patch, manifest.tokens.sizes[-1]
    engines = {role: made.engines(role)[REFERENCE] for role in ("embed", "encode")}
    values, clock = np.ascontiguousarray(day[np.newaxis]), np.zeros((1, 1), np.float32)
    whole = {"values": values, "observed": np.ones_like(values)}
    found: dict[tuple[Role, int], Inputs] = {
        ("embed", manifest.samples): whole,
        ("embed", patch): {
            name: np.ascontiguousarray(array[..., :patch]) for name, array in whole.items()
        },
    }
    tokens = engines["embed"].run(whole)[TOKENS]
    for size in manifest.tokens.sizes:
        slots = np.linspace(0, count - 1, size).round().astype(int)
        found["encode", size] = {
            TOKENS: np.ascontiguousarray(tokens[:, slots]),
            SLOTS: slots[np.newaxis].astype(np.float32),
            CLOCK: clock,
        }
    before, after = nearest(np.ones(manifest.samples, np.bool_))
    found["decode", manifest.samples] = {
        ENCODED: engines["encode"].run(found["encode", count])[ENCODED],
        PRESENT: np.ones((1, count), np.float32),
        **whole,
        BEFORE: before[np.newaxis],
        AFTER: after[np.newaxis],
        CLOCK: clock,
    }
    return found
