"""Files in the exact format of PAMAP2, small and with everything that its documents tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HAND, CHEST, ANKLE = 3, 20, 37  # first column of each IMU


def session(seconds: float = 4.0, start: float = 8.38, seed: int = 0) -> NDArray[np.float64]:
    """Rows (n, 54): a second of transition, then lying and walking by halves."""
    count = round(100 * seconds)
    rows = np.random.default_rng(seed).normal(size=(count, 54))
    rows[:, 0] = start + np.arange(count) / 100
    rows[:, 1] = np.where(np.arange(count) < (100 + count) // 2, 1, 4)
    rows[:100, 1] = 0
    rows[:, 2] = np.where(np.arange(count) % 11 == 0, 104, np.nan)
    for first in (HAND, CHEST, ANKLE):
        rows[:, first] = 30.375
        rows[:, first + 13 :][:, :4] = 1, 0, 0, 0
    return rows


def text(rows: NDArray[np.float64]) -> str:
    """As the files have it: two digits of time, whole activities, NaN, single spaces."""
    lines = []
    for row in rows:
        cells = [f"{row[0]:.2f}", f"{row[1]:.0f}", *(f"{x:.6g}" for x in row[2:])]
        lines.append(" ".join(cells).replace("nan", "NaN"))
    return "\n".join(lines) + "\n"


def write(folder: Path, name: str = "subject101", body: str | None = None) -> Path:
    """Write NAME.dat into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dat"
    path.write_text(text(session()) if body is None else body)
    return path


def write_all(folder: Path) -> Path:
    """Two people, one of whom has an optional session."""
    top = folder / "PAMAP2_Dataset"
    for place, name, seed in (
        ("Protocol", "subject101", 1),
        ("Protocol", "subject102", 2),
        ("Optional", "subject101", 3),
    ):
        write(top / place, name, text(session(seed=seed)))
    return top
