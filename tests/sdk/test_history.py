"""Minutes and local time of a person's own history, whatever it was exported from."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from pathlib import Path

import history_exports as written
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from onwrist import readers
from onwrist.readers.histories import local_time
from onwrist.readers.histories.minutes import split
from onwrist.readers.histories.records import Gathered
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError

NOON = 1_709_294_400.0  # 2024-03-01 12:00 UTC
PATH = Path("me.xml")


def notes(recording: Recording) -> str:
    return "; ".join(recording.notes)


@given(
    st.lists(
        st.tuples(st.floats(0, 90_000), st.floats(0, 3600), st.floats(0, 5000), st.booleans()),
        max_size=30,
    )
)
def test_intervals_become_minutes_and_keep_their_sum(
    rows: list[tuple[float, float, float, bool]],
) -> None:
    starts = np.array([round(x) if whole else x for x, _, _, whole in rows])
    ends = starts + np.array([round(x) if whole else x for _, x, _, whole in rows])
    counts = np.array([x for _, _, x, _ in rows])
    minutes = split(starts, ends, counts, 0, 1600)
    assert_allclose(np.nansum(minutes), counts.sum(), rtol=1e-9, atol=1e-6)
    touched = np.zeros(1600, bool)
    for start, end in zip(starts, ends, strict=True):
        touched[int(start // 60)] = True
        touched[int(start // 60) : int(np.ceil(end / 60))] = True
    assert_array_equal(np.isfinite(minutes), touched)


def test_a_count_is_split_by_share_of_time() -> None:
    # 107 s from 08:15:23 to 08:17:10: 37 s, 60 s and 10 s of three minutes.
    at = 8 * 3600 + 15 * 60
    one = np.array([at + 23.0]), np.array([at + 130.0]), np.array([107.0])
    assert_allclose(split(*one, at // 60, 3), [37, 60, 10])


def gathered(*steps: tuple[str, float, float, float], beats: tuple[str, ...] = ()) -> Gathered:
    """Counts (source, start, end, steps) and a heart rate a minute of some sources."""
    out = Gathered()
    for source, start, end, count in steps:
        out.count(source, start, end, 0, count)
    for source in beats:
        out.beats(source, NOON + 60 * np.arange(240), 0, np.full(240, 70.0))
    return out


def test_a_phone_is_not_added_to_the_watch() -> None:
    both = gathered(
        ("watch", NOON + 600, NOON + 660, 90),
        ("phone", NOON + 610, NOON + 670, 84),
        ("phone", NOON + 6 * 3600, NOON + 6 * 3600 + 120, 200),  # the watch is charging
        beats=("watch",),
    )
    found = local_time.choose(PATH, both, None)
    steps = found.signals["steps"]
    assert steps.values.sum() == 90 + 200
    assert "84 steps of 'phone' in minutes that another source has were left out" in notes(
        found
    )
    # Worn minutes without a step are 0; those of the phone are only what it wrote about.
    assert (steps.times < NOON + 5 * 3600).sum() == 240
    late = steps.times > NOON + 5 * 3600
    assert_array_equal(steps.times[late], NOON + 6 * 3600 + np.array([0, 60]))


def test_a_phone_alone_says_nothing_where_it_wrote_nothing() -> None:
    found = local_time.choose(PATH, gathered(("phone", NOON, NOON + 90, 90)), None)
    assert_array_equal(found.signals["steps"].times, [NOON, NOON + 60])
    assert_allclose(found.signals["steps"].values, [60, 30])


def test_a_strap_without_steps_does_not_say_that_there_were_none() -> None:
    strap = gathered(("phone", NOON + 600, NOON + 660, 50), beats=("strap",))
    assert len(local_time.choose(PATH, strap, None).signals["steps"].times) == 1


def test_two_apps_with_one_heart_rate_give_it_once() -> None:
    found = local_time.choose(PATH, gathered(beats=("fit", "watch")), None)
    assert_array_equal(found.signals["heart_rate"].times, NOON + 60 * np.arange(240))


def test_an_hour_off_the_wrist_is_not_observed() -> None:
    out = Gathered()
    worn = np.r_[0:120, 200:300]
    out.beats("watch", NOON + 60 * worn, 0, np.full(len(worn), 70.0))
    out.count("watch", NOON, NOON + 60, 0, 30)
    steps = local_time.choose(PATH, out, None).signals["steps"]
    assert_array_equal(steps.times, NOON + 60 * worn)


def test_a_pulse_by_camera_makes_no_watch_of_a_phone() -> None:
    """Before 13:00 a phone alone wrote steps; at 18:00 the app measured a pulse with them."""
    out = gathered(("app", NOON, NOON + 60, 80), ("app", NOON + 1800, NOON + 1860, 70))
    out.beat("app", NOON + 6 * 3600, 0, 70)
    out.count("app", NOON + 6 * 3600 + 600, NOON + 6 * 3600 + 660, 0, 40)
    steps = local_time.choose(PATH, out, None).signals["steps"]
    assert steps.times[:2].tolist() == [NOON, NOON + 1800]
    assert steps.values[:2].tolist() == [80, 70]
    assert_array_equal(steps.times[2:], NOON + 6 * 3600 + 60 * np.arange(11))


def test_sources_without_end_do_not_fill_the_memory() -> None:
    out = Gathered()
    for k in range(200):
        out.beats(f"app {k}", NOON + 60 * np.arange(k + 1), 0, np.full(k + 1, 70.0))
    found = local_time.choose(PATH, out, None)
    assert len(found.signals["heart_rate"].times) == 200
    left_out = sum(range(1, 151))
    assert f"{left_out:,} records of all but the 50 sources with most were left out" in notes(
        found
    )


def test_exports_of_two_kinds(tmp_path: Path) -> None:
    written.apple(tmp_path / "export.xml", [written.beat(NOON, 60)])
    (tmp_path / "run.fit").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"several exports: an Apple .*; Garmin FIT"):
        readers.read(tmp_path)


def test_recordings_come_before_what_lies_below_them(tmp_path: Path) -> None:
    written.apple(tmp_path / "export.xml", [written.beat(NOON, 60)])
    own = readers.write_recording(readers.read(tmp_path), tmp_path / "mine")
    below = tmp_path / "mine" / "phone"
    below.mkdir()
    (tmp_path / "export.xml").rename(below / "export.xml")
    (one,) = readers.read_all(tmp_path / "mine")
    assert one.name == own.stem
    own.unlink()
    (other,) = readers.read_all(tmp_path / "mine")
    assert other.name == "mine"


def test_a_zip_with_backslashes(tmp_path: Path) -> None:
    """As .NET made them."""
    name = "Takeout\\Fitbit\\Physical Activity_GoogleData\\heart_rate_2026-08-01.csv"
    data = b"timestamp,beats per minute\n2026-08-01T07:29:00Z,61\n"
    path = written.zipped(tmp_path / "t.zip", {name: data})
    assert readers.read(path).signals["heart_rate"].values.tolist() == [61]


def test_what_cannot_be_is_left_out_and_counted() -> None:
    out = gathered(
        ("app", NOON, NOON + 86_400, 9000),  # the total of a day
        ("app", NOON + 60, NOON, 10),
        ("app", NOON, NOON + 60, -1),
        ("app", NOON, NOON + 60, 40),
        ("app", NOON, NOON + 60, 40),
        ("app", NOON + 120, NOON + 180, 5000),
        ("app", -5.0, 55.0, 5),
    )
    out.beat("app", NOON, 0, 0.0)
    out.beat("app", NOON + 1, 99 * 3600, 70.0)
    out.beat("app", NOON + 2, 0, float("nan"))
    out.beat("app", NOON + 3, 0, 71.0)
    found = local_time.choose(PATH, out, None)
    assert found.signals["steps"].values.sum() == 40
    assert found.signals["heart_rate"].values.tolist() == [71]
    for words in (
        "1 step counts of 'app' over more than an hour",
        "2 step counts of 'app' below 0 or ending early",
        "1 step counts of 'app' that are there twice were merged",
        "1 minutes of more than 1000 steps",
        "1 step counts of 'app' at impossible times",
        "1 heart rates of 'app' at impossible times",
        "1 heart rates of 'app' outside 25 to 250 bpm",
        "1 heart rates of 'app' that are no numbers",
    ):
        assert words in notes(found)


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]


@given(
    st.sampled_from(ZONES),
    st.datetimes(dt.datetime(2023, 1, 1), dt.datetime(2025, 1, 1)),
    st.integers(2, 60),
)
@settings(max_examples=60)
def test_local_time_is_what_the_wall_showed(name: str, start: dt.datetime, hours: int) -> None:
    zone = zoneinfo.ZoneInfo(name)
    first = start.replace(second=0, microsecond=0, tzinfo=dt.UTC).timestamp()
    times = first + 60.0 * np.arange(60 * hours)
    offsets = [
        int(dt.datetime.fromtimestamp(t, zone).utcoffset().total_seconds())  # type: ignore[union-attr]
        for t in times
    ]
    out = Gathered()
    out.beats("watch", times, offsets, 60 + np.arange(len(times)) % 90)
    found = local_time.choose(PATH, out, None).signals["heart_rate"]
    shown: dict[float, float] = {}
    newest = -np.inf
    for local, value in zip(times + offsets, 60 + np.arange(len(times)) % 90, strict=True):
        if local > newest:  # of a time that the wall showed twice, the first
            shown[local], newest = value, local
    assert_array_equal(found.times, list(shown))
    assert_array_equal(found.values, list(shown.values()))


def test_the_night_in_which_clocks_go_back(tmp_path: Path) -> None:
    """Germany, 2024-10-27: 01:30 to 04:30 local time is four hours."""
    begin = dt.datetime(2024, 10, 26, 23, 30, tzinfo=dt.UTC).timestamp()
    out = Gathered()
    for minute in range(240):
        time = begin + 60 * minute
        out.beat("watch", time, 7200 if minute < 90 else 3600, 60.0)
        out.count("watch", time, time + 60, 7200 if minute < 90 else 3600, 10)
    found = local_time.choose(PATH, out, None)
    assert len(found.signals["heart_rate"].times) == 180
    assert found.signals["steps"].values.sum() == 1800
    assert "60 minutes after a clock went back repeat local time" in notes(found)


def test_the_way_back_from_the_east_repeats_only_what_was_recorded() -> None:
    """Twelve hours in the air, the watch off; seven of them come twice."""
    out = Gathered()
    out.beats("watch", NOON + 60 * np.arange(300), 9 * 3600, np.full(300, 70.0))
    home = NOON + 3600 * 17
    out.beats("watch", home + 60 * np.arange(300), 2 * 3600, np.full(300, 71.0))
    found = local_time.choose(PATH, out, None)
    assert len(found.signals["heart_rate"].times) == 600
    assert not found.notes


def test_an_app_with_another_clock_does_not_move_the_days() -> None:
    out = Gathered()
    out.beats("watch", NOON + 60 * np.arange(240), 3600, np.full(240, 70.0))
    out.count("app", NOON + 300, NOON + 360, 0, 20)
    found = local_time.choose(PATH, out, None)
    assert_array_equal(found.signals["heart_rate"].times, NOON + 3600 + 60 * np.arange(240))
    assert found.signals["steps"].times.tolist() == [NOON + 3600 + 300]


def test_an_app_that_writes_steps_in_utc_loses_nothing() -> None:
    """A walk of 40 minutes, whose counts seem to be of another zone."""
    out = Gathered()
    out.beats("watch", NOON + 60 * np.arange(600), 7200, np.full(600, 70.0))
    for minute in range(100, 140):
        out.count("watch", NOON + 60 * minute, NOON + 60 * minute + 60, 0, 90)
    for minute in range(900, 930):  # and where no pulse was found
        out.count("watch", NOON + 60 * minute, NOON + 60 * minute + 60, 0, 90)
    out.beats("watch", NOON + 60 * np.arange(940, 1000), 7200, np.full(60, 70.0))
    found = local_time.choose(PATH, out, None)
    local = NOON + 7200
    assert len(found.signals["heart_rate"].times) == 660
    assert found.signals["heart_rate"].times[0] == local
    steps = found.signals["steps"]
    assert_array_equal(steps.times[steps.values > 0][:40], local + 60 * np.arange(100, 140))
    assert "repeat local time" not in notes(found)


def test_years_are_cut_and_chosen(tmp_path: Path) -> None:
    times = [NOON + 86_400 * day for day in range(-500, 1)]
    path = written.apple(tmp_path / "export.xml", [written.beat(t, 60, ahead=0) for t in times])
    newest = readers.read(path)
    assert len(newest.signals["heart_rate"].times) == 366
    assert "135 days before 2023-03-02 were left out; --user YEAR" in notes(newest)
    year = readers.read(path, user="2023")
    assert len(year.signals["heart_rate"].times) == 365
    assert year.name == "export_2023"
    every = readers.read_all(path)
    assert [x.name for x in every] == ["export_2022", "export_2023", "export_2024"]
    assert sum(len(x.signals["heart_rate"].times) for x in every) == 501
    with pytest.raises(InputError, match="no year 'anna' in this history; it has 2022, 2023"):
        readers.read(path, user="anna")


def test_a_short_history_is_one_recording(tmp_path: Path) -> None:
    path = written.apple(tmp_path / "export.xml", [written.beat(NOON, 60)])
    (one,) = readers.read_all(path)
    assert one.name == "export"
    assert one.subject is None


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = written.zipped(tmp_path / "photos.zip", {"a/b.jpg": b"", "notes.xml": b"<gpx/>"})
    with pytest.raises(RecordingError, match=r"no recording in a known format: .*Apple Health"):
        readers.read(path)


def test_nothing_that_can_be(tmp_path: Path) -> None:
    out = gathered(("app", NOON, NOON + 60, 9000))
    with pytest.raises(RecordingError, match=r"me: nothing was observed: 1 minutes of more"):
        local_time.choose(PATH, out, None)


def test_a_zip_of_a_version_to_come(tmp_path: Path) -> None:
    path = written.zipped(tmp_path / "export.zip", {"export.xml": written.HEAD.encode()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 75
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"not a readable zip \(zip file version 7\.5"):
        readers.read(path)


def test_nothing_to_read(tmp_path: Path) -> None:
    path = written.apple(tmp_path / "export.xml", [])
    with pytest.raises(RecordingError, match="no heart rate and no steps in this export"):
        readers.read(path)
