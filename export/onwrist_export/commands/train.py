"""Tune a pretrained encoder with its task heads and calibrate them."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import torch

from onwrist_export.commands.options import (
    add_output,
    add_recordings,
    add_training,
    command_line,
    configured,
    finish,
    say,
    watching,
)
from onwrist_export.config import Config
from onwrist_export.learning import store, train
from onwrist_export.model.himae import HiMAE
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
    add_output(parser, "checkpoint to write (.safetensors)")
    add_training(parser)


def run(arguments: argparse.Namespace) -> int:
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
    if made_with.himae != config.himae or made_with.scalings != config.scalings:
        raise InputError(
            f"{arguments.encoder} was pretrained with other channels, window or encoder sizes "
            "than the configuration asks for; pretrain with the same --config"
        )
    if made_with.split != config.split:
        raise InputError(
            f"{arguments.encoder} was pretrained on another split; its test subjects are "
            f"{list(made_with.split.test)}, the configuration's {list(config.split.test)}"
        )
    return model, commands
