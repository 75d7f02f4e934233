"""One window on the grid in, its prediction out: what is there, the engine, the decision.

Windows of a caller, of a recording and of a stream all come through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.availability import NOTHING, Patterns, Situation
from onwrist_runtime.chain import Chain
from onwrist_runtime.decision import decide, states
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import EMBEDDING, IMPUTED, Manifest
from onwrist_runtime.plausibility import Plausibility
from onwrist_runtime.prediction import Imputed, ModelIdentity, Prediction
from onwrist_runtime.window import whole

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Outputs = Mapping[str, Array]


class Predictor:
    """An engine, and what makes predictions of its outputs.

    Attributes
    ----------
    patterns : of the bundle.
    """

    def __init__(self, manifest: Manifest, engine: Engine, identity: ModelIdentity) -> None:
        self.patterns = Patterns(manifest)
        self._manifest, self._engine, self._identity = manifest, engine, identity
        self._names = [channel.name for channel in manifest.channels]
        self._seconds = manifest.samples / manifest.rate
        self._whole = whole((len(self._names), manifest.samples))
        self._plausibility = Plausibility.of(manifest) if manifest.plausible else None

    def run(self, inputs: Outputs) -> Outputs:
        """What the engine gives."""
        return self._engine.run(inputs)

    def window(
        self,
        values: Array,
        observed: Mask,
        start: float | None,
        known: Mapping[str, Array],
        impute: bool,
    ) -> Prediction:
        """The prediction of a window of any bundle but one with tokens.

        Parameters
        ----------
        values, observed : (C, N), values 0 where not observed.
        start : of the window; None if unknown.
        known : further inputs of the graph: the baseline, if it takes one.
        impute : whether it is asked for the window without gaps.

        Raises
        ------
        EngineError
            The engine fails.
        """
        left_out = NOTHING
        if self._plausibility is not None:
            left_out = self._plausibility.implausible(values, observed)
        if observed is self._whole and not left_out:
            situation, ones = self.patterns.full, self._ones
        else:
            situation = self.patterns.of(observed, left_out)
            ones = observed[np.newaxis].astype(np.float32)
        outputs: Outputs | None = None
        if isinstance(self._engine, Ensemble):
            if any(situation.live):
                outputs = self._engine.window(
                    values, observed, situation.live, situation.scales, impute
                )
        elif any(situation.coverage):
            rows = np.ascontiguousarray(values[np.newaxis])
            inputs = {"values": rows, "observed": ones, **known, **situation.scales}
            outputs = self._engine.run(inputs)
        return self.answer(outputs, situation, start, values, observed)

    def day(
        self, values: Array, observed: Mask, start: float, midnight: float, impute: bool
    ) -> Prediction:
        """The prediction of a window of a bundle with tokens, as `window`.

        Raises
        ------
        InputError
            It does not begin at a patch, counted from `midnight`.
        EngineError
            The engine fails.
        """
        assert isinstance(self._engine, Chain)
        clock = self._engine.cut.clock(start, midnight)
        outputs = self._engine.window(values, observed, clock, impute)
        return self.answer(outputs, self.patterns.of(observed), start, values, observed)

    def answer(
        self,
        outputs: Outputs | None,
        situation: Situation,
        start: float | None,
        values: Array,
        observed: Mask,
    ) -> Prediction:
        """The prediction of a window (C, N) with these outputs; None where nothing was run."""
        coverage = usable = dict(zip(self._names, situation.coverage, strict=True))
        if situation.left_out:
            # As if what is not believed were not observed.
            rows = [c.sensor not in situation.left_out for c in self._manifest.channels]
            observed = observed & np.array(rows)[:, np.newaxis]
            believed = zip(self._names, rows, strict=True)
            usable = {name: coverage[name] if there else 0.0 for name, there in believed}
        imputed = None
        if outputs is not None and IMPUTED in outputs:
            filled = np.where(observed, values, outputs[IMPUTED][0])
            imputed = Imputed(filled, observed.copy())  # a stream goes on with its own
        return Prediction(
            decide(
                self._manifest, outputs, usable, situation.pattern, bool(situation.left_out)
            ),
            coverage,
            None if outputs is None else outputs[EMBEDDING][0],
            start,
            None if start is None else start + self._seconds,
            self._identity,
            imputed,
            states(self.patterns, situation, outputs),
        )

    @cached_property
    def _ones(self) -> Array:
        return self._whole[np.newaxis].astype(np.float32)
