"""What plausibility checks find in altered real recordings, and what they blame wrongly.

    python benchmarks/plausible.py RECORDINGS -o benchmarks/results/plausible.md

RECORDINGS is the folder of UMAFall. Each person's windows, the middle 12.8 s of every trial,
are judged by records fitted to the other people's, as recorded and altered in every way below.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist import readers
from onwrist.readers.umafall import FALLS, POSITIONS, RATE
from onwrist.recording import Recording
from onwrist_export.fusion import plausible
from onwrist_export.judging.tables import markdown
from onwrist_runtime.manifest import Channel
from onwrist_runtime.plausibility import Plausibility
from onwrist_runtime.signals import resample
from onwrist_runtime.usual import ARRANGEMENTS

SAMPLES = 256
STARTS = (0, 22, 44)  # grid points into a trial of 300
MIDDLE = 1
AXES = tuple(f"{quantity}_{axis}" for quantity in ("acc", "gyro") for axis in "xyz")
CHANNELS = tuple(
    Channel(
        name=f"{position}_{axis}",
        sensor=position,
        rate=RATE,
        unit="g" if axis.startswith("acc") else "dps",
        polarity="of the sensor",
        minimum=-8.0 if axis.startswith("acc") else -256.0,
        maximum=8.0 if axis.startswith("acc") else 256.0,
        normalization="fixed",
    )
    for position in POSITIONS
    for axis in AXES
)
NAMES = tuple(channel.name for channel in CHANNELS)
GRAVITY = 9.80665
Floats = NDArray[np.float32]
Motion = Callable[[Floats], Floats]  # (6, N) of one sensor


def windows(recordings: Sequence[Recording]) -> tuple[Floats, NDArray[np.bool_]]:
    """values and observed (trials, starts, channels, samples)."""
    shape = (len(recordings), len(STARTS), len(CHANNELS), SAMPLES)
    values, observed = np.zeros(shape, np.float32), np.zeros(shape, bool)
    for trial, recording in enumerate(recordings):
        first = round(recording.start * RATE)
        for row, channel in enumerate(CHANNELS):
            if channel.name not in recording.signals:
                continue
            whole = resample(recording.signals[channel.name], RATE, first, 300)
            for place, start in enumerate(STARTS):
                cut = slice(start, start + SAMPLES)
                values[trial, place, row], observed[trial, place, row] = (x[cut] for x in whole)
    return values, observed


def frozen(start: int) -> Motion:
    def altered(motion: Floats) -> Floats:
        motion = motion.copy()
        motion[:, start:] = motion[:, start : start + 1]
        return motion

    return altered


def scaled(acceleration: float = 1.0, turning: float = 1.0) -> Motion:
    factors = np.array([[acceleration]] * 3 + [[turning]] * 3, np.float32)
    return lambda motion: motion * factors


def clipped(limit: float, gain: float = 1.0) -> Motion:
    def altered(motion: Floats) -> Floats:
        return np.concatenate([np.clip(gain * motion[:3], -limit, limit), motion[3:]])

    return altered


def arranged(order: Sequence[int], sign: Sequence[int], both: bool = True) -> Motion:
    signs = np.array(sign, np.float32)[:, None]

    def altered(motion: Floats) -> Floats:
        turning = motion[3:][list(order)] * signs if both else motion[3:]
        return np.concatenate([motion[:3][list(order)] * signs, turning])

    return altered


def alterations() -> Iterator[tuple[str, Motion]]:
    """What is done to one sensor, under the name of its row; several are averaged in a row."""
    yield "frozen, the whole window", frozen(0)
    yield "frozen from the middle on", frozen(SAMPLES // 2)
    yield "frozen for the last 1.5 s", frozen(SAMPLES - 30)
    yield "gain 4, clipped at 2 g", clipped(2.0, 4.0)
    yield "gain 2, clipped at 2 g", clipped(2.0, 2.0)
    yield "clipped at 2 g", clipped(2.0)
    yield "clipped at 1 g", clipped(1.0)
    yield "m/s2 for g", scaled(GRAVITY)
    yield "mg for g", scaled(1000.0)
    yield "a quarter of g", scaled(0.25)
    yield "half of g", scaled(0.5)
    yield "rad/s for deg/s", scaled(turning=np.pi / 180)
    yield "turning tenfold", scaled(turning=10.0)
    for order, sign in ARRANGEMENTS:
        if order == (0, 1, 2):
            flips = "".join("xyz"[i] for i in range(3) if sign[i] < 0)
            yield f"signs of {flips} flipped", arranged(order, sign)
    for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        pair = " and ".join("xyz"[i] for i in range(3) if order[i] != i)
        yield f"{pair} swapped", arranged(order, (1, 1, 1))
        yield f"{pair} swapped, acceleration only", arranged(order, (1, 1, 1), both=False)
    for order, sign in ARRANGEMENTS[::4]:
        yield "mean of every fourth of the 47 other arrangements", arranged(order, sign)


def kind(reason: str) -> str:
    """Which check gave a reason."""
    for start, name in (
        ("constant", "constant"),
        ("saturated", "saturated"),
        ("its median", "gravity"),
        ("its acceleration at rest", "gravity"),
        ("it turns", "turning"),
        ("explained better with", "other axes"),
        ("explained better by", "exchanged"),
    ):
        if reason.startswith(start):
            return name
    raise ValueError(reason)


KINDS = ("constant", "saturated", "gravity", "turning", "other axes", "exchanged")


def mean(numbers: Sequence[float], subjects: Sequence[str]) -> float:
    """The mean over subjects of each one's mean."""
    by_subject: dict[str, list[float]] = {}
    for number, subject in zip(numbers, subjects, strict=True):
        by_subject.setdefault(subject, []).append(number)
    return float(np.mean([np.mean(each) for each in by_subject.values()]))


