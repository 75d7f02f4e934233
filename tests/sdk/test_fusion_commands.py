"""A recording of four sensors in; what counted, what was left out and why, out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_fusion import CHANNELS, SENSORS

from onwrist import readers
from onwrist.cli import main
from onwrist.recording import Recording
from onwrist_runtime.signals import Signal

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """Twelve seconds: the chest dies after six, the waist was never there."""
    draw, times = np.random.default_rng(0), np.arange(240) / 20
    signals = {}
    for name, sensor in CHANNELS.items():
        end = {"chest": 120, "waist": 0}.get(sensor, 240)
        values = draw.integers(-3, 4, 240).astype(np.float32)[:end]
        if end:
            signals[name] = Signal(values, times[:end], 20.0)
    return readers.write_recording(Recording("straps", None, signals), tmp_path)


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_and_csv_say_which_sensors_counted(
    npz: Path, fusion_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out.csv"
    command = ["predict", str(npz), "--bundle", str(fusion_bundle), "--hop", "2"]
    assert main([*command, "--json", "--csv", str(out)]) == 0
    windows = lines(capsys)
    used = [[n for n, s in w["sensors"].items() if s["used"]] for w in windows]
    assert used == [["wrist", "chest", "ankle"]] * 3 + [["wrist", "ankle"]] * 3
    for window in windows:
        assert sum(state["weight"] for state in window["sensors"].values()) == pytest.approx(1)
        waist = {"coverage": 0, "used": False, "weight": 0, "reason": "nothing was observed"}
        assert window["sensors"]["waist"] == waist
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["used_chest"] for row in rows] == ["1"] * 3 + ["0"] * 3
    assert rows[-1]["unused_reason_chest"] == "nothing was observed"
    assert float(rows[-1]["weight_ankle"]) == pytest.approx(0.8)


@pytest.mark.parametrize("command", ["predict", "stream"])
def test_text_says_which_sensors_counted_and_why_others_did_not(
    npz: Path, fusion_bundle: Path, capsys: Capture, command: str
) -> None:
    paced = ["--speed", "max"] if command == "stream" else []
    assert main([command, str(npz), "--bundle", str(fusion_bundle), *paced]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "weight of sensors" in said
    if command == "stream":
        assert "wrist 0.20, ankle 0.80; without chest (nothing was observed), waist" in said
    # Cells of a table are broken into lines.
    for words in ("wrist 0.20", "ankle 0.80", "without", "(nothing", "was observed)"):
        assert words in said


def test_inspect_shows_sensors_patterns_and_fusion(
    fusion_bundle: Path, capsys: Capture
) -> None:
    assert main(["inspect", str(fusion_bundle)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "a sensor is live from 50% of its grid points on: wrist, chest, waist, ankle",
        "2 tokens of 3 numbers",
        "restores the signals of sensors that are dead",
        "the sensor ankle",
        "wrist + chest + waist + ankle",
        "any others abstains abstains",
        "by pattern",
    ):
        assert words in said, words


def test_restoring_needs_a_bundle_that_can_and_a_figure(
    npz: Path, fusion_bundle: Path, toy_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ["predict", str(npz), "--restore", "--bundle"]
    assert main([*command, str(fusion_bundle)]) == 2
    assert "give --plot OUT.png as well" in capsys.readouterr().err
    signals = {"ppg": Signal(np.zeros(640, np.float32), np.arange(640) / 64, 64.0)}
    other = readers.write_recording(Recording("other", None, signals), tmp_path / "other")
    assert main(["predict", str(other), "--restore", "--bundle", str(toy_bundle)]) == 2
    assert "--restore: toy restores no sensor" in capsys.readouterr().err


def test_what_was_restored_reaches_the_figure(
    npz: Path,
    fusion_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    pytest.importorskip("matplotlib")
    from onwrist import plots

    drawn: list[Any] = []
    monkeypatch.setattr(plots, "save", lambda *given: drawn.append(given))
    command = ["predict", str(npz), "--bundle", str(fusion_bundle)]
    command += ["--plot", str(tmp_path / "out.png")]
    for restore in (True, False):
        assert main([*command, *["--restore"] * restore]) == 0
        predictions = drawn[-1][2]
        assert all((p.imputed is not None) == restore for p in predictions)


def test_verify_replays_every_pattern(fusion_bundle: Path, capsys: Capture) -> None:
    assert main(["verify", str(fusion_bundle), "--json"]) == 0
    (report,) = lines(capsys)
    engines = [x for x in report["engines"] if x["engine"] == "onnxruntime"]
    assert [x["windows"] for x in engines] == [15]
    assert all(sensor in engines[0]["graph"] for sensor in SENSORS)
