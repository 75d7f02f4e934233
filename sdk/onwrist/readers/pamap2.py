"""One .dat file of the PAMAP2 data set in, the Recording of its session out.

54 columns with spaces between: time (s), activity, heart rate (bpm, in every eleventh row or
so), then 17 of each of the IMUs on hand, chest and ankle: temperature (degC), acceleration
to 16 g and again to 6 g (m/s2), angular rate (rad/s), magnetic field (uT) and an orientation
that is not valid. NaN is a missing value. The 6 g accelerometer, which saturates and is not
well calibrated (the data set's readme.pdf), and the orientation are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from onwrist.extras import require
from onwrist.plausible import repaired
from onwrist.readers import npz
from onwrist.readers.rates import estimate_rate
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import RecordingError
from onwrist_runtime.signals import Signal

ACTIVITIES = {
    1: "lying",
    2: "sitting",
    3: "standing",
    4: "walking",
    5: "running",
    6: "cycling",
    7: "Nordic walking",
    9: "watching TV",
    10: "computer work",
    11: "car driving",
    12: "ascending stairs",
    13: "descending stairs",
    16: "vacuum cleaning",
    17: "ironing",
    18: "folding laundry",
    19: "house cleaning",
    20: "playing soccer",
    24: "rope jumping",
}
TRANSIENT = 0  # between two activities: signals without a label
POSITIONS = ("wrist", "chest", "ankle")  # "hand" is an IMU over the wrist
RATE = 100.0  # Hz
_WHAT = "reading PAMAP2"
_COLUMNS = 54
_BLOCK = 1 << 22  # bytes that are parsed at a time
_PAUSE = 1.0  # s without a row, after which nobody says that the activity went on
_G = 9.80665  # m/s2
_DEGREES = 180 / np.pi

# Of one IMU: channel, column after its first, factor into our unit.
_IMU = (
    ("temp", 0, 1.0),
    *((f"acc_{axis}", 1 + k, 1 / _G) for k, axis in enumerate("xyz")),
    *((f"gyro_{axis}", 7 + k, _DEGREES) for k, axis in enumerate("xyz")),
    *((f"mag_{axis}", 10 + k, 1.0) for k, axis in enumerate("xyz")),
)
_FACTORS = {
    f"{position}_{channel}": (3 + 17 * k + column, factor)
    for k, position in enumerate(POSITIONS)
    for channel, column, factor in _IMU
}


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Columns by name: times float64 (n,), codes int64 (n,), the channels float32 (n,)."""

    times: NDArray[np.float64]
    codes: NDArray[np.int64]
    channels: dict[str, NDArray[np.float32]]
    notes: tuple[str, ...]


def read(where: str, file: IO[bytes], name: str, subject: str) -> Recording:
    """Read one session from an open file, a block at a time.

    The clock counts seconds since the session began. Heart rate has only the samples that
    are there; the channels of the IMUs have one in each row, NaN where it is missing, and a
    channel without any is absent.

    Raises
    ------
    RecordingError
        A row that is not 54 numbers, an unknown activity, time that does not go forward.
    InputError
        pyarrow is not installed.
    """
    rows = _load(where, file)
    _check(where, rows)
    labels = tuple(_labels(rows.times, rows.codes))
    times, places = _steady(rows.times)
    signals: dict[str, Signal] = {}
    for channel, values in rows.channels.items():
        there = ~np.isnan(values)
        if not there.any():
            continue
        with npz.blamed(f"{where}, {channel}"):
            if channel == "heart_rate":
                beats = rows.times[there]
                rate = estimate_rate(where, beats) if len(beats) > 1 else 9.0
                signals[channel] = Signal(values[there], beats, rate)
                continue
            if len(times) > len(values):
                spread = np.full(len(times), np.nan, np.float32)
                spread[places] = values
                values = spread
            signals[channel] = Signal(values, times, RATE)
    if not signals:
        raise RecordingError(f"{where}: no sensor has a sample")
    signals, notes = repaired(signals)
    return Recording(name, subject, signals, labels, notes=rows.notes + notes)


