"""Windows with data taken away as a device loses it, the same wherever it is done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onwrist_export.config import Config
from onwrist_export.windows.grids import Windows
from onwrist_export.windows.masks import drop_channels, drop_spans

RUNNING, ALONE = "running baseline", "one window"


def first_channel_missing(windows: Windows, share: float, rate: float) -> Windows:
    """The windows with this share of their first channel gone, in spans of 1 to 5 s."""
    rng = np.random.default_rng(round(share * 100))
    kept = np.ones(windows.values.shape, bool)
    kept[:, 0] = spans(rng, np.full(len(windows), share), windows, rate)
    return windows.without(kept)


def spans(
    rng: np.random.Generator, share: NDArray[np.float64], windows: Windows, rate: float
) -> NDArray[np.bool_]:
    """Bool (W, N): each window misses exactly its share in spans, and so does its context."""
    samples = windows.values.shape[-1] - windows.context
    own = drop_spans(rng, share, samples, rate)
    return np.concatenate([drop_spans(rng, share, windows.context, rate), own], axis=1)


def with_missing(windows: Windows, config: Config, seed: int) -> Windows:
    """A copy with channels and spans taken away, as the class heads are trained on.

    Nothing is known of every second absent channel, as if it had never been there.
    """
    rng = np.random.default_rng(seed)
    count, channels, _ = windows.values.shape
    share = rng.uniform(0.0, 0.75, count) * (rng.random(count) < 0.3)
    kept = spans(rng, share, windows, config.window.rate)[:, None]
    present = drop_channels(rng, count, channels, each=0.2, all_but_first=0.05)
    damaged = windows.without(kept & present[..., None])
    if windows.baseline is None:
        return damaged
    known = present | (rng.random(present.shape) < 0.5)
    return replace(damaged, baseline=windows.baseline * known[..., None].astype(np.float32))


def knowing(windows: Windows) -> dict[str, Windows]:
    """The windows by what is known beside them: with their running baseline, and alone."""
    if windows.baseline is None:
        return {ALONE: windows}
    return {RUNNING: windows, ALONE: windows.without_baseline()}
