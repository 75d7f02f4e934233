"""The bytes of a stream: what it needs to go on bit by bit in, one record out, and back.

A record is a magic, the number of this layout, the SHA-256 of the payload, and the payload:
msgpack of plain numbers, texts and bytes. Nothing in it is ever run. It is held against the
bundle, and every array against the shape that it must have, before a stream takes it.
Arrays are little-endian.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.days import Days
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.rolling import Rolling
from onwrist_runtime.settings import LONGEST_HOP, LONGEST_LATENESS, Mode, Settings
from onwrist_runtime.signals import FASTEST, LATEST, SLOWEST
from onwrist_runtime.timeline import Timeline
from onwrist_runtime.window import LARGEST

MAGIC = b"onwrist stream\n"
VERSION = 1

_HEAD = struct.Struct(f"<{len(MAGIC)}sH32s")
_ANOTHER = "this is not a saved stream, or it was cut short or altered"


class SavedSensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stamps (n,) float64 and values (k, n) float32."""

    times: bytes
    values: bytes


class SavedTally(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As `Tally`."""

    samples: int
    late: int
    duplicate: int
    repaired: int
    last: float | None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a stream is.

    `grid` float32 and `observed` (bits) are (C, samples); `baseline` is float64 (3, C) and
    `state` float32 (1, S), where the stream has them.
    """

    bundle: str
    name: str
    mode: Mode
    hop: int
    lateness: float
    rates: tuple[float, ...]
    midnight: float
    impute: bool
    newest: float
    origin: int | None
    finished: bool
    repaired_to: float
    sensors: tuple[SavedSensor, ...]
    tallies: tuple[SavedTally, ...]
    done: int
    grid: bytes
    observed: bytes
    baseline: bytes | None
    state: bytes | None
    coverage: tuple[float, ...]
    end: float | None

    @property
    def settings(self) -> Settings:
        return Settings(
            self.mode, self.hop, self.lateness, self.rates, self.midnight, self.impute
        )


def write(
    bundle: str,
    manifest: Manifest,
    settings: Settings,
    timeline: Timeline,
    rolling: Rolling | Days,
) -> bytes:
    """The bytes of a stream of the bundle with that hash."""
    values, observed = rolling.grid
    record = Record(
        bundle=bundle,
        name=f"{manifest.name} {manifest.version}",
        mode=settings.mode,
        hop=settings.hop,
        lateness=settings.lateness,
        rates=settings.rates,
        midnight=settings.midnight,
        impute=settings.impute,
        newest=timeline.newest,
        origin=timeline.origin,
        finished=timeline.finished,
        repaired_to=timeline.repaired_to,
        sensors=tuple(
            SavedSensor(_bytes(s.samples.times, "<f8"), _bytes(s.samples.values, "<f4"))
            for s in timeline.sensors
        ),
        tallies=tuple(
            SavedTally(t.samples, t.late, t.duplicate, t.repaired, t.last)
            for t in timeline.tallies
        ),
        done=rolling.done,
        grid=_bytes(values, "<f4"),
        observed=np.packbits(observed).tobytes(),
        baseline=None if rolling.baseline is None else _bytes(rolling.baseline.state, "<f8"),
        state=None if rolling.state is None else _bytes(rolling.state, "<f4"),
        coverage=rolling.coverage,
        end=rolling.end,
    )
    payload = msgspec.msgpack.encode(record)
    return _HEAD.pack(MAGIC, VERSION, hashlib.sha256(payload).digest()) + payload


def read(blob: bytes, bundle: Bundle) -> Record:
    """The record in the bytes of a stream of this bundle.

    Raises
    ------
    InputError
        It is no such record, was cut short or altered, or is of another bundle or layout.
    """
    if not isinstance(blob, bytes | bytearray | memoryview):
        raise InputError(f"a saved stream is bytes, not a {type(blob).__name__}")
    raw = bytes(blob)
    if len(raw) < _HEAD.size or not raw.startswith(MAGIC):
        raise InputError(_ANOTHER)
    _, version, digest = _HEAD.unpack_from(raw)
    if version != VERSION:
        raise InputError(
            f"this stream was saved in layout {version}, and this onwrist reads layout "
            f"{VERSION} only: begin a new stream"
        )
    payload = raw[_HEAD.size :]
    if hashlib.sha256(payload).digest() != digest:
        raise InputError(_ANOTHER)
    try:
        record = msgspec.msgpack.decode(payload, type=Record)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_ANOTHER}: {error}") from None
    manifest = bundle.manifest
    if record.bundle != bundle.hash:
        raise InputError(
            f"this stream was saved with {record.name[:200]!r} ({record.bundle[:12]!r}), and "
            f"this model is {manifest.name} {manifest.version} ({bundle.hash[:12]}): load the "
            "bundle that it was saved with, or begin a new stream"
        )
    _check(record, manifest)
    return record


