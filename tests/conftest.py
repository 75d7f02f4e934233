"""What tests of all parts share: real recordings where they are present, a toy bundle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from onwrist_runtime import bundle
from onwrist_runtime.manifest import (
    FORMAT_VERSION,
    Channel,
    Golden,
    Graph,
    Manifest,
    Stage,
    Task,
)

REPOSITORY = Path(__file__).parent.parent

Parts = tuple[Manifest, dict[str, bytes]]


def _outside(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable, REPOSITORY.parent / "shared" / folder))
    if not path.is_dir():
        pytest.skip(f"{path} is not there; set {variable} to the folder")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings."""
    return _outside("ONWRIST_DATA", "data")


@pytest.fixture(scope="session")
def shared_interop() -> Path:
    """The folder of official checkpoints and their expected outputs."""
    return _outside("ONWRIST_INTEROP", "interop")


def _manifest() -> Manifest:
    def channel(name: str, sensor: str, unit: str) -> Channel:
        return Channel(
            name=name,
            sensor=sensor,
            unit=unit,
            polarity="up",
            minimum=-100.0,
            maximum=100.0,
            normalization="fixed",
            scale=4.0,
        )

    outputs = ("embedding", "heart_rate", "stress")
    return Manifest(
        format=FORMAT_VERSION,
        name="toy",
        version="1.0",
        description="A graph small enough to calculate by hand.",
        licence="Apache-2.0",
        rate=25.0,
        samples=50,
        channels=(
            channel("ppg", "ppg", "a.u."),
            channel("acc_x", "acc", "g"),
            channel("acc_y", "acc", "g"),
        ),
        embedding=(
            Stage(name="stage1", start=0, stop=3, stride=2, receptive_field=13),
            Stage(name="stage2", start=3, stop=6, stride=4, receptive_field=37),
        ),
        tasks=(
            Task(
                name="heart_rate",
                kind="regression",
                unit="bpm",
                required={"ppg": 0.35},
                minimum_confidence=0.45,
            ),
            Task(
                name="stress",
                kind="classification",
                labels=("rest", "stress"),
                required={},
                any_of={"acc_x": 0.5, "acc_y": 0.5},
                minimum_confidence=0.6,
            ),
        ),
        graphs=(
            Graph(file="model.u8.onnx", format="onnx", activations="u8"),
            Graph(file="model.s8.onnx", format="onnx", activations="s8"),
        ),
        golden=Golden(
            file="golden.safetensors",
            windows=3,
            tolerance=dict.fromkeys(outputs, 1e-4),
            loose=dict.fromkeys(outputs, 1e-3),
        ),
        members={},
    )


@pytest.fixture
def plain_parts() -> Parts:
    """A valid manifest and members that are only bytes: for tests that run no graph."""
    members = {
        "CARD.md": b"# toy\n",
        "golden.safetensors": b"golden vectors",
        "model.s8.onnx": b"a graph of s8",
        "model.u8.onnx": b"a graph of u8",
        "parity.json": b"{}\n",
    }
    return _manifest(), members


def _toy_graph(manifest: Manifest) -> bytes:
    """Mean of each channel over what is observed; heads that a test can calculate.

    heart_rate is 60 + 10 m, with confidence sigmoid(m), for the mean m of the first
    channel; the logits of stress are the means of the two others; the embedding is the
    means and twice the means.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, values: list[float] | list[int], dtype: type) -> object:
        return numpy_helper.from_array(np.array(values, dtype), name)

    nodes = [
        helper.make_node("Mul", ["values", "observed"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "time"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["observed", "time"], ["count"], keepdims=0),
        helper.make_node("Max", ["count", "one"], ["least"]),
        helper.make_node("Div", ["sum", "least"], ["mean"]),
        helper.make_node("Mul", ["mean", "two"], ["twice"]),
        helper.make_node("Concat", ["mean", "twice"], ["embedding"], axis=1),
        helper.make_node("Slice", ["mean", "from0", "to1", "axis1"], ["first"]),
        helper.make_node("Slice", ["mean", "to1", "to3", "axis1"], ["others"]),
        helper.make_node("Mul", ["first", "ten"], ["scaled"]),
        helper.make_node("Add", ["scaled", "sixty"], ["bpm"]),
        helper.make_node("Sigmoid", ["first"], ["sure"]),
        helper.make_node("Concat", ["bpm", "sure"], ["heart_rate"], axis=1),
        helper.make_node("Softmax", ["others"], ["stress"], axis=1),
    ]
    constants = [
        constant("time", [2], np.int64),
        constant("one", [1.0], np.float32),
        constant("two", [2.0], np.float32),
        constant("ten", [10.0], np.float32),
        constant("sixty", [60.0], np.float32),
        constant("from0", [0], np.int64),
        constant("to1", [1], np.int64),
        constant("to3", [3], np.int64),
        constant("axis1", [1], np.int64),
    ]
    shape = [1, len(manifest.channels), manifest.samples]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name in ("values", "observed")
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
            for name, size in manifest.outputs.items()
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def toy_parts() -> Parts:
    """Manifest and members of a bundle that ONNX Runtime runs; it has no tflite graph."""
    manifest = _manifest()
    graph = _toy_graph(manifest)
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)
    shape = manifest.golden.windows, len(manifest.channels), manifest.samples
    observed = (draw.random(shape) < 0.8).astype(np.uint8)
    values = (draw.normal(size=shape) * observed).astype(np.float32)
    runs = [
        session.run(
            list(manifest.outputs),
            {"values": v[None], "observed": o[None].astype(np.float32)},
        )
        for v, o in zip(values, observed, strict=True)
    ]
    golden = {"values": values, "observed": observed}
    for k, name in enumerate(manifest.outputs):
        golden[f"onnx/{name}"] = np.concatenate([run[k] for run in runs])
    members = {
        "CARD.md": b"# toy\n",
        "golden.safetensors": safetensors.numpy.save(golden),
        "model.s8.onnx": graph,
        "model.u8.onnx": graph,
        "parity.json": b"{}\n",
    }
    return manifest, members


@pytest.fixture(scope="session")
def toy_bundle(toy_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy bundle as a file."""
    path = tmp_path_factory.mktemp("toy") / "toy.onwrist"
    bundle.write(path, *toy_parts)
    return path
