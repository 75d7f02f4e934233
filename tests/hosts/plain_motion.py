"""A window of motion in; whom to blame, and why, out: written from HOST.md alone.

Plain Python: its section "Plausibility".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from plain_grid import float32

Case = dict[str, Any]
EQUAL = 1e-4
UNITS = {
    9.80665: ": in m/s2?",
    1000.0: ": in mg?",
    0.25: ": a quarter the gravity, in another range?",
    4.0: ": fourfold the gravity, in another range?",
    0.5: ": half the gravity, in another range?",
    2.0: ": double the gravity, in another range?",
}


@dataclass(frozen=True)
class Looks:
    """Of one sensor: rows of samples, counted points, runs, rails, means and variances."""

    rows: list[list[float]]
    counted: list[int]
    runs: list[int]
    rails: list[int]
    means: list[float]
    variances: list[float]

    @property
    def features(self) -> list[float]:
        logs = [math.log(max(math.sqrt(x), 1e-3)) for x in self.variances]
        return self.means[:3] + logs

    def magnitude(self, point: int) -> float:
        return math.sqrt(sum(row[point] ** 2 for row in self.rows[:3]))


def replay(case: Case) -> dict[str, str]:
    """What this host gives for a case."""
    row = {name: k for k, name in enumerate(case["channels"])}
    reasons: dict[str, str] = {}
    believed: list[tuple[Case, list[float]]] = []
    for record in case["plausible"]:
        names = record["acceleration"] + record["turning"]
        given = [case["values"][row[name]] for name in names]
        points = len(given[0])
        counted = [k for k in range(points) if all(x[k] is not None for x in given)]
        if len(counted) < points / 4:
            continue
        found = _looks([[float32(x or 0.0) for x in x] for x in given], counted)
        why = _wrong(record, names, found, points, case["rate"])
        if why:
            reasons[record["sensor"]] = why
        elif record.get("usual"):
            believed.append((record, found.features))
    for _, claim in sorted(_claims(believed), key=lambda claim: -claim[0]):
        if not reasons.keys() & claim.keys():
            reasons |= claim
    return reasons


def _looks(rows: list[list[float]], counted: list[int]) -> Looks:
    runs, rails, means, variances = [], [], [], []
    for row in rows:
        seen = [row[k] for k in counted]
        run = longest = 1
        for k, before in zip(counted[1:], counted, strict=False):
            same = k == before + 1 and abs(float32(row[k] - row[before])) < EQUAL
            run = run + 1 if same else 1
            longest = max(longest, run)
        runs.append(longest)
        low, high = min(seen), max(seen)
        rails.append(
            max(sum(x - low < EQUAL for x in seen), sum(high - x < EQUAL for x in seen))
        )
        means.append(sum(seen) / len(seen))
        variances.append(sum((x - means[-1]) ** 2 for x in seen) / len(seen))
    return Looks(rows, counted, runs, rails, means, variances)


def _wrong(record: Case, names: list[str], x: Looks, points: int, rate: float) -> str | None:
    """What is wrong with a sensor on its own."""
    count = len(x.counted)
    saturated = []
    for first, limit in zip((0, 3), record["rails"], strict=True):
        worst = max(range(first, first + 3), key=lambda k: x.rails[k])
        if x.rails[worst] > limit * count:
            saturated.append(worst)
    worst = max(range(6), key=lambda k: x.runs[k])
    returns = any(x.runs[k] < x.rails[k] < count for k in saturated)
    if x.runs[worst] > record["run"] * points and not returns:
        return f"constant: {x.runs[worst]} samples of {names[worst]} in a row are the same"
    if saturated:
        share = x.rails[saturated[0]] / count
        return f"saturated: {share:.0%} of {names[saturated[0]]} are one extreme value"
    low, high = record["rest"]
    for rest in _at_rest(x, points, max(2, round(0.8 * rate))):
        if not low <= rest <= high:
            return f"its acceleration at rest is {rest:.3g} g{_unit(rest, low, high)}"
    median = sorted(map(x.magnitude, x.counted))[(count - 1) // 2]
    if not record["gravity"][0] <= median <= record["gravity"][1]:
        return f"its median acceleration is {median:.3g} g{_unit(median, low, high)}"
    return _turning(record, x)


def _at_rest(x: Looks, points: int, length: int) -> list[float]:
    """The second least and second greatest mean magnitude of a quiet stretch."""
    quiet, counted = [], set(x.counted)
    for begin in range(0, points - length + 1, length):
        stretch = range(begin, begin + length)
        if counted.issuperset(stretch):
            magnitudes = [x.magnitude(k) for k in stretch]
            mean = sum(magnitudes) / length
            if sum(m * m for m in magnitudes) / length <= 1.0025 * mean * mean:
                quiet.append(mean)
    quiet.sort()
    return [quiet[1], quiet[-2]] if len(quiet) > 1 else []


def _turning(record: Case, x: Looks) -> str | None:
    turns, shakes = math.sqrt(sum(x.variances[3:])), math.sqrt(sum(x.variances[:3]))
    low, high = record["turns"]
    radians = ": in rad/s?" if low <= turns * 57.29578 <= high else ""
    if not low <= turns <= high:
        return f"it turns by {turns:.3g} deg/s and not {low:.3g} to {high:.3g}{radians}"
    ratio = turns / max(shakes, 1e-6)
    low, high = record["turns_per_g"]
    if low <= ratio <= high:
        return None
    return (
        f"it turns by {ratio:.3g} deg/s for each g of acceleration and not {low:.3g} to "
        f"{high:.3g}{radians}"
    )


def _unit(acceleration: float, low: float, high: float) -> str:
    for scale, what in UNITS.items():
        if low <= acceleration / scale <= high:
            return what
    return f" and not {low:.2f} to {high:.2f}"


def _claims(believed: list[tuple[Case, list[float]]]) -> list[tuple[float, dict[str, str]]]:
    """By how much another explanation exceeds its margin, and whom it blames."""
    claims = []
    for record, own in believed:
        if record.get("turned") is None:
            continue
        best, axes = max(
            ((_likely(record, _turned(own, *how)), how) for how in _arrangements()),
            key=lambda found: found[0],
        )
        excess = best - _likely(record, own) - record["turned"]
        if excess > 0:
            told = ", ".join(
                "-" * (sign < 0) + "xyz"[axis] for axis, sign in zip(*axes, strict=True)
            )
            why = f"explained better with {told} for its axes x, y, z"
            claims.append((excess, {record["sensor"]: why}))
    for record, own in believed:
        for other, theirs in believed:
            margin = record.get("exchanged", {}).get(other["sensor"])
            if margin is None:
                continue
            crossed = _likely(record, theirs) + _likely(other, own)
            excess = crossed - _likely(record, own) - _likely(other, theirs) - margin
            if excess > 0:
                names = record["sensor"], other["sensor"]
                why = f"explained better by {names[0]} and {names[1]} exchanged"
                claims.append((excess, dict.fromkeys(names, why)))
    return claims


def _arrangements() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    every = product(permutations(range(3)), product((1, -1), repeat=3))
    return [how for how in every if how != ((0, 1, 2), (1, 1, 1))]


def _turned(own: list[float], order: tuple[int, ...], signs: tuple[int, ...]) -> list[float]:
    means = [sign * own[axis] for axis, sign in zip(order, signs, strict=True)]
    return means + [own[3 + axis] for axis in order] + [own[6 + axis] for axis in order]


def _likely(record: Case, features: list[float]) -> float:
    """L of the page."""
    numbers = iter(record["usual"]["whitening"])
    away = [x - mean for x, mean in zip(features, record["usual"]["mean"], strict=True)]
    likely = 0.0
    for size in range(1, 10):
        row = [next(numbers) for _ in range(size)]
        likely += (
            math.log(row[-1]) - sum(a * x for a, x in zip(row, away, strict=False)) ** 2 / 2
        )
    return likely
