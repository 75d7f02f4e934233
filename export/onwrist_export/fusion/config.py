"""What a model of several sensors is made from, read from a TOML file.

`body-fusion.toml` is the shipped one; `body-fusion-pamap2.toml` is the same for PAMAP2.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_export.config import (
    Budget,
    Split,
    TaskConfig,
    Window,
    completed,
    convert_toml,
    read_config,
)
from onwrist_export.model.himae import HiMAEConfig
from onwrist_export.model.normalize import Scaling
from onwrist_runtime import manifest_checks
from onwrist_runtime.errors import BundleError, InputError
from onwrist_runtime.manifest import Channel, Record

DEFAULT = Path(__file__).parents[1] / "body-fusion.toml"

# Beyond this share of what a unit can measure, acceleration is clipped: impacts are rare, and
# eight bits must tell apart how gravity lies.
ACCELERATION_SHARE = 0.5

MOST_SENSORS = 8

Kind = Literal["early", "late", "uncertain", "hybrid"]
# What stands for the tokens of a sensor that is not there: nothing, one learned token for
# all, one for each sensor, or what the restoration decoder makes of the other sensors.
Fill = Literal["none", "mask", "memory", "restored"]


class Encoder(Record, kw_only=True):
    """The HiMAE of every sensor, see `HiMAEConfig`; `shared` is one for all of them."""

    widths: tuple[int, ...]
    activation: Literal["gelu", "relu"]
    shared: bool = False


class Fusion(Record, kw_only=True):
    """How sensors are brought together.

    Attributes
    ----------
    kind : "early" one encoder of all channels, "late" the mean over the sensors' own answers,
        "uncertain" their mean by calibrated confidence, "hybrid" attention between sensors.
    fill : what stands for a sensor that is not there; "hybrid" only.
    stop_gradient : whether restoration leaves what it restores from as it is.
    width, heads, layers : of the attention.
    least : coverage from which a sensor is there.
    """

    kind: Kind
    fill: Fill
    stop_gradient: bool
    width: int
    heads: int
    layers: int
    least: float


class Inertial(Record, kw_only=True):
    """An inertial unit of six channels: acceleration in g, then turning in degrees a second.

    `acceleration` and `turning` are the largest that it can measure; `rate` is its own in Hz.
    """

    rate: float
    acceleration: float
    turning: float

    def channels(self, sensor: str) -> tuple[Channel, ...]:
        return tuple(
            Channel(
                name=f"{sensor}_{kind}_{axis}",
                sensor=sensor,
                rate=self.rate,
                unit=unit,
                polarity="the device's own axes",
                minimum=-most,
                maximum=most,
                normalization="fixed",
                scale=most * share,
            )
            for kind, unit, most, share in (
                ("acc", "g", self.acceleration, ACCELERATION_SHARE),
                ("gyro", "dps", self.turning, 1.0),
            )
            for axis in "xyz"
        )


class Sensor(Record, kw_only=True):
    """A sensor: an inertial unit, or channels of its own."""

    name: str
    inertial: Inertial | None = None
    channels: tuple[Channel, ...] = ()

    @property
    def rows(self) -> tuple[Channel, ...]:
        """Its channels."""
        return self.channels if self.inertial is None else self.inertial.channels(self.name)


class Task(Record, kw_only=True):
    """A class task; its windows lie wholly in a label."""

    name: str
    labels: tuple[str, ...]

    @property
    def configured(self) -> TaskConfig:
        """The same as the cutting of windows takes it."""
        return TaskConfig(name=self.name, kind="class", labels=self.labels, hidden=1)


class Encoding(Budget, kw_only=True):
    """First stage: each encoder alone, on its sensor's answers and masked patches.

    `reconstruction` weighs the masked task, whose patches of `patch` samples are masked with
    the share `mask_ratio`.
    """

    patch: int
    mask_ratio: float
    reconstruction: float


class Fusing(Budget, kw_only=True):
    """Second stage: attention over frozen encoders with low-rank adapters, as in PhysioME.

    Attributes
    ----------
    sensor_dropout : share of windows that lose sensors, to a subset drawn evenly.
    token_mask : share of tokens that are hidden and predicted.
    contrast, prediction, restoration : weights of the losses beside the tasks'.
    temperature : of the contrast (NT-Xent).
    rank, alpha : of the adapters.
    """

    sensor_dropout: float
    token_mask: float
    contrast: float
    temperature: float
    prediction: float
    restoration: float
    rank: int
    alpha: float


class FusionConfig(Record, kw_only=True):
    """One model of several sensors, whole; `caveats` are Markdown for the card."""

    name: str
    version: str
    description: str
    licence: str
    attribution: str
    caveats: str
    seed: int
    window: Window
    encoder: Encoder
    fusion: Fusion
    sensors: tuple[Sensor, ...]
    classes: tuple[Task, ...]
    split: Split
    encode: Encoding
    fuse: Fusing

    # What the cutting of windows reads of any configuration
    context, baseline = 0, None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Those of all sensors, one sensor after the other."""
        return tuple(channel for sensor in self.sensors for channel in sensor.rows)

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)

    @property
    def tasks(self) -> tuple[TaskConfig, ...]:
        return tuple(task.configured for task in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sensors."""
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def rows(self) -> tuple[slice, ...]:
        """The rows of each sensor in a window."""
        found, start = [], 0
        for sensor in self.sensors:
            found.append(slice(start, start + len(sensor.rows)))
            start += len(sensor.rows)
        return tuple(found)

    def himae(self, channels: int) -> HiMAEConfig:
        """Sizes of an encoder of so many channels, which also reads where they are observed."""
        return HiMAEConfig(
            inputs=2 * channels,
            outputs=channels,
            widths=self.encoder.widths,
            rate=self.window.rate,
            samples=self.window.samples,
            activation=self.encoder.activation,
        )

    def scalings(self, rows: slice) -> list[Scaling]:
        """Of the channels in these rows."""
        return [Scaling(c.normalization, c.offset, c.scale) for c in self.channels[rows]]

    def with_fusion(self, **changes: object) -> FusionConfig:
        """The same with another way of fusing."""
        return msgspec.structs.replace(
            self, fusion=msgspec.structs.replace(self.fusion, **changes)
        )


def is_fusion_config(path: Path) -> bool:
    """Whether a TOML file describes a model of several sensors."""
    try:
        return "fusion" in completed(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, InputError):
        return False  # who loads it says what is wrong


def load_fusion_config(path: Path | None = None) -> FusionConfig:
    """Read a configuration; the shipped one without a path.

    Raises
    ------
    InputError
        The file is missing, is no TOML, has missing, unknown or mistyped fields, or
        contradicts itself.
    """
    return read_config(path or DEFAULT, _parse)


def _parse(text: str) -> FusionConfig:
    config = convert_toml(text, FusionConfig)
    try:
        manifest_checks.check_identity(
            config.name, config.version, config.description, config.licence
        )
        manifest_checks.check_window(
            config.window.rate, config.window.samples, len(config.channels)
        )
        manifest_checks.check_channels(config.channels)
    except BundleError as error:
        raise InputError(str(error).removeprefix("manifest.json: ")) from None
    _check(config)
    return config


def _check(config: FusionConfig) -> None:
    if not 2 <= len(config.sensors) <= MOST_SENSORS:
        raise InputError(
            f"there must be 2 to {MOST_SENSORS} sensors to fuse, not {len(config.sensors)}"
        )
    for sensor in config.sensors:
        if (sensor.inertial is None) == (not sensor.channels):
            raise InputError(f"sensor {sensor.name!r} must have either inertial or channels")
        if any(channel.sensor != sensor.name for channel in sensor.rows):
            raise InputError(f"the channels of {sensor.name!r} must have it as their sensor")
        if any(channel.normalization != "fixed" for channel in sensor.rows):
            raise InputError(f"the channels of {sensor.name!r} must be scaled by fixed numbers")
    if config.encoder.shared and len({len(sensor.rows) for sensor in config.sensors}) > 1:
        raise InputError("encoder: sensors of different channels cannot share one")
    depth = 2 ** len(config.encoder.widths)
    if config.window.samples % depth:
        raise InputError(
            f"window: samples must be a multiple of {depth}, which one sample of the last "
            f"stage stands for, not {config.window.samples}"
        )
    if config.fusion.width % config.fusion.heads:
        raise InputError(
            f"fusion: {config.fusion.heads} heads do not divide the width {config.fusion.width}"
        )
    for task in config.classes:
        if len(task.labels) < 2:
            raise InputError(f"task {task.name!r} needs two labels")
    for what, share in (
        ("fusion: least", config.fusion.least),
        ("fuse: sensor_dropout", config.fuse.sensor_dropout),
        ("fuse: token_mask", config.fuse.token_mask),
        ("encode: mask_ratio", config.encode.mask_ratio),
    ):
        if not 0 <= share <= 1:
            raise InputError(f"{what} must be from 0 to 1, not {share}")
