"""Windows with data taken away as a device loses it, the same wherever it is done."""

from __future__ import annotations

import numpy as np

from onwrist_export.config import Config
from onwrist_export.windows.grids import Windows
from onwrist_export.windows.masks import drop_channels, drop_spans


def first_channel_missing(windows: Windows, share: float, rate: float) -> Windows:
    """The windows with this share of their first channel gone, in spans of 1 to 5 s."""
    count, channels, samples = windows.values.shape
    rng = np.random.default_rng(round(share * 100))
    kept = np.ones((count, channels, samples), bool)
    kept[:, 0] = drop_spans(rng, np.full(count, share), samples, rate)
    return windows.without(kept)


def with_missing(windows: Windows, config: Config, seed: int) -> Windows:
    """A copy with channels and spans taken away, as the class heads are trained on."""
    rng = np.random.default_rng(seed)
    count, channels, samples = windows.values.shape
    share = rng.uniform(0.0, 0.75, count) * (rng.random(count) < 0.3)
    kept = drop_spans(rng, share, samples, config.window.rate)[:, None]
    present = drop_channels(rng, count, channels, each=0.2, all_but_first=0.05)
    return windows.without(kept & present[..., None])
