"""What tests of all parts share: real recordings where they are present, a toy bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import settings
from numpy.typing import NDArray
from toy_day import day_outputs, onnx_day, tflite_day
from toy_fusion import SUBSETS, fusion_graph, fusion_manifest, fusion_outputs, fusion_window
from toy_graphs import onnx_graph, tflite_graph, toy_outputs

from onwrist_runtime import bundle
from onwrist_runtime.manifest import (
    FORMAT_VERSION,
    Baseline,
    Channel,
    Golden,
    Graph,
    Group,
    Manifest,
    Role,
    Stage,
    Step,
    Task,
    Tokens,
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


def _day_manifest() -> Manifest:
    def channel(name: str, sensor: str, aggregation: Literal["mean", "sum"]) -> Channel:
        return Channel(
            name=name,
            sensor=sensor,
            rate=1 / 5 if name == "heart_rate" else 1 / 60,
            unit="bpm" if name == "heart_rate" else "1",
            polarity="up",
            minimum=0.0,
            maximum=300.0,
            aggregation=aggregation,
            normalization="standard",
            offset=1.0,
            scale=2.0,
        )

    outputs = ("embedding", "active_minutes", "imputed")
    roles: tuple[Role, ...] = ("embed", "encode", "decode")
    return Manifest(
        format=FORMAT_VERSION,
        name="toy-day",
        version="1.0",
        description="Graphs of a day that are small enough to calculate by hand.",
        licence="Apache-2.0",
        rate=1 / 60,
        samples=1440,
        channels=(
            channel("steps", "activity", "sum"),
            channel("intensity", "activity", "mean"),
            channel("heart_rate", "heart_rate", "mean"),
        ),
        embedding=(
            Stage(name="day", start=0, stop=4, stride=120, receptive_field=1440),
            Stage(name="recent", start=4, stop=8, stride=120, receptive_field=1440),
        ),
        tasks=(
            Task(
                name="active_minutes",
                kind="regression",
                unit="min",
                required={"steps": 0.05},
                minimum_confidence=0.3,
            ),
        ),
        graphs=tuple(
            Graph(file=f"{role}.s8.onnx", format="onnx", activations="s8", role=role)
            for role in roles
        ),
        tokens=Tokens(
            patch=120,
            groups=(
                Group(name="activity", channels=("steps", "intensity"), least=1),
                Group(name="heart", channels=("heart_rate",), least=30),
            ),
            width=4,
            sizes=(6, 12, 24),
            interpolated="heart_rate",
        ),
        golden=Golden(
            file="golden.safetensors",
            windows=4,
            tolerance=dict.fromkeys(outputs, 1e-4),
            loose=dict.fromkeys(outputs, 1e-3),
        ),
        members={},
    )


@pytest.fixture
def plain_day_parts() -> Parts:
    """A valid manifest of a bundle with tokens and members that are only bytes."""
    manifest = _day_manifest()
    return manifest, {name: name.encode() for name in manifest.files}


def _with_golden(manifest: Manifest, graphs: dict[str, bytes], formats: list[str]) -> Parts:
    """Members around the graphs, with golden vectors that are calculated by hand."""
    golden = _golden(manifest, formats, "", manifest.golden.windows, 1, manifest.samples)
    if manifest.step is not None:
        size = manifest.step.samples
        steps = manifest.samples // size
        golden |= _golden(manifest, formats, "step/", manifest.golden.steps, steps, size)
    members = {
        "CARD.md": b"# toy\n",
        "golden.safetensors": safetensors.numpy.save(golden),
        "parity.json": b"{}\n",
    }
    return manifest, members | graphs


def _golden(
    manifest: Manifest, formats: list[str], part: str, count: int, steps: int, size: int
) -> dict[str, NDArray[Any]]:
    """Inputs of so many points, and the outputs over so many of them up to each."""
    draw = np.random.default_rng(0)
    shape = count, len(manifest.channels), size
    observed = (draw.random(shape) < 0.8).astype(np.uint8)
    values = (draw.normal(size=shape) * observed).astype(np.float32)
    golden: dict[str, NDArray[Any]] = {f"{part}values": values, f"{part}observed": observed}
    baseline = None
    if manifest.baseline is not None:
        baseline = draw.normal(size=(*shape[:2], 3)).astype(np.float32)
        golden[f"{part}baseline"] = baseline
    before = np.zeros((steps - 1, *shape[1:]))
    several = []
    for x in (values, observed):
        padded = np.concatenate([before, x])
        several.append(np.stack([np.hstack(padded[k : k + steps]) for k in range(count)]))
    for name, expected in toy_outputs(*several, baseline).items():
        for graph_format in formats:
            golden[f"{graph_format}/{part}{name}"] = expected
    return golden


STREAMING = {"baseline": Baseline(seconds=20.0, samples=5), "step": Step(samples=10, state=24)}


def _streaming(graph_format: Literal["onnx", "tflite"]) -> Parts:
    """The toy bundle with a baseline and a step graph, of one format."""
    file = f"{{}}.{'s8.onnx' if graph_format == 'onnx' else 'tflite'}"
    graphs = tuple(
        Graph(file=file.format(name), format=graph_format, activations="s8", role=role)
        for name, role in (("model", "window"), ("step", "step"))
    )
    plain = _manifest()
    golden = msgspec.structs.replace(plain.golden, steps=7)
    manifest = msgspec.structs.replace(plain, graphs=graphs, golden=golden, **STREAMING)
    make = onnx_graph if graph_format == "onnx" else tflite_graph
    made = {
        graph.file: make(
            manifest.outputs,
            len(manifest.channels),
            *((10, True, 24) if graph.role == "step" else (manifest.samples, True)),
        )
        for graph in graphs
    }
    return _with_golden(manifest, made, [graph_format])


@pytest.fixture(scope="session")
def step_parts() -> Parts:
    """Manifest and members of a bundle with a baseline and a step graph, for ONNX Runtime."""
    pytest.importorskip("onnxruntime")
    return _streaming("onnx")


@pytest.fixture(scope="session")
def step_bundle(step_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That bundle as a file."""
    path = tmp_path_factory.mktemp("toy") / "steps.onwrist"
    bundle.write(path, *step_parts)
    return path


