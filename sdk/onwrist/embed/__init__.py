"""A bundle in, the files that an app in another language needs out.

Each target is a module with `files(bundle)`; `writing` has what they share, and `folder`
puts the files in place as a whole. The same bundle gives the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections import Counter
from pathlib import PurePosixPath

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import BundleError, InputError

TARGETS = {"android": "kotlin", "ios": "swift", "c": "c", "web": "typescript"}
RECORD = "onwrist-embed.json"
RECORD_FORMAT = 1


def embed(bundle: Bundle, target: str) -> dict[str, bytes]:
    """The files of a target by their path, with the record of what they are.

    Parameters
    ----------
    target : "android", "ios", "c" or "web".

    Raises
    ------
    InputError
        There is no such target.
    BundleError
        The bundle has no graph that the target's engine runs.
    """
    if target not in TARGETS:
        raise InputError(f"there is no target {target!r}; there are: {', '.join(TARGETS)}")
    module = importlib.import_module(f"onwrist.embed.{TARGETS[target]}")
    files: dict[str, bytes] = dict(sorted(module.files(bundle).items()))
    _check_paths(files)
    return files | {RECORD: _record(bundle, target, files)}


def _record(bundle: Bundle, target: str, files: dict[str, bytes]) -> bytes:
    """What tells a later run that the folder is its own, and whether a file was edited."""
    record = {
        "format": RECORD_FORMAT,
        "generated_by": "onwrist embed",
        "target": target,
        "bundle": bundle.manifest.name,
        "version": bundle.manifest.version,
        "sha256": bundle.hash,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def _check_paths(files: dict[str, bytes]) -> None:
    """Names of a bundle's members are plain; here no two of them meet on a phone's disk."""
    for folded, times in Counter(name.casefold() for name in (*files, RECORD)).items():
        if times > 1:
            same = [name for name in (*files, RECORD) if name.casefold() == folded]
            raise BundleError(
                f"{' and '.join(same)} are one file where case does not count: "
                "pack the bundle anew with other names"
            )
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name:
            raise ValueError(f"{name!r} leaves the folder")
