"""Lines of text, as sensors send them, in; samples by sensor out.

JSON lines, one sample or one burst a line:
  {"sensor": "ppg", "time": 12.34, "values": 0.51}
  {"sensor": "acc", "time": 12.34, "values": [0.1, -0.4, 0.9]}
  {"sensor": "acc", "times": [12.34, 12.37], "values": [[0.1, -0.4, 0.9], [0.1, -0.4, null]]}
or CSV with a header, long or wide (separated by commas, semicolons or tabs):
  sensor,time,value,value,value      time,ppg,acc_x,acc_y,acc_z
  ppg,12.34,0.51                     12.34,0.51,,,
  acc,12.34,0.1,-0.4,0.9             12.36,0.49,0.1,-0.4,0.9

A sensor is called by its own name, or one of its channels by the channel's. Times are
seconds on one clock of all sensors. What is null, empty or nan was not sampled. A header
may carry a unit, as tables do: "time [ms]", in wide form also "acc_x [mg]"; wide columns
go by the same other names as in tables (bvp, gsr, ...), those of no channel are not used.
What is not plausible, such as a heart rate of 0 or steps below 0, is left out, and how
much of it is said at the end. Blank lines do not count. A line that is anything else ends
the stream with an error.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist.readers.columns import find_columns
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.settings import rows_of

Kind = Literal["csv", "jsonl"]

LONGEST_LINE = 16 * 2**20  # bytes; without a limit, input without line ends fills the memory
_SHOWN = 80  # characters of a bad line


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What one line holds of one sensor or channel.

    Attributes
    ----------
    times : seconds (n,), n >= 1.
    values : float64 (n, channels), NaN where missing.
    number, text : the line, counted from 1.
    """

    name: str
    times: Sequence[float]
    values: NDArray[np.float64]
    number: int
    text: str

    def blame(self, error: Exception) -> InputError:
        """The error, with the line that it comes from."""
        return _blame(self.number, self.text, error)


# Name, times (n,) and values (n, channels) of each sensor in a line.
_Read = Iterator[tuple[str, list[float], NDArray[np.float64]]]
_Parse = Callable[[str], _Read]


