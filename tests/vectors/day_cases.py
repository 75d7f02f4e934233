"""Cases of days for `host.json`: minutes, slots, nearest grid points, and the time of day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onwrist_runtime.minutes import Minutes
from onwrist_runtime.tokens import Cut, nearest

EPOCH = 1_644_226_061.37
MIDNIGHT = 1_644_192_000.0
Case = dict[str, Any]


def minutes() -> list[Case]:
    """Samples of one channel that become the mean or the sum of each interval."""
    return [_with(case, replay_minutes) for case in _minutes()]


def _minutes() -> Iterator[Case]:
    draw = np.random.default_rng(0)

    def case(name: str, times: Any, samples: Any, aggregation: str, **where: Any) -> Case:
        where = {"period": 60.0, "zero": 0.0, "first": 0, "count": 6} | where
        stamps = np.asarray(times, np.float64).tolist()
        numbers = [None if x is None else float(np.float32(x)) for x in samples]
        return {
            "name": name,
            "aggregation": aggregation,
            "times": stamps,
            "samples": numbers,
            **where,
        }

    seconds = np.sort(draw.uniform(0, 330, 40)).round(3)
    heart = draw.uniform(50, 150, 40).round(1)
    yield case("the mean of some seconds", seconds, heart, "mean")
    yield case("the sum of some seconds", seconds, heart, "sum")
    edges = 60.0 * np.arange(5)
    yield case("samples on the edges", edges, [1, 2, 3, 4, 5], "sum", first=-1, count=7)
    first = int(MIDNIGHT // 60)
    yield case("edges on the Unix epoch", MIDNIGHT + edges, [1, 2, 3, 4, 5], "sum", first=first)
    before = [float(np.nextafter(MIDNIGHT + 60, 0)), MIDNIGHT + 60]
    yield case("just before an edge", before, [1, 2], "sum", zero=MIDNIGHT, count=3)
    yield case(
        "a midnight of another clock", 1234.5 + edges, [1, 2, 3, 4, 5], "mean", zero=1234.5
    )
    yield case("missing samples", [5, 65, 70, 130], [None, 3, None, 4], "mean")
    yield case("a long gap", [5, 250], [60, 90], "mean")
    yield case("before and after all samples", [5], [60], "mean", first=3, count=2)
    yield case("in the order of time", [1, 2, 3, 4], [1e14, 0.004, 0.004, -1e14], "sum")
    yield case("a sum that no graph is given", [1, 2], [9e14, 9e14], "sum")
    yield case("hours", seconds * 40, heart, "mean", period=3600.0, zero=-7200.0)


def replay_minutes(case: Case) -> Case:
    samples = np.array([np.nan if x is None else x for x in case["samples"]], np.float32)
    values, observed = Minutes(case["period"], case["zero"]).aggregate(
        np.array(case["times"]),
        samples[np.newaxis],
        (case["aggregation"] == "sum",),
        case["first"],
        case["count"],
    )
    return {"values": values[0].astype(float).tolist(), "observed": observed[0].tolist()}


def slots() -> list[Case]:
    """What was observed of a window, 0 or 1 by channel, and the slots for the encoder."""
    return [_with(case, replay_slots) for case in _slots()]


def _slots() -> Iterator[Case]:
    draw = np.random.default_rng(1)
    cut = {"patch": 4, "groups": [[0, 1], [2]], "least": [1, 1], "sizes": [3, 6, 9, 12]}

    def case(name: str, observed: Any, **other: Any) -> Case:
        rows = ["".join(map(str, row)) for row in np.asarray(observed, int).tolist()]
        return {"name": name, "channels": rows, **cut, **other}

    yield case("everything", np.ones((3, 24)))
    yield case("nothing", np.zeros((3, 24)))
    yield case("one channel", np.arange(3)[:, np.newaxis] == np.full((3, 24), 2))
    some = draw.random((3, 24)) < 0.2
    yield case("a fifth", some)
    yield case("a fifth, and two points are asked", some, least=[2, 2])
    yield case("half, and whole patches are asked", draw.random((3, 24)) < 0.7, least=[4, 4])
    seven = np.zeros((3, 24))
    seven[:, :12], seven[0, 13] = 1, 1
    yield case("one more than a size", seven)
    apart = np.zeros((3, 24))
    apart[0, 0:2], apart[1, 2:4] = 1, 1
    yield case("points of two channels of a group", apart, least=[4, 1])


def replay_slots(case: Case) -> Case:
    observed = np.array([[point == "1" for point in row] for row in case["channels"]])
    rows, least = tuple(map(tuple, case["groups"])), tuple(case["least"])
    count = observed.shape[1]
    cut = Cut(count, case["patch"], rows, least, 1, tuple(case["sizes"]), None, 1.0)
    found = cut.slots(cut.present(observed))
    return {"size": len(found), "slots": found.tolist()}


def nearest_points() -> list[Case]:
    """What was observed of one channel, and the nearest grid points of each."""
    patterns = {
        "a gap in the middle": "110001",
        "gaps at both ends": "000101000",
        "everything": "1111",
        "nothing": "0000",
        "one point": "0001",
    }
    return [_with({"name": n, "points": p}, replay_nearest) for n, p in patterns.items()]


def replay_nearest(case: Case) -> Case:
    before, after = nearest(np.array([point == "1" for point in case["points"]]))
    return {"before": before.astype(int).tolist(), "after": after.astype(int).tolist()}


def clocks() -> list[Case]:
    """When a window begins, any midnight of its clock, and the patch of the day that is."""
    starts = {
        "midnight": (MIDNIGHT, 0.0),
        "in the afternoon": (MIDNIGHT + 15 * 3600 + 1200, 0.0),
        "the last patch of a day": (MIDNIGHT + 86_400 - 1200, 0.0),
        "UTC, two hours east": (MIDNIGHT - 7200, -7200.0),
        "UTC, five hours west": (MIDNIGHT + 5 * 3600, 5 * 3600.0),
        "since boot, before that midnight": (1234.5 - 1200, 1234.5),
        "a clock that was rounded": (MIDNIGHT + 0.3 + 1200, MIDNIGHT + 0.1 + 0.2),
    }
    return [
        _with({"name": n, "start": s, "midnight": m, "period": 60.0, "patch": 20}, replay_clock)
        for n, (s, m) in starts.items()
    ]


def replay_clock(case: Case) -> Case:
    period, patch = case["period"], case["patch"]
    cut = Cut(round(86_400 / period), patch, ((0,),), (1,), 1, (1,), None, period)
    return {"clock": cut.clock(case["start"], case["midnight"])}


def _with(case: Case, replay: Any) -> Case:
    return case | {"expected": replay(case)}
