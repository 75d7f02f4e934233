"""What is trained: channels, tasks, split and budgets, read from one TOML file.

`wrist-himae.toml` beside this module makes the shipped bundle; a copy of it with other
channels, tasks or subjects trains on other recordings without touching code. A file that is
`like` a shipped one states only what differs, as `wrist-himae-small.toml` does.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from onwrist_export.model.himae import HiMAEConfig
from onwrist_export.model.normalize import Scaling
from onwrist_runtime import manifest_checks
from onwrist_runtime.errors import BundleError, InputError
from onwrist_runtime.manifest import Baseline, Channel, Record, Task

C = TypeVar("C")
EXACT = 2**24  # up to here float32 counts every whole number
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


class Step(Record, kw_only=True):
    """The causal form that a stream runs in steps of `samples` grid points.

    It is trained with the state of `context` grid points before each window, and tuned for
    `steps` optimizer steps.
    """

    samples: int
    context: int
    steps: int


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
    baseline: Baseline | None = None
    step: Step | None = None
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
    def context(self) -> int:
        """Grid points before a window that its output depends on, as it is trained."""
        return 0 if self.encoder.padding == "same" or self.step is None else self.step.context

    @property
    def step_samples(self) -> int | None:
        """Grid points of a step if the encoder is causal."""
        return (
            None if self.encoder.padding == "same" or self.step is None else self.step.samples
        )

    @property
    def causal(self) -> Config:
        """The same with a causal encoder, which runs in steps.

        Raises
        ------
        InputError
            The configuration has no step.
        """
        if self.step is None:
            raise InputError("the configuration has no [step]: samples, context and steps")
        encoder = msgspec.structs.replace(self.encoder, padding="causal")
        tuning = msgspec.structs.replace(self.train, steps=self.step.steps)
        return msgspec.structs.replace(self, encoder=encoder, train=tuning)

    @property
    def hop(self) -> int:
        """Grid points between the windows that are trained and judged on: a quarter window."""
        return self.window.samples // 4

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
        The file is missing, is no TOML, has missing, unknown or mistyped fields, or
        contradicts itself.
    """
    return read_config(path or DEFAULT, parse_config)


