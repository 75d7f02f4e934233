"""From a folder of recordings to predictions on another one, by the commands alone."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onwrist import load
from onwrist.cli import main as onwrist
from onwrist.readers import read, write_recording
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export.cli import main as export
from onwrist_export.config import DEFAULT
from onwrist_export.learning import store

pytestmark = pytest.mark.slow

PEOPLE = ("P1", "P2", "P3", "P4", "P5", "P6")
TRAIN = ["train", "recordings", "-o", "x", "--config", "mine.toml"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings of six people, and a configuration that trains in seconds."""
    folder = tmp_path_factory.mktemp("work")
    for seed, name in enumerate(PEOPLE):
        made = simulate(seconds=240, seed=seed)
        recording = Recording(name, name, made.signals, made.labels)
        write_recording(recording, folder / "recordings")
    text = DEFAULT.read_text()
    for old, new in (
        (r"widths = .*", "widths = [8, 16]"),
        (r"test = .*", 'test = ["P5", "P6"]'),
        (r"validation = .*", 'validation = ["P4"]'),
        (r"(\[pretrain\]\nsteps) = \d+\nbatch = \d+", r"\1 = 20\nbatch = 32"),
        (r"(\[train\]\nsteps) = \d+", r"\1 = 250"),
        (r"(\[classify\]\nsteps) = \d+", r"\1 = 60"),
        (r"context = \d+\nsteps = \d+", "context = 96\nsteps = 150"),
        (r'name = "wrist-himae"', 'name = "mine"'),
    ):
        text, count = re.subn(old, new, text, count=1)
        assert count == 1, old
    (folder / "mine.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def bundle(work: Path) -> Path:
    """The whole chain, once: a window graph, and its causal form beside it."""
    recordings, config = str(work / "recordings"), ["--config", str(work / "mine.toml")]
    folder, packed = str(work / "quantized"), work / "mine.onwrist"
    made = {}
    for form, step in (("", []), ("-step", ["--step"])):
        encoder, model = (str(work / f"{n}{form}.safetensors") for n in ("encoder", "model"))
        assert export(["pretrain", recordings, *step, "-o", encoder, *config]) == 0
        start = ["--encoder", encoder]
        assert export(["train", recordings, *step, *start, "-o", model, *config]) == 0
        made[form] = model
    beside = ["--step", made["-step"], "--calibrate", recordings]
    assert export(["quantize", made[""], *beside, "-o", folder]) == 0
    assert export(["check", folder, "--recordings", recordings]) == 0
    assert export(["pack", folder, "-o", str(packed)]) == 0
    return packed


def test_the_bundle_predicts_on_a_person_it_never_saw(
    work: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(work / "recordings" / "P6.npz")
    capsys.readouterr()
    assert onwrist(["predict", path, "--bundle", str(bundle), "--json"]) == 0
    windows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(windows) > 20
    for window in windows:
        assert window.keys() >= {"start", "end", "coverage", "tasks"}
        assert window["tasks"].keys() == {"heart_rate", "stress"}
        for result in window["tasks"].values():
            assert result["abstained"] == bool(result["reason"])
    assert any(not w["tasks"]["heart_rate"]["abstained"] for w in windows)
    gone = [w for w in windows if w["coverage"]["ppg"] < 0.05]
    assert gone
    assert all(w["tasks"]["heart_rate"]["abstained"] for w in gone)


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
def test_the_bundle_streams_in_steps(work: Path, bundle: Path, engine: str) -> None:
    model = load(bundle, engine=engine)
    recording = read(work / "recordings" / "P6.npz")
    stream = model.stream()
    assert stream.mode == "step"
    assert stream.hop == pytest.approx(32 / 25)
    found = [*stream.push_recording(recording.signals), *stream.flush()]
    by_window = model.stream(hop=32 / 25, mode="window")
    others = [*by_window.push_recording(recording.signals), *by_window.flush()]
    assert [(p.start, p.end) for p in found] == [(p.start, p.end) for p in others]
    assert len(found) > 150
    answered = [not p["heart_rate"].abstained for p in found]
    assert 0.1 < np.mean(answered) < 1
    # another encoder, of the same person
    assert not np.array_equal(found[-1].embedding, others[-1].embedding)
    stream.reset()
    again = [*stream.push_recording(recording.signals), *stream.flush()]
    for first, second in zip(found, again, strict=True):
        assert first.embedding.tobytes() == second.embedding.tobytes()


def test_the_record_and_the_card_tell_of_both_forms(work: Path, bundle: Path) -> None:
    model = load(bundle)
    assert (model.manifest.step.samples, model.manifest.golden.steps) == (32, 30)
    assert sorted(g.file for g in model.manifest.graphs if g.role == "step") == [
        "step.s8.onnx",
        "step.tflite",
        "step.u8.onnx",
    ]
    members = model.bundle.members
    assert json.loads(members["parity.json"]).keys() == {"window", "step"}
    assert "onwrist INT8, in steps" in members["CARD.md"].decode()


def test_heads_are_trained_anew_on_either_form(work: Path, bundle: Path) -> None:
    recordings, config = str(work / "recordings"), ["--config", str(work / "mine.toml")]
    made = []
    for form, step in (("", []), ("-step", ["--step"])):
        model, out = (str(work / f"{n}{form}.safetensors") for n in ("model", "heads"))
        options = [*step, "--heads", model, "--steps", "5", "-o", out, *config]
        assert export(["train", recordings, *options]) == 0
        made.append(out)
    folder = str(work / "heads")
    assert export(["quantize", made[0], "--step", made[1], "-o", folder]) == 0
    assert export(["quantize", made[0], "-o", folder]) == 0
    assert not list(Path(folder).glob("*step*"))


def test_every_engine_proves_the_bundle(bundle: Path) -> None:
    assert onwrist(["verify", str(bundle)]) == 0
    assert onwrist(["inspect", str(bundle)]) == 0


def test_the_card_says_what_made_the_bundle(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert onwrist(["inspect", str(bundle), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)["card"]
    for said in ("test: P5, P6", "Seed 7", "FFT peak", "time only", "Not a medical device"):
        assert said in card
    assert str(bundle.parent) not in card


def test_probe_writes_a_table_and_a_figure(work: Path, bundle: Path) -> None:
    out = work / "probe"
    model = str(work / "model.safetensors")
    assert export(["probe", model, str(work / "recordings"), "-o", str(out)]) == 0
    assert "stage 2" in (out / "probe.md").read_text()
    assert (out / "probe.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "probe.json").read_text())["probes"]


def test_a_model_that_breaks_a_limit_is_not_packed(
    work: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parity = work / "quantized" / "parity.json"
    whole = parity.read_text()
    record = json.loads(whole)
    record["window"]["conditions"][0]["centred_cosine"] = 0.5
    parity.write_text(json.dumps(record))
    try:
        out = work / "refused.onwrist"
        assert export(["pack", str(work / "quantized"), "-o", str(out)]) == 1
        said = capsys.readouterr().err
        assert "centred cosine" in said
        assert "0.5" in said
        assert "--exclude stage" in said
        assert not out.exists()
    finally:
        parity.write_text(whole)


@pytest.fixture(scope="module")
def others(work: Path, bundle: Path) -> None:
    """A step of a configuration with another context, and what knows of no steps at all."""
    text = (work / "mine.toml").read_text()
    stepless = re.sub(r"\[step\]\n(\w+ = \d+\n)+", "", text)
    assert "[step]" not in stepless
    (work / "stepless.toml").write_text(stepless)
    replace = msgspec.structs.replace
    window, commands = store.load_trained(work / "model.safetensors")
    config = replace(window.config, step=None)
    store.save_trained(
        work / "stepless.safetensors", dataclasses.replace(window, config=config), commands
    )
    step, commands = store.load_trained(work / "model-step.safetensors")
    config = replace(step.config, step=replace(step.config.step, context=128))
    store.save_trained(
        work / "other-step.safetensors", dataclasses.replace(step, config=config), commands
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pretrain", "nowhere", "-o", "x.safetensors"], "nowhere"),
        (
            ["train", "recordings", "--encoder", "mine.toml", "-o", "x"],
            "cannot read checkpoint",
        ),
        (["quantize", "mine.toml", "-o", "q"], "mine.toml"),
        (["quantize", "model.safetensors", "-o", "q", "--exclude", "stage9.conv1"], "stage9"),
        (["quantize", "model-step.safetensors", "-o", "q"], "this one with --step"),
        (["quantize", "encoder-step.safetensors", "-o", "q"], "this one with --step"),
        (
            ["quantize", "model.safetensors", "--step", "model.safetensors", "-o", "q"],
            "was not trained by `onwrist-export train --step`",
        ),
        (
            ["quantize", "model.safetensors", "--step", "encoder-step.safetensors", "-o", "q"],
            "'pretrained' checkpoint",
        ),
        (
            ["quantize", "encoder.safetensors", "--step", "model-step.safetensors", "-o", "q"],
            "beside a checkpoint of `onwrist-export train`",
        ),
        (
            [*TRAIN, "--step", "--encoder", "encoder.safetensors"],
            "trained without --step; train what follows without it too",
        ),
        ([*TRAIN, "--encoder", "encoder-step.safetensors"], "was trained with --step"),
        ([*TRAIN, "--heads", "model-step.safetensors"], "was trained with --step"),
        (
            ["pretrain", "recordings", "--step", "-o", "x", "--config", "stepless.toml"],
            "the configuration has no [step]",
        ),
        (
            ["quantize", "stepless.safetensors", "--step", "model-step.safetensors", "-o", "q"],
            "the configuration has no [step]",
        ),
        (
            ["quantize", "model.safetensors", "--step", "other-step.safetensors", "-o", "q"],
            "train both with the same --config",
        ),
        (["check", "recordings"], "onwrist-export quantize"),
        (["pack", "recordings", "-o", "x.onwrist"], "onwrist-export quantize"),
        (["probe", "absent.safetensors", "recordings", "-o", "p"], "absent.safetensors"),
        (
            ["pretrain", "recordings", "-o", "x", "--config", "absent.toml"],
            "cannot read configuration",
        ),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    work: Path,
    others: None,
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(work)
    before = sorted(work.rglob("*"))
    capsys.readouterr()
    assert export(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert sorted(work.rglob("*")) == before


def test_a_configuration_for_other_people_says_whom_it_misses(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the shipped configuration names subjects of Stress-Predict
    recordings = str(work / "recordings")
    assert export(["train", recordings, "--from-scratch", "-o", str(work / "no")]) == 2
    assert "S02" in capsys.readouterr().err
