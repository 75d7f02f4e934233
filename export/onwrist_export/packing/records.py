"""The JSON records in a folder between `quantize`, `check` and `pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from onwrist.files import written_beside
from onwrist_export.quantization.parity import Parity
from onwrist_runtime.errors import InputError

SOURCE, PARITY, RESULTS = "source.json", "parity.json", "results.json"


def write_record(path: Path, record: object) -> None:
    """A record as JSON, written beside and moved into place."""
    with written_beside(path) as beside:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))


def read_record(path: Path, kind: Any) -> Any:
    """What `write_record` wrote, or None without a file.

    Raises
    ------
    InputError
        It is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged: {error}; check again") from None


def read_parities(folder: Path) -> dict[str, Parity]:
    """What checking a folder found, by graph.

    Raises
    ------
    InputError
        It was not checked, or the record is damaged.
    """
    found: dict[str, Parity] | None = read_record(folder / PARITY, dict[str, Parity])
    if found is None:
        raise InputError(f"{folder} was not checked: run `onwrist-export check {folder}` first")
    return found
