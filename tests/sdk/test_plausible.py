"""Samples that no wearer can have made: missing and counted, whichever file they are in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from onwrist import readers
from onwrist.plausible import repaired
from onwrist.recording import Recording
from onwrist_runtime.signals import Signal


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_no_pulse_and_negative_steps_are_missing(
    tmp_path: Path, form: Literal["npz", "parquet"]
) -> None:
    beats = np.array([60, 0, 300, 61, 220], np.float32)
    steps = np.array([0, -5, 12, np.nan, 1001], np.float32)
    signals = {
        "heart_rate": Signal.regular(beats, 0.2),
        "steps": Signal.regular(steps, 1 / 60),
        "temp": Signal.regular(np.full(5, -300, np.float32), 1.0),
    }
    path = readers.write_recording(Recording("a", None, signals), tmp_path, form)
    back = readers.read(path)
    times = {name: x.times[~np.isnan(x.values)].tolist() for name, x in back.signals.items()}
    assert times == {"heart_rate": [0, 15, 20], "steps": [0, 120], "temp": [0, 1, 2, 3, 4]}
    assert back.notes == (
        "2 samples of steps outside 0 to 1000 steps a minute count as missing",
        "2 samples of heart_rate outside 25 to 250 bpm count as missing",
    )


def test_steps_of_a_whole_hour_are_plausible() -> None:
    hourly = Signal.regular(np.array([4000, 0, 9e9], np.float32), 1 / 3600)
    kept, notes = repaired({"steps": hourly})
    assert np.isnan(kept["steps"].values).tolist() == [False, False, True]
    assert len(notes) == 1
