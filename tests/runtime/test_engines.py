"""Which engine and which graph are chosen, and what is said when none fits."""

from __future__ import annotations

import threading

import msgspec
import numpy as np
import pytest
from toy_day import CONSTANTS, nodes_of
from toy_graphs import onnx_graph, toy_outputs
from toy_nodes import calculate

from onwrist_runtime import Model, bundle, engines
from onwrist_runtime.errors import BundleError, EngineError, InputError
from onwrist_runtime.manifest import Graph


@pytest.fixture
def opened(toy_bundle):
    return bundle.read(toy_bundle)


@pytest.fixture
def opened_tflite(toy_tflite_bundle):
    return bundle.read(toy_tflite_bundle)


def with_graphs(opened, *graphs):
    """The bundle, as if it had other graphs, all with the same content."""
    content = next(data for name, data in opened.members.items() if name.startswith("model"))
    manifest = msgspec.structs.replace(opened.manifest, graphs=graphs)
    members = dict(opened.members) | {graph.file: content for graph in graphs}
    return bundle.Bundle(manifest, members, opened.hash)


U8 = Graph(file="model.u8.onnx", format="onnx", activations="u8")
S8 = Graph(file="model.s8.onnx", format="onnx", activations="s8")
TFLITE = Graph(file="model.tflite", format="tflite", activations="s8")


def pretend(monkeypatch, *names):
    monkeypatch.setattr(engines, "installed", lambda name: name in names)


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (("litert", "onnxruntime", "tflite-runtime"), "litert"),
        (("onnxruntime", "tflite-runtime"), "onnxruntime"),
        (("tflite-runtime",), "tflite-runtime"),
    ],
)
def test_the_preferred_engine_that_is_installed(opened, monkeypatch, present, chosen):
    pretend(monkeypatch, *present)
    assert engines.usable(with_graphs(opened, S8, TFLITE))[0] == chosen


def test_an_engine_without_a_graph_is_passed_over(opened, monkeypatch):
    pretend(monkeypatch, "litert", "onnxruntime")
    assert engines.open_engine(opened).name == "onnxruntime"


@pytest.mark.parametrize(
    ("vnni", "graphs", "file"),
    [
        (True, (U8, S8), "model.u8.onnx"),
        (False, (U8, S8), "model.s8.onnx"),
        (True, (S8,), "model.s8.onnx"),
    ],
)
def test_the_graph_is_chosen_by_the_processor(opened, monkeypatch, vnni, graphs, file):
    monkeypatch.setattr(engines, "has_vnni", lambda: vnni)
    held = with_graphs(opened, *graphs)
    assert engines.open_engine(held, "onnxruntime").graph == file


def test_u8_alone_is_refused_without_vnni(opened, monkeypatch):
    monkeypatch.setattr(engines, "has_vnni", lambda: False)
    with pytest.raises(EngineError, match=r"needs an s8 graph.*only model\.u8\.onnx"):
        engines.open_engine(with_graphs(opened, U8), "onnxruntime")


def test_a_step_graph_is_chosen_by_its_role(step_bundle):
    held = bundle.read(step_bundle)
    assert engines.steps(held, "onnxruntime")
    assert not engines.steps(held, "litert")
    assert engines.open_engine(held).graph == "model.s8.onnx"
    opened = engines.open_engine(held, threads=2, role="step")
    assert (opened.graph, opened.threads) == ("step.s8.onnx", 2)


def test_a_bundle_without_steps_has_no_graph_of_them(opened):
    assert not engines.steps(opened, "onnxruntime")
    with pytest.raises(EngineError, match="this bundle holds no graph of a step"):
        engines.open_engine(opened, role="step")


def test_a_step_graph_that_is_wrong_here_is_not_used(step_bundle, monkeypatch):
    held = bundle.read(step_bundle)
    graphs = [
        msgspec.structs.replace(graph, activations="u8") if graph.role == "step" else graph
        for graph in held.manifest.graphs
    ]
    manifest = msgspec.structs.replace(held.manifest, graphs=tuple(graphs))
    monkeypatch.setattr(engines, "has_vnni", lambda: False)
    changed = bundle.Bundle(manifest, held.members, held.hash)
    assert not engines.steps(changed, "onnxruntime")
    model = Model(changed, engines.open_engine(changed))
    assert model.stream().mode == "window"


