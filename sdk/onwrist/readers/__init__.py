"""A file or folder on disk in, `Recording` out; the format is told from what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from onwrist.readers import npz, own, stress_predict
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError

__all__ = ["read", "read_all", "write_recording"]


def read(path: str | os.PathLike[str]) -> Recording:
    """Read one recording of any known format.

    Raises
    ------
    RecordingError
        Nothing is there, or it is not a recording in a known format.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    raise RecordingError(f"{path}: no known recording format")


def read_all(path: str | os.PathLike[str]) -> list[Recording]:
    """Read every recording of a folder, by name (or the one recording that `path` is)."""
    path = Path(path)
    if not path.is_dir():
        return [read(path)]
    found = sorted(path.glob("*.npz"))
    if not found:
        raise RecordingError(f"{path}: no recordings in this folder")
    return [read(file) for file in found]


def write_recording(
    recording: Recording, folder: str | os.PathLike[str], format: Literal["npz"] = "npz"
) -> Path:
    """Write `recording` as `folder`/NAME.npz in the format of FORMAT.md; give its path."""
    if Path(recording.name).name != recording.name or not recording.name:
        raise InputError(f"{recording.name!r} cannot be a file's name")
    path = Path(folder) / f"{recording.name}.{format}"
    own.write(recording, path)
    return path


def _read_npz(path: Path) -> Recording:
    if stress_predict.is_stress_predict(npz.names(path)):
        return stress_predict.read(path)
    return own.read(path)
