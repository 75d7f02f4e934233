"""Pack a checked folder into one bundle; refuses what broke a limit, and writes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from onwrist_export.commands.options import add_output, finish
from onwrist_export.packing import steps
from onwrist_export.quantization.elsewhere import PACKAGES
from onwrist_runtime import bundle
from onwrist_runtime.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder that quantize and check wrote")
    add_output(parser, "bundle to write (NAME.onwrist)")
    parser.add_argument(
        "--notes",
        type=Path,
        nargs="*",
        default=[],
        metavar="MARKDOWN",
        help="sections to append to the card",
    )
    for engine in PACKAGES:
        parser.add_argument(
            f"--{engine}",
            metavar="PYTHON",
            help=f"the Python of an environment with {engine}: try every TFLite file in it, "
            "and say in the bundle what came of it",
        )


def run(arguments: argparse.Namespace) -> int:
    try:
        notes = [_text(path) for path in arguments.notes]
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    options = vars(arguments)
    pythons = {engine: options[engine.replace("-", "_")] for engine in PACKAGES}
    elsewhere = {engine: python for engine, python in pythons.items() if python}
    steps.pack_folder(arguments.folder, arguments.output, notes, elsewhere)
    packed = bundle.read(arguments.output)
    size = arguments.output.stat().st_size
    result = {"bundle": str(arguments.output), "sha256": packed.hash, "bytes": size}
    text = f"wrote {arguments.output}: {size / 1e6:.2f} MB, sha256 {packed.hash}"
    return finish(arguments, result, text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8; notes are Markdown") from None
