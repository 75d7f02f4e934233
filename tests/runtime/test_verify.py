"""An engine is believed only after it has given the golden numbers on this processor."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from onwrist_runtime import bundle, load, verify
from onwrist_runtime.engines import open_engine
from onwrist_runtime.errors import BundleError, ParityError


@pytest.fixture
def write(toy_parts, tmp_path):
    """Writes the toy bundle with changed golden tensors."""
    manifest, members = toy_parts

    def make(change):
        tensors = safetensors.numpy.load(members["golden.safetensors"])
        change(tensors)
        path = tmp_path / "changed.onwrist"
        golden = {"golden.safetensors": safetensors.numpy.save(tensors)}
        bundle.write(path, manifest, members | golden)
        return path

    return make


@pytest.mark.parametrize("fixture", ["toy_bundle", "toy_tflite_bundle"])
def test_a_good_engine_passes(request, fixture):
    opened = bundle.read(request.getfixturevalue(fixture))
    report = verify.verify(opened, open_engine(opened))
    assert report.passed
    assert report.windows == 3
    assert list(report.differences) == ["embedding", "heart_rate", "stress"]
    assert all(0 <= d <= 1e-4 for d in report.differences.values())


@pytest.mark.parametrize("fixture", ["step_bundle", "step_tflite_bundle"])
def test_a_step_graph_replays_its_golden_steps_in_order(request, fixture):
    opened = bundle.read(request.getfixturevalue(fixture))
    report = verify.verify(opened, open_engine(opened, role="step"))
    assert report.passed
    assert report.windows == 7
    assert report.graph.startswith("step.")
    assert list(report.differences) == ["embedding", "heart_rate", "stress"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("step/values"), "has no tensor 'step/values'"),
        (lambda t: t.pop("step/baseline"), "has no tensor 'step/baseline'"),
        (lambda t: t.pop("onnx/step/stress"), "has no tensor 'onnx/step/stress'"),
        (
            lambda t: t.update({"step/values": t["values"]}),
            r"'step/values' is .*not.*\(7, 3, 10\)",
        ),
        (
            lambda t: t.update({"step/baseline": t["step/baseline"] * np.float32(np.inf)}),
            "'step/baseline' are not all finite",
        ),
    ],
)
def test_golden_steps_that_are_not_as_described(step_parts, tmp_path, change, message):
    manifest, members = step_parts
    tensors = safetensors.numpy.load(members["golden.safetensors"])
    change(tensors)
    path = tmp_path / "changed.onwrist"
    golden = {"golden.safetensors": safetensors.numpy.save(tensors)}
    bundle.write(path, manifest, members | golden)
    model = load(path)  # its windows are as they should be
    with pytest.raises(BundleError, match=message):
        model.stream()


def off(tensors):
    tensors["onnx/heart_rate"] = tensors["onnx/heart_rate"].copy()
    tensors["onnx/heart_rate"][1, 0] += 0.5


def test_load_refuses_an_engine_that_gives_other_numbers(write):
    path = write(off)
    for _ in range(2):  # a failure is not remembered as a proof
        with pytest.raises(ParityError, match=r"onnxruntime .*heart_rate by 0\.5 \(at most 0"):
            load(path)


def test_a_difference_that_is_nan_does_not_pass(write):
    def nan(tensors):
        tensors["onnx/stress"] = np.full_like(tensors["onnx/stress"], np.nan)

    with pytest.raises(ParityError, match="stress by nan"):
        load(write(nan))


def test_tflite_runtime_may_round_otherwise(toy_bundle):
    opened = bundle.read(toy_bundle)

    class Rounds:
        name, graph = "onnxruntime", "model.s8.onnx"

        def __init__(self):
            self.engine = open_engine(opened)

        def run(self, inputs):
            outputs = self.engine.run(inputs)
            return {name: output + np.float32(5e-4) for name, output in outputs.items()}

    engine = Rounds()
    assert not verify.verify(opened, engine).passed
    # the same numbers, held against the bounds of the other kind of engine
    manifest = opened.manifest
    loose = msgspec.structs.replace(manifest.golden, tolerance=manifest.golden.loose)
    looser = bundle.Bundle(
        msgspec.structs.replace(manifest, golden=loose), opened.members, opened.hash
    )
    assert verify.verify(looser, engine).passed


def test_the_proof_is_made_once_in_a_process(toy_bundle, monkeypatch):
    calls = []
    real = verify.verify
    monkeypatch.setattr(verify, "verify", lambda *a: calls.append(a) or real(*a))
    monkeypatch.setattr(verify, "_proven", set())
    load(toy_bundle)
    load(toy_bundle)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("onnx/stress"), "has no tensor 'onnx/stress'"),
        (lambda t: t.pop("values"), "has no tensor 'values'"),
        (lambda t: t.update(values=t["values"][:2]), r"'values' is float32 \(2, 3, 50\), not"),
        (lambda t: t.update(observed=t["observed"] > 0), "'observed' is bool"),
        (lambda t: t.update(values=t["values"] * np.float32(np.nan)), "not all finite"),
    ],
)
def test_golden_vectors_that_are_not_as_described(write, change, message):
    with pytest.raises(BundleError, match=message):
        load(write(change))


@pytest.mark.parametrize("raw", [b"", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      x"])
def test_golden_vectors_that_cannot_be_read(toy_parts, tmp_path, raw):
    manifest, members = toy_parts
    path = tmp_path / "damaged.onwrist"
    bundle.write(path, manifest, members | {"golden.safetensors": raw})
    with pytest.raises(BundleError, match=r"golden\.safetensors"):
        load(path)
