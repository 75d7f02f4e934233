"""A report in, one page out: the verdict, every distribution, its quantiles, the machine."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onwrist.bench import words
from onwrist.bench.report import Mode, Report, Series
from onwrist.extras import require
from onwrist.files import written_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people of every colour vision tell apart.
_COLOURS: dict[Mode, str] = {"warm": "#0072B2", "after idle": "#D55E00"}
_VALID, _NOT_VALID = "#00664B", "#A33A00"
_WIDTH, _LEFT, _RIGHT = 8.27, 0.55, 7.72  # inches, of a sheet of A4
_LINE = 0.165  # inches
_ROW = 0.62  # inches a distribution
_BINS = 120
_SHOWN = 0.99  # share of a series that the axis has room for


def save(path: Path, report: Report) -> None:
    """Draw the page into `path` (.png, .pdf or .svg).

    Raises
    ------
    InputError
        matplotlib is not installed.
    OSError
        The file cannot be written; nothing half written is left.
    """
    require("matplotlib", "plots", "drawing a page")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    reasons = [
        line
        for reason in report.verdict.reasons
        for line in textwrap.wrap(reason, 74, initial_indent="• ", subsequent_indent="   ")
    ]
    conditions = _conditions(report)
    kinds = list(dict.fromkeys(x.what for x in report.series))
    band = max(0.62, 0.26 + _LINE * len(reasons))
    plot = 0.35 + _ROW * len(kinds)
    table = _LINE * 1.25 * (len(report.series) + 2)
    rest = _LINE * (sum(len(lines) for _, lines in conditions) + 2)
    height = 1.0 + band + 0.45 + plot + 0.75 + table + 0.2 + rest
    figure = Figure(figsize=(_WIDTH, height))
    FigureCanvasAgg(figure)
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set_xlim(0, _WIDTH)
    sheet.set_ylim(height, 0)  # inches from the top
    sheet.axis("off")

    title = "\n".join(textwrap.wrap(words.title(report), 84))
    sheet.text(_LEFT, 0.62, title, fontsize=12, weight="bold", va="bottom")
    said = f"onwrist bench, {report.date}, {report.seconds:.0f} s, {report.tier}"
    sheet.text(_LEFT, 0.82, said, fontsize=8, color="#555555", va="bottom")
    top = 1.0
    _draw_verdict(sheet, report, reasons, top, band)
    top += band + 0.45
    _draw_series(_panel(figure, height, top, plot), report, kinds)
    top += plot + 0.75
    _draw_table(sheet, report.series, top)
    top += table + 0.2
    for name, lines in conditions:
        sheet.text(_LEFT, top, name, fontsize=7.5, color="#555555", va="top")
        for line in lines:
            sheet.text(_LEFT + 1.0, top, line, fontsize=7.5, va="top")
            top += _LINE
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=150)


def _panel(figure: Figure, height: float, top: float, size: float) -> Axes:
    left, right = _LEFT + 1.35, _RIGHT
    bottom = 1 - (top + size) / height
    return figure.add_axes((left / _WIDTH, bottom, (right - left) / _WIDTH, size / height))


def _draw_verdict(
    sheet: Axes, report: Report, reasons: Sequence[str], top: float, size: float
) -> None:
    from matplotlib.patches import FancyBboxPatch

    valid = report.verdict.valid
    colour = _VALID if valid else _NOT_VALID
    box = FancyBboxPatch(
        (_LEFT, top),
        _RIGHT - _LEFT,
        size,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=colour,
        edgecolor="none",
    )
    sheet.add_patch(box)
    middle = top + size / 2
    large = "VALID" if valid else "NOT VALID"
    sheet.text(
        _LEFT + 0.18, middle, large, fontsize=19, weight="bold", color="white", va="center"
    )
    shown = reasons or ["nothing that is known speaks against these latencies"]
    first = middle - _LINE * (len(shown) - 1) / 2
    for k, line in enumerate(shown):
        y = first + k * _LINE
        sheet.text(_LEFT + 2.05, y, line, fontsize=8.5, color="white", va="center")


def _draw_series(panel: Axes, report: Report, kinds: Sequence[str]) -> None:
    """One row for each call: the density of its logarithms, warm and after idle."""
    samples = {(x.what, x.mode): np.array(x.samples_us) for x in report.series}
    low = min(each.min() for each in samples.values()) / 1.15
    high = max(np.quantile(each, _SHOWN) for each in samples.values()) * 1.15
    edges = np.geomspace(max(low, 0.1), max(high, 1.2 * low, 0.2), _BINS)
    centres = np.sqrt(edges[1:] * edges[:-1])
    for x in report.series:
        base = len(kinds) - 1 - kinds.index(x.what)
        counts, _ = np.histogram(samples[x.what, x.mode], edges)
        # A little smoothing: a few hundred calls would be a comb otherwise.
        smooth = np.convolve(counts, np.array([1, 2, 3, 2, 1]) / 9, "same")
        tall = base + 0.82 * smooth / max(smooth.max(), 1e-9)
        colour = _COLOURS[x.mode]
        panel.fill_between(centres, base, tall, color=colour, alpha=0.35, linewidth=0)
        panel.plot(centres, tall, color=colour, linewidth=0.8)
        panel.plot([x.p50_us] * 2, [base, base + 0.86], color=colour, linewidth=1.4)
    panel.set_xscale("log")
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylim(-0.05, len(kinds))
    panel.set_yticks([k + 0.3 for k in range(len(kinds))])
    panel.set_yticklabels([words.LABELS[kind] for kind in reversed(kinds)], fontsize=8)  # type: ignore[index]
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelsize=8)
    _label_decades(panel, edges[0], edges[-1])
    panel.grid(axis="x", which="major", color="#DDDDDD", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.set_xlabel("microseconds; upright lines are p50", fontsize=8)
    for k, mode in enumerate(_COLOURS):
        said = mode if mode == "warm" else f"after {report.plan.every_s:g} s idle"
        panel.text(
            1.0 - 0.22 * (1 - k), 1.02, f"■ {said}", transform=panel.transAxes, fontsize=8,
            color=_COLOURS[mode], ha="right", va="bottom",
        )  # fmt: skip


def _label_decades(panel: Axes, low: float, high: float) -> None:
    """1, 2 and 5 of each decade, or only 1 where there are many."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high / low < 1e3 else (1,)
    panel.xaxis.set_major_locator(FixedLocator([s * 10.0**d for d in decades for s in steps]))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _draw_table(sheet: Axes, series: Sequence[Series], top: float) -> None:
    edges = (2.85, 3.3, 3.82, 4.75, 5.25, 5.8, 6.35, 7.0, 7.72)  # right ends of the columns
    step = 1.25 * _LINE
    sheet.text(_LEFT, top, "microseconds", fontsize=7.5, color="#555555", va="top")
    for x, name in zip(edges, words.COLUMNS, strict=True):
        sheet.text(x, top, name, fontsize=7.5, color="#555555", va="top", ha="right")
    sheet.plot([_LEFT, _RIGHT], [top + 0.17] * 2, color="#999999", linewidth=0.6)
    for k, each in enumerate(series, start=1):
        y = top + k * step + 0.03
        label = f"{words.LABELS[each.what]}, {each.mode}"
        sheet.text(_LEFT, y, label, fontsize=7.5, va="top", color=_COLOURS[each.mode])
        for n, (x, cell) in enumerate(zip(edges, words.row(each), strict=True)):
            weight = "bold" if words.COLUMNS[n] == "p50" else "normal"
            sheet.text(x, y, cell, fontsize=7.5, va="top", ha="right", weight=weight)


def _conditions(report: Report) -> list[tuple[str, list[str]]]:
    """Names, and values as lines that fit the page."""
    rows = [*words.conditions(report), *words.cold(report), *words.outputs(report)]
    rows += words.counted(report)
    rows += [("note", note) for note in report.verdict.notes]
    return [(name, textwrap.wrap(value, 104) or ["-"]) for name, value in rows]