class Found:
    """Shares of windows, by row and column of a table."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], tuple[list[float], list[str]]] = {}

    def add(self, row: str, column: str, number: float, subject: str) -> None:
        numbers, subjects = self.cells.setdefault((row, column), ([], []))
        numbers.append(number)
        subjects.append(subject)

    def percent(self, row: str, column: str) -> str:
        if (row, column) not in self.cells:
            return "–"
        return f"{100 * mean(*self.cells[row, column]):.1f}"

    def table(self, columns: Sequence[str]) -> str:
        rows = dict.fromkeys(row for row, _ in self.cells)
        return markdown(
            ["", *columns], [[r, *(self.percent(r, c) for c in columns)] for r in rows]
        )


def without_spans(observed: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Half of every sensor's samples gone, in spans of 1.6 s."""
    rng = np.random.default_rng(seed)
    kept = observed.copy()
    for sensor in range(len(POSITIONS)):
        gone = np.repeat(rng.permutation([True, False] * 4), 32)
        kept[6 * sensor : 6 * sensor + 6] &= ~gone
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    text = measure(readers.read_all(arguments.recordings / "umafall_20hz.npz"))
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


def measure(recordings: Sequence[Recording]) -> str:
    values, observed = windows(recordings)
    subjects = np.array([recording.subject for recording in recordings])
    activities = [str(recording.labels[0].value) for recording in recordings]
    fallen = np.isin(activities, FALLS)
    recorded, altered, swapped = Found(), Found(), Found()
    by_activity, gaps, counts = Found(), Found(), Counter[str]()
    rests: list[float] = []
    checked: Counter[str] = Counter()
    for subject in np.unique(subjects):
        rest = subjects != subject
        flat = [x[rest].reshape(-1, len(CHANNELS), SAMPLES) for x in (values, observed)]
        whose, falls = (np.repeat(x[rest], len(STARTS)) for x in (subjects, fallen))
        records = plausible.fit(*flat, CHANNELS, whose, RATE, falls)
        for record in records:
            checked[f"other axes of the {record.sensor}"] += record.turned is not None
            for other in record.exchanged:
                checked[f"{record.sensor} and {other} exchanged"] += 1
        judge = Plausibility(records, NAMES, RATE, SAMPLES).implausible
        for trial in np.flatnonzero(subjects == subject).tolist():
            motion, seen = values[trial, MIDDLE], observed[trial, MIDDLE]
            there = [seen[6 * i : 6 * i + 6].all(axis=0).mean() >= 0.5 for i in range(4)]
            reasons = judge(motion, seen)
            activity = activities[trial]
            blamed = {name: kind(why) for name, why in reasons.items()}
            rests += [
                float(why.split(" g")[0].split()[-1])
                for why in reasons.values()
                if "at rest" in why
            ]
            counts.update(blamed.values())
            for i, position in enumerate(POSITIONS):
                if there[i]:
                    for each in KINDS:
                        recorded.add(each, position, blamed.get(position) == each, subject)
            group = "falls" if activity in FALLS else "other activities"
            for row in ("all", group, activity):
                for each in KINDS:
                    by_activity.add(row, each, each in blamed.values(), subject)
            fewer = judge(motion * (half := without_spans(seen, trial)), half)
            for each in KINDS:
                gaps.add(
                    "half of the samples gone", each, each in map(kind, fewer.values()), subject
                )
            sound = [i for i in range(4) if there[i] and POSITIONS[i] not in reasons]
            for i in sound:
                rows = slice(6 * i, 6 * i + 6)
                for name, change in alterations():
                    window = motion.copy()
                    window[rows] = change(motion[rows]) * seen[rows]
                    altered.add(
                        name, POSITIONS[i], POSITIONS[i] in judge(window, seen), subject
                    )
            for a, b in combinations(sound, 2):
                window, mask = motion.copy(), seen.copy()
                one, two = slice(6 * a, 6 * a + 6), slice(6 * b, 6 * b + 6)
                window[one], window[two] = motion[two], motion[one]
                mask[one], mask[two] = seen[two], seen[one]
                why = judge(window, mask)
                names = {POSITIONS[a], POSITIONS[b]}
                row = f"{POSITIONS[a]} and {POSITIONS[b]}"
                swapped.add(row, "both blamed", names <= why.keys(), subject)
                swapped.add(row, "one or both", bool(names & why.keys()), subject)
                right = [x for x in why.values() if x.endswith(f"{row} exchanged")]
                swapped.add(row, "and for that reason", bool(right), subject)
    return report(
        recorded,
        altered,
        swapped,
        by_activity,
        gaps,
        counts,
        rests,
        checked,
        len(recordings),
        len(np.unique(subjects)),
    )


