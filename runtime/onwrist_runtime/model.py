"""A bundle and an engine: arrays, named signals, recordings or streams in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onwrist_runtime import bundle as bundles
from onwrist_runtime import saved
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.chain import Chain
from onwrist_runtime.days import Days
from onwrist_runtime.engines import open_engine, steps
from onwrist_runtime.errors import InputError
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.named import NamedSamples, on_grid
from onwrist_runtime.options import (
    baseline_of,
    each_window,
    impute_of,
    midnight_of,
    start_of,
)
from onwrist_runtime.prediction import ModelIdentity, Prediction
from onwrist_runtime.predictor import Predictor
from onwrist_runtime.rolling import Rolling
from onwrist_runtime.settings import Mode, Settings, hop_samples, settings_of
from onwrist_runtime.signals import Signal, as_times
from onwrist_runtime.stream import Stream
from onwrist_runtime.verify import prove
from onwrist_runtime.window import as_array, as_float32, check


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
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors that the channels are of."""
        return self.manifest.sensors

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of what is predicted; none for a bare encoder."""
        return tuple(task.name for task in self.manifest.tasks)

    def predict(
        self,
        values: ArrayLike | NamedSamples,
        observed: ArrayLike | None = None,
        start: float | None = None,
        baseline: ArrayLike | None = None,
        *,
        midnight: float | None = None,
        impute: bool | None = None,
    ) -> Prediction:
        """Predict on one window.

        Parameters
        ----------
        values : float32 (channels, samples) on the grid, NaN where missing. Or samples at
            native rates by name, `{"ppg": (ppg, 64.0), "acc": (acc, 32.0)}`: a channel
            is (n,), a sensor of several channels is (n, channels); all begin together,
            and what is not named, or not as long as the window, is missing.
        observed : bool (channels, samples), only with values on the grid.
        start : when the window begins, float64 seconds; only given back. Of a day it is
            needed, and the window begins at a patch, counted from midnight.
        baseline : (channels, 2), the wearer's running mean and scale as `Stream.baseline`
            gives them, NaN where unknown; only for a bundle that takes one.
        midnight : any local midnight on the clock of `start`, 0 if None: local time needs
            none. Only for a bundle with tokens.
        impute : whether to give the window without gaps, for a bundle that can; True for
            days and False for other windows if None.

        Raises
        ------
        InputError
            Shapes, types, names, rates or times cannot be used.
        """
        if isinstance(values, Mapping):
            if observed is not None:
                raise InputError("with samples by name, mark what is missing by NaN")
            values, observed = on_grid(self.manifest, values)
        zero = midnight_of(self.manifest, midnight)
        asked = impute_of(self.manifest, impute, True)
        days = self.manifest.tokens is not None
        array, seen = check(values, observed, self.channels, self.window_samples, days)
        known = self._unknown
        if baseline is not None:
            known = {"baseline": baseline_of(self.manifest, baseline)}
        time = start_of(self.manifest, start)
        if days:
            assert time is not None
            return self._predictor.day(array, seen, time, zero, asked)
        return self._predictor.window(array, seen, time, known, asked)

    def predict_batch(
        self,
        values: ArrayLike,
        observed: ArrayLike | None = None,
        starts: ArrayLike | None = None,
        *,
        midnight: float | None = None,
        impute: bool | None = None,
    ) -> list[Prediction]:
        """Predict on several windows.

        Parameters
        ----------
        values : float32 (windows, channels, samples), as in `predict`.
        observed : bool, the same shape.
        starts : float64 (windows,), seconds.
        midnight, impute : as in `predict`.

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
            each_window("observed", seen, len(array)),
            each_window("starts", times, len(array)),
            strict=True,
        )
        return [self.predict(*w, midnight=midnight, impute=impute) for w in windows]

    def predict_recording(
        self,
        signals: Mapping[str, Signal],
        hop: float | None = None,
        *,
        midnight: float | None = None,
        impute: bool | None = None,
    ) -> Iterator[Prediction]:
        """Predict on a recording of any length, one window every hop.

        The windows are those of a stream: the first begins at the first grid point at or
        after the earliest sample, and only whole ones are given. A recording that is
        shorter than one window gives exactly one, whose rest is unobserved.

        Of a bundle with tokens: one for each local day that has a sample, the first and the
        last as well, whose rest is unobserved.

        Parameters
        ----------
        signals : what was recorded, by channel; other names are not used.
        hop : seconds from one window to the next, taken to the nearest grid point; half
            a window if None. Not for days.
        midnight, impute : as in `predict`.

        Raises
        ------
        InputError
            None of the channels was recorded, or an option cannot be used.
        """
        rates = {channel.name: channel.rate for channel in self.manifest.channels}
        if isinstance(signals, Mapping):
            own = {name: s.rate for name, s in signals.items() if isinstance(s, Signal)}
            rates |= {name: rate for name, rate in own.items() if name in rates}
        zero = midnight_of(self.manifest, midnight)
        asked = impute_of(self.manifest, impute, True)
        days = self.manifest.tokens is not None
        if not days:
            samples = hop_samples(self.manifest, "window", hop)
        elif hop is None:
            samples = self.window_samples
        else:
            raise InputError(
                f"{self.name} {self.version} predicts once for each day of a recording; for "
                "a hop push the recording to a stream: stream(hop=...).push_recording(signals)"
            )
        settings = Settings("window", samples, 0.0, tuple(rates.values()), zero, asked)
        stream = Stream(self.manifest, settings, self._roll, self.hash)
        predictions = stream.push_recording(signals)

        def rest() -> Iterator[Prediction]:
            yield from predictions
            yield from stream.flush(at_least_one=True)

        if not days:
            return rest()
        return (day for day in rest() if any(day.coverage.values()))

    def stream(
        self,
        hop: float | None = None,
        lateness: float = 2.0,
        mode: Mode | None = None,
        rates: Mapping[str, float] | None = None,
        midnight: float | None = None,
        impute: bool | None = None,
    ) -> Stream:
        """Begin a stream of samples as they arrive.

        Parameters
        ----------
        hop : seconds from one prediction to the next, taken to the nearest grid point; one
            step, or half a window, if None. Of days: whole patches, one if None; hops are
            counted from midnight, and the first one that ends after the first sample gives
            the first prediction.
        lateness : seconds that a sample may be older than the newest one of all sensors and
            still count. Predictions wait as long.
        mode : "step" for the bundle's step graph, "window" for whole windows; None for steps
            where the bundle has a graph of them that the engine can run.
        rates : nominal native rate in Hz by channel or sensor, where it is not the bundle's.
        midnight : any local midnight on the clock of the samples, as in `predict`; which one
            matters only to hops that do not divide a day. It holds for the whole stream:
            where the clocks change, begin another.
        impute : whether to give windows without gaps; False if None.

        Raises
        ------
        InputError
            An option cannot be used.
        EngineError, BundleError, ParityError
            The step graph cannot be run, or does not give its golden numbers here.
        """
        steppable = steps(self.bundle, self.engine.name)
        if mode is None:
            mode = "step" if steppable else "window"
        if mode not in ("step", "window"):
            raise InputError(f"mode must be 'step', 'window' or None, not {mode!r}")
        if mode == "step" and not steppable:
            raise InputError(
                f"{self.engine.name} has no step graph in {self.name} {self.version}: use "
                "mode='window'"
            )
        zero = midnight_of(self.manifest, midnight)
        asked = impute_of(self.manifest, impute, False)
        settings = settings_of(self.manifest, mode, hop, lateness, rates, zero, asked)
        return Stream(self.manifest, settings, self._roll, self.hash)

    def restore_stream(self, blob: bytes) -> Stream:
        """Go on with a stream from what its `save` gave, in this process or another.

        Raises
        ------
        InputError
            It is not what `save` gave, or of another bundle or another version of onwrist.
        EngineError, BundleError, ParityError
            The stream goes by steps, which cannot be run here.
        """
        record = saved.read(blob, self.bundle)
        return Stream(self.manifest, record.settings, self._roll, self.hash, record)

    def _roll(self, settings: Settings) -> Rolling | Days:
        """What turns the grid of a stream into predictions."""
        if isinstance(self.engine, Chain):
            return Days(len(self.channels), settings, self.engine, self._predictor)
        steps = settings.mode == "step"
        predictor = self._step_predictor if steps else self._predictor
        return Rolling(self.manifest, settings, predictor)

    @cached_property
    def _step_engine(self) -> Engine:
        """The engine with the step graph, proven, for all streams of this model."""
        opened = open_engine(self.bundle, self.engine.name, self.engine.threads, "step")
        prove(self.bundle, opened)
        return opened

    @cached_property
    def _unknown(self) -> dict[str, NDArray[np.float32]]:
        """The baseline where none is known, if the graph takes one."""
        shapes = self.manifest.inputs()
        return {k: np.zeros(shapes[k], np.float32) for k in shapes.keys() & {"baseline"}}

    @cached_property
    def _predictor(self) -> Predictor:
        """What predicts on windows."""
        return self._with(self.engine)

    @cached_property
    def _step_predictor(self) -> Predictor:
        """What predicts on steps, for all streams of this model."""
        return self._with(self._step_engine)

    def _with(self, engine: Engine) -> Predictor:
        identity = ModelIdentity(self.name, self.version, self.hash)
        return Predictor(self.manifest, engine, identity)
