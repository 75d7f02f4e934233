"""Where a quantized day model comes from: `source.json` of the folder between the steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_export.days.config import DayConfig
from onwrist_export.packing.artifact import kind
from onwrist_export.packing.records import SOURCE
from onwrist_runtime.errors import InputError


@dataclass(frozen=True)
class DaySource:
    """What the manifest and the card say.

    Attributes
    ----------
    least_confidence, reached : of each task, as in the checkpoint.
    commands : the commands that made it, in order.
    calibration : what the scales were chosen on, in words.
    excluded : layers kept in float.
    """

    kind: Literal["day"]
    config: DayConfig
    least_confidence: dict[str, float]
    reached: dict[str, dict[str, float]]
    commands: list[str]
    calibration: str
    excluded: list[str]


def is_day(folder: Path) -> bool:
    """Whether `folder` holds a quantized day model."""
    return kind(folder) == "day"


def read(folder: Path) -> DaySource:
    """What `quantize` wrote about the day model in `folder`."""
    try:
        return msgspec.json.decode((folder / SOURCE).read_bytes(), type=DaySource)
    except msgspec.DecodeError as error:
        raise InputError(f"{folder / SOURCE} is damaged: {error}") from None
