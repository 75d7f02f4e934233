"""A report in, one page out: the verdict, every distribution, its quantiles, the machine."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onwrist.bench import words
from onwrist.bench.report import Mode, Report, What
from onwrist.extras import require
from onwrist.files import written_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people of every colour vision tell apart.
_COLOURS: dict[Mode, str] = {"warm": "#0072B2", "after idle": "#D55E00"}
_VALID, _NOT_VALID, _GREY = "#00664B", "#A33A00", "#555555"

# Inches, on a sheet as wide as A4 and as high as it must be.
_WIDTH, _LEFT, _RIGHT = 8.27, 0.55, 7.72
_LINE, _TABLE_LINE, _ROW = 0.165, 0.2, 0.62
_COLUMNS = (2.85, 3.35, 3.85, 4.85, 5.35, 5.85, 6.35, 6.95, 7.72)  # right ends, in the table

_BINS = 120
_SHOWN = 0.99  # share of a series that the axis has room for

Draw = Callable[[float], None]
Block = tuple[float, Draw]  # how high, and what draws it from a height on
Fact = tuple[str, list[str]]  # its name, and its value in lines


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

    figure = Figure()
    FigureCanvasAgg(figure)
    sheet, panel = figure.add_axes((0, 0, 1, 1)), figure.add_axes((0, 0, 1, 1))
    sheet.axis("off")
    blocks = [
        _title(sheet, report),
        _verdict(sheet, report),
        _distributions(sheet, panel, report),
        _table(sheet, report),
        *_facts(sheet, report),
    ]
    height = sum(high for high, _ in blocks) + _LEFT - _LINE
    figure.set_size_inches(_WIDTH, height)
    sheet.set_xlim(0, _WIDTH)
    sheet.set_ylim(height, 0)
    top = 0.0
    for high, draw in blocks:
        draw(top)
        top += high
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=150)


def _write(sheet: Axes, x: float, y: float, said: str, size: float = 7.5, **how: Any) -> None:
    """Text of a report is a stranger's: no formulas, no control characters."""
    how.setdefault("va", "top")
    sheet.text(x, y, words.printable(said), fontsize=size, parse_math=False, **how)


def _title(sheet: Axes, report: Report) -> Block:
    lines = textwrap.wrap(words.title(report), 72)
    said = f"onwrist bench, {report.date}, {report.seconds:.0f} s, {report.tier}"

    def draw(top: float) -> None:
        for k, line in enumerate(lines):
            _write(sheet, _LEFT, top + 0.45 + 0.22 * k, line, 12, weight="bold")
        _write(sheet, _LEFT, top + 0.47 + 0.22 * len(lines), said, 8, color=_GREY)

    return 0.77 + 0.22 * len(lines), draw


def _verdict(sheet: Axes, report: Report) -> Block:
    from matplotlib.patches import FancyBboxPatch

    valid = report.verdict.valid
    large, colour = ("VALID", _VALID) if valid else ("NOT VALID", _NOT_VALID)
    lines = [
        line
        for reason in report.verdict.reasons
        for line in textwrap.wrap(reason, 78, initial_indent="• ", subsequent_indent="   ")
    ] or ["nothing that is known speaks against these latencies"]
    high = max(0.62, 0.26 + _LINE * len(lines))

    def draw(top: float) -> None:
        shape = "round,pad=0,rounding_size=0.08"
        size = _RIGHT - _LEFT, high
        box = FancyBboxPatch((_LEFT, top), *size, shape, facecolor=colour, edgecolor="none")
        sheet.add_patch(box)
        middle = top + high / 2
        white = {"color": "white", "va": "center_baseline"}
        _write(sheet, _LEFT + 0.18, middle, large, 19, weight="bold", **white)
        for k, line in enumerate(lines):
            y = middle + _LINE * (k - (len(lines) - 1) / 2)
            _write(sheet, _LEFT + 2.05, y, line, 8.5, **white)

    return high + 0.4, draw


def _distributions(sheet: Axes, panel: Axes, report: Report) -> Block:
    """One row for each call: the density of its logarithms, warm and after idle."""
    kinds = list(dict.fromkeys(x.what for x in report.series))
    high = _ROW * len(kinds) + 0.3

    def draw(top: float) -> None:
        left, wide = _LEFT + 1.35, _RIGHT - _LEFT - 1.35
        height = sheet.get_ylim()[0]
        bottom = 1 - (top + high) / height
        panel.set_position((left / _WIDTH, bottom, wide / _WIDTH, high / height))
        _draw_distributions(panel, report, kinds)

    return high + 0.75, draw


