"""A stream and its predictions in, a picture of what is going on in the terminal out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onwrist.commands import output, sensors
from onwrist.extras import require
from onwrist_runtime.manifest import Task
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction, TaskResult
from onwrist_runtime.stream import Stream

_BAR = 6  # characters
_SILENT = 2.0  # seconds without a sample after which that is said
_REMEMBERED = 100  # predictions; as many are shown as the terminal is high
_PER_SECOND = 4  # pictures


class View:
    """What the last predictions said, and how the sensors are.

    Parameters
    ----------
    source : where the samples come from, in words.
    origin : times count from here; None for the start of the first window.
    """

    def __init__(self, model: Model, stream: Stream, source: str, origin: float | None) -> None:
        self._model, self._stream, self._origin = model, stream, origin
        self._title = (
            f"{model.name} {model.version} in {model.engine.name}, one {stream.mode} every "
            f"{stream.hop:g} s, {source}"
        )
        self._history: tuple[Prediction, ...] = ()  # newest first
        self._samples = 0
        self._arrived = time.monotonic()
        self._ended = False

    def add(self, prediction: Prediction) -> None:
        """Take one more prediction."""
        # Replaced and never changed, since another thread draws.
        self._history = (prediction, *self._history[: _REMEMBERED - 1])
        if self._origin is None:
            self._origin = prediction.start

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw it until the block is left; the last picture stays."""
        console = output.console()
        shown = require("rich.live", "cli", "the live view").Live(
            console=console,
            get_renderable=lambda: self.picture(console),
            refresh_per_second=_PER_SECOND,
        )
        with shown:
            try:
                yield
            finally:
                self._ended = True

    def picture(self, console: Any) -> Any:
        """What is drawn on this console."""
        group = require("rich.console", "cli", "the live view").Group
        marks = "#-" if console.options.ascii_only else "█░"
        above = group(
            output.styled(self._title, "dim"),
            self._answers(marks),
            self._sensors(marks),
            self._timing(),
        )
        if not self._history:
            return above
        # As many rows as fit below, with four lines around them and one to spare.
        rows = console.height - len(console.render_lines(above)) - 5
        return group(above, self._past(max(1, rows)))

    def _answers(self, marks: str) -> Any:
        shown = output.table("", "now", "confidence", "")
        for task in self._model.manifest.tasks:
            name = output.in_words(task.name)
            if self._history:
                shown.add_row(name, *_answer(task, self._history[0][task.name], marks))
            else:
                shown.add_row(name, "-", "", "the first window is filling")
        return shown

    def _sensors(self, marks: str) -> Any:
        numbers = ("samples", "late", "twice", "repaired")
        headers = ("channel", "observed", "silent for", *numbers)
        shown = output.table(*headers, right=numbers)
        coverage, staleness = self._stream.coverage, self._stream.staleness
        for name, counters in self._stream.counters.items():
            share, stale = coverage[name], staleness[name]
            whole = "green" if share > 0.9 else "yellow" if share > 0.5 else "red"
            # Rounded down, so that 99.6 % does not look whole.
            percent = f"{int(100 * share):3} %"
            counts = (counters.late, counters.duplicate, counters.repaired)
            shown.add_row(
                name,
                _bar(share, whole, marks, percent) if self._history else "",
                self._silence(stale, marks),
                f"{counters.samples:,}",
                *(output.styled(f"{n:,}", "yellow" if n else "dim") for n in counts),
            )
        return shown

    def _silence(self, stale: float | None, marks: str) -> Any:
        """How old the last sample is; the bar is full once that is out of the window."""
        if stale is None:
            return output.styled("never came", "red")
        share = min(1.0, stale * self._model.rate / self._model.window_samples)
        return _bar(share, "yellow" if share < 1 else "red", marks, f"{stale:.1f} s")

    def _timing(self) -> Any:
        count = sum(x.samples + x.late + x.duplicate for x in self._stream.counters.values())
        now = time.monotonic()
        if count != self._samples:
            self._samples, self._arrived = count, now
        latency = self._stream.latency
        said = "no prediction yet"
        if latency is not None:
            said = f"latency {latency:.1f} s from the last prediction to the newest sample"
        if self._ended:
            return output.styled(f"{said}; ended", "dim")
        silent = now - self._arrived
        if silent < _SILENT:
            return output.styled(said, "dim")
        return output.styled(f"nothing has come for {silent:.0f} s; {said}", "yellow")

    def _past(self, rows: int) -> Any:
        manifest = self._model.manifest
        answers = [output.answer_header(task) for task in manifest.tasks]
        there = sensors.header(manifest)
        shown = output.table("time", *answers, there, right=("time", *answers))
        for prediction in self._history[:rows]:
            shown.add_row(
                output.moment(prediction, manifest, self._origin or 0.0),
                *(output.styled_answer(prediction[task.name]) for task in manifest.tasks),
                sensors.counted(prediction, manifest),
            )
        return shown


def _answer(task: Task, result: TaskResult, marks: str) -> tuple[Any, Any, str]:
    """What it is, how sure, and why there is none."""
    what, confidence = output.answer(result)
    if result.abstained:
        return output.styled(what, "dim"), "", f"{result.reason}"
    unit = f" {task.unit}" if task.unit else ""
    sure = _bar(result.confidence or 0.0, "green", marks, confidence)
    return output.styled(what, "bold").append(unit, "not bold"), sure, ""


def _bar(share: float, style: str, marks: str, said: str) -> Any:
    """A bar that is full at 1, and what it says."""
    length = int(_BAR * share)
    bar = output.styled(marks[0] * length, style).append(marks[1] * (_BAR - length), "dim")
    return bar.append(f" {said}", "not dim")
