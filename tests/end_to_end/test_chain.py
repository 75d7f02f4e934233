"""From a folder of recordings to predictions on another one, by the commands alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from onwrist.cli import main as onwrist
from onwrist.readers import write_recording
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export.cli import main as export
from onwrist_export.config import DEFAULT

pytestmark = pytest.mark.slow

PEOPLE = ("P1", "P2", "P3", "P4", "P5", "P6")
Command = Callable[..., int]


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
        (r'name = "wrist-himae"', 'name = "mine"'),
    ):
        text, count = re.subn(old, new, text, count=1)
        assert count == 1, old
    (folder / "mine.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def bundle(work: Path) -> Path:
    """The whole chain, once."""
    recordings, config = str(work / "recordings"), ["--config", str(work / "mine.toml")]
    encoder, model = str(work / "encoder.safetensors"), str(work / "model.safetensors")
    folder, packed = str(work / "quantized"), work / "mine.onwrist"
    assert export(["pretrain", recordings, "-o", encoder, *config]) == 0
    assert export(["train", recordings, "--encoder", encoder, "-o", model, *config]) == 0
    assert export(["quantize", model, "--calibrate", recordings, "-o", folder]) == 0
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
    record["conditions"][0]["centred_cosine"] = 0.5
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
    bundle: Path,
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
    assert "Traceback" not in said
    assert sorted(work.rglob("*")) == before


def test_a_configuration_for_other_people_says_whom_it_misses(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the shipped configuration names subjects of Stress-Predict
    recordings = str(work / "recordings")
    assert export(["train", recordings, "--from-scratch", "-o", str(work / "no")]) == 2
    assert "S02" in capsys.readouterr().err
