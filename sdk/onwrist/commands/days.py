"""Days and what was imputed in each in; a line, an object or a row of CSV a day out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onwrist.commands import output
from onwrist.days import Day, interpolated
from onwrist.files import written_beside
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.prediction import TaskResult


def chosen(days: Sequence[Day], date: str | None) -> Sequence[Day]:
    """The day of this date alone, or all.

    Raises
    ------
    InputError
        There is no such day.
    """
    if date is None:
        return days
    found = [day for day in days if day.date == date]
    if not found:
        there = f"{days[0].date} to {days[-1].date}" if days else "none"
        raise InputError(f"no day {date} in this recording; it has {there}")
    return found


def print_days(days: Sequence[Day], manifest: Manifest) -> None:
    """A table for people."""
    channels = [output.in_words(x.name) for x in manifest.channels]
    answers = [output.answer_header(task) for task in manifest.tasks]
    mean = interpolated(manifest)
    means: tuple[str, ...] = ()
    if mean is not None:
        means = ("imputed", f"mean, {mean.unit}", "whole day")
    shown = output.table("date", *channels, *means, *answers, right=(*channels, *means))
    for day in days:
        cells = [f"{int(100 * day.prediction.coverage[x.name])} %" for x in manifest.channels]
        if mean is not None:
            cells.append(f"{day.imputed[mean.name]:,}")
            cells += [
                "-" if x is None else f"{x:.1f}" for x in (day.observed_mean, day.imputed_mean)
            ]
        shown.add_row(
            day.date,
            *cells,
            *(_answer(day.prediction[task.name]) for task in manifest.tasks),
        )
    output.console().print(shown)
    if mean is not None:
        print(
            f"imputed: how many of {manifest.samples:,} grid points of "
            f"{output.in_words(mean.name)} are the model's; mean: of the others; "
            "whole day: of all"
        )


def _answer(result: TaskResult) -> Any:
    """The value and how sure it is, or why there is none."""
    if result.abstained:
        return output.styled(f"none: {result.reason}", "dim")
    return output.styled_answer(result)


def as_json(day: Day, manifest: Manifest) -> dict[str, Any]:
    """One day as an object of plain values."""
    made = {"date": day.date, **output.as_json(day.prediction, manifest)}
    mean = interpolated(manifest)
    if mean is not None:
        made["imputed"] = dict(day.imputed)
        made["means"] = {
            mean.name: {"observed": day.observed_mean, "with_imputed": day.imputed_mean}
        }
    return made


def write_csv(path: Path, days: Sequence[Day], manifest: Manifest) -> None:
    """One row a day; a cell without an answer is empty."""
    mean = interpolated(manifest)
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        header = ["date", *(f"coverage_{x.name}" for x in manifest.channels)]
        if mean is not None:
            header += [f"imputed_{x.name}" for x in manifest.channels]
            header += [f"{mean.name}_observed_mean", f"{mean.name}_with_imputed_mean"]
        for task in manifest.tasks:
            header += [f"{task.name}_{column}" for column in output.task_columns(task)]
        writer.writerow(header)
        for day in days:
            row: list[Any] = [day.date, *day.prediction.coverage.values()]
            if mean is not None:
                row += [*day.imputed.values(), day.observed_mean, day.imputed_mean]
            for task in manifest.tasks:
                row += output.task_cells(task, day.prediction[task.name])
            writer.writerow(row)
