"""PAMAP2: what the columns become, damaged files, and the zips read in place."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pamap2_folder import ANKLE, CHEST, HAND, session, text, write, write_all

from onwrist import readers
from onwrist.cli import main
from onwrist_runtime.errors import InputError, RecordingError

pytest.importorskip("pyarrow")
NAMES = ["subject101_protocol", "subject102_protocol", "subject101_optional"]


def test_columns_become_channels_in_our_units(tmp_path: Path) -> None:
    rows = session()
    here = readers.read(write(tmp_path, body=text(rows)))
    assert (here.name, here.subject) == ("subject101", "101")
    for position, first in (("wrist", HAND), ("chest", CHEST), ("ankle", ANKLE)):
        for channel, column, factor in (
            ("temp", 0, 1.0),
            ("acc_x", 1, 1 / 9.80665),
            ("acc_z", 3, 1 / 9.80665),
            ("gyro_y", 8, 180 / np.pi),
            ("mag_z", 12, 1.0),
        ):
            signal = here.signals[f"{position}_{channel}"]
            assert signal.rate == 100.0
            np.testing.assert_allclose(
                signal.values, rows[:, first + column] * factor, rtol=1e-4, atol=1e-6
            )
    # 3 IMUs x (temperature and 3 x 3 axes) and heart rate: no 6 g, no orientation.
    assert len(here.signals) == 31
    np.testing.assert_allclose(here.signals["wrist_acc_x"].times, rows[:, 0], atol=1e-9)


def test_heart_rate_has_the_samples_that_are_there(tmp_path: Path) -> None:
    heart = readers.read(write(tmp_path)).signals["heart_rate"]
    assert heart.values.tolist() == [104.0] * 37
    np.testing.assert_allclose(heart.times, 8.38 + 0.11 * np.arange(37))
    assert heart.rate == pytest.approx(100 / 11)


def test_transitions_have_signals_but_no_label(tmp_path: Path) -> None:
    here = readers.read(write(tmp_path))
    lying, walking = here.labels
    assert (lying.task, lying.value, walking.value) == ("activity", "lying", "walking")
    assert (lying.start, walking.end) == pytest.approx((9.38, 12.38))
    assert lying.end == pytest.approx(walking.start) == 10.88
    assert here.start == 8.38


def test_an_activity_is_not_known_to_go_on_while_nothing_was_recorded(tmp_path: Path) -> None:
    rows = session()
    rows[200:, 0] += 30
    labels = readers.read(write(tmp_path, body=text(rows))).labels
    assert [(x.value, round(x.end - x.start, 2)) for x in labels] == [
        ("lying", 1.0),
        ("lying", 0.5),
        ("walking", 1.5),
    ]


def test_missing_values_missing_rows_and_missing_sensors(tmp_path: Path) -> None:
    rows = session()
    rows[50:60, HAND:CHEST] = np.nan
    rows[70:75, 3:] = np.nan
    rows[:, CHEST : CHEST + 17] = np.nan
    rows = np.delete(rows, range(90, 93), axis=0)
    here = readers.read(write(tmp_path, body=text(rows)))
    assert not [name for name in here.signals if name.startswith("chest")]
    missing = {
        position: np.flatnonzero(np.isnan(here.signals[f"{position}_acc_y"].values)).tolist()
        for position in ("wrist", "ankle")
    }
    assert missing["wrist"] == [*range(50, 60), *range(70, 75), *range(90, 93)]
    assert missing["ankle"] == [*range(70, 75), *range(90, 93)]
    np.testing.assert_allclose(np.diff(here.signals["wrist_acc_y"].times), 0.01, atol=1e-9)


def test_a_long_pause_is_not_filled_with_missing_samples(tmp_path: Path) -> None:
    rows = session()
    rows[200:, 0] += 3600
    signal = readers.read(write(tmp_path, body=text(rows))).signals["wrist_acc_x"]
    assert len(signal.values) == 400
    np.testing.assert_allclose(signal.times, rows[:, 0], atol=1e-9)


def test_heart_rate_that_nobody_has_counts_as_missing(tmp_path: Path) -> None:
    rows = session()
    rows[0, 2] = 0
    here = readers.read(write(tmp_path, body=text(rows)))
    assert np.isnan(here.signals["heart_rate"].values[0])
    assert "1 samples of heart_rate outside 25 to 250 bpm" in here.notes[0]


def test_a_cut_last_line_is_left_out_and_counted(tmp_path: Path) -> None:
    whole = text(session())
    here = readers.read(write(tmp_path, body=whole[:-200]))
    assert len(here.signals["wrist_acc_x"].values) == 399
    assert here.notes == ("the last line is cut off and was left out",)
    assert not readers.read(write(tmp_path, body=whole[:-1])).notes  # only its end of line


def test_a_separator_after_the_last_number_and_other_ends_of_lines(tmp_path: Path) -> None:
    plain = readers.read(write(tmp_path))
    for end in (" \n", "\r\n"):
        other = readers.read(write(tmp_path, body=text(session()).replace("\n", end)))
        for name, signal in plain.signals.items():
            np.testing.assert_array_equal(signal.values, other.signals[name].values)


def test_a_file_of_many_blocks_is_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = text(session(seconds=20))
    at_once = readers.read(write(tmp_path, body=whole))
    monkeypatch.setattr("onwrist.readers.pamap2._BLOCK", 5_000)
    by_parts = readers.read(write(tmp_path, body=whole))
    for name, signal in at_once.signals.items():
        np.testing.assert_array_equal(signal.values, by_parts.signals[name].values)
    assert readers.read(write(tmp_path, body=whole[:-200])).notes  # the cut line
    lines = whole.splitlines()
    for line, says in (
        (lines[1500].replace(" ", " x", 1), "line 1501, column 2: 'x"),
        (lines[1500][:-40], "line 1501: [0-9]+ columns"),
        (lines[1500].replace(" ", " NaN ", 1).removesuffix(" 0"), "line 1501: the row has no"),
    ):
        broken = "\n".join([*lines[:1500], line, *lines[1501:]])
        with pytest.raises(RecordingError, match=says):
            readers.read(write(tmp_path, body=broken))


def changed(line: int, column: int, cell: str) -> str:
    lines = text(session()).splitlines()
    cells = lines[line - 1].split(" ")
    cells[column] = cell
    lines[line - 1] = " ".join(cells)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "an empty file"),
        ("8.38 0 104\n", r"line 1: 3 columns \('8.38 0 104'\) where 54 belong"),
        (changed(7, 53, "1 2"), "line 7: 55 columns"),
        (changed(7, 53, "0").replace(" 0\n", "\n", 1), "line 1: 53 columns"),
        (changed(400, 53, "1 2"), "line 400: 55 columns"),
        (changed(7, 5, "fast"), "line 7, column 6: 'fast' where a number belongs"),
        (changed(7, 1, "1.5"), "line 7, column 2: '1.5' where a number belongs"),
        (changed(7, 1, "8"), "line 7: activity 8, which PAMAP2 does not have"),
        (changed(7, 1, "NaN"), "line 7: the row has no activity"),
        (changed(7, 0, "NaN"), "line 7: the row has no time"),
        (changed(7, 0, "8.40"), "line 7: time goes from 8.43 to 8.4 s; it must go forward"),
        (changed(7, 0, "inf"), "time goes from inf"),
        (changed(7, 5, "inf"), "wrist_acc_y: sample 6 is inf"),
        (text(session()) + text(session(start=9)), "line 401: time goes from 12.37 to 9 s"),
        ("\x00\x01\x02", "line 1: 1 columns|not rows of numbers"),
    ],
)
def test_a_damaged_file_is_refused_in_words(body: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, body=body)
    with pytest.raises(RecordingError, match=says) as error:
        readers.read(path)
    assert str(path) in str(error.value)


def test_a_file_without_any_sample_is_refused(tmp_path: Path) -> None:
    rows = session()
    rows[:, 2:] = np.nan
    with pytest.raises(RecordingError, match="no sensor has a sample"):
        readers.read(write(tmp_path, body=text(rows)))


def test_a_dat_file_that_is_called_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"called by its subject, subject101\.dat"):
        readers.read(write(tmp_path, name="data"))
    with pytest.raises(RecordingError, match="no such file"):
        readers.read(tmp_path / "subject101.dat")


def test_both_folders_are_read_from_wherever_they_are_given(tmp_path: Path) -> None:
    top = write_all(tmp_path)
    for path in (top, tmp_path):
        found = readers.read_all(path)
        assert [each.name for each in found] == NAMES
        assert [each.subject for each in found] == ["101", "102", "101"]
    assert [x.name for x in readers.read_all(top / "Optional")] == NAMES[2:]
    assert readers.read(top / "Optional" / "subject101.dat").name == NAMES[2]
    assert readers.read(top, user="102").name == NAMES[1]
    assert readers.read(top, user=NAMES[2]).name == NAMES[2]
    with pytest.raises(InputError, match="3 recordings, 2 of them called '101'; choose one"):
        readers.read(top, user="101")
    with pytest.raises(InputError, match="3 recordings; choose one by its name, such as subj"):
        readers.read(top)


def zipped(folder: Path, top: Path) -> Path:
    path = folder / "PAMAP2_Dataset.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PAMAP2_Dataset/readme.pdf", b"%PDF")
        for file in sorted(top.rglob("*.dat")):
            archive.write(file, file.relative_to(top.parent))
        archive.writestr("__MACOSX/PAMAP2_Dataset/Protocol/subject101.dat", b"junk")
    return path


def test_the_archive_and_the_repositorys_zip_around_it_are_read_in_place(
    tmp_path: Path,
) -> None:
    top = write_all(tmp_path / "plain")
    plain = readers.read_all(top)
    inner = zipped(tmp_path, top)
    outer = tmp_path / "pamap2+physical+activity+monitoring.zip"
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.pdf", b"%PDF")
        archive.write(inner, inner.name)
    for path in (inner, outer):
        found = readers.read_all(path)
        assert [each.name for each in found] == NAMES
        for one, other in zip(plain, found, strict=True):
            assert one.labels == other.labels
            for name, signal in one.signals.items():
                np.testing.assert_array_equal(signal.values, other.signals[name].values)
                np.testing.assert_array_equal(signal.times, other.signals[name].times)
        assert readers.read(path, user="102").name == NAMES[1]
    # Unpacked once, the folder holds the inner zip.
    assert [x.name for x in readers.read_all(tmp_path)] == NAMES


def test_zips_that_cannot_be_pamap2_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, write_all(tmp_path / "plain"))
    whole = path.read_bytes()
    monkeypatch.setattr("onwrist.readers.pamap2_files._LARGEST_FILE", 10_000)
    with pytest.raises(RecordingError, match=r"subject101.dat: \d+ bytes, more than PAMAP2"):
        readers.read_all(path)
    monkeypatch.undo()
    broken = bytearray(whole)
    broken[len(whole) // 3] ^= 0xFF
    path.write_bytes(bytes(broken))
    with pytest.raises(RecordingError, match=r"not a readable zip|not rows of numbers"):
        readers.read_all(path)
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as archive:
        archive.writestr("PAMAP2_Dataset.zip", b"no zip")
    path.write_bytes(nested.getvalue())
    with pytest.raises(RecordingError, match="not a readable zip"):
        readers.read_all(path)


def test_one_session_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for folder in ("a/Protocol", "b/Protocol"):
            archive.writestr(f"{folder}/subject101.dat", text(session(seconds=2)))
    with pytest.raises(RecordingError, match="subject101_protocol is there twice"):
        readers.read_all(path)


def test_another_bundle_says_that_it_takes_other_channels(
    tmp_path: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    assert main(["predict", str(path), "--bundle", str(toy_bundle)]) == 2
    said = capsys.readouterr().err
    assert "subject101 has heart_rate, wrist_temp, " in said
    assert "but toy takes ppg, acc_x, acc_y" in said


def test_a_session_survives_our_own_format(tmp_path: Path) -> None:
    rows = session()
    rows[70:75, 3:] = np.nan
    here = readers.read(write(tmp_path, body=text(rows)))
    again = readers.read(readers.write_recording(here, tmp_path))
    assert (again.subject, again.labels) == (here.subject, here.labels)
    for name, signal in here.signals.items():
        np.testing.assert_array_equal(signal.values, again.signals[name].values)
        np.testing.assert_array_equal(signal.times, again.signals[name].times)