class Lines:
    """Puts chunks of bytes together to lines, and reads these.

    Parameters
    ----------
    manifest : of the model that the samples are for.
    kind : "csv" or "jsonl"; None to tell it from the first line.
    columns : CSV header by channel (or "time"), as for tables.
    """

    def __init__(
        self, manifest: Manifest, kind: Kind | None, columns: Mapping[str, str]
    ) -> None:
        self._manifest, self._kind, self._columns = manifest, kind, columns
        self._parse: _Parse | None = None
        self._number = 0
        self._rest = b""

    def read(self, chunk: bytes) -> Iterator[Samples]:
        """The samples of every line that ends in `chunk`; an empty one ends the last line.

        Raises
        ------
        InputError
            A line is not of the format; those before it were given.
        """
        *lines, self._rest = (self._rest + (chunk or b"\n")).split(b"\n")
        for line in lines:
            yield from self._line(line)
        if len(self._rest) > LONGEST_LINE:
            raise InputError(
                f"line {self._number + 1} is longer than {LONGEST_LINE} bytes; send the "
                "samples in several lines"
            )

    def _line(self, line: bytes) -> Iterator[Samples]:
        self._number += 1
        try:
            text = line.decode("utf-8-sig" if self._number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            error = InputError("this is no UTF-8 text")
            raise _blame(self._number, repr(line)[2:-1], error) from None
        if not text:
            return
        try:
            if self._parse is None:
                if (self._kind or ("jsonl" if text.startswith("{") else "csv")) == "csv":
                    self._parse = _csv(text, self._manifest, self._columns)
                    return
                self._parse = _jsonl(self._manifest)
            for name, times, values in self._parse(text):
                yield Samples(name, times, values, self._number, text)
        except (InputError, RecordingError, msgspec.MsgspecError, csv.Error) as error:
            raise _blame(self._number, text, error) from None


def together(
    samples: Sequence[Samples], newest: float, lateness: float
) -> Iterator[list[Samples]]:
    """Samples of one sensor that can be pushed at once, with the same result as one by one.

    The order of pushes decides only about which samples are late. So where none can be,
    in any order, the samples of each sensor are put together.

    Parameters
    ----------
    newest : stamp of all samples before; -inf before the first.
    lateness : seconds, of the stream.
    """
    group: dict[str, list[Samples]] = {}
    oldest = math.inf
    for each in samples:
        newest = max(newest, max(each.times))
        oldest = min(oldest, min(each.times))
        if oldest < newest - lateness:
            yield from group.values()
            group, oldest = {}, min(each.times)
        group.setdefault(each.name, []).append(each)
    yield from group.values()


def _blame(number: int, text: str, error: Exception) -> InputError:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return InputError(f"line {number}: {error}: {shown}")


class _Burst(msgspec.Struct, forbid_unknown_fields=True):
    """One JSON line."""

    sensor: str
    values: float | list[float | list[float | None] | None] | None
    time: float | None = None
    times: list[float] | None = None


def _jsonl(manifest: Manifest) -> _Parse:
    decode = msgspec.json.Decoder(_Burst).decode

    def parse(text: str) -> _Read:
        burst = decode(text)
        channels = rows_of(manifest, burst.sensor)
        try:
            values = np.array(burst.values, np.float64)
        except ValueError:
            raise InputError("the samples in 'values' are not of one length") from None
        times = burst.times
        if burst.time is not None and times is None:
            times, values = [burst.time], values[np.newaxis]
        elif burst.time is not None or times is None:
            raise InputError("a line has either 'time', of one sample, or 'times', of several")
        if values.ndim == 1 and (len(channels) == 1 or not len(values)):
            values = values.reshape(-1, len(channels))
        if values.shape != (len(times), len(channels)):
            each = "one number" if len(channels) == 1 else f"{len(channels)} numbers"
            raise InputError(
                f"'values' of {burst.sensor!r} must be {each} for each of the {len(times)} "
                f"times, but they have the shape {values.shape}"
            )
        if times:
            yield burst.sensor, times, values

    return parse


def _csv(header: str, manifest: Manifest, columns: Mapping[str, str]) -> _Parse:
    separator = max(",;\t", key=header.count)
    headers = next(csv.reader([header], delimiter=separator))
    # Long form calls several columns by the same name, value.
    is_long = "sensor" in (name.strip().lower() for name in headers)
    names = dict.fromkeys(headers) if is_long else headers
    found = find_columns("the header", names, columns)
    time = found.pop("time")
    at = headers.index(time.header)

    def split(text: str) -> list[str]:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=separator))]

    def seconds(cells: Sequence[str]) -> float:
        return _seconds(cells[at]) * time.factor

    if "sensor" in found:
        sensor = headers.index(found["sensor"].header)
        return _long(headers, sensor, at, manifest, split, seconds)

    sensors: dict[str, list[tuple[int, float] | None]] = {}
    for channel in manifest.channels:
        column = found.pop(channel.name, None)
        where = None if column is None else (headers.index(column.header), column.factor)
        sensors.setdefault(channel.sensor, []).append(where)
    if not any(any(where) for where in sensors.values()):
        raise InputError(
            f"none of these columns is a channel of {manifest.name}, which takes "
            f"{', '.join(c.name for c in manifest.channels)}; say which is which: --column "
            '"ppg=HEADER"'
        )
    if found:
        unused = ", ".join(repr(column.header) for column in found.values())
        warnings.warn(f"the columns {unused} are not used", stacklevel=2)

    def wide(text: str) -> _Read:
        cells = split(text)
        if len(cells) != len(headers):
            raise InputError(f"{len(cells)} cells, but the header has {len(headers)}")
        if not any(cells):
            return
        times = [seconds(cells)]
        for name, axes in sensors.items():
            values = [
                math.nan if axis is None else _value(cells[axis[0]], headers[axis[0]]) * axis[1]
                for axis in axes
            ]
            if any(value == value for value in values):
                yield name, times, np.array([values])

    return wide


def _long(
    headers: Sequence[str],
    sensor: int,
    time: int,
    manifest: Manifest,
    split: Callable[[str], list[str]],
    seconds: Callable[[Sequence[str]], float],
) -> _Parse:
    columns = [k for k in range(len(headers)) if k not in (sensor, time)]
    if any("[" in headers[k] for k in columns):
        raise InputError("values under 'sensor' are in the bundle's units; remove the brackets")

    def long(text: str) -> _Read:
        cells = split(text)
        if not any(cells):
            return
        if not max(sensor, time) < len(cells) <= len(headers):
            raise InputError(f"{len(cells)} cells, but the header has {len(headers)}")
        name = cells[sensor]
        count = len(rows_of(manifest, name))
        given = [cells[k] for k in columns if k < len(cells)]
        if len(given) < count or any(given[count:]):
            some = sum(map(bool, given))
            raise InputError(f"{some} values, but a sample of {name!r} has {count}")
        yield name, [seconds(cells)], np.array([[_value(x, name) for x in given[:count]]])

    return long


def _value(cell: str, header: str) -> float:
    """A number; NaN for an empty cell."""
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        raise InputError(f"{cell[:_SHOWN]!r} where a number of {header} belongs") from None


def _seconds(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{cell[:_SHOWN]!r} where a time in seconds belongs") from None
