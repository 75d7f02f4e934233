"""Features of motion and what is usual in; out, how much better another arrangement is.

A likelihood only compares: that of the features as they came with that of the same features
with axes swapped or signs flipped, or with two sensors exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest_plausible import AXES, FEATURES, Usual

Floats = NDArray[np.float32]

_ALL = [
    (order, sign)
    for order in permutations(range(AXES))
    for sign in product((1, -1), repeat=AXES)
]
ARRANGEMENTS = tuple(found for found in _ALL if found != ((0, 1, 2), (1, 1, 1)))
_ORDER = np.array(
    [[axis + AXES * part for part in range(3) for axis in order] for order, _ in ARRANGEMENTS]
)
_SIGN = np.array([[*sign, *[1] * (FEATURES - AXES)] for _, sign in ARRANGEMENTS], np.float32)


class Likelihood:
    """The Gaussians of S sensors.

    Parameters
    ----------
    usual : one for each sensor.
    """

    def __init__(self, usual: Sequence[Usual]) -> None:
        self._means = np.array([one.mean for one in usual], np.float32)
        self._whitening = np.zeros((len(usual), FEATURES, FEATURES), np.float32)
        self._whitening[:, *np.tril_indices(FEATURES)] = [one.whitening for one in usual]
        diagonal = np.diagonal(self._whitening, axis1=1, axis2=2)
        self._constant = np.log(diagonal).sum(axis=1)

    def of(self, features: Floats) -> Floats:
        """Log-likelihood, less what all Gaussians share: (S, B) of B windows by S sensors.

        Parameters
        ----------
        features : (B, 9), or (S, B, 9) where each sensor has its own.
        """
        centred = features - self._means[:, None]
        white = centred @ self._whitening.transpose(0, 2, 1)
        likely: Floats = self._constant[:, None] - 0.5 * np.einsum("sbf,sbf->sb", white, white)
        return likely

    def turned(self, features: Floats) -> Floats:
        """By how much each arrangement of its axes explains a sensor better: (S, 47).

        Parameters
        ----------
        features : (S, 9), of each sensor.
        """
        found: Floats = self.of(arranged(features)) - self.of(features[:, None])
        return found

    def exchanged(self, features: Floats) -> Floats:
        """By how much it is a better explanation that two sensors are exchanged: (S, S)."""
        crossed = self.of(features)
        own = np.diagonal(crossed)
        found: Floats = crossed + crossed.T - own[:, None] - own[None]
        return found


def arranged(features: Floats) -> Floats:
    """Features (B, 9) as they would be in every other arrangement: (B, 47, 9)."""
    found: Floats = features[:, _ORDER] * _SIGN
    return found


def in_words(arrangement: int) -> str:
    """Which axes stand where x, y and z should, such as "-x, z, y"."""
    order, sign = ARRANGEMENTS[arrangement]
    return ", ".join("-" * (sign[i] < 0) + "xyz"[order[i]] for i in range(AXES))
