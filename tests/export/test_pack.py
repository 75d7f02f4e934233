"""A bundle is written only when every limit is kept, whole or not at all."""

from __future__ import annotations

import resource
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import safetensors.numpy
import small
import torch

from onwrist_export.packing.pack import Description, golden_windows, pack, stages
from onwrist_export.quantization.check import check
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import TRAINED, Parity
from onwrist_export.quantization.quantize import QuantizedModel, quantize, quantize_step
from onwrist_export.quantization.stepwise import carried
from onwrist_export.windows.grids import Windows
from onwrist_runtime import bundle
from onwrist_runtime.engines import open_engine, usable
from onwrist_runtime.errors import ParityError
from onwrist_runtime.manifest import Baseline, Role
from onwrist_runtime.verify import verify

HELD_OUT = small.windows(24, seed=7)


Models, Parities = dict[Role, QuantizedModel], dict[Role, Parity]


def checked(model: QuantizedModel, windows: Windows = HELD_OUT) -> Parity:
    return check(model, windows, small.CHANNELS, small.RATE, small.TASKS, TRAINED)


@pytest.fixture(scope="module")
def models() -> Models:
    return {"window": quantize(small.graph(), small.windows(24))}


@pytest.fixture(scope="module")
def parities(models: Models) -> Parities:
    return {"window": checked(models["window"])}


DESCRIPTION = Description(
    name="small",
    version="1.0.0",
    description="A random graph.",
    licence="Apache-2.0",
    rate=small.RATE,
    samples=64,
    channels=small.described_channels(),
    embedding=stages(small.graph().encoder.config),
    tasks=small.TASKS,
)


