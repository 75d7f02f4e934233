"""manifest.json: bytes in, checked records out, and back.

Whatever is unknown, missing, mistyped or inconsistent is refused with a BundleError
in plain words; BUNDLE.md states the rules and their reasons.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from onwrist_runtime.errors import BundleError
from onwrist_runtime.manifest import (
    CARD_FILE,
    EMBEDDING,
    FORMAT_VERSION,
    NEXT_STATE,
    PARITY_FILE,
    STATE,
    Baseline,
    Channel,
    Manifest,
    Stage,
    Task,
)
from onwrist_runtime.strict_zip import FILE_NAME

MOST = 256  # channels, stages, tasks, graphs
LARGEST_WINDOW = 2**24  # numbers
LARGEST_STATE = 2**20  # numbers
LONGEST_BASELINE = 86_400.0  # seconds
SLOWEST, FASTEST = 1e-3, 1e5  # Hz, of a channel
RESERVED = (EMBEDDING, NEXT_STATE, STATE, "values", "observed", "baseline")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class _Versioned(msgspec.Struct):
    format: int


def decode(raw: bytes) -> Manifest:
    """Read and check the bytes of manifest.json.

    Raises
    ------
    BundleError
        Not JSON, of another format version, or inconsistent; the message says where.
    """
    try:
        version = msgspec.json.decode(raw, type=_Versioned).format
        if version != FORMAT_VERSION:
            raise BundleError(_other_version(version))
        manifest = msgspec.json.decode(raw, type=Manifest)
        json.loads(raw, object_pairs_hook=_refuse_repeated_keys)
        check(manifest)
    except BundleError:
        raise
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest.json: {error}") from None
    return manifest


def encode(manifest: Manifest) -> bytes:
    """The bytes of manifest.json; the same manifest gives the same bytes.

    Raises
    ------
    BundleError
        The manifest is inconsistent.
    """
    check(manifest)
    compact = msgspec.json.encode(manifest, order="deterministic")
    return msgspec.json.format(compact, indent=1) + b"\n"


def check(manifest: Manifest) -> None:
    """Raise BundleError for the first thing in a manifest that contradicts the format."""
    if manifest.format != FORMAT_VERSION:
        raise BundleError(_other_version(manifest.format))
    check_identity(manifest.name, manifest.version, manifest.description, manifest.licence)
    for what, records in (
        ("channels", manifest.channels),
        ("stages", manifest.embedding),
        ("tasks", manifest.tasks),
        ("graphs", manifest.graphs),
    ):
        _require(len(records) <= MOST, f"there are {len(records)} {what}, over {MOST}")
    check_window(manifest.rate, manifest.samples, len(manifest.channels))
    check_channels(manifest.channels)
    _check_embedding(manifest.embedding)
    channels = [channel.name for channel in manifest.channels]
    check_tasks(manifest.tasks, channels)
    check_streaming(manifest)
    _check_files(manifest)
    _check_golden(manifest)


def check_identity(name: str, version: str, description: str, licence: str) -> None:
    """Raise BundleError unless these are plain."""
    _pattern("the bundle's name", name, _NAME)
    _pattern("the version", version, _VERSION)
    _text("the description", description)
    _text("the licence", licence)


def check_window(rate: float, samples: int, channels: int) -> None:
    """Raise BundleError unless there can be such a window."""
    _require(
        math.isfinite(rate) and 0 < rate <= 10_000,
        f"the rate must be above 0 and at most 10000 Hz, not {rate}",
    )
    _require(
        0 < samples <= LARGEST_WINDOW // max(1, channels),
        f"a window must have at least 1 sample and at most {LARGEST_WINDOW} numbers, not "
        f"{channels} channels of {samples} samples",
    )


def check_channels(channels: Sequence[Channel]) -> None:
    """Raise BundleError for the first channel that contradicts itself or another."""
    _require(bool(channels), "there must be at least one channel")
    _unique("channel", [channel.name for channel in channels])
    for channel in channels:
        where = f"channel {channel.name!r}"
        _pattern("a channel's name", channel.name, _NAME)
        _pattern(f"{where}: the sensor", channel.sensor, _NAME)
        _text(f"{where}: the unit", channel.unit)
        _text(f"{where}: the polarity", channel.polarity)
        _finite(f"{where}: minimum, maximum, offset and scale", _numbers(channel))
        _require(
            channel.minimum < channel.maximum,
            f"{where}: minimum {channel.minimum} is not below maximum {channel.maximum}",
        )
        _require(channel.scale > 0, f"{where}: scale must be above 0, not {channel.scale}")
        _require(
            SLOWEST <= channel.rate <= FASTEST,
            f"{where}: the rate must be from {SLOWEST:g} to {FASTEST:g} Hz, not {channel.rate}",
        )
    axes = Counter(channel.sensor for channel in channels)
    rates = {channel.sensor: channel.rate for channel in channels}
    for channel in channels:
        rate = rates[channel.sensor]
        _require(
            channel.rate == rate,
            f"channels of sensor {channel.sensor!r} have the rates {channel.rate} and {rate}",
        )
        alone = channel.name == channel.sensor and axes[channel.sensor] == 1
        _require(
            alone or channel.name not in axes,
            f"{channel.name!r} names both a channel and a sensor with other channels",
        )


def _numbers(channel: Channel) -> tuple[float, ...]:
    return channel.minimum, channel.maximum, channel.offset, channel.scale


def _check_embedding(stages: Sequence[Stage]) -> None:
    _require(bool(stages), "the embedding must have at least one stage")
    _unique("stage", [stage.name for stage in stages])
    expected = 0
    for stage in stages:
        where = f"stage {stage.name!r}"
        _pattern("a stage's name", stage.name, _NAME)
        _require(
            stage.start == expected < stage.stop,
            f"{where}: its slice [{stage.start}, {stage.stop}) must start at {expected}, "
            "where the one before it stops, and must not be empty",
        )
        _require(
            stage.stride > 0 and stage.receptive_field > 0,
            f"{where}: stride and receptive field must be above 0",
        )
        expected = stage.stop
    _require(expected <= 1_000_000, f"the embedding has {expected} numbers, over 1000000")


def check_tasks(tasks: Sequence[Task], channels: Sequence[str]) -> None:
    """Raise BundleError for the first task that contradicts itself or the channels."""
    _unique("task", [task.name for task in tasks])
    for task in tasks:
        _check_task(task, channels)


def _check_task(task: Task, channels: Sequence[str]) -> None:
    where = f"task {task.name!r}"
    _pattern("a task's name", task.name, _NAME)
    _require(task.name not in RESERVED, f"a task must not be called {task.name!r}")
    if task.kind == "regression":
        _require(not task.labels, f"{where}: a regression has no labels")
        _require(task.unit is not None, f"{where}: a regression must state its unit")
    else:
        _require(len(task.labels) >= 2, f"{where}: a classification needs two labels")
        _require(task.unit is None, f"{where}: a classification has no unit")
    _unique(f"{where}: label", task.labels)
    for text in (*task.labels, *([] if task.unit is None else [task.unit])):
        _text(f"{where}: a label or unit", text)
    for channel, share in (*task.required.items(), *task.any_of.items()):
        _require(
            channel in channels,
            f"{where}: coverage is asked of {channel!r}, but the channels are "
            + ", ".join(channels),
        )
        _share(f"{where}: the coverage asked of {channel!r}", share)
    _share(f"{where}: minimum_confidence", task.minimum_confidence)


def check_streaming(manifest: Manifest) -> None:
    """Raise BundleError unless baseline and step fit the window."""
    step, most = manifest.step, manifest.samples
    if manifest.baseline is not None:
        check_baseline(manifest.baseline, most)
    if step is not None:
        _require(
            step.samples > 0 and most % step.samples == 0,
            f"step: samples must divide the {most} of a window, not be {step.samples}",
        )
        _require(
            0 < step.state <= LARGEST_STATE,
            f"step: state must be from 1 to {LARGEST_STATE} numbers, not {step.state}",
        )


def check_baseline(baseline: Baseline, most: int) -> None:
    """Raise BundleError unless a baseline fits a window of `most` samples."""
    _require(
        math.isfinite(baseline.seconds) and 0 < baseline.seconds <= LONGEST_BASELINE,
        f"baseline: seconds must be above 0 and at most {LONGEST_BASELINE}, "
        f"not {baseline.seconds}",
    )
    _require(
        0 < baseline.samples <= most,
        f"baseline: samples must be from 1 to the {most} of a window, not {baseline.samples}",
    )


def _check_files(manifest: Manifest) -> None:
    roles = {graph.role for graph in manifest.graphs}
    _require("window" in roles, "there must be at least one graph of a window")
    _require(
        ("step" in roles) == (manifest.step is not None),
        "there must be graphs of a step if and only if `step` describes them",
    )
    kinds = [(graph.role, graph.format, graph.activations) for graph in manifest.graphs]
    _require(len(set(kinds)) == len(kinds), f"two graphs are of the same kind: {kinds}")
    named = [graph.file for graph in manifest.graphs]
    named += [manifest.golden.file, PARITY_FILE, CARD_FILE]
    for name in named:
        _pattern("a file's name", name, FILE_NAME)
    _unique("file", named)
    _require("manifest.json" not in named, "it cannot name itself as a member")
    absent = sorted(set(named) - set(manifest.members))
    _require(not absent, f"members lists no {', '.join(absent)}")
    idle = sorted(set(manifest.members) - set(named))
    _require(not idle, f"nothing refers to the member {', '.join(map(repr, idle))}")
    for name, member in manifest.members.items():
        _require(member.bytes >= 0, f"member {name!r}: {member.bytes} is no size")
        _pattern(f"member {name!r}: sha256", member.sha256, _SHA256)


def _check_golden(manifest: Manifest) -> None:
    golden = manifest.golden
    _require(
        1 <= golden.windows <= 1024,
        f"there must be 1 to 1024 golden windows, not {golden.windows}",
    )
    least, most = (0, 0) if manifest.step is None else (1, 1024)
    _require(
        least <= golden.steps <= most,
        f"there must be {least} to {most} golden steps, not {golden.steps}",
    )
    outputs = list(manifest.outputs)
    for field, limits in (("tolerance", golden.tolerance), ("loose", golden.loose)):
        _require(
            set(limits) == set(outputs),
            f"golden: {field} must name the outputs {', '.join(outputs)}, "
            f"not {', '.join(limits) or 'none'}",
        )
        _finite(f"golden: {field}", limits.values())
        _require(min(limits.values()) >= 0, f"golden: {field} must not be below 0")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise BundleError(f"manifest.json: {problem}")


def _unique(what: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        _require(times == 1, f"{what} {name!r} appears twice")


def _pattern(what: str, value: str, pattern: re.Pattern[str]) -> None:
    _require(
        pattern.fullmatch(value) is not None,
        f"{what} is {value!r}, which does not match {pattern.pattern}",
    )


def _text(what: str, value: str) -> None:
    _require(
        len(value) <= 10_000 and all(c.isprintable() or c == "\n" for c in value),
        f"{what} must be at most 10000 printable characters, not {value[:80]!r}",
    )


def _finite(what: str, values: Iterable[float]) -> None:
    numbers = list(values)
    _require(all(map(math.isfinite, numbers)), f"{what} must be finite, not {numbers}")


def _share(what: str, value: float) -> None:
    _require(0 <= value <= 1, f"{what} must be between 0 and 1, not {value}")


def _other_version(version: int) -> str:
    return (
        f"manifest.json: this bundle is of format {version}, and this onwrist reads "
        f"format {FORMAT_VERSION} only; "
        + ("update onwrist" if version > FORMAT_VERSION else "pack the bundle again")
    )


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    _unique("key", (key for key, _ in pairs))
    return dict(pairs)
