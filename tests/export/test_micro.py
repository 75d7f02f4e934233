"""What bundles claim of TFLite-Micro holds in its own interpreter."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import small
from elsewhere import REPOSITORY, python_with

from onwrist_export.packing import card, trials
from onwrist_export.packing.pack import Description, pack, stages
from onwrist_export.packing.trials import Parities, golden_calls, pack_tried, try_bundle
from onwrist_export.quantization import flatbuffer
from onwrist_export.quantization.check import check
from onwrist_export.quantization.elsewhere import version
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import OFF_ROUNDING_OTHERWISE, TRAINED, Parity, Trial
from onwrist_export.quantization.quantize import quantize, quantize_step
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Baseline

pytestmark = pytest.mark.slow

MICRO = "tflite-micro"
SHIPPED = sorted((REPOSITORY / "sdk/onwrist/bundles").glob("*.onwrist"))
ALIGNED = 64  # bytes that the start of an arena may cost


@pytest.fixture(scope="module")
def python() -> str:
    return python_with(MICRO)


def claims(opened: Bundle) -> list[Trial]:
    """What a bundle says of its files in TFLite-Micro."""
    parities = msgspec.json.decode(opened.members["parity.json"], type=dict[str, Parity])
    return [t for parity in parities.values() for t in parity.trials if t.engine == MICRO]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_a_shipped_bundle_claims_holds(path: Path, python: str) -> None:
    """Every file is spoken of, and nothing is claimed that is not so."""
    opened = bundle.read(path)
    said = {(t.file, t.size): t for t in claims(opened)}
    files = {graph.file for graph in opened.manifest.graphs if graph.format == "tflite"}
    assert {file for file, _ in said} == files
    found = {
        (t.file, t.size): t for ts in try_bundle(opened, MICRO, python).values() for t in ts
    }
    for key, claim in said.items():
        if claim.claimed:
            assert found[key].claimed, found[key].reason
            assert found[key].off <= OFF_ROUNDING_OTHERWISE
            assert (found[key].head, found[key].flash) == (claim.head, claim.flash)
        else:
            assert claim.reason


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_graph_of_a_shipped_bundle_runs_in_some_form(path: Path, python: str) -> None:
    """As its file, or each size of it alone; then the file itself is not claimed.

    Of fused sensors each graph runs, but what rounds otherwise in an encoder is read by every
    token of the attention: where it is too far off, the bundle says so and claims nothing.
    """
    opened = bundle.read(path)
    for role, found in try_bundle(opened, MICRO, python).items():
        if opened.manifest.fusion is not None:
            assert all(t.claimed or "is off by" in t.reason for t in found)
            continue
        wanted = map(str, opened.manifest.sizes(role)) if len(found) > 1 else [""]
        assert {t.size for t in found if t.claimed} == set(wanted), [t.reason for t in found]


def loads(python: str, model: Path, arena: int) -> bool:
    program = (
        "import sys; from tflite_micro.python.tflite_micro import runtime\n"
        "runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]))"
    )
    command = [python, "-c", program, str(model), str(arena)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def packed(python: str, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A random model of windows and steps, packed with its trials."""
    whole = small.graph(widths=small.WIDTHS, baseline=True)
    calibration = small.in_contexts(small.stream(120, baseline=True))
    models = {
        "window": quantize(whole, small.windows(24, baseline=True)),
        "step": quantize_step(small.causal(baseline=True), calibration),
    }
    windows = small.windows(24, seed=7, baseline=True)
    judged = {
        "window": windows,
        "step": small.in_contexts(small.stream(240, seed=7, baseline=True)),
    }
    checked = {
        role: check(model, judged[role], small.CHANNELS, small.RATE, small.TASKS, TRAINED)
        for role, model in models.items()
    }
    described = Description(
        name="small",
        version="1.0.0",
        description="A random graph.",
        licence="Apache-2.0",
        rate=small.RATE,
        samples=64,
        channels=small.described_channels(),
        embedding=stages(whole.encoder.config),
        tasks=small.TASKS,
        baseline=Baseline(seconds=600.0, samples=16),
    )
    stream = small.stream(40, seed=8, baseline=True)

    def write(path: Path, parities: Parities) -> None:
        text = card.engines(parities)
        pack(path, models, parities, described, windows, text, models["step"].step, stream)

    path = tmp_path_factory.mktemp("micro") / "small.onwrist"
    pack_tried(path, write, checked, {MICRO: python})
    return bundle.read(path)


