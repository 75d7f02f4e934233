"""Messages of a WebSocket in, checked records out; PROTOCOL.md describes them.

A message is text, an object with one key that says what it is, or a push in binary form.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist.serve.answers import brief
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.settings import rows_of

MOST_ID = 2**32 - 1
_HEADER = struct.Struct("<BBHIII")  # kind, length of name, channels, samples, id, 0
_PUSH = 1


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first message: what `Model.stream` takes, and the token where there is one."""

    token: str | None = None
    hop: float | None = None
    lateness: float = 2.0
    mode: Literal["step", "window"] | None = None
    rates: dict[str, float] | None = None
    midnight: float | None = None


class Flush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `Stream.flush` takes."""

    at_least_one: bool = False


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Begin anew."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the stream is."""


class _TextPush(msgspec.Struct, forbid_unknown_fields=True):
    sensor: str
    timestamps: list[float]
    samples: list[float | list[float | None] | None]


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    """What a text message can hold: one of them."""

    hello: Hello | None = None
    push: _TextPush | None = None
    flush: Flush | None = None
    reset: Reset | None = None
    state: State | None = None
    id: Any = None  # see id_of


class _WithId(msgspec.Struct):
    id: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Push:
    """Samples of one sensor or channel.

    Attributes
    ----------
    times : float64 (n,), seconds.
    values : float64 (n, channels), NaN where missing.
    """

    sensor: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]


Asked = Hello | Push | Flush | Reset | State

_decode = msgspec.json.Decoder(_Message).decode
_decode_id = msgspec.json.Decoder(_WithId).decode


def read(message: str | bytes, manifest: Manifest) -> Asked:
    """What a message asks.

    Raises
    ------
    InputError
        It is none of the format.
    """
    if isinstance(message, bytes):
        return _binary(message, manifest)
    try:
        decoded = _decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError(f"this is no message: {error}") from None
    kinds = (decoded.hello, decoded.push, decoded.flush, decoded.reset, decoded.state)
    given = [kind for kind in kinds if kind is not None]
    if len(given) != 1:
        raise InputError(
            'a message has one of "hello", "push", "flush", "reset" and "state", '
            f"not {len(given)}"
        )
    (asked,) = given
    if isinstance(asked, Hello):
        for name in asked.rates or ():
            _rows(name, manifest)
    return _text(asked, manifest) if isinstance(asked, _TextPush) else asked


def id_of(message: str | bytes) -> int | None:
    """The number that a message carries, also of one that is wrong otherwise.

    Raises
    ------
    InputError
        It carries one that cannot be used.
    """
    if isinstance(message, bytes):
        return _HEADER.unpack_from(message)[4] or None if len(message) >= 16 else None
    try:
        found = _decode_id(message).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if found is None or (type(found) is int and 1 <= found <= MOST_ID):
        return found
    raise InputError(f"id must be a whole number from 1 to {MOST_ID}, not {str(found)[:40]!r}")


def _text(push: _TextPush, manifest: Manifest) -> Push:
    channels = len(_rows(push.sensor, manifest))
    try:
        values = np.array(push.samples, np.float64)
    except ValueError:
        raise InputError(
            f"the samples of {push.sensor!r} are not of one length: each is {_each(channels)}"
        ) from None
    if values.ndim == 1 and (channels == 1 or not len(values)):
        values = values.reshape(-1, channels)
    count = len(push.timestamps)
    if values.shape != (count, channels):
        raise InputError(
            f"samples of {push.sensor!r} must be {_each(channels)} for each of the {count} "
            f"timestamps, but they have the shape {values.shape}"
        )
    return Push(push.sensor, np.array(push.timestamps, np.float64), values)


def _rows(name: str, manifest: Manifest) -> Sequence[int]:
    """The rows of a channel or sensor; the error for any other does not repeat all of it."""
    known = any(name in (each.name, each.sensor) for each in manifest.channels)
    return rows_of(manifest, name if known else brief(name))


def _each(channels: int) -> str:
    return "one number" if channels == 1 else f"{channels} numbers"


def _binary(message: bytes, manifest: Manifest) -> Push:
    if len(message) < _HEADER.size:
        raise InputError(f"a binary push begins with {_HEADER.size} bytes, not {len(message)}")
    kind, length, channels, count, _, rest = _HEADER.unpack_from(message)
    if kind != _PUSH or rest:
        raise InputError(
            f"a binary message begins with the byte {_PUSH}, a push, and has zeros in bytes "
            f"12 to 15; this one has {kind} and {rest}"
        )
    begin = _HEADER.size + length + (-length) % 8
    stop = begin + 8 * count
    whole = stop + 4 * count * channels
    if len(message) != whole:
        raise InputError(
            f"a binary push of {count} samples of {channels} values and a name of {length} "
            f"bytes has {whole} bytes, not {len(message)}"
        )
    named = message[_HEADER.size : begin]
    try:
        sensor = named[:length].decode()
    except UnicodeDecodeError:
        raise InputError("the name of a binary push is no UTF-8 text") from None
    if any(named[length:]):
        raise InputError("zeros follow the name of a binary push up to a multiple of 8 bytes")
    wanted = len(_rows(sensor, manifest))
    if channels != wanted:
        raise InputError(f"a sample of {sensor!r} is {_each(wanted)}, not {channels}")
    times = np.frombuffer(message, "<f8", count, begin)
    values = np.frombuffer(message, "<f4", count * channels, stop).astype(np.float64)
    return Push(sensor, times, values.reshape(count, channels))


def binary_push(
    sensor: str, times: NDArray[np.float64], values: NDArray[np.float32], id: int = 0
) -> bytes:
    """The binary form of a push, for clients in Python: times (n,), values (n, channels)."""
    name = sensor.encode()
    columns = np.asarray(values, "<f4").reshape(len(times), -1)
    header = _HEADER.pack(_PUSH, len(name), columns.shape[1], len(times), id, 0)
    padded = name + bytes((-len(name)) % 8)
    return header + padded + np.asarray(times, "<f8").tobytes() + columns.tobytes()
