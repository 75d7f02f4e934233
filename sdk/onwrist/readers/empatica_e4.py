"""An Empatica E4 export, folder or zip, in; a Recording with heart-rate labels out.

BVP.csv, EDA.csv and TEMP.csv: first row start (Unix seconds), second row rate (Hz), then
one sample a row; ACC.csv the same in three columns of 1/64 g. IBI.csv: start and "IBI",
then rows of seconds since the start and inter-beat interval. tags.csv: Unix seconds.
HR.csv is not read: it is smoothed and lags the pulse by 20 s, so heart rate is labelled
from IBI.csv. A zip is read in place.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from onwrist.readers import archives, npz
from onwrist.readers.stress_predict import ACC_COUNTS_PER_G, heart_rate_labels
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import RecordingError
from onwrist_runtime.signals import Signal
from onwrist_runtime.window import as_float32

# File: the channel of each of its columns.
_SIGNALS = {
    "BVP.csv": ("ppg",),
    "ACC.csv": ("acc_x", "acc_y", "acc_z"),
    "EDA.csv": ("eda",),
    "TEMP.csv": ("temp",),
}
_LARGEST_BYTES = 1 << 28  # of one file in a zip; the E4's 60 hours of BVP are 0.1 GB

_Files = Mapping[str, Callable[[], bytes]]


def is_e4_folder(path: Path) -> bool:
    """Whether this folder holds at least one signal file of an E4 export."""
    return path.is_dir() and any((path / file).is_file() for file in _SIGNALS)


def is_e4_zip(path: Path) -> bool:
    """Whether this zip holds at least one file of an E4 export, be it none of its signals."""
    known = {*_SIGNALS, "IBI.csv", "HR.csv"}
    return path.suffix == ".zip" and any(x.file in known for x in archives.members(path))


def read(path: Path) -> Recording:
    """Read one export; the subject is its name, unless the device itself gave that name.

    Raises
    ------
    RecordingError
        No signal file is there, one is empty, or a row is not what it should be; the
        message names the file, the line and what was found.
    """
    if path.is_dir():
        return _recording(path, {file.name: file.read_bytes for file in path.glob("*.csv")})
    try:
        with zipfile.ZipFile(path) as archive:
            return _recording(path, _members(path, archive))
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RecordingError(f"{path}: not a readable zip ({error})") from None


def _recording(path: Path, files: _Files) -> Recording:
    signals: dict[str, Signal] = {}
    for file, channels in _SIGNALS.items():
        if file in files:
            signals |= _parse_signal(f"{path}/{file}", files[file](), channels)
    if not signals:
        raise RecordingError(
            f"{path}: not an Empatica E4 export: none of {', '.join(_SIGNALS)} is there"
        )
    labels: list[Label] = []
    if "IBI.csv" in files:
        labels = _parse_beats(f"{path}/IBI.csv", files["IBI.csv"]())
    events: list[float] = []
    # The data set renamed tags.csv to tags_S01.csv, so the start of the name decides.
    for file in sorted(file for file in files if file.startswith("tags")):
        where = f"{path}/{file}"
        events += _numbers(where, _text(where, files[file]()), 1, 1)[:, 0].tolist()
    name = path.stem if path.is_file() else path.resolve().name
    # 1560279825_A00204 says when and on which device, not who wore it.
    subject = None if re.fullmatch(r"\d{9,}_\w+", name) else name
    return Recording(name, subject, signals, tuple(labels), tuple(events))


def _members(path: Path, archive: zipfile.ZipFile) -> _Files:
    """The CSV files of a zip, at its root or in one folder."""
    files: dict[str, Callable[[], bytes]] = {}
    for member in archive.infolist():
        place = PurePosixPath(member.filename)
        if place.suffix != ".csv" or place.parts[0] == "__MACOSX":
            continue
        if place.name in files:
            raise RecordingError(f"{path}: {place.name} is there twice; zip one export alone")
        if member.flag_bits & 1:
            raise RecordingError(f"{path}/{place.name}: encrypted; zip it without a password")
        if member.file_size > _LARGEST_BYTES:
            raise RecordingError(
                f"{path}/{place.name}: {member.file_size} bytes, more than any E4 records"
            )
        files[place.name] = lambda member=member: archive.read(member)  # type: ignore[misc]
    return files


def _parse_signal(where: str, data: bytes, channels: tuple[str, ...]) -> dict[str, Signal]:
    """The columns of one signal file by channel."""
    rows = _numbers(where, _text(where, data), 1, len(channels))
    if len(rows) < 3:
        raise RecordingError(
            f"{where}: {len(rows)} rows; a start time, a rate and samples must be there"
        )
    start, rate = float(rows[0, 0]), float(rows[1, 0])
    for line, what, row in ((1, "start times", rows[0]), (2, "rates", rows[1])):
        if not (row == row[0]).all():
            raise RecordingError(
                f"{where}, line {line}: different {what} {row.tolist()} in columns that "
                "were sampled together"
            )
    samples = rows[2:] / ACC_COUNTS_PER_G if channels[0] == "acc_x" else rows[2:]
    with npz.blamed(where):
        return {
            channel: Signal.regular(as_float32(samples[:, column]), rate, start)
            for column, channel in enumerate(channels)
        }


def _parse_beats(where: str, data: bytes) -> list[Label]:
    """Heart-rate labels of IBI.csv, which may hold its header alone."""
    head, _, beats = _text(where, data).partition("\n")
    start, _, title = head.partition(",")
    if title.strip() != "IBI":
        raise RecordingError(
            f"{where}, line 1: {head.strip()[:60]!r} where a start time and IBI belong"
        )
    origin = _numbers(where, start, 1, 1)[0, 0]
    rows = _numbers(where, beats, 2, 2)
    if (bad := ~(rows[:, 1] > 0)).any():
        line = int(np.argmax(bad)) + 2
        raise RecordingError(f"{where}, line {line}: an interval of {rows[line - 2, 1]} s")
    return heart_rate_labels(rows[:, 0] + origin, rows[:, 1])


def _text(where: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecordingError(f"{where}, line {line}: not text ({error.reason})") from None


def _numbers(where: str, text: str, first: int, columns: int) -> NDArray[np.float64]:
    """Rows of numbers as float64 (rows, columns); `first` is the line of the first one."""
    if not text:
        return np.zeros((0, columns))
    count = text.count("\n") + 1
    try:
        rows = np.loadtxt(io.StringIO(text), delimiter=",", comments=None, ndmin=2)
        if rows.shape == (count, columns) and not np.isinf(rows).any():
            return rows
    except ValueError:
        pass
    # Something is wrong somewhere: look slowly, to say where.
    for line, row in enumerate(text.split("\n"), start=first):
        cells = row.strip().split(",")
        if len(cells) != columns:
            raise RecordingError(
                f"{where}, line {line}: {len(cells)} columns ({row.strip()[:60]!r}) where "
                f"{columns} belong"
            )
        for cell in cells:
            try:
                if math.isinf(float(cell)):
                    raise ValueError
            except ValueError:
                raise RecordingError(
                    f"{where}, line {line}: {cell.strip()[:60]!r} where a number belongs"
                ) from None
    raise RecordingError(f"{where}: {count} lines that are not rows of {columns} numbers")
