"""Quantize a checkpoint to INT8: into a folder, or straight into a bundle."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from onwrist_export.commands.options import add_output, add_threads, command_line, finish, say
from onwrist_export.packing import steps
from onwrist_export.packing.artifact import Source
from onwrist_export.packing.day_source import DaySource
from onwrist_export.packing.fusion_source import FusionSource

SUFFIX = ".onwrist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="of train, probe or pretrain, or in the official HiMAE layout",
    )
    add_output(parser, f"folder for the model files, or a bundle (NAME{SUFFIX})")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="RECORDINGS",
        help="choose the scales on these recordings (default: simulated signals)",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="LAYER",
        help="keep a layer in float, stage3.conv2, encode.blocks.0.up or "
        "sense.wrist.stage3.conv2; may be repeated",
    )
    parser.add_argument(
        "--step",
        type=Path,
        metavar="CHECKPOINT",
        help="the causal form of the same model, of train --step; it becomes the step graph",
    )
    parser.add_argument(
        "--rate", type=float, help="sampling rate in Hz, if not in the checkpoint"
    )
    parser.add_argument("--seconds", type=float, help="window length, if not in the checkpoint")
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    torch.set_num_threads(arguments.threads)
    output: Path = arguments.output
    if output.suffix != SUFFIX:
        source = _quantize(arguments, output)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            source = _quantize(arguments, folder)
            steps.check_folder(folder, arguments.calibrate, say)
            steps.pack_folder(folder, output, notes=[])
    result = {"output": str(output), "calibration": source.calibration}
    return finish(arguments, result, f"wrote {output}; calibrated on {source.calibration}")


def _quantize(arguments: argparse.Namespace, folder: Path) -> Source | DaySource | FusionSource:
    return steps.quantize_checkpoint(
        arguments.checkpoint,
        folder,
        arguments.calibrate,
        arguments.exclude,
        arguments.rate,
        arguments.seconds,
        command_line(),
        arguments.step,
    )
