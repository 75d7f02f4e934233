"""What is trained: channels, tasks, split and budgets, read from one TOML file.

`wrist-himae.toml` beside this module makes the shipped bundle; a copy of it with other
channels, tasks or subjects trains on other recordings without touching code.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_export.model.himae import HiMAEConfig
from onwrist_export.model.normalize import Scaling
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel, Record

DEFAULT = Path(__file__).with_name("wrist-himae.toml")


class Window(Record, kw_only=True):
    """Grid rate in Hz and samples of a window."""

    rate: float
    samples: int


class Encoder(Record, kw_only=True):
    """The HiMAE that is trained, see `HiMAEConfig`."""

    widths: tuple[int, ...]
    activation: Literal["gelu", "relu"]
    padding: Literal["same", "causal"]
    observed_input: bool


class TaskConfig(Record, kw_only=True):
    """A task, how windows get its label, and when its output may be believed.

    A "rate" takes the duration-weighted mean of the label spans inside a window, which
    must cover `label_seconds` of it; a "class" needs the whole window in one span.
    When a class may be believed is configured: `required` is the least coverage by
    channel, `any_of` the coverage that at least one of the named channels must reach. A
    rate's own rules are fitted on validation subjects; `tolerance` is the error, in
    `unit`, that its confidence is the probability of not exceeding.
    """

    name: str
    kind: Literal["rate", "class"]
    unit: str | None = None
    labels: tuple[str, ...] = ()
    label_seconds: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    tolerance: float = 0.0
    hidden: int
    required: dict[str, float] = msgspec.field(default_factory=dict)
    any_of: dict[str, float] = msgspec.field(default_factory=dict)
    minimum_confidence: float = 0.0


class Split(Record, kw_only=True):
    """Subjects that are never trained or tuned on, and those that choices are made on."""

    test: tuple[str, ...]
    validation: tuple[str, ...]


class Budget(Record, kw_only=True):
    """Optimizer steps, windows a step, learning rate and weight decay (AdamW)."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float


class Pretraining(Budget, kw_only=True):
    """Masked autoencoding: patch length in samples and the share of patches masked."""

    patch: int
    mask_ratio: float


class Tuning(Budget, kw_only=True):
    """Supervised tuning beside the masked task, so that the encoder forgets no channel.

    Each step adds the masked task's loss, times `reconstruction`, over
    `reconstruction_batch` windows of which any channel may be gone.
    """

    reconstruction: float
    reconstruction_batch: int


class Config(Record, kw_only=True):
    """One training configuration, whole; `caveats` are Markdown for the card."""

    name: str
    version: str
    description: str
    licence: str
    attribution: str
    seed: int
    window: Window
    encoder: Encoder
    channels: tuple[Channel, ...]
    tasks: tuple[TaskConfig, ...]
    split: Split
    pretrain: Pretraining
    train: Tuning
    classify: Budget
    caveats: str = ""

    @property
    def himae(self) -> HiMAEConfig:
        inputs = len(self.channels) * (2 if self.encoder.observed_input else 1)
        return HiMAEConfig(
            inputs=inputs,
            outputs=len(self.channels),
            widths=self.encoder.widths,
            rate=self.window.rate,
            samples=self.window.samples,
            activation=self.encoder.activation,
            padding=self.encoder.padding,
        )

    @property
    def scalings(self) -> list[Scaling]:
        return [Scaling(c.normalization, c.offset, c.scale) for c in self.channels]

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.channels)

    def task(self, name: str) -> TaskConfig:
        for task in self.tasks:
            if task.name == name:
                return task
        raise InputError(
            f"no task {name!r}; the configuration has {[t.name for t in self.tasks]}"
        )


def load_config(path: Path | None = None) -> Config:
    """Read a configuration; the shipped one without a path.

    Raises
    ------
    InputError
        The file is missing, is no TOML, or has missing, unknown or mistyped fields.
    """
    path = path or DEFAULT
    try:
        return parse_config(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read configuration {path}: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_config(text: str) -> Config:
    """A configuration from the text of its TOML file."""
    try:
        return msgspec.convert(tomllib.loads(text), Config)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(str(error)) from None
