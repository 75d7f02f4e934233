"""A seed in, a Recording of simulated days of a wrist-worn tracker out, minute by minute.

The wearer sleeps, walks, sometimes runs; heart rate follows with a lag. The tracker is off
while it charges and on some nights, and loses the pulse for minutes here and there: the
gaps of the Fitbit data set (Furberg 2016), not its people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist.recording import Label, Recording
from onwrist.wear import unworn
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal

START = 1_700_006_400.0  # a midnight, in local seconds counted as if they were UTC
_DAY, _BEATS = 1440, 12  # minutes a day, samples of heart rate a minute
_MOST = 366

_Array = NDArray[np.float64]


def days(count: int = 1, seed: int = 0, *, seconds: bool = False) -> Recording:
    """Simulate whole days from a midnight on.

    Parameters
    ----------
    count : how many, 1 to 366. The first days are the same whatever the count is.
    seed : chooses the person as well as the days; equal seeds give equal recordings.
    seconds : heart rate every 5 s (0.2 Hz, whole bpm) instead of the means of minutes.

    Returns
    -------
    Recording
        steps, intensity (0 to 3) and heart_rate (bpm), stamped at the beginning of their
        minute; labels "daily_steps" and "minutes_asleep" are of what really happened, also
        while the tracker was off.
    """
    if not isinstance(count, int) or not 1 <= count <= _MOST:
        raise InputError(f"cannot simulate {count!r} days; give 1 to {_MOST}")
    life = _live(count, seed)
    worn, pulse = _gaps(count, seed)
    beats = _heart_rate(life, count, seed)
    beats[~(worn & pulse)] = np.nan
    means = beats.mean(axis=1)
    steps = np.where(worn, life.steps, 0.0)
    intensity = np.where(worn, life.intensity, 0.0)
    off = unworn(steps, means)
    steps[off] = intensity[off] = np.nan
    minutes = {"steps": steps, "intensity": intensity}
    signals = {name: _signal(values, 60.0) for name, values in minutes.items()}
    signals["heart_rate"] = _signal(beats.ravel(), 5.0) if seconds else _signal(means, 60.0)
    return Recording(f"simulated-days-{seed}", f"simulated-{seed}", signals, _labels(life))


@dataclass(frozen=True, slots=True, eq=False)
class _Life:
    """What the wearer does, by minute."""

    steps: _Array
    intensity: _Array
    asleep: NDArray[np.bool_]


def _live(count: int, seed: int) -> _Life:
    size = count * _DAY
    steps, asleep = np.zeros(size), np.ones(size, np.bool_)
    for day in range(count):
        draw = np.random.default_rng((seed, day, 0))
        wake, bed = draw.normal(7.0 * 60, 40), draw.normal(23.0 * 60, 40)
        begin, end = int(wake) + day * _DAY, int(bed) + day * _DAY
        asleep[begin:end] = False
        # Short ways about the house, walks, and on some days a run.
        for at in draw.uniform(begin, end, draw.poisson(60)):
            _move(steps, draw, at, int(draw.geometric(0.5)), 5, 45)
        for at in draw.uniform(begin, end - 60, draw.integers(2, 7)):
            _move(steps, draw, at, int(draw.integers(6, 40)), 80, 118)
        if draw.random() < 0.35:
            at = draw.choice([begin + 20, end - 300])
            _move(steps, draw, at, int(draw.integers(20, 45)), 150, 168)
    steps[asleep] = 0
    intensity = np.digitize(steps, [1, 75, 105]).astype(np.float64)
    return _Life(steps, intensity, asleep)


def _move(
    steps: _Array, draw: np.random.Generator, at: float, length: int, low: int, high: int
) -> None:
    part = steps[int(at) : int(at) + length]
    part[:] = draw.integers(low, high, length)[: len(part)]


def _gaps(count: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Minutes in which the tracker is worn, and those in which it finds the pulse."""
    worn, pulse = np.ones(count * _DAY, np.bool_), np.ones(count * _DAY, np.bool_)
    for day in range(count):
        draw = np.random.default_rng((seed, day, 1))
        midnight = day * _DAY
        for at in midnight + draw.integers(7 * 60, 22 * 60, draw.poisson(3)):
            pulse[at : at + draw.integers(3, 25)] = False
        charging = midnight + draw.integers(17 * 60, 20 * 60)
        worn[charging : charging + draw.integers(30, 130)] = False
        if draw.random() < 0.3:  # from some time in the evening to after breakfast
            worn[midnight + 1380 : midnight + 1380 + draw.integers(480, 620)] = False
    return worn, pulse


def _heart_rate(life: _Life, count: int, seed: int) -> _Array:
    """Whole bpm (minutes, 12): rest, sleep and a lag of about two minutes behind effort."""
    person = np.random.default_rng((seed, 0, 2))
    rest, effort = person.uniform(52, 68), person.uniform(0.28, 0.4)
    wanted = rest + np.where(life.asleep, 0.0, 12.0) + effort * life.steps
    reached, wander, out = float(wanted[0]), 0.0, np.empty(count * _DAY)
    noises = np.concatenate(
        [np.random.default_rng((seed, day, 3)).normal(0, 1, _DAY) for day in range(count)]
    )
    for minute, (want, noise) in enumerate(zip(wanted.tolist(), noises.tolist(), strict=True)):
        reached += (want - reached) * (0.6 if want > reached else 0.3)
        wander += -0.05 * wander + 0.9 * noise
        out[minute] = reached + wander
    fine = [
        np.random.default_rng((seed, day, 4)).normal(0, 1.2, (_DAY, _BEATS))
        for day in range(count)
    ]
    return np.clip(np.round(out[:, None] + np.concatenate(fine)), 35, 215)


def _signal(values: _Array, period: float) -> Signal:
    real = np.flatnonzero(~np.isnan(values))
    times = START + period * real.astype(np.float64)
    return Signal(values[real].astype(np.float32), times, 1 / period)


def _labels(life: _Life) -> tuple[Label, ...]:
    totals = {"daily_steps": life.steps, "minutes_asleep": life.asleep.astype(np.float64)}
    return tuple(
        Label(task, START + 86_400.0 * day, START + 86_400.0 * (day + 1), float(total))
        for task, minutes in totals.items()
        for day, total in enumerate(minutes.reshape(-1, _DAY).sum(axis=1))
    )
