"""Recordings in, labelled windows on the model's grid out.

The grid comes from the runtime's own resampler, so that a model is trained on exactly
what `predict` will feed it. Shapes: W windows, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onwrist.readers import read_all
from onwrist.recording import Label, Recording
from onwrist_export.config import Config, TaskConfig
from onwrist_runtime.baseline import Baseline
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Baseline as BaselineConfig
from onwrist_runtime.signals import LONGEST, resample

Run = Callable[[Mapping[str, NDArray[np.float32]]], Mapping[str, NDArray[np.generic]]]


@dataclass(frozen=True, eq=False)
class Grid:
    """One recording on the model's grid: values and observed (C, n), times in seconds."""

    subject: str
    start: float
    rate: float
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    labels: tuple[Label, ...]

    @property
    def samples(self) -> int:
        return self.values.shape[1]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows cut from grids.

    Attributes
    ----------
    values : float32 (W, C, N), zero where not observed.
    observed : bool (W, C, N).
    elapsed : float64 (W,), seconds from the start of the recording to that of the window.
    subjects : str (W,).
    targets : task name to float64 (W,): the rate, or the class index; NaN where unknown.
    context : how many of the N samples come before the window itself, for a causal model.
    baseline : float32 (W, C, 3), running mean, scale and 1 of each channel where known at
        the end of the window, zeros elsewhere; None for a model that takes none.
    scales : by input float32 (W, 1), what a graph multiplies logits with; none for a model
        that is not calibrated by its sensors.
    """

    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    elapsed: NDArray[np.float64]
    subjects: NDArray[np.str_]
    targets: dict[str, NDArray[np.float64]]
    context: int = 0
    baseline: NDArray[np.float32] | None = None
    scales: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Windows:
        """The windows at `which`, an index or bool array."""
        return Windows(
            self.values[which],
            self.observed[which],
            self.elapsed[which],
            self.subjects[which],
            {name: target[which] for name, target in self.targets.items()},
            self.context,
            None if self.baseline is None else self.baseline[which],
            {name: scale[which] for name, scale in self.scales.items()},
        )

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Share of each window that was observed (W, C), its context not counted."""
        return np.asarray(self.observed[..., self.context :].mean(axis=-1))

    def alone(self) -> Windows:
        """The windows without their context."""
        values, observed = self.values[..., self.context :], self.observed[..., self.context :]
        return replace(self, values=values, observed=observed, context=0)

    def labelled(self, task: str) -> Windows:
        """The windows whose target of `task` is known."""
        return self.select(~np.isnan(self.targets[task]))

    def inputs(self, part: slice) -> dict[str, NDArray[np.float32]]:
        """The inputs of a graph for some of the windows, by name."""
        inputs = {
            "values": self.values[part],
            "observed": self.observed[part].astype(np.float32),
        }
        if self.baseline is not None:
            inputs["baseline"] = self.baseline[part]
        return inputs | {name: scale[part] for name, scale in self.scales.items()}

    def batches(self, size: int = 512) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of a graph as tensors, in its order: values, observed, and any baseline."""
        for start in range(0, len(self), size):
            inputs = self.inputs(slice(start, start + size))
            yield tuple(torch.from_numpy(array) for array in inputs.values())

    def feeds(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        """The inputs of a graph for each window, by name."""
        for start in range(len(self)):
            yield self.inputs(slice(start, start + 1))

    def without(self, kept: NDArray[np.bool_]) -> Windows:
        """The same windows with what is False in `kept` (W, C, N) taken away."""
        observed = self.observed & kept
        values = np.where(observed, self.values, np.float32(0))
        return replace(self, values=values, observed=observed)

    def without_baseline(self) -> Windows:
        """The same windows with nothing known of what came before them."""
        known = self.baseline
        return replace(self, baseline=None if known is None else np.zeros_like(known))


def run_all(run: Run, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Every output (W, ...) of an engine, one window at a time as on the device.

    `run` takes inputs (1, ...) by name and gives outputs (1, ...) by name.
    """
    found: dict[str, list[NDArray[np.generic]]] = {}
    for inputs in windows.feeds():
        for name, output in run(inputs).items():
            found.setdefault(name, []).append(output[0].copy())
    return {name: np.stack(outputs).astype(np.float64) for name, outputs in found.items()}


def load_grids(path: Path, config: Config) -> list[Grid]:
    """All recordings under `path`, resampled, with labels; each must name its subject.

    Raises
    ------
    InputError
        A recording names no subject, so that it could fall on both sides of a split.
    """
    recordings = read_all(path)
    for recording in recordings:
        if recording.subject is None:
            raise InputError(
                f"recording {recording.name!r} names no subject; training splits by subject"
            )
    return [to_grid(recording, config) for recording in recordings]


def to_grid(recording: Recording, config: Config) -> Grid:
    """Resample a recording to the configured grid; channels it lacks are unobserved.

    Raises
    ------
    InputError
        The channels cannot be on one clock.
    """
    if recording.end - recording.start > LONGEST:
        raise InputError(
            f"recording {recording.name!r} spans {recording.end - recording.start:.0f} s, from "
            f"{recording.start} to {recording.end}: all channels must be on one clock"
        )
    rate = config.window.rate
    first = int(np.ceil(recording.start * rate))
    count = int(np.floor(recording.end * rate)) - first + 1
    values = np.zeros((len(config.channels), count), np.float32)
    observed = np.zeros(values.shape, bool)
    for row, name in enumerate(config.channel_names):
        if name in recording.signals:
            values[row], observed[row] = resample(recording.signals[name], rate, first, count)
    values[~observed] = 0
    subject = recording.subject or recording.name
    return Grid(subject, first / rate, rate, values, observed, recording.labels)


