"""What tests of all parts share: real recordings where they are present, a toy bundle."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import settings
from toy_graphs import onnx_graph, tflite_graph, toy_outputs

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

# Examples are slow while other work runs on the machine; that is no failure.
settings.register_profile("onwrist", deadline=None)
settings.load_profile("onwrist")

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
    def channel(name: str, sensor: str, rate: float, unit: str) -> Channel:
        return Channel(
            name=name,
            sensor=sensor,
            rate=rate,
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
            channel("ppg", "ppg", 64.0, "a.u."),
            channel("acc_x", "acc", 32.0, "g"),
            channel("acc_y", "acc", 32.0, "g"),
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


@pytest.fixture(scope="session")
def toy_manifest() -> Manifest:
    """Three channels, two of one sensor; a regression and a classification task."""
    return _manifest()


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


def _with_golden(manifest: Manifest, graphs: dict[str, bytes], formats: list[str]) -> Parts:
    """Members around the graphs, with golden vectors that are calculated by hand."""
    draw = np.random.default_rng(0)
    shape = manifest.golden.windows, len(manifest.channels), manifest.samples
    observed = (draw.random(shape) < 0.8).astype(np.uint8)
    values = (draw.normal(size=shape) * observed).astype(np.float32)
    golden = {"values": values, "observed": observed}
    for name, expected in toy_outputs(values, observed).items():
        for graph_format in formats:
            golden[f"{graph_format}/{name}"] = expected
    members = {
        "CARD.md": b"# toy\n",
        "golden.safetensors": safetensors.numpy.save(golden),
        "parity.json": b"{}\n",
    }
    return manifest, members | graphs


@pytest.fixture(scope="session")
def toy_parts() -> Parts:
    """Manifest and members of a bundle for ONNX Runtime; it has no tflite graph."""
    pytest.importorskip("onnxruntime")
    manifest = _manifest()
    graph = onnx_graph(manifest.outputs, len(manifest.channels), manifest.samples)
    return _with_golden(manifest, {g.file: graph for g in manifest.graphs}, ["onnx"])


@pytest.fixture(scope="session")
def toy_bundle(toy_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy bundle as a file: ONNX only."""
    path = tmp_path_factory.mktemp("toy") / "toy.onwrist"
    bundle.write(path, *toy_parts)
    return path


@pytest.fixture(scope="session")
def toy_tflite_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy bundle as a file, for LiteRT only."""
    pytest.importorskip("ai_edge_litert")
    graph = Graph(file="model.tflite", format="tflite", activations="s8")
    manifest = msgspec.structs.replace(_manifest(), graphs=(graph,))
    built = tflite_graph(manifest.outputs, len(manifest.channels), manifest.samples)
    path = tmp_path_factory.mktemp("toy") / "toy_tflite.onwrist"
    bundle.write(path, *_with_golden(manifest, {graph.file: built}, ["tflite"]))
    return path
