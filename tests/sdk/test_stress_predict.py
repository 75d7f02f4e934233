"""The compact files of the Stress-Predict data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onwrist import readers
from onwrist_runtime.errors import RecordingError


def arrays(**changes: object) -> dict[str, object]:
    seconds = [13, 10, 11, 12, 20, 21]
    codes = [1, 0, 0, 1, 1, 1]
    made: dict[str, object] = {
        "bvp": np.ones(640, np.float32), "bvp_t0": 10.0, "bvp_fs": 64.0,
        "acc": np.full((320, 3), 32, np.int8), "acc_t0": 10.0, "acc_fs": 32.0,
        "ibi": [[1.0, 0.8], [1.75, 0.75]], "ibi_t0": 10.0,
        "proc_1hz": [[s, 70, 15, c] for s, c in zip(seconds, codes, strict=True)],
        "tags": [12.0],
    }  # fmt: skip
    return {key: value for key, value in (made | changes).items() if value is not None}


def test_stress_spans_break_where_seconds_or_labels_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "S99.npz", **arrays())
    recording = readers.read(tmp_path / "S99.npz")
    assert recording.subject == "S99"
    spans = [(x.start, x.end, x.value) for x in recording.labels if x.task == "stress"]
    assert spans == [(10, 12, "rest"), (12, 14, "stress"), (20, 22, "stress")]
    beats = [(x.start, x.end, x.value) for x in recording.labels if x.task == "heart_rate"]
    assert beats == [pytest.approx((10.2, 11, 75)), pytest.approx((11, 11.75, 80))]
    assert recording.signals["acc_z"].values[0] == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"acc": np.ones((320, 2), np.int8)}, "'acc' is int8 of shape (320, 2)"),
        ({"bvp": np.ones((640, 1))}, "'bvp'"),
        ({"bvp": np.array(["a"] * 640)}, "'bvp'"),
        ({"bvp_fs": [64.0, 64.0]}, "'bvp_fs'"),
        ({"acc_t0": None}, "'acc_t0' is missing"),
        ({"proc_1hz": [[10, 70, 15, 2]]}, "label 2"),
        ({"ibi": [1.0, 2.0]}, "'ibi'"),
        ({"tags": np.array([None])}, "pickle"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    np.savez(tmp_path / "S99.npz", allow_pickle=True, **arrays(**changes))
    with pytest.raises(RecordingError) as caught:
        readers.read(tmp_path / "S99.npz")
    assert words in str(caught.value)
    assert "S99.npz" in str(caught.value)


def test_all_people_are_read_with_their_labels(shared_data: Path) -> None:
    recordings = readers.read_all(shared_data / "stress_predict_e4")
    assert len(recordings) == len({x.subject for x in recordings}) == 28
    for recording in recordings:
        assert recording.end - recording.start > 3000
        beats = [x.value for x in recording.labels if x.task == "heart_rate"]
        assert 50 < np.median(np.array(beats, dtype=float)) < 110
        stressed = sum(x.end - x.start for x in recording.labels if x.value == "stress")
        # The authors left S01 out of their labels.
        assert (stressed > 600) == (recording.subject != "S01")
