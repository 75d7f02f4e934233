"""The compact minute grid of the Fitbit data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onwrist import readers
from onwrist.readers import fitbit_grid
from onwrist_runtime.errors import InputError, RecordingError


def arrays(**changes: object) -> dict[str, object]:
    """Anna (11) with heart rate on two days of three, Ben (12) without on one day."""
    x = np.zeros((3, 1440, 5), np.float32)
    x[:, :, 3:] = np.nan
    x[:, :, 2] = 60 + np.arange(1440) / 60
    x[0, :300, 2] = np.nan  # off over night; somebody moves it at 4:00
    x[0, 240, 0] = 9
    x[2, :, 2] = np.nan
    made: dict[str, object] = {
        "x": x,
        "channels": np.array(["steps", "intensity", "hr_mean_bpm", "hr_std_bpm", "hr_count"]),
        "user": np.array([11, 11, 12]),
        "date": np.array(["2016-04-12", "2016-04-14", "2016-04-13"]),
        "hr_status": np.array(["raw", "raw", "no_hr_sensor"]),
    }
    return made | changes


def write(folder: Path, **changes: object) -> Path:
    path = folder / fitbit_grid.FILE
    np.savez(path, **arrays(**changes))  # type: ignore[arg-type]
    return path


def test_days_stand_on_one_clock_and_absent_ones_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path)
    anna, ben = fitbit_grid.people(tmp_path)
    assert [x.subject for x in fitbit_grid.people(path)] == ["11", "12"]
    assert (anna.heart_rate, ben.heart_rate) == ("raw", "none")
    assert anna.values.shape == (3, 3 * 1440)
    assert anna.start == np.datetime64("2016-04-12", "s").astype(int)
    assert np.isnan(anna.values[:, 1440:2880]).all()
    assert anna.values[2, 2 * 1440 + 60] == 61


def test_unworn_zeros_are_taken_out_where_heart_rate_can_tell(tmp_path: Path) -> None:
    write(tmp_path)
    anna, ben = fitbit_grid.people(tmp_path)
    # 0:00-4:00 lies still; the step at 4:00 is real; 4:01-5:00 is short of an hour.
    assert anna.not_worn == 240
    assert np.isnan(anna.values[:2, :240]).all()
    assert anna.values[0, 240] == 9
    assert not np.isnan(anna.values[:2, 240:1440]).any()
    assert ben.not_worn == 0
    assert not np.isnan(ben.values[:2]).any()


def test_a_recording_a_person(tmp_path: Path) -> None:
    path = write(tmp_path)
    anna, ben = readers.read_all(path)
    assert list(ben.signals) == ["steps", "intensity"]
    heart_rate = anna.signals["heart_rate"]
    assert heart_rate.rate == 1 / 60
    assert heart_rate.times[0] == anna.start + 60 * 60 == 1460419200 + 300 * 60
    assert "240 minutes" in anna.notes[0]
    assert not ben.notes
    assert readers.read(path, user="12").subject == "12"
    with pytest.raises(InputError, match="several people; choose one of 11, 12"):
        readers.read(path)
    with pytest.raises(InputError, match="no 13"):
        readers.read(path, user="13")
    with pytest.raises(InputError, match="user must be text, such as '11', not 11"):
        readers.read(path, user=11)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((3, 1439, 5))}, "shape"),
        ({"user": np.array([11, 12])}, "one length"),
        ({"date": np.array(["2016-04-12", "yesterday", "2016-04-13"])}, "date"),
        ({"date": np.array(["2016-04-12"] * 3)}, "twice"),
        ({"date": np.array(["2016-04-12", "NaT", "2016-04-13"])}, "date"),
        ({"date": np.array(["2016-04-12", "9016-04-12", "2016-04-13"])}, "a year apart"),
        ({"user": np.array(11)}, "one length"),
        ({"user": np.array([[11], [11], [12]])}, "one length"),
        ({"user": np.array([11, np.nan, 12])}, "user is float64"),
        ({"channels": np.array("steps")}, "shape"),
        ({"hr_status": np.array(["raw", "no_hr_sensor", "raw"])}, "hr_status of 11"),
        ({"hr_status": np.array(["raw", "raw", "guessed"])}, "guessed"),
    ],
)
def test_what_is_not_the_grid_is_refused(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(RecordingError, match=words):
        fitbit_grid.people(write(tmp_path, **changes))


def test_who_has_no_minute_does_not_hide_the_others(tmp_path: Path) -> None:
    x = np.array(arrays()["x"])
    x[2] = np.nan
    path = write(tmp_path, x=x)
    assert [recording.subject for recording in readers.read_all(path)] == ["11"]
    assert readers.read(path).subject == "11"
    assert len(fitbit_grid.people(path)) == 2
    nobody = write(tmp_path, x=np.full_like(x, np.nan))
    with pytest.raises(RecordingError, match="no minute of anybody"):
        readers.read(nobody)


def test_what_is_not_plausible_is_missing_and_counted(tmp_path: Path) -> None:
    x = np.array(arrays()["x"])
    x[1, 600:603, :3] = [[-4, 0, 0], [5, 1, 300], [np.inf, 1, 70]]
    path = write(tmp_path, x=x)
    anna, ben = fitbit_grid.people(path)
    expected = [[np.nan, 0, np.nan], [5, 1, np.nan], [np.nan, 1, 70]]
    found = anna.values[:, 2 * 1440 + 600 :][:, :3].T
    np.testing.assert_array_equal(found, expected)
    assert (anna.implausible, ben.implausible) == (4, 0)
    assert "4 numbers" in readers.read(path, user="11").notes[1]


def test_the_real_grid(shared_data: Path) -> None:
    found = fitbit_grid.people(shared_data / "fitbit_furberg2016")
    kinds = [person.heart_rate for person in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "none": 14, "raw": 6, "withheld": 4, "derived": 1,
    }  # fmt: skip
    for person in found:
        assert person.implausible == 0
        worn = np.isfinite(person.values[0])
        assert worn.any()
        assert (np.isfinite(person.values[2]).any()) == (
            person.heart_rate in ("raw", "derived")
        )
