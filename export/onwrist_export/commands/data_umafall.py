"""UMAFall in, compact or as original CSV files; its trials converted and counted.

`onwrist-export data umafall PATH -o OUT`: one .npz a trial. Files that are refused, as those
of subject 13 with their thousands separators are, are named; the others are converted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from onwrist.readers import npz, umafall, umafall_csv, write_recording
from onwrist.recording import Recording
from onwrist_runtime.errors import RecordingError


def convert(path: Path, folder: Path) -> dict[str, Any]:
    """Convert the trials that can be read; say what they hold and which were refused.

    Raises
    ------
    RecordingError
        Nothing of UMAFall is there, or the compact file is damaged.
    OSError
        The folder cannot be written.
    """
    trials: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    subjects: set[str] = set()
    refused: list[str] = []

    def take(recording: Recording) -> None:
        write_recording(recording, folder)
        trials[str(recording.labels[0].value)] += 1
        subjects.add(str(recording.subject))
        for position in umafall.POSITIONS:
            absent[position] += f"{position}_acc_x" not in recording.signals

    if path.is_dir():
        files = [x for x in sorted(path.iterdir()) if umafall_csv.is_umafall_csv(x)]
        if not files:
            raise RecordingError(f"{path}: no CSV file of UMAFall in this folder")
        for file in files:
            try:
                take(umafall_csv.read(file))
            except RecordingError as error:
                refused.append(str(error))
    elif umafall_csv.is_umafall_csv(path):
        take(umafall_csv.read(path))
    elif path.suffix == ".npz" and umafall.is_umafall(npz.names(path)):
        for recording in umafall.read_all(path):
            take(recording)
    else:
        raise RecordingError(f"{path}: neither umafall_20hz.npz nor a CSV file of UMAFall")
    return {
        "recordings": trials.total(),
        "subjects": sorted(subjects),
        "trials": dict(sorted(trials.items())),
        "sensor_absent": {position: absent[position] for position in umafall.POSITIONS},
        "refused": refused,
        "folder": str(folder),
    }


def report(result: dict[str, Any]) -> str:
    """The same for people."""
    counts = ", ".join(f"{name} {count}" for name, count in result["trials"].items())
    lost = ", ".join(f"{name} {count}" for name, count in result["sensor_absent"].items())
    return "\n".join(
        [
            *(f"not converted: {why}" for why in result["refused"]),
            f"trials: {counts}",
            f"trials without a sensor: {lost}",
            f"{result['recordings']} recordings of {len(result['subjects'])} subjects in "
            f"{result['folder']}",
        ]
    )


def sound(result: dict[str, Any]) -> bool:
    """Whether every file was converted."""
    return not result["refused"]
