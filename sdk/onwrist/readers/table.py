"""A CSV or Parquet table with a time column in, a Recording out; Parquet out again.

Sensors of different rates share one table: a channel's samples are the rows in which it
is not blank, so a blank stretch of a channel that is otherwise in every row is a gap.
Subject, labels, events and rates come from NAME.onwrist.json beside the table (FORMAT.md).
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist.extras import require
from onwrist.files import written_beside
from onwrist.plausible import repaired
from onwrist.readers import npz
from onwrist.readers.columns import ALIASES, Column, find_columns
from onwrist.readers.rates import estimate_rate
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import Signal
from onwrist_runtime.window import as_float32

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".parquet")
_LATEST_SECONDS = 1e11  # the year 5138; epoch milliseconds are beyond it


class SidecarLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One label as JSON."""

    task: str
    start: float
    end: float
    value: float | str


class Sidecar(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a table cannot say about its recording."""

    subject: str | None = None
    rates: dict[str, float] = {}
    labels: list[SidecarLabel] = []
    events: list[float] = []


def read(
    path: Path,
    columns: Mapping[str, str] | None = None,
    rates: Mapping[str, float] | None = None,
) -> Recording:
    """Read one table.

    Parameters
    ----------
    columns : header by channel (or "time"), where the aliases of `columns` do not do.
    rates : native rate in Hz by channel, where time stamps would mislead.

    Raises
    ------
    RecordingError
        The file is damaged, has no time column, text where numbers belong, or two values
        of one channel at one time.
    InputError
        `columns` or `rates` name what is not there; pandas is not installed.
    """
    frame = _load(path)
    sidecar = _read_sidecar(_sidecar_path(path))
    found = find_columns(str(path), frame.columns, columns or {})
    known_rates = {**sidecar.rates, **(rates or {})}
    times = _seconds(path, frame, found.pop("time"))
    signals: dict[str, Signal] = {}
    for channel, column in found.items():
        claimed = channel in ALIASES or channel in known_rates or channel in (columns or {})
        if frame[column.header].dtype.kind not in "fiub" and not claimed:
            continue  # words that nobody asked for, such as notes
        values = _values(path, channel, frame, column)
        if not claimed and np.count_nonzero(~np.isnan(values)) < 2:
            continue  # a single number beside the sensors has no rate
        signal = _signal(path, channel, values, times, known_rates.get(channel))
        if signal is not None:
            signals[channel] = signal
    if unknown := known_rates.keys() - found.keys():
        raise InputError(
            f"{path}: a rate is given for {', '.join(sorted(unknown))}, which is no column; "
            f"the channels are {', '.join(found)}"
        )
    if not signals:
        raise RecordingError(f"{path}: no column holds samples")
    labels = tuple(Label(x.task, x.start, x.end, x.value) for x in sidecar.labels)
    signals, notes = repaired(signals)
    events = tuple(sidecar.events)
    return Recording(path.stem, sidecar.subject, signals, labels, events, notes)


def write_parquet(recording: Recording, path: Path) -> None:
    """Write one Parquet table and its JSON; missing samples (NaN) become blank rows."""
    pandas = require("pandas", "readers", "writing Parquet")
    require("pyarrow", "readers", "writing Parquet")
    times = np.unique(np.concatenate([x.times for x in recording.signals.values()]))
    table: dict[str, NDArray[Any]] = {"time": times}
    for channel, signal in recording.signals.items():
        table[channel] = np.full(len(times), np.nan, dtype=np.float32)
        table[channel][np.searchsorted(times, signal.times)] = signal.values
    sidecar = Sidecar(
        subject=recording.subject,
        rates={channel: signal.rate for channel, signal in recording.signals.items()},
        labels=[SidecarLabel(x.task, x.start, x.end, x.value) for x in recording.labels],
        events=list(recording.events),
    )
    # JSON first: a crash in between leaves a stray JSON, not a table without its labels.
    with written_beside(_sidecar_path(path)) as beside:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar), indent=1))
    with written_beside(path) as beside:
        pandas.DataFrame(table).to_parquet(beside, index=False)


def _sidecar_path(path: Path) -> Path:
    return path.with_suffix(".onwrist.json")


def _read_sidecar(path: Path) -> Sidecar:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sidecar)
    except FileNotFoundError:
        return Sidecar()
    except msgspec.MsgspecError as error:
        raise RecordingError(f"{path}: {error}") from None


def _load(path: Path) -> pd.DataFrame:
    pandas = require("pandas", "readers", f"reading {path.suffix}")
    try:
        if path.suffix == ".parquet":
            require("pyarrow", "readers", "reading Parquet")
            frame: pd.DataFrame = pandas.read_parquet(path).reset_index(drop=True)
        else:
            separator = _separator(path)
            with warnings.catch_warnings():
                # A row longer than the header would lose its end with only a warning.
                warnings.simplefilter("error", pandas.errors.ParserWarning)
                frame = pandas.read_csv(
                    path, sep=separator, index_col=False, skip_blank_lines=False,
                    encoding="utf-8-sig", low_memory=False,
                )  # fmt: skip
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (ValueError, OSError, pandas.errors.ParserWarning) as error:
        if isinstance(error, RecordingError | InputError):
            raise
        raise RecordingError(f"{path}: not a readable table ({error})") from None
    if frame.empty:
        raise RecordingError(f"{path}: no rows")
    return frame


def _separator(path: Path) -> str:
    """The separator that the header has most of; a header named twice is refused."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline().rstrip("\r\n")
    separator = max(",;\t", key=head.count)
    headers = next(csv.reader([head], delimiter=separator), [])
    if repeated := sorted({header for header in headers if headers.count(header) > 1}):
        raise RecordingError(f"{path}: two columns are called {repeated[0]!r}")
    return separator


def _seconds(path: Path, frame: pd.DataFrame, column: Column) -> NDArray[np.float64]:
    """The time column in seconds; NaN in rows that are blank throughout."""
    import pandas as pd

    series = frame[column.header]
    if series.dtype == np.float32:
        raise RecordingError(
            f"{path}: {column.header!r} is float32, which at today's Unix time steps by 128 s; "
            "write it as float64"
        )
    seconds, factor = pd.to_numeric(series, errors="coerce"), column.factor
    if not pd.api.types.is_numeric_dtype(series):
        dates = pd.to_datetime(series, utc=True, format="ISO8601", errors="coerce")
        # Numbers with a word among them: the word is the news, not that they are no dates.
        if dates.notna().sum() >= seconds.notna().sum():
            # Through whole microseconds, which float64 holds exactly until the year 2255.
            clock = dates.dt.tz_localize(None).to_numpy("datetime64[us]")
            since = (clock - np.datetime64(0, "us")) / np.timedelta64(1_000_000, "us")
            seconds, factor = pd.Series(since), 1.0
    if (bad := (seconds.isna() & series.notna()).to_numpy()).any():
        raise _cell_error(path, series, bad, "a time (seconds or ISO 8601)")
    times: NDArray[np.float64] = seconds.to_numpy(np.float64) * factor
    blank = np.isnan(times)
    if (stray := blank & frame.notna().any(axis=1).to_numpy()).any():
        raise RecordingError(f"{path}, {_row(path, stray)}: values without a time")
    if not (np.abs(times[~blank]) < _LATEST_SECONDS).all():
        raise RecordingError(
            f"{path}: {column.header!r} reaches {np.nanmax(np.abs(times)):g} s; if it is in "
            f'milliseconds, say so: --column "time={column.header} [ms]"'
        )
    return times


def _values(
    path: Path, channel: str, frame: pd.DataFrame, column: Column
) -> NDArray[np.float64]:
    import pandas as pd

    series = frame[column.header]
    numbers = pd.to_numeric(series, errors="coerce")
    if (bad := (numbers.isna() & series.notna()).to_numpy()).any():
        raise _cell_error(path, series, bad, f"a number of {channel}")
    return np.asarray(numbers.to_numpy(np.float64) * column.factor)


def _signal(
    path: Path,
    channel: str,
    values: NDArray[np.float64],
    times: NDArray[np.float64],
    rate: float | None,
) -> Signal | None:
    """The rows in which the channel is not blank, in order and each time once."""
    rows = np.flatnonzero(~np.isnan(values))
    if not len(rows):
        return None
    rows = rows[np.argsort(times[rows], kind="stable")]
    disorder = int((np.diff(rows) < 0).sum())
    again = np.diff(times[rows]) == 0
    clash = again & (np.diff(values[rows]) != 0)
    if clash.any():
        first = int(np.argmax(clash))
        one, other = sorted((int(rows[first]), int(rows[first + 1])))
        raise RecordingError(
            f"{path}: {int(clash.sum())} samples of {channel} share their time with one of "
            f"another value, first {_line(path, one)} and {_line(path, other)} at "
            f"{times[one]:.6f} s; times must tell samples apart"
        )
    rows = rows[np.concatenate(([True], ~again))]
    if disorder or again.any():
        warnings.warn(
            f"{path}: {channel}: rows out of time order were sorted ({disorder} steps back), "
            f"repeated ones dropped ({int(again.sum())})",
            stacklevel=2,
        )
    where = f"{path}, channel {channel!r}"
    if rate is None:
        rate = estimate_rate(where, times[rows])
    with npz.blamed(where):
        return Signal(as_float32(values[rows]), times[rows], rate)


def _cell_error(path: Path, series: pd.Series, bad: NDArray[Any], what: str) -> RecordingError:
    cell = str(series.iloc[int(np.argmax(bad))])
    return RecordingError(f"{path}, {_row(path, bad)}: {cell[:60]!r} where {what} belongs")


def _row(path: Path, bad: NDArray[Any]) -> str:
    return _line(path, int(np.argmax(bad)))


def _line(path: Path, row: int) -> str:
    """How a person finds a row: the line of a text file (after its header), else the row."""
    return f"row {row}" if path.suffix == ".parquet" else f"line {row + 2}"
