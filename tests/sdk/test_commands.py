"""The command line: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from onwrist import readers
from onwrist.cli import main
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_runtime import bundle as bundles
from onwrist_runtime.manifest import Manifest

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def npz(tmp_path: Path, simulated: Recording) -> Path:
    return readers.write_recording(simulated, tmp_path)


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def fails(capsys: Capture, code: int, arguments: list[Any], *words: str) -> None:
    try:
        got = main([str(argument) for argument in arguments])
    except SystemExit as wrong_use:  # argparse
        got = int(wrong_use.code or 0)
    said = capsys.readouterr().err
    assert got == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said


def test_json_has_one_object_a_window(npz: Path, toy_bundle: Path, capsys: Capture) -> None:
    assert main(["predict", str(npz), "--bundle", str(toy_bundle), "--json"]) == 0
    windows = lines(capsys)
    manifest = bundles.read(toy_bundle).manifest
    length = manifest.samples / manifest.rate
    assert np.diff([x["start"] for x in windows]) == pytest.approx(length / 2)
    for window in windows:
        assert window.keys() == {"start", "end", "coverage", "sensors", "tasks"}
        assert list(window["sensors"]) == ["ppg", "acc"]
        assert window["end"] - window["start"] == pytest.approx(length)
        assert list(window["coverage"]) == [x.name for x in manifest.channels]
        for task in manifest.tasks:
            result = window["tasks"][task.name]
            regression = task.kind == "regression"
            answer = {"value", "unit"} if regression else {"label", "probabilities"}
            assert result.keys() == answer | {"confidence", "abstained", "reason"}
            given = result["value" if regression else "label"]
            assert (given is None) == result["abstained"] == (result["reason"] is not None)
    silent = [x for x in windows if x["start"] > 23 and x["end"] < 41]
    assert {x["coverage"]["ppg"] for x in silent} == {0}
    assert all(x["tasks"]["heart_rate"]["abstained"] for x in silent)
    dead = {"coverage": 0, "used": False, "weight": None, "reason": "nothing was observed"}
    assert all(x["sensors"]["ppg"] == dead for x in silent)


def test_hop_decides_the_distance(npz: Path, toy_bundle: Path, capsys: Capture) -> None:
    assert main(["predict", str(npz), "--bundle", str(toy_bundle), "--json", "--hop", "4"]) == 0
    assert np.diff([x["start"] for x in lines(capsys)]) == pytest.approx(4.0)


def as_e4(recording: Recording, folder: Path) -> Path:
    """The same samples as an Empatica E4 writes them, missing ones as the last value."""
    folder.mkdir()
    columns = {"BVP": ["ppg"], "ACC": ["acc_x", "acc_y", "acc_z"], "EDA": ["eda"]}
    for file, channels in columns.items():
        signals = [recording.signals[channel] for channel in channels]
        scale = 64 if file == "ACC" else 1
        rows = np.stack([signal.values.astype(float) * scale for signal in signals], axis=1)
        head = [[signals[0].times[0]] * len(channels), [signals[0].rate] * len(channels)]
        text = "\n".join(
            ",".join(map(repr, row)) for row in [*np.array(head).tolist(), *rows.tolist()]
        )
        (folder / f"{file}.csv").write_text(text + "\n")
    return folder


def test_every_format_gives_the_same_predictions(
    tmp_path: Path, toy_bundle: Path, capsys: Capture
) -> None:
    recording = simulate(12, dropout=None, dies={"temp": 0.0})
    times = np.unique(np.concatenate([x.times for x in recording.signals.values()]))
    header, cells = ["time"], [[repr(t)] for t in times.tolist()]
    for channel, signal in recording.signals.items():
        header.append(channel)
        known = dict(zip(signal.times.tolist(), signal.values.tolist(), strict=True))
        for row, t in zip(cells, times.tolist(), strict=True):
            row.append(repr(known[t]) if t in known else "")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(",".join(row) for row in [header, *cells]))
    export = as_e4(recording, tmp_path / "export")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in export.iterdir():
            archive.write(file, file.name)
    paths = [
        readers.write_recording(recording, tmp_path),
        readers.write_recording(recording, tmp_path, "parquet"),
        table,
        export,
        tmp_path / "export.zip",
    ]
    given = []
    for path in paths:
        assert main(["predict", str(path), "--bundle", str(toy_bundle), "--json"]) == 0
        given.append(lines(capsys))
    assert len(given[0]) > 5
    for path, predictions in zip(paths, given, strict=True):
        assert predictions == given[0], path


def test_csv_says_what_json_says(
    npz: Path, toy_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "new" / "out.csv"
    common = ["predict", str(npz), "--bundle", str(toy_bundle)]
    assert main([*common, "--json", "--csv", str(out)]) == 0
    windows = lines(capsys)
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(windows)
    for row, window in zip(rows, windows, strict=True):
        rate, stress = window["tasks"]["heart_rate"], window["tasks"]["stress"]
        assert float(row["start"]) == window["start"]
        assert float(row["coverage_ppg"]) == window["coverage"]["ppg"]
        assert row["heart_rate_value"] == ("" if rate["value"] is None else str(rate["value"]))
        assert row["heart_rate_abstained"] == str(int(rate["abstained"]))
        assert row["heart_rate_reason"] == (rate["reason"] or "")
        assert row["stress_label"] == (stress["label"] or "")
        if stress["probabilities"]:
            assert float(row["stress_probability_rest"]) == stress["probabilities"]["rest"]
    assert list(out.parent.iterdir()) == [out]


def test_the_table_tells_time_answers_coverage_and_reasons(
    npz: Path, toy_bundle: Path, capsys: Capture
) -> None:
    assert main(["predict", str(npz), "--bundle", str(toy_bundle)]) == 0
    said = capsys.readouterr().out
    for word in ("heart rate, bpm", "stress", "coverage", "ppg 0 %", "ppg coverage 0.00"):
        assert word in said
    assert "1:50" in said
    assert "answered in" in said


def test_columns_and_rates_are_given_by_hand(
    tmp_path: Path, toy_bundle: Path, capsys: Capture
) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{k * 20},{k % 7},{1000 * (k % 3)}" for k in range(500)]
    path.write_text("\n".join(["ms,LED,A", *rows]))
    common = ["predict", path, "--bundle", toy_bundle]
    fails(capsys, 2, common, "mine.csv", "no time column", "--column")
    fails(capsys, 2, [*common, "--column", "time=ms [ms]"], "LED".lower(), "ppg", "--column")
    arguments = [*common, "--column", "time=ms [ms]", "--column", "ppg=LED", "--json"]
    arguments += ["--column", "acc_x=A [mg]", "--rate", "acc_x=50"]
    assert main([str(x) for x in arguments]) == 0
    assert lines(capsys)[0]["coverage"] == {"ppg": 1, "acc_x": 1, "acc_y": 0}
    for wrong in ("ppg", "=LED", "ppg="):
        fails(capsys, 2, [*common, "--column", wrong], "ppg=Green")
    fails(capsys, 2, [*common, "--rate", "ppg=fast"], "CHANNEL=HERTZ")


def test_values_that_look_like_another_unit_are_warned_of(
    tmp_path: Path, toy_bundle: Path, capsys: Capture
) -> None:
    path = tmp_path / "mg.csv"
    path.write_text("\n".join(["time,acc_x", *(f"{k / 50},981" for k in range(200))]))
    assert main(["predict", str(path), "--bundle", str(toy_bundle), "--json"]) == 0
    said = capsys.readouterr().err
    assert "acc_x: 100 % of the samples lie outside -100 to 100 g" in said
    assert "981" in said


def test_repaired_rows_are_told(tmp_path: Path, toy_bundle: Path, capsys: Capture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,ppg\n1,1\n0,1\n2,1\n2,1\n")
    assert main(["predict", str(path), "--bundle", str(toy_bundle), "--json"]) == 0
    assert "sorted (1 steps back), repeated ones dropped (1)" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_figure_is_drawn(npz: Path, toy_bundle: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"figure.{suffix}"
    assert (
        main(["predict", str(npz), "--bundle", str(toy_bundle), "--json", "--plot", str(out)])
        == 0
    )
    magic = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix]
    assert out.read_bytes().startswith(magic)
    assert out.stat().st_size > 20_000


@pytest.mark.parametrize("hop", ["0", "-1", "nan", "inf", "often"])
def test_a_wrong_hop_is_refused(npz: Path, toy_bundle: Path, hop: str, capsys: Capture) -> None:
    fails(capsys, 2, ["predict", npz, "--bundle", toy_bundle, "--hop", hop], "--hop", hop)


def test_wrong_paths_are_named(
    npz: Path, tmp_path: Path, toy_bundle: Path, capsys: Capture
) -> None:
    fails(capsys, 2, ["predict", tmp_path / "a.npz", "--bundle", toy_bundle], "a.npz")
    fails(capsys, 2, ["predict", tmp_path, "--bundle", toy_bundle], "folder of recordings")
    fails(capsys, 2, ["predict", npz, "--bundle", "nobody"], "nobody", "there are:")
    fails(capsys, 2, ["predict", npz, "--bundle", tmp_path / "b.onwrist"], "b.onwrist")
    common = ["predict", npz, "--bundle", toy_bundle]
    fails(capsys, 2, [*common, "--plot", "figure.doc"], "figure.doc")
    fails(capsys, 2, [*common, "--engine", "tensorrt"], "tensorrt")
    (tmp_path / "file").write_text("")
    fails(capsys, 1, [*common, "--json", "--csv", tmp_path / "file" / "out.csv"], "file")
    fails(capsys, 2, ["paint"], "paint")


def test_a_damaged_bundle_is_refused(
    npz: Path, toy_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    broken = tmp_path / "broken.onwrist"
    broken.write_bytes(toy_bundle.read_bytes()[:-10])
    for arguments in (
        ["predict", npz, "--bundle"],
        ["inspect"],
        ["verify"],
        ["demo", "--bundle"],
    ):
        fails(capsys, 2, [*arguments, broken], "broken.onwrist")


@pytest.fixture
def untrue_bundle(toy_bundle: Path, tmp_path: Path) -> Path:
    """A whole bundle, packed with golden vectors that its graph does not give."""
    bundle = bundles.read(toy_bundle)
    members = dict(bundle.members)
    golden = safetensors.numpy.load(members["golden.safetensors"])
    for name in golden:
        if name.endswith("/heart_rate"):
            golden[name] = golden[name] + np.float32(1)
    members["golden.safetensors"] = safetensors.numpy.save(golden)
    path = tmp_path / "untrue.onwrist"
    bundles.write(path, bundle.manifest, members)
    return path


def test_an_engine_that_is_off_stops_the_work(
    npz: Path, untrue_bundle: Path, capsys: Capture
) -> None:
    fails(capsys, 1, ["predict", npz, "--bundle", untrue_bundle], "heart_rate")


def test_verify_replays_every_engine(toy_bundle: Path, capsys: Capture) -> None:
    assert main(["verify", str(toy_bundle), "--json"]) == 0
    (report,) = lines(capsys)
    assert report["passed"]
    engines = {engine["engine"] for engine in report["engines"]}
    assert "onnxruntime" in engines
    for engine in report["engines"]:
        assert engine["outputs"].keys() == {"embedding", "heart_rate", "stress"}
        for output in engine["outputs"].values():
            assert output["difference"] <= output["tolerance"]
    assert main(["verify", str(toy_bundle)]) == 0
    assert "passed" in capsys.readouterr().out


def test_verify_replays_the_steps_too(step_bundle: Path, capsys: Capture) -> None:
    assert main(["verify", str(step_bundle), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    graphs = {report["graph"]: report["windows"] for report in told["engines"]}
    assert graphs == {"model.s8.onnx": 3, "step.s8.onnx": 7}
    assert main(["verify", str(step_bundle)]) == 0
    assert "3 golden windows and 7 golden steps" in capsys.readouterr().out


def test_verify_names_the_output_that_is_off(untrue_bundle: Path, capsys: Capture) -> None:
    assert main(["verify", str(untrue_bundle), "--json"]) == 1
    (report,) = lines(capsys)
    assert not report["passed"]
    for engine in report["engines"]:
        passed = {name: x["passed"] for name, x in engine["outputs"].items()}
        assert passed == {"embedding": True, "heart_rate": False, "stress": True}
        assert engine["outputs"]["heart_rate"]["difference"] == pytest.approx(1, abs=1e-3)
    assert main(["verify", str(untrue_bundle)]) == 1
    assert "failed" in capsys.readouterr().out


def test_inspect_shows_what_is_inside(toy_bundle: Path, capsys: Capture) -> None:
    assert main(["inspect", str(toy_bundle), "--json"]) == 0
    (shown,) = lines(capsys)
    bundle = bundles.read(toy_bundle)
    assert shown["hash"] == bundle.hash
    assert msgspec.convert(shown["manifest"], Manifest) == bundle.manifest
    assert shown["card"] == bundle.members["CARD.md"].decode()
    assert shown["bytes"] == toy_bundle.stat().st_size
    assert main(["inspect", str(toy_bundle)]) == 0
    said = capsys.readouterr().out
    for channel in bundle.manifest.channels:
        assert channel.name in said
    for task in bundle.manifest.tasks:
        assert task.name in said
    for name, member in bundle.manifest.members.items():
        assert name in said
        assert member.sha256 in said


def test_inspect_shows_what_a_stream_needs(
    step_bundle: Path, toy_bundle: Path, capsys: Capture
) -> None:
    assert main(["inspect", str(step_bundle)]) == 0
    said = capsys.readouterr().out
    assert "step of 10 samples (0.4 s), state of 24 numbers" in said
    assert "running baseline over 20 s, updated every 0.2 s" in said
    rows = [line.split() for line in said.splitlines()]
    assert ["ppg", "ppg", "64"] in [row[:3] for row in rows]
    assert ["acc_y", "acc", "32"] in [row[:3] for row in rows]
    assert ["model.s8.onnx", "a", "window"] in [row[:3] for row in rows]
    assert ["step.s8.onnx", "a", "step"] in [row[:3] for row in rows]
    assert main(["inspect", str(toy_bundle)]) == 0
    said = capsys.readouterr().out
    assert "step" not in said
    assert "baseline" not in said


def test_the_parity_of_every_role_is_told(
    step_parts: Any, tmp_path: Path, capsys: Capture
) -> None:
    manifest, members = step_parts
    path = tmp_path / "told.onwrist"
    parity = {"window": {"agreements": [1]}, "step": {"agreements": [2]}}
    told = {"parity.json": json.dumps(parity).encode()}
    bundles.write(path, manifest, members | told)
    assert main(["inspect", str(path), "--json"]) == 0
    (shown,) = lines(capsys)
    assert shown["parity"] == parity
    assert shown["manifest"]["step"] == {"samples": 10, "state": 24}
    assert shown["manifest"]["baseline"] == {"seconds": 20.0, "samples": 5}
    assert {(x["file"], x["role"]) for x in shown["manifest"]["graphs"]} == {
        ("model.s8.onnx", "window"),
        ("step.s8.onnx", "step"),
    }


def test_the_members_of_a_stranger_are_shown_without_harm(
    toy_parts: Any, tmp_path: Path, capsys: Capture
) -> None:
    manifest, members = toy_parts
    path = tmp_path / "strange.onwrist"
    card = b"# toy\n\n\x1b]0;owned\x07 \x1b[31mred\xc2\x9b2J\n"
    parity = b'{"window": {"agreements": [{"only_in_parity": 1}]}}'
    bundles.write(path, manifest, members | {"CARD.md": card, "parity.json": parity})
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "red" in said
    assert not set(said) & set("\x1b\x07\x9b")
    assert "only_in_parity" not in said  # the card has it as tables
    assert main(["inspect", str(path), "--json"]) == 0
    assert lines(capsys)[0]["parity"]["window"] == {"agreements": [{"only_in_parity": 1}]}
    for broken in (b"not JSON", b"", b"\xff", b"[" * 100_000):
        bundles.write(path, manifest, members | {"parity.json": broken})
        fails(capsys, 2, ["inspect", path], "parity.json is not JSON")


def test_predict_never_replaces_the_recording(
    tmp_path: Path, toy_bundle: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.png").symlink_to("mine.csv")
    Path("mine.csv").write_text("time,ppg\n0,1\n0.04,2\n0.08,1\n")
    before = Path("mine.csv").read_bytes()
    common = ["predict", "mine.csv", "--bundle", toy_bundle]
    for option, out in (("--csv", "sub/../mine.csv"), ("--plot", "link.png")):
        fails(capsys, 2, [*common, option, out], option, "would replace the recording")
    assert Path("mine.csv").read_bytes() == before


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", "²"])
def test_a_seed_is_a_whole_number(seed: str, toy_bundle: Path, capsys: Capture) -> None:
    fails(capsys, 2, ["demo", "--bundle", toy_bundle, "--seed", seed], "0 or above")


def test_demo_predicts_draws_and_measures(
    toy_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "demo.png"
    common = ["demo", "--bundle", str(toy_bundle), "-o", str(out)]
    assert main([*common, "--json"]) == 0
    (result,) = lines(capsys)
    assert len(result["predictions"]) > 100
    assert result["latency"]["engine_ms"] > 0
    assert result["latency"]["predict_ms"] > 0
    assert result["latency"]["machine"]
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main(common) == 0
    said = capsys.readouterr().out
    for word in ("heart rate, bpm", "abstained", "off the simulated truth", "on this machine"):
        assert word in said


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("rich", "cli", []),
        ("rich.table", "cli", []),
        ("matplotlib", "plots", ["--json", "--plot", "a.png"]),
    ],
)
def test_a_missing_extra_is_named(
    npz: Path, toy_bundle: Path, module: str, extra: str, arguments: list[str],
    capsys: Capture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in [x for x in sys.modules if x == module or x.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(npz.parent)
    common = ["predict", npz, "--bundle", toy_bundle, *arguments]
    fails(capsys, 2, common, f'pip install "onwrist[{extra}]"')
    assert not Path("a.png").exists()


def test_json_needs_no_rich(
    npz: Path, toy_bundle: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["predict", str(npz), "--bundle", str(toy_bundle), "--json"]) == 0
    assert lines(capsys)


def test_a_reader_that_leaves_early_is_no_error(npz: Path, toy_bundle: Path) -> None:
    command = [sys.executable, "-m", "onwrist", "predict", str(npz), "--json"]
    command += ["--bundle", str(toy_bundle), "--hop", "0.04"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 0
    assert said == ""


def test_a_file_that_may_not_be_read_is_an_error(
    npz: Path, toy_bundle: Path, capsys: Capture
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    npz.chmod(0)
    fails(capsys, 1, ["predict", npz, "--bundle", toy_bundle], npz.name)


def test_a_real_export_and_its_compact_file_predict_alike(
    shared_data: Path, toy_bundle: Path, capsys: Capture
) -> None:
    folder = shared_data / "stress_predict_e4"
    given = []
    for path in (folder / "raw_format" / "S02", folder / "S02.npz"):
        assert main(["predict", str(path), "--bundle", str(toy_bundle), "--json"]) == 0
        given.append(lines(capsys))
    assert given[0] == given[1]
    assert len(given[0]) > 3000