def fill(record: Record, timeline: Timeline, rolling: Rolling | Days) -> None:
    """Put a record that `read` gave into the parts of a new stream of its settings.

    Raises
    ------
    InputError
        An array is of another shape, or holds what no stream can.
    """
    channels, samples = rolling.grid[0].shape
    _require(len(record.sensors) == len(timeline.sensors), "sensors")
    for sensor, held in zip(timeline.sensors, record.sensors, strict=True):
        times = _array(held.times, "<f8", (-1,), "times")
        values = _array(held.values, "<f4", (len(sensor.rows), len(times)), "values")
        _require(bool((np.abs(times) <= LATEST).all()), "times")
        _require(bool((np.diff(times) > 0).all() and (times <= record.newest).all()), "times")
        _require(not (np.abs(values) >= LARGEST).any(), "values")
        if len(times):
            sensor.merge(times, values)
    for tally, saved in zip(timeline.tallies, record.tallies, strict=True):
        tally.samples, tally.late = saved.samples, saved.late
        tally.duplicate, tally.repaired, tally.last = (
            saved.duplicate,
            saved.repaired,
            saved.last,
        )
    timeline.newest, timeline.origin = record.newest, record.origin
    timeline.finished, timeline.repaired_to = record.finished, record.repaired_to
    if timeline.origin is not None:
        # A recording that was flushed may have been filled up to a whole window.
        _require(record.done <= timeline.final - timeline.origin + samples, "done")
    grid = _array(record.grid, "<f4", (channels, samples), "grid")
    _require(bool(np.isfinite(grid).all()), "grid")
    bits = _array(record.observed, "u1", (-(-channels * samples // 8),), "observed")
    observed = np.unpackbits(bits, count=channels * samples).astype(np.bool_)
    rolling.grid = grid, observed.reshape(channels, samples)
    _require((record.baseline is None) == (rolling.baseline is None), "baseline")
    if rolling.baseline is not None:
        rolling.baseline.state = _array(record.baseline, "<f8", (3, channels), "baseline")
    _require((record.state is None) == (rolling.state is None), "state")
    if rolling.state is not None:
        state = _array(record.state, "<f4", rolling.state.shape, "state")
        _require(bool(np.isfinite(state).all()), "state")
        rolling.state = state
    rolling.done, rolling.coverage, rolling.end = record.done, record.coverage, record.end


def _check(record: Record, manifest: Manifest) -> None:
    """The numbers that are held against the manifest and each other."""
    count, step, tokens = len(manifest.channels), manifest.step, manifest.tokens
    _require(record.mode == "window" or step is not None, "mode")
    whole = step.samples if step is not None and record.mode == "step" else 1
    if tokens is not None:
        whole = tokens.patch
    _require(abs(record.midnight) <= (0 if tokens is None else LATEST), "midnight")
    _require(not record.impute or manifest.imputes, "impute")
    _require(0 < record.hop <= LONGEST_HOP * manifest.rate, "hop")
    _require(record.hop % whole == 0, "hop")
    _require(0 <= record.lateness <= LONGEST_LATENESS, "lateness")
    _require(len(record.rates) == count, "rates")
    _require(all(SLOWEST <= rate <= FASTEST for rate in record.rates), "rates")
    _require(len(record.tallies) == count, "tallies")
    for tally in record.tallies:
        counts = tally.samples, tally.late, tally.duplicate, tally.repaired
        _require(min(counts) >= 0, "tallies")
        _require(tally.last is None or abs(tally.last) <= LATEST, "tallies")
    _require(record.newest == -math.inf or abs(record.newest) <= LATEST, "newest")
    _require(not math.isnan(record.repaired_to), "repaired_to")
    _require(record.done >= 0 and record.done % whole == 0, "done")
    if record.origin is None:
        _require(record.done == 0, "origin")
    else:
        newest = record.newest - record.midnight
        _require(record.origin <= newest * manifest.rate + 1, "origin")
        _require(tokens is None or record.origin % record.hop == 0, "origin")
        _require(abs(record.origin) <= 2 * LATEST * manifest.rate + record.hop, "origin")
    _require(len(record.coverage) == count, "coverage")
    _require(all(0 <= share <= 1 for share in record.coverage), "coverage")
    _require(record.end is None or abs(record.end) <= 2 * LATEST, "end")


def _bytes(array: NDArray[Any], dtype: str) -> bytes:
    return array.astype(dtype, copy=False).tobytes()


def _array(raw: bytes | None, dtype: str, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    count = math.prod(shape)
    assert raw is not None
    _require(len(raw) % size == 0 and (count < 0 or len(raw) == count * size), what)
    return np.frombuffer(raw, dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InputError(f"{_ANOTHER}: its {what} cannot be those of a stream of this bundle")
