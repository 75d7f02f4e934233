"""Pack a checked folder into one bundle; refuses what broke a limit, and writes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from onwrist_export.commands.options import add_elsewhere, add_output, elsewhere, finish
from onwrist_export.packing import steps
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
    add_elsewhere(parser)


def run(arguments: argparse.Namespace) -> int:
    try:
        notes = [_text(path) for path in arguments.notes]
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    steps.pack_folder(arguments.folder, arguments.output, notes, elsewhere(arguments))
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
