"""Command line of the training side: recordings in, a bundle out, one step a command."""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports ONNX Runtime

from collections.abc import Sequence

from onwrist.cli import run
from onwrist_export.commands import (
    calibrate,
    check,
    data,
    pack,
    pretrain,
    probe,
    quantize,
    train,
)

COMMANDS = {
    "data": data,
    "pretrain": pretrain,
    "train": train,
    "probe": probe,
    "quantize": quantize,
    "check": check,
    "pack": pack,
    "calibrate": calibrate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `onwrist-export`."""
    description = "Train, quantize and pack wearable encoders."
    return run("onwrist-export", description, COMMANDS, arguments)
