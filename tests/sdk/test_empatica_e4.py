"""E4 exports: what they give, and what is said when they are broken."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from onwrist import readers
from onwrist_runtime.errors import RecordingError


def refused(path: Path, *words: str) -> None:
    with pytest.raises(RecordingError) as caught:
        readers.read(path)
    for word in words:
        assert word in str(caught.value)


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, inside + file.name)
    return path


def test_signals_labels_and_events_of_an_export(e4: Path) -> None:
    recording = readers.read(e4)
    assert recording.name == recording.subject == "anna"
    rates = {channel: signal.rate for channel, signal in recording.signals.items()}
    assert rates == {"ppg": 64, "acc_x": 32, "acc_y": 32, "acc_z": 32, "eda": 4, "temp": 4}
    assert recording.signals["acc_y"].values[0] == np.float32(43 / 64)
    assert recording.start == 1644226061.0
    beat = recording.labels[1]
    assert (beat.task, beat.value) == ("heart_rate", pytest.approx(75.0))
    assert beat.end == pytest.approx(1644226061 + 1.7)
    assert beat.start == pytest.approx(1644226061 + 0.9)
    assert recording.events == (1644226062.0,)


@pytest.mark.parametrize("inside", ["", "anna/"])
def test_a_zip_equals_its_folder_and_leaves_nothing_behind(e4: Path, inside: str) -> None:
    expected = readers.read(e4)
    path = zipped(e4, inside)
    before = set(e4.parent.rglob("*"))
    recording = readers.read(path)
    assert set(e4.parent.rglob("*")) == before
    assert recording.labels == expected.labels
    assert recording.subject == "anna"
    for channel, signal in expected.signals.items():
        np.testing.assert_array_equal(recording.signals[channel].values, signal.values)


def test_a_name_given_by_the_device_is_not_a_subject(e4: Path) -> None:
    assert readers.read(e4.rename(e4.parent / "1560279825_A00204")).subject is None


@pytest.mark.parametrize("file", ["HR.csv", "IBI.csv", "tags.csv", "BVP.csv", "ACC.csv"])
def test_a_missing_file_is_only_missing(e4: Path, file: str) -> None:
    (e4 / file).unlink()
    recording = readers.read(e4)
    assert ("ppg" in recording.signals) == (file != "BVP.csv")
    assert bool(recording.labels) == (file != "IBI.csv")


def test_no_beats_and_no_tags_is_fine(e4: Path) -> None:
    (e4 / "IBI.csv").write_text("1644226061.0, IBI\n")
    (e4 / "tags.csv").write_text("")
    assert readers.read(e4).labels == readers.read(e4).events == ()


def test_a_folder_without_any_signal_is_refused(e4: Path) -> None:
    for file in ("BVP.csv", "ACC.csv", "EDA.csv", "TEMP.csv"):
        (e4 / file).unlink()
    path = zipped(e4)
    refused(path, "BVP.csv", "ACC.csv")
    with pytest.raises(RecordingError, match=re.escape(str(e4))):
        readers.read(e4 / "nowhere")


@pytest.mark.parametrize("content", ["", "1644226061\n", "1644226061\n64\n", "\n\n"])
def test_an_empty_signal_file_is_named(e4: Path, content: str) -> None:
    (e4 / "BVP.csv").write_text(content)
    refused(e4, "BVP.csv")


@pytest.mark.parametrize(
    ("file", "content", "line", "found"),
    [
        ("BVP.csv", "1.0\n64.0\n1.5\nlost\n2.5\n", "line 4", "'lost'"),
        ("BVP.csv", "1.0\n64.0\n1.5\n\n2.5\n", "line 4", "''"),
        ("EDA.csv", "today\n4.0\n1.5\n", "line 1", "'today'"),
        ("ACC.csv", "1.0,1.0,1.0\n32,32,32\n1,2,3\n1,2\n", "line 4", "2 columns"),
        ("ACC.csv", "1.0\n32\n1\n", "line 1", "1 columns"),
        ("TEMP.csv", "1.0\n4\n33.1\n33.1,33.2\n", "line 4", "2 columns"),
        ("ACC.csv", "1.0,1.0,2.0\n32,32,32\n1,2,3\n", "line 1", "[1.0, 1.0, 2.0]"),
        ("ACC.csv", "1.0,1.0,1.0\n32,32,64\n1,2,3\n", "line 2", "[32.0, 32.0, 64.0]"),
        ("BVP.csv", "1.0\n-64.0\n1.5\n", "BVP.csv", "not -64.0"),
        ("BVP.csv", "1.0\n64.0\n1e39\n", "BVP.csv", "sample 0 is inf"),
        ("BVP.csv", "1.0\n64.0\n1\ninf\n", "line 4", "'inf'"),
        ("IBI.csv", "1.0, IBI\n0.9,soon\n", "line 2", "'soon'"),
        ("IBI.csv", "1.0, IBI\n0.9,0.8\n1.9,0\n", "line 3", "0.0"),
        ("IBI.csv", "1.0\n0.9,0.8\n", "line 1", "IBI"),
        ("tags.csv", "1.0\nnow\n", "line 2", "'now'"),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_content(
    e4: Path, file: str, content: str, line: str, found: str
) -> None:
    (e4 / file).write_text(content)
    refused(e4, file, line, found)
    refused(zipped(e4), file, line, found)


def test_bytes_that_are_no_text_are_refused(e4: Path) -> None:
    (e4 / "EDA.csv").write_bytes(b"1.0\n4.0\n\xff\xfe\x00\n")
    refused(e4, "EDA.csv", "line 3")


def test_damaged_and_ambiguous_zips_are_refused(e4: Path) -> None:
    path = zipped(e4)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "not a readable zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(e4 / "BVP.csv", "one/BVP.csv")
        archive.write(e4 / "BVP.csv", "two/BVP.csv")
    refused(path, "BVP.csv is there twice")


@pytest.mark.parametrize("subject", ["S01", "S02"])
def test_real_exports_equal_the_compact_files(shared_data: Path, subject: str) -> None:
    folder = shared_data / "stress_predict_e4"
    export = readers.read(folder / "raw_format" / subject)
    compact = readers.read(folder / f"{subject}.npz")
    assert export.subject == compact.subject == subject
    assert export.events == compact.events
    assert export.labels == tuple(x for x in compact.labels if x.task == "heart_rate")
    assert export.signals.keys() == compact.signals.keys()
    for channel, signal in compact.signals.items():
        np.testing.assert_array_equal(export.signals[channel].values, signal.values)
        np.testing.assert_array_equal(export.signals[channel].times, signal.times)


def test_files_of_different_length_stay_apart(shared_data: Path) -> None:
    recording = readers.read(shared_data / "misc_loader_samples" / "flirt_e4")
    ends = {channel: signal.times[-1] for channel, signal in recording.signals.items()}
    assert recording.end == ends["eda"] > ends["temp"] > ends["acc_x"] > ends["ppg"]