def cut_windows(grids: Iterable[Grid], config: Config, hop: int) -> Windows:
    """Windows every `hop` grid points of all grids, with the targets of all tasks.

    For a causal encoder they have their context; before a recording nothing is observed.
    """
    samples, context = config.window.samples, config.context
    parts: list[Windows] = []
    for grid in grids:
        starts = np.arange(0, grid.samples - samples + 1, hop)
        before = ((0, 0), (context, 0))
        values, observed = np.pad(grid.values, before), np.pad(grid.observed, before)
        index = starts[:, None] + np.arange(context + samples)
        elapsed = starts / grid.rate
        seconds = samples / grid.rate
        targets = {
            task.name: window_targets(grid, task, elapsed + grid.start, seconds)
            for task in config.tasks
        }
        parts.append(
            Windows(
                values[:, index].transpose(1, 0, 2),
                observed[:, index].transpose(1, 0, 2),
                elapsed,
                np.full(len(starts), grid.subject),
                targets,
                baseline=running_baseline(grid, config.baseline, starts + samples),
            )
        )
    if not parts:
        raise InputError("there are no recordings to cut windows from")
    return Windows(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.observed for p in parts]),
        np.concatenate([p.elapsed for p in parts]),
        np.concatenate([p.subjects for p in parts]),
        {t.name: np.concatenate([p.targets[t.name] for p in parts]) for t in config.tasks},
        context,
        None if config.baseline is None else np.concatenate([p.baseline for p in parts]),
    )


def running_baseline(
    grid: Grid, settings: BaselineConfig | None, ends: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """What a stream from the start of `grid` would know at these grid points: (W, C, 3)."""
    if settings is None:
        return None
    length = settings.samples
    running = Baseline(len(grid.values), grid.rate, settings.seconds, length)
    known = [running.input]
    for stop in range(length, grid.samples + 1, length):
        part = slice(stop - length, stop)
        running.update(grid.values[:, part], grid.observed[:, part])
        known.append(running.input)
    return np.concatenate(known)[ends // length]


def window_targets(
    grid: Grid, task: TaskConfig, starts: NDArray[np.float64], seconds: float
) -> NDArray[np.float64]:
    """Target of windows [start, start + seconds): float64 (W,), NaN where unknown."""
    if task.kind == "rate":
        share = task.label_seconds * grid.rate / round(seconds * grid.rate)
        return rate_targets(grid, task, starts, seconds, share)
    targets = np.full(len(starts), np.nan)
    for label in grid.labels:
        if label.task == task.name:
            if label.value not in task.labels:
                raise InputError(
                    f"subject {grid.subject}: label {label.value!r} of task {task.name!r} is "
                    f"not among {list(task.labels)}"
                )
            inside = (starts >= label.start) & (starts + seconds <= label.end)
            targets[inside] = task.labels.index(str(label.value))
    return targets


def rate_targets(
    grid: Grid,
    task: TaskConfig,
    starts: NDArray[np.float64],
    seconds: float,
    share: float,
) -> NDArray[np.float64]:
    """Mean of the spans wholly inside a window; NaN where they cover less than `share`."""
    labels = (x for x in grid.labels if x.task == task.name)
    spans = np.array(
        sorted((x.start, x.end, _number(grid.subject, x)) for x in labels)
    ).reshape(-1, 3)
    lengths = spans[:, 1] - spans[:, 0]
    covered = np.concatenate([[0.0], np.cumsum(lengths)])
    weighted = np.concatenate([[0.0], np.cumsum(lengths * spans[:, 2])])
    first = np.searchsorted(spans[:, 0], starts - 1e-6)
    last = np.maximum(np.searchsorted(spans[:, 1], starts + seconds + 1e-6, "right"), first)
    known = covered[last] - covered[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weighted[last] - weighted[first]) / known
    return np.where(known >= share * seconds, mean, np.nan)


def _number(subject: str, label: Label) -> float:
    try:
        return float(label.value)
    except ValueError:
        raise InputError(
            f"subject {subject}: label {label.value!r} of task {label.task!r} is not a number"
        ) from None


def require_classes(windows: Windows, task: TaskConfig, whose: str) -> None:
    """Raise InputError unless windows of every class of `task` are there."""
    found = windows.labelled(task.name).targets[task.name]
    lacking = [label for k, label in enumerate(task.labels) if not (found == k).any()]
    if lacking:
        raise InputError(
            f"no window of the {whose} subjects lies wholly in a {task.name} label "
            f"{' or '.join(map(repr, lacking))}; {whose} needs every one of {list(task.labels)}"
        )


def of_subjects(grids: Sequence[Grid], subjects: Iterable[str]) -> list[Grid]:
    """The grids of these subjects; every one of them must be there."""
    wanted = set(subjects)
    missing = wanted - {grid.subject for grid in grids}
    if missing:
        raise InputError(f"no recording of subjects {sorted(missing)}; the split names them")
    return [grid for grid in grids if grid.subject in wanted]
