"""Final patches in, predictions on the day up to each hop out; each patch is embedded once.

A window is the last day of the grid. It ends where a hop does, from the first hop on: what
lies before the first sample is simply not observed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.chain import Chain
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.predictor import Predictor
from onwrist_runtime.settings import Settings
from onwrist_runtime.timeline import Timeline

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Days:
    """The last day of the grid, and its tokens.

    Attributes
    ----------
    grid : values and observed (C, S) of the last day.
    done : grid points that were gone through, from the origin on: whole patches.
    coverage, end : of the last prediction; zeros and None before one.
    baseline, state : None, as these graphs take none.
    """

    def __init__(
        self, channels: int, settings: Settings, chain: Chain, predictor: Predictor
    ) -> None:
        self._chain, self._cut, self._predictor = chain, chain.cut, predictor
        self._hop, self._impute = settings.hop, settings.impute
        self._values = np.zeros((channels, self._cut.samples), np.float32)
        self._observed = np.zeros(self._values.shape, np.bool_)
        # None where the patches of a restored grid are to be embedded anew.
        self._tokens: Array | None = np.zeros(
            (self._cut.sizes[-1], self._cut.width), np.float32
        )
        self.done = 0
        self.coverage: tuple[float, ...] = (0.0,) * channels
        self.end: float | None = None
        self.baseline = self.state = None

    @property
    def grid(self) -> tuple[Array, Mask]:
        return self._values, self._observed

    @grid.setter
    def grid(self, window: tuple[Array, Mask]) -> None:
        self._values, self._observed = window
        self._tokens = None

    def is_due(self, timeline: Timeline) -> bool:
        """Whether there is anything to do for `advance`."""
        origin = timeline.origin
        return origin is not None and self.done + self._cut.patch <= timeline.final - origin

    def advance(self, timeline: Timeline) -> Iterator[Prediction]:
        """Go on to the last patch that is final.

        Raises
        ------
        EngineError
            The engine failed; all is as it was after the patch before.
        """
        while self.is_due(timeline):
            assert timeline.origin is not None
            stop = timeline.origin + self.done + self._cut.patch
            prediction = self._take(timeline, stop)
            timeline.forget(stop)
            if prediction is not None:
                yield prediction

    def _take(self, timeline: Timeline, stop: int) -> Prediction | None:
        """Take the patch that ends at grid point `stop`; predict, if a hop ends there."""
        patch = self._cut.patch
        fresh, seen = timeline.resample(stop - patch, patch)
        values = np.concatenate([self._values[:, patch:], fresh], axis=1)
        observed = np.concatenate([self._observed[:, patch:], seen], axis=1)
        tokens = np.concatenate(
            [self._embedded()[len(self._cut.rows) :], self._embed(fresh, seen)]
        )
        prediction = None
        if (self.done + patch) % self._hop == 0:
            prediction = self._predict(timeline, stop, values, observed, tokens)
            self.coverage, self.end = tuple(prediction.coverage.values()), prediction.end
        self._values, self._observed, self._tokens = values, observed, tokens
        self.done += patch
        return prediction

    def _embedded(self) -> Array:
        """The tokens of the last day."""
        if self._tokens is None:
            self._tokens = self._embed(self._values, self._observed)
        return self._tokens

    def _embed(self, values: Array, observed: Mask) -> Array:
        """Tokens of whole patches; of none that there is, no graph is run."""
        present = self._cut.present(observed)
        if not present.any():
            return np.zeros((len(present), self._cut.width), np.float32)
        return self._chain.embed(values, observed)

    def _predict(
        self, timeline: Timeline, stop: int, values: Array, observed: Mask, tokens: Array
    ) -> Prediction:
        assert timeline.minutes is not None
        first = stop - self._cut.samples
        present, outputs = self._cut.present(observed), None
        if present.any():
            clock = first // self._cut.patch % self._cut.patches
            outputs = self._chain.answer(tokens, present, values, observed, clock, self._impute)
        start = timeline.minutes.start(first)
        situation = self._predictor.patterns.of(observed)
        return self._predictor.answer(outputs, situation, start, values, observed)
