"""Simulated recordings in, the CSV files that come with the app out (public/recordings).

Seeds are fixed, so the files are the same whenever this runs, in examples/companion_web:

    python scripts/make_recordings.py public/recordings

Times and values are rounded to what sensors give: microseconds, 1/64 g, hundredths.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from onwrist.recording import Recording
from onwrist.simulate import body, days, simulate

SECONDS, SEED = 180.0, 7
_WRIST = {
    "ppg": ("ppg", 1.0, 2),
    "acc_x": ("acc_x [1/64g]", 64.0, 0),
    "acc_y": ("acc_y [1/64g]", 64.0, 0),
    "acc_z": ("acc_z [1/64g]", 64.0, 0),
    "eda": ("eda", 1.0, 4),
    "temp": ("temp", 1.0, 2),
}
_DAYS = {
    "steps": ("steps", 1.0, 0),
    "intensity": ("intensity", 1.0, 0),
    "heart_rate": ("heart_rate", 1.0, 1),
}


def table(recording: Recording, columns: Mapping[str, tuple[str, float, int]]) -> str:
    """The recording as CSV; `columns` are header, factor and decimals of each channel."""
    times = np.unique(np.concatenate([x.times for x in recording.signals.values()]))
    cells: dict[str, list[str]] = {}
    for name, (header, factor, decimals) in columns.items():
        signal = recording.signals[name]
        cells[header] = [""] * len(times)
        numbers = np.round(signal.values.astype(np.float64) * factor, decimals) + 0.0
        for row, value in zip(np.searchsorted(times, signal.times), numbers, strict=True):
            cells[header][row] = f"{value:.{decimals}f}"
    lines = [",".join(["time", *cells])]
    rows = zip(times.tolist(), *cells.values(), strict=True)
    lines += [",".join([f"{time:.6f}".rstrip("0").rstrip("."), *row]) for time, *row in rows]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wrist = simulate(SECONDS, SEED, dropout=(30.0, 50.0), dies={"temp": 120.0})
    walk = body(60.0, SEED)
    positions = {x: (x, 1.0, 3 if "acc" in x else 1) for x in walk.signals}
    tables = {
        "simulated-wrist.csv": table(wrist, _WRIST),
        "simulated-days.csv": table(days(3, SEED), _DAYS),
        "simulated-body.csv": table(walk, positions),
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
