"""The commands on a bundle of days: a Fitabase folder in, lines, files and figures out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fitabase_folder as written
import numpy as np
import pytest

from onwrist import readers
from onwrist.cli import main
from onwrist.simulate import days

pytest.importorskip("pyarrow")

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two days of one person, without the heart rate of the second morning."""
    folder = tmp_path / "export"
    _, beats = written.days(folder, count=2)
    seconds = np.arange(0, 2 * 86400, 20)
    kept = (seconds < 86400) | (seconds > 86400 + 8 * 3600)
    written.heart_rate(
        folder / "heartrate_seconds_merged.csv",
        written.MIDNIGHT + seconds[kept],
        beats[seconds // 60][kept],
    )
    return folder


def run(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    code = main([str(x) for x in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_one_line_a_day(export: Path, day_bundle: Path, capsys: Capture) -> None:
    code, out, _ = run(capsys, "predict", export, "--bundle", day_bundle)
    assert code == 0
    rows = [line.split() for line in out.splitlines() if "2016-04" in line]
    assert [row[0] for row in rows] == ["2016-04-13", "2016-04-14"]
    assert rows[0][1:8:2] == ["100", "100", "100", "0"]
    assert rows[1][5:8] == ["66", "%", "480"]


def test_json_and_csv_say_the_same(
    export: Path, day_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    out_csv = tmp_path / "days.csv"
    code, out, _ = run(
        capsys, "predict", export, "--bundle", day_bundle, "--json", "--csv", out_csv
    )
    assert code == 0
    header, *rows = (line.split(",") for line in out_csv.read_text().splitlines())
    said = objects(out)
    assert [x["date"] for x in said] == ["2016-04-13", "2016-04-14"]
    assert said[1]["imputed"]["heart_rate"] == 480
    recording = readers.read(export)
    beats = recording.signals["heart_rate"]
    whole = beats.values[beats.times < written.MIDNIGHT + 86400]
    assert said[0]["means"]["heart_rate"]["observed"] == pytest.approx(whole.mean(), rel=1e-5)
    for day, row in zip(said, rows, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert cells["date"] == day["date"]
        assert float(cells["coverage_heart_rate"]) == day["coverage"]["heart_rate"]
        task = day["tasks"]["active_minutes"]
        assert cells["active_minutes_value"] == str(task["value"] if task["value"] else "")


def test_a_day_and_a_figure(
    export: Path, day_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / "day.png"
    options = ["predict", export, "--bundle", day_bundle, "--day"]
    code, out, _ = run(capsys, *options, "2016-04-14", "--plot", figure)
    assert code == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "2016-04-13" not in out
    code, _, err = run(capsys, *options, "2016-04-15")
    assert code == 2
    assert "it has 2016-04-13 to 2016-04-14" in err


def test_repairs_are_said_on_stderr(export: Path, day_bundle: Path, capsys: Capture) -> None:
    steps = export / "minuteStepsWide_merged.csv"
    steps.write_text(steps.read_text()[:-20])
    for command in (["predict"], ["stream", "--speed", "max"]):
        code, out, err = run(capsys, *command, export, "--bundle", day_bundle, "--json")
        assert code == 0
        assert "onwrist: note: minuteStepsWide_merged.csv: the last line is cut off" in err
        assert objects(out)


def test_several_users_are_refused_with_their_names(
    export: Path, day_bundle: Path, capsys: Capture
) -> None:
    written.days(export / "more", user="42")
    code, out, err = run(capsys, "predict", export, "--bundle", day_bundle)
    assert (code, out) == (2, "")
    assert "choose one of 1503960366, 42" in err
    code, out, _ = run(
        capsys, "predict", export, "--bundle", day_bundle, "--user", "42", "--json"
    )
    assert code == 0
    assert len(objects(out)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hop", "60"], "once a day of a recording; leave out --hop"),
        (["--utc-offset", "15"], "hours from -14 to 14"),
        (["--bundle", "wrist"], "--day is for bundles of days"),
        (["--bundle", "wrist", "--utc-offset", "1"], "--utc-offset is for bundles of days"),
    ],
)
def test_options_that_do_not_fit(
    export: Path,
    day_bundle: Path,
    toy_bundle: Path,
    tmp_path: Path,
    capsys: Capture,
    options: list[str],
    words: str,
) -> None:
    recording: Path = export
    arguments: list[object] = ["--bundle", day_bundle, *options]
    if "wrist" in options:
        np.savez(tmp_path / "wrist.npz", ppg=np.ones(640), ppg_rate=64.0)
        recording = tmp_path / "wrist.npz"
        arguments = ["--bundle", toy_bundle, "--day", "2016-04-13", *options[2:]]
    try:
        code = main([str(x) for x in ["predict", recording, *arguments]])
    except SystemExit as wrong_use:
        code = int(wrong_use.code or 0)
    assert code == 2
    assert words in capsys.readouterr().err


def test_days_are_local_days(tmp_path: Path, day_bundle: Path, capsys: Capture) -> None:
    """A clock in UTC and its offset give what a local clock gives."""
    local = days(2, 5)
    readers.write_recording(local, tmp_path)
    arrays = dict(np.load(tmp_path / f"{local.name}.npz"))
    for name in local.signals:
        key = f"{name}_start" if f"{name}_start" in arrays else f"{name}_times"
        arrays[key] = arrays[key] + 4 * 3600.0
    np.savez(tmp_path / "utc.npz", **arrays)
    options = ["--bundle", day_bundle, "--json"]
    _, expected, _ = run(capsys, "predict", tmp_path / f"{local.name}.npz", *options)
    code, got, _ = run(capsys, "predict", tmp_path / "utc.npz", *options, "--utc-offset", "-4")
    assert code == 0
    for one, other in zip(objects(expected), objects(got), strict=True):
        assert one.pop("start") + 4 * 3600 == other.pop("start")
        assert one.pop("end") + 4 * 3600 == other.pop("end")
        assert one == other


def test_a_replayed_day_ends_as_the_day_is_predicted(
    export: Path, day_bundle: Path, capsys: Capture
) -> None:
    options = ["--bundle", day_bundle, "--json"]
    _, out, _ = run(capsys, "predict", export, *options)
    whole = {x["end"]: x for x in objects(out)}
    _, out, _ = run(capsys, "stream", export, *options, "--speed", "max")
    arriving = {x["end"]: x for x in objects(out)}
    assert len(arriving) > len(whole)
    for end, day in whole.items():
        assert arriving[end]["tasks"] == day["tasks"]
        assert arriving[end]["coverage"] == day["coverage"]


def test_a_stream_says_when_by_the_local_clock(
    export: Path, day_bundle: Path, capsys: Capture
) -> None:
    _, out, _ = run(capsys, "stream", export, "--bundle", day_bundle, "--speed", "max")
    times = [line[:16] for line in out.splitlines() if line.startswith("2016")]
    assert times[:2] == ["2016-04-13 02:00", "2016-04-13 04:00"]
    assert times[-1] == "2016-04-15 00:00"


def test_demo_simulates_days(day_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / "demo.png"
    code, out, _ = run(capsys, "demo", "--bundle", day_bundle, "-o", figure)
    assert code == 0
    assert [x.split()[0] for x in out.splitlines() if x.strip().startswith("2023")] == [
        "2023-11-15", "2023-11-16", "2023-11-17",
    ]  # fmt: skip
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_inspect_shows_groups_patch_and_sizes(day_bundle: Path, capsys: Capture) -> None:
    code, out, _ = run(capsys, "inspect", day_bundle)
    assert code == 0
    said = " ".join(out.split())
    assert "tokens of 120 grid points (7200 s)" in said
    assert "activity (steps, intensity; from 1 observed on)" in said
    assert "6, 12 or 24 of 24 tokens" in said
