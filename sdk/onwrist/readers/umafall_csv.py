"""One original CSV file of the UMAFall data set in, the Recording of its trial out.

Lines that begin with % say who did what and which sensor is worn where, in an order that
differs between files. Then rows: time in ms; sample number; x; y; z; type; sensor, where
type 0 is acceleration (g), 1 angular rate (deg/s) and 2 magnetic field (uT).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import umafall
from onwrist.recording import Recording
from onwrist_runtime.errors import RecordingError

_POSITIONS = {
    "RIGHTPOCKET": "phone",
    "WRIST": "wrist",
    "CHEST": "chest",
    "WAIST": "waist",
    "ANKLE": "ankle",
}
_COLUMNS = 7
_STEP = 1000 / umafall.RATE  # ms from sample to sample
_LATE = 150.0  # ms after its turn, from which on a sample follows a gap
_WHOLE = 297  # samples of a trial's 300, from which on none was lost
_LARGEST_BYTES = 1 << 26  # a trial has 0.4 MB
_SENSOR = re.compile(r"%\s*[0-9A-Fa-f:]{17}\s*;\s*(\d+)\s*;\s*(\w+)\s*;")
_GROUPED = re.compile(r"-?\d{1,3}(\.\d{3}){2,}")


@dataclass(frozen=True, slots=True)
class _Header:
    """What the first lines say; `sensors` is position by id, `lines` how many they are."""

    subject: str
    activity: str
    start: float
    sensors: dict[int, str]
    lines: int


def is_umafall_csv(path: Path) -> bool:
    """Whether a file has the name or the first lines of an original file."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    if path.name.startswith("UMAFall_"):
        return True
    with path.open("rb") as file:
        head = file.read(8192)
    return head.startswith(b"%") and (b"Universidad de Malaga" in head or b"Sensor_ID" in head)


def read(path: Path) -> Recording:
    """Read one trial; it is called as the file is.

    A sample is stamped where it arrives, 7 to 92 ms after the one before, so stamps are not
    used where no sample was lost: sample k is placed at k / 20 s. Else a sample takes the
    place after the one before, unless it comes more than 150 ms late for it.

    Raises
    ------
    RecordingError
        The header or a row is not what it should be; the message says which.
    """
    if path.stat().st_size > _LARGEST_BYTES:
        raise RecordingError(f"{path}: {path.stat().st_size} bytes, more than any trial has")
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: not text ({error.reason})") from None
    if not any(line.strip("; ") for line in lines):
        raise RecordingError(f"{path}: an empty file")
    header = _parse_header(path, lines)
    rows = _numbers(path, lines, header.lines)
    _check(path, rows, header)
    signals: dict[str, NDArray[np.float32]] = {}
    beyond = 0
    for sensor, position in header.sensors.items():
        for code, quantity in enumerate(umafall.QUANTITIES):
            part = rows[(rows[:, 6] == sensor) & (rows[:, 5] == code)]
            if not len(part) or (position == "phone" and quantity != "acc"):
                continue
            back = np.diff(part[:, 0]) < 0
            if back.any():
                one, other = part[back.argmax() : back.argmax() + 2, 0]
                raise RecordingError(
                    f"{path}: {quantity} of the {position} goes back in time, from {one:g} "
                    f"to {other:g} ms"
                )
            if position == "phone":
                values = _means(part[:, 0], part[:, 2:5])
            else:
                values, cut = _on_grid(part[:, 0], part[:, 2:5])
                beyond += cut
            for axis, row in zip("xyz", values, strict=True):
                if not np.isnan(row).all():
                    signals[f"{position}_{quantity}_{axis}"] = row
    imu = {
        f"{position}_{quantity}_{axis}": signals[f"{position}_{quantity}_{axis}"]
        for position in umafall.POSITIONS
        for quantity in umafall.QUANTITIES
        for axis in "xyz"
        if f"{position}_{quantity}_{axis}" in signals
    }
    phone = {name: row for name, row in signals.items() if name.startswith("phone_")}
    notes: tuple[str, ...] = ()
    if beyond:
        notes = (f"samples beyond the trial's {umafall.LENGTH:g} s were left out: {beyond}",)
    return umafall.recording(
        str(path), path.stem, header.subject, header.activity, header.start, imu, phone, notes
    )


