"""Where a quantized model of several sensors comes from: `source.json`, between the steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.packing.artifact import kind
from onwrist_export.packing.records import SOURCE
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest_plausible import Plausible

KIND = "fusion"


@dataclass(frozen=True)
class FusionSource:
    """What the manifest and the card say.

    Attributes
    ----------
    commands : the commands that made it, in order.
    calibration : what the scales were chosen on, in words.
    excluded : layers kept in float.
    plausible : what samples are held against, as training showed them; empty without
        recordings.
    """

    kind: Literal["fusion"]
    config: FusionConfig
    commands: list[str]
    calibration: str
    excluded: list[str]
    plausible: tuple[Plausible, ...]


def is_fusion(folder: Path) -> bool:
    """Whether `folder` holds a quantized model of several sensors."""
    return kind(folder) == KIND


def read(folder: Path) -> FusionSource:
    """What `quantize` wrote about the model in `folder`."""
    try:
        return msgspec.json.decode((folder / SOURCE).read_bytes(), type=FusionSource)
    except msgspec.DecodeError as error:
        raise InputError(f"{folder / SOURCE} is damaged: {error}") from None
