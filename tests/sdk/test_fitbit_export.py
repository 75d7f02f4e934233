"""A Fitbit account's export: its two kinds of files, its time zones, what is refused."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from pathlib import Path

import history_exports as written
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.readers import archives
from onwrist.readers.histories.fitbit_zone import clock_of
from onwrist.simulate import days
from onwrist_runtime.errors import RecordingError

Capture = pytest.CaptureFixture[str]
TOP = "Takeout/Fitbit/Physical Activity_GoogleData"
OLD = "Takeout/Fitbit/Global Export Data"
BERLIN = written.profile("Europe/Berlin")
HEADER = b"timestamp,steps,data source\n"


@pytest.fixture(scope="module")
def life() -> written.Lived:
    """Three simulated days."""
    return written.lived(written.whole_bpm(days(3, 1)))


def test_days_in_csv_files_are_predicted_as_they_were(
    life: written.Lived, tmp_path: Path, capsys: Capture
) -> None:
    files = written.fitbit_csv(life) | BERLIN
    original = written.whole_bpm(days(3, 1))
    expected = written.predicted(readers.write_recording(original, tmp_path), capsys)
    assert written.predicted(written.zipped(tmp_path / "t.zip", files), capsys) == expected
    # With the JSON files beside them, which hold the same.
    both = written.unpack(tmp_path / "both", files | written.fitbit_json(life))
    assert written.predicted(both, capsys) == expected
    assert any("files steps-*.json were left out" in x for x in readers.read(both).notes)


def test_what_is_older_than_the_csv_files_is_read_from_json(tmp_path: Path) -> None:
    row = '[{{"dateTime":"{}","value":"30"}}]'
    files = {
        f"{TOP}/steps_2026-08-01.csv": HEADER + b"2026-08-01T07:29:00Z,20,Charge 6\n",
        f"{OLD}/steps-2026-07-02.json": row.format("07/02/26 07:29:00").encode(),
        f"{OLD}/steps-2026-08-01.json": row.format("08/01/26 07:29:00").encode(),
    }
    found = readers.read(written.unpack(tmp_path / "t", files))
    assert found.signals["steps"].values.tolist() == [30, 20]
    assert "1 files steps-*.json were left out: steps_*.csv has the same" in found.notes


@pytest.mark.parametrize("zone", [{}, BERLIN])
@pytest.mark.parametrize("wall", [False, True])
def test_days_in_json_files_are_predicted_as_they_were(
    life: written.Lived,
    tmp_path: Path,
    capsys: Capture,
    zone: dict[str, bytes],
    wall: bool,
) -> None:
    """Whether their stamps are UTC or local time, and with or without the account's zone."""
    original = written.whole_bpm(days(3, 1), "intensity")
    expected = written.predicted(readers.write_recording(original, tmp_path), capsys)
    folder = written.unpack(tmp_path / "t", written.fitbit_json(life, wall=wall) | zone)
    assert written.predicted(folder, capsys) == expected


def test_without_any_zone_days_are_utc_and_that_is_said(
    life: written.Lived, tmp_path: Path
) -> None:
    found = readers.read(written.unpack(tmp_path / "t", written.fitbit_csv(life)))
    assert "give how far local time is ahead of it with --utc-offset" in str(found.notes)
    local = readers.read(written.unpack(tmp_path / "u", written.fitbit_csv(life) | BERLIN))
    for channel, signal in found.signals.items():
        np.testing.assert_array_equal(signal.times + 3600, local.signals[channel].times)


@given(
    st.sampled_from(["America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia"]),
    st.dates(dt.date(2022, 1, 1), dt.date(2024, 12, 1)),
    st.integers(1, 20),
)
@settings(max_examples=40)
def test_daily_files_tell_the_zone(name: str, first: dt.date, count: int) -> None:
    """Each holds the stamps, in UTC, of one local day; also over a change of clocks."""
    zone = zoneinfo.ZoneInfo(name)
    files, expected = [], []
    for number in range(count):
        date = first + dt.timedelta(days=number)
        begin = dt.datetime.combine(date, dt.time(), zone).timestamp()
        end = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), zone).timestamp()
        times = np.arange(begin + 7, end - 3, 60.0)
        files.append((date.isoformat(), times))
        noon = dt.datetime.combine(date, dt.time(12), zone)
        expected.append((noon.timestamp(), noon.utcoffset().total_seconds()))  # type: ignore[union-attr]
    clock = clock_of(None, files)
    noons, offsets = np.array(expected).T
    changed = np.flatnonzero(np.diff(offsets)) + 1  # known from the first whole day on
    right = clock.ahead(noons) == offsets
    assert np.delete(right, changed).all() or len(clock.changes) == 0
    assert len(clock.changes) > 0


