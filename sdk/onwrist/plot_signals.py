"""The signals of a sensor in, one panel of a figure out: lines, gaps, and what was restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onwrist.recording import Recording
from onwrist_runtime.manifest import Channel, Manifest
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.signals import Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people of every colour vision tell apart.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LEGEND: Mapping[str, Any] = {"fontsize": 7, "framealpha": 0.8, "edgecolor": "none"}
_GAP = "#F0E442"
_NAMED_GAP = 0.08  # share of the recording from which a gap has room for words
POINTS = 2000  # a line is thinned to twice as many, its smallest and largest in each part


def draw_sensor(
    panel: Axes, sensor: str, channels: Sequence[Channel], recording: Recording
) -> None:
    panel.set_ylabel(f"{sensor}\n({channels[0].unit})", fontsize=9)
    for number, channel in enumerate(channels):
        signal = recording.signals.get(channel.name)
        if signal is None:
            continue
        times, values = thinned(signal)
        name = channel.name.removeprefix(f"{sensor}_")
        colour = LINES[number % len(LINES)]
        label = name if len(channels) > 1 else None
        panel.plot(times - recording.start, values, color=colour, lw=0.8, label=label)
    # Channels of a sensor arrive together, so the first one speaks for all.
    gaps = gaps_of(recording.signals.get(channels[0].name), recording.start, recording.end)
    for begin, end in gaps:
        panel.axvspan(
            begin - recording.start, end - recording.start, color=_GAP, alpha=0.35, lw=0
        )
    begin, end = max(gaps, key=lambda gap: gap[1] - gap[0], default=(0.0, 0.0))
    if end - begin > _NAMED_GAP * (recording.end - recording.start):
        panel.text(
            (begin + end) / 2 - recording.start, 0.1, "no data", fontsize=8, color="#555555",
            ha="center", va="center", transform=panel.get_xaxis_transform(), clip_on=True,
        )  # fmt: skip


def draw_restored(
    panel: Axes,
    channels: Sequence[Channel],
    predictions: Sequence[Prediction],
    manifest: Manifest,
    origin: float,
) -> None:
    """Dashed, where nothing was observed, what the model believes that there was."""
    names = [channel.name for channel in manifest.channels]
    drawn, label = -np.inf, "restored by the model"
    for prediction in predictions:
        if prediction.imputed is None or prediction.start is None:
            continue
        begin = prediction.start - origin
        times = begin + np.arange(manifest.samples) / manifest.rate
        for number, channel in enumerate(channels):
            row = names.index(channel.name)
            shown = ~prediction.imputed.observed[row] & (times > drawn)
            if shown.any():
                values = np.where(shown, prediction.imputed.values[row], np.nan)
                colour = LINES[number % len(LINES)]
                panel.plot(times, values, color=colour, lw=1, ls=(0, (3, 2)), label=label)
                label = "_"  # one entry for all
        drawn = float(times[-1])  # windows overlap


def gaps_of(signal: Signal | None, start: float, end: float) -> list[tuple[float, float]]:
    """Where the channel is further than one sampling period from any sample."""
    if signal is None:
        return [(start, end)]
    times = signal.times[~np.isnan(signal.values)]
    if not len(times):
        return [(start, end)]
    period = 1 / signal.rate
    edges = np.concatenate(([start - period], times, [end + period]))
    holes = np.flatnonzero(np.diff(edges) > 2.001 * period)
    return [(float(edges[k] + period), float(edges[k + 1] - period)) for k in holes]


def thinned(signal: Signal) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The line of a signal, broken at gaps, thinned to what a figure can show."""
    times, values = signal.times, signal.values
    part = -(-len(times) // POINTS)
    if part > 2:
        parts = np.pad(values, (0, -len(values) % part), mode="edge").reshape(-1, part)
        missing = np.isnan(parts)
        lowest = np.where(missing, np.inf, parts).argmin(axis=1)
        highest = np.where(missing, -np.inf, parts).argmax(axis=1)
        first = np.arange(0, parts.size, part)
        picked = np.stack([first + lowest, first + highest]).T
        picked = np.minimum(np.sort(picked, axis=1).ravel(), len(values) - 1)
        times, values = times[picked], values[picked]
    else:
        part = 1
    breaks = np.flatnonzero(np.diff(times) > 2.001 * part / signal.rate) + 1
    return np.insert(times, breaks, times[breaks]), np.insert(values, breaks, np.nan)
