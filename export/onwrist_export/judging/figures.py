"""Figures of the training side; matplotlib draws to files only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from onwrist_export.config import Config
from onwrist_export.judging.probe import ProbeRow


def probes(rows: Sequence[ProbeRow], config: Config, path: Path) -> None:
    """Task by resolution: probe scores of every encoder with all training people."""
    most = max(row.people for row in rows)
    encoders = list(dict.fromkeys(row.encoder for row in rows))
    figure, axes = plt.subplots(
        1, len(config.tasks), figsize=(4.6 * len(config.tasks), 3.4), squeeze=False
    )
    seconds = [s / config.window.rate for s in config.himae.receptive_fields]
    for ax, task in zip(axes[0], config.tasks, strict=True):
        for encoder, marker in zip(encoders, "os^d", strict=False):
            chosen = [
                r for r in rows if (r.task, r.encoder, r.people) == (task.name, encoder, most)
            ]
            chosen.sort(key=lambda r: r.stage)
            rate = task.kind == "rate"
            middle = np.array([r.score.mean for r in chosen])
            low, high = np.array([r.score.interval for r in chosen]).T
            ax.errorbar(
                range(1, len(chosen) + 1),
                middle,
                yerr=[middle - low, high - middle],
                marker=marker,
                capsize=3,
                label=encoder,
            )
            ax.set_ylabel(f"MAE ({task.unit}), lower is better" if rate else "AUROC")
        ax.set_xticks(
            range(1, len(seconds) + 1), [f"{k + 1}\n{s:.1f} s" for k, s in enumerate(seconds)]
        )
        ax.set_xlabel("stage, and what it sees")
        ax.set_title(task.name)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    figure.suptitle(
        f"Linear probes by resolution, {most} training people, mean over test subjects"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