def _draw_distributions(panel: Axes, report: Report, kinds: Sequence[What]) -> None:
    unit = words.unit_of(x.p50_us for x in report.series)
    per = 1000.0 if unit == "milliseconds" else 1.0
    samples = {(x.what, x.mode): np.array(x.samples_us) / per for x in report.series}
    low = min(each.min() for each in samples.values()) / 1.15
    high = max(np.quantile(each, _SHOWN) for each in samples.values()) * 1.15
    edges = np.geomspace(low, max(high, 1.3 * low), _BINS)
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
        panel.plot([x.p50_us / per] * 2, [base, base + 0.86], color=colour, linewidth=1.4)
    panel.set_xscale("log")
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylim(-0.05, len(kinds))
    names = [words.label(what) for what in kinds]
    panel.set_yticks([k + 0.3 for k in range(len(kinds))], reversed(names), fontsize=8)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelsize=8)
    _label_decades(panel, edges[0], edges[-1])
    panel.grid(axis="x", which="major", color="#DDDDDD", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    said = f"{unit}; upright lines are p50, the table has the slowest"
    panel.set_xlabel(said, fontsize=8)
    modes = ("warm", f"after {report.plan.every_s:g} s idle")
    for right, mode, colour in zip((0.76, 1.0), modes, _COLOURS.values(), strict=True):
        how: dict[str, Any] = {"transform": panel.transAxes, "ha": "right", "va": "bottom"}
        panel.text(right, 1.02, f"■ {mode}", fontsize=8, color=colour, **how)


def _label_decades(panel: Axes, low: float, high: float) -> None:
    """1, 2 and 5 of each decade; only 1 where there are many, every whole one where few."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = range(1, 10) if high / low < 4 else (1, 2, 5) if high / low < 1e3 else (1,)
    panel.xaxis.set_major_locator(FixedLocator([s * 10.0**d for d in decades for s in steps]))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _table(sheet: Axes, report: Report) -> Block:
    unit = words.unit_of(x.p50_us for x in report.series)

    def draw(top: float) -> None:
        _write(sheet, _LEFT, top, unit, color=_GREY)
        for x, name in zip(_COLUMNS, words.COLUMNS, strict=True):
            _write(sheet, x, top, name, color=_GREY, ha="right")
        sheet.plot([_LEFT, _RIGHT], [top + 0.17] * 2, color="#999999", linewidth=0.6)
        for k, each in enumerate(report.series, start=1):
            y = top + k * _TABLE_LINE + 0.03
            label = f"{words.label(each.what)}, {each.mode}"
            _write(sheet, _LEFT, y, label, color=_COLOURS[each.mode])
            cells = zip(_COLUMNS, words.COLUMNS, words.row(each, unit), strict=True)
            for x, name, cell in cells:
                weight = "bold" if name == "p50" else "normal"
                _write(sheet, x, y, cell, ha="right", weight=weight)

    return _TABLE_LINE * (len(report.series) + 1) + 0.25, draw


def _facts(sheet: Axes, report: Report) -> list[Block]:
    """What and on what: short ones in two columns, the others across the page."""
    short = [(name, textwrap.wrap(x, 44) or ["-"]) for name, x in words.conditions(report)]
    half = sum(len(lines) for _, lines in short) / 2
    count, so_far = 0, 0.0
    while so_far < half:
        so_far += len(short[count][1])
        count += 1
    long = [*words.cold(report), *words.outputs(report), *words.counted(report)]
    long += [("note", note) for note in report.verdict.notes]
    middle = (_LEFT + _RIGHT) / 2 + 0.1
    left, right = _list(sheet, _LEFT, short[:count]), _list(sheet, middle, short[count:])

    def both(top: float) -> None:
        left[1](top)
        right[1](top)

    across = [(name, textwrap.wrap(x, 104) or ["-"]) for name, x in long]
    return [(max(left[0], right[0]) + _LINE / 2, both), _list(sheet, _LEFT, across)]


def _list(sheet: Axes, x: float, facts: Sequence[Fact]) -> Block:
    def draw(top: float) -> None:
        y = top
        for name, lines in facts:
            _write(sheet, x, y, name, color=_GREY)
            for line in lines:
                _write(sheet, x + 0.95, y, line)
                y += _LINE

    return _LINE * sum(len(lines) for _, lines in facts), draw
