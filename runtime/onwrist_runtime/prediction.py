"""What `predict` returns: frozen records, one per window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import InputError


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which bundle gave a prediction: its name, version and SHA-256."""

    name: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The outcome of one task on one window.

    Attributes
    ----------
    value, unit : regression tasks; `value` is None when abstained.
    label, probabilities : classification tasks; both None when abstained.
    confidence : calibrated probability of being right, in [0, 1]; None when
        nothing was computed.
    abstained : True where the bundle's calibration does not support an answer.
    reason : why it abstained, in words; None otherwise.
    """

    value: float | None
    unit: str | None
    label: str | None
    probabilities: Mapping[str, float] | None
    confidence: float | None
    abstained: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class SensorState:
    """What became of one sensor in one window.

    Attributes
    ----------
    coverage : share of observed grid points of all its channels, in [0, 1].
    used : whether it counted: enough of it was observed, and it was believed.
    weight : how much it counted, in [0, 1], all sensors together 1; None where the bundle has
        no fusion, or nothing was computed.
    reason : why it was not used, in words; None otherwise.
    """

    coverage: float
    used: bool
    weight: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Imputed:
    """A window without gaps.

    Attributes
    ----------
    values : float32 (channels, samples), in the channels' units: what was observed where it
        was, and output of the model elsewhere.
    observed : bool (channels, samples); where it is False a value is output of the model, as
        where a sensor was not believed.
    """

    values: NDArray[np.float32]
    observed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The results of one window.

    Attributes
    ----------
    tasks : result of each task by name; `prediction["heart_rate"]` is short for it.
    coverage : share of observed grid points of each channel, in [0, 1].
    embedding : float32 (embedding,), the means of all stages; None when nothing was
        observed.
    start, end : float64 seconds on the recording's clock; None if unknown.
    model : which bundle it came from.
    imputed : the window without gaps, where it was asked for and the bundle has a decoder;
        None also when nothing was observed.
    sensors : what became of each sensor, by name.
    """

    tasks: Mapping[str, TaskResult]
    coverage: Mapping[str, float]
    embedding: NDArray[np.float32] | None
    start: float | None
    end: float | None
    model: ModelIdentity
    imputed: Imputed | None = None
    sensors: Mapping[str, SensorState] = field(default_factory=dict)

    def __getitem__(self, task: str) -> TaskResult:
        try:
            return self.tasks[task]
        except KeyError:
            known = ", ".join(self.tasks) or "no tasks"
            raise InputError(f"there is no task {task!r}; this model has {known}") from None
