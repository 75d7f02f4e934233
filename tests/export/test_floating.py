"""The float originals that benchmarks make of the shipped INT8 graphs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import small
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floating import float_onnx, float_tflite

from onwrist.bundles import find
from onwrist_export.quantization import network
from onwrist_export.quantization.day import chained
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.quantize import quantize
from onwrist_runtime import bundle
from onwrist_runtime.manifest import Role
from onwrist_runtime.verify import golden_scales

ROLES = [("wrist-himae", "window"), ("wrist-himae", "step"), ("day-lsm2", "window")]
# Relative, of two engines. The class score reads the deviation of channels that hardly move,
# in which engines differ as much in the shipped graph.
SAME, SAME_OF_STRESS = 1e-4, 1e-3
CLOSE = 0.97  # centred cosine to INT8

Array = NDArray[np.float32]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
Outputs = dict[str, NDArray[np.float64]]


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_both_float_forms_agree_and_differ_from_int8_by_its_rounding(
    name: str, role: Role
) -> None:
    opened = bundle.read(find(name))
    float_in_onnx, float_in_tflite, int8 = (
        golden_outputs(opened, role, make) for make in (_onnx, _tflite, _int8)
    )
    for output, expected in float_in_onnx.items():
        apart = np.abs(float_in_tflite[output] - expected).max() / np.abs(expected).max()
        assert apart <= (SAME_OF_STRESS if output == "stress" else SAME), output
        assert centred_cosine(expected, int8[output]) > CLOSE, output
        assert (expected != int8[output]).any(), output


def test_it_has_the_operators_of_the_graph_that_was_quantized() -> None:
    made = quantize(small.graph(baseline=True), small.windows(8, baseline=True))
    for quantized in (made.u8, made.s8):
        found = onnx.load_from_string(float_onnx(quantized.SerializeToString()))
        assert _operators(found) == _operators(made.fp32)


def golden_outputs(
    opened: bundle.Bundle, role: Role, make: Callable[[bytes, tuple[int, ...]], Run]
) -> Outputs:
    """All outputs of the golden inputs, one run after the other; a state begins at zero."""
    manifest = opened.manifest
    files = {g.role: g.file for g in manifest.graphs if g.file.endswith("s8.onnx")}
    runs = {
        each: make(opened.members[file], manifest.sizes(each)) for each, file in files.items()
    }
    run = chained(manifest, runs).run if manifest.tokens is not None else runs[role]
    golden = safetensors.numpy.load(opened.members[manifest.golden.file])
    part = "step/" if role == "step" else ""
    shapes = manifest.inputs(role)
    if manifest.scales:
        scales = golden_scales(manifest, role, golden[f"{part}observed"] > 0)
        golden |= {part + name: scale for name, scale in scales.items()}
    given: dict[str, list[Array]] = {}
    for turn in range(len(golden[f"{part}values"])):
        fed = {
            n: golden[part + n][turn : turn + 1].astype(np.float32)
            for n in shapes
            if part + n in golden
        }
        if "state" in shapes:
            fed["state"] = given["next_state"][-1] if turn else np.zeros(shapes["state"], "f4")
        for output, value in run(fed).items():
            given.setdefault(output, []).append(value)
    return {output: np.stack(values).astype(np.float64) for output, values in given.items()}


def _onnx(graph: bytes, sizes: tuple[int, ...]) -> Run:
    return _int8(float_onnx(graph), sizes)


def _int8(graph: bytes, sizes: tuple[int, ...]) -> Run:
    session = network.session(onnx.load_from_string(graph))
    return lambda inputs: network.run(session, inputs)  # type: ignore[return-value]


def _tflite(graph: bytes, sizes: tuple[int, ...]) -> Run:
    written = float_tflite(graph, sizes if len(sizes) > 1 else ())
    return LiteRT(written).run  # type: ignore[return-value]


def centred_cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine of both less the mean of `a` over runs."""
    a, b = (x - a.mean(axis=0) for x in (a, b))
    return float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)
