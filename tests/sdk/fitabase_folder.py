"""Writes folders in the exact format of a Fitabase export, from numbers by minute."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Style = Literal["original", "spreadsheet"]
MIDNIGHT = 1460505600  # 2016-04-13 0:00 as if it were UTC


def stamp(seconds: float, style: Style = "original") -> str:
    """4/13/2016 12:00:00 AM, or 4/13/2016 0:00 as a spreadsheet saves it."""
    time = np.datetime64(int(seconds), "s").item()
    date = f"{time.month}/{time.day}/{time.year}"
    if style == "spreadsheet":
        return f"{date} {time.hour}:{time.minute:02}"
    return f"{date} {time.hour % 12 or 12}:{time:%M:%S} {'PM' if time.hour > 11 else 'AM'}"


def lines(path: Path, header: str, rows: Sequence[str]) -> Path:
    """A file, in gzip if its name says so."""
    text = "".join(f"{row}\n" for row in (header, *rows)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def wide(
    path: Path,
    prefix: str,
    minutes: NDArray[np.float64] | Sequence[int],
    user: str = "1503960366",
    start: float = MIDNIGHT,
    style: Style = "original",
) -> Path:
    """minuteStepsWide (prefix Steps) or minuteIntensitiesWide (Intensity)."""
    hours = np.asarray(minutes).astype(int).reshape(-1, 60)
    header = ",".join(["Id", "ActivityHour", *(f"{prefix}{k:02}" for k in range(60))])
    rows = [
        ",".join([user, stamp(start + 3600 * k, style), *map(str, hour)])
        for k, hour in enumerate(hours)
    ]
    return lines(path, header, rows)


def heart_rate(
    path: Path,
    times: Sequence[float] | NDArray[np.float64],
    values: Sequence[float] | NDArray[np.float64],
    user: str = "1503960366",
) -> Path:
    """heartrate_seconds; times in local seconds."""
    rows = [f"{user},{stamp(t)},{int(x)}" for t, x in zip(times, values, strict=True)]
    return lines(path, "Id,Time,Value", rows)


def days(
    folder: Path, count: int = 2, user: str = "1503960366", hours_off: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A whole export: walks that the heart rate follows; steps and heart rate by minute."""
    draw = np.random.default_rng(int(user) % 1000)
    steps = np.zeros(1440 * count)
    for begin in draw.integers(0, len(steps) - 40, 20 * count):
        steps[begin : begin + draw.integers(5, 30)] = draw.integers(60, 120)
    beats = np.round(62 + 0.35 * steps + draw.normal(0, 3, len(steps)))
    wide(folder / "minuteStepsWide_merged.csv", "Steps", steps, user)
    intensity = np.minimum(3, np.ceil(steps / 50))
    wide(folder / "minuteIntensitiesWide_merged.csv.gz", "Intensity", intensity, user)
    seconds = np.arange(0, 86400 * count, 20)
    times = MIDNIGHT + 3600 * hours_off + seconds
    heart_rate(folder / "heartrate_seconds_merged.csv", times, beats[seconds // 60], user)
    dates = [f"4/{13 + k}/2016" for k in range(count)]
    sleep = [f"{user},{date} 12:00:00 AM,1,400,430" for date in dates]
    titles = "Id,SleepDay,TotalSleepRecords,TotalMinutesAsleep,TotalTimeInBed"
    lines(folder / "sleepDay_merged.csv", titles, sleep)
    total = steps.reshape(count, -1).sum(axis=1).astype(int)
    daily = [f"{user},{date},{n},8.5" for date, n in zip(dates, total, strict=True)]
    lines(folder / "dailyActivity_merged.csv", "Id,ActivityDate,TotalSteps,Distance", daily)
    return steps, beats