def report(
    recorded: Found,
    altered: Found,
    swapped: Found,
    by_activity: Found,
    gaps: Found,
    counts: Counter[str],
    rests: Sequence[float],
    checked: Counter[str],
    trials: int,
    people: int,
) -> str:
    low = [rest for rest in rests if rest < 1]
    high = [rest for rest in rests if rest >= 1]
    spans = [f"{len(x)} from {min(x):.2f} to {max(x):.2f} g" for x in (low, high) if x]
    return "\n".join(
        [
            "# What plausibility checks find, and what they blame wrongly",
            "",
            f"UMAFall: {trials} trials of {people} people, one window of 12.8 s each, judged "
            "by records fitted to the other people's. Shares are percent of windows, each "
            "person counting alike. Written by `python benchmarks/plausible.py`.",
            "",
            "## As recorded",
            "Percent of windows in which a sensor is blamed, by check:",
            "",
            recorded.table(POSITIONS),
            "",
            "Counts: " + ", ".join(f"{name} {counts[name]}" for name in KINDS) + ". "
            f"Accelerations at rest that were blamed: {'; '.join(spans) or 'none'}.",
            "",
            "Percent of windows in which any sensor is blamed, by activity:",
            "",
            by_activity.table(KINDS),
            "",
            "The same where half of every sensor's samples are gone:",
            "",
            gaps.table(KINDS),
            "",
            "## Altered",
            "Percent of windows, of sensors that are not blamed as recorded, in which the "
            "altered sensor is blamed for any reason:",
            "",
            altered.table(POSITIONS),
            "",
            "Two sensors exchanged:",
            "",
            swapped.table(["both blamed", "one or both", "and for that reason"]),
            "",
            f"In how many of the {people} fits a comparison could tell, and so is made: "
            + ", ".join(f"{name} {count}" for name, count in checked.items())
            + "; no other is.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
