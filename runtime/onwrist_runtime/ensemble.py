"""The graphs of sensors that are fused: values and observed in, all outputs out.

The encoder of a sensor runs only where the sensor is live; one more graph answers from what
the encoders gave, and another restores the signals of all sensors if it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.availability import Patterns
from onwrist_runtime.errors import EngineError
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import IMPUTED, LIVE, SENSED, Manifest

Array = NDArray[np.float32]


class Ensemble:
    """The engine of a window of several sensors.

    Attributes
    ----------
    name, graph, threads : as of any engine; the files are those of all graphs.
    """

    def __init__(
        self, manifest: Manifest, senses: Sequence[Engine], fuse: Engine, decode: Engine | None
    ) -> None:
        assert manifest.fusion is not None
        self._senses, self._fuse, self._decode = tuple(senses), fuse, decode
        self.name, self.threads = fuse.name, fuse.threads
        graphs = (*senses, fuse) if decode is None else (*senses, fuse, decode)
        self.graph = ", ".join(engine.graph for engine in graphs)
        self._patterns = Patterns(manifest)
        self._rows = [list(manifest.rows(sensor)) for sensor in manifest.sensors]
        tokens, self._width = manifest.fusion.tokens, manifest.fusion.width
        self._slots = [slice(k * tokens, (k + 1) * tokens) for k in range(len(self._rows))]

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """All outputs of a window: values and observed (1, C, N) and the scales in.

        Raises
        ------
        EngineError
            The engine fails on them, or no sensor is live.
        """
        values, observed = inputs["values"][0], inputs["observed"][0] > 0
        live = self._patterns.of(observed).live
        if not any(live):
            raise EngineError("no sensor is live, so that there is nothing to run")
        scales = {name: inputs[name] for name in self._patterns.scales}
        return self.window(values, observed, live, scales, self._decode is not None)

    def window(
        self,
        values: Array,
        observed: NDArray[np.bool_],
        live: Sequence[bool],
        scales: Mapping[str, Array],
        impute: bool,
    ) -> dict[str, Array]:
        """The outputs of values and observed (C, N), some sensor of which is live.

        Parameters
        ----------
        live : of each sensor, whether its encoder runs.
        scales : further inputs of the graph that fuses.
        impute : whether `imputed` is asked for.
        """
        sensed = np.zeros((1, self._slots[-1].stop, self._width), np.float32)
        for sense, rows, slots, there in zip(
            self._senses, self._rows, self._slots, live, strict=True
        ):
            if there:
                given = {"values": values[rows][np.newaxis], "observed": _ones(observed[rows])}
                sensed[:, slots] = sense.run(given)[SENSED]
        inputs = {SENSED: sensed, LIVE: np.array([live], np.float32)}
        outputs = dict(self._fuse.run({**inputs, **scales}))
        if impute:
            assert self._decode is not None
            outputs[IMPUTED] = self._decode.run(inputs)[IMPUTED]
        return outputs


def _ones(mask: NDArray[np.bool_]) -> Array:
    return mask[np.newaxis].astype(np.float32)
