"""Tune a pretrained encoder with its task heads, or train class heads alone; calibrate.

Of several sensors, train what fuses them on the encoders that `pretrain` wrote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import torch

from onwrist.readers.fitbit_grid import people
from onwrist_export.commands.options import (
    add_output,
    add_recordings,
    add_training,
    command_line,
    configured,
    day_configured,
    finish,
    fusion_configured,
    say,
    watching,
)
from onwrist_export.config import Config
from onwrist_export.days import probe
from onwrist_export.days import store as days
from onwrist_export.days.config import DayConfig
from onwrist_export.fusion import learn
from onwrist_export.fusion import store as fusions
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.learning import store, train
from onwrist_export.model.himae import HiMAE
from onwrist_export.packing.fusion_windows import training
from onwrist_export.windows.grids import load_grids
from onwrist_runtime.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recordings(parser)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument(
        "--encoder",
        type=Path,
        metavar="CHECKPOINT",
        help="encoder that `onwrist-export pretrain` wrote",
    )
    start.add_argument("--from-scratch", action="store_true", help="start from random weights")
    start.add_argument(
        "--heads",
        type=Path,
        metavar="CHECKPOINT",
        help="train the class heads alone, on the encoder and rates that `train` wrote here",
    )
    add_output(parser, "checkpoint to write (.safetensors)")
    add_training(parser)


def run(arguments: argparse.Namespace) -> int:
    if (day := day_configured(arguments, "probe")) is not None:
        return _days(arguments, day)
    if (several := fusion_configured(arguments, "fuse")) is not None:
        return _fusion(arguments, several)
    if arguments.heads:
        config = configured(arguments, "classify")
        made, commands = store.load_trained(arguments.heads)
        _require_same(arguments.heads, made.config, config)
        _require_same_rates(arguments.heads, made.config, config)
        grids = load_grids(arguments.recordings, config)
        trained = train.train_heads(made, grids, config, say)
    else:
        config = configured(arguments, "train")
        encoder, commands = _encoder(arguments, config)
        grids = load_grids(arguments.recordings, config)
        trained = train.train(encoder, grids, config, say, progress=watching())
    store.save_trained(arguments.output, trained, [*commands, command_line()])
    rules = msgspec.to_builtins(trained.rules)
    result = {"checkpoint": str(arguments.output), "rules": rules}
    return finish(arguments, result, f"wrote {arguments.output}")


def _encoder(arguments: argparse.Namespace, config: Config) -> tuple[HiMAE, list[str]]:
    if arguments.from_scratch:
        torch.manual_seed(config.seed)
        return HiMAE(config.himae), []
    model, made_with, commands = store.load_pretrained(arguments.encoder)
    _require_same(arguments.encoder, made_with, config)
    return model, commands


def _require_same(path: Path, made_with: Config, config: Config) -> None:
    """Raise InputError unless what is kept of a checkpoint fits, and saw no test subject."""
    if made_with.encoder.padding != config.encoder.padding:
        how = "with" if made_with.encoder.padding == "causal" else "without"
        raise InputError(f"{path} was trained {how} --step; train what follows {how} it too")
    if made_with.himae != config.himae or made_with.scalings != config.scalings:
        raise InputError(
            f"{path} was trained with other channels, window or encoder sizes than the "
            "configuration asks for; use the same --config"
        )
    if made_with.split != config.split:
        raise InputError(
            f"{path} was trained on another split; its test subjects are "
            f"{list(made_with.split.test)}, the configuration's {list(config.split.test)}"
        )


def _require_same_rates(path: Path, made_with: Config, config: Config) -> None:
    had, wanted = ([t for t in c.tasks if t.kind == "rate"] for c in (made_with, config))
    if had != wanted:
        raise InputError(
            f"{path} was trained for other rates than the configuration asks for; its class "
            "heads alone cannot be trained for these"
        )


def _days(arguments: argparse.Namespace, config: DayConfig) -> int:
    """The heads of a day model, on its frozen encoder."""
    if arguments.encoder is None:
        raise InputError("a day model's heads need a pretrained encoder: --encoder CHECKPOINT")
    model, made, commands = days.load_pretrained(arguments.encoder)
    if made.lsm2 != config.lsm2 or made.channels != config.channels:
        raise InputError(f"{arguments.encoder} is of another day model than --config says")
    given = probe.examples(people(arguments.recordings), model, config, config.seed)
    say(f"fitting {config.probe.name} on {len(given.truth)} examples")
    head, reached = probe.fit(given, config)
    name = config.probe.name
    trained = days.Trained(
        msgspec.structs.replace(config, pretrain=made.pretrain),
        model,
        torch.nn.ModuleDict({name: head}),
        {name: probe.LEAST_CONFIDENCE},
        {name: reached},
    )
    days.save(arguments.output, trained, [*commands, command_line()])
    result = {"checkpoint": str(arguments.output), name: reached}
    return finish(
        arguments,
        result,
        f"wrote {arguments.output}; {name}: error {reached['mae']:.2f} min, of the median "
        f"{reached['mae_median']:.2f}, r2 {reached['r2']:.3f}, on people not fitted on",
    )


def _fusion(arguments: argparse.Namespace, config: FusionConfig) -> int:
    """Attention between sensors, on their encoders."""
    if arguments.encoder is None:
        raise InputError("fusion needs the encoders of its sensors: --encoder CHECKPOINT")
    if config.fusion.kind != "hybrid":
        raise InputError(
            f"{config.fusion.kind!r} fusion has nothing to train on top of its encoders; only "
            "'hybrid' has"
        )
    encoded, made, commands = fusions.load_encoded(arguments.encoder)
    for what in ("window", "encoder", "sensors", "classes", "split"):
        if getattr(made, what) != getattr(config, what):
            raise InputError(
                f"{arguments.encoder} was trained with another [{what}] than --config says"
            )
    windows = training(arguments.recordings, config)
    people = len(set(windows.subjects.tolist()))
    say(f"fusing on {people} people, {len(windows)} windows, {config.fuse.steps} steps")
    merged = learn.fuse(encoded, windows, config, progress=watching())
    config = msgspec.structs.replace(config, encode=made.encode)
    fusions.save(arguments.output, merged, config, [*commands, command_line()])
    result = {"checkpoint": str(arguments.output)}
    return finish(arguments, result, f"wrote {arguments.output}")
