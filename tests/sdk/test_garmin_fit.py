"""Garmin's FIT files: counters, short time stamps, local time, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import history_exports as written
import numpy as np
import pytest
from history_exports import FIT_EPOCH, fit, fit_info
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.readers.archives import Member
from onwrist.readers.histories import garmin_fit
from onwrist.recording import Recording
from onwrist.simulate import days
from onwrist_runtime.errors import InputError, RecordingError

garmin_fit_sdk = pytest.importorskip("garmin_fit_sdk")

Capture = pytest.CaptureFixture[str]
MIDNIGHT = 1_709_247_600.0  # 2024-03-01 0:00 +0100


def monitoring(time: float, **fields: Any) -> dict[str, Any]:
    return {"mesg_num": 55, "timestamp": int(time) - FIT_EPOCH} | fields


def counter(time: float, steps: int, kind: str = "walking") -> dict[str, Any]:
    """Steps since midnight; the field counts cycles, of two steps each."""
    return monitoring(time, cycles=steps / 2, activity_type=kind)


def beat(time: float, bpm: int) -> dict[str, Any]:
    return monitoring(time, heart_rate=bpm)


def read(folder: Path, *messages: dict[str, Any], ahead: int = 3600) -> Recording:
    folder.mkdir(exist_ok=True)
    (folder / "M1.FIT").write_bytes(fit([fit_info(MIDNIGHT, ahead), *messages]))
    return readers.read(folder / "M1.FIT")


def test_days_in_it_are_predicted_as_they_were(tmp_path: Path, capsys: Capture) -> None:
    original = written.whole_bpm(days(3, 1), "intensity")
    expected = written.predicted(readers.write_recording(original, tmp_path), capsys)
    files = written.garmin_days(written.lived(written.whole_bpm(days(3, 1))))
    assert written.predicted(written.unpack(tmp_path / "f", files), capsys) == expected
    assert written.predicted(written.zipped(tmp_path / "f.zip", files), capsys) == expected


@given(
    st.integers(0, 1 << 31).map(lambda x: x + (1 << 28) + 1),
    st.lists(st.integers(-1700, 63_000), max_size=30),
)
@settings(max_examples=40)
def test_short_stamps_roll_over(first: int, gaps: list[int]) -> None:
    """The lower 16 bits of the time, after a gap of up to 17.5 hours, or a little back."""
    stamps = np.cumsum([first, *gaps]).tolist()
    # 0xFFFF is FIT's word for no short stamp, and whole ones end below 2 ** 32 - 1.
    stamps = [x for x in stamps if x & 0xFFFF != 0xFFFF and x < (1 << 32) - 1]
    assume(stamps and (np.abs(np.diff(stamps)) < 63_000).all())
    messages = [{"mesg_num": 55, "timestamp": stamps[0], "heart_rate": 60}]
    messages += [
        {"mesg_num": 55, "timestamp_16": x & 0xFFFF, "heart_rate": 60} for x in stamps[1:]
    ]
    data = fit(messages)

    class Held(Member):
        def read(self, most: int) -> bytes:
            return data

    found = garmin_fit._read(Held(Path("x.fit"), "x.fit", 0, False), garmin_fit_sdk)
    assert [time for time, _ in found.beats] == [FIT_EPOCH + x for x in stamps]


def test_counters_rise_from_midnight_by_kind(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        *(beat(MIDNIGHT + 60 * k, 70) for k in range(60)),
        counter(MIDNIGHT + 600, 100),
        counter(MIDNIGHT + 600, 0, "running"),
        counter(MIDNIGHT + 660, 160),
        counter(MIDNIGHT + 660, 150, "running"),
        monitoring(MIDNIGHT + 660, cycles=500, activity_type="cycling"),
        counter(MIDNIGHT + 780, 200),
    )
    steps = found.signals["steps"]
    assert steps.values.sum() == 200 + 150
    assert steps.values[9:14].tolist() == [10, 60 + 150, 20, 20, 0]
    assert steps.times[0] == MIDNIGHT + 3600


def test_a_counter_is_of_the_kind_that_was_said_last(tmp_path: Path) -> None:
    """As some watches write it: the kind once, then counters without it."""
    found = read(
        tmp_path,
        *(beat(MIDNIGHT + 60 * k, 70) for k in range(60)),
        counter(MIDNIGHT + 600, 0),
        monitoring(MIDNIGHT + 660, cycles=40),
        monitoring(MIDNIGHT + 665, activity_type="sedentary"),
        monitoring(MIDNIGHT + 720, cycles=70),
    )
    assert found.signals["steps"].values.sum() == 80


def test_a_counter_begins_anew_at_midnight(tmp_path: Path) -> None:
    late = MIDNIGHT + 86_400
    found = read(
        tmp_path,
        *(beat(late - 3000 + 60 * k, 70) for k in range(100)),
        counter(late - 660, 9000),
        counter(late - 600, 9050),
        counter(late + 600, 30),
        counter(late + 660, 50),
    )
    steps = found.signals["steps"]
    assert steps.values.sum() == pytest.approx(50 + 50)
    assert "9,000 steps were left out: their counter was written more than an hour" in str(
        found.notes
    )
    # Those after midnight are of the new day.
    assert steps.values[steps.times < late + 3600].sum() == 50


def test_files_that_overlap_are_counted_once(tmp_path: Path) -> None:
    """A backup beside the files, or a file that the watch wrote on at."""
    said = [counter(MIDNIGHT + 600 + 60 * k, 100 * k) for k in range(4)]
    beats = [beat(MIDNIGHT + 60 * k, 70) for k in range(60)]
    folder = tmp_path / "old"
    folder.mkdir()
    (tmp_path / "a.fit").write_bytes(fit([fit_info(MIDNIGHT), *beats, *said]))
    for part in (said, said[2:], said[:2]):
        (folder / "b.fit").write_bytes(fit([fit_info(MIDNIGHT), *beats, *part]))
        assert readers.read(tmp_path).signals["steps"].values.sum() == 300


def test_the_last_word_of_a_day_is_of_that_day(tmp_path: Path) -> None:
    late = MIDNIGHT + 86_400
    beats = [beat(late - 3000 + 60 * k, 70) for k in range(100)]
    said = [counter(late - 600, 9050), counter(late, 9080), counter(late, 0)]
    steps = read(tmp_path, *beats, *said, counter(late + 60, 25)).signals["steps"]
    assert steps.values.sum() == pytest.approx(30 + 25)
    assert steps.values[steps.times < late + 3600].sum() == pytest.approx(30)


def test_cycles_of_an_activity_are_no_counter_of_steps(tmp_path: Path) -> None:
    turns = {"mesg_num": 20, "cycles": 90, "activity_type": "walking", "heart_rate": 120}
    first = int(MIDNIGHT) - FIT_EPOCH
    found = read(tmp_path, *(turns | {"timestamp": first + k} for k in range(600)))
    assert set(found.signals) == {"heart_rate"}


def test_an_activity_is_heart_rate_at_its_own_rate(tmp_path: Path) -> None:
    records = [
        {"mesg_num": 20, "timestamp": int(MIDNIGHT) - FIT_EPOCH + k, "heart_rate": 100 + k % 50}
        for k in range(600)
    ]
    end = {"mesg_num": 34, "timestamp": int(MIDNIGHT) + 600 - FIT_EPOCH}
    end["local_timestamp"] = end["timestamp"] - 5 * 3600
    path = tmp_path / "run.fit"
    path.write_bytes(fit([*records, end], "activity"))
    found = readers.read(path)
    heart_rate = found.signals["heart_rate"]
    assert heart_rate.rate == 1
    np.testing.assert_array_equal(heart_rate.times, MIDNIGHT - 5 * 3600 + np.arange(600))
    np.testing.assert_array_equal(heart_rate.values, 100 + np.arange(600) % 50)
    assert set(found.signals) == {"heart_rate"}


def test_a_file_that_says_no_zone_follows_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.fit").write_bytes(fit([fit_info(MIDNIGHT), beat(MIDNIGHT, 70)]))
    (tmp_path / "b.fit").write_bytes(fit([beat(MIDNIGHT + 600, 71)]))
    times = readers.read(tmp_path).signals["heart_rate"].times
    assert times.tolist() == [MIDNIGHT + 3600, MIDNIGHT + 4200]
    alone = readers.read(tmp_path / "b.fit")
    assert alone.signals["heart_rate"].times.tolist() == [MIDNIGHT + 600]
    assert "--utc-offset" in str(alone.notes)


def test_a_pulse_that_was_not_found(tmp_path: Path) -> None:
    beats = [beat(MIDNIGHT + 60 * k, bpm) for k, bpm in enumerate((70, 0, 255))]
    found = read(tmp_path, *beats)
    assert found.signals["heart_rate"].values.tolist() == [70]


@pytest.mark.parametrize("kept", [0, 5, 13, 40, 200, -3])
def test_a_cut_file(tmp_path: Path, kept: int, capsys: Capture) -> None:
    whole = fit([fit_info(MIDNIGHT), *(beat(MIDNIGHT + 60 * k, 70) for k in range(50))])
    path = tmp_path / "cut.fit"
    path.write_bytes(whole[:kept])
    said = written.refused(path, capsys)
    assert str(path) in said
    assert "not a FIT file, or cut" in said or "damaged or cut" in said


def test_a_changed_byte_is_not_believed(tmp_path: Path) -> None:
    whole = bytearray(fit([fit_info(MIDNIGHT), beat(MIDNIGHT, 70)]))
    whole[-3] ^= 1
    (tmp_path / "x.fit").write_bytes(whole)
    with pytest.raises(RecordingError, match="CRC"):
        readers.read(tmp_path / "x.fit")


def test_of_several_files_damaged_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.fit").write_bytes(fit([fit_info(MIDNIGHT), beat(MIDNIGHT, 70)]))
    (tmp_path / "b.fit").write_bytes(b"not FIT at all, but long enough")
    found = readers.read(tmp_path)
    assert found.signals["heart_rate"].values.tolist() == [70]
    assert "1 files were left out; the first:" in str(found.notes)
    (tmp_path / "a.fit").unlink()
    with pytest.raises(RecordingError, match="not a FIT file"):
        readers.read(tmp_path)


def test_five_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "huge.fit"
    path.write_bytes(fit([beat(MIDNIGHT, 70)]))
    with path.open("r+b") as file:
        file.truncate(5 << 30)
    with pytest.raises(RecordingError, match="bytes, more than it can have"):
        readers.read(path)


def test_nothing_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "workout.fit"
    path.write_bytes(fit([], "workout"))
    with pytest.raises(RecordingError, match="no heart rate and no steps"):
        readers.read(path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "a.fit").write_bytes(fit([beat(MIDNIGHT, 70)]))
    monkeypatch.setitem(sys.modules, "garmin_fit_sdk", None)
    with pytest.raises(InputError, match=r'pip install "onwrist\[readers\]"'):
        readers.read(tmp_path)