def test_files_that_leave_several_zones_possible_decide_nothing() -> None:
    """A watch that is worn from nine to five fits many."""
    noon = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC).timestamp()
    clock = clock_of(None, [("2024-05-01", noon + np.arange(0, 8 * 3600, 60.0))])
    assert "--utc-offset" in clock.note


def test_what_apps_put_into_the_account_is_left_out(tmp_path: Path) -> None:
    rows = (
        b"2026-08-01T07:29:00Z,20,Charge 6\n"
        b"2026-08-01T07:29:03Z,21,Phone Health Connect\n"
        b"2026-08-01T07:29:04Z,9,X Health Kit\n"
    )
    files = {f"{TOP}/steps_2026-08-01.csv": HEADER + rows}
    found = readers.read(written.unpack(tmp_path / "t", files))
    assert found.signals["steps"].values.sum() == 20
    assert "2 rows of steps_*.csv that another app wrote were left out" in found.notes


def test_a_pulse_that_was_not_found_is_none(tmp_path: Path) -> None:
    """Fitbit writes some bpm, and a confidence of 0."""
    beats = [(0, 70, 0), (1, 64, 3), (2, 66, 1)]
    rows = ",".join(
        f'{{"dateTime":"08/01/26 07:2{k}:05","value":{{"bpm":{bpm},"confidence":{sure}}}}}'
        for k, bpm, sure in beats
    )
    files = {f"{OLD}/heart_rate-2026-08-01.json": f"[{rows}]".encode()}
    found = readers.read(written.unpack(tmp_path / "t", files))
    assert found.signals["heart_rate"].values.tolist() == [64, 66]
    assert "1 heart rates of confidence 0 in JSON files were left out" in found.notes


def test_files_without_data(tmp_path: Path, capsys: Capture) -> None:
    files = {
        f"{TOP}/steps_2026-08-01.csv": b"no data",
        f"{TOP}/heart_rate_2026-08-01.csv": b"timestamp,beats per minute,data source\n",
    }
    folder = written.unpack(tmp_path / "t", files)
    assert "no heart rate and no steps in this export" in written.refused(folder, capsys)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (f"{TOP}/steps_2026-08-01.csv", b"when,steps\n", "no column timestamp among when"),
        (f"{TOP}/steps_2026-08-01.csv", HEADER + b"2026-08-01T07:29:00Z,lots,A\n",
         r"steps_2026-08-01.csv, line 2: 'lots' is no steps"),
        (f"{TOP}/steps_2026-08-01.csv", HEADER + b"noon,5,A\n", "line 2: 'noon' where a time"),
        (f"{TOP}/steps_2026-08-01.csv", HEADER + b"2026-08-01T07:29:00Z,5,A\n2026-08",
         "line 3: 1 cells where the header has 3; a cut file"),
        (f"{TOP}/steps_2026-08-01.csv", HEADER + b"2026-08-01T07:29:00Z,\"" + b"5" * 200_000,
         "line 2: field larger than field limit"),
        (f"{TOP}/activity_level_2026-08-01.csv",
         b"timestamp,level\n2026-08-01T07:29:00Z,WILD\n", "'WILD' is no level"),
        (f"{TOP}/steps_2026-08-01.csv", b"\xff\xfe\x00", "not text"),
        (f"{OLD}/steps-2026-08-01.json", b'[{"dateTime":"08/01/26 07:29:00","val',
         "not a steps file of Fitbit, or a cut one"),
        (f"{OLD}/steps-2026-08-01.json", b'[{"dateTime":"2026","value":"3"}]', "where a time"),
        (f"{OLD}/heart_rate-2026-08-01.json", b'[{"dateTime":"08/01/26 07:29:00","value":3}]',
         "not a heart_rate file"),
        (f"{OLD}/heart_rate-2026-08-01.json", b"[" * 100_000, "not a heart_rate file"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    folder = written.unpack(tmp_path / "t", {name: data})
    with pytest.raises(RecordingError, match=words):
        readers.read(folder)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    folder = written.unpack(tmp_path / "t", {f"{OLD}/steps-2026-08-01.json": b"["})
    with (folder / OLD / "steps-2026-08-01.json").open("r+b") as file:
        file.truncate(5 << 30)
    with pytest.raises(RecordingError, match="5,368,709,120 bytes, more than it can have"):
        readers.read(folder)


def test_a_zip_that_swells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_FROM", 1 << 20)
    files = {f"{OLD}/steps-2026-08-01.json": b"[" + b" " * (8 << 20) + b"]"}
    with pytest.raises(RecordingError, match="which no export has"):
        readers.read(written.zipped(tmp_path / "t.zip", files))


def test_a_table_that_is_called_alike_is_a_table(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    path = tmp_path / "steps_2026-08-01.csv"
    path.write_text("time,steps\n0,5\n60,6\n120,7\n")
    assert readers.read(path).signals["steps"].values.tolist() == [5, 6, 7]
