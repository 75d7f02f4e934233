"""Convert recordings of any readable format into a folder that training reads.

`data RECORDINGS` takes any; `data pamap2 PATH` and `data umafall PATH` also say whether that
data set is whole, and convert what can be read of one that is not (exit code 1 then).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from onwrist.readers import read_all, write_recording
from onwrist_export.commands import data_pamap2, data_umafall
from onwrist_export.commands.options import add_output, finish
from onwrist_runtime.errors import InputError

_SETS = {"pamap2": data_pamap2, "umafall": data_umafall}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recordings",
        nargs="+",
        metavar="PATH",
        help="folder of recordings in any format that `onwrist predict` reads; or "
        f"{' or '.join(_SETS)} and where it lies, to have it checked as well",
    )
    add_output(parser, "folder for one .npz a recording")


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.output
    *name, path = arguments.recordings
    if name:
        return _run_set(arguments, name, Path(path))
    recordings = read_all(Path(path))
    for recording in recordings:
        write_recording(recording, folder)
    subjects = sorted({r.subject or "unknown" for r in recordings})
    hours = sum(r.end - r.start for r in recordings) / 3600
    result = {
        "recordings": len(recordings),
        "subjects": subjects,
        "hours": round(hours, 2),
        "folder": str(folder),
    }
    return finish(
        arguments,
        result,
        f"{len(recordings)} recordings of {len(subjects)} subjects, {hours:.1f} h, in {folder}",
    )


def _run_set(arguments: argparse.Namespace, name: list[str], path: Path) -> int:
    if len(name) > 1 or name[0] not in _SETS:
        raise InputError(
            f"{' '.join(name)} {path}: give one folder, or one of {', '.join(_SETS)} and where "
            "it lies"
        )
    module = _SETS[name[0]]
    result = module.convert(path, arguments.output)
    finish(arguments, result, module.report(result))
    return 0 if module.sound(result) else 1
