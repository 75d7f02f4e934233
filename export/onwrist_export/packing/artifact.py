"""The folder between `quantize`, `check` and `pack`: model files and where they come from.

checkpoint.*       the float weights, copied; checkpoint-step.* those of the step
source.json        `Source`: what the manifest and the card will say
model.*, step.*    the float graph and the three quantized files
parity.json        `Parity` by graph, once checked
results.json       `Results`, once checked on labelled recordings
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_export.config import Config, Split, Window, load_config
from onwrist_export.learning import store
from onwrist_export.learning.calibrate import RateRules
from onwrist_export.model import official
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.himae import HiMAE, HiMAEConfig
from onwrist_export.model.normalize import Scaling
from onwrist_export.packing.pack import Description, stages
from onwrist_export.packing.records import PARITY, RESULTS, SOURCE
from onwrist_export.quantization.quantize import STEMS
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel, Role, Step, Task

CHECKPOINTS: dict[Role, str] = {"window": "checkpoint", "step": "checkpoint-step"}


@dataclass(frozen=True)
class Source:
    """Where a quantized model comes from.

    Attributes
    ----------
    kind : "trained" has task heads, "pretrained" is our encoder alone, "official" one of
        the published code.
    description : for the manifest.
    encoder : sizes of the encoder.
    config : what it was trained with; None for an official checkpoint.
    commands : the commands that made it, in order.
    calibration : what the scales were chosen on, in words.
    excluded : layers kept in float.
    step : of the causal form, if there is one beside it.
    """

    kind: Literal["trained", "pretrained", "official"]
    description: Description
    encoder: HiMAEConfig
    config: Config | None
    rules: dict[str, RateRules]
    constants: dict[str, float]
    commands: list[str]
    calibration: str
    excluded: list[str]
    step: Step | None = None

    @property
    def roles(self) -> tuple[Role, ...]:
        """The graphs that the folder holds."""
        return ("window",) if self.step is None else ("window", "step")


def open_checkpoint(
    path: Path, rate: float | None = None, seconds: float | None = None
) -> tuple[DeployGraph, Source]:
    """The graph to export from any checkpoint, and its source so far.

    Raises
    ------
    CheckpointError
        Neither ours nor in the official layout, damaged, or in need of pickle code.
    InputError
        It is of a causal form.
    """
    kind = store.kind(path)
    if kind == "trained":
        trained, commands = store.load_trained(path)
        config, graph = trained.config, trained.graph
        _require_whole(path, config)
        description = _description(config, tasks=tuple(_tasks(config, trained.rules)))
        source = Source(
            "trained",
            description,
            config.himae,
            config,
            trained.rules,
            trained.constants,
            commands,
            "",
            [],
        )
        return graph, source
    if kind == "pretrained":
        model, config, commands = store.load_pretrained(path)
        _require_whole(path, config)
        graph = DeployGraph(
            model, config.scalings, observed_input=config.encoder.observed_input
        )
        source = Source(
            "pretrained", _description(config), config.himae, config, {}, {}, commands, "", []
        )
        return graph.eval(), source
    model = official.load(path, rate, seconds)
    channels = _official_channels(model)
    graph = DeployGraph(model, [Scaling("window")] * len(channels))
    description = Description(
        name=path.stem.replace("_", "-").lower(),
        version="1.0.0",
        description="HiMAE encoder from a checkpoint in the official layout; embedding only",
        licence="that of the checkpoint",
        rate=model.config.rate,
        samples=model.config.samples,
        channels=channels,
        embedding=stages(model.config),
    )
    return graph.eval(), Source("official", description, model.config, None, {}, {}, [], "", [])


def _require_whole(path: Path, config: Config) -> None:
    """Raise InputError for a causal form, which has no graph of windows."""
    if config.encoder.padding == "causal":
        raise InputError(
            f"{path} is a causal form, which runs in steps: name the checkpoint of whole "
            "windows, and this one with --step"
        )


def open_step(path: Path, source: Source) -> tuple[DeployGraph, list[str]]:
    """The causal graph that belongs to what `source` describes, and the commands behind it.

    Raises
    ------
    InputError
        It is of another configuration, or the other checkpoint has no heads to go with it.
    """
    if source.kind != "trained" or source.config is None:
        raise InputError(
            "a step goes with a model of its own tasks: give --step beside a checkpoint of "
            "`onwrist-export train`"
        )
    trained, commands = store.load_trained(path)
    wanted = source.config.causal
    # for how long, and from which seed, may differ
    budgets = {
        name: getattr(wanted, name) for name in ("seed", "pretrain", "train", "classify")
    }
    if msgspec.structs.replace(trained.config, **budgets) != wanted:
        raise InputError(
            f"{path} was not trained by `onwrist-export train --step` with the configuration "
            "of the checkpoint beside it; train both with the same --config"
        )
    return trained.graph, commands


def _description(config: Config, tasks: tuple[Task, ...] = ()) -> Description:
    return Description(
        name=config.name,
        version=config.version,
        description=config.description,
        licence=config.licence,
        rate=config.window.rate,
        samples=config.window.samples,
        channels=config.channels,
        embedding=stages(config.himae),
        tasks=tasks,
        baseline=config.baseline if tasks else None,
    )


def _tasks(config: Config, rules: dict[str, RateRules]) -> list[Task]:
    tasks = []
    # in the order of the graph's outputs: rates, then classes
    for task in sorted(config.tasks, key=lambda t: t.kind != "rate"):
        if task.kind == "rate":
            first = config.channels[0].name
            tasks.append(
                Task(
                    name=task.name,
                    kind="regression",
                    unit=task.unit,
                    required={first: rules[task.name].coverage},
                    minimum_confidence=rules[task.name].confidence,
                )
            )
        else:
            tasks.append(
                Task(
                    name=task.name,
                    kind="classification",
                    labels=task.labels,
                    required=task.required,
                    any_of=task.any_of,
                    minimum_confidence=task.minimum_confidence,
                )
            )
    return tasks


def _official_channels(model: HiMAE) -> tuple[Channel, ...]:
    count = model.config.inputs
    names = ("ppg",) if count == 1 else tuple(f"channel{k + 1}" for k in range(count))
    return tuple(
        Channel(
            name=name,
            sensor=name,
            rate=model.config.rate,
            unit="device units",
            polarity="that of the data it was trained on",
            minimum=-1e6,
            maximum=1e6,
            normalization="window",
        )
        for name in names
    )


def layout(source: Source, role: Role = "window") -> Config:
    """The configuration that cuts windows for a graph, made up for official ones."""
    what = source.description
    if source.config:
        config = source.config.causal if role == "step" else source.config
        return msgspec.structs.replace(config, baseline=what.baseline)
    return msgspec.structs.replace(
        load_config(),
        window=Window(rate=what.rate, samples=what.samples),
        channels=what.channels,
        tasks=(),
        baseline=None,
        split=Split(test=(), validation=()),
    )


class _Kind(msgspec.Struct):
    kind: str


def kind(folder: Path) -> str | None:
    """What kind of model `folder` holds; None where whoever reads it will say what is wrong."""
    try:
        return msgspec.json.decode((folder / SOURCE).read_bytes(), type=_Kind).kind
    except (OSError, msgspec.DecodeError):
        return None


def read_source(folder: Path) -> Source:
    """What `quantize` wrote about the model in `folder`."""
    try:
        return msgspec.json.decode((folder / SOURCE).read_bytes(), type=Source)
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {SOURCE}: name a folder that `onwrist-export quantize` wrote"
        ) from None
    except msgspec.DecodeError as error:
        raise InputError(f"{folder / SOURCE} is damaged: {error}") from None


def clear(folder: Path) -> None:
    """Remove what earlier steps left in `folder`, so that nothing of another model stays."""
    for name in (SOURCE, PARITY, RESULTS):
        (folder / name).unlink(missing_ok=True)
    stems = (f"{stem}.*" for role, stem in STEMS.items() if role != "window")
    for pattern in ("checkpoint*", *stems):
        for old in folder.glob(pattern):
            old.unlink()


def keep_checkpoint(folder: Path, checkpoint: Path, role: Role = "window") -> None:
    """Copy the float weights into `folder`, where `check` finds them."""
    shutil.copyfile(checkpoint, folder / f"{CHECKPOINTS[role]}{checkpoint.suffix}")


def kept_checkpoint(folder: Path) -> Path:
    """The float weights of the window graph in `folder`."""
    found = sorted(folder.glob(f"{CHECKPOINTS['window']}.*"))
    if not found:
        raise InputError(f"{folder} has no checkpoint: quantize again")
    return found[0]
