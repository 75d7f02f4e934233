"""Files by path in, a folder that is either whole or as it was out.

The files are written to a folder beside, which then takes the place of the old one. Only a
folder that `onwrist embed` made is replaced, and only if nobody has worked in it since: its
record (`onwrist-embed.json`) lists every file with its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onwrist.embed import RECORD, RECORD_FORMAT
from onwrist_runtime.errors import InputError, OnwristError

_SHOWN = 5  # files in a message
# What opening a folder leaves in it: nobody's work, and gone with the folder.
_LEFT_BY_TOOLS = frozenset({".DS_Store", "Thumbs.db", ".swiftpm", ".build", ".gradle", ".idea"})
# What a target's README says to build in the folder.
_BUILT = {"c": "selftest", "web": "dist"}


def write_folder(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write `files` as `folder`; an earlier embed there is replaced as a whole.

    Raises
    ------
    InputError
        The folder is not one to write to: a file, a link, or with files of someone else.
    OnwristError
        The disk is full or cannot be written; what was there is as before.
    """
    try:
        place = _place(folder)
        _check(place)
        _write(place, files)
    except OSError as error:
        raise OnwristError(f"{folder}: cannot be written: {error.strerror or error}") from None


def _place(folder: str | os.PathLike[str]) -> Path:
    """The absolute path, if a folder of this name can be made and moved."""
    if not str(folder) or "\0" in str(folder):
        raise InputError(f"{str(folder)!r} is not the path of a folder")
    # Links on the way are followed as the system does, and one in its place is told later.
    path = Path(folder)
    above, name = (path, "") if path.name == ".." else (path.parent, path.name)
    place = Path(os.path.realpath(above)) / name
    here = Path.cwd()
    if place == here or place in here.parents:
        raise InputError(f"{folder}: you are in this folder; name one to make in it")
    return place


def _check(place: Path) -> None:
    """Raise InputError unless there is nothing at `place`, or what may be replaced."""
    if place.is_symlink():
        raise InputError(f"{place} is a symbolic link; name the folder that it points to")
    if not place.exists():
        return
    if not place.is_dir():
        raise InputError(f"{place} is a file; name a folder")
    if not any(place.iterdir()):
        return
    record = _recorded(place)
    if record is None:
        raise InputError(
            f"{place} is not empty and was not written by onwrist embed; name another folder, "
            "or empty it"
        )
    edited = _edited(place, record)
    if edited:
        more = f" and {len(edited) - _SHOWN} more" if len(edited) > _SHOWN else ""
        raise InputError(
            f"{place}: changed or added since onwrist embed wrote it: "
            f"{', '.join(edited[:_SHOWN])}{more}; move them elsewhere, or name another folder"
        )


def _recorded(place: Path) -> Mapping[str, Any] | None:
    """The record of an earlier embed; None if this is none."""
    path = place / RECORD
    if path.is_symlink() or not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
        return None
    return record if isinstance(record.get("files"), dict) else None


def _edited(place: Path, record: Mapping[str, Any]) -> list[str]:
    """Files that are not as written, in order; one that is gone is no loss."""
    written, built = record["files"], _BUILT.get(str(record.get("target")))
    edited = []
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        parts = name.split("/")
        if parts[0] == built or not _LEFT_BY_TOOLS.isdisjoint(parts):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            edited.append(name)
        elif path.is_file() and name != RECORD:
            told = written.get(name)
            if told is None or hashlib.sha256(path.read_bytes()).hexdigest() != told:
                edited.append(name)
    return edited


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # One temporary folder holds the new files, and for a moment the old ones.
    with tempfile.TemporaryDirectory(prefix=".onwrist-", dir=place.parent) as made:
        beside, old = Path(made) / "new", Path(made) / "old"
        for name, data in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if not place.exists():
            os.rename(beside, place)
            return
        os.rename(place, old)
        try:
            os.rename(beside, place)
        except BaseException:
            os.rename(old, place)
            raise
