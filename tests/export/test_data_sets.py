"""`onwrist-export data` on whole data sets: what is checked, said and converted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pamap2_folder import CHEST, session, text, write, write_all

from onwrist import readers
from onwrist_export.cli import main
from onwrist_export.commands import data_pamap2
from onwrist_export.commands.data_pamap2 import ORIGINALS

pytest.importorskip("pyarrow")
FIRST = "Protocol/subject101.dat"


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object]]:
    code = main(["data", *map(str, words), "--json"])
    out = capsys.readouterr().out
    return code, msgspec.json.decode(out) if out else {}


def test_each_file_is_compared_described_and_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    top = write_all(tmp_path)
    rows = session()
    rows[:100, CHEST : CHEST + 17] = np.nan
    body = text(rows).encode()
    (top / FIRST).write_bytes(body)
    monkeypatch.setitem(ORIGINALS, FIRST, (hashlib.sha256(body).hexdigest(), len(body)))
    other = (top / "Protocol/subject102.dat").stat().st_size
    monkeypatch.setitem(ORIGINALS, "Protocol/subject102.dat", ("0" * 64, other))
    code, said = ran(capsys, "pamap2", top, "-o", tmp_path / "out")
    files = said["files"]
    assert isinstance(files, dict)
    assert code == 1
    assert {
        place: files[place]["file"] for place in files if files[place]["file"] != "missing"
    } == {
        FIRST: "verified",
        "Protocol/subject102.dat": "other hash",
        "Optional/subject101.dat": "other size",
    }
    assert len(files) == 14
    first = files[FIRST]
    assert (first["rows"], first["seconds"]) == (400, 3.99)
    assert first["minutes"] == pytest.approx({"lying": 0.025, "walking": 0.025}, abs=0.006)
    assert first["missing"] == {"wrist": 0.0, "chest": 0.25, "ankle": 0.0}
    assert first["heart_rate_hz"] == pytest.approx(9.09, abs=0.01)
    converted = readers.read_all(tmp_path / "out")
    assert [x.name for x in converted] == [
        "subject101_optional",
        "subject101_protocol",
        "subject102_protocol",
    ]
    assert converted[1].labels == readers.read(top / FIRST).labels


def test_originals_alone_are_success_and_a_damaged_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "Protocol")
    body = path.read_bytes()
    monkeypatch.setitem(ORIGINALS, FIRST, (hashlib.sha256(body).hexdigest(), len(body)))
    assert main(["data", "pamap2", str(path), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert f"{FIRST}: verified; 400 rows, 4.0 s, heart rate at 9.09 Hz" in said
    assert "Optional/subject109.dat: missing" in said
    write(tmp_path / "Protocol", "subject102", "8.38 0\n")
    assert main(["data", "pamap2", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "subject102.dat: other size; not converted: " in said
    assert "line 1: 2 columns" in said
    assert "1 recordings in " in said


def test_a_file_that_is_not_of_the_data_set_is_unknown(tmp_path: Path) -> None:
    write(tmp_path / "Optional", "subject102")
    result = data_pamap2.convert(tmp_path, tmp_path / "out")
    assert result["files"]["Optional/subject102.dat"]["file"] == "unknown"
    assert not data_pamap2.sound(result)


def test_the_hashes_are_those_of_the_reference(shared_data: Path) -> None:
    manifest = shared_data / "pamap2_reference" / "sha256_size_manifest.txt"
    there = {}
    for line in manifest.read_text().splitlines():
        digest, size, place = line.split()
        there[place] = (digest, int(size))
    assert there == ORIGINALS


def test_wrong_use_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["-o", str(tmp_path / "out")]
    for words, says in (
        (["pamap3", str(tmp_path)], "give one folder, or one of pamap2, umafall"),
        (["pamap2", str(tmp_path)], "no file of PAMAP2"),
        (["pamap2", str(tmp_path / "absent")], "no such file"),
        (["umafall", str(tmp_path)], "no CSV file of UMAFall"),
        (
            ["umafall", str(write(tmp_path / "else" / "Protocol"))],
            "neither umafall_20hz.npz nor a CSV",
        ),
    ):
        assert main(["data", *words, *out]) == 2
        assert says in capsys.readouterr().err


def test_trials_that_are_refused_are_named_and_the_others_converted(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = shared_data / "umafall" / "raw_format"
    for file in (*raw.glob("UMAFall_Subject_03*_1_*.csv"), *raw.glob("CORRUPT*.csv")):
        (tmp_path / file.name).symlink_to(file)
    code, said = ran(capsys, "umafall", tmp_path, "-o", tmp_path / "out")
    assert code == 1
    assert (said["subjects"], said["trials"]) == (["03"], {"clapping": 1})
    assert said["sensor_absent"] == {"wrist": 0, "chest": 0, "waist": 0, "ankle": 0}
    (why,) = said["refused"]  # type: ignore[misc]
    assert "thousands separators" in why
    (converted,) = readers.read_all(tmp_path / "out")
    assert converted.labels[1].value == "no fall"
