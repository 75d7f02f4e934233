"""Our own recording format: what is written comes back, and what is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import onwrist.readers
from onwrist import readers
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import Signal

NAMES = st.sampled_from(["ppg", "acc_x", "eda", "temp", "gyro_z", "ppg_2", "spo2"])
SECONDS = st.floats(-1e6, 2e9).map(float)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    values = draw(
        arrays.arrays(
            np.float32,
            st.integers(2, 40),
            elements=st.floats(-(2.0**49), 2.0**49, width=32) | st.just(float("nan")),
        ).filter(lambda x: bool(np.isfinite(x).any()))
    )
    rate, start = draw(st.floats(0.01, 1000)), draw(SECONDS)
    regular = Signal.regular(values, rate, start)
    kept = draw(arrays.arrays(np.bool_, len(values)).filter(any))
    if draw(st.booleans()):
        return Signal(regular.values[kept], regular.times[kept], rate)
    return regular


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    values = draw(st.sampled_from([st.floats(20, 250), st.sampled_from(["rest", "stress"])]))
    labels = draw(st.lists(st.tuples(SECONDS, st.floats(0.01, 1e3), values), max_size=5))
    return Recording(
        name=draw(st.sampled_from(["anna", "1", "Test person.2", "ä"])),
        subject=draw(
            st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
        ),
        signals=draw(st.dictionaries(NAMES, signals(), min_size=1)),
        labels=tuple(Label("task", start, start + length, x) for start, length, x in labels),
        events=tuple(draw(st.lists(SECONDS, max_size=3))),
    )


@pytest.mark.parametrize("form", ["npz", "parquet"])
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(recording=recordings())
def test_a_written_recording_comes_back(
    tmp_path: Path, form: Any, recording: Recording
) -> None:
    # A table in which every cell is blank is no recording.
    finite = (np.isfinite(x.values).any() for x in recording.signals.values())
    assume(form == "npz" or any(finite))
    path = readers.write_recording(recording, tmp_path, form)
    back = readers.read(path)
    assert (back.name, back.subject) == (recording.name, recording.subject)
    assert back.labels == recording.labels
    assert back.events == recording.events
    for channel, signal in recording.signals.items():
        # A table has no other word for a missing sample than none; both are a gap.
        kept = np.isfinite(signal.values) | (form == "npz")
        if kept.any():
            np.testing.assert_array_equal(back.signals[channel].values, signal.values[kept])
            np.testing.assert_array_equal(back.signals[channel].times, signal.times[kept])
            assert back.signals[channel].rate == signal.rate


def test_the_example_of_the_specification_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(onwrist.readers.__file__).parent / "FORMAT.md").read_text()
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert len(example.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert "ppg 64 Hz, temp 2 Hz; 2 labels" in capsys.readouterr().out


def test_the_json_of_the_specification_is_read(tmp_path: Path) -> None:
    text = (Path(onwrist.readers.__file__).parent / "FORMAT.md").read_text()
    (tmp_path / "a.onwrist.json").write_text(
        re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0]
    )
    (tmp_path / "a.csv").write_text("time,ppg\n0,1\n1,2\n")
    recording = readers.read(tmp_path / "a.csv")
    assert recording.subject == "anna"
    assert recording.labels == (Label("stress", 0.0, 30.0, "rest"),)
    assert recording.signals["ppg"].rate == 64.0


def test_rate_is_estimated_where_only_times_are_given(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ppg=np.zeros(100), ppg_times=np.arange(100) / 50.0)
    assert readers.read(tmp_path / "a.npz").signals["ppg"].rate == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"ppg": np.zeros(9)}, "'ppg': neither a channel"),
        ({"ppg": np.zeros(9), "ppg_rate": 4.0, "ppg_strt": 1.0}, "'ppg_strt'"),
        ({"ppg": np.zeros((9, 2)), "ppg_rate": 4.0}, "shape (9, 2)"),
        ({"ppg": np.array(["x"] * 9), "ppg_rate": 4.0}, "must be real numbers"),
        (
            {"ppg": np.zeros(9), "ppg_rate": -4.0},
            "rate must be positive and finite, in Hz, not -4.0",
        ),
        ({"ppg": np.zeros(9), "ppg_rate": [4.0, 4.0]}, "one finite number"),
        ({"ppg": np.zeros(0), "ppg_rate": 4.0}, "no samples"),
        ({"ppg": np.full(9, 1e39), "ppg_rate": 4.0}, "sample 0 is inf"),
        ({"ppg": np.full(9, np.inf), "ppg_rate": 4.0}, "sample 0 is inf"),
        ({"ppg": np.zeros(1), "ppg_times": [0.0]}, "one sample tells no rate"),
        (
            {"ppg": np.zeros(3), "ppg_times": [0.0, 1.0]},
            "values of shape (3,) and times of shape (2,)",
        ),
        (
            {"ppg": np.zeros(3), "ppg_times": [0.0, 2.0, 1.0], "ppg_rate": 1},
            "sample 2 at 1.0 follows one at 2.0",
        ),
        (
            {"ppg": np.zeros(3), "ppg_times": [0.0, 1.0, 1.0], "ppg_rate": 1},
            "sample 2 at 1.0 follows one at 1.0",
        ),
        ({"ppg": np.zeros(3), "ppg_times": [0.0, 1.0, np.nan], "ppg_rate": 1}, "nan"),
        ({"ppg": np.zeros(2), "ppg_times": np.zeros(2, np.float32)}, "128 s"),
        ({"ppg": np.zeros(2), "ppg_times": [0, 1.0], "ppg_start": 1.0}, "either times"),
        ({"format": 2, "ppg": np.zeros(9), "ppg_rate": 4.0}, "format 2"),
        ({"subject": "anna"}, "no signals"),
        ({"subject": ["anna", "bob"]}, "'subject'"),
        ({"subject": 7}, "'subject'"),
        ({"labels_x": ["a"], "labels_x_spans": [[0, 1], [1, 2]]}, "each of the 1 labels"),
        ({"labels_x": [["a"]], "labels_x_spans": [[0, 1]]}, "shape (1, 1)"),
        ({"ppg": np.array([None]), "ppg_rate": 1.0}, "pickle"),
        (
            {"ppg": np.zeros(9), "ppg_rate": 4, "labels_x": [1], "labels_x_spans": [[2, 1]]},
            "from 2.0 to 1.0",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    np.savez(tmp_path / "mine.npz", allow_pickle=True, **content)
    with pytest.raises(RecordingError) as caught:
        readers.read(tmp_path / "mine.npz")
    assert words in str(caught.value)
    assert "mine" in str(caught.value)


def test_damaged_files_are_refused(tmp_path: Path, simulated: Recording) -> None:
    for form in ("npz", "parquet"):
        path = readers.write_recording(simulated, tmp_path, form)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(RecordingError, match=path.name):
            readers.read(path)
    np.save(tmp_path / "bare.npz", np.zeros(3))
    (tmp_path / "bare.npz.npy").rename(tmp_path / "bare.npz")
    with pytest.raises(RecordingError, match=r"bare\.npz"):
        readers.read(tmp_path / "bare.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_byte_gives_anything_but_a_recording_or_its_error(
    tmp_path: Path, save: Any
) -> None:
    path = tmp_path / "mine.npz"
    save(path, ppg=np.arange(50.0), ppg_rate=25.0)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            readers.read(path)
        except RecordingError:
            refused += 1
    assert refused > len(whole) / 2


def test_garbage_and_folders_named_npz_are_called_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "garbage.npz").write_bytes(b"\x80garbage" * 9)
    with pytest.raises(RecordingError, match=r"garbage\.npz: not a readable .npz") as caught:
        readers.read(tmp_path / "garbage.npz")
    assert "pickle" not in str(caught.value)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(RecordingError, match=r"folder\.npz: a folder"):
        readers.read(tmp_path / "folder.npz")


@pytest.mark.parametrize("name", ["Green 525", "ppg_Rate", "labels_x", "time", ""])
def test_a_channel_that_could_not_come_back_is_not_written(tmp_path: Path, name: str) -> None:
    recording = Recording("a", None, {name: Signal.regular(np.zeros(3, np.float32), 1.0)})
    for form in ("npz", "parquet"):
        with pytest.raises(InputError, match=re.escape(repr(name))):
            readers.write_recording(recording, tmp_path, form)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_heart_rate_is_a_channel_unless_heart_is_one(
    tmp_path: Path, form: Literal["npz", "parquet"]
) -> None:
    values = np.arange(60, 63, dtype=np.float32)
    for signal in (Signal.regular(values, 0.2), Signal(values, np.array([0.0, 5, 60]), 0.2)):
        path = readers.write_recording(
            Recording("a", None, {"heart_rate": signal}), tmp_path, form
        )
        back = readers.read(path).signals["heart_rate"]
        np.testing.assert_array_equal(back.values, values)
        np.testing.assert_array_equal(back.times, signal.times)
        assert back.rate == 0.2
    both = Recording("b", None, {"heart": signal, "heart_rate": signal})
    with pytest.raises(InputError, match="'heart_rate'"):
        readers.write_recording(both, tmp_path, form)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/a"])
def test_a_recording_cannot_be_written_outside_its_folder(tmp_path: Path, name: str) -> None:
    recording = Recording(name, None, {"ppg": Signal.regular(np.zeros(3, np.float32), 1.0)})
    with pytest.raises(InputError, match="file's name"):
        readers.write_recording(recording, tmp_path)


def test_labels_of_one_task_are_of_one_kind(tmp_path: Path, simulated: Recording) -> None:
    labels = (Label("x", 0, 1, 1.0), Label("x", 1, 2, "one"))
    mixed = Recording("a", None, simulated.signals, labels)
    with pytest.raises(InputError, match="'x'"):
        readers.write_recording(mixed, tmp_path)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = readers.write_recording(simulated, tmp_path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        readers.write_recording(simulated, tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_gives_its_recordings_by_name(tmp_path: Path, simulated: Recording) -> None:
    for name, form in (("b", "npz"), ("a", "parquet")):
        one = Recording(name, name, simulated.signals)
        readers.write_recording(one, tmp_path, form)  # type: ignore[arg-type]
    (tmp_path / "notes.txt").write_text("not a recording")
    (tmp_path / "deeper").mkdir()
    readers.write_recording(simulated, tmp_path / "deeper")
    assert [x.subject for x in readers.read_all(tmp_path)] == ["a", "b"]
    with pytest.raises(RecordingError, match="give one of them"):
        readers.read(tmp_path)
    with pytest.raises(RecordingError, match="known format"):
        readers.read(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="no recordings"):
        readers.read_all(tmp_path / "empty")
