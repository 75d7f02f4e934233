"""A file or folder on disk in, `Recording` out; the format is told from what is there.

One module a format: `own` and `table` (FORMAT.md, our own), `empatica_e4`,
`stress_predict`, `fitabase`, `fitbit_grid`, `umafall`, `umafall_csv`, `pamap2`; and those of
`histories`, a person's own (histories/HISTORY.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from onwrist.readers import (
    empatica_e4,
    fitabase,
    fitbit_grid,
    histories,
    npz,
    own,
    pamap2_files,
    stress_predict,
    table,
    umafall,
    umafall_csv,
)
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError, RecordingError

__all__ = ["read", "read_all", "write_recording"]

_FORMATS = (
    "an Empatica E4 export (folder or .zip), a Fitabase export (folder), PAMAP2 (.dat, folder "
    "or .zip), a .csv of UMAFall, an .npz, or a .csv, .tsv or .parquet with a time column; "
    f"or {histories.NAMES}"
)


def read(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    rates: Mapping[str, float] | None = None,
    user: str | None = None,
) -> Recording:
    """Read one recording of any known format.

    Parameters
    ----------
    columns : tables only: header by channel name (or "time"), with a unit in square
        brackets if it is another than the channel's, as in {"acc_x": "AccX [mg]"}.
    rates : tables only: native rate in Hz by channel, instead of the estimated one.
    user : files of several recordings only: whose recording, or its name; of a history of
        years, which, such as "2025", instead of its newest 366 days.

    Raises
    ------
    RecordingError
        Nothing is there, it is of no known format, or it is damaged.
    InputError
        `columns`, `rates` or `user` do not fit the file, `user` is missing where there are
        several recordings, or a package is missing to read it.
    """
    path = Path(path)
    if user is not None and not isinstance(user, str):
        raise InputError(f"user must be text, such as '{user}', not {user!r}")
    if (columns or rates) and path.suffix not in table.SUFFIXES:
        raise InputError(f"{path}: columns and rates can be chosen for tables only")
    if _is_fitbit_grid(path):
        return fitbit_grid.read(path, user)
    if _is_umafall(path):
        return umafall.read(path, user)
    if pamap2_files.is_pamap2(path):
        return pamap2_files.read(path, user)
    if fitabase.is_fitabase_folder(path):
        return fitabase.read(path, user)
    if not (columns or rates) and (history := _history(path)) is not None:
        return history.read(user)
    if user is not None:
        raise InputError(f"{path}: holds one recording, of which none can be chosen")
    if umafall_csv.is_umafall_csv(path):
        if columns or rates:
            raise InputError(f"{path}: columns and rates can be chosen for tables only")
        return umafall_csv.read(path)
    if path.suffix in table.SUFFIXES:
        return table.read(path, columns, rates)
    if path.suffix == ".npz":
        return _read_npz(path)
    if empatica_e4.is_e4_zip(path) or empatica_e4.is_e4_folder(path):
        return empatica_e4.read(path)
    if not path.exists():
        raise RecordingError(f"{path}: no such file or folder")
    if path.is_dir() and _recordings_in(path):
        raise RecordingError(f"{path}: a folder of recordings; give one of them")
    raise RecordingError(f"{path}: no recording in a known format: {_FORMATS}")


def read_all(path: str | os.PathLike[str]) -> list[Recording]:
    """Read every recording that lies directly in a folder, by name, or the one at `path`.

    Raises
    ------
    RecordingError
        The folder has no recordings, or one of them cannot be read.
    """
    path = Path(path)
    if _is_fitbit_grid(path):
        return fitbit_grid.read_all(path)
    if _is_umafall(path):
        return umafall.read_all(path)
    if pamap2_files.is_pamap2(path):
        return pamap2_files.read_all(path)
    if fitabase.is_fitabase_folder(path):
        return fitabase.read_all(path)
    if (history := _history(path)) is not None:
        return history.read_all()
    if not path.is_dir() or empatica_e4.is_e4_folder(path):
        return [read(path)]
    found = _recordings_in(path)
    if not found:
        raise RecordingError(f"{path}: no recordings in this folder: {_FORMATS}")
    return [read(each) for each in found]


def write_recording(
    recording: Recording,
    folder: str | os.PathLike[str],
    format: Literal["npz", "parquet"] = "npz",
) -> Path:
    """Write `recording` into `folder` as NAME.npz or NAME.parquet (FORMAT.md); give its path.

    Raises
    ------
    InputError
        A name that cannot be a file's, a channel's or a task's; a package is missing.
    OSError
        The folder cannot be written; nothing half written is left.
    """
    if recording.name in ("", "..") or recording.name != Path(recording.name).name:
        raise InputError(f"{recording.name!r} cannot be a file's name")
    own.check_names(recording)
    path = Path(folder) / f"{recording.name}.{format}"
    if format == "npz":
        own.write(recording, path)
    elif format == "parquet":
        table.write_parquet(recording, path)
    else:
        raise InputError(f"unknown format {format!r}; npz or parquet")
    return path


def _history(path: Path) -> histories.History | None:
    """The history at a path, but none below a folder with recordings directly in it."""
    found = histories.find(path)
    if found is None or not path.is_dir() or any("/" not in x.name for x in found.files):
        return found
    return None if _recordings_in(path) else found


def _recordings_in(folder: Path) -> list[Path]:
    suffixes = (*table.SUFFIXES, ".npz", ".zip")
    return sorted(
        each
        for each in folder.iterdir()
        if not each.name.startswith(".")
        and (empatica_e4.is_e4_folder(each) or (each.is_file() and each.suffix in suffixes))
    )


def _is_fitbit_grid(path: Path) -> bool:
    return path.suffix == ".npz" and fitbit_grid.is_fitbit_grid(npz.names(path))


def _is_umafall(path: Path) -> bool:
    return path.suffix == ".npz" and umafall.is_umafall(npz.names(path))


def _read_npz(path: Path) -> Recording:
    if stress_predict.is_stress_predict(npz.names(path)):
        return stress_predict.read(path)
    return own.read(path)