def read_config(path: Path, parse: Callable[[str], C]) -> C:
    """What `parse` makes of the text of a file; each InputError names the file."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read configuration {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"configuration {path} is no text in UTF-8") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_config(text: str) -> Config:
    """A configuration from the text of its TOML file."""
    config = convert_toml(text, Config)
    check(config)
    return config


def convert_toml(text: str, kind: type[C]) -> C:
    """The fields of a record from the text of a TOML file.

    Raises
    ------
    InputError
        It is no TOML, is like none that ships, or has missing, unknown or mistyped fields.
    """
    try:
        return msgspec.convert(completed(tomllib.loads(text)), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(str(error)) from None


def completed(stated: dict[str, Any]) -> dict[str, Any]:
    """What is stated over what it is `like`; of a table, field by field."""
    if "like" not in stated:
        return stated
    shipped = {path.stem: path for path in sorted(DEFAULT.parent.glob("*.toml"))}
    like = str(stated.pop("like"))
    if like not in shipped:
        raise InputError(f"like = {like!r}: choose from {', '.join(shipped)}")
    whole = completed(tomllib.loads(shipped[like].read_text(encoding="utf-8")))
    for name, value in stated.items():
        both = isinstance(value, dict) and isinstance(whole.get(name), dict)
        whole[name] = whole[name] | value if both else value
    return whole


def check(config: Config) -> None:
    """Raise InputError for the first thing in a configuration that cannot be trained.

    What a bundle must hold later is asked of it by the bundle's own rules.
    """
    channels, window = config.channels, config.window
    try:
        manifest_checks.check_identity(
            config.name, config.version, config.description, config.licence
        )
        manifest_checks.check_window(window.rate, window.samples, len(channels))
        manifest_checks.check_channels(channels)
        tasks = [_described(task) for task in config.tasks]
        manifest_checks.check_tasks(tasks, config.channel_names)
        if config.baseline is not None:
            manifest_checks.check_baseline(config.baseline, window.samples)
    except BundleError as error:
        raise InputError(str(error).removeprefix("manifest.json: ")) from None
    _check_numbers(config)
    kinds = [channel.normalization for channel in channels]
    if kinds != sorted(kinds, reverse=True):
        raise InputError(
            "channels scaled by their window must come before the fixed ones, not "
            + ", ".join(f"{c.name} ({c.normalization})" for c in channels)
        )
    least = 2 ** (len(config.encoder.widths) + 1)
    if window.samples < least:
        raise InputError(
            f"window: an encoder of {len(config.encoder.widths)} stages, each of which halves "
            f"time, needs at least {least} samples, not {window.samples}"
        )
    both = sorted({*config.split.test} & {*config.split.validation})
    if both:
        raise InputError(f"split: {', '.join(both)} in both test and validation")
    if config.baseline is not None and all(task.kind == "rate" for task in config.tasks):
        raise InputError("baseline: no class task is there to read it; leave [baseline] out")
    _check_step(config)
    for task in config.tasks:
        _check_task(task, window)


def _described(task: TaskConfig) -> Task:
    return Task(
        name=task.name,
        kind="regression" if task.kind == "rate" else "classification",
        unit=task.unit,
        labels=task.labels,
        required=task.required,
        any_of=task.any_of,
        minimum_confidence=task.minimum_confidence,
    )


def _check_numbers(config: Config) -> None:
    if not config.encoder.widths:
        raise InputError("encoder: widths must name at least one stage")
    for number, width in enumerate(config.encoder.widths, start=1):
        _above_zero(f"encoder: width {number}", width)
    for name in ("pretrain", "train", "classify"):
        budget: Budget = getattr(config, name)
        for field in ("steps", "batch", "learning_rate"):
            _above_zero(f"{name}: {field}", getattr(budget, field))
        _not_below_zero(f"{name}: weight_decay", budget.weight_decay)
    _above_zero("pretrain: patch", config.pretrain.patch)
    if not 0 < config.pretrain.mask_ratio < 1:
        raise InputError(
            f"pretrain: mask_ratio must be between 0 and 1, not {config.pretrain.mask_ratio}"
        )
    _not_below_zero("train: reconstruction", config.train.reconstruction)
    _above_zero("train: reconstruction_batch", config.train.reconstruction_batch)
    _not_below_zero("seed", config.seed)


def _check_step(config: Config) -> None:
    step, window = config.step, config.window
    if step is None:
        if config.encoder.padding == "causal":
            raise InputError("an encoder with causal padding needs a [step]")
        return
    least = 2 ** len(config.encoder.widths)
    if step.samples <= 0 or step.samples % least or window.samples % step.samples:
        raise InputError(
            f"step: samples must be a multiple of {least}, which one sample of the last stage "
            f"stands for, and divide the window's {window.samples}, not {step.samples}"
        )
    if window.samples // 2 * 255**2 > EXACT:
        raise InputError(
            f"step: a window of {window.samples} samples is too long for steps: sums of "
            "squares of 8-bit numbers over it would not be exact in float32, and drift in a "
            f"long stream; it may have {EXACT // 255**2 * 2} samples"
        )
    _above_zero("step: steps", step.steps)
    if step.context < 0 or step.context % step.samples:
        raise InputError(
            f"step: context must be a multiple of the step's {step.samples} samples, not "
            f"{step.context}"
        )


def _check_task(task: TaskConfig, window: Window) -> None:
    where = f"task {task.name!r}"
    _above_zero(f"{where}: hidden", task.hidden)
    if task.kind == "class":
        if len(task.labels) != 2:
            raise InputError(f"{where}: a class task has two labels, not {list(task.labels)}")
        return
    if not 0 < task.lowest < task.highest < math.inf:
        raise InputError(
            f"{where}: lowest must be above 0 and below highest, not {task.lowest} and "
            f"{task.highest}"
        )
    _above_zero(f"{where}: tolerance", task.tolerance)
    seconds = window.samples / window.rate
    if not 0 <= task.label_seconds <= seconds:
        raise InputError(
            f"{where}: label_seconds must be from 0 to the window's {seconds:g} s, not "
            f"{task.label_seconds}"
        )


def _above_zero(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise InputError(f"{what} must be above 0, not {value}")


def _not_below_zero(what: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise InputError(f"{what} must not be below 0, not {value}")
