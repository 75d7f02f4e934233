"""Final grid points in, predictions out: whole windows or steps, and the running baseline.

Everything goes on by the next end that is due, of a window or of a step. What has been done
is a function of which grid points are final, however many of them became so at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.baseline import Baseline
from onwrist_runtime.manifest import NEXT_STATE, STATE, Manifest
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.predictor import Predictor
from onwrist_runtime.settings import Settings
from onwrist_runtime.timeline import Timeline

Array = NDArray[np.float32]

AT_ONCE = 4096  # grid points that are resampled at a time


class Rolling:
    """The last window of the grid, and what the graphs remember of the time before it.

    Attributes
    ----------
    done : grid points that were gone through, from the origin on.
    baseline : None if the graphs take none.
    state : of the step graph, float32 (1, S); None in window mode.
    coverage, end : of the last prediction; zeros and None before one.
    """

    def __init__(self, manifest: Manifest, settings: Settings, predictor: Predictor) -> None:
        self._rate, self._samples, self._hop = manifest.rate, manifest.samples, settings.hop
        self._predictor, self._impute = predictor, settings.impute
        channels = len(manifest.channels)
        # The last window lies before this column; grid points after it are yet to be used.
        self._column = manifest.samples
        self._values = np.zeros((channels, manifest.samples), np.float32)
        self._observed = np.zeros((channels, manifest.samples), np.bool_)
        self.done = 0
        self.baseline: Baseline | None = None
        if manifest.baseline is not None:
            seconds, samples = manifest.baseline.seconds, manifest.baseline.samples
            self.baseline = Baseline(channels, manifest.rate, seconds, samples)
        self._step: int | None = None
        self.state: Array | None = None
        if settings.mode == "step" and manifest.step is not None:
            self._step = manifest.step.samples
            self.state = np.zeros((1, manifest.step.state), np.float32)
        self.coverage: tuple[float, ...] = (0.0,) * channels
        self.end: float | None = None

    @property
    def grid(self) -> tuple[Array, NDArray[np.bool_]]:
        """Values and observed (C, samples) of the last window's time."""
        return self._window(self._column)

    @grid.setter
    def grid(self, window: tuple[Array, NDArray[np.bool_]]) -> None:
        self._values, self._observed = window
        self._column = self._samples

    def is_due(self, timeline: Timeline) -> bool:
        """Whether there is anything to do for `advance`."""
        origin = timeline.origin
        return origin is not None and self._due(self.done) <= timeline.final - origin

    def advance(self, timeline: Timeline) -> Iterator[Prediction]:
        """Go on to the last end that is due.

        Raises
        ------
        EngineError
            The engine failed; all is as it was after the prediction before.
        """
        while timeline.origin is not None:
            available = timeline.final - timeline.origin
            stop, due = self.done, self._due(self.done)
            while due <= available and (due <= self.done + AT_ONCE or stop == self.done):
                stop, due = due, self._due(due)
            if stop == self.done:
                return
            new = timeline.resample(timeline.origin + self.done, stop - self.done)
            values, observed = self.grid
            self._values = np.concatenate([values, new[0]], axis=1)
            self._observed = np.concatenate([observed, new[1]], axis=1)
            self._column = self._samples
            while self.done < stop:
                prediction = self._go_on(timeline.origin)
                if prediction is not None:
                    yield prediction
            timeline.forget(timeline.origin + stop)

    def _due(self, done: int) -> int:
        """The end of the next step, or of the next window if that is not far."""
        if self._step is not None:
            return done + self._step
        past = done - self._samples  # the end of the first window
        to_next = -past if past < 0 else self._hop - past % self._hop
        return done + min(to_next, self._samples)

    def _go_on(self, origin: int) -> Prediction | None:
        due = self._due(self.done)
        column = self._column + due - self.done
        past = due - self._samples
        gives = past >= 0 and past % self._hop == 0
        remembered = None if self.baseline is None else self.baseline.state
        inputs = self._update_baseline(due, column)
        prediction = None
        try:
            if self._step is not None:
                prediction = self._take_step(column, inputs, origin + past, gives)
            elif gives:
                prediction = self._predictor.window(
                    *self._window(column), (origin + past) / self._rate, inputs, self._impute
                )
        except BaseException:
            if self.baseline is not None and remembered is not None:
                self.baseline.state = remembered
            raise
        self.done, self._column = due, column
        if prediction is not None:
            self.coverage, self.end = tuple(prediction.coverage.values()), prediction.end
        return prediction

    def _window(self, column: int) -> tuple[Array, NDArray[np.bool_]]:
        """Values and observed (C, samples) of the window that ends before a column."""
        part = slice(column - self._samples, column)
        return self._values[:, part], self._observed[:, part]

    def _take_step(
        self, column: int, inputs: dict[str, Array], first: int, gives: bool
    ) -> Prediction | None:
        """Take the step that ends before a column; predict, if it `gives`."""
        assert self._step is not None
        assert self.state is not None
        values, observed = self._window(column)
        situation = self._predictor.patterns.of(observed)
        inputs["values"] = np.ascontiguousarray(values[np.newaxis, :, -self._step :])
        inputs["observed"] = observed[np.newaxis, :, -self._step :].astype(np.float32)
        inputs[STATE] = self.state
        outputs = self._predictor.run({**inputs, **situation.scales})
        prediction = None
        if gives:
            there = outputs if any(situation.coverage) else None
            start = first / self._rate
            prediction = self._predictor.answer(there, situation, start, values, observed)
        self.state = outputs[NEXT_STATE]
        return prediction

    def _update_baseline(self, due: int, column: int) -> dict[str, Array]:
        """Take the blocks that end up to `due`; the graph's input for it."""
        if self.baseline is None:
            return {}
        block = self.baseline.samples
        for end in range((self.done // block + 1) * block, due + 1, block):
            stop = column - (due - end)
            part = slice(stop - block, stop)
            self.baseline.update(self._values[:, part], self._observed[:, part])
        return {"baseline": self.baseline.input}
