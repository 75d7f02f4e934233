"""Our own recording file (FORMAT.md): one .npz per recording, read and written here.

The other form of the format, a table with a JSON file beside it, is in `table`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist.files import written_beside
from onwrist.plausible import repaired
from onwrist.readers import npz
from onwrist.readers.rates import estimate_rate
from onwrist.recording import Label, Recording
from onwrist_runtime.errors import InputError, RecordingError
from onwrist_runtime.signals import Signal

FORMAT = 1
_RESERVED = ("format", "subject", "events", "time")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIXES = ("_rate", "_start", "_times", "_spans")


def read(path: Path) -> Recording:
    """Read one .npz of the format.

    Raises
    ------
    RecordingError
        A damaged file, an array that is neither a channel nor a label, or a wrong shape.
    """
    arrays = npz.arrays(path)
    version = npz.number(path, "format", arrays.pop("format", np.array(FORMAT)))
    if version != FORMAT:
        raise RecordingError(
            f"{path}: recording format {version:g}; this version reads format {FORMAT}"
        )
    subject = arrays.pop("subject", None)
    if subject is not None and (subject.ndim or subject.dtype.kind != "U"):
        raise RecordingError(f"{path}: 'subject' is {subject!r}; it must be one string")
    events = npz.vector(path, "events", arrays.pop("events", np.zeros(0)))
    labels: list[Label] = []
    for key in [key for key in arrays if f"{key}_spans" in arrays]:
        labels += _pop_labels(path, key, arrays)
    signals: dict[str, Signal] = {}
    for key in [key for key in arrays if {f"{key}_rate", f"{key}_times"} & arrays.keys()]:
        signals[key] = _pop_signal(path, key, arrays)
    if arrays:
        raise RecordingError(
            f"{path}: {', '.join(map(repr, sorted(arrays)))}: neither a channel with "
            "CHANNEL_rate or CHANNEL_times beside it, nor labels_TASK with "
            "labels_TASK_spans"
        )
    who = None if subject is None else str(subject)
    signals, notes = repaired(signals)
    return Recording(path.stem, who, signals, tuple(labels), tuple(events.tolist()), notes)


def write(recording: Recording, path: Path) -> None:
    """Write one .npz of the format; times are stored only where they are not regular."""
    arrays: dict[str, NDArray[Any]] = {"format": np.array(FORMAT)}
    if recording.subject is not None:
        arrays["subject"] = np.array(recording.subject)
    if recording.events:
        arrays["events"] = np.array(recording.events)
    for channel, signal in recording.signals.items():
        arrays[channel] = signal.values
        arrays[f"{channel}_rate"] = np.array(signal.rate)
        regular = Signal.regular(signal.values, signal.rate, float(signal.times[0]))
        if np.array_equal(regular.times, signal.times):
            arrays[f"{channel}_start"] = np.array(signal.times[0])
        else:
            arrays[f"{channel}_times"] = signal.times
    for task, labels in labels_by_task(recording).items():
        arrays[f"labels_{task}"] = np.array([label.value for label in labels])
        arrays[f"labels_{task}_spans"] = np.array([(x.start, x.end) for x in labels])
    with written_beside(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def check_names(recording: Recording) -> None:
    """Refuse names that the format could not give back, in a table or an .npz.

    Raises
    ------
    InputError
        A channel or task is called something else than lower-case letters, digits and
        underscores, or as the format's own arrays are; or the labels of a task are
        numbers and names.
    """
    for name in recording.signals:
        # heart_rate is a channel's name, except beside a channel called heart.
        taken = any(
            name.endswith(x) and name.removesuffix(x) in recording.signals for x in _SUFFIXES
        )
        reserved = name in _RESERVED or name.startswith("labels_") or taken
        if reserved or not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a channel's name in a file: use lower-case letters, "
                "digits and _, and none of the names that the format uses itself"
            )
    for task, labels in labels_by_task(recording).items():
        kinds = {isinstance(label.value, str) for label in labels}
        if len(kinds) > 1 or not _NAME.fullmatch(task):
            raise InputError(
                f"labels of task {task!r}: the values must be all numbers or all names, and "
                "the task's name lower-case letters, digits and _"
            )


def labels_by_task(recording: Recording) -> dict[str, list[Label]]:
    """The labels of each task, in their order."""
    tasks: dict[str, list[Label]] = {}
    for label in recording.labels:
        tasks.setdefault(label.task, []).append(label)
    return tasks


def _pop_labels(path: Path, key: str, arrays: dict[str, NDArray[Any]]) -> list[Label]:
    values, spans = arrays.pop(key), arrays.pop(f"{key}_spans")
    if values.ndim != 1 or values.dtype.kind not in "fiuU" or not key.startswith("labels_"):
        raise RecordingError(
            f"{path}: {key!r} is {values.dtype} of shape {values.shape}; labels are called "
            "labels_TASK and are numbers or strings of shape (n,)"
        )
    if spans.shape != (len(values), 2) or spans.dtype.kind not in "fiu":
        raise RecordingError(
            f"{path}: '{key}_spans' is {spans.dtype} of shape {spans.shape}; it must be "
            f"start and end of each of the {len(values)} labels, numbers of shape "
            f"({len(values)}, 2)"
        )
    task = key.removeprefix("labels_")
    return [
        Label(task, float(start), float(end), value)
        for (start, end), value in zip(spans.tolist(), values.tolist(), strict=True)
    ]


def _pop_signal(path: Path, key: str, arrays: dict[str, NDArray[Any]]) -> Signal:
    values = arrays.pop(key)
    start = arrays.pop(f"{key}_start", None)
    rate = arrays.pop(f"{key}_rate", None)
    times = arrays.pop(f"{key}_times", None)
    hertz = None if rate is None else npz.number(path, f"{key}_rate", rate)
    with npz.blamed(f"{path}, channel {key!r}"):
        if times is None and hertz is not None:
            origin = 0.0 if start is None else npz.number(path, f"{key}_start", start)
            return Signal.regular(values, hertz, origin)
        if times is None or start is not None:
            raise RecordingError(f"{path}: {key!r} needs either times, or a rate and a start")
        # The rate does not matter to the checks, and no rate comes from unchecked times.
        signal = Signal(values, times, hertz or 1.0)
        hertz = hertz or estimate_rate(f"{path}, channel {key!r}", signal.times)
        return Signal(signal.values, signal.times, hertz)
