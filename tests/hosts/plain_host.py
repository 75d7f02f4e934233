"""A case of a stream in, its `expected` out: plain Python, written from HOST.md alone.

It shares no line with the runtime, so that what the page leaves open shows as a difference.
"""

from __future__ import annotations

import math
from typing import Any

from plain_answers import Asked, answered, asked_of
from plain_grid import SAME, at, float32, reach, repaired

Case = dict[str, Any]


class Refused(Exception):
    """A push that changes nothing."""


class Host:
    """A stream of one case, with the stand-ins for its graphs."""

    def __init__(self, case: Case) -> None:
        self.case, self.record, settings = case, case["manifest"], case["settings"]
        self.rate, self.samples = self.record["rate"], self.record["samples"]
        self.channels = self.record["channels"]
        self.hop, self.lateness = settings["hop"], settings["lateness"]
        self.steps = settings["mode"] == "step"
        self.midnight, stated = settings["midnight"], settings["rates"]
        self.sensors: dict[str, list[int]] = {}
        for row, channel in enumerate(self.channels):
            self.sensors.setdefault(channel["sensor"], []).append(row)
        self.rates = [
            stated.get(c["name"], stated.get(c["sensor"], c["rate"])) for c in self.channels
        ]
        self.tokens = self.record.get("tokens")
        self.period = round(1 / self.rate) if self.tokens else 0
        self.fed: dict[tuple[int, int], float] = {}
        self.reset()

    def reset(self) -> None:
        rows = range(len(self.channels))
        self.held: list[dict[float, float]] = [{} for _ in rows]  # sample by stamp
        self.newest, self.finished, self.least = -math.inf, False, 0
        self.origin: int | None = None
        self.counters = [[0, 0, 0, 0] for _ in rows]
        self.last: list[float | None] = [None for _ in rows]
        self.grid: dict[tuple[int, int], float] = {}  # by row and number from the origin on
        self.done, self.repaired_to = 0, -math.inf
        self.baseline = [(0.0, 0.0, 0.0) for _ in rows]
        self.state = [0.0] * self.record["step"]["state"] if self.steps else []
        self.coverage: list[float] = [0.0 for _ in rows]
        self.end: float | None = None

    # Samples

    def push(self, name: str, times: list[float], samples: list[Any]) -> list[Case]:
        rows = self.sensors.get(name)
        if rows is None:
            rows = [row for row, c in enumerate(self.channels) if c["name"] == name]
        given = [x if isinstance(x, list) else [x] for x in samples]
        if self.finished or not rows or len(times) != len(given):
            raise Refused
        if any(len(x) != len(rows) for x in given):
            raise Refused
        columns = [[math.nan if x is None else float32(x) for x in row] for row in given]
        self._check(times, columns)
        for time, values in zip(times, columns, strict=True):
            if all(map(math.isnan, values)):
                continue
            self.newest = max(self.newest, time)
            for row, value in zip(rows, values, strict=True):
                if not math.isnan(value):
                    self._take(row, time, value)
        return self._go_on()

    def _check(self, times: list[float], columns: list[list[float]]) -> None:
        newest = self.newest
        if any(not abs(time) <= 1e11 for time in times):
            raise Refused
        if any(abs(x) >= float32(1e15) for values in columns for x in values):
            raise Refused
        for time, values in zip(times, columns, strict=True):
            if all(map(math.isnan, values)):
                continue
            if newest > -math.inf and abs(time - newest) > 366 * 86_400:
                raise Refused
            newest = max(newest, time)

    def _take(self, row: int, time: float, value: float) -> None:
        held, counters, last = self.held[row], self.counters[row], self.last[row]
        if time < self.newest - self.lateness:
            counters[1] += 1
            return
        counters[2 if time in held else 0] += 1
        held[time] = min(held.get(time, math.inf), value)
        self.last[row] = time if last is None else max(last, time)

    def flush(self, at_least_one: bool) -> list[Case]:
        self.finished = True
        self.least = (self.hop if self.tokens else self.samples) if at_least_one else 0
        due = self._go_on()
        self._count_repaired(math.inf)
        return due

    def _count_repaired(self, before: float) -> None:
        if self.tokens:
            return
        for held, rate, counters in zip(self.held, self.rates, self.counters, strict=True):
            times = sorted(held)
            strays = zip(times, repaired(times, rate)[1], strict=True)
            counters[3] += sum(s for t, s in strays if self.repaired_to <= t < before)
        self.repaired_to = before

    # Time

    def _go_on(self) -> list[Case]:
        if self.origin is None:
            first = min((min(held) for held in self.held if held), default=math.inf)
            settled = math.inf if self.finished else self.newest - self.lateness
            if first >= settled:
                return []
            self.origin = (
                self._holding(first) // self.hop * self.hop
                if self.tokens
                else math.ceil((first - SAME) * self.rate)
            )
        return self._days(self.origin) if self.tokens else self._windows(self.origin)

    def _final(self, origin: int) -> int:
        """How many grid points from the origin on are final."""
        watermark = self.newest - self.lateness
        if self.tokens:
            if not self.finished:
                return self._holding(watermark) - origin
            past = self._holding(self.newest) + 1 - origin
            return past + -past % self.least if self.least else past
        if self.finished:
            past = math.floor((self.newest + SAME) * self.rate) + 1 - origin
            return max(past, self.least)
        far = max(reach(rate, self.rate) for rate in self.rates) + SAME
        return math.ceil((watermark - far) * self.rate) - origin

    def _windows(self, origin: int) -> list[Case]:
        final, due, before = self._final(origin), [], self.done
        put = [
            (repaired(sorted(x), r)[0], x, r)
            for x, r in zip(self.held, self.rates, strict=True)
        ]
        while (stop := self.done + self._further()) <= final:
            for row, (times, held, rate) in enumerate(put):
                values = [held[time] for time in sorted(held)]
                for k in range(self.done, stop):
                    found = at(times, values, rate, self.rate, (origin + k) / self.rate)
                    if found is not None:
                        self.grid[row, k] = found
            self._update_baseline(stop)
            first, self.done = self.done, stop
            ends = stop >= self.samples and (stop - self.samples) % self.hop == 0
            if self.steps:
                due.append(self._step(origin, first, ends))
            elif ends:
                due.append(self._window(origin))
        if self.done > before:
            self._count_repaired((origin + self.done) / self.rate)
        return due

    def _further(self) -> int:
        """Grid points up to the next end of a step or window, at most a window."""
        if self.steps:
            return int(self.record["step"]["samples"])
        past = self.done - self.samples
        return min(-past if past < 0 else self.hop - past % self.hop, self.samples)

    # What graphs are given

    def _update_baseline(self, stop: int) -> None:
        given = self.record.get("baseline")
        if given is None:
            return
        count = given["samples"]
        kept = math.exp(-count / self.rate / given["seconds"])
        for end in range((self.done // count + 1) * count, stop + 1, count):
            for row, (weight, mean, squares) in enumerate(self.baseline):
                block = [(row, k) for k in range(end - count, end)]
                values = [self.grid[place] for place in block if place in self.grid]
                if weight == 0 and values:
                    mean = values[0]
                u = sum(x - mean for x in values)
                v = sum((x - mean) ** 2 for x in values)
                weight = weight * kept + len(values)
                d = u / max(weight, 1e-9)
                self.baseline[row] = weight, mean + d, max(0.0, squares * kept + v - u * d)

    def _inputs(self, asked: Asked) -> Case:
        inputs: Case = {}
        if self.record.get("baseline"):
            inputs["baseline"] = [
                [float32(mean), float32(math.sqrt(squares / max(weight, 1e-9))), 1.0]
                if weight >= 10 * self.rate
                else [0.0, 0.0, 0.0]
                for weight, mean, squares in self.baseline
            ]
        if asked.scales:
            inputs["scales"] = asked.scales
        return inputs

    def _asked(self) -> Asked:
        """Of the last window."""
        first = self.done - self.samples
        rows, points = range(len(self.channels)), range(first, self.done)
        return asked_of(
            self.record, self.sensors, [sum((r, k) in self.grid for k in points) for r in rows]
        )

    def _step(self, origin: int, first: int, ends: bool) -> Case:
        asked = self._asked()
        due = {"first": origin + first, "inputs": self._inputs(asked) | {"state": self.state}}
        self.state = [x + 1 for x in self.state]
        self._feed(origin, first)
        if ends:
            start = (origin + self.done - self.samples) / self.rate
            due["prediction"] = self._predict(asked, start, any(asked.counts))
        return due

    def _window(self, origin: int) -> Case:
        asked, first = self._asked(), self.done - self.samples
        self._feed(origin, first)
        runs = any(asked.counts)
        return {
            "first": origin + first,
            "inputs": self._inputs(asked) if runs else None,
            "prediction": self._predict(asked, (origin + first) / self.rate, runs),
        }

    def _predict(self, asked: Asked, start: float, runs: bool) -> Case:
        told = answered(self.case, asked, runs)
        self.coverage, self.end = told["coverage"], start + self.samples / self.rate
        return {"start": start, "end": self.end, **told}

    def _feed(self, origin: int, first: int) -> None:
        for (row, k), value in self.grid.items():
            if first <= k < self.done:
                self.fed[row, origin + k] = value

    # Days

    def _holding(self, time: float) -> int:
        interval = math.floor((time - self.midnight) / self.period)
        while time < self.midnight + interval * self.period:
            interval -= 1
        while time >= self.midnight + (interval + 1) * self.period:
            interval += 1
        return interval

    def _days(self, origin: int) -> list[Case]:
        due, final, patch = [], self._final(origin), self.tokens["patch"]
        while self.done + patch <= final:
            for k in range(self.done, self.done + patch):
                self._aggregate(k, self.midnight + (origin + k) * self.period)
            self.done += patch
            if self.done % self.hop == 0:
                due.append(self._day(origin))
        return due

    def _aggregate(self, k: int, begin: float) -> None:
        for row, (held, channel) in enumerate(zip(self.held, self.channels, strict=True)):
            inside = [held[t] for t in sorted(held) if begin <= t < begin + self.period]
            if not inside:
                continue
            total = 0.0
            for value in inside:
                total += value
            if channel["aggregation"] == "mean":
                total /= len(inside)
            if abs(total) < 1e15:
                self.grid[row, k] = float32(total)

    def _day(self, origin: int) -> Case:
        first, patch, groups = (
            self.done - self.samples,
            self.tokens["patch"],
            self.tokens["groups"],
        )
        row = {channel["name"]: k for k, channel in enumerate(self.channels)}
        slots, tokens = [], []
        for number in range(self.samples // patch):
            points = range(first + number * patch, first + (number + 1) * patch)
            count = sum((r, k) in self.grid for k in points for r in row.values())
            for g, group in enumerate(groups):
                rows = [row[name] for name in group["channels"]]
                seen = sum(any((r, k) in self.grid for r in rows) for k in points)
                if seen >= group["least"]:
                    slots.append(number * len(groups) + g)
                    tokens.append([count, g])
        inputs, begin = None, origin + first
        if slots:
            size = min(size for size in self.tokens["sizes"] if size >= len(slots))
            left = size - len(slots)
            clock = begin // patch % (self.samples // patch)
            inputs = {
                "tokens": tokens + [[0, 0]] * left,
                "slots": slots + [-1] * left,
                "clock": clock,
            }
        self._feed(origin, first)
        start = self.midnight + begin * self.period
        told = self._predict(self._asked(), start, bool(slots))
        return {"first": begin, "inputs": inputs, "prediction": told}


def replay(case: Case) -> Case:
    """What this host gives for a case."""
    host, after = Host(case), []
    for action in case["actions"]:
        try:
            if action.get("reset"):
                host.reset()
                due: list[Case] = []
            elif "at_least_one" in action:
                due = host.flush(action["at_least_one"])
            else:
                due = host.push(action["push"], action["times"], action["samples"])
            after.append({"refused": False, "due": due})
        except Refused:
            after.append({"refused": True})
    pieces: list[Case] = []
    before = None
    for row, point in sorted(host.fed):
        if before != (row, point - 1):
            pieces.append({"row": row, "first": point, "values": []})
        pieces[-1]["values"].append(host.fed[row, point])
        before = row, point
    names, newest = [channel["name"] for channel in host.channels], host.newest
    return {
        "after": after,
        "grid": pieces,
        "counters": dict(zip(names, host.counters, strict=True)),
        "staleness": {
            name: None if last is None else newest - last
            for name, last in zip(names, host.last, strict=True)
        },
        "latency": None if host.end is None else newest - host.end,
        "coverage": host.coverage,
    }
