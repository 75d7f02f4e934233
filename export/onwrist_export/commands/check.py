"""Compare float and INT8, and every file with every engine; judge a trained model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import torch

from onwrist_export.commands.options import add_threads, finish, say
from onwrist_export.judging import tables
from onwrist_export.packing import steps
from onwrist_export.packing.records import write_record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder that quantize wrote")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="RECORDINGS",
        help="check on these: test subjects of a trained model (default: simulated signals)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="also write the comparison here as JSON (it always goes into the folder)",
    )
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    torch.set_num_threads(arguments.threads)
    parities = steps.check_folder(arguments.folder, arguments.recordings, say)
    if arguments.output:
        write_record(arguments.output, parities)
    text = "\n".join(f"{role} graph\n\n{tables.parity(p)}" for role, p in parities.items())
    finish(arguments, msgspec.to_builtins(parities), text)
    failures = [f"{role} graph: {f}" for role, p in parities.items() for f in p.failures]
    for failure in failures:
        print(f"onwrist-export: fails: {failure}", file=sys.stderr)
    return 1 if failures else 0
