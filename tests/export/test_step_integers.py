"""Steps in INT8 equal one pass over the same stream, bit by bit, in every engine.

The pass is the same graph for many steps a call, with the scales of single steps: all of a
stage's outputs come from one convolution then, and none from a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
import pytest
import small
from numpy.typing import NDArray

from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.himae import HISTORY
from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.check import check, onnx_run
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_export.quantization.parity import TRAINED
from onwrist_export.quantization.qdq import QUANTIZED
from onwrist_export.quantization.quantize import (
    INPUT_SCALE,
    STEP_SCALE,
    QuantizedModel,
    quantize_step,
)
from onwrist_export.quantization.stepwise import NEXT_STATE, STATE, carried, input_shapes
from onwrist_export.windows.grids import Run, Windows
from onwrist_runtime.processor import has_vnni

STEPS = 12  # of a stream
ALL_AT_ONCE = pytest.param(STEPS, marks=pytest.mark.slow)
INPUT = f"{network.ENCODER_INPUT}{QUANTIZED}"
Outputs = dict[str, NDArray[np.generic]]
vnni = pytest.mark.skipif(not has_vnni(), reason="this processor has no VNNI")
ENGINES = ["onnxruntime s8", pytest.param("onnxruntime u8", marks=vnni), "litert"]


def joined(steps: Windows) -> Windows:
    """Steps of a stream as the one window that they are."""
    values, observed = (
        v.swapaxes(0, 1).reshape(1, v.shape[1], -1) for v in (steps.values, steps.observed)
    )
    return Windows(values, observed, steps.elapsed[:1], steps.subjects[:1], {}, small.CONTEXT)


@cache
def quantized(steps: int) -> QuantizedModel:
    return quantize_step(small.causal(), joined(small.stream(60)), steps)


def integers(model: QuantizedModel) -> list[str]:
    """The input and every int8 layer of the encoder, but for what only joins or cuts them."""
    return [
        n.output[0]
        for n in model.s8.graph.node
        if n.op_type == "QuantizeLinear"
        and n.name.startswith(("stage", network.ENCODER_INPUT))
        and ".concat" not in n.name
        and ".slice" not in n.name
    ]


def engine(model: QuantizedModel, name: str) -> Run:
    """An engine on a form of `model` that also gives every integer."""
    if name.startswith("onnxruntime"):
        form = model.s8 if name.endswith("s8") else model.u8
        return onnx_run(network.expose(form, integers(model)))
    kernels = Kernels.DEFAULT if name == "litert" else Kernels.BUILT_IN
    return LiteRT(flatbuffer.expose(model.tflite, integers(model)), kernels).run


def calls(model: QuantizedModel, stream: Windows) -> Iterator[dict[str, NDArray[np.float32]]]:
    """A stream, given as its steps, as the inputs of each call of `model`."""
    whole = joined(stream)
    length = input_shapes(model.fp32)["values"][-1]
    for start in range(0, whole.values.shape[-1], length):
        part = slice(start, start + length)
        yield {
            "values": whole.values[..., part],
            "observed": whole.observed[..., part].astype(np.float32),
        }


def run(model: QuantizedModel, name: str, stream: Windows) -> list[Outputs]:
    """Outputs of every call; feature maps as (1, C, L), of int8 whatever the engine."""
    step = carried(engine(model, name), model.fp32)
    return [
        {n: _alike(o, n) for n, o in step(inputs).items()} for inputs in calls(model, stream)
    ]


def _alike(output: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    if output.ndim == 4:  # (1, 1, L, C) of TFLite
        output = output[:, 0].transpose(0, 2, 1)
    if output.dtype == np.uint8:
        output = (output.astype(np.int16) - 128).astype(np.int8)
    return np.ascontiguousarray(output)


def same_bytes(found: Mapping[str, NDArray], expected: Mapping[str, NDArray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


def maps(found: list[Outputs], names: list[str]) -> Outputs:
    """Integers of a whole stream, one call after the other in time."""
    before = {INPUT: HISTORY[0]}  # each call also holds the newest of the call before
    return {
        n: np.concatenate([outputs[n][..., before.get(n, 0) :] for outputs in found], axis=-1)
        for n in names
    }


def calls_equal_their_steps(
    make: Callable[[int], QuantizedModel], steps: int, name: str
) -> None:
    """A graph of several steps a call, or of the whole stream, and one of single steps."""
    stream = small.stream(STEPS, seed=3)
    names = integers(make(1))
    assert {f"stage{k}{QUANTIZED}" for k in (1, 2, 3)} < set(names)
    assert INPUT in names
    single = run(make(1), name, stream)
    layers = maps(single, names)
    assert all(np.unique(layer).size > 20 for layer in layers.values())
    several = run(make(steps), name, stream)
    same_bytes(maps(several, names), layers)
    for found, expected in zip(several, single[steps - 1 :: steps], strict=True):
        for output in ("embedding", "heart_rate", "stress", NEXT_STATE):
            same_bytes({output: found[output]}, {output: expected[output]})


@pytest.mark.parametrize("steps", [4, ALL_AT_ONCE])
@pytest.mark.parametrize("name", [*ENGINES, "tflite-runtime"])
def test_steps_equal_one_pass_over_the_stream_to_the_bit(name: str, steps: int) -> None:
    calls_equal_their_steps(quantized, steps, name)


@pytest.mark.parametrize("name", ENGINES[1:])
@pytest.mark.parametrize("steps", [1, 4, ALL_AT_ONCE])
def test_engines_carry_the_same_bytes(name: str, steps: int) -> None:
    model, stream = quantized(steps), small.stream(STEPS, seed=4)
    exact = [*integers(model), "embedding", NEXT_STATE]
    for found, expected in zip(
        run(model, name, stream), run(model, ENGINES[0], stream), strict=True
    ):
        same_bytes({n: found[n] for n in exact}, {n: expected[n] for n in exact})


@pytest.mark.parametrize(
    ("first", "then"), [("onnxruntime s8", "litert"), ("litert", "onnxruntime s8")]
)
def test_a_stream_goes_on_in_another_engine(first: str, then: str) -> None:
    model, stream = quantized(1), small.stream(STEPS, seed=5)
    whole = run(model, then, stream)
    half = run(model, first, stream.select(np.arange(STEPS // 2)))
    state, go_on = half[-1][NEXT_STATE], engine(model, then)
    assert state.any()
    rest = list(calls(model, stream))[STEPS // 2 :]
    for inputs, expected in zip(rest, whole[STEPS // 2 :], strict=True):
        found = {n: _alike(o, n) for n, o in go_on({**inputs, STATE: state}).items()}
        same_bytes(found, expected)
        state = found[NEXT_STATE]


@pytest.mark.parametrize("name", [ENGINES[0], "litert"])
def test_nothing_is_left_of_what_a_window_no_longer_depends_on(name: str) -> None:
    """After any time, a stream is where one that began a few windows ago is."""
    model, stream = quantized(1), small.stream(2000, seed=6)
    steps = (64 + small.CONTEXT) // small.STEP
    *_, old = run(model, name, stream)
    *_, young = run(model, name, stream.select(np.arange(2000 - steps, 2000)))
    same_bytes(young, old)
    *_, too_young = run(model, name, stream.select(np.arange(2000 - steps // 2, 2000)))
    assert too_young["embedding"].tobytes() != old["embedding"].tobytes()


def test_every_scale_is_a_power_of_two_and_that_of_activations_one() -> None:
    constants = network.initializers(quantized(1).s8)
    scales = {n: float(v) for n, v in constants.items() if n.endswith("_scale") and v.ndim == 0}
    of_inputs = {"input_scale", "stage1.shortcut.slice_scale"}
    assert {v for n, v in scales.items() if n not in of_inputs} == {STEP_SCALE}
    assert {v for n, v in scales.items() if n in of_inputs} == {INPUT_SCALE}
    assert all(np.log2(scale).is_integer() for scale in (STEP_SCALE, INPUT_SCALE))


def test_the_state_holds_whole_multiples_of_powers_of_two() -> None:
    """So that sums of it never err, in any order."""
    model = quantized(1)
    *_, last = run(model, "litert", small.stream(STEPS, seed=7))
    state = last[NEXT_STATE][0]
    shape = 3 * 2 * 3  # the newest inputs, of values and observed
    embedding = sum(small.WIDTHS)
    sums = state[shape : shape + 4 * 2 * embedding].reshape(-1, 2, embedding)
    for unit, part in ((STEP_SCALE, sums[:, 0]), (STEP_SCALE**2, sums[:, 1])):
        assert part.any()
        assert (part / unit == np.rint(part / unit)).all()
    np.testing.assert_array_less(sums[0] / STEP_SCALE**2, 2**24)


def test_a_sound_step_passes_its_check() -> None:
    model = quantized(1)
    windows = small.in_contexts(small.stream(400, seed=8), every=12)
    parity = check(model, windows, small.CHANNELS, small.RATE, small.TASKS, TRAINED)
    assert parity.failures == ()
    alike = [a for a in parity.agreements if a.rounds_alike]
    assert alike
    assert all(a.equal == 1 and a.off == 0 and a.outputs["embedding"] == 0 for a in alike)
    assert all(layer.sqnr > 15 for layer in parity.layers)


def full_size() -> DeployGraph:
    return small.graph(padding="causal", samples=256, widths=(16, 32, 64, 128, 256), step=32)


@cache
def full_sized(steps: int) -> QuantizedModel:
    """The shipped sizes with random weights."""
    return quantize_step(full_size(), joined(small.stream(96)), steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_the_shipped_sizes_equal_one_pass_too(name: str, monkeypatch) -> None:
    monkeypatch.setattr(small, "STEP", 32)
    calls_equal_their_steps(full_sized, STEPS, name)
