"""The graphs of a day, one after the other: values and observed in, all outputs out.

Embed makes tokens of the samples, encode takes those that there are, and decode imputes
every grid point. What has been embedded can be given again, so that a stream embeds each
patch once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import (
    AFTER,
    BEFORE,
    CLOCK,
    ENCODED,
    IMPUTED,
    PRESENT,
    SLOTS,
    TOKENS,
    Manifest,
)
from onwrist_runtime.tokens import Cut, nearest

Array = NDArray[np.float32]


class Chain:
    """The engine of a whole day.

    Attributes
    ----------
    name, graph, threads : as of any engine; the files are those of all graphs.
    cut : how a day is cut into tokens.
    """

    def __init__(
        self, manifest: Manifest, embed: Engine, encode: Engine, decode: Engine | None
    ) -> None:
        self._embed, self._encode, self._decode = embed, encode, decode
        self.name, self.threads = embed.name, embed.threads
        graphs = (embed, encode) if decode is None else (embed, encode, decode)
        self.graph = ", ".join(engine.graph for engine in graphs)
        self.cut = Cut.of(manifest)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """All outputs of a window: values and observed (1, C, S) and clock (1, 1) in.

        Raises
        ------
        EngineError
            The engine fails on them.
        """
        values, observed = inputs["values"][0], inputs["observed"][0] > 0
        tokens, present = self.embed(values, observed), self.cut.present(observed)
        clock, impute = int(inputs[CLOCK][0, 0]), self._decode is not None
        return self.answer(tokens, present, values, observed, clock, impute)

    def window(
        self, values: Array, observed: NDArray[np.bool_], clock: int, impute: bool
    ) -> dict[str, Array] | None:
        """The outputs of values and observed (C, S); None where there is no token."""
        present = self.cut.present(observed)
        if not present.any():
            return None
        tokens = self.embed(values, observed)
        return self.answer(tokens, present, values, observed, clock, impute)

    def embed(self, values: Array, observed: NDArray[np.bool_]) -> Array:
        """The tokens (T, width) of values and observed (C, L): of one patch, or of a window."""
        inputs = {"values": values[np.newaxis], "observed": _ones(observed)}
        tokens: Array = self._embed.run(inputs)[TOKENS][0]
        return tokens

    def answer(
        self,
        tokens: Array,
        present: NDArray[np.bool_],
        values: Array,
        observed: NDArray[np.bool_],
        clock: int,
        impute: bool,
    ) -> dict[str, Array]:
        """The outputs of a window whose tokens (N, width) are known.

        Parameters
        ----------
        present : (N,), which tokens there are.
        values, observed : (C, S), values 0 where not observed.
        clock : the patch of the local day that it begins with.
        impute : whether `imputed` is asked for.
        """
        slots = self.cut.slots(present)
        count = int(np.add.reduce(slots >= 0))
        there = slots[:count]
        rows = np.zeros((1, len(slots), self.cut.width), np.float32)
        rows[0, :count] = tokens[there]
        time = np.full((1, 1), clock, np.float32)
        inputs = {TOKENS: rows, SLOTS: slots[np.newaxis].astype(np.float32), CLOCK: time}
        outputs = dict(self._encode.run(inputs))
        encoded = outputs.pop(ENCODED)
        if not impute:
            return outputs
        assert self._decode is not None
        assert self.cut.interpolated is not None
        placed = np.zeros((1, self.cut.sizes[-1], self.cut.width), np.float32)
        placed[0, there] = encoded[0, :count]
        before, after = nearest(observed[self.cut.interpolated])
        outputs[IMPUTED] = self._decode.run(
            {
                ENCODED: placed,
                PRESENT: _ones(present),
                "values": values[np.newaxis],
                "observed": _ones(observed),
                BEFORE: before[np.newaxis],
                AFTER: after[np.newaxis],
                CLOCK: time,
            }
        )[IMPUTED]
        return outputs


def _ones(mask: NDArray[np.bool_]) -> Array:
    return mask[np.newaxis].astype(np.float32)
