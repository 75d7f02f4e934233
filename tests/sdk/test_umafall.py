"""UMAFall: the compact file, the original CSV files, and that they say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onwrist import readers
from onwrist.cli import main
from onwrist.readers import umafall
from onwrist_runtime.errors import InputError, RecordingError

CHANNELS = [
    f"{position}_{quantity}_{unit}_{axis}"
    for position in ("WRIST", "CHEST", "WAIST", "ANKLE")
    for quantity, unit in (("acc", "g"), ("gyro", "dps"), ("mag", "uT"))
    for axis in "xyz"
]


def arrays(**changes: object) -> dict[str, object]:
    """Subject 6 walks twice under one number and falls, without a waist; subject 7 walks."""
    imu = np.random.default_rng(0).normal(size=(4, 300, 36)).astype(np.float32)
    imu[2, :, 18:27] = np.nan
    imu[0, 100:110, :9] = np.nan
    made: dict[str, object] = {
        "imu": imu,
        "phone_acc_50hz": np.ones((4, 750, 3), np.float32),
        "subject": np.array([6, 6, 6, 7], np.int16),
        "activity": np.array([0, 0, 1, 0], np.int16),
        "activity_names": np.array(["ADL_Walking", "Fall_forwardFall"]),
        "trial": np.array([1, 1, 1, 1], np.int16),
        "start": np.array([f"2016-06-13_21-{minute}-26" for minute in (16, 17, 18, 19)]),
        "channels": np.array(CHANNELS),
    }
    return made | changes


def write(folder: Path, **changes: object) -> Path:
    path = folder / "umafall.npz"
    np.savez(path, **arrays(**changes))  # type: ignore[arg-type]
    return path


HEADER = """\
% Universidad de Malaga - ETSI de Telecomunicacion (Spain)
% Date: 2017-04-14_23:38:23
% ID: Subject_01_FALL_forwardFall_2
% Name: Subject_01

% Description of the movement: forwardFall
% Trial: 2

% MAC Address; Sensor_ID; Position; Device Model
%f8:95:c7:f3:ba:82; 0; RIGHTPOCKET; lge-LG-H815-5.1
%C4:BE:84:71:A5:02; 2; WAIST; SensorTag
%C4:BE:84:70:0E:80; 3; WRIST; SensorTag

% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID;
"""
FIRST = HEADER.count("\n") + 1  # line of the first row


def rows(times: list[float], kind: int = 0, sensor: int = 3) -> str:
    return "".join(f"{t:g};{k};{k};1;2;{kind};{sensor}\n" for k, t in enumerate(times))


def csv(folder: Path, text: str, name: str = "trial.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_recording_a_trial(tmp_path: Path) -> None:
    first, again, fall, other = readers.read_all(write(tmp_path))
    assert [first.name, again.name] == [
        "06_walking_1_20160613211626",
        "06_walking_1_20160613211726",
    ]
    assert (fall.name, other.name) == ("06_forward_fall_1", "07_walking_1")
    assert (first.subject, other.subject) == ("06", "07")
    assert first.start == np.datetime64("2016-06-13T21:16:26", "s").astype(int)
    assert [(x.task, x.value, x.end - x.start) for x in fall.labels] == [
        ("activity", "forward fall", 15.0),
        ("fall", "fall", 15.0),
    ]
    assert first.labels[1].value == "no fall"


def test_channels_are_named_and_timed(tmp_path: Path) -> None:
    made = arrays()
    first, _, fall, _ = readers.read_all(write(tmp_path))
    assert list(first.signals)[:4] == [
        "wrist_acc_x",
        "wrist_acc_y",
        "wrist_acc_z",
        "wrist_gyro_x",
    ]
    assert len(first.signals) == 39
    gyro = first.signals["ankle_gyro_z"]
    np.testing.assert_array_equal(gyro.values, made["imu"][0, :, 32])  # type: ignore[index]
    np.testing.assert_allclose(gyro.times - first.start, np.arange(300) / 20, atol=1e-6)
    assert np.flatnonzero(np.isnan(first.signals["wrist_mag_y"].values)).tolist() == list(
        range(100, 110)
    )
    assert first.signals["phone_acc_x"].rate == 50
    # A sensor that recorded nothing is absent, and the others are not.
    assert not [name for name in fall.signals if name.startswith("waist")]
    assert "wrist_acc_x" in fall.signals


def test_the_order_of_the_channels_is_read_not_assumed(tmp_path: Path) -> None:
    turned = arrays()["imu"][:, :, ::-1]  # type: ignore[index]
    (straight, *_) = readers.read_all(write(tmp_path))
    (other, *_) = readers.read_all(
        write(tmp_path, imu=turned, channels=np.array(CHANNELS[::-1]))
    )
    for channel, signal in straight.signals.items():
        np.testing.assert_array_equal(signal.values, other.signals[channel].values)


def test_one_trial_is_chosen_by_its_name_or_a_subject_that_has_one(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert readers.read(path, user="06_forward_fall_1").name == "06_forward_fall_1"
    assert readers.read(path, user="07").name == "07_walking_1"
    with pytest.raises(InputError, match=r"4 recordings; choose one .* 06_walking_1_2016"):
        readers.read(path)
    with pytest.raises(InputError, match="4 recordings, 3 of them called '06'; choose one"):
        readers.read(path, user="06")
    with pytest.raises(InputError, match="4 recordings, none of them called '9'; choose one"):
        readers.read(path, user="9")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"imu": np.zeros((4, 299, 36), np.float32)}, r"'imu' is .*\(trials, 300, channels\)"),
        ({"imu": np.zeros((4, 300, 36), np.int8)}, "'imu' is int8"),
        ({"imu": np.full((4, 300, 36), np.inf, np.float32)}, "trial 0: sample 0 is inf"),
        ({"imu": np.full((4, 300, 36), np.nan, np.float32)}, None),
        ({"phone_acc_50hz": np.zeros((3, 750, 3), np.float32)}, "not of one length"),
        ({"phone_acc_50hz": np.zeros((4, 750, 2), np.float32)}, "has 2 axes, not 3"),
        ({"subject": np.array([6, 6, 6])}, "'subject' is .* for each of the 4 trials"),
        ({"trial": np.array([1.5, 1, 1, 1])}, "'trial' is float64"),
        ({"activity": np.array([0, 0, 2, 0])}, "activity 2, but 'activity_names' has 2"),
        ({"activity_names": np.array(["ADL_Dancing"] * 2)}, "activity 'ADL_Dancing'; UMAFall"),
        ({"start": np.array(["yesterday"] * 4)}, "trial 0: 'yesterday' where a date"),
        ({"channels": np.array(CHANNELS[1:])}, "names 35 of the 36 channels"),
        ({"channels": np.array(["x", *CHANNELS[1:]])}, "WRIST_acc_g_x is missing"),
    ],
)
def test_a_damaged_compact_file_is_refused_in_words(
    changes: dict[str, object], says: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path, **changes)
    if says is None:  # the phone is still there
        assert set(readers.read_all(path)[0].signals) == {f"phone_acc_{x}" for x in "xyz"}
        return
    with pytest.raises(RecordingError, match=says):
        readers.read_all(path)


def test_the_header_says_which_sensor_is_worn_where(tmp_path: Path) -> None:
    text = HEADER + rows([50.0 * k for k in range(300)])
    here = readers.read(csv(tmp_path, text))
    assert (here.name, here.subject) == ("trial", "01")
    assert [x.value for x in here.labels] == ["forward fall", "fall"]
    assert list(here.signals) == ["wrist_acc_x", "wrist_acc_y", "wrist_acc_z"]
    assert here.signals["wrist_acc_x"].values.tolist() == list(range(300))
    moved = text.replace("; 3; WRIST", "; 3; ANKLE")
    assert "ankle_acc_x" in readers.read(csv(tmp_path, moved)).signals
    # A spreadsheet ends every line with semicolons.
    padded = text.replace("\n", ";\n")
    same = readers.read(csv(tmp_path, padded)).signals["wrist_acc_x"]
    np.testing.assert_array_equal(same.values, here.signals["wrist_acc_x"].values)


def test_jitter_of_arrival_does_not_move_samples_and_a_gap_does(tmp_path: Path) -> None:
    late = np.random.default_rng(0).uniform(0, 140, 300)
    arrived = np.maximum.accumulate(50.0 * np.arange(300) + late)
    whole = readers.read(csv(tmp_path, HEADER + rows(arrived.tolist())))
    assert not np.isnan(whole.signals["wrist_acc_x"].values).any()
    # Half a second is lost after 100 samples, which all took 60 ms to arrive.
    arrived = 60 + 50.0 * np.delete(np.arange(300), range(100, 110))
    lossy = readers.read(csv(tmp_path, HEADER + rows(arrived.tolist()))).signals["wrist_acc_x"]
    assert np.flatnonzero(np.isnan(lossy.values)).tolist() == list(range(100, 110))
    assert lossy.values[110] == 100


def test_the_phone_is_averaged_over_20_ms(tmp_path: Path) -> None:
    phone = rows([0.0, 5.0, 5.0, 19.0, 60.0, 15_003.0], sensor=0)
    acc = readers.read(csv(tmp_path, HEADER + phone)).signals["phone_acc_x"]
    assert acc.values[:4].tolist()[::3] == [1.5, 4.0]
    assert np.isnan(acc.values[1:3]).all()
    assert np.isnan(acc.values[4:]).all()


def test_samples_beyond_the_trial_are_left_out_and_counted(tmp_path: Path) -> None:
    text = HEADER + rows([50.0 * k for k in range(302)])
    assert readers.read(csv(tmp_path, text)).notes == (
        "samples beyond the trial's 15 s were left out: 2",
    )


ROW = "100;1;0.1;0.2;0.9;0;3\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty file"),
        (";;;\n\n", "an empty file"),
        (HEADER, "no rows after the header"),
        (ROW, "line 1: '100;1;0.1;0.2;0.9;0;3' where the header of a UMAFall file belongs"),
        (HEADER.replace("% Name", "% Nome") + ROW, "no line '% Name: ...'"),
        (HEADER.replace("% Date", "% Data") + ROW, "no line '% Date: ...'"),
        (HEADER.replace("23:38:23", "noon") + ROW, "'2017-04-14_noon' where a date"),
        (HEADER.replace(": forwardFall", ": Dancing") + ROW, "activity 'Dancing'"),
        (HEADER.replace("WRIST", "HEAD") + ROW, "line 12: a sensor at 'HEAD'"),
        (HEADER.replace("WRIST", "WAIST") + ROW, "sensor 3 or WAIST is there twice"),
        (HEADER.replace("; SensorTag", "").replace("; lge-LG-H815-5.1", "") + ROW, None),
        (HEADER + ROW.replace(";3\n", ";7\n"), f"line {FIRST}: 7 as sensor; the header has 0"),
        (HEADER + ROW.replace(";0;3", ";5;3"), f"line {FIRST}: 5 as type; it is 0, 1 or 2"),
        (HEADER + ROW + "150;2;0.1;0.", rf"line {FIRST + 1}: 4 columns \('150;2;0.1;0.'\)"),
        (HEADER + ROW + "150;2;0.1;abc;1;0;3", f"line {FIRST + 1}: 'abc' where a number"),
        (HEADER + ROW + "\n" + ROW, f"line {FIRST + 1}: 1 columns"),
        (HEADER + ROW + "150;2;inf;1;1;0;3", f"line {FIRST + 1}: 'inf' where a number"),
        (HEADER + ROW + "-5;2;1;1;1;0;3", f"line {FIRST + 1}: -5 as time in ms"),
        (HEADER + ROW + "90;2;1;1;1;0;3", "acc of the wrist goes back in time, from 100 to 90"),
        (
            HEADER + ROW + "150;2;1.012.598.156.929.010;0.2;0.9;0;3",
            rf"line {FIRST + 1}: '1.012.598.156.929.010' is written with thousands separators; "
            "the numbers cannot be recovered",
        ),
    ],
)
def test_a_damaged_csv_is_refused_in_words(text: str, says: str | None, tmp_path: Path) -> None:
    path = csv(tmp_path, text, "UMAFall_Subject_01.csv")
    if says is None:  # the device's model is not needed
        assert readers.read(path).signals
        return
    with pytest.raises(RecordingError, match=says):
        readers.read(path)


def test_bytes_that_are_no_text_and_columns_that_are_chosen_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER + ROW)
    with pytest.raises(InputError, match="for tables only"):
        readers.read(path, rates={"wrist_acc_x": 20.0})
    with pytest.raises(InputError, match="holds one recording"):
        readers.read(path, user="01")
    path.write_bytes(HEADER.encode() + b"\xff\xfe")
    with pytest.raises(RecordingError, match="not text"):
        readers.read(path)


def test_another_bundle_says_that_it_takes_other_channels(
    tmp_path: Path, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv(tmp_path, HEADER + rows([50.0 * k for k in range(300)]))
    assert main(["predict", str(path), "--bundle", str(toy_bundle)]) == 2
    said = capsys.readouterr().err
    assert "trial has wrist_acc_x, wrist_acc_y, wrist_acc_z, but toy takes ppg" in said


def test_the_real_file_has_544_trials_of_13_subjects(shared_data: Path) -> None:
    found = readers.read_all(shared_data / "umafall" / "umafall_20hz.npz")
    assert len(found) == len({each.name for each in found}) == 544
    assert len({each.subject for each in found}) == 13
    absent = {
        position: sum(f"{position}_acc_x" not in each.signals for each in found)
        for position in umafall.POSITIONS
    }
    assert absent == {"wrist": 0, "chest": 1, "waist": 86, "ankle": 102}
    assert sum(each.labels[1].value == "fall" for each in found) == sum(
        str(each.labels[0].value).endswith(" fall") for each in found
    )
    assert {each.labels[0].value for each in found} == set(umafall.ACTIVITIES.values())
    assert all("phone_acc_x" in each.signals for each in found)


def test_the_real_csv_files_say_what_the_compact_file_says(shared_data: Path) -> None:
    """To 1e-6 of g, deg/s and uT: samples lie on the same grid points, in one with a gap."""
    there = readers.read_all(shared_data / "umafall" / "umafall_20hz.npz")
    compact = {(each.subject, each.start): each for each in there}
    files = sorted((shared_data / "umafall" / "raw_format").glob("UMAFall_*.csv"))
    assert len(files) == 11
    gaps = 0
    for file in files:
        raw = readers.read(file)
        same = compact[raw.subject, raw.start]
        assert raw.labels == same.labels
        assert list(raw.signals) == list(same.signals)
        for channel, signal in raw.signals.items():
            other = same.signals[channel]
            np.testing.assert_array_equal(signal.times, other.times)
            np.testing.assert_allclose(signal.values, other.values, atol=1e-6, rtol=0)
            gaps += channel == "chest_acc_x" and np.isnan(signal.values[:3]).all()
    assert gaps == 1


def test_the_real_file_of_another_locale_is_refused_with_the_reason(shared_data: Path) -> None:
    (file,) = (shared_data / "umafall" / "raw_format").glob("CORRUPT_LOCALE_*.csv")
    with pytest.raises(
        RecordingError, match=r"line \d+: '[-.\d]+' is written with thousands separators"
    ):
        readers.read(file)
    with pytest.raises(RecordingError, match=r"CORRUPT_LOCALE.* thousands separators"):
        readers.read_all(file.parent)


def test_a_folder_of_trials_is_read(shared_data: Path, tmp_path: Path) -> None:
    for file in (shared_data / "umafall" / "raw_format").glob("UMAFall_Subject_03*.csv"):
        (tmp_path / file.name).symlink_to(file)
    found = readers.read_all(tmp_path)
    assert [each.subject for each in found] == ["03"] * 3
    assert {each.labels[0].value for each in found} == {"clapping"}