def test_a_packed_bundle_says_what_was_run_and_what_it_takes(
    packed: Bundle, python: str, tmp_path: Path
) -> None:
    said = claims(packed)
    assert [t.file for t in said] == ["model.tflite", "step.tflite"]
    for trial in said:
        assert trial.claimed, trial.reason
        assert trial.agreement.input_equal
        assert trial.version == version(python, MICRO)
        assert {"CONV_2D", "QUANTIZE"} <= set(trial.operators)
        model = tmp_path / trial.file
        model.write_bytes(packed.members[trial.file])
        assert trial.flash == model.stat().st_size
        assert loads(python, model, trial.arena + ALIGNED)
        assert not loads(python, model, trial.arena - ALIGNED)
        assert trial.head + trial.tail <= trial.arena + ALIGNED
    text = packed.members["CARD.md"].decode()
    assert f"| step.tflite | {MICRO} {version(python, MICRO)} | yes |" in text
    assert "were not run" not in text


def test_what_is_too_far_off_is_not_claimed(
    packed: Bundle, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "OFF_ROUNDING_OTHERWISE", 0)
    (trial,) = try_bundle(packed, MICRO, python)["step"]
    assert not trial.claimed
    assert f"is off by {trial.off}" in trial.reason
    far = dict.fromkeys(packed.manifest.outputs, 1e-9)
    monkeypatch.undo()
    golden = msgspec.structs.replace(packed.manifest.golden, loose=far)
    manifest = msgspec.structs.replace(packed.manifest, golden=golden)
    (trial,) = try_bundle(replace(packed, manifest=manifest), MICRO, python)["step"]
    assert not trial.claimed
    assert "embedding is off by" in trial.reason


def test_a_file_without_its_kernels_is_not_claimed_and_says_which(
    packed: Bundle, python: str
) -> None:
    gelu = quantize(
        small.graph("gelu", widths=small.WIDTHS, baseline=True),
        small.windows(24, baseline=True),
    )
    members = {
        **packed.members,
        "model.tflite": gelu.tflite,
        "model.s8.onnx": gelu.s8.SerializeToString(),
    }
    (trial,) = try_bundle(replace(packed, members=members), MICRO, python)["window"]
    assert not trial.claimed
    assert "GELU" in trial.reason
    assert trial.agreement is None


def test_a_size_alone_computes_what_the_file_does_and_is_smaller() -> None:
    opened = bundle.read(next(path for path in SHIPPED if path.stem == "day-lsm2"))
    content, calls = opened.members["encode.tflite"], golden_calls(opened)["encode"]
    whole, alone = LiteRT(content), flatbuffer.sizes(content)
    assert tuple(map(int, alone)) == opened.manifest.sizes("encode")
    for inputs, _ in calls:
        part = alone[str(inputs["tokens"].shape[1])]
        assert len(part) < 0.6 * len(content)
        found = LiteRT(part).run(inputs)
        for name, expected in whole.run(inputs).items():
            np.testing.assert_array_equal(found[name], expected)


def test_a_python_without_the_engine_is_refused(python: str) -> None:
    with pytest.raises(InputError, match="/no/python cannot be run"):
        version("/no/python", MICRO)
    with pytest.raises(InputError, match="has no tflite-runtime"):
        version(python, "tflite-runtime")
