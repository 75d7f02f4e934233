"""A Fitabase export: what is read, what is repaired and counted, what is refused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import fitabase_folder as written
import numpy as np
import pytest
from fitabase_folder import MIDNIGHT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError

pytest.importorskip("pyarrow")

STEPS = "minuteStepsWide_merged.csv"
HEART = "heartrate_seconds_merged.csv"
WIDE = ",".join(["Id", "ActivityHour", *(f"Steps{k:02}" for k in range(60))])
ZEROS = ",".join(["0"] * 60)


def notes(recording: Recording) -> str:
    return "; ".join(recording.notes)


def test_a_whole_export(tmp_path: Path) -> None:
    steps, beats = written.days(tmp_path)
    recording = readers.read(tmp_path)
    assert recording.subject == recording.name == "1503960366"
    assert recording.start == MIDNIGHT
    np.testing.assert_array_equal(recording.signals["steps"].values, steps)
    assert recording.signals["steps"].rate == 1 / 60
    assert recording.signals["intensity"].values.max() == 3
    heart_rate = recording.signals["heart_rate"]
    assert heart_rate.rate == 0.2
    np.testing.assert_array_equal(heart_rate.times[:3], MIDNIGHT + np.array([0, 20, 40]))
    np.testing.assert_array_equal(heart_rate.values[::3], beats)
    asleep, walked = ([x for x in recording.labels if x.task == name] for name in
                      ("minutes_asleep", "daily_steps"))  # fmt: skip
    assert [(x.start, x.end, x.value) for x in asleep] == [
        (MIDNIGHT, MIDNIGHT + 86400, 400),
        (MIDNIGHT + 86400, MIDNIGHT + 2 * 86400, 400),
    ]
    assert sum(float(x.value) for x in walked) == steps.sum()
    assert recording.notes == ()


@pytest.mark.parametrize("absent", ["minuteSteps", "minuteInt", "heartrate", "sleep", "daily"])
def test_any_file_may_be_absent(tmp_path: Path, absent: str) -> None:
    written.days(tmp_path)
    (gone,) = tmp_path.glob(f"{absent}*")
    gone.unlink()
    assert readers.read_all(tmp_path)[0].signals


def test_no_known_file_and_no_minutes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Fitbit, 2016")
    with pytest.raises(RecordingError, match=r"no recording in a known format: .*Fitabase"):
        readers.read(tmp_path)
    written.lines(tmp_path / "sleepDay.csv", "Id,SleepDay,TotalMinutesAsleep", [])
    with pytest.raises(RecordingError, match="no minutes and no heart rate of anybody"):
        readers.read(tmp_path)
    written.lines(tmp_path / STEPS, WIDE, [])
    with pytest.raises(RecordingError, match="no minutes and no heart rate of anybody"):
        readers.read(tmp_path)


@given(
    start=st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1)).map(
        lambda x: x.replace(minute=0, second=0, microsecond=0)
    ),
    style=st.sampled_from(["original", "spreadsheet"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_every_hour_in_both_formats(
    tmp_path: Path, start: datetime, style: written.Style
) -> None:
    seconds = (start - datetime(1970, 1, 1)).total_seconds()
    written.wide(tmp_path / STEPS, "Steps", np.arange(120), start=seconds, style=style)
    times = readers.read(tmp_path).signals["steps"].times
    np.testing.assert_array_equal(times, seconds + 60.0 * np.arange(120))


@given(st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_every_second_of_heart_rate(tmp_path: Path, time: datetime) -> None:
    seconds = (time.replace(microsecond=0) - datetime(1970, 1, 1)) / timedelta(seconds=1)
    written.heart_rate(tmp_path / HEART, [seconds], [70])
    assert readers.read(tmp_path).signals["heart_rate"].times.tolist() == [seconds]


def test_hours_that_are_absent_are_not_observed(tmp_path: Path) -> None:
    written.wide(tmp_path / STEPS, "Steps", np.arange(48 * 60) % 7)
    lines = (tmp_path / STEPS).read_text().splitlines(keepends=True)
    (tmp_path / STEPS).write_text("".join(lines[:6] + lines[9:]))
    recording = readers.read(tmp_path)
    steps = recording.signals["steps"]
    assert len(steps.times) == 45 * 60
    assert not (
        (steps.times >= MIDNIGHT + 5 * 3600) & (steps.times < MIDNIGHT + 8 * 3600)
    ).any()
    assert "1 of 2 days have fewer than 24 hours" in notes(recording)


def test_an_hour_twice_is_merged_or_refused(tmp_path: Path) -> None:
    path = written.wide(tmp_path / STEPS, "Steps", np.arange(24 * 60) % 7)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[4]]))
    recording = readers.read(tmp_path)
    assert "minuteStepsWide: 1 rows that are there twice" in notes(recording)
    assert len(recording.signals["steps"].times) == 1440
    path.write_text("".join([*lines, lines[4].replace(",3,", ",4,", 1)]))
    with pytest.raises(RecordingError, match=r"1 rows contradict .* 2016-04-13 03:00:00"):
        readers.read(tmp_path)


@pytest.mark.parametrize("second", ["minuteStepsWide_merged (1).csv.gz", "May/" + STEPS])
def test_overlapping_exports(tmp_path: Path, second: str) -> None:
    steps = np.arange(72 * 60) % 11
    written.wide(tmp_path / STEPS, "Steps", steps[: 48 * 60])
    later = steps[24 * 60 :].copy()
    written.wide(tmp_path / second, "Steps", later, start=MIDNIGHT + 86400)
    recording = readers.read(tmp_path)
    np.testing.assert_array_equal(recording.signals["steps"].values, steps)
    assert "24 rows" in notes(recording)
    later[100] += 1
    written.wide(tmp_path / second, "Steps", later, start=MIDNIGHT + 86400)
    with pytest.raises(RecordingError, match="overlapping exports"):
        readers.read(tmp_path)


def test_several_users(tmp_path: Path) -> None:
    written.days(tmp_path / "one", user="111")
    written.days(tmp_path / "two", user="222")
    with pytest.raises(InputError, match="several users; choose one of 111, 222"):
        readers.read(tmp_path)
    with pytest.raises(InputError, match="no user 333; there are 111, 222"):
        readers.read(tmp_path, user="333")
    assert readers.read(tmp_path, user="222").subject == "222"
    assert [x.subject for x in readers.read_all(tmp_path)] == ["111", "222"]


@pytest.mark.parametrize("hours", [-11, -4, 1, 5.5])
def test_heart_rate_of_another_zone_is_refused(tmp_path: Path, hours: float) -> None:
    written.days(tmp_path, count=3, hours_off=hours)
    with pytest.raises(RecordingError, match=rf"zones: .* by {re.escape(f'{-hours:+g} h')}"):
        readers.read(tmp_path)


def test_what_is_not_plausible_is_missing_and_counted(tmp_path: Path) -> None:
    written.wide(tmp_path / STEPS, "Steps", [-5, 2000, *[7] * 58])
    written.heart_rate(tmp_path / HEART, MIDNIGHT + np.arange(4), [0, 300, 70, 71])
    recording = readers.read(tmp_path)
    assert recording.signals["heart_rate"].values.tolist() == [70, 71]
    assert recording.signals["steps"].values.tolist() == [7] * 58
    assert f"{STEPS}: 2 values outside 0 to 1000 steps a minute" in notes(recording)
    assert f"{HEART}: 2 values outside 25 to 250 bpm" in notes(recording)


def test_a_blank_is_missing(tmp_path: Path) -> None:
    row = "1,4/13/2016 12:00:00 AM,,3" + ",0" * 58
    written.lines(tmp_path / STEPS, WIDE, [row])
    steps = readers.read(tmp_path).signals["steps"]
    assert (steps.times[0], steps.values[0]) == (MIDNIGHT + 60, 3)


@pytest.mark.parametrize("kept", range(1, 150, 11))
def test_a_cut_last_line_is_left_out_and_counted(tmp_path: Path, kept: int) -> None:
    path = written.wide(tmp_path / STEPS, "Steps", np.full(120, 7))
    first, second, third = path.read_text().splitlines(keepends=True)
    path.write_text(first + second + third[: min(kept, len(third) - 4)])
    recording = readers.read(tmp_path)
    assert len(recording.signals["steps"].times) == 60
    assert f"{STEPS}: the last line is cut off" in notes(recording)


def test_a_cut_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = written.wide(tmp_path / STEPS, "Steps", np.full(180, 7))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], lines[2][:40] + "\n", lines[3]]))
    with pytest.raises(RecordingError, match=r"line 3: .* cells where the header has 62"):
        readers.read(tmp_path)


def test_unworn_zeros_are_not_observed_and_counted(tmp_path: Path) -> None:
    written.wide(tmp_path / STEPS, "Steps", np.zeros(300))
    written.wide(tmp_path / "minuteIntensitiesWide.csv", "Intensity", np.zeros(300))
    written.heart_rate(tmp_path / HEART, MIDNIGHT + 60 * np.arange(100), np.full(100, 60))
    recording = readers.read(tmp_path)
    assert len(recording.signals["steps"].times) == 100
    assert len(recording.signals["intensity"].times) == 100
    assert "200 minutes in runs of 60 or more" in notes(recording)


HOUR = "1,4/13/2016 12:00:00 AM," + ZEROS


@pytest.mark.parametrize(
    ("file", "header", "row", "words"),
    [
        (STEPS, WIDE, HOUR[:-1] + "lots", "line 2, Steps59: 'lots' where a number"),
        (STEPS, WIDE, HOUR[:-1] + "inf", "'inf' where a number"),
        (STEPS, WIDE, HOUR.replace("4/13", "13/4"), "month/day/year"),
        (STEPS, WIDE, HOUR.replace("4/13", "2/30"), "'2/30/2016 12:00:00 AM' where a time"),
        (STEPS, WIDE, HOUR.replace("12:00", "13:00"), "where a time"),
        (STEPS, WIDE, HOUR.replace("12:00", "12:30"), "where a full hour"),
        (STEPS, WIDE, HOUR.replace("4/13/2016", "noon"), "where a time"),
        (STEPS, WIDE, "1.5E+09" + HOUR[1:], "'1.5E.09' where an Id belongs; a spreadsheet"),
        (STEPS, WIDE, HOUR[1:], "'' where an Id"),
        (STEPS, WIDE, HOUR + ",0", "63 cells where the header has 62"),
        (STEPS, WIDE.replace("Steps07", "Steps7"), HOUR, "no column Steps07"),
        (STEPS, WIDE + ",Id", HOUR + ",0", "two columns are called 'Id'"),
        (HEART, "Id,Time", "1,4/13/2016 12:00:00 AM", "no column Value"),
        ("sleepDay.csv", "Id,SleepDay,TotalMinutesAsleep", "1,4/13/2016 3:00,9", "a date"),
    ],
)
def test_what_is_no_export_is_refused(
    tmp_path: Path, file: str, header: str, row: str, words: str
) -> None:
    written.days(tmp_path)
    for path in tmp_path.glob(f"{file.partition('_')[0].removesuffix('.csv')}*"):
        path.unlink()
    written.lines(tmp_path / file, header, [row])
    with pytest.raises(RecordingError, match=words):
        readers.read(tmp_path)


@pytest.mark.parametrize("name", [STEPS, STEPS + ".gz"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"\x1f\x8b\x08cut"])
def test_bytes_that_are_no_table(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=STEPS):
        readers.read(tmp_path)


def test_a_cut_gzip_is_refused(tmp_path: Path) -> None:
    path = written.wide(tmp_path / f"{STEPS}.gz", "Steps", np.arange(24000) % 97)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RecordingError, match="not a readable table"):
        readers.read(tmp_path)


def test_times_without_their_seconds_say_why(tmp_path: Path) -> None:
    rows = [f"1,4/13/2016 7:2{k // 12},{60 + k}" for k in range(24)]
    written.lines(tmp_path / HEART, "Id,Time,Value", rows)
    with pytest.raises(RecordingError, match="a spreadsheet has dropped them"):
        readers.read(tmp_path)


def test_more_than_a_year_is_refused(tmp_path: Path) -> None:
    row = HOUR.replace("2016", "2018")
    written.lines(tmp_path / STEPS, WIDE, [HOUR, row])
    with pytest.raises(RecordingError, match="more than the 366 days"):
        readers.read(tmp_path)


def test_real_files_equal_the_grid(shared_data: Path) -> None:
    folder = shared_data / "fitbit_furberg2016"
    there = {person.subject: person for person in readers.fitbit_grid.people(folder)}
    recordings = {x.name: x for x in readers.read_all(folder / "raw_format")}
    assert recordings.keys() == there.keys()
    for subject, person in there.items():
        if person.heart_rate == "derived":
            continue  # its heart rate is not in these files, nor what is unworn
        expected = dict(zip(readers.fitbit_grid.CHANNELS, person.values, strict=True))
        for channel, values in expected.items():
            signal = recordings[subject].signals.get(channel)
            minute = np.zeros(0, int) if signal is None else (signal.times - person.start) // 60
            minute = minute.astype(int)
            counts = np.bincount(minute, minlength=len(values))
            assert np.array_equal(counts > 0, ~np.isnan(values)), (subject, channel)
            if signal is not None:
                total = np.bincount(minute, signal.values, len(values))
                tolerance = 1e-3 if channel == "heart_rate" else 0.0
                real = counts > 0
                mean = total[real] / counts[real]
                np.testing.assert_allclose(mean, values[real], rtol=0, atol=tolerance)
