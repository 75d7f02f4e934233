"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from onwrist.bundles import DEFAULT
from onwrist_runtime.engines import ENGINES
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest


def add_model(parser: argparse.ArgumentParser) -> None:
    """--bundle and --engine."""
    parser.add_argument(
        "--bundle",
        default=DEFAULT,
        metavar="NAME|PATH",
        help="a bundle that comes with onwrist, or a .onwrist file (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=list(ENGINES),
        help="default: the first of these that is installed and can run the bundle",
    )


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The bundle as the one argument."""
    parser.add_argument(
        "bundle",
        nargs="?",
        default=DEFAULT,
        metavar="BUNDLE",
        help="a bundle that comes with onwrist, or a .onwrist file (default: %(default)s)",
    )


def add_user(parser: argparse.ArgumentParser) -> None:
    """--user."""
    parser.add_argument(
        "--user",
        metavar="ID",
        help="files of several recordings: whose, or which; a history of years: such as 2024",
    )


def add_clock(parser: argparse.ArgumentParser) -> None:
    """--utc-offset."""
    parser.add_argument(
        "--utc-offset",
        type=hours,
        metavar="HOURS",
        help="bundles of days: how far local time is ahead of the recording's clock, such as "
        "-4 for Unix time in New York (default: 0, the clock is local)",
    )


def add_table(
    parser: argparse.ArgumentParser,
    rate_help: str = "tables: native rate of a channel instead of the estimated one",
) -> None:
    """--column and --rate."""
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        type=pair,
        metavar="CHANNEL=HEADER",
        help="tables: the column of a channel or of time, with its unit if another, "
        'as in "acc_x=AccX [mg]"; can be repeated',
    )
    parser.add_argument(
        "--rate",
        action="append",
        default=[],
        type=rate,
        metavar="CHANNEL=HERTZ",
        help=rate_help,
    )


def figure(text: str) -> Path:
    """A path that matplotlib can write to: .png, .pdf or .svg."""
    path = Path(text)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png, .pdf or .svg")
    return path


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE as two strings."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} must be CHANNEL=..., such as ppg=Green")
    return name, value


def rate(text: str) -> tuple[str, float]:
    """CHANNEL=HERTZ."""
    name, value = pair(text)
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be CHANNEL=HERTZ") from None


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds above 0")
    return value


def hours(text: str) -> float:
    """A difference between two zones."""
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not abs(value) <= 14:
        raise argparse.ArgumentTypeError(f"{text!r} must be hours from -14 to 14")
    return value


def midnight(arguments: argparse.Namespace, manifest: Manifest) -> float | None:
    """A local midnight on the recording's clock; None for a bundle that needs none.

    Raises
    ------
    InputError
        --utc-offset is given for such a bundle.
    """
    if manifest.tokens is not None:
        return -3600.0 * (arguments.utc_offset or 0.0)
    if arguments.utc_offset is not None:
        raise InputError(f"--utc-offset is for bundles of days, and {manifest.name} is not one")
    return None


def speed(text: str) -> float:
    """How many times as fast as real time; "max" is infinity."""
    try:
        value = math.inf if text == "max" else float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, or max")
    return value


def seed(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 0 or above")
    return int(text)
