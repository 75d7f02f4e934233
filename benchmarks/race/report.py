"""Times of a race in; rows, what `predict` costs, tables and a figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import listed, table
from numpy.typing import NDArray
from turns import resampled_medians

from onwrist.files import written_beside
from race.checks import Check
from race.contestants import PREDICT, REFERENCE, U8, Contestant

# What the project has set itself: ratio to the reference, and microseconds of `predict`.
RATIOS = {"litert INT8": 0.2, U8: 0.45}
PREDICT_ADDS = 30.0
WHOLE = "onwrist, predict end to end"
COLOURS = {WHOLE: "tab:green", "INT8": "tab:blue", "fp32": "0.65"}


@dataclass(frozen=True)
class Row:
    """One contestant in one mode; times in microseconds.

    Attributes
    ----------
    ratio : of its median to the reference's.
    low, high : 95 % bootstrap interval of `ratio`.
    """

    mode: str
    contestant: str
    file: str
    least: float
    p50: float
    p90: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """Microseconds that `predict` adds to its engine's own median, with its interval."""

    mode: str
    engine: str
    added: float
    low: float
    high: float


def judge(
    mode: str, contestants: Sequence[Contestant], times: NDArray[np.float64]
) -> tuple[list[Row], list[Cost]]:
    """The rows of one mode, the fastest first, and what `predict` costs in it."""
    names = [contestant.name for contestant in contestants]
    p50 = np.median(times, axis=(1, 2))
    drawn = resampled_medians(times)
    reference = names.index(REFERENCE)
    low, high = np.percentile(drawn / drawn[:, [reference]], [2.5, 97.5], axis=0)
    rows = [
        Row(
            mode,
            contestant.name,
            contestant.file,
            float(times[k].min()),
            float(p50[k]),
            float(np.percentile(times[k], 90)),
            float(p50[k] / p50[reference]),
            float(low[k]),
            float(high[k]),
        )
        for k, contestant in enumerate(contestants)
    ]
    costs = []
    for k, contestant in enumerate(contestants):
        if contestant.adds_to in names:
            own = names.index(contestant.adds_to)
            bounds = np.percentile(drawn[:, k] - drawn[:, own], [2.5, 97.5])
            added = float(p50[k] - p50[own])
            costs.append(Cost(mode, names[own], added, float(bounds[0]), float(bounds[1])))
    return sorted(rows, key=lambda row: row.p50), costs


def verdicts(rows: Sequence[Row], costs: Sequence[Cost], vnni: bool) -> list[list[str]]:
    """What was aimed at, in which mode, what was measured, and whether it is reached."""
    found = []
    for row in rows:
        most = RATIOS.get(row.contestant)
        if most is not None and (vnni or row.contestant != U8):
            aim = f"{row.contestant} at most {most} of {REFERENCE}"
            found.append([aim, row.mode, f"{row.ratio:.3f}", _verdict(row.ratio <= most)])
    for cost in costs:
        aim = f"predict adds at most {PREDICT_ADDS:.0f} us to {cost.engine}"
        reached = _verdict(cost.added <= PREDICT_ADDS)
        found.append([aim, cost.mode, f"{cost.added:.1f} us", reached])
    return found


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def report(
    what: Mapping[str, str],
    rows: Sequence[Row],
    costs: Sequence[Cost],
    checks: Sequence[Check],
    absent: Mapping[str, str],
    aims: Sequence[Sequence[str]],
) -> str:
    """The whole page in Markdown."""
    text = "# The race\n\nMicroseconds a window, whole graph: raw values in, outputs out.\n\n"
    text += listed(what)
    for mode in dict.fromkeys(row.mode for row in rows):
        text += f"\n## {mode.capitalize()}\n\n"
        cells = [
            [
                row.contestant,
                row.file,
                f"{row.least:.1f}",
                f"{row.p50:.1f}",
                f"{row.p90:.1f}",
                f"{row.ratio:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
            ]
            for row in rows
            if row.mode == mode
        ]
        head = ["contestant", "file", "min", "p50", "p90", f"of {REFERENCE}", "95 %"]
        text += table(head, cells)
        added = [
            [cost.engine, f"{cost.added:.1f}", f"{cost.low:.1f} to {cost.high:.1f}"]
            for cost in costs
            if cost.mode == mode
        ]
        if added:
            text += "\n" + table(["predict(values) adds to", "us at the median", "95 %"], added)
    text += f"\n## Their numbers\n\nAgainst {REFERENCE}, over all windows. "
    text += "Of `predict` it is the embedding.\n\n"
    cells = [[c.contestant, f"{c.apart:.1e}", f"{c.cosine:.6f}"] for c in checks]
    head = ["contestant", "largest difference, relative", "centred cosine of embeddings"]
    text += table(head, cells)
    if absent:
        text += "\n## Not in the race\n\n"
        text += table(["contestant", "why"], list(absent.items()))
    text += "\n## Aims\n\n"
    return text + table(["aim", "mode", "measured", ""], aims)


def figure(path: Path, rows: Sequence[Row], what: Mapping[str, str]) -> None:
    """Bars of the ratio in each mode, contestants in the order of the first."""
    import matplotlib.pyplot as plt

    modes = list(dict.fromkeys(row.mode for row in rows))
    order = [row.contestant for row in rows if row.mode == modes[0]][::-1]
    fig, axes = plt.subplots(1, len(modes), sharey=True, figsize=(11, 0.36 * len(order) + 1.6))
    for axis, mode in zip(axes, modes, strict=True):
        found = {row.contestant: row for row in rows if row.mode == mode}
        bars = [found[name] for name in order]
        ratio = np.array([row.ratio for row in bars])
        interval = [
            ratio - [row.low for row in bars],
            np.array([row.high for row in bars]) - ratio,
        ]
        colours = [COLOURS[_kind(name)] for name in order]
        axis.axvline(1, color="0.8", lw=0.8, zorder=0)
        axis.barh(order, ratio, xerr=interval, color=colours, error_kw={"lw": 1, "capsize": 2})
        for k, row in enumerate(bars):
            axis.annotate(
                f"{row.ratio:.2f} ({row.p50:.0f} us)",
                (row.high, k),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
        axis.set_xlim(0, 1.4 * max(row.high for row in bars))
        axis.margins(y=0.01)
        axis.set_title(mode)
        axis.set_xlabel(f"time of a window, of {REFERENCE}; 95 % interval")
        axis.spines[["top", "right"]].set_visible(False)
    keys = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    axes[0].legend(keys, COLOURS, loc="upper right", frameon=False)
    fig.suptitle(f"{what['bundle']}; {what['processor']}, one thread; measured {what['date']}")
    fig.tight_layout()
    with written_beside(path) as beside:
        fig.savefig(beside, dpi=120, format="png")
    plt.close(fig)


def _kind(contestant: str) -> str:
    if contestant.startswith(PREDICT):
        return WHOLE
    return "INT8" if "INT8" in contestant else "fp32"
