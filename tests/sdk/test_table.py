"""CSV and Parquet tables: names, units, times, rates and gaps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onwrist import readers
from onwrist.readers.rates import estimate_rate
from onwrist_runtime.errors import InputError, RecordingError


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(text)
    return path


def refused(path: Path, *words: str) -> None:
    with pytest.raises(RecordingError) as caught:
        readers.read(path)
    for word in (path.name, *words):
        assert word in str(caught.value)


def test_sensors_of_different_rates_share_a_table(tmp_path: Path) -> None:
    rows = ["time,ppg,temp"]
    for k in range(64):
        rows.append(f"{k / 64},{k},{33 + k if k % 16 == 0 else ''}")
    recording = readers.read(csv(tmp_path, "\n".join(rows)))
    assert recording.signals["ppg"].rate == pytest.approx(64)
    assert recording.signals["temp"].rate == pytest.approx(4)
    assert recording.signals["temp"].times.tolist() == [0, 0.25, 0.5, 0.75]


def test_a_blank_stretch_is_a_gap_and_not_another_rate(tmp_path: Path) -> None:
    blank = range(100, 200)
    rows = [f"{k / 25},{'' if k in blank else k}" for k in range(300)]
    signal = readers.read(csv(tmp_path, "time,ppg\n" + "\n".join(rows))).signals["ppg"]
    assert signal.rate == pytest.approx(25)
    assert len(signal.times) == 200
    assert np.diff(signal.times).max() == pytest.approx(101 / 25)


@pytest.mark.parametrize(
    "text",
    [
        "Timestamp;BVP\n0;1\n0.5;2\n",
        "t\tGreen\n0\t1\n0.5\t2\n",
        "time [ms],ppg\n0,1\n500,2\n",
        "time_us,bvp\n0,1\n500000,2\n",
        "datetime,PPG\n1970-01-01T00:00:00Z,1\n1970-01-01 00:00:00.5,2\n",
        "time,ppg\n1970-01-01T02:00:00+02:00,1\n1970-01-01T02:00:00.500+02:00,2\n",
        "\ufefftime,ppg,notes\n0,1,still\n0.5,2,\n\n",
        "time,ppg,eda\n0,1,\n0.5,2,\n",
        "time,ppg,battery\n0,1,97\n0.5,2,\n",
    ],
)
def test_usual_ways_to_write_the_same_table(tmp_path: Path, text: str) -> None:
    recording = readers.read(csv(tmp_path, text))
    assert list(recording.signals) == ["ppg"]
    assert recording.signals["ppg"].values.tolist() == [1, 2]
    assert recording.signals["ppg"].times.tolist() == [0, 0.5]
    assert recording.signals["ppg"].rate == 2.0


def test_columns_are_mapped_and_converted(tmp_path: Path) -> None:
    path = csv(tmp_path, "Clock,LED 1,A1 [m/s2],A2,x\n0,1,9.80665,500,7\n1,2,0,250,7\n")
    recording = readers.read(
        path, columns={"time": "Clock", "ppg": "LED 1", "acc_x": "A1", "acc_y": "A2 [mg]"}
    )
    assert recording.signals["ppg"].values.tolist() == [1, 2]
    assert recording.signals["acc_x"].values.tolist() == [1, 0]
    assert recording.signals["acc_y"].values.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("zone", [None, "Europe/Dublin"])
def test_parquet_datetimes_are_unix_seconds(tmp_path: Path, zone: str | None) -> None:
    times = pd.to_datetime([1700000000250, 1700000000500], unit="ms", utc=True).tz_convert(zone)
    frame = pd.DataFrame({"time": times, "bvp": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    signal = readers.read(tmp_path / "a.parquet").signals["ppg"]
    assert signal.times.tolist() == [1700000000.25, 1700000000.5]


def test_a_given_rate_wins(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,ppg\n0,1\n0.5,2\n")
    assert readers.read(path, rates={"ppg": 64.0}).signals["ppg"].rate == 64.0
    with pytest.raises(InputError, match="eda, which is no column; the channels are ppg"):
        readers.read(path, rates={"eda": 4.0})


@settings(max_examples=50)
@given(
    rate=st.floats(1, 500),
    jitter=st.floats(0, 0.2),
    lost=st.floats(0, 0.5),
    start=st.sampled_from([0.0, 1.7e9]),
    seed=st.integers(0, 2**32 - 1),
)
def test_rate_survives_jitter_gaps_and_an_epoch(
    rate: float, jitter: float, lost: float, start: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    times = start + (np.arange(2000) + jitter * random.uniform(-1, 1, 2000)) / rate
    gap = int(2000 * lost)
    times = np.delete(times, slice(500, 500 + gap))
    assert estimate_rate("here", times) == pytest.approx(rate, rel=1e-3)


def test_rate_of_rounded_time_stamps_is_not_the_most_frequent_interval() -> None:
    times = np.round(np.arange(2000) / 117.0, 3)  # intervals of 8 and 9 ms, mostly 9
    assert estimate_rate("here", times) == pytest.approx(117.0, rel=1e-3)


def test_disorder_is_sorted_and_repeats_are_dropped_with_a_count(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,ppg\n2,3\n0,1\n1,2\n1,2\n")
    with pytest.warns(UserWarning, match=r"ppg.*sorted \(1 .*dropped \(1\)"):
        signal = readers.read(path).signals["ppg"]
    assert signal.times.tolist() == [0, 1, 2]
    assert signal.values.tolist() == [1, 2, 3]


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(order=st.permutations(range(12)))
@pytest.mark.filterwarnings("ignore:.*rows out of time order")
def test_the_order_of_rows_does_not_matter(tmp_path: Path, order: list[int]) -> None:
    rows = [f"{k / 4},{k},{k if k % 4 == 0 else ''}" for k in range(12)]
    expected = readers.read(csv(tmp_path, "\n".join(["time,ppg,eda", *rows])))
    shuffled = readers.read(
        csv(tmp_path, "\n".join(["time,ppg,eda", *(rows[k] for k in order)]))
    )
    for channel, signal in expected.signals.items():
        np.testing.assert_array_equal(shuffled.signals[channel].times, signal.times)
        np.testing.assert_array_equal(shuffled.signals[channel].values, signal.values)
        assert shuffled.signals[channel].rate == signal.rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["not a readable table"]),
        ("time,ppg\n", ["no rows"]),
        ("ppg,eda\n1,2\n", ["no time column", "'ppg', 'eda'"]),
        ("time,ppg\n0,1\n1,lost\n", ["line 3", "'lost'", "ppg"]),
        ("time,ppg\n0,1\nsoon,2\n", ["line 3", "'soon'", "time"]),
        ("time,ppg\n0,1\n,2\n", ["line 3", "without a time"]),
        ("time,ppg\n0,1\n1,2,3\n", ["not a readable table"]),
        ("time,ppg\n0,1,2\n1,2,3\n", ["not a readable table"]),
        ("time,ppg\n0,1e39\n1,2\n", ["'ppg'", "sample 0 is inf"]),
        ("time,ppg\n0,inf\n1,2\n", ["'ppg'", "sample 0 is inf"]),
        ("time,ppg\n1,1\n0,0\n1,2\n", ["share their time", "line 2", "line 4", "1.000000 s"]),
        ("time,ppg\n1700000000000,1\n1700000000020,2\n", ["milliseconds", "[ms]"]),
        ("time,ppg\n0,1\n", ["one sample tells no rate"]),
        ("time,ppg\n0,\n1,\n", ["no column holds samples"]),
        ("time,ppg,bvp\n0,1,1\n1,2,2\n", ["'ppg' and 'bvp' are both ppg"]),
        ("time,ppg,ppg\n0,1,1\n1,2,2\n", ["two columns are called 'ppg'"]),
        ("time,temp [F]\n0,90\n1,91\n", ["temp in 'f'", "degc"]),
        ("2019-10-16T12:09:01.702+02:00;-36;620\n1;2;3\n", ["no time column"]),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    refused(csv(tmp_path, text), *words)


def test_float32_times_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": np.arange(4, dtype=np.float32), "ppg": np.arange(4.0)})
    frame.to_parquet(tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", "float32", "128 s")


def test_a_mistyped_json_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,ppg\n0,1\n1,2\n")
    path.with_suffix(".onwrist.json").write_text('{"subjekt": "anna"}')
    with pytest.raises(RecordingError, match=r"a\.onwrist\.json.*subjekt"):
        readers.read(path)


def test_a_missing_column_or_file_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,ppg\n0,1\n1,2\n")
    with pytest.raises(InputError, match="'Green' among"):
        readers.read(path, columns={"ppg": "Green"})
    with pytest.raises(RecordingError, match="no such file"):
        readers.read(tmp_path / "b.csv")
    with pytest.raises(RecordingError, match="no such file"):
        readers.read(tmp_path / "b.parquet")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_without_pandas_the_extra_is_named(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"onwrist\[readers\]"):
        readers.read(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["npz", "zip"])
def test_columns_are_chosen_in_tables_only(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="tables only"):
        readers.read(tmp_path / f"a.{suffix}", columns={"ppg": "Green"})


def test_real_millisecond_table(shared_data: Path) -> None:
    folder = shared_data / "misc_loader_samples" / "heartpy"
    recording = readers.read(folder / "data2.csv", columns={"time": "timer [ms]", "ppg": "hr"})
    assert recording.signals["ppg"].rate == pytest.approx(117, rel=0.01)
    assert recording.end == pytest.approx(128.21, abs=0.01)
    # Here the clock ticks every 16 ms and the sensor twice as often.
    refused(folder / "data3.csv", "line 3 and line 4")
