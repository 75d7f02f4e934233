"""Heart rate while running, against chest ECG: the shipped bundle beside an FFT peak.

    python benchmarks/troika.py TROIKA_NPZ -o benchmarks/results/troika/wrist-himae.md

The TROIKA recordings (Zhang, Pi, Liu, IEEE TBME 62(2):522-531, 2015) may be used for
research only: nothing here trains on them. Green PPG and acceleration at 125 Hz, the
heart rate of the ECG over 8 s, every 2 s. Other device, other wavelength, other motion
than the bundle was trained on; polarity is unknown, so both are shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import onwrist
from onwrist.recording import Label, Recording
from onwrist_export.calibrating.asked import least_confidence, scaled
from onwrist_export.config import load_config
from onwrist_export.judging.baselines import fft_rate, lomb_scargle_rate
from onwrist_export.judging.evaluate import engine_predictor
from onwrist_export.judging.metrics import by_subject, mean_absolute_error
from onwrist_export.judging.tables import markdown
from onwrist_export.windows.grids import cut_windows, to_grid
from onwrist_runtime.signals import Signal

RATE = 125.0
SPAN, STEP = 8.0, 2.0  # s: an ECG heart rate covers this long, and comes this often
HOP = 50  # grid points: 2 s at 25 Hz


def recordings(path: Path, sign: float) -> list[Recording]:
    """Every record as a recording of its own subject, first PPG channel times `sign`."""
    made = []
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            if not key.startswith("sig_"):
                continue
            name = key.removeprefix("sig_")
            rows = file[key]
            channels = {
                "ppg": sign * rows[1],
                "acc_x": rows[3],
                "acc_y": rows[4],
                "acc_z": rows[5],
            }
            signals = {
                channel: Signal.regular(values.astype(np.float32), RATE)
                for channel, values in channels.items()
            }
            labels = tuple(
                Label("heart_rate", STEP * i, STEP * i + SPAN, float(bpm))
                for i, bpm in enumerate(file[f"bpm_{name}"].ravel())
            )
            made.append(Recording(name, name, signals, labels))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--bundle", help="a .onwrist file (default: the shipped bundle)")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    config, model = load_config(), onwrist.load(arguments.bundle)
    rows = []
    for name, sign in (("as recorded", 1.0), ("inverted", -1.0)):
        grids = [to_grid(r, config) for r in recordings(arguments.recordings, sign)]
        windows = cut_windows(grids, config, HOP).labelled("heart_rate")
        true, people = windows.targets["heart_rate"], windows.subjects
        outputs = engine_predictor(model.engine.run)(scaled(windows, model.manifest))
        value, confidence = outputs["heart_rate"].T
        # ppg is covered throughout
        answered = confidence >= least_confidence(windows, model.manifest, "heart_rate")
        ppg, seen = windows.values[:, 0], windows.observed[:, 0]
        everything = np.ones(len(true), bool)
        methods = {
            "onwrist, all windows": (value, everything),
            "onwrist, answered": (value, answered),
            "FFT peak": (fft_rate(ppg, seen, model.rate), everything),
            "FFT peak, where onwrist answers": (fft_rate(ppg, seen, model.rate), answered),
            "Lomb-Scargle": (lomb_scargle_rate(ppg, seen, model.rate), everything),
        }
        for method, (found, which) in methods.items():
            if not which.any():
                rows.append([name, method, "0 %", "", ""])
                continue
            score = by_subject(mean_absolute_error, found[which], true[which], people[which])
            low, high = score.interval
            rows.append(
                [
                    name,
                    method,
                    f"{which.mean():.0%}",
                    f"{score.pooled:.1f}",
                    f"{score.mean:.1f} [{low:.1f}, {high:.1f}]",
                ]
            )
    header = ["ppg", "method", "windows", "MAE (bpm)", "mean over records [95 %]"]
    text = "## While running\n\n"
    text += f"TROIKA, {len(grids)} records, {len(true)} windows of 10.24 s, ECG truth:\n\n"
    text += markdown(header, rows)
    print(text)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text)


if __name__ == "__main__":
    main()