@pytest.fixture(scope="session")
def step_tflite_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a baseline and a step graph as a file, for LiteRT only."""
    pytest.importorskip("ai_edge_litert")
    path = tmp_path_factory.mktemp("toy") / "steps_tflite.onwrist"
    bundle.write(path, *_streaming("tflite"))
    return path


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


def _day(graph_format: Literal["onnx", "tflite"]) -> Parts:
    """The toy bundle of a day in one format, with days of several sizes as golden ones."""
    plain = _day_manifest()
    graphs = tuple(
        Graph(
            file=g.file if graph_format == "onnx" else f"{g.role}.tflite",
            format=graph_format,
            activations="s8",
            role=g.role,
        )
        for g in plain.graphs
    )
    manifest = msgspec.structs.replace(plain, graphs=graphs)
    make = onnx_day if graph_format == "onnx" else tflite_day
    draw = np.random.default_rng(0)
    shape = manifest.golden.windows, 3, manifest.samples
    observed = draw.random(shape) < 0.7
    for day, hidden in enumerate((0, 500, 900, 1250)):
        observed[day, :, :hidden] = False
    values = draw.integers(0, 20, shape).astype(np.float32) * observed
    clock = np.arange(len(values), dtype=np.float32)[:, np.newaxis]
    golden = {"values": values, "observed": observed.astype(np.uint8), "clock": clock}
    days = [day_outputs(*day) for day in zip(values, observed, clock[:, 0], strict=True)]
    for name in manifest.outputs:
        golden[f"{graph_format}/{name}"] = np.concatenate([day[name] for day in days])
    members = {graph.file: make(manifest, graph.role) for graph in graphs}
    members["golden.safetensors"] = safetensors.numpy.save(golden)
    return manifest, members | {"CARD.md": b"# toy\n", "parity.json": b"{}\n"}


@pytest.fixture(scope="session")
def day_parts() -> Parts:
    """Manifest and members of a bundle with tokens, for ONNX Runtime."""
    pytest.importorskip("onnxruntime")
    return _day("onnx")


@pytest.fixture(scope="session")
def day_bundle(day_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That bundle as a file."""
    path = tmp_path_factory.mktemp("toy") / "day.onwrist"
    bundle.write(path, *day_parts)
    return path


@pytest.fixture(scope="session")
def day_tflite_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with tokens as a file, for LiteRT only."""
    pytest.importorskip("ai_edge_litert")
    path = tmp_path_factory.mktemp("toy") / "day_tflite.onwrist"
    bundle.write(path, *_day("tflite"))
    return path


@pytest.fixture
def plain_fusion_parts() -> Parts:
    """A valid manifest of a bundle with fusion and members that are only bytes."""
    manifest = fusion_manifest()
    return manifest, {name: name.encode() for name in manifest.files}


def _fusion(graph_format: Literal["onnx", "tflite"]) -> Parts:
    """The toy bundle of four sensors in one format, with a golden window of every subset."""
    plain = fusion_manifest()
    if graph_format == "tflite":
        graphs = tuple(
            msgspec.structs.replace(
                g, format="tflite", file=g.file.replace("s8.onnx", "tflite")
            )
            for g in plain.graphs
        )
        plain = msgspec.structs.replace(plain, graphs=graphs)
    assert plain.availability is not None
    asked = {pattern.sensors: pattern.temperatures for pattern in plain.availability.patterns}
    golden: dict[str, list[NDArray[Any]]] = {}
    for seed, subset in enumerate(SUBSETS):
        values, observed = fusion_window(subset, seed)
        outputs = fusion_outputs(values, observed, asked.get(subset, {}))
        given = {"values": values[np.newaxis], "observed": observed[np.newaxis].astype("u1")}
        given |= {f"{graph_format}/{name}": output for name, output in outputs.items()}
        for name, array in given.items():
            golden.setdefault(name, []).append(array)
    together = {name: np.concatenate(arrays) for name, arrays in golden.items()}
    members = {graph.file: fusion_graph(plain, graph) for graph in plain.graphs}
    members["golden.safetensors"] = safetensors.numpy.save(together)
    return plain, members | {"CARD.md": b"# toy\n", "parity.json": b"{}\n"}


@pytest.fixture(scope="session")
def fusion_parts() -> Parts:
    """Manifest and members of a bundle with fusion, for ONNX Runtime."""
    pytest.importorskip("onnxruntime")
    return _fusion("onnx")


@pytest.fixture(scope="session")
def fusion_bundle(fusion_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That bundle as a file."""
    path = tmp_path_factory.mktemp("toy") / "fusion.onwrist"
    bundle.write(path, *fusion_parts)
    return path


@pytest.fixture(scope="session")
def fusion_tflite_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with fusion as a file, for LiteRT only."""
    pytest.importorskip("ai_edge_litert")
    path = tmp_path_factory.mktemp("toy") / "fusion_tflite.onwrist"
    bundle.write(path, *_fusion("tflite"))
    return path