def test_nothing_installed_says_what_to_install(opened, opened_tflite, monkeypatch):
    pretend(monkeypatch)
    with pytest.raises(EngineError, match=r"pip install 'onwrist\[onnx\]'$"):
        engines.open_engine(opened)
    with pytest.raises(EngineError, match=r"onwrist\[litert\]' or .*onwrist\[tflite\]'"):
        engines.open_engine(opened_tflite)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("litert", "litert"), ("onnxruntime", "onnx"), ("tflite-runtime", "tflite")],
)
def test_an_engine_that_is_not_installed(opened, monkeypatch, name, extra):
    pretend(monkeypatch)
    with pytest.raises(EngineError, match=rf"{name} is not installed.*onwrist\[{extra}\]"):
        engines.open_engine(opened, name)


def test_an_engine_that_is_installed_but_broken(opened, monkeypatch, tmp_path):
    (tmp_path / "broken_engine.py").write_text("raise ImportError('needs numpy < 2')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(engines.ENGINES, "onnxruntime", ("broken_engine", "onnx", "onnx"))
    with pytest.raises(EngineError, match="does not start: needs numpy < 2"):
        engines.open_engine(opened, "onnxruntime")


def test_a_format_that_the_bundle_lacks(opened, opened_tflite):
    with pytest.raises(EngineError, match=r"litert runs tflite, but.*model\.u8\.onnx"):
        engines.open_engine(opened, "litert")
    with pytest.raises(EngineError, match=r"onnxruntime runs onnx, but.*model\.tflite"):
        engines.open_engine(opened_tflite, "onnxruntime")


def test_an_unknown_engine_lists_the_known(opened):
    with pytest.raises(InputError, match="no engine 'tensorrt'; choose from litert, onnx"):
        engines.open_engine(opened, "tensorrt")


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, None])
def test_threads_must_be_a_positive_integer(opened, threads):
    with pytest.raises(InputError, match="threads must be a positive integer"):
        engines.open_engine(opened, threads=threads)


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_a_graph_that_no_engine_can_read(opened, opened_tflite, content):
    for held in (opened, opened_tflite):
        graphs = {graph.file: content for graph in held.manifest.graphs}
        damaged = bundle.Bundle(held.manifest, dict(held.members) | graphs, held.hash)
        with pytest.raises(EngineError, match=r"cannot open model\."):
            engines.open_engine(damaged)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 49}, r"inputs values float32 \(1, 3, 50\).*\(1, 3, 49\)"),
        ({"tasks": ()}, r"outputs .*stress float32 \(1, 2\), but the manifest describes emb"),
    ],
)
def test_a_graph_that_disagrees_with_the_manifest(opened, opened_tflite, change, message):
    for held in (opened, opened_tflite):
        manifest = msgspec.structs.replace(held.manifest, **change)
        with pytest.raises(BundleError, match=message):
            engines.open_engine(bundle.Bundle(manifest, held.members, held.hash))


def test_inputs_are_matched_by_name_and_not_by_place(opened):
    onnx = pytest.importorskip("onnx")
    manifest = opened.manifest
    model = onnx.load_from_string(onnx_graph(manifest.outputs, 3, manifest.samples))
    turned = list(model.graph.input)[::-1]
    del model.graph.input[:]
    model.graph.input.extend(turned)
    content = model.SerializeToString()
    graphs = {graph.file: content for graph in manifest.graphs}
    held = bundle.Bundle(manifest, dict(opened.members) | graphs, opened.hash)
    values = np.full((1, 3, 50), 2, np.float32)
    result = engines.open_engine(held).run({"values": values, "observed": np.ones_like(values)})
    np.testing.assert_allclose(result["heart_rate"][0, 0], 80.0)


@pytest.mark.parametrize("name", ["litert", "onnxruntime"])
def test_an_engine_that_fails_on_a_window_is_named(opened, opened_tflite, name):
    held = opened if name == "onnxruntime" else opened_tflite
    engine = engines.open_engine(held, name)
    wrong = np.ones((1, 3, 7), np.float32)
    with pytest.raises(EngineError, match=rf"{name} failed on model\."):
        engine.run({"values": wrong, "observed": wrong})


