"""A table's column headers in; channel names and factors into our units out.

A header is a name, and a unit in square brackets if it is not the channel's own:
"acc_x", "Accel X [m/s2]", "time [ms]". Case, spaces and punctuation do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onwrist_runtime.errors import InputError, RecordingError

# Names that other devices and programs give to our channels, and to time.
ALIASES = {
    "ppg": ("bvp", "pleth", "ppg_green", "green"),
    "acc_x": ("accx", "x", "ax", "accel_x", "accelerometer_x", "acceleration_x"),
    "acc_y": ("accy", "y", "ay", "accel_y", "accelerometer_y", "acceleration_y"),
    "acc_z": ("accz", "z", "az", "accel_z", "accelerometer_z", "acceleration_z"),
    "eda": ("gsr", "scl", "skin_conductance", "electrodermal_activity"),
    "temp": ("temperature", "skin_temp", "skin_temperature"),
    "time": ("timestamp", "timestamps", "t", "datetime", "date_time", "unix", "unix_time"),
}

# Units by what they are multiplied with to give the channel's own, which comes first.
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ACCELERATION = {
    "g": 1.0,
    "mg": 1e-3,
    "m/s2": 1 / 9.80665,
    "m/s^2": 1 / 9.80665,
    "1/64g": 1 / 64,
}
UNITS = {
    "acc_x": _ACCELERATION,
    "acc_y": _ACCELERATION,
    "acc_z": _ACCELERATION,
    "eda": {"us": 1.0, "ns": 1e-3, "s": 1e6},
    "temp": {"degc": 1.0, "c": 1.0, "°c": 1.0},
    "time": _TIME,
}

_CHANNEL_OF = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}


@dataclass(frozen=True, slots=True)
class Column:
    """Which column of the table a channel is, and its factor into the channel's unit."""

    header: str
    factor: float


def find_columns(
    where: str, headers: Iterable[str], mapping: Mapping[str, str]
) -> dict[str, Column]:
    """The column of "time" and of each channel.

    `mapping` goes from channel (or "time") to header and wins over the aliases; a header
    that nobody claims becomes a channel of its own name.

    Raises
    ------
    InputError
        `mapping` names a header that the table lacks.
    RecordingError
        No time column, two columns for one channel, or an unknown unit.
    """
    headers = [str(header) for header in headers]
    found: dict[str, Column] = {}
    for channel, wanted in mapping.items():
        header = _matching(where, wanted, headers)
        # A unit given in the mapping says more than one in the header.
        unit = _split(wanted)[1] or _split(header)[1]
        found[channel] = Column(header, _factor(where, channel, unit))
    mapped = {column.header for column in found.values()}
    for header in headers:
        name, unit = _split(header)
        stem, _, suffix = name.rpartition("_")
        if suffix in _TIME and _CHANNEL_OF.get(stem) == "time":  # as in time_ms
            name, unit = "time", unit or suffix
        channel = _CHANNEL_OF.get(name, name)
        if header in mapped or channel in mapping or not channel:
            continue
        if channel in found:
            raise RecordingError(
                f"{where}: columns {found[channel].header!r} and {header!r} are both "
                f"{channel}; say which with --column {channel}=HEADER (columns= in Python)"
            )
        found[channel] = Column(header, _factor(where, channel, unit))
    if "time" not in found:
        raise RecordingError(
            f"{where}: no time column among {headers[:12]}; "
            "say which with --column time=HEADER (columns= in Python)"
        )
    return found


def _matching(where: str, wanted: str, headers: list[str]) -> str:
    """The header that a mapping means: exactly, or but for its unit."""
    if wanted in headers:
        return wanted
    bare = [header for header in headers if _split(header)[0] == _split(wanted)[0]]
    if len(bare) != 1:
        raise InputError(f"{where}: no column {wanted!r} among {headers[:12]}")
    return bare[0]


def _split(header: str) -> tuple[str, str | None]:
    """The plain name in a header, and the unit in its brackets if there is one."""
    match = re.fullmatch(r"\s*(.*?)\s*(?:\[\s*(.*?)\s*\])?\s*", header, re.DOTALL)
    assert match is not None  # .* matches anything
    name = re.sub(r"[^a-z0-9]+", "_", match[1].lower()).strip("_")
    return name, match[2].lower().replace(" ", "").replace("µ", "u") if match[2] else None


def _factor(where: str, channel: str, unit: str | None) -> float:
    if unit is None or channel not in UNITS:
        return 1.0
    if unit not in UNITS[channel]:
        raise RecordingError(
            f"{where}: {channel} in {unit!r}; known units are {', '.join(UNITS[channel])}"
        )
    return UNITS[channel][unit]
