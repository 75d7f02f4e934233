"""The compact .npz of the Stress-Predict data set in, a Recording with labels out.

One file per person, as Empatica E4 sensors gave it: `bvp` (64 Hz), `acc` (n, 3) in 1/64 g
(32 Hz), `eda` in uS and `temp` in degC (4 Hz), each with `<signal>_t0` (Unix seconds) and
`<signal>_fs` (Hz); `ibi` (k, 2) = seconds since `ibi_t0`, inter-beat interval; `tags`
(button presses, Unix seconds); `proc_1hz` (n, 4) = Unix seconds, heart rate, respiration
rate, stress label. Heart rate is labelled from `ibi`: `hr` is smoothed and lags by 20 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import npz
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import RecordingError
from onwrist_runtime.signals import Signal

ACC_COUNTS_PER_G = 64.0
STRESS_LABELS = {0.0: "rest", 1.0: "stress"}
_CHANNELS = {"bvp": "ppg", "eda": "eda", "temp": "temp"}


def is_stress_predict(names: set[str]) -> bool:
    """Whether an .npz with these array names has this layout."""
    return any({signal, f"{signal}_t0", f"{signal}_fs"} <= names for signal in ("bvp", "acc"))


def read(path: Path) -> Recording:
    """Read one person's file; the subject is the file's name.

    Raises
    ------
    RecordingError
        The file is damaged, or an array has a wrong shape or type.
    """
    arrays = npz.arrays(path)
    signals: dict[str, Signal] = {}
    for key, channel in _CHANNELS.items():
        if key in arrays:
            signals[channel] = _signal(path, arrays, key, arrays[key])
    if "acc" in arrays:
        acc = arrays["acc"]
        if acc.ndim != 2 or acc.shape[1] != 3 or acc.dtype.kind not in "fiu":
            raise RecordingError(
                f"{path}: 'acc' is {acc.dtype} of shape {acc.shape}; it must be numbers of "
                "shape (n, 3)"
            )
        for axis, channel in enumerate(("acc_x", "acc_y", "acc_z")):
            signals[channel] = _signal(path, arrays, "acc", acc[:, axis] / ACC_COUNTS_PER_G)
    labels: list[Label] = []
    if "ibi" in arrays:
        beats = _table(path, "ibi", arrays["ibi"], 2)
        origin = _scalar(path, arrays, "ibi_t0")
        labels += heart_rate_labels(beats[:, 0] + origin, beats[:, 1])
    if "proc_1hz" in arrays:
        labels += _stress_labels(path, _table(path, "proc_1hz", arrays["proc_1hz"], 4))
    tags = npz.vector(path, "tags", arrays["tags"]) if "tags" in arrays else np.zeros(0)
    return Recording(path.stem, path.stem, signals, tuple(labels), tuple(tags.tolist()))


def heart_rate_labels(ends: NDArray[np.float64], intervals: NDArray[np.float64]) -> list[Label]:
    """One "heart_rate" label (bpm) per inter-beat interval, given its end and length in s."""
    return [
        Label("heart_rate", end - interval, end, 60.0 / interval)
        for end, interval in zip(ends.tolist(), intervals.tolist(), strict=True)
    ]


def _stress_labels(path: Path, rows: NDArray[np.float64]) -> list[Label]:
    """Runs of consecutive seconds with equal label; a second is [t, t + 1)."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    seconds, codes = rows[:, 0], rows[:, 3]
    foreign = ~np.isin(codes, list(STRESS_LABELS))
    if foreign.any():
        raise RecordingError(
            f"{path}: 'proc_1hz' has the label {codes[foreign][0]:g}; it must be 0 or 1"
        )
    # Half a second of slack: the seconds are rounded, and one missing second is a break.
    breaks = np.flatnonzero((np.diff(codes) != 0) | (np.diff(seconds) > 1.5)) + 1
    return [
        Label("stress", float(run[0, 0]), float(run[-1, 0]) + 1.0, STRESS_LABELS[run[0, 3]])
        for run in np.split(rows, breaks)
        if len(run)
    ]


def _signal(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, values: NDArray[Any]
) -> Signal:
    rate, start = _scalar(path, arrays, f"{key}_fs"), _scalar(path, arrays, f"{key}_t0")
    with npz.blamed(f"{path}, {key!r}"):
        return Signal.regular(values, rate, start)


def _scalar(path: Path, arrays: dict[str, NDArray[Any]], key: str) -> float:
    if key not in arrays:
        raise RecordingError(f"{path}: {key!r} is missing")
    return npz.number(path, key, arrays[key])


def _table(path: Path, key: str, array: NDArray[Any], columns: int) -> NDArray[np.float64]:
    if array.ndim != 2 or array.shape[1] != columns or array.dtype.kind not in "fiu":
        raise RecordingError(
            f"{path}: {key!r} is {array.dtype} of shape {array.shape}; "
            f"it must be numbers of shape (n, {columns})"
        )
    return array.astype(np.float64)