def _parse_header(path: Path, lines: list[str]) -> _Header:
    said: dict[str, str] = {}
    sensors: dict[int, str] = {}
    count = 0
    for count, line in enumerate(lines):
        plain = line.strip("; ")
        if plain and not plain.startswith("%"):
            break
        if sensor := _SENSOR.match(plain + ";"):
            number, place = int(sensor[1]), sensor[2]
            if place not in _POSITIONS:
                raise RecordingError(
                    f"{path}, line {count + 1}: a sensor at {place!r}; UMAFall has "
                    f"{', '.join(_POSITIONS)}"
                )
            if number in sensors or _POSITIONS[place] in sensors.values():
                raise RecordingError(
                    f"{path}, line {count + 1}: sensor {number} or {place} is there twice"
                )
            sensors[number] = _POSITIONS[place]
        elif ":" in plain:
            key, _, value = plain.lstrip("% ").partition(":")
            said.setdefault(key.strip(), value.strip())
    else:
        raise RecordingError(f"{path}: no rows after the header")
    if not count:
        raise RecordingError(
            f"{path}, line 1: {lines[0][:40]!r} where the header of a UMAFall file belongs, "
            "lines that begin with % and say which sensor is worn where"
        )
    for key in ("Date", "Name", "Description of the movement"):
        if key not in said:
            raise RecordingError(f"{path}: the header has no line '% {key}: ...'")
    if not sensors:
        raise RecordingError(f"{path}: the header does not say which sensor is worn where")
    return _Header(
        said["Name"].removeprefix("Subject_"),
        umafall.activity_of(str(path), said["Description of the movement"]),
        umafall.seconds(str(path), said["Date"]),
        sensors,
        count,
    )


def _numbers(path: Path, lines: list[str], first: int) -> NDArray[np.float64]:
    """The rows from line number `first` on, which some programs end with semicolons."""
    rows = [line.rstrip("; ") for line in lines[first:]]
    text = io.StringIO("\n".join(rows))
    try:
        numbers = np.loadtxt(text, delimiter=";", comments=None, ndmin=2)
        if numbers.shape == (len(rows), _COLUMNS) and not np.isinf(numbers).any():
            return numbers
    except ValueError:
        pass
    _blame(path, rows, first + 1)


def _blame(path: Path, rows: list[str], first: int) -> NoReturn:
    """Something is wrong somewhere: look slowly, to say where."""
    for line, row in enumerate(rows, start=first):
        cells = row.split(";")
        for cell in cells:
            if _GROUPED.fullmatch(cell.strip()):
                raise RecordingError(
                    f"{path}, line {line}: {cell.strip()!r} is written with thousands "
                    "separators; the numbers cannot be recovered"
                )
        if len(cells) != _COLUMNS:
            raise RecordingError(
                f"{path}, line {line}: {len(cells)} columns ({row[:60]!r}) where {_COLUMNS} "
                "belong"
            )
        for cell in cells:
            try:
                finite = not np.isinf(float(cell))
            except ValueError:
                finite = False
            if not finite:
                raise RecordingError(
                    f"{path}, line {line}: {cell.strip()[:60]!r} where a number belongs"
                )
    raise RecordingError(f"{path}: {len(rows)} rows that are not {_COLUMNS} numbers")


def _check(path: Path, rows: NDArray[np.float64], header: _Header) -> None:
    """Refuse times, types and sensors that there are not."""
    named = ", ".join(f"{k} {position}" for k, position in sorted(header.sensors.items()))
    for column, wrong, what in (
        (0, ~(rows[:, 0] >= 0), "as time in ms"),
        (5, ~np.isin(rows[:, 5], range(len(umafall.QUANTITIES))), "as type; it is 0, 1 or 2"),
        (6, ~np.isin(rows[:, 6], list(header.sensors)), f"as sensor; the header has {named}"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise RecordingError(
                f"{path}, line {header.lines + row + 1}: {rows[row, column]:g} {what}"
            )


def _on_grid(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float32], int]:
    """Samples (n, 3) that arrived at `times` ms as (3, 300) at 20 Hz, and how many are cut."""
    places = np.arange(len(times))
    if len(times) < _WHOLE:
        place = -1
        for k, time in enumerate(times.tolist()):
            place += 1
            # After a gap a sample is taken to be 50 to 100 ms old.
            if time - _STEP * place > _LATE:
                place = int(time // _STEP) - 1
            places[k] = place
    inside = places < umafall.SAMPLES
    grid = np.full((3, umafall.SAMPLES), np.nan, np.float32)
    grid[:, places[inside]] = values[inside].T
    return grid, int((~inside).sum())


def _means(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Samples (n, 3) of the phone as means over 20 ms (3, 750); NaN where there are none."""
    bins = (times // (1000 / umafall.PHONE_RATE)).astype(np.int64)
    inside = bins < umafall.PHONE_SAMPLES
    bins, values = bins[inside], values[inside]
    counts = np.bincount(bins, minlength=umafall.PHONE_SAMPLES)
    sums = np.stack([np.bincount(bins, axis, umafall.PHONE_SAMPLES) for axis in values.T])
    with np.errstate(invalid="ignore"):
        return (sums / counts).astype(np.float32)
