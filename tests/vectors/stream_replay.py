"""A case of a stream in; out, what the runtime feeds to its graphs and what it tells.

The runtime is the real one; only the graphs are stand-ins, which every host can make: they
give the case's `outputs` whatever comes in, `next_state` is `state` + 1, and the token of
group g in a patch is (observed grid points of the patch, over all channels; g).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from onwrist_runtime.chain import Chain
from onwrist_runtime.days import Days
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.prediction import ModelIdentity, Prediction
from onwrist_runtime.predictor import Predictor
from onwrist_runtime.rolling import Rolling
from onwrist_runtime.settings import Settings, settings_of
from onwrist_runtime.stream import Stream

Case = dict[str, Any]

TOLERANCE = 1e-6

# What a manifest has besides, which no stream looks at.
REST: Case = {
    "format": 1,
    "name": "vectors",
    "version": "1",
    "description": "",
    "licence": "",
    "embedding": [{"name": "all", "start": 0, "stop": 1, "stride": 1, "receptive_field": 1}],
    "graphs": [],
    "golden": {"file": "golden.safetensors", "windows": 1, "tolerance": {}, "loose": {}},
    "members": {},
}
CHANNEL: Case = {
    "unit": "1",
    "polarity": "",
    "minimum": -1.0,
    "maximum": 1.0,
    "normalization": "window",
}


def manifest_of(record: Case) -> Manifest:
    """The whole manifest of a case's."""
    channels = [CHANNEL | channel for channel in record["channels"]]
    return msgspec.convert(REST | record | {"channels": channels}, Manifest)


