"""Cases of days for `streams.json`: minutes in, here hours, windows of a day out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from stream_cases import FLUSH, Case, case_of, merged, push, pushes
from stream_replay import replay

HOUR = 3600.0
MIDNIGHT = 1_644_192_000.0  # of a day in UTC
WHOLE: Case = {"at_least_one": True}

CHANNELS = (
    {"name": "heart_rate", "sensor": "heart_rate", "rate": 0.01, "aggregation": "mean"},
    {"name": "steps", "sensor": "steps", "rate": 0.01, "aggregation": "sum"},
)
DAY: Case = {
    "rate": 1 / HOUR,
    "samples": 24,
    "channels": [*CHANNELS],
    "tasks": [],
    "tokens": {
        "patch": 2,
        "groups": [
            {"name": "heart", "channels": ["heart_rate"], "least": 1},
            {"name": "motion", "channels": ["steps"], "least": 2},
        ],
        "width": 2,
        "sizes": [4, 8, 24],
    },
}


def days() -> list[Case]:
    """All cases of intervals on a grid."""
    return [case | {"expected": replay(case)} for case in _days()]


def _heart(hours: float, start: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Beats per minute every quarter of an hour or so."""
    draw = np.random.default_rng(seed)
    times = (start + np.arange(round(hours * 4)) * 900.0 + draw.uniform(0, 800)).round(2)
    return times, draw.uniform(50, 150, times.size).round(1)


def _steps(hours: float, start: float = 0.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Steps of each half an hour, some of it without any record."""
    draw = np.random.default_rng(seed)
    times = start + np.arange(round(hours * 2)) * 1800.0
    kept = draw.random(times.size) < 0.7
    return times[kept], draw.integers(0, 900, times.size)[kept].astype(float)


def _days() -> Iterator[Case]:
    plain: Case = {"hop": 2, "lateness": 60.0}
    both = merged(pushes("heart_rate", _heart(11)), pushes("steps", _steps(11), 5))
    yield case_of(
        "hours of two channels", DAY, [*both, FLUSH], **plain | {"lateness": 3 * HOUR}
    )
    yield case_of("up to the end of the hop", DAY, [*both, WHOLE], **plain | {"hop": 24})
    start = MIDNIGHT + 9.6 * HOUR
    away = merged(
        pushes("heart_rate", _heart(20, start)), pushes("steps", _steps(20, start), 9)
    )
    zero: Case = {"hop": 6, "lateness": 0.0, "midnight": MIDNIGHT - 2 * HOUR}
    yield case_of("another midnight, over it", DAY, [*away, FLUSH], **zero)
    odd: Case = {"hop": 10, "lateness": 900.0, "midnight": 1234.5}
    yield case_of("hops that do not divide a day", DAY, [*away, WHOLE], **odd)
    edges = np.arange(9) * HOUR + MIDNIGHT
    on_edges = [push("steps", edges, np.arange(9) + 1.0)]
    just = float(np.nextafter(MIDNIGHT + 10 * HOUR, 0))
    on_edges += [push("steps", [just, MIDNIGHT + 10 * HOUR], [100.0, 200.0]), FLUSH]
    yield case_of("samples on the edges", DAY, on_edges, **zero | {"hop": 2})
    heart = _heart(8, 3 * HOUR, seed=2)
    mixed = np.random.default_rng(3).permutation(heart[0].size).reshape(-1, 8)
    mixed = np.sort(mixed.ravel().reshape(-1, 8), axis=0).ravel()
    shuffled = heart[0][mixed], heart[1][mixed]
    late: Case = {"hop": 4, "lateness": 2 * HOUR}
    yield case_of(
        "late and out of order", DAY, [*pushes("heart_rate", shuffled, 5), FLUSH], **late
    )
    twice = np.repeat(heart[0], 2), (heart[1][:, np.newaxis] + [5.0, 0.0]).ravel()
    twice[1][[3, 8, 9, 20]] = np.nan
    yield case_of("twice, and missing", DAY, [*pushes("heart_rate", twice, 9), FLUSH], **late)
    far = _heart(5, 70 * HOUR, seed=4)
    apart = [*pushes("heart_rate", _heart(5)), *pushes("heart_rate", far), WHOLE]
    yield case_of("days without samples", DAY, apart, **plain | {"hop": 12})
    before = _heart(6, -7.5 * HOUR, seed=5)
    yield case_of("before time 0", DAY, [*pushes("heart_rate", before), FLUSH], **plain)
    large = [push("steps", [100.0, 200.0, 4000.0], [9e14, 9e14, 5.0]), WHOLE]
    yield case_of("a sum that no graph is given", DAY, large, **plain)
    order = [
        push("steps", [1.0, 2.0, 3.0, 4.0, 3700.0], [1e14, 0.01, 0.01, -1e14, 1.0]),
        WHOLE,
    ]
    yield case_of("added in the order of time", DAY, order, **plain)
    together = [channel | {"sensor": "band"} for channel in CHANNELS]
    rows = np.stack([_heart(6)[1], np.round(_heart(6, seed=6)[1])], axis=1)
    rows[[2, 3, 9], [0, 1, 1]] = np.nan
    band = pushes("band", (_heart(6)[0], rows), 7)
    yield case_of("one sensor of both", DAY | {"channels": together}, [*band, FLUSH], **plain)
    yield case_of("no sample at all", DAY, [WHOLE], **plain)
    anew = [*both, WHOLE, {"reset": True}, *both[:2]]
    yield case_of("a reset forgets what was told", DAY, anew, **plain | {"hop": 24})
