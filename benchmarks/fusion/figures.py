"""Findings in, PNG files out; each says in its title what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from onwrist.files import written_beside
from onwrist_export.fusion.evidence import AS_RECORDED, PARTIAL
from onwrist_export.judging.selective import Curve
from onwrist_export.judging.weighting import Array, Estimate

from .confidence import Reliability, TrustRow
from .scores import TREES, ZERO_FILLED, Degradation, Importance, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people of every colour vision tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#7F7F7F"
MARKERS = "os^Dvp<>XP*h"
FEWEST = 0.1  # share answered from which risk is drawn: of fewer it is one or two cases


def styles(methods: Sequence[str], judged: str) -> dict[str, dict[str, object]]:
    """A line for each method; grey what is there to compare with."""
    found: dict[str, dict[str, object]] = {}
    fusions = [m for m in methods if ZERO_FILLED not in m and m != TREES]
    for method in methods:
        if method in fusions:
            turn, colour = divmod(fusions.index(method), len(COLOURS))
            line = {"color": COLOURS[colour], "ls": ("-", "-.")[turn % 2]}
        else:
            line = {"color": GREY, "ls": "--" if method == TREES else ":"}
        own = method == judged
        found[method] = line | {
            "marker": MARKERS[len(found) % len(MARKERS)],
            "ms": 6 if own else 4,
            "lw": 2.6 if own else 1.2,
            "zorder": 3 if own else 2,
            "label": f"{method} (judged)" if own else method,
        }
    return found


def degradation(
    found: Mapping[str, Sequence[Degradation]], judged: Mapping[str, str], path: Path
) -> None:
    """Macro-F1 by number of sensors lost: mean and worst case, a row a task."""
    figure, axes = plt.subplots(
        len(found),
        2,
        figsize=(9.5, 3.2 * len(found)),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, (task, each) in zip(axes, found.items(), strict=True):
        lines = styles([d.method for d in each], judged[task])
        for ax, what in zip(row, ("mean", "worst"), strict=True):
            for d in each:
                rows = d.mean if what == "mean" else d.worst
                ax.plot(range(len(rows)), [e.value for e in rows], **lines[d.method])
                if d.method == judged[task]:
                    ax.fill_between(
                        range(len(rows)), [e.low for e in rows], [e.high for e in rows],
                        color=str(lines[d.method]["color"]), alpha=0.12, lw=0,
                    )  # fmt: skip
            ax.set_xticks(range(len(each[0].mean)))
            ax.set_title(f"{task}: {'mean' if what == 'mean' else 'worst case'}")
            _tidy(ax)
        row[0].set_ylabel("macro-F1")
    for ax in axes[-1]:
        ax.set_xlabel("sensors lost")
    _legend(figure, axes)
    figure.suptitle("Cases with all sensors, asked with fewer; band: 95 % over subjects")
    _write(figure, path)


def partial(
    scores: Mapping[str, Sequence[Score]], judged: Mapping[str, str], path: Path
) -> None:
    """Macro-F1 by share of samples that are missing in spans, a panel a task."""
    order = (AS_RECORDED, *PARTIAL)
    figure, axes = plt.subplots(
        1, len(scores), figsize=(4.6 * len(scores), 3.8), squeeze=False, layout="constrained"
    )
    for ax, (task, rows) in zip(axes[0], scores.items(), strict=True):
        by_name = {(s.method, s.condition): s for s in rows}
        methods = list(dict.fromkeys(s.method for s in rows))
        lines = styles(methods, judged[task])
        for method in methods:
            there = [k for k, c in enumerate(order) if (method, c) in by_name]
            values = [by_name[method, order[k]].macro_f1 for k in there]
            ax.plot(there, [v.value for v in values], **lines[method])
            if method == judged[task]:
                ax.fill_between(
                    there, [v.low for v in values], [v.high for v in values],
                    color=str(lines[method]["color"]), alpha=0.12, lw=0,
                )  # fmt: skip
        ax.set_xticks(range(len(order)), ["none", *(c.partition(" m")[0] for c in PARTIAL)])
        ax.set_xlabel("samples of every sensor missing")
        ax.set_title(task)
        _tidy(ax)
    axes[0, 0].set_ylabel("macro-F1")
    _legend(figure, axes)
    figure.suptitle("Samples lost in spans; band: 95 % over subjects")
    _write(figure, path)


def reliability(
    panels: Mapping[str, Sequence[tuple[Reliability, TrustRow]]], title: str, path: Path
) -> None:
    """Accuracy against confidence as given and calibrated, a small panel a condition."""
    columns = 4
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(9.6, 2.35 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (condition, ways) in zip(axes.flat, panels.items(), strict=False):
        ax.plot([0, 1], [0, 1], color="#BBBBBB", lw=0.8, zorder=0)
        for (shown, row), colour in zip(ways, (COLOURS[1], COLOURS[0]), strict=True):
            said = shown.bins.confidence
            ax.plot(
                said, shown.accuracy, color=colour, marker="o", ms=3, lw=1, label=row.scheme
            )
        ax.fill_between(
            said, said - 1.96 * shown.spread, said + 1.96 * shown.spread,
            color=GREY, alpha=0.2, lw=0, label="95 % of bins, were it calibrated",
        )  # fmt: skip
        t = row.trust
        ax.text(
            0.04, 0.96,
            f"ECE {t.debiased:.3f}\nfloor {t.floor.mean:.3f}\n{t.cases} cases",
            fontsize=7, va="top", transform=ax.transAxes,
        )  # fmt: skip
        ax.set_title(condition.replace("+", " + "), fontsize=8)
        ax.set_xlim(0, 1.02)
        ax.set_ylim(0, 1.02)
        _tidy(ax)
    for ax in axes[-1]:
        ax.set_xlabel("confidence", fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy", fontsize=8)
    _legend(figure, axes)
    figure.suptitle(
        f"{title}; ECE (debiased) and floor with a temperature per pattern", fontsize=10
    )
    _write(figure, path)


def attention(weights: Mapping[str, Array], sensors: Sequence[str], path: Path) -> None:
    """Mean weights between sensors, a panel a method."""
    columns = min(3, len(weights))
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(1.2 + 2.6 * columns, 0.4 + 2.6 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(weights) :]:
        ax.set_visible(False)
    most = max(float(w.max()) for w in weights.values())
    for ax, (method, w) in zip(axes.flat, weights.items(), strict=False):
        image = ax.imshow(w, cmap="cividis", vmin=0, vmax=most)
        for (row, column), value in np.ndenumerate(w):
            ax.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                color="black" if value > 0.6 * most else "white",
            )  # fmt: skip
        ax.set_xticks(range(len(sensors)), sensors, fontsize=8, rotation=30)
        ax.set_yticks(range(len(sensors)), sensors, fontsize=8)
        ax.set_title(_wrapped(method), fontsize=8)
    figure.supylabel("what this sensor attends to ...", fontsize=8)
    figure.supxlabel("... is this one", fontsize=8)
    figure.colorbar(image, ax=list(axes.flat), shrink=0.8)
    figure.suptitle("Attention between sensors, cases with all of them", fontsize=10)
    _write(figure, path)


def risk_coverage(
    curves: Mapping[str, Mapping[str, Curve]], judged: Mapping[str, str], path: Path
) -> None:
    """Share of wrong answers against share of cases answered, a panel a task."""
    figure, axes = plt.subplots(
        1, len(curves), figsize=(4.6 * len(curves), 3.8), squeeze=False, layout="constrained"
    )
    for ax, (task, each) in zip(axes[0], curves.items(), strict=True):
        lines = styles(list(each), judged[task])
        for method, curve in each.items():
            line = lines[method] | {"marker": ""}
            ax.plot(curve.coverage, curve.risk, drawstyle="steps-post", **line)
        most = max(float(c.risk[c.coverage >= FEWEST].max()) for c in each.values())
        ax.set_xlim(FEWEST, 1)
        ax.set_ylim(0, 1.05 * most or 1)
        ax.set_xlabel("share of cases answered")
        ax.set_title(task)
        _tidy(ax)
    axes[0, 0].set_ylabel("share of these answers that is wrong")
    _legend(figure, axes)
    figure.suptitle("Risk against coverage, as recorded, a temperature per pattern")
    _write(figure, path)


def importance(found: Mapping[str, Importance], path: Path) -> None:
    """Shapley values and drops of the judged method, a panel a task."""
    figure, axes = plt.subplots(
        1,
        len(found),
        figsize=(4.4 * len(found), 3.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (task, each) in zip(axes[0], found.items(), strict=True):
        for k, (name, values) in enumerate(
            (("Shapley value", each.shapley), ("drop when lost alone", each.drop))
        ):
            place = np.arange(len(values)) + 0.4 * k - 0.2
            _bars(ax, place, list(values.values()), COLOURS[k], name)
        ax.set_xticks(range(len(each.drop)), list(each.drop))
        ax.axhline(0, color="black", lw=0.8)
        ax.set_title(f"{task}: {each.none:.2f} with none, {each.every:.2f} with all")
        _tidy(ax)
    axes[0, 0].set_ylabel("macro-F1")
    axes[0, 0].legend(fontsize=8, frameon=False)
    method = next(iter(found.values())).method
    figure.suptitle(f"What a sensor is worth to {method}; 95 % over subjects")
    _write(figure, path)


def _bars(ax: Axes, place: Array, values: Sequence[Estimate], colour: str, name: str) -> None:
    heights = np.array([e.value for e in values])
    low, high = np.array([(e.low, e.high) for e in values]).T
    # An interval of draws need not hold the figure itself.
    ends = np.maximum([heights - low, high - heights], 0)
    ax.bar(place, heights, 0.38, color=colour, label=name)
    ax.errorbar(place, heights, ends, color="black", lw=0, elinewidth=1, capsize=3)


def _legend(figure: Figure, axes: np.ndarray) -> None:
    """One for all panels, under them."""
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False
    )


def _tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)


def _wrapped(method: str) -> str:
    return method.replace(", ", ",\n")


def _write(figure: Figure, path: Path) -> None:
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