class Recorder(Predictor):
    """Keeps what a predictor is given, and what it answers.

    Attributes
    ----------
    due : windows or steps since it was last emptied.
    grid : value of each observed grid point by row and number.
    """

    def __init__(self, case: Case, manifest: Manifest) -> None:
        self.ran: Case | None = None
        self.due: list[Case] = []
        self.grid: dict[tuple[int, int], float] = {}
        self._outputs = {
            name: np.array([numbers], np.float32) for name, numbers in case["outputs"].items()
        }
        self._case, self._of = case, manifest
        engine: Any = SimpleNamespace(run=self._answer, name="", threads=1, graph="")
        super().__init__(manifest, engine, ModelIdentity("vectors", "1", ""))
        self.stream: Any = None

    def roll(self, settings: Settings) -> Rolling | Days:
        """What a stream asks for when it begins."""
        if self._of.tokens is None:
            return Rolling(self._of, settings, self)
        embed: Any = SimpleNamespace(run=self._embed, name="", threads=1, graph="")
        chain = Chain(self._of, embed, self._engine, None)
        return Days(len(self._of.channels), settings, chain, self)

    # The stand-ins

    def _answer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.ran = dict(inputs)
        outputs = dict(self._outputs)
        if "state" in inputs:
            outputs["next_state"] = inputs["state"] + np.float32(1)
        if "tokens" in inputs:
            outputs["encoded"] = inputs["tokens"]
        return outputs

    def _embed(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        assert self._of.tokens is not None
        groups = len(self._of.tokens.groups)
        observed = inputs["observed"][0]
        patches = observed.reshape(len(observed), -1, self._of.tokens.patch)
        counts = patches.sum(axis=(0, 2)).repeat(groups)
        group = np.tile(np.arange(groups), patches.shape[1])
        return {"tokens": np.stack([counts, group], axis=1)[np.newaxis].astype(np.float32)}

    # What is kept

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """One step."""
        outputs = super().run(inputs)
        timeline, rolling = self.stream._timeline, self.stream._rolling
        first = timeline.origin + rolling.done
        self._keep(first, inputs["values"][0], inputs["observed"][0] > 0)
        self.due.append({"first": first, "inputs": _inputs(inputs)})
        return outputs

    def answer(
        self, outputs: Any, situation: Any, start: Any, values: Any, observed: Any
    ) -> Prediction:
        """One window, or what a step gives."""
        prediction = super().answer(outputs, situation, start, values, observed)
        assert prediction.start is not None
        assert prediction.end is not None
        told: Case = {
            "start": prediction.start,
            "end": prediction.end,
            "coverage": list(prediction.coverage.values()),
        }
        if self._of.tasks:
            told["tasks"] = {
                name: {
                    "abstained": result.abstained,
                    "value": result.value,
                    "label": result.label,
                    "reason": result.reason,
                }
                for name, result in prediction.tasks.items()
            }
            told["sensors"] = {
                name: {"coverage": state.coverage, "used": state.used, "reason": state.reason}
                for name, state in prediction.sensors.items()
            }
        if self._case["settings"]["mode"] == "step":
            self.due[-1]["prediction"] = told
            return prediction
        ran, self.ran = self.ran, None
        midnight = self._case["settings"]["midnight"]
        first = round((prediction.start - midnight) * self._of.rate)
        self._keep(first, values, observed)
        given = {"inputs": None} if ran is None else {"inputs": _inputs(ran)}
        self.due.append({"first": first, **given, "prediction": told})
        return prediction

    def _keep(self, first: int, values: Any, observed: Any) -> None:
        for row, point in np.argwhere(observed).tolist():
            value = round(float(values[row, point]), 7)
            assert self.grid.setdefault((row, first + point), value) == value
        assert not values[~observed].any()

    def pieces(self) -> list[Case]:
        """The observed grid points, as stretches without a gap."""
        found: list[Case] = []
        before = None
        for row, point in sorted(self.grid):
            if before != (row, point - 1):
                found.append({"row": row, "first": point, "values": []})
            found[-1]["values"].append(self.grid[row, point])
            before = row, point
        return found


def _inputs(inputs: Mapping[str, Any]) -> Case:
    """What a graph is given besides values, observed and state."""
    kept: Case = {}
    for name, array in inputs.items():
        if name in ("baseline", "state"):
            kept[name] = _told(array[0])
        elif name.endswith("_scale"):
            kept.setdefault("scales", {})[name] = float(array[0, 0])
        elif name in ("tokens", "slots"):
            kept[name] = array[0].astype(int).tolist()
        elif name == "clock":
            kept[name] = int(array[0, 0])
    return kept


def _told(array: Any) -> Any:
    return array.astype(float).round(7).tolist()


def replay(case: Case) -> Case:
    """What the runtime does with a case: its `expected`."""
    manifest, given = manifest_of(case["manifest"]), case["settings"]
    plain = settings_of(manifest, "window", None, given["lateness"], given["rates"])
    settings = Settings(
        given["mode"], given["hop"], plain.lateness, plain.rates, given["midnight"]
    )
    recorder = Recorder(case, manifest)
    stream = recorder.stream = Stream(manifest, settings, recorder.roll, "")
    after: list[Case] = []
    for action in case["actions"]:
        recorder.due = []
        try:
            _act(stream, action)
        except InputError:
            after.append({"refused": True})
        else:
            after.append({"refused": False, "due": recorder.due})
    return {
        "after": after,
        "grid": recorder.pieces(),
        "counters": {
            name: [found.samples, found.late, found.duplicate, found.repaired]
            for name, found in stream.counters.items()
        },
        "staleness": stream.staleness,
        "latency": stream.latency,
        "coverage": list(stream.coverage.values()),
    }


def _act(stream: Stream, action: Case) -> None:
    if action.get("reset"):
        stream.reset()
    elif "at_least_one" in action:
        list(stream.flush(at_least_one=action["at_least_one"]))
    else:
        samples = np.array(action["samples"], np.float64).astype(np.float32)
        axes = len(action["samples"][0]) if samples.ndim > 1 else 0
        shape = (len(action["times"]), axes) if axes else (len(samples),)
        times = np.array(action["times"], np.float64)
        list(stream.push(action["push"], times, samples.reshape(shape)))


def apart(found: Any, stored: Any, where: str = "") -> list[str]:
    """Where two records differ: numbers by more than the tolerance."""
    if isinstance(stored, dict) and isinstance(found, dict) and stored.keys() == found.keys():
        return [x for k in stored for x in apart(found[k], stored[k], f"{where}.{k}")]
    if isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        pairs = enumerate(zip(found, stored, strict=True))
        return [x for k, pair in pairs for x in apart(*pair, f"{where}[{k}]")]
    number = isinstance(stored, float) and isinstance(found, float | int)
    if number and not isinstance(found, bool):
        if abs(found - stored) <= TOLERANCE:
            return []
    elif found == stored:
        return []
    return [f"{where}: {found} is not {stored}"]