def _load(where: str, file: IO[bytes]) -> _Rows:
    """All rows, of which only the columns that are used are kept."""
    csv = require("pyarrow.csv", "readers", _WHAT)
    arrow = require("pyarrow", "readers", _WHAT)
    used = {"time": 0, "code": 1, "heart_rate": 2, **{k: x for k, (x, _) in _FACTORS.items()}}
    types = dict.fromkeys(used, arrow.float32()) | {
        "time": arrow.float64(),
        "code": arrow.int8(),
    }
    names = {column: name for name, column in used.items()}
    broken: list[Any] = []

    def keep(row: Any) -> str:
        broken.append(row)
        return "skip" if len(broken) == 1 else "error"

    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in used}
    count = 0
    headers = [names.get(k, f"unused {k}") for k in range(_COLUMNS)]
    if file.readline(1 << 12).rstrip(b"\r\n").endswith(b" "):
        headers.append("nothing")  # the separator stands after each number
    file.seek(0)
    try:
        blocks = csv.open_csv(
            file,
            # One thread, so that the numbers of rows are known.
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                column_names=headers,
            ),
            parse_options=csv.ParseOptions(delimiter=" ", invalid_row_handler=keep),
            convert_options=csv.ConvertOptions(
                include_columns=list(used), column_types=types, null_values=["NaN"]
            ),
        )
        for block in blocks:
            count += block.num_rows
            for name, part in parts.items():
                column = block[name]
                if name in ("time", "code") and column.null_count:
                    row = count - block.num_rows + column.is_null().index(True).as_py() + 1
                    what = "time" if name == "time" else "activity"
                    raise RecordingError(f"{where}, line {row}: the row has no {what}")
                part.append(np.array(column.to_numpy(zero_copy_only=False), copy=True))
    except (arrow.ArrowInvalid, OSError) as error:
        if broken:
            raise _wrong_row(where, broken[0]) from None
        raise _unreadable(where, str(error)) from None
    notes: tuple[str, ...] = ()
    if broken:
        (row,) = broken
        if row.number != count + 1 or row.actual_columns > len(headers) or not count:
            raise _wrong_row(where, row)
        notes = ("the last line is cut off and was left out",)
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    channels = {"heart_rate": whole["heart_rate"]}
    for name, (_, factor) in _FACTORS.items():
        channels[name] = whole.pop(name) * np.float32(factor)
    return _Rows(whole["time"], whole["code"].astype(np.int64), channels, notes)


def _wrong_row(where: str, row: Any) -> RecordingError:
    return RecordingError(
        f"{where}, line {row.number}: {row.actual_columns} columns ({row.text[:60]!r}) where "
        f"{_COLUMNS} belong"
    )


def _unreadable(where: str, error: str) -> RecordingError:
    """What pyarrow could not do, in words."""
    if "Empty CSV" in error:
        return RecordingError(f"{where}: an empty file")
    if match := re.search(r"column #(\d+): Row #(\d+): .* value '(.*)'", error, re.DOTALL):
        return RecordingError(
            f"{where}, line {match[2]}, column {int(match[1]) + 1}: {match[3][:60]!r} where a "
            "number belongs"
        )
    return RecordingError(f"{where}: not rows of numbers ({error})")


def _check(where: str, rows: _Rows) -> None:
    strange = ~np.isin(rows.codes, [TRANSIENT, *ACTIVITIES])
    if strange.any():
        row = int(strange.argmax())
        raise RecordingError(
            f"{where}, line {row + 1}: activity {rows.codes[row]}, which PAMAP2 does not have"
        )
    back = ~(np.diff(rows.times) > 0)
    if back.any():
        row = int(back.argmax()) + 1
        raise RecordingError(
            f"{where}, line {row + 1}: time goes from {rows.times[row - 1]:g} to "
            f"{rows.times[row]:g} s; it must go forward"
        )


def _labels(times: NDArray[np.float64], codes: NDArray[np.int64]) -> Iterator[Label]:
    """Runs of rows with one activity; a row is the 10 ms from its time on."""
    breaks = np.flatnonzero((np.diff(codes) != 0) | (np.diff(times) > _PAUSE)) + 1
    for run in np.split(np.arange(len(codes)), breaks):
        code = int(codes[run[0]])
        if code != TRANSIENT:
            start, end = float(times[run[0]]), float(times[run[-1]]) + 1 / RATE
            yield Label("activity", start, end, ACTIVITIES[code])


def _steady(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The times of all samples, and which of them each row is.

    Rows come every 10 ms but for a few that are lost. With those put back as missing, times
    are the start and a rate, which a file need not store for every channel. Times that are
    not such, or mostly lost, stay as they are.
    """
    places = np.rint((times - times[0]) * RATE).astype(np.int64)
    regular = times[0] + np.arange(places[-1] + 1 if places[-1] < 2 * len(times) else 0) / RATE
    if len(regular) and np.abs(regular[places] - times).max() < 1e-6:
        return regular, places
    return times, np.arange(len(times))
