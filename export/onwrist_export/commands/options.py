"""Options and output that several commands share."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch

from onwrist_export import config as windows
from onwrist_export.config import Config, load_config
from onwrist_export.days import config as days
from onwrist_export.days.config import DayConfig, load_day_config
from onwrist_export.fusion import config as fusion
from onwrist_export.fusion.config import FusionConfig, load_fusion_config
from onwrist_export.quantization.elsewhere import PACKAGES
from onwrist_runtime.errors import InputError

C = TypeVar("C", Config, DayConfig, FusionConfig)
SHIPPED = {
    "wrist-himae": windows.DEFAULT,
    "wrist-himae-small": windows.DEFAULT.with_name("wrist-himae-small.toml"),
    "day-lsm2": days.DEFAULT,
    "body-fusion": fusion.DEFAULT,
    "body-fusion-pamap2": fusion.DEFAULT.with_name("body-fusion-pamap2.toml"),
}


def positive(text: str) -> int:
    """A whole number above 0, as an argparse type."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def natural(text: str) -> int:
    """A whole number, 0 or more, as an argparse type."""
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def add_recordings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recordings",
        type=Path,
        metavar="RECORDINGS",
        help="folder of recordings in any format that `onwrist predict` reads",
    )


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PATH", help=what)


def add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="NAME_OR_TOML",
        default="wrist-himae",
        help="channels, tasks and budgets: "
        f"{', '.join(SHIPPED)} (default: wrist-himae), or a TOML file",
    )
    parser.add_argument(
        "--step", action="store_true", help="the causal form, which streams run in steps"
    )
    parser.add_argument("--seed", type=natural, help="instead of the configured seed")
    parser.add_argument(
        "--steps", type=positive, help="instead of the configured number of steps"
    )
    add_threads(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=positive, default=1, help="threads of PyTorch (default: 1)"
    )


def add_elsewhere(parser: argparse.ArgumentParser) -> None:
    for engine in PACKAGES:
        parser.add_argument(
            f"--{engine}",
            metavar="PYTHON",
            help=f"the Python of an environment with {engine}: try every TFLite file in it, "
            "and say in the bundle what came of it",
        )


def elsewhere(arguments: argparse.Namespace) -> dict[str, str]:
    """The Pythons that `add_elsewhere` asked for, by engine."""
    given = ((engine, vars(arguments)[engine.replace("-", "_")]) for engine in PACKAGES)
    return {engine: python for engine, python in given if python}


def configured(arguments: argparse.Namespace, part: str) -> Config:
    """The configuration with the options applied, `--steps` to `part`; threads set."""
    torch.set_num_threads(arguments.threads)
    config = load_config(_file(arguments))
    return _with_options(config.causal if arguments.step else config, arguments, part)


def day_configured(arguments: argparse.Namespace, part: str) -> DayConfig | None:
    """The same of a day model; None if the configuration is of another one."""
    path = _file(arguments)
    if not days.is_day_config(path):
        return None
    if arguments.step:
        raise InputError("--step: a day model has no causal form; its streams need none")
    torch.set_num_threads(arguments.threads)
    return _with_options(load_day_config(path), arguments, part)


def fusion_configured(arguments: argparse.Namespace, part: str) -> FusionConfig | None:
    """The same of a model of several sensors; None if the configuration is of another one."""
    path = _file(arguments)
    if not fusion.is_fusion_config(path):
        return None
    if arguments.step:
        raise InputError("--step: a model of several sensors has no causal form")
    torch.set_num_threads(arguments.threads)
    return _with_options(load_fusion_config(path), arguments, part)


def _file(arguments: argparse.Namespace) -> Path:
    return SHIPPED.get(arguments.config, Path(arguments.config))


def _with_options(config: C, arguments: argparse.Namespace, part: str) -> C:
    if arguments.seed is not None:
        config = msgspec.structs.replace(config, seed=arguments.seed)
    if arguments.steps is not None:
        budget = msgspec.structs.replace(getattr(config, part), steps=arguments.steps)
        config = msgspec.structs.replace(config, **{part: budget})
    return config


def say(text: str) -> None:
    """Progress, for people: to stderr."""
    print(text, file=sys.stderr, flush=True)


def watching() -> bool:
    """Whether somebody sees a progress bar."""
    return sys.stderr.isatty()


def command_line() -> str:
    """The command as it was given, for the card; paths are cut to their last two parts."""
    words = []
    for word in sys.argv[1:]:
        path = Path(word)
        words.append(str(Path(*path.parts[-2:])) if path.is_absolute() else word)
    return shlex.join(["onwrist-export", *words])


def finish(arguments: argparse.Namespace, result: dict[str, Any], text: str) -> int:
    """Print the result, as JSON if asked, and give the exit code of success."""
    print(msgspec.json.encode(result).decode() if arguments.json else text)
    return 0
