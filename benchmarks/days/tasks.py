"""People in, windows of a day with hidden heart rate out: the same for every contestant.

A window is 1440 minutes that begin at any minute of a person's time. A gap hides heart rate
in some of them, and in the harder variant of a setting activity as well. Gaps lie where the
device was worn and heart rate was observed, so that there is a truth to hold the answer to;
minutes that are naturally missing stay missing, inside the window and beside the gap.
Everything is drawn from `SEED`, the subject, the task and its size, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onwrist.readers.fitbit_grid import Person

SEED = 20160412
DAY = 1440
PATCH = 20
STEPS, INTENSITY, HEART = 0, 1, 2

Task = Literal["interpolation", "extrapolation", "random", "sensor"]
TASKS: tuple[Task, ...] = ("interpolation", "extrapolation", "random", "sensor")
# Minutes of the gap, per cent of the patches, minutes of the day.
SIZES: dict[Task, tuple[int, ...]] = {
    "interpolation": (10, 30, 60, 180),
    "extrapolation": (10, 30, 60, 180),
    "random": (30, 50, 80),
    "sensor": (DAY,),
}
GAPS = 150  # of one person in one setting, where there is room for them
MARGIN = 180  # minutes that an interpolated gap keeps from both ends of its window
OBSERVED = 0.9  # share of a gap that must be observed
NEIGHBOURS = 10, 5  # of so many minutes beside a gap, so many must be observed
RANDOM_PATCHES, RANDOM_APART = 24, 60  # patches with heart rate a window; minutes
DAY_MINUTES = 300  # minutes of heart rate that make a day worth asking for
# Below so many gaps or days a person's row says "not enough data".
LEAST_GAPS, LEAST_DAYS = 10, 3


@dataclass(frozen=True)
class Setting:
    """What is hidden: how, how much, and whether activity stays known there."""

    task: Task
    size: int
    activity: bool

    @property
    def name(self) -> str:
        """For tables and files, such as `interpolation/60/known`."""
        return f"{self.task}/{self.size}/{'known' if self.activity else 'unknown'}"


@dataclass(frozen=True)
class Gap:
    """One window of one person and what is hidden in it.

    Attributes
    ----------
    start : minute of the person's time at which the window begins; may lie before the first.
    spans : half-open ranges of minutes of the window, ascending, that are hidden.
    """

    subject: str
    start: int
    spans: tuple[tuple[int, int], ...]

    @property
    def day(self) -> int:
        """The person's day in which the (first) hidden minute lies."""
        return (self.start + self.spans[0][0]) // DAY

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Bool (1440,)."""
        mask = np.zeros(DAY, bool)
        for first, last in self.spans:
            mask[first:last] = True
        return mask


def settings() -> tuple[Setting, ...]:
    """All of them; with the heart rate of a whole day, nothing but activity is left to know."""
    return tuple(
        Setting(task, size, activity)
        for task in TASKS
        for size in SIZES[task]
        for activity in ((True,) if task == "sensor" else (True, False))
    )


def window(values: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """Minutes `start` to `start + 1440` of (3, n), NaN where the person has none."""
    cut = np.full((len(values), DAY), np.nan, np.float32)
    first, last = max(start, 0), min(start + DAY, values.shape[1])
    if last > first:
        cut[:, first - start : last - start] = values[:, first:last]
    return cut


def hidden_in(gap: Gap, activity: bool) -> NDArray[np.bool_]:
    """What the gap hides of the window, (3, 1440); `activity` says whether that stays known."""
    hidden = np.zeros((3, DAY), bool)
    hidden[HEART:] = gap.hidden
    if not activity:
        hidden[:HEART] = gap.hidden
    return hidden


def shown(person: Person, gap: Gap, activity: bool) -> NDArray[np.float32]:
    """The window (3, 1440) as a contestant sees it: NaN where hidden or never observed."""
    values = window(person.values, gap.start)
    values[hidden_in(gap, activity)] = np.nan
    return values


def truth(person: Person, gap: Gap) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The hidden minutes of the window whose heart rate is known, and that heart rate."""
    heart = window(person.values, gap.start)[HEART]
    minutes = np.flatnonzero(gap.hidden & np.isfinite(heart))
    return minutes, heart[minutes]


