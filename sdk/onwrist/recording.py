"""What every reader gives and every command takes: one person's signals with labels.

Channel names and units are the ones of the bundles: ppg (device units), acc_x, acc_y,
acc_z (g), eda (uS), temp (degC); any other name is carried along.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onwrist_runtime.errors import RecordingError
from onwrist_runtime.timeline import Signal


@dataclass(frozen=True, slots=True)
class Label:
    """What was true of [start, end).

    Attributes
    ----------
    task : name of the task, such as "heart_rate" or "stress".
    start, end : float seconds on the recording's clock, start < end.
    value : a number for a regression task (bpm), a name for a classification task.
    """

    task: str
    start: float
    end: float
    value: float | str


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording of one person.

    Attributes
    ----------
    name : what it is called in tables and files.
    subject : who wore the device, the unit of every split; None if unknown.
    signals : samples by channel name, each at its own rate, all on one clock.
    labels : spans with a known truth; spans of one task may touch, not overlap.
    events : button presses and the like, in seconds.

    Raises
    ------
    RecordingError
        No signals, an empty one, times that do not increase, a label without length.
    """

    name: str
    subject: str | None
    signals: Mapping[str, Signal]
    labels: tuple[Label, ...] = ()
    events: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.signals:
            raise RecordingError(f"recording {self.name!r} has no signals")
        for channel, signal in self.signals.items():
            _check_signal(f"recording {self.name!r}, channel {channel!r}", signal)
        for label in self.labels:
            if not (math.isfinite(label.start) and label.start < label.end < math.inf):
                raise RecordingError(
                    f"recording {self.name!r}: a {label.task!r} label goes from "
                    f"{label.start} to {label.end}; its start must lie before its end"
                )
        if not all(math.isfinite(event) for event in self.events):
            raise RecordingError(f"recording {self.name!r}: an event has no finite time")

    @property
    def start(self) -> float:
        """Time of the earliest sample, in seconds."""
        return min(float(signal.times[0]) for signal in self.signals.values())

    @property
    def end(self) -> float:
        """Time of the last sample, in seconds."""
        return max(float(signal.times[-1]) for signal in self.signals.values())


def _check_signal(where: str, signal: Signal) -> None:
    values, times = signal.values, signal.times
    if values.ndim != 1 or values.shape != times.shape:
        raise RecordingError(
            f"{where}: values of shape {values.shape} with times of shape {times.shape}; "
            "both must be (samples,)"
        )
    if not len(values):
        raise RecordingError(f"{where}: no samples")
    if not (math.isfinite(signal.rate) and signal.rate > 0):
        raise RecordingError(f"{where}: a rate of {signal.rate} Hz; it must be positive")
    if np.isinf(values).any():
        at = int(np.argmax(np.isinf(values)))
        raise RecordingError(f"{where}: sample {at} is infinite; use NaN for what is missing")
    # Written so that a NaN time fails too.
    steps_up = np.diff(times) > 0
    if not steps_up.all():
        at = int(np.argmin(steps_up))
        raise RecordingError(
            f"{where}: time {times[at + 1]:.6f} of sample {at + 1} does not lie after "
            f"{times[at]:.6f} of the one before it"
        )
    if not (math.isfinite(times[0]) and math.isfinite(times[-1])):
        raise RecordingError(f"{where}: a time that is not finite")
