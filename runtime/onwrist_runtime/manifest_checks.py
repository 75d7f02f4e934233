"""A manifest in, the first thing in it that contradicts the format out, as a BundleError.

BUNDLE.md states the rules and their reasons.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from onwrist_runtime.manifest import (
    AFTER,
    BEFORE,
    CLOCK,
    EMBEDDING,
    ENCODED,
    IMPUTED,
    LIVE,
    NEXT_STATE,
    PRESENT,
    SCALE,
    SENSED,
    SLOTS,
    STATE,
    TOKENS,
    WEIGHTS,
    Baseline,
    Channel,
    Manifest,
    Stage,
    Task,
)
from onwrist_runtime.manifest_graphs import check_graphs
from onwrist_runtime.manifest_plausible import check_plausible
from onwrist_runtime.manifest_rules import (
    NAME,
    demand,
    finite,
    pattern,
    printable,
    share,
    unique,
)
from onwrist_runtime.manifest_sensors import check_availability, check_fusion
from onwrist_runtime.manifest_tokens import check_tokens

MOST = 256  # channels, stages, tasks, graphs
LARGEST_WINDOW = 2**24  # numbers
LARGEST_STATE = 2**20  # numbers
LONGEST_BASELINE = 86_400.0  # seconds
SLOWEST, FASTEST = 1e-3, 1e5  # Hz, of a channel

# The names of other inputs and outputs, which a task must not have.
RESERVED = frozenset(
    {EMBEDDING, IMPUTED, NEXT_STATE, STATE, "values", "observed", "baseline"}
    | {TOKENS, SLOTS, ENCODED, PRESENT, BEFORE, AFTER, CLOCK, SENSED, LIVE, WEIGHTS}
)

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")


def check(manifest: Manifest) -> None:
    """Raise BundleError for the first thing in a manifest that contradicts the format."""
    check_identity(manifest.name, manifest.version, manifest.description, manifest.licence)
    for what, records in (
        ("channels", manifest.channels),
        ("stages", manifest.embedding),
        ("tasks", manifest.tasks),
        ("graphs", manifest.graphs),
    ):
        demand(len(records) <= MOST, f"there are {len(records)} {what}, over {MOST}")
    check_window(manifest.rate, manifest.samples, len(manifest.channels))
    check_channels(manifest.channels)
    _check_embedding(manifest.embedding)
    channels = [channel.name for channel in manifest.channels]
    check_tasks(manifest.tasks, channels)
    check_streaming(manifest)
    check_tokens(manifest)
    sensors = {channel.name: channel.sensor for channel in manifest.channels}
    check_plausible(manifest.plausible, sensors)
    check_availability(manifest)
    check_fusion(manifest)
    check_graphs(manifest)
    _check_golden(manifest)


def check_identity(name: str, version: str, description: str, licence: str) -> None:
    """Raise BundleError unless these are plain."""
    pattern("the bundle's name", name, NAME)
    pattern("the version", version, _VERSION)
    printable("the description", description)
    printable("the licence", licence)


def check_window(rate: float, samples: int, channels: int) -> None:
    """Raise BundleError unless there can be such a window."""
    demand(
        math.isfinite(rate) and 0 < rate <= 10_000,
        f"the rate must be above 0 and at most 10000 Hz, not {rate}",
    )
    demand(
        0 < samples <= LARGEST_WINDOW // max(1, channels),
        f"a window must have at least 1 sample and at most {LARGEST_WINDOW} numbers, not "
        f"{channels} channels of {samples} samples",
    )


def check_channels(channels: Sequence[Channel]) -> None:
    """Raise BundleError for the first channel that contradicts itself or another."""
    demand(bool(channels), "there must be at least one channel")
    unique("channel", [channel.name for channel in channels])
    for channel in channels:
        where = f"channel {channel.name!r}"
        pattern("a channel's name", channel.name, NAME)
        pattern(f"{where}: the sensor", channel.sensor, NAME)
        printable(f"{where}: the unit", channel.unit)
        printable(f"{where}: the polarity", channel.polarity)
        finite(f"{where}: minimum, maximum, offset and scale", _numbers(channel))
        demand(
            channel.minimum < channel.maximum,
            f"{where}: minimum {channel.minimum} is not below maximum {channel.maximum}",
        )
        demand(channel.scale > 0, f"{where}: scale must be above 0, not {channel.scale}")
        demand(
            SLOWEST <= channel.rate <= FASTEST,
            f"{where}: the rate must be from {SLOWEST:g} to {FASTEST:g} Hz, not {channel.rate}",
        )
        demand(
            channel.normalization != "log" or channel.minimum >= 0,
            f"{where}: what is scaled by its logarithm is not below 0, but its minimum is "
            f"{channel.minimum}",
        )
    axes = Counter(channel.sensor for channel in channels)
    rates = {channel.sensor: channel.rate for channel in channels}
    for channel in channels:
        rate = rates[channel.sensor]
        demand(
            channel.rate == rate,
            f"channels of sensor {channel.sensor!r} have the rates {channel.rate} and {rate}",
        )
        alone = channel.name == channel.sensor and axes[channel.sensor] == 1
        demand(
            alone or channel.name not in axes,
            f"{channel.name!r} names both a channel and a sensor with other channels",
        )


def _numbers(channel: Channel) -> tuple[float, ...]:
    return channel.minimum, channel.maximum, channel.offset, channel.scale


def _check_embedding(stages: Sequence[Stage]) -> None:
    demand(bool(stages), "the embedding must have at least one stage")
    unique("stage", [stage.name for stage in stages])
    expected = 0
    for stage in stages:
        where = f"stage {stage.name!r}"
        pattern("a stage's name", stage.name, NAME)
        demand(
            stage.start == expected < stage.stop,
            f"{where}: its slice [{stage.start}, {stage.stop}) must start at {expected}, "
            "where the one before it stops, and must not be empty",
        )
        demand(
            stage.stride > 0 and stage.receptive_field > 0,
            f"{where}: stride and receptive field must be above 0",
        )
        expected = stage.stop
    demand(expected <= 1_000_000, f"the embedding has {expected} numbers, over 1000000")


def check_tasks(tasks: Sequence[Task], channels: Sequence[str]) -> None:
    """Raise BundleError for the first task that contradicts itself or the channels."""
    unique("task", [task.name for task in tasks])
    for task in tasks:
        _check_task(task, channels)


def _check_task(task: Task, channels: Sequence[str]) -> None:
    where = f"task {task.name!r}"
    pattern("a task's name", task.name, NAME)
    reserved = task.name in RESERVED or task.name.endswith(SCALE)
    demand(not reserved, f"a task must not be called {task.name!r}")
    if task.kind == "regression":
        demand(not task.labels, f"{where}: a regression has no labels")
        demand(task.unit is not None, f"{where}: a regression must state its unit")
    else:
        demand(len(task.labels) >= 2, f"{where}: a classification needs two labels")
        demand(task.unit is None, f"{where}: a classification has no unit")
    unique(f"{where}: label", task.labels)
    for text in (*task.labels, *([] if task.unit is None else [task.unit])):
        printable(f"{where}: a label or unit", text)
    for channel, least in (*task.required.items(), *task.any_of.items()):
        demand(
            channel in channels,
            f"{where}: coverage is asked of {channel!r}, but the channels are "
            + ", ".join(channels),
        )
        share(f"{where}: the coverage asked of {channel!r}", least)
    share(f"{where}: minimum_confidence", task.minimum_confidence)


def check_streaming(manifest: Manifest) -> None:
    """Raise BundleError unless baseline and step fit the window."""
    step, most = manifest.step, manifest.samples
    if manifest.baseline is not None:
        check_baseline(manifest.baseline, most)
    if step is not None:
        demand(
            step.samples > 0 and most % step.samples == 0,
            f"step: samples must divide the {most} of a window, not be {step.samples}",
        )
        demand(
            0 < step.state <= LARGEST_STATE,
            f"step: state must be from 1 to {LARGEST_STATE} numbers, not {step.state}",
        )


def check_baseline(baseline: Baseline, most: int) -> None:
    """Raise BundleError unless a baseline fits a window of `most` samples."""
    demand(
        math.isfinite(baseline.seconds) and 0 < baseline.seconds <= LONGEST_BASELINE,
        f"baseline: seconds must be above 0 and at most {LONGEST_BASELINE}, "
        f"not {baseline.seconds}",
    )
    demand(
        0 < baseline.samples <= most,
        f"baseline: samples must be from 1 to the {most} of a window, not {baseline.samples}",
    )


def _check_golden(manifest: Manifest) -> None:
    golden = manifest.golden
    demand(
        1 <= golden.windows <= 1024,
        f"there must be 1 to 1024 golden windows, not {golden.windows}",
    )
    least, most = (0, 0) if manifest.step is None else (1, 1024)
    demand(
        least <= golden.steps <= most,
        f"there must be {least} to {most} golden steps, not {golden.steps}",
    )
    outputs = list(manifest.outputs)
    for field, limits in (("tolerance", golden.tolerance), ("loose", golden.loose)):
        demand(
            set(limits) == set(outputs),
            f"golden: {field} must name the outputs {', '.join(outputs)}, "
            f"not {', '.join(limits) or 'none'}",
        )
        finite(f"golden: {field}", limits.values())
        demand(min(limits.values()) >= 0, f"golden: {field} must not be below 0")