@pytest.mark.parametrize("name", ["litert", "onnxruntime"])
def test_one_engine_serves_many_threads(opened, opened_tflite, name):
    held = opened if name == "onnxruntime" else opened_tflite
    engine = engines.open_engine(held, name)
    draw = np.random.default_rng(0)
    wrong: list[int] = []

    def work(seed: int) -> None:
        values = np.float32(draw.normal(size=(1, 3, 50)) + seed)
        observed = np.ones((1, 3, 50), np.float32)
        expected = toy_outputs(values, observed.astype(np.uint8))["embedding"]
        for _ in range(300):
            got = engine.run({"values": values, "observed": observed})["embedding"]
            if not np.allclose(got, expected, atol=1e-4):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_window_of_a_day_is_run_by_all_of_its_graphs(day_bundle, day_tflite_bundle):
    for path, suffix in ((day_bundle, "s8.onnx"), (day_tflite_bundle, "tflite")):
        held = bundle.read(path)
        opened = engines.open_engine(held, threads=2)
        assert opened.graph == ", ".join(f"{r}.{suffix}" for r in ("embed", "encode", "decode"))
        assert opened.threads == 2
        assert engines.open_engine(held, role="encode").graph == f"encode.{suffix}"


@pytest.mark.parametrize("name", ["litert", "onnxruntime"])
def test_every_size_of_a_graph_is_run_by_the_size_of_its_inputs(
    day_bundle, day_tflite_bundle, name
):
    held = bundle.read(day_bundle if name == "onnxruntime" else day_tflite_bundle)
    manifest = held.manifest
    draw = np.random.default_rng(0)
    for role in ("embed", "encode", "decode"):
        engine = engines.open_engine(held, name, role=role)
        for size in [*manifest.sizes(role), *reversed(manifest.sizes(role))]:
            inputs = {
                k: draw.integers(0, 9, shape).astype(np.float32)
                for k, shape in manifest.inputs(role, size).items()
            }
            expected = calculate(nodes_of(role, 120, 1440), CONSTANTS | inputs)
            given = engine.run(inputs)
            assert {k: x.shape for k, x in given.items()} == manifest.gives(role, size)
            for k, x in given.items():
                np.testing.assert_allclose(x, expected[k], rtol=1e-6)


def test_a_size_that_a_graph_does_not_have_is_named(day_tflite_bundle):
    engine = engines.open_engine(bundle.read(day_tflite_bundle), role="encode")
    inputs = {
        "tokens": np.zeros((1, 7, 4), np.float32),
        "slots": np.zeros((1, 7), np.float32),
        "clock": np.zeros((1, 1), np.float32),
    }
    with pytest.raises(EngineError, match=r"tokens has the shape \(1, 7, 4\), not \(1, 6, 4\)"):
        engine.run(inputs)


@pytest.mark.parametrize("fixture", ["day_bundle", "day_tflite_bundle"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 5}, r"embed\..* has the outputs tokens .*4\).*describes tokens .*5\)"),
        ({"sizes": (12, 24)}, None),
        ({"sizes": (6, 12, 18, 24)}, "cannot open encode.tflite: .*18"),
        ({"patch": 60, "sizes": (6, 12, 48)}, "embed"),
    ],
)
def test_every_size_is_held_against_the_manifest(request, fixture, change, message):
    held = bundle.read(request.getfixturevalue(fixture))
    tokens = msgspec.structs.replace(held.manifest.tokens, **change)
    manifest = msgspec.structs.replace(held.manifest, tokens=tokens)
    changed = bundle.Bundle(manifest, held.members, held.hash)
    onnx = fixture == "day_bundle"
    # a symbolic dimension takes every size, and fewer signatures may be used than there are
    if message is None or (onnx and "sizes" in change and "patch" not in change):
        engines.open_engine(changed)
        return
    if onnx and "patch" in change:
        engines.open_engine(changed, role="embed")  # the proof finds that out
        with pytest.raises(BundleError, match=r"decode.* encoded float32 \(1, 24, 4\)"):
            engines.open_engine(changed)
        return
    with pytest.raises((BundleError, EngineError), match=message):
        engines.open_engine(changed)


def test_a_graph_with_a_number_where_it_needs_a_symbol(day_parts):
    manifest, members = day_parts
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(members["encode.s8.onnx"])
    for tensor in model.graph.input:
        if tensor.name == "slots":
            tensor.type.tensor_type.shape.dim[1].dim_value = 24
    changed = dict(members) | {"encode.s8.onnx": model.SerializeToString()}
    with pytest.raises(BundleError, match=r"slots float32 \(1, 24\).*slots float32 \(1, 6\)"):
        engines.open_engine(bundle.Bundle(manifest, changed, "0" * 64))