def test_a_packed_bundle_proves_itself_with_every_engine(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    path = tmp_path / "small.onwrist"
    pack(path, models, parities, DESCRIPTION, HELD_OUT, "# small\n")
    opened = bundle.read(path)
    assert {"litert", "onnxruntime"} <= set(usable(opened))
    for engine in usable(opened):
        assert verify(opened, open_engine(opened, engine)).passed
    assert opened.members["CARD.md"] == b"# small\n"
    assert (
        msgspec.json.decode(opened.members["parity.json"], type=dict[str, Parity]) == parities
    )
    assert [p.name for p in tmp_path.iterdir()] == ["small.onwrist"]


def test_a_model_with_a_running_baseline_proves_itself_too(tmp_path: Path) -> None:
    model = quantize(small.graph(baseline=True), small.windows(24, baseline=True))
    held_out = small.windows(24, seed=7, baseline=True)
    described = replace(DESCRIPTION, baseline=Baseline(seconds=600.0, samples=16))
    path = tmp_path / "small.onwrist"
    pack(path, {"window": model}, {"window": checked(model, held_out)}, described, held_out, "")
    opened = bundle.read(path)
    assert opened.manifest.baseline == described.baseline
    golden = safetensors.numpy.load(opened.members["golden.safetensors"])
    known = golden["baseline"][..., 2].any(axis=1)
    assert known.any()
    assert not known.all()
    for engine in usable(opened):
        assert verify(opened, open_engine(opened, engine)).passed


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    """A bundle with a step graph, of a model that takes a running baseline."""
    whole = small.graph(widths=small.WIDTHS, baseline=True)
    calibration = small.in_contexts(small.stream(120, baseline=True))
    held_out = small.in_contexts(small.stream(240, seed=7, baseline=True))
    models: Models = {
        "window": quantize(whole, small.windows(24, baseline=True)),
        "step": quantize_step(small.causal(baseline=True), calibration),
    }
    windows = small.windows(24, seed=7, baseline=True)
    parities = {"window": checked(models["window"], windows)}
    parities["step"] = checked(models["step"], held_out)
    described = replace(
        DESCRIPTION,
        embedding=stages(whole.encoder.config),
        baseline=Baseline(seconds=600.0, samples=16),
    )
    path = tmp_path_factory.mktemp("stepped") / "small.onwrist"
    stream = small.stream(40, seed=8, baseline=True)
    step = models["step"].step
    pack(path, models, parities, described, windows, "", step, stream)
    return bundle.read(path)


def test_a_bundle_with_steps_proves_them_with_every_engine(stepped: bundle.Bundle) -> None:
    assert stepped.manifest.step.samples == small.STEP
    assert {g.role for g in stepped.manifest.graphs} == {"window", "step"}
    assert {"litert", "onnxruntime"} <= set(usable(stepped))
    for engine in usable(stepped):
        assert verify(stepped, open_engine(stepped, engine)).passed
        assert verify(stepped, open_engine(stepped, engine, role="step")).passed


def test_golden_steps_are_one_stream_in_which_each_kind_of_missing_comes(
    stepped: bundle.Bundle,
) -> None:
    golden = safetensors.numpy.load(stepped.members["golden.safetensors"])
    steps, observed = stepped.manifest.golden.steps, golden["step/observed"]
    assert observed.shape == (steps, 3, small.STEP)
    parts = np.split(observed.mean(axis=(1, 2)), 3)
    assert steps == 30
    assert parts[0].mean() > parts[1].mean()
    assert not observed[20:, 0].any()
    assert observed[20:, 1:].any()
    onnx_file = onnx.load_from_string(stepped.members["step.s8.onnx"])
    run = carried(LiteRT(stepped.members["step.tflite"]).run, onnx_file)
    for k in range(steps):
        inputs = {n: golden[f"step/{n}"][k : k + 1] for n in ("values", "observed", "baseline")}
        found = run({n: v.astype(np.float32) for n, v in inputs.items()})
        for name in ("embedding", "heart_rate", "stress"):
            np.testing.assert_array_equal(found[name][0], golden[f"tflite/step/{name}"][k])


def test_golden_steps_catch_another_models_step(stepped: bundle.Bundle, tmp_path: Path) -> None:
    graph = small.causal(baseline=True)
    with torch.no_grad():
        graph.encoder.encoder_layers[0].main_path[0].weight.mul_(1.1)
    other = quantize_step(graph, small.in_contexts(small.stream(120, baseline=True)))
    bundle.write(tmp_path / "b.onwrist", stepped.manifest, {**stepped.members, **other.files})
    swapped = bundle.read(tmp_path / "b.onwrist")
    for engine in ("litert", "onnxruntime"):
        assert verify(swapped, open_engine(swapped, engine)).passed
        assert not verify(swapped, open_engine(swapped, engine, role="step")).passed


def test_golden_vectors_catch_another_models_graph(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    path = tmp_path / "small.onwrist"
    pack(path, models, parities, DESCRIPTION, HELD_OUT, "")
    opened = bundle.read(path)
    other = quantize(small.graph(), small.windows(24), exclude=["stage1.conv1"])
    members = {**opened.members, **other.files}
    bundle.write(path, opened.manifest, members)
    swapped = bundle.read(path)
    reports = [verify(swapped, open_engine(swapped, e)) for e in ("litert", "onnxruntime")]
    assert not any(report.passed for report in reports)


def test_golden_windows_hold_every_kind_of_missingness() -> None:
    whole = replace(
        HELD_OUT, observed=HELD_OUT.observed | (np.arange(24) % 5 == 0)[:, None, None]
    )
    chosen = golden_windows(whole, list(small.CHANNELS), small.RATE)
    coverage = chosen.observed.mean(axis=2)
    assert (coverage == 1).all(axis=1).any()
    for channel in range(3):
        others = np.arange(3) != channel
        assert ((coverage[:, channel] == 0) & (coverage[:, others] > 0).all(axis=1)).any()
    assert (chosen.observed.sum(axis=(1, 2)) == 1).any()
    assert (coverage.max(axis=1) < 0.3).any()
    assert not chosen.values[~chosen.observed].any()


def test_golden_outputs_are_those_of_each_format(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    path = tmp_path / "small.onwrist"
    pack(path, models, parities, DESCRIPTION, HELD_OUT, "")
    golden = safetensors.numpy.load(bundle.read(path).members["golden.safetensors"])
    for name in ("embedding", "heart_rate", "stress"):
        first, second = golden[f"onnx/{name}"], golden[f"tflite/{name}"]
        assert np.ptp(first) > 0
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


def test_what_fails_the_gate_is_not_written(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    path = tmp_path / "small.onwrist"
    parity = parities["window"]
    bad = replace(parity.conditions[0], centred_cosine=0.9)
    failing = {"window": replace(parity, conditions=(bad, *parity.conditions[1:]))}
    with pytest.raises(ParityError, match=r"0\.9000 with nothing taken away, below 0\.98"):
        pack(path, models, failing, DESCRIPTION, HELD_OUT, "")
    assert not list(tmp_path.iterdir())


def test_a_check_of_other_files_does_not_count(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    model = models["window"]
    other = {"window": replace(model, tflite=model.tflite + b"\0")}
    with pytest.raises(ParityError, match="not the ones that were checked"):
        pack(tmp_path / "small.onwrist", other, parities, DESCRIPTION, HELD_OUT, "")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(
    models: Models, parities: Parities, tmp_path: Path
) -> None:
    path = tmp_path / "small.onwrist"
    pack(path, models, parities, DESCRIPTION, HELD_OUT, "the old card")
    before = path.read_bytes()
    # writing beyond this size fails as on a full disk, with an OSError and not a signal
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            pack(path, models, parities, DESCRIPTION, HELD_OUT, "the new card")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [p.name for p in tmp_path.iterdir()] == ["small.onwrist"]
    assert path.read_bytes() == before


def test_stages_slice_the_embedding() -> None:
    found = stages(small.graph().encoder.config)
    assert [(s.name, s.start, s.stop, s.stride) for s in found] == [
        ("stage1", 0, 8, 2),
        ("stage2", 8, 20, 4),
    ]
    assert [s.receptive_field for s in found] == [13, 37]
