"""Results in, PNG files out; each says in its title what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from .evidence import Degradation, Summary
from .missingness import BOUND
from .statistics import LINE
from .tokens import KINDS, Tokens, projected

COLOURS = {
    "last value": "#bbbbbb",
    LINE: "#888888",
    "person's mean by hour": "#c9a66b",
    "ridge": "#4c78a8",
    "boosting": "#54a24b",
    "LSM-2": "#d62728",
    "MAE, linear filling": "#9467bd",
    "MAE, zero filling": "#e377c2",
}
PANELS = (("interpolation", True), ("interpolation", False), ("extrapolation", True))
KIND_COLOURS = ("#4c78a8", "#d62728", "#f2a900")


def by_length(summaries: Sequence[Summary], path: Path) -> None:
    """Error by the length of the gap, with intervals over people."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 4), sharey=True)
    for ax, (task, activity) in zip(axes, PANELS, strict=True):
        chosen = [
            s for s in summaries if (s.setting.task, s.setting.activity) == (task, activity)
        ]
        for k, (name, colour) in enumerate(COLOURS.items()):
            rows = [(s.setting.size, s.estimates[name]) for s in chosen if name in s.estimates]
            rows = [row for row in rows if row[1].mean is not None]
            if not rows:
                continue
            x = np.array([size for size, _ in rows]) * 1.02 ** (k - 3)
            middle = np.array([e.mean for _, e in rows])
            low, high = np.array([(e.low, e.high) for _, e in rows]).T
            ax.errorbar(
                x, middle, [middle - low, high - middle], color=colour, label=name,
                marker="o", ms=4, capsize=2, lw=2 if name == "LSM-2" else 1,
            )  # fmt: skip
        ax.set_xscale("log")
        sizes = [s.setting.size for s in chosen]
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.minorticks_off()
        ax.set_xlabel("gap (minutes)")
        ax.set_title(f"{task}, activity {'known' if activity else 'hidden too'}")
    axes[0].set_ylabel("heart rate, MAE (bpm)\nmean over people, 95 % interval")
    axes[0].legend(fontsize=7)
    _write(figure, path)


def by_person(summaries: Sequence[Summary], names: Sequence[str], path: Path) -> None:
    """Error of each person in the gaps of 60 and of 180 minutes, activity known."""
    chosen = [
        s
        for s in summaries
        if s.setting.task == "interpolation" and s.setting.activity and s.setting.size >= 60
    ]
    figure, axes = plt.subplots(1, len(chosen), figsize=(6.5 * len(chosen), 3.8), squeeze=False)
    for ax, summary in zip(axes[0], chosen, strict=True):
        there = [name for name in names if name in summary.estimates]
        subjects = list(summary.estimates[there[0]].by_person)
        for k, name in enumerate(there):
            each = summary.estimates[name].by_person
            heights = [each[s] if each[s] is not None else 0.0 for s in subjects]
            ax.bar(
                np.arange(len(subjects)) + (k - len(there) / 2 + 0.5) * 0.8 / len(there),
                heights, 0.8 / len(there), color=COLOURS[name], label=name,
            )  # fmt: skip
        for k, subject in enumerate(subjects):
            if summary.estimates[there[0]].by_person[subject] is None:
                ax.text(k, 0.2, "not enough data", rotation=90, ha="center", fontsize=7)
        ax.set_xticks(range(len(subjects)), subjects, rotation=20, fontsize=7)
        ax.set_title(f"gaps of {summary.setting.size} minutes, activity known")
        ax.set_ylabel("heart rate, MAE (bpm)")
    axes[0, 0].legend(fontsize=7)
    _write(figure, path)


def degradation(
    heart: Mapping[str, Sequence[Degradation]],
    active: Mapping[str, Sequence[Degradation]],
    path: Path,
) -> None:
    """Both tasks under the twelve removals, against the bound."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), sharey=True)
    titles = "heart rate in gaps of 60 minutes", "active minutes of the next hour"
    for ax, title, found in zip(axes, titles, (heart, active), strict=True):
        for k, (name, each) in enumerate(found.items()):
            share = np.array([d.share for d in each])
            low, high = np.array([(d.low, d.high) for d in each]).T
            y = np.arange(len(each)) + (k - len(found) / 2 + 0.5) * 0.25
            ax.errorbar(
                100 * share, y, xerr=100 * np.array([share - low, high - share]), fmt="o",
                color=COLOURS[name], label=name, ms=4, capsize=2,
            )  # fmt: skip
        ax.axvline(100 * BOUND, color="black", ls="--", lw=0.8)
        ax.axvline(0, color="black", lw=0.8)
        ax.set_title(title)
        ax.set_xlabel("added error (%), 95 % interval; dashed: 27 %")
    names = [d.removal.name for d in next(iter(heart.values()))]
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    axes[0].legend(fontsize=7)
    _write(figure, path)


def tokens(found: Mapping[str, Tokens], path: Path) -> None:
    """Heart-rate tokens at the decoder's last layer, a panel a person."""
    figure, axes = plt.subplots(1, len(found), figsize=(3.1 * len(found), 3.3), squeeze=False)
    for ax, (subject, each) in zip(axes[0], found.items(), strict=True):
        points = projected(each)
        order = np.random.default_rng(0).permutation(len(points))
        colours = np.array(KIND_COLOURS)[each.kind]
        ax.scatter(*points[order].T, c=colours[order], s=3, alpha=0.5, lw=0)
        ax.set_title(subject, fontsize=8)
        ax.set_xticks([])
        ax.set_yticks([])
    handles = [
        plt.Line2D([], [], color=c, marker="o", ls="", ms=4, label=kind)
        for kind, c in zip(KINDS, KIND_COLOURS, strict=True)
    ]
    figure.legend(handles=handles, loc="lower center", ncol=3, fontsize=8)
    figure.suptitle("Heart-rate tokens, decoder's last layer, first two principal components")
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _write(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
