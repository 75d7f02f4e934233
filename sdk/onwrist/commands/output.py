"""Predictions in; JSON objects, CSV rows, a table for people and progress out."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from onwrist.commands import sensors
from onwrist.extras import require
from onwrist.files import written_beside
from onwrist.readers import progress
from onwrist.recording import Recording
from onwrist_runtime.manifest import Manifest, Task
from onwrist_runtime.prediction import Prediction, TaskResult

T = TypeVar("T")
_SHOW_PROGRESS_FROM = 200  # windows; fewer are done before a bar is read


def as_json(prediction: Prediction, manifest: Manifest) -> dict[str, Any]:
    """One prediction as an object of plain values."""
    return {
        "start": prediction.start,
        "end": prediction.end,
        "coverage": dict(prediction.coverage),
        "sensors": sensors.as_json(prediction),
        "tasks": {
            task.name: _task_as_json(task, prediction[task.name]) for task in manifest.tasks
        },
    }


def _task_as_json(task: Task, result: TaskResult) -> dict[str, Any]:
    answer: dict[str, Any] = (
        {"value": result.value, "unit": task.unit}
        if task.kind == "regression"
        else {"label": result.label, "probabilities": result.probabilities}
    )
    return answer | {
        "confidence": result.confidence,
        "abstained": result.abstained,
        "reason": result.reason,
    }


def print_json(value: Any) -> None:
    """One object on one line; what JSON cannot hold (NaN) is an error, not a surprise."""
    print(json.dumps(value, allow_nan=False, ensure_ascii=False))


def print_notes(recording: Recording) -> None:
    """What the reader repaired or left out, on stderr."""
    for note in recording.notes:
        print(f"onwrist: note: {note}", file=sys.stderr)


def write_csv(path: Path, predictions: Iterable[Prediction], manifest: Manifest) -> None:
    """One row a window; a cell without an answer is empty."""
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        header = ["start", "end", *(f"coverage_{x.name}" for x in manifest.channels)]
        header += sensors.columns(manifest)
        for task in manifest.tasks:
            header += [f"{task.name}_{column}" for column in task_columns(task)]
        writer.writerow(header)
        for prediction in predictions:
            row: list[Any] = [prediction.start, prediction.end, *prediction.coverage.values()]
            row += sensors.cells(prediction, manifest)
            for task in manifest.tasks:
                row += task_cells(task, prediction[task.name])
            writer.writerow(row)


def task_columns(task: Task) -> list[str]:
    answer = (
        ["value"]
        if task.kind == "regression"
        else ["label", *(f"probability_{label}" for label in task.labels)]
    )
    return [*answer, "confidence", "abstained", "reason"]


def task_cells(task: Task, result: TaskResult) -> list[Any]:
    answer: list[Any] = [result.value]
    if task.kind == "classification":
        shares: Mapping[str, float | None] = result.probabilities or {}
        answer = [result.label, *(shares.get(label) for label in task.labels)]
    return [*answer, result.confidence, int(result.abstained), result.reason]


def print_predictions(
    predictions: Sequence[Prediction], manifest: Manifest, origin: float
) -> None:
    """A table for people; times count from `origin`, the recording's start."""
    answers = [answer_header(task) for task in manifest.tasks]
    there = sensors.header(manifest)
    shown = table("time", *answers, there, "abstained", right=("time", *answers))
    for prediction in predictions:
        shown.add_row(
            "" if prediction.start is None else moment(prediction, manifest, origin),
            *(styled_answer(prediction[task.name]) for task in manifest.tasks),
            sensors.counted(prediction, manifest),
            reasons(prediction, manifest),
        )
    console().print(shown)
    for task in manifest.tasks:
        answered = sum(not prediction[task.name].abstained for prediction in predictions)
        _print_answered(task, answered, len(predictions))


def _print_answered(task: Task, answered: int, windows: int) -> None:
    print(f"{in_words(task.name)}: answered in {answered} of {windows} windows")


