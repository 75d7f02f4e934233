"""Days with imputed minutes in, one figure out: a row a day, heart rate above steps.

What was observed and what is the model's differ in colour, in lightness (for print in
grey) and in style: a solid dark line and filled bars against a dashed light line on shaded
ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onwrist.days import Day
from onwrist.extras import require
from onwrist.files import written_beside
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel, Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Dark and light of Okabe and Ito's colours: told apart by every eye and in grey.
_OBSERVED, _IMPUTED, _GROUND = "#00456E", "#E69F00", "#ECECEC"
_LEGEND: Mapping[str, Any] = {"fontsize": 8, "frameon": False}
_MOST = 40  # days in one figure
_WIDTH, _SMALL, _LARGE = 11.0, 1.5, 5.0  # inches: the figure, a day of many, a day alone


def save(
    path: Path, name: str, days: Sequence[Day], manifest: Manifest, alone: bool = False
) -> None:
    """Draw the figure into `path` (.png, .pdf or .svg).

    Parameters
    ----------
    name : what was recorded, for the title.
    alone : draw large.

    Raises
    ------
    InputError
        matplotlib is not installed, the bundle imputes nothing, or there are more days
        than a figure can show.
    OSError
        The file cannot be written; nothing half written is left.
    """
    require("matplotlib", "plots", "drawing a figure")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    upper, lower = _channels(manifest)
    if not 0 < len(days) <= _MOST:
        raise InputError(
            f"a figure shows 1 to {_MOST} days, not {len(days)}; choose one with --day"
        )
    height = _LARGE if alone else _SMALL * len(days)
    layout = ConstrainedLayoutEngine(h_pad=0.03, hspace=0.02)
    figure = Figure(figsize=(_WIDTH, height + 1.1), layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2 * len(days), 1, sharex=True, squeeze=False, height_ratios=[2.2, 1] * len(days)
    )
    rows: list[Axes] = list(axes[:, 0])
    hours = np.arange(manifest.samples) / manifest.rate / 3600
    for day, above, below in zip(days, rows[::2], rows[1::2], strict=True):
        _draw(above, below, day, manifest, hours)
        above.set_title(_title(day, upper), loc="left", fontsize=9, pad=3)
        above.set_ylabel(upper.unit, fontsize=8)
        below.set_ylabel(lower.name, fontsize=8)
        for panel in (above, below):
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelsize=7, labelbottom=False)
    _share_scales(rows[::2], rows[1::2], days, manifest)
    rows[-1].set_xlim(0, hours[-1] + 1 / 60)
    rows[-1].set_xticks(np.arange(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
    rows[-1].tick_params(labelbottom=True)
    rows[-1].set_xlabel("local time", fontsize=8)
    figure.suptitle(
        f"{name} through {manifest.name} {manifest.version}: "
        f"{upper.name.replace('_', ' ')} above {lower.name}",
        x=0.01, ha="left", fontsize=11,
    )  # fmt: skip
    figure.legend(handles=_legend(), loc="outside upper right", ncols=4, **_LEGEND)
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=150)


def _channels(manifest: Manifest) -> tuple[Channel, Channel]:
    """The channel that is drawn as a line, and the one below it as bars."""
    tokens = manifest.tokens
    if tokens is None or tokens.interpolated is None:
        raise InputError(f"{manifest.name} imputes nothing; there are no days to draw")
    upper = next(x for x in manifest.channels if x.name == tokens.interpolated)
    sums = [x for x in manifest.channels if x.aggregation == "sum"]
    others = [*sums, *(x for x in manifest.channels if x is not upper), upper]
    return upper, others[0]


def _title(day: Day, upper: Channel) -> str:
    share = day.prediction.coverage[upper.name]
    said = f"{day.date}   {upper.name.replace('_', ' ')} {int(100 * share)} % observed"
    for name, result in day.prediction.tasks.items():
        words = name.replace("_", " ")
        if result.value is not None and result.confidence is not None:
            sure = 100 * result.confidence
            said += f"   {words}: {result.value:.0f} {result.unit} ({sure:.0f} %)"
        elif result.abstained:
            said += f"   {words}: none ({result.reason})"
    return said


def _draw(
    above: Axes, below: Axes, day: Day, manifest: Manifest, hours: NDArray[np.float64]
) -> None:
    imputed = day.prediction.imputed
    if imputed is None:
        above.text(12, 0.5, "nothing was observed", fontsize=8, ha="center", va="center",
                   transform=above.get_xaxis_transform())  # fmt: skip
        return
    names = [channel.name for channel in manifest.channels]
    upper, lower = (names.index(channel.name) for channel in _channels(manifest))
    _draw_line(above, hours, imputed.values[upper], imputed.observed[upper])
    _draw_bars(below, hours, imputed.values[lower], imputed.observed[lower])


def _draw_line(
    panel: Axes,
    hours: NDArray[np.float64],
    values: NDArray[np.float32],
    observed: NDArray[np.bool_],
) -> None:
    _shade(panel, hours, observed)
    # The dashes reach to the observed points beside them, so that no line has a hole.
    near = ~observed
    near[1:] |= ~observed[:-1]
    near[:-1] |= ~observed[1:]
    panel.plot(hours, np.where(near, values, np.nan), **_STYLES["imputed line"])
    panel.plot(hours, np.where(observed, values, np.nan), **_STYLES["observed line"])


def _draw_bars(
    panel: Axes,
    hours: NDArray[np.float64],
    values: NDArray[np.float32],
    observed: NDArray[np.bool_],
) -> None:
    _shade(panel, hours, observed)
    heights = np.maximum(values, 0)
    edges = np.append(hours, 2 * hours[-1] - hours[-2])
    real, model = np.where(observed, heights, 0), np.where(observed, np.nan, heights)
    panel.stairs(real, edges, fill=True, color=_OBSERVED, lw=0)
    panel.plot(hours, model, **_STYLES["imputed line"])


_STYLES: Mapping[str, Mapping[str, Any]] = {
    "observed line": {"color": _OBSERVED, "lw": 1.0, "marker": ".", "ms": 1.2},
    "imputed line": {"color": _IMPUTED, "lw": 1.3, "ls": (0, (2.5, 1.0))},
}


def _shade(panel: Axes, hours: NDArray[np.float64], observed: NDArray[np.bool_]) -> None:
    """Light ground where nothing was observed."""
    edges = np.diff(np.concatenate(([False], ~observed, [False])).astype(np.int8))
    period = hours[1] - hours[0]
    for begin, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        panel.axvspan(begin * period, end * period, color=_GROUND, lw=0, zorder=0)


def _share_scales(
    above: Sequence[Axes], below: Sequence[Axes], days: Sequence[Day], manifest: Manifest
) -> None:
    """One scale for all days, so that their heights can be compared."""
    upper, lower = _channels(manifest)
    names = [channel.name for channel in manifest.channels]
    given = [day.prediction.imputed for day in days if day.prediction.imputed is not None]
    if not given:
        return
    lines = np.concatenate([x.values[names.index(upper.name)] for x in given])
    bars = np.concatenate([x.values[names.index(lower.name)] for x in given])
    margin = 0.05 * float(np.ptp(lines)) + 1
    for panel in above:
        panel.set_ylim(float(lines.min()) - margin, float(lines.max()) + margin)
    for panel in below:
        panel.set_ylim(0, max(1.0, 1.05 * float(bars.max())))


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], label="observed", **_STYLES["observed line"]),
        Line2D([], [], label="imputed by the model", **_STYLES["imputed line"]),
        Patch(facecolor=_GROUND, edgecolor="#BBBBBB", label="not observed"),
    ]