def place(
    person: Person, task: Task, size: int, count: int = GAPS, seed: int = SEED, apart: int = -1
) -> list[Gap]:
    """Up to `count` gaps of one person, by time.

    `apart` is the least number of minutes between the beginnings of two; by default half a
    gap, so that few data do not pass for many.
    """
    draw = np.random.default_rng([seed, int(person.subject), TASKS.index(task), size])
    if task == "sensor":
        gaps = _days(person)
    elif task == "random":
        gaps = _random(person, size, count, RANDOM_APART if apart < 0 else apart, draw)
    else:
        gaps = _spans(person, task, size, count, size // 2 if apart < 0 else apart, draw)
    return sorted(gaps, key=lambda gap: gap.start + gap.spans[0][0])[:count]


def gaps_of(people: Iterable[Person]) -> dict[tuple[Task, int], list[Gap]]:
    """The gaps that everything is judged by: of the people with raw heart rate, by size."""
    judges = [person for person in people if person.heart_rate == "raw"]
    return {
        (task, size): [gap for person in judges for gap in place(person, task, size)]
        for task in TASKS
        for size in SIZES[task]
    }


def _running(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of the first n are True, (n + 1,)."""
    return np.concatenate(([0], np.cumsum(flags)))


def _spaced(
    starts: NDArray[np.intp], count: int, apart: int, draw: np.random.Generator
) -> list[int]:
    """Some of the starts in random order, none nearer than `apart` to another."""
    chosen: list[int] = []
    blocked = np.zeros(int(starts.max()) + 1 if len(starts) else 0, bool)
    for start in draw.permutation(starts):
        if len(chosen) == count:
            break
        if not blocked[start]:
            chosen.append(int(start))
            blocked[max(start - max(apart, 1) + 1, 0) : start + max(apart, 1)] = True
    return chosen


def _spans(
    person: Person, task: Task, size: int, count: int, apart: int, draw: np.random.Generator
) -> list[Gap]:
    """One gap of `size` minutes: inside a window, or at its end."""
    seen = np.isfinite(person.values).all(axis=0)
    total = _running(seen)
    near, least = NEIGHBOURS
    starts = np.arange(near, len(seen) - size - near)
    enough = (total[starts + size] - total[starts]) >= OBSERVED * size
    enough &= seen[starts - 1] & (total[starts] - total[starts - near] >= least)
    if task == "interpolation":
        after = starts + size
        enough &= seen[after] & (total[after + near] - total[after] >= least)
    found = []
    for start in _spaced(starts[enough], count, apart, draw):
        offset = DAY - size
        if task == "interpolation":
            offset = int(draw.integers(MARGIN, DAY - MARGIN - size + 1))
        found.append(Gap(person.subject, start - offset, ((offset, offset + size),)))
    return found


def _random(
    person: Person, size: int, count: int, apart: int, draw: np.random.Generator
) -> list[Gap]:
    """`size` per cent of the patches that have heart rate, of windows that have enough."""
    total = _running(np.isfinite(person.values).all(axis=0))
    starts = np.arange(0, person.values.shape[1] - DAY + 1)
    edges = np.arange(0, DAY + 1, PATCH)
    observed = np.diff(total[starts[:, np.newaxis] + edges], axis=1)
    starts = starts[(observed >= PATCH // 2).sum(axis=1) >= RANDOM_PATCHES]
    found = []
    for start in _spaced(starts, count, apart, draw):
        there = np.flatnonzero(np.diff(total[start + edges]))
        chosen = draw.choice(there, round(size / 100 * len(there)), replace=False)
        found.append(Gap(person.subject, start, _merged(np.sort(chosen))))
    return found


def _merged(patches: NDArray[np.intp]) -> tuple[tuple[int, int], ...]:
    """Neighbouring patches as one span of minutes."""
    cuts = np.flatnonzero(np.diff(patches) > 1) + 1
    edges = [0, *cuts.tolist(), len(patches)]
    return tuple(
        (int(patches[a]) * PATCH, (int(patches[b - 1]) + 1) * PATCH) for a, b in pairwise(edges)
    )


def _days(person: Person) -> list[Gap]:
    """Every calendar day with enough heart rate, all of it hidden."""
    by_day = np.isfinite(person.values[HEART]).reshape(-1, DAY).sum(axis=1)
    days = np.flatnonzero(by_day >= DAY_MINUTES)
    return [Gap(person.subject, int(day) * DAY, ((0, DAY),)) for day in days]


def enough(gaps: Sequence[Gap]) -> bool:
    """Whether one person's gaps in one setting carry a figure."""
    return len(gaps) >= LEAST_GAPS and len({gap.day for gap in gaps}) >= LEAST_DAYS
