"""A recording and its predictions in, one figure out.

Above, what the sensors gave, with gaps shaded, and dashed what a model restored there;
below, each task: the truth where it is known, the predictions with their confidence, and
where the model abstained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onwrist.extras import require
from onwrist.files import written_beside
from onwrist.plot_signals import LEGEND, LINES, draw_restored, draw_sensor
from onwrist.recording import Label, Recording
from onwrist_runtime.manifest import Channel, Manifest, Task
from onwrist_runtime.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRUTH, _PREDICTED, _ABSTAINED = "#7F7F7F", "#0072B2", "#D55E00"
_CROWD = 80  # predictions from which dots are small and stems are left out


def save(
    path: Path, recording: Recording, predictions: Sequence[Prediction], manifest: Manifest
) -> None:
    """Draw the figure into `path` (.png, .pdf or .svg).

    Raises
    ------
    InputError
        matplotlib is not installed.
    OSError
        The file cannot be written; nothing half written is left.
    """
    require("matplotlib", "plots", "drawing a figure")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A panel has one axis, and so one unit.
    sensors: dict[tuple[str, str], list[Channel]] = {}
    for channel in manifest.channels:
        sensors.setdefault((channel.sensor, channel.unit), []).append(channel)
    heights = [1.3 if len(x) == 1 else 1.1 for x in sensors.values()]
    heights += [1.6 if _few(task) else 2.2 for task in manifest.tasks]
    figure = Figure(figsize=(11, 0.9 + 0.95 * sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    panels: list[Axes] = list(axes[:, 0])

    span = recording.end - recording.start
    for panel, ((sensor, _), channels) in zip(panels, sensors.items(), strict=False):
        draw_sensor(panel, sensor, channels, recording)
        draw_restored(panel, channels, predictions, manifest, recording.start)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(loc="lower right", bbox_to_anchor=(1, 0.9), ncols=4, **LEGEND)
    for panel, task in zip(panels[len(sensors) :], manifest.tasks, strict=True):
        labels = [label for label in recording.labels if label.task == task.name]
        draw = _draw_classification if _few(task) else _draw_labels
        if task.kind == "regression":
            draw = _draw_regression
        draw(panel, task, labels, predictions, recording.start)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.set_xlim(0, span)
    panels[0].set_title(
        f"{recording.name} through {manifest.name} {manifest.version}", loc="left", fontsize=11
    )
    panels[-1].set_xlabel("seconds since the recording began", fontsize=9)
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=150)


def _few(task: Task) -> bool:
    """Whether the labels of a task are few enough for a line each."""
    return task.kind == "classification" and len(task.labels) <= len(LINES)


def _draw_regression(
    panel: Axes,
    task: Task,
    labels: Sequence[Label],
    predictions: Sequence[Prediction],
    origin: float,
) -> None:
    from matplotlib.collections import LineCollection

    panel.set_ylabel(f"{task.name.replace('_', ' ')}\n({task.unit})", fontsize=9)
    steps = _steps(labels, origin)
    if len(steps):
        panel.plot(*steps.T, color=_TRUTH, lw=1.2, label="truth")
    answered = [x for x in predictions if not x[task.name].abstained]
    spans = [_span(x, origin) for x in answered]
    values = [x[task.name].value or 0.0 for x in answered]
    bars = [[(a, y), (b, y)] for (a, b), y in zip(spans, values, strict=True)]
    panel.add_collection(LineCollection(bars, colors=_PREDICTED, linewidths=1, alpha=0.35))
    dots = panel.scatter(
        [(a + b) / 2 for a, b in spans],
        values,
        c=[x[task.name].confidence or 0.0 for x in answered],
        cmap="cividis_r", vmin=0, vmax=1, s=_size(predictions) ** 2, zorder=3,
        edgecolors="black", linewidths=0.4, label="prediction, over its window",
    )  # fmt: skip
    _mark_abstained(panel, task, predictions, origin)
    bar = panel.figure.colorbar(dots, ax=panel, pad=0.01, aspect=12)
    bar.set_label("confidence", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    panel.margins(y=0.15)
    panel.legend(loc="upper left", ncols=3, **LEGEND)


def _draw_classification(
    panel: Axes,
    task: Task,
    labels: Sequence[Label],
    predictions: Sequence[Prediction],
    origin: float,
) -> None:
    panel.set_ylabel(f"{task.name.replace('_', ' ')}\n(probability)", fontsize=9)
    # Of two labels one line says it all: the second, such as stress against rest.
    shown = task.labels[1:] if len(task.labels) == 2 else task.labels
    for number, name in enumerate(shown):
        colour = LINES[number % len(LINES)]
        for begin, end in [
            (x.start - origin, x.end - origin) for x in labels if x.value == name
        ]:
            panel.axvspan(begin, end, ymax=0.82, color=colour, alpha=0.15, lw=0)
        answered = [x for x in predictions if not x[task.name].abstained]
        middles = [sum(_span(x, origin)) / 2 for x in answered]
        shares = [(x[task.name].probabilities or {})[name] for x in answered]
        panel.plot(
            middles,
            shares,
            color=colour,
            lw=0,
            marker="o",
            ms=_size(predictions),
            label=f"P({name})",
        )
        if len(predictions) < _CROWD:
            panel.vlines(middles, 0.5, shares, color=colour, lw=1, alpha=0.4)
    if labels:
        panel.fill_between([], [], color=LINES[0], alpha=0.15, label=f"truly {shown[0]}")
    panel.axhline(0.5, color="#BBBBBB", lw=0.8, zorder=0)
    panel.set_ylim(-0.25, 1.35)  # room for crosses and legend
    panel.set_yticks([0, 0.5, 1])
    _mark_abstained(panel, task, predictions, origin)
    panel.legend(loc="upper left", ncols=len(shown) + 2, **LEGEND)


def _draw_labels(
    panel: Axes,
    task: Task,
    labels: Sequence[Label],
    predictions: Sequence[Prediction],
    origin: float,
) -> None:
    """A bar over each window as high as its confidence, with the label on it."""
    panel.set_ylabel(f"{task.name.replace('_', ' ')}\n(confidence)", fontsize=9)
    for label in labels:
        begin, end = label.start - origin, label.end - origin
        panel.axvspan(begin, end, ymin=0.9, color=_TRUTH, alpha=0.2, lw=0)
        panel.text(
            (begin + end) / 2, 0.945, f"truly {label.value}", fontsize=7, ha="center",
            va="center", transform=panel.get_xaxis_transform(), clip_on=True,
        )  # fmt: skip
    for prediction in predictions:
        result = prediction[task.name]
        if result.abstained:
            continue
        begin, end = _span(prediction, origin)
        confidence = result.confidence or 0.0
        panel.plot([begin, end], [confidence] * 2, color=_PREDICTED, lw=1.5, alpha=0.6)
        if len(predictions) < _CROWD:
            panel.text(
                (begin + end) / 2, confidence, str(result.label), fontsize=7, ha="center",
                va="bottom", clip_on=True,
            )  # fmt: skip
    panel.set_ylim(-0.1, 1.5)  # room for crosses, words and the truth
    panel.set_yticks([0, 0.5, 1])
    _mark_abstained(panel, task, predictions, origin)


def _mark_abstained(
    panel: Axes, task: Task, predictions: Sequence[Prediction], origin: float
) -> None:
    """Crosses along the lower edge, so that no height could be read as a value."""
    middles = [sum(_span(x, origin)) / 2 for x in predictions if x[task.name].abstained]
    if middles:
        panel.plot(
            middles, [0.06] * len(middles), color=_ABSTAINED, lw=0, marker="x",
            ms=_size(predictions), transform=panel.get_xaxis_transform(), label="abstained",
        )  # fmt: skip


def _size(predictions: Sequence[Prediction]) -> float:
    """Of a dot, in points."""
    return 4.5 if len(predictions) < _CROWD else 2.5


def _span(prediction: Prediction, origin: float) -> tuple[float, float]:
    assert prediction.start is not None  # predictions of a recording have their times
    assert prediction.end is not None
    return prediction.start - origin, prediction.end - origin


def _steps(labels: Sequence[Label], origin: float) -> NDArray[np.float64]:
    """Corners of a step line through labels (points, 2), broken by NaN between spans."""
    corners: list[tuple[float, float]] = []
    end = -np.inf
    for label in sorted(labels, key=lambda label: label.start):
        if label.start > end + 0.01 and corners:
            corners.append((np.nan, np.nan))
        value = float(label.value)
        corners += [(label.start - origin, value), (label.end - origin, value)]
        end = label.end
    return np.array(corners).reshape(-1, 2)