class Rows:
    """The table of `print_predictions` while it grows, for a pipe: each row at once.

    Parameters
    ----------
    origin : times count from here; None for the start of the first window.
    """

    def __init__(self, manifest: Manifest, origin: float | None) -> None:
        self._manifest, self._origin = manifest, origin
        self._windows = 0
        self._answered = dict.fromkeys((task.name for task in manifest.tasks), 0)
        # As wide as answers can be, since those to come are not known.
        self._widths = [
            max(len(answer_header(task)), max(map(len, task.labels), default=5) + 6)
            for task in manifest.tasks
        ]

    def add(self, prediction: Prediction) -> None:
        """Print one row."""
        tasks = self._manifest.tasks
        if not self._windows:
            there = sensors.header(self._manifest)
            self._print("time", [answer_header(x) for x in tasks], there, "abstained")
        self._windows += 1
        start = prediction.start or 0.0
        self._origin = start if self._origin is None else self._origin
        answers = []
        for task in tasks:
            result = prediction[task.name]
            self._answered[task.name] += not result.abstained
            answers.append(" ".join(answer(result)).strip())
        counted = sensors.counted(prediction, self._manifest)
        reason = reasons(prediction, self._manifest)
        time = moment(prediction, self._manifest, self._origin)
        self._print(time, answers, counted, reason)

    def end(self) -> None:
        """Print how many windows were answered."""
        for task in self._manifest.tasks if self._windows else ():
            _print_answered(task, self._answered[task.name], self._windows)

    def _print(self, time: str, answers: Sequence[str], counted: str, reason: str) -> None:
        cells = [x.rjust(width) for x, width in zip(answers, self._widths, strict=True)]
        width = 8 if self._manifest.tokens is None else 16
        row = "  ".join([time.rjust(width), *cells, counted.ljust(20), reason])
        print(row.rstrip(), flush=True)


def in_words(name: str) -> str:
    """heart_rate as people write it."""
    return name.replace("_", " ")


def answer_header(task: Task) -> str:
    """What stands above the answers of a task: its name and unit."""
    return f"{in_words(task.name)}{f', {task.unit}' if task.unit else ''}"


def answer(result: TaskResult) -> tuple[str, str]:
    """The value or label, and how sure it is; "-" and nothing where it abstained."""
    if result.abstained or result.confidence is None:
        return "-", ""
    what = result.label if result.value is None else f"{result.value:.1f}"
    return f"{what}", f"{100 * result.confidence:3.0f} %"


def styled_answer(result: TaskResult) -> Any:
    """The same in the styles of rich."""
    what, confidence = answer(result)
    if not confidence:
        return styled(what, "dim")
    return styled(what, "bold").append(f" {confidence}", "dim not bold")


def reasons(prediction: Prediction, manifest: Manifest) -> str:
    """Why each task that abstained did so."""
    return "; ".join(
        f"{in_words(task.name)}: {prediction[task.name].reason}"
        for task in manifest.tasks
        if prediction[task.name].abstained
    )


def table(*headers: str, right: Collection[str] = ()) -> Any:
    """An empty rich table; the columns of numbers stand `right`."""
    box = require("rich.box", "cli", "the table")
    shown = require("rich.table", "cli", "the table").Table(box=box.SIMPLE_HEAD)
    for header in headers:
        number = header in right
        shown.add_column(header, justify="right" if number else "left", no_wrap=number)
    return shown


def styled(text: str, style: str) -> Any:
    """Text in a style of rich."""
    return require("rich.text", "cli", "the table").Text(text, style)


def moment(prediction: Prediction, manifest: Manifest, origin: float) -> str:
    """When its window began, from `origin` on; of a day its end, by the local clock.

    `origin` is then a local midnight.
    """
    if manifest.tokens is None:
        return clock((prediction.start or 0.0) - origin)
    end = np.datetime64(int((prediction.end or 0.0) - origin), "s")
    return str(end)[:16].replace("T", " ")


def clock(seconds: float) -> str:
    """12.3 as 0:12, 3725 as 1:02:05."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def console() -> Any:
    """rich's console on stdout, as wide as the terminal, or as a page where there is none.

    Square brackets are text: a bundle's words and an engine's errors may hold them.
    """
    made = require("rich.console", "cli", "the table").Console(highlight=False, markup=False)
    if not made.is_terminal:
        made.width = 120
    return made


def with_progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass `items` on, with a bar on stderr where there are many and somebody looks."""
    if total < _SHOW_PROGRESS_FROM or not sys.stderr.isatty() or not has_rich():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A bar on stderr while a large export is read, if somebody looks."""
    if not sys.stderr.isatty() or not has_rich():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(path.name, total=None)
        with progress.told(lambda done, total: bar.update(task, completed=done, total=total)):
            yield


def has_rich() -> bool:
    """Whether tables and bars can be drawn."""
    return importlib.util.find_spec("rich") is not None
