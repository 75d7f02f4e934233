"""A bundle and an engine: arrays, named signals or recordings in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime import bundle as bundles
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.decision import decide
from onwrist_runtime.engines import Engine, open_engine
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import EMBEDDING, Manifest
from onwrist_runtime.prediction import ModelIdentity, Prediction
from onwrist_runtime.resampling import SAME_TIME
from onwrist_runtime.timeline import (
    Signal,
    as_times,
    check_rate,
    check_time,
    cut,
    resample_rows,
)
from onwrist_runtime.verify import prove
from onwrist_runtime.window import Window, as_array, as_float32, check, whole

NamedSamples = Mapping[str, tuple[ArrayLike, float]]


def load(path: str | os.PathLike[str], engine: str | None = None, threads: int = 1) -> Model:
    """Open a bundle, load its graph and prove the engine once on this processor.

    Nothing is written, so the proof holds for this process only.

    Parameters
    ----------
    path : a `.onwrist` file.
    engine : "litert", "onnxruntime" or "tflite-runtime"; None for the first of them that
        is installed and has a graph in the bundle.
    threads : how many threads the engine may use.

    Raises
    ------
    BundleError
        The file is missing, damaged or inconsistent.
    EngineError
        No engine that can run it is installed.
    ParityError
        The engine does not give the bundle's golden numbers here.
    InputError
        There is no engine of that name, or `threads` is not a positive integer.
    """
    bundle = bundles.read(path)
    opened = open_engine(bundle, engine, threads)
    prove(bundle, opened)
    return Model(bundle, opened)


@dataclass(frozen=True, eq=False)
class Model:
    """A model that is ready to predict: an opened bundle, and the engine that runs it."""

    bundle: Bundle
    engine: Engine

    @property
    def manifest(self) -> Manifest:
        """Everything that the bundle states about itself."""
        return self.bundle.manifest

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def hash(self) -> str:
        """SHA-256 of the bundle's manifest, and so of all of it."""
        return self.bundle.hash

    @property
    def rate(self) -> float:
        """Grid points per second."""
        return self.manifest.rate

    @property
    def window_samples(self) -> int:
        """Grid points of a window."""
        return self.manifest.samples

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the rows of a window."""
        return tuple(channel.name for channel in self.manifest.channels)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of what is predicted; none for a bare encoder."""
        return tuple(task.name for task in self.manifest.tasks)

    def predict(
        self,
        values: ArrayLike | NamedSamples,
        observed: ArrayLike | None = None,
        start: float | None = None,
    ) -> Prediction:
        """Predict on one window.

        Parameters
        ----------
        values : float32 (channels, samples) on the grid, NaN where missing. Or samples at
            native rates by name, `{"ppg": (ppg, 64.0), "acc": (acc, 32.0)}`: a channel
            is (n,), a sensor of several channels is (n, channels); all begin together,
            and what is not named, or not as long as the window, is missing.
        observed : bool (channels, samples), only with values on the grid.
        start : when the window begins, float64 seconds; only given back.

        Raises
        ------
        InputError
            Shapes, types, names, rates or times cannot be used.
        """
        if isinstance(values, Mapping):
            if observed is not None:
                raise InputError("with samples by name, mark what is missing by NaN")
            values, observed = self._on_grid(values)
        array, seen = check(values, observed, self.channels, self.window_samples)
        time = None if start is None else check_time(start)
        return self._predict(Window(array, seen, time))

    def predict_batch(
        self,
        values: ArrayLike,
        observed: ArrayLike | None = None,
        starts: ArrayLike | None = None,
    ) -> list[Prediction]:
        """Predict on several windows.

        Parameters
        ----------
        values : float32 (windows, channels, samples), as in `predict`.
        observed : bool, the same shape.
        starts : float64 (windows,), seconds.

        Raises
        ------
        InputError
            As in `predict`.
        """
        array = as_float32(values)
        if array.ndim != 3:
            raise InputError(
                f"values have the shape {array.shape}; a batch is (windows, "
                f"{len(self.channels)}, {self.window_samples})"
            )
        seen = None if observed is None else as_array("observed", observed)
        times = None if starts is None else as_times(starts)
        windows = zip(
            array,
            _each_window("observed", seen, len(array)),
            _each_window("starts", times, len(array)),
            strict=True,
        )
        return [self.predict(*window) for window in windows]

    def predict_recording(
        self, signals: Mapping[str, Signal], hop: float | None = None
    ) -> Iterator[Prediction]:
        """Predict on a recording of any length, one window every hop.

        Parameters
        ----------
        signals : what was recorded, by channel; other names are not used.
        hop : seconds from one window to the next, taken to the nearest grid point; half
            a window if None.

        Raises
        ------
        InputError
            None of the channels was recorded, or the hop is not positive.
        """
        hop_samples = self.window_samples // 2
        if hop is not None:
            if not check_time(hop) > 0:
                raise InputError(f"hop must be a positive number of seconds, not {hop}")
            hop_samples = round(hop * self.rate)
        if not isinstance(signals, Mapping):
            raise InputError(
                f"a recording is its signals by channel, not a {type(signals).__name__}"
            )
        windows = cut(
            signals, self.channels, self.rate, self.window_samples, max(1, hop_samples)
        )
        return map(self._predict, windows)

    def _predict(self, window: Window) -> Prediction:
        samples = self.window_samples
        if window.observed is self._whole:
            seen, coverage = self._all_ones, dict.fromkeys(self.channels, 1.0)
        else:
            seen = window.observed[np.newaxis].astype(np.float32)
            counts = np.add.reduce(seen, axis=2)[0].tolist()
            coverage = {c: n / samples for c, n in zip(self.channels, counts, strict=True)}
        anything = any(coverage.values())
        inputs = {"values": window.values[np.newaxis], "observed": seen}
        outputs = self.engine.run(inputs) if anything else None
        return Prediction(
            decide(self.manifest, outputs, coverage),
            coverage,
            None if outputs is None else outputs[EMBEDDING][0],
            window.start,
            None if window.start is None else window.start + samples / self.rate,
            self._identity,
        )

    @cached_property
    def _identity(self) -> ModelIdentity:
        return ModelIdentity(self.name, self.version, self.hash)

    @cached_property
    def _whole(self) -> NDArray[np.bool_]:
        return whole((len(self.channels), self.window_samples))

    @cached_property
    def _all_ones(self) -> NDArray[np.float32]:
        return self._whole[np.newaxis].astype(np.float32)

    def _on_grid(self, named: NamedSamples) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        shape = len(self.channels), self.window_samples
        values, observed = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        given: set[int] = set()
        for name, samples in named.items():
            rows = self._rows(name)
            if given.intersection(rows):
                raise InputError(f"{name!r} gives channels that are given by another name")
            given.update(rows)
            try:
                array, rate = self._samples(samples, len(rows))
                signals = [Signal.regular(column, rate) for column in array.T]
                axes = np.stack([signal.values for signal in signals])
                values[rows], observed[rows] = resample_rows(
                    signals[0].times, axes, rate, self.rate, 0, shape[1]
                )
            except InputError as error:
                raise InputError(f"{name!r}: {error}") from None
        return values, observed

    def _rows(self, name: str) -> Sequence[int]:
        """The row of a channel, or the rows of a sensor."""
        if name in self.channels:
            return [self.channels.index(name)]
        rows = [k for k, c in enumerate(self.manifest.channels) if c.sensor == name]
        if not rows:
            sensors = dict.fromkeys(c.sensor for c in self.manifest.channels)
            raise InputError(
                f"there is no channel or sensor {name!r}; this model knows the channels "
                f"{', '.join(self.channels)} and the sensors {', '.join(sensors)}"
            )
        return rows

    def _samples(
        self, samples: tuple[ArrayLike, float], count: int
    ) -> tuple[NDArray[np.float32], float]:
        """The samples (n, count) of one sensor, no more than a window, and their rate."""
        if not isinstance(samples, tuple) or len(samples) != 2:
            raise InputError("give it as a pair: (samples, rate in Hz)")
        array, rate = as_float32(samples[0]), check_rate(samples[1])
        if array.ndim == 1 and count == 1:
            array = array[:, np.newaxis]
        if array.ndim != 2 or array.shape[1] != count:
            wanted = "(n,)" if count == 1 else f"(n, {count})"
            raise InputError(f"samples of shape {array.shape}; it must be {wanted}")
        seconds = self.window_samples / self.rate
        if (len(array) - 1) / rate >= seconds - SAME_TIME:
            raise InputError(
                f"{len(array)} samples at {rate:g} Hz are more than one window of "
                f"{seconds:g} s; use predict_recording for longer recordings"
            )
        return array, rate


def _each_window(what: str, given: NDArray[Any] | None, windows: int) -> Iterable[Any]:
    if given is None:
        return repeat(None, windows)
    if given.shape[:1] != (windows,):
        raise InputError(f"{what} has the shape {given.shape}, but there are {windows} windows")
    return given
