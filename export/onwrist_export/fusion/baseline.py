"""What a sceptic would try first: boosted trees on statistics of every channel.

The trees split on what is missing as on any number, and are taught with sensors dropped.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from onwrist_export.fusion import cases
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.windows.grids import Windows

EVERY = 6  # windows of training, of which neighbours are nearly the same
COPIES = 2  # of each, with the sensors that are there and with some dropped
ROUNDS = 60


def statistics(windows: Windows, config: FusionConfig) -> NDArray[np.float64]:
    """Mean, deviation, extremes, jerk of channels and of magnitudes: (W, features).

    NaN where a sensor is not there.
    """
    x = np.where(windows.observed, windows.values, np.nan).astype(np.float64)
    gone = ~cases.live(windows, config)
    magnitudes = []
    for k, (sensor, rows) in enumerate(zip(config.sensors, config.rows, strict=True)):
        x[gone[:, k], rows] = np.nan
        if sensor.inertial is not None:
            triples = x[:, rows].reshape(len(x), 2, 3, -1)
            magnitudes.append(np.sqrt((triples**2).sum(axis=2)))
    x = np.concatenate([x, *magnitudes], axis=1)
    with warnings.catch_warnings():  # a channel without one sample is NaN, as it should be
        warnings.simplefilter("ignore", RuntimeWarning)
        found = [
            np.nanmean(x, 2),
            np.nanstd(x, 2),
            np.nanmin(x, 2),
            np.nanmax(x, 2),
            np.nanmedian(x, 2),
            np.nanstd(np.diff(x, axis=2), 2),
        ]
    return np.concatenate(found, axis=1)


class Trees:
    """Boosted trees for every task, from windows with and without some of their sensors."""

    def __init__(self, learned: Windows, config: FusionConfig) -> None:
        self.config = config
        rng = np.random.default_rng(config.seed)
        windows = learned.select(np.arange(0, len(learned), EVERY))
        features, targets = [], []
        for copy in range(COPIES):
            which = np.ones((len(windows), len(config.sensors)), bool)
            if copy:
                which = rng.random(which.shape) < rng.random((len(windows), 1))
            features.append(statistics(cases.given(windows, which, config), config))
            targets.append(cases.targets(windows, config))
        truth = np.concatenate(targets)
        self.trees = [
            HistGradientBoostingClassifier(max_iter=ROUNDS, random_state=config.seed).fit(
                np.concatenate(features), truth[:, k]
            )
            for k in range(len(config.classes))
        ]

    def ask(self, windows: Windows) -> NDArray[np.float32]:
        """Logarithms of the probabilities of all labels (W, L)."""
        x, parts = statistics(windows, self.config), []
        for task, trees in zip(self.config.classes, self.trees, strict=True):
            given = np.full((len(x), len(task.labels)), 1e-6)
            given[:, trees.classes_] += trees.predict_proba(x)
            parts.append(np.log(given / given.sum(axis=1, keepdims=True)))
        return np.concatenate(parts, axis=1).astype(np.float32)
