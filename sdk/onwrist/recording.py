"""What every reader gives and every command takes: one person's signals with labels.

Channel names and units are the ones of the bundles: ppg (device units), acc_x, acc_y,
acc_z (g), eda (uS), temp (degC); any other name is carried along.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from onwrist_runtime.errors import RecordingError
from onwrist_runtime.signals import Signal


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recording:
    """One recording of one person.

    Attributes
    ----------
    name : what it is called in tables and files.
    subject : who wore the device, the unit of every split; None if unknown.
    signals : samples by channel name, each at its own rate, all on one clock.
    labels : spans with a known truth.
    events : button presses and the like, in seconds.
    notes : what a reader repaired or left out, with counts, a sentence each.

    Raises
    ------
    RecordingError
        No signals, one without samples, or a label that ends before it starts.
    """

    name: str
    subject: str | None
    signals: Mapping[str, Signal]
    labels: tuple[Label, ...] = ()
    events: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.signals:
            raise RecordingError(f"recording {self.name!r} has no signals")
        for channel, signal in self.signals.items():
            if not len(signal.times):
                raise RecordingError(f"recording {self.name!r}: no samples of {channel!r}")
        for label in self.labels:
            if not (math.isfinite(label.start) and label.start < label.end < math.inf):
                raise RecordingError(
                    f"recording {self.name!r}: a {label.task!r} label goes from "
                    f"{label.start} to {label.end}; its start must lie before its end"
                )
        if not all(math.isfinite(event) for event in self.events):
            raise RecordingError(f"recording {self.name!r}: an event has no finite time")

    def __repr__(self) -> str:
        channels = ", ".join(f"{name} {x.rate:g} Hz" for name, x in self.signals.items())
        length = f"{self.end - self.start:.0f} s"
        return (
            f"<Recording {self.name!r} of subject {self.subject!r}, {length}: {channels}; "
            f"{len(self.labels)} labels>"
        )

    @property
    def start(self) -> float:
        """Time of the earliest sample, in seconds."""
        return min(float(signal.times[0]) for signal in self.signals.values())

    @property
    def end(self) -> float:
        """Time of the last sample, in seconds."""
        return max(float(signal.times[-1]) for signal in self.signals.values())
