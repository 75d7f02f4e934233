"""What a day model is made from, read from a TOML file; `day-lsm2.toml` is the shipped one."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Literal

from onwrist_export.config import Budget, convert_toml, read_config
from onwrist_export.model.lsm2 import DAY, SIZES, LSM2Config, Scale
from onwrist_runtime.errors import BundleError, InputError
from onwrist_runtime.manifest import Channel, Group, Record
from onwrist_runtime.manifest_checks import check_channels

DEFAULT = Path(__file__).parents[1] / "day-lsm2.toml"

# What was never observed is inherited as a mask, or filled in before an ordinary masked
# autoencoder sees the day: by straight lines, or by the zero of the model's scale.
Missing = Literal["inherited", "linear", "zero"]


class Pretraining(Budget, kw_only=True):
    """Masked training.

    Attributes
    ----------
    dropout : share of the tokens that is dropped before the encoder, masked ones first.
    spans : share of batches that hide spans of minutes instead, and drop no token.
    single : share of the other windows that also lose one channel of a group of several.
    shift : a window's interpolated channel is moved by up to so much, in its unit: people
        differ in its level by more than the few that there are can show.
    unit_dropout : share of units of each layer that is left out.
    bend : error on the model's scale from which on the loss is linear.
    weights : of each channel in the loss.
    """

    dropout: float
    spans: float
    single: float
    shift: float
    unit_dropout: float
    bend: float
    weights: tuple[float, ...]


class Probe(Budget, kw_only=True):
    """Active minutes after the window, from its embedding.

    Attributes
    ----------
    name : of the task; its unit is minutes.
    channel : the channel that is above 0 in an active minute.
    minutes : after the window, in which active ones are counted.
    tolerance : the error in minutes that confidence is the probability of not exceeding.
    hidden : width of the head's layer.
    required : least coverage by channel.
    """

    name: str
    channel: str
    minutes: int
    tolerance: float
    hidden: int
    required: dict[str, float]


class DayConfig(Record, kw_only=True):
    """A day model: what it is called, reads, predicts, and how it is trained."""

    name: str
    version: str
    description: str
    licence: str
    attribution: str
    caveats: str
    seed: int
    size: str
    patch: int
    sizes: tuple[int, ...]
    interpolated: str
    channels: tuple[Channel, ...]
    groups: tuple[Group, ...]
    pretrain: Pretraining
    probe: Probe

    @property
    def lsm2(self) -> LSM2Config:
        """The sizes of the model."""
        return dataclasses.replace(
            SIZES[self.size],
            channels=len(self.channels),
            patch=self.patch,
            groups=tuple(tuple(map(self.row, group.channels)) for group in self.groups),
            least=tuple(group.least for group in self.groups),
            interpolated=self.row(self.interpolated),
        )

    @property
    def scales(self) -> tuple[Scale, ...]:
        """How the model scales each channel."""
        return tuple(
            Scale(c.offset, c.scale, c.normalization == "log", c.minimum, c.maximum)
            for c in self.channels
        )

    def row(self, channel: str) -> int:
        """The row of a channel in a window."""
        return [each.name for each in self.channels].index(channel)


def is_day_config(path: Path) -> bool:
    """Whether a TOML file describes a day model: it has groups of channels."""
    try:
        return "groups" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False  # who loads it says what is wrong


def load_day_config(path: Path | None = None) -> DayConfig:
    """Read a configuration; the shipped one without a path.

    Raises
    ------
    InputError
        The file is missing, is no TOML, has missing, unknown or mistyped fields, or
        contradicts itself.
    """
    return read_config(path or DEFAULT, _parse)


def _parse(text: str) -> DayConfig:
    config = convert_toml(text, DayConfig)
    try:
        _check(config)
    except BundleError as error:
        raise InputError(str(error)) from None
    return config


def _check(config: DayConfig) -> None:
    check_channels(config.channels)
    names = [channel.name for channel in config.channels]
    if config.size not in SIZES:
        raise InputError(f"there is no size {config.size!r}; choose from {', '.join(SIZES)}")
    if config.patch < 1 or DAY % config.patch:
        raise InputError(f"patch must divide the {DAY} minutes of a day, not be {config.patch}")
    grouped = [name for group in config.groups for name in group.channels]
    if sorted(grouped) != sorted(names):
        raise InputError(f"the groups hold {', '.join(grouped)}, the channels are {names}")
    for group in config.groups:
        if not 1 <= group.least <= config.patch:
            raise InputError(
                f"least of group {group.name} must be from 1 to the {config.patch} minutes of "
                f"a patch, not {group.least}"
            )
    whole = config.lsm2.tokens
    if list(config.sizes) != sorted({*config.sizes, whole}) or config.sizes[0] < 1:
        raise InputError(
            f"sizes must ascend to all {whole} tokens of a day, not be {list(config.sizes)}"
        )
    for name in config.probe.required:
        if name not in names:
            raise InputError(f"probe.required: no channel {name!r}; the channels are {names}")
    for name in (config.interpolated, config.probe.channel):
        if name not in names:
            raise InputError(f"there is no channel {name!r}; the channels are {names}")
    if len(config.pretrain.weights) != len(names):
        raise InputError(f"pretrain.weights must be {len(names)} numbers, one for each channel")
    for what, share in (
        ("dropout", config.pretrain.dropout),
        ("spans", config.pretrain.spans),
        ("unit_dropout", config.pretrain.unit_dropout),
        ("single", config.pretrain.single),
    ):
        if not 0 <= share <= 1:
            raise InputError(f"pretrain.{what} must be from 0 to 1, not {share}")
