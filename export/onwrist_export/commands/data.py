"""Convert recordings of any readable format into a folder that training reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from onwrist.readers import read_all, write_recording
from onwrist_export.commands.options import add_output, add_recordings, finish


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recordings(parser)
    add_output(parser, "folder for one .npz a recording")


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.output
    recordings = read_all(arguments.recordings)
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
