"""What a contestant sees of a window in, one row of features a hidden minute out.

For ridge and gradient boosting: current and lagged activity, linear interpolation of the
heart rate beside the gap, how the activity of a minute differs from that at the gap's edges,
where in the gap the minute lies, what is known of the window's heart rate, and the clock.
Nothing here takes more than `shown` gives, so that what is hidden cannot reach a feature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tasks import DAY, HEART, INTENSITY, STEPS

Rows = NDArray[np.float64]
# Means of activity over so many minutes that end so many minutes after the one in question.
BOXES = (
    (1, 0),
    (1, -1),
    (1, -2),
    (2, -3),
    (5, -5),
    (10, -10),
    (30, -20),
    (2, 2),
    (5, 7),
    (15, 22),
)
WIDE = ((30, 15), (120, 60))
EDGE = 6  # minutes of activity at each edge of a gap
ANCHOR = 5  # observed minutes whose mean anchors the interpolation
HOUR = 60.0
POPULATION = 75.0, 12.0  # bpm and its deviation, where a window shows no heart rate at all


def interpolated(heart: NDArray[np.float32], anchor: int) -> Rows:
    """Heart rate (1440,) with straight lines through what is missing.

    A line runs between the means of the `anchor` observed minutes on either side; beyond the
    first and the last observed minute the mean stands.
    """
    known = np.flatnonzero(np.isfinite(heart))
    if not len(known):
        return np.full(len(heart), POPULATION[0])
    values = heart[known].astype(np.float64)
    total = np.concatenate(([0.0], np.cumsum(values)))
    order = np.arange(len(known))
    first, last = np.maximum(order + 1 - anchor, 0), np.minimum(order + anchor, len(known))
    trailing = (total[order + 1] - total[first]) / (order + 1 - first)
    leading = (total[last] - total[order]) / (last - order)
    at = np.arange(len(heart))
    right = np.searchsorted(known, at)
    before, after = np.clip(right - 1, 0, None), np.clip(right, None, len(known) - 1)
    share = (at - known[before]) / np.maximum(known[after] - known[before], 1)
    line = trailing[before] * (1 - share) + leading[after] * share
    line[right == 0] = leading[0]
    line[right == len(known)] = trailing[-1]
    line[known] = values
    return line


def _boxes(values: Rows, at: NDArray[np.intp], boxes: tuple[tuple[int, int], ...]) -> Rows:
    """Means over what is known in each box, (len(at), boxes).

    Where a box has nothing, a line between the nearest minutes of the window that have one.
    """
    known = np.isfinite(values)
    total = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0))))
    count = np.concatenate(([0], np.cumsum(known)))
    minutes = np.arange(len(values))
    columns = []
    for width, shift in boxes:
        last = np.clip(minutes + shift + 1, 0, len(values))
        first = np.clip(minutes + shift + 1 - width, 0, len(values))
        has = count[last] - count[first]
        mean = (total[last] - total[first]) / np.maximum(has, 1)
        there = np.flatnonzero(has)
        columns.append(np.interp(at, there, mean[there]) if len(there) else np.zeros(len(at)))
    return np.stack(columns, axis=1)


def _clock(start: int, at: NDArray[np.intp]) -> Rows:
    angle = 2 * np.pi * ((start + at) % DAY) / DAY
    waves = [wave(k * angle) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1)


def _activity(values: NDArray[np.float32], at: NDArray[np.intp]) -> Rows:
    steps = np.log1p(values[STEPS].astype(np.float64))
    intensity = values[INTENSITY].astype(np.float64)
    moving = np.where(np.isfinite(intensity), intensity > 0, np.nan)
    near = np.hstack([_boxes(signal, at, BOXES) for signal in (steps, intensity)])
    wide = np.hstack([_boxes(signal, at, WIDE) for signal in (steps, moving)])
    return np.hstack([near, wide])


def features(
    values: NDArray[np.float32], start: int, at: NDArray[np.intp]
) -> tuple[Rows, NDArray[np.float64]]:
    """Features of minutes of a window, and the line that a regression may correct.

    Parameters
    ----------
    values : (3, 1440), NaN where hidden or not observed.
    start : the minute of the person's time at which the window begins.
    at : (n,) the minutes asked for, none of which shows its heart rate.

    Returns
    -------
    (n, features) and (n,) bpm.
    """
    heart = values[HEART]
    known = np.flatnonzero(np.isfinite(heart))
    line = interpolated(heart, ANCHOR)[at]
    mean, deviation = POPULATION
    if len(known) > 30:
        mean, deviation = float(heart[known].mean()), float(heart[known].std())
    right = np.searchsorted(known, at)
    before = known[np.clip(right - 1, 0, None)] if len(known) else np.zeros_like(at)
    after = known[np.clip(right, None, len(known) - 1)] if len(known) else np.zeros_like(at)
    since = np.where(right > 0, at - before, DAY).astype(np.float64)
    until = np.where(right < len(known), after - at, DAY).astype(np.float64)
    # 0 at an edge of the gap, near 1 far inside it: how much the line is worth.
    away = 1 - np.exp(-np.minimum(since, until) / 20.0)
    within = np.clip(since / (since + until), 0, 1)

    now = _activity(values, at)
    edges = _edges(values, before, after, right, len(known))
    contrast = now - (edges[0] * (1 - within[:, None]) + edges[1] * within[:, None])
    toward = mean - line
    single = np.stack(
        [
            line,
            toward,
            toward * away,
            np.full(len(at), deviation),
            away,
            within * (1 - within),
            np.log1p(since),
            np.log1p(until),
            np.log1p(np.minimum(since, until) / HOUR),
            *_trends(heart, line, known, right),
        ],
        axis=1,
    )
    clock = _clock(start, at)
    return np.hstack([now, contrast, away[:, None] * contrast, single, clock]), line


def _edges(
    values: NDArray[np.float32],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    right: NDArray[np.intp],
    count: int,
) -> tuple[Rows, Rows]:
    """Mean activity features of the minutes at both edges of each minute's gap."""
    pairs = np.stack([before, after, right], axis=1)
    gaps, back = np.unique(pairs, axis=0, return_inverse=True)
    back = back.reshape(-1)
    sides = []
    for side, outwards in ((0, -1), (1, 1)):
        reach = gaps[:, side, None] + outwards * np.arange(EDGE)
        reach = np.clip(reach, 0, DAY - 1)
        rows = _activity(values, reach.reshape(-1))
        sides.append(rows.reshape(len(gaps), EDGE, -1).mean(axis=1))
    # Where one side has no heart rate, the other stands for both.
    left, other = sides
    none_before, none_after = gaps[:, 2] == 0, gaps[:, 2] == count
    left = np.where(none_before[:, None], other, left)
    other = np.where(none_after[:, None], sides[0], other)
    return left[back], other[back]


def _trends(
    heart: NDArray[np.float32],
    line: NDArray[np.float64],
    known: NDArray[np.intp],
    right: NDArray[np.intp],
) -> list[NDArray[np.float64]]:
    """Means of 1, 15 and 60 observed minutes on each side, less the line."""
    if not len(known):
        return [np.zeros(len(line)) for _ in range(6)]
    total = np.concatenate(([0.0], np.cumsum(heart[known], dtype=np.float64)))
    found = []
    for count in (1, 15, 60):
        first, last = np.maximum(right - count, 0), np.minimum(right + count, len(known))
        earlier = (total[right] - total[first]) / np.maximum(right - first, 1)
        later = (total[last] - total[right]) / np.maximum(last - right, 1)
        found.append(np.where(right > 0, earlier - line, 0.0))
        found.append(np.where(right < len(known), later - line, 0.0))
    return found
