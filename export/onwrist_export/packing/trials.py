"""A bundle and the Python of another environment in, what its TFLite files do there out.

The files run in the engine itself, on the golden inputs, against LiteRT here: what a bundle
claims of an engine rests on this, and not on LiteRT with kernels that round as that engine's.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_export.packing.fusion_bundle import outputs
from onwrist_export.quantization import flatbuffer
from onwrist_export.quantization.check import activations, agreement, onnx_run, stage_outputs
from onwrist_export.quantization.day import Days, Run
from onwrist_export.quantization.day_check import recorded_calls
from onwrist_export.quantization.day_engines import EXACT, Calls, Outputs, quantized, run_calls
from onwrist_export.quantization.elsewhere import Elsewhere, version
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.network import ENCODER_INPUT
from onwrist_export.quantization.parity import OFF_ROUNDING_OTHERWISE, Agreement, Parity, Trial
from onwrist_export.quantization.qdq import QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel, file_names, graph_name
from onwrist_export.quantization.stepwise import carried
from onwrist_export.windows.grids import Windows
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import EngineError
from onwrist_runtime.manifest import ENCODED, STATE, Manifest
from onwrist_runtime.verify import golden_scales

Parities = Mapping[str, Parity]  # by the name of a graph


def pack_tried(
    path: Path,
    write: Callable[[Path, Parities], None],
    parities: Parities,
    pythons: Mapping[str, str],
) -> None:
    """Write a bundle that says what its files do in engines of other environments.

    Parameters
    ----------
    write : packs to a path with these parities.
    pythons : of each engine, the Python that has it.
    """
    if pythons:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / path.name
            write(draft, parities)
            opened = bundle.read(draft)
        found = [try_bundle(opened, engine, python) for engine, python in pythons.items()]
        parities = {
            name: replace(parity, trials=tuple(t for trials in found for t in trials[name]))
            for name, parity in parities.items()
        }
    write(path, parities)


def try_bundle(opened: Bundle, engine: str, python: str) -> dict[str, tuple[Trial, ...]]:
    """Each TFLite file in an engine of another environment; alone by size where it must be.

    Raises
    ------
    InputError
        `python` is no Python that has the engine.
    """
    number = version(python, engine)
    calls = golden_calls(opened)
    return {
        name: tuple(_Case(model, opened.manifest, calls[name]).trials(engine, number, python))
        for name, model in models(opened).items()
    }


def models(opened: Bundle) -> dict[str, QuantizedModel]:
    """The graphs of a bundle by name, without the files that no trial needs.

    A graph is called by its role, of a sensor by how its files begin.
    """
    found: dict[str, QuantizedModel] = {}
    for role, sensor in dict.fromkeys((g.role, g.sensor) for g in opened.manifest.graphs):
        names, none = file_names(role, sensor), onnx.ModelProto()
        s8 = onnx.load_from_string(opened.members[names["s8"]])
        name = role if sensor is None else graph_name(role, sensor)
        content = opened.members[names["tflite"]]
        found[name] = QuantizedModel(role, none, none, s8, content, sensor)
    return found


def golden_calls(opened: Bundle) -> dict[str, Calls]:
    """What each graph, by name, is given on the way of the golden windows and steps."""
    manifest = opened.manifest
    golden = safetensors.numpy.load(opened.members[manifest.golden.file])
    found: dict[str, Calls] = {}
    if manifest.fusion is not None:
        graphs = models(opened)
        found = {name: [] for name in graphs}
        runs = {
            name: _recorded(onnx_run(model.s8), found[name]) for name, model in graphs.items()
        }
        count = manifest.golden.windows
        windows = Windows(
            golden["values"], golden["observed"] > 0, np.zeros(count), np.full(count, ""), {}
        )
        outputs(manifest, windows, runs)
        return found
    if manifest.tokens is None:
        for role in ("window",) if manifest.step is None else ("window", "step"):
            part = "step/" if role == "step" else ""
            inputs = {
                name: golden[f"{part}{name}"].astype(np.float32)
                for name in manifest.inputs(role)
                if name != STATE and name not in manifest.scales
            }
            inputs |= golden_scales(manifest, role, inputs["observed"] > 0)
            count = len(inputs["values"])
            found[role] = [
                ({n: x[k : k + 1] for n, x in inputs.items()}, None) for k in range(count)
            ]
        return found
    values = np.where(golden["observed"] > 0, golden["values"], np.float32(np.nan))
    days = Days(values, golden["clock"][:, 0].astype(np.int64))
    graphs = models(opened)
    found = {role: recorded_calls(role, graphs, manifest, days) for role in graphs}
    patch = manifest.tokens.patch
    found["embed"] += [  # as streams give them
        ({n: x[..., start : start + patch] for n, x in inputs.items()}, None)
        for inputs, _ in found["embed"]
        for start in range(0, manifest.samples, patch)
    ]
    return found


def _recorded(run: Run, calls: Calls) -> Run:
    def recorded(inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[Any]]:
        calls.append((inputs, None))
        return run(inputs)

    return recorded


@dataclass(frozen=True, eq=False)
class _Case:
    """One graph and its golden calls.

    Attributes
    ----------
    tensors : the int8 outputs of all layers.
    judged : those that the limit is for: of linear layers all, of an encoder of windows what
        each stage ends with.
    exact : what must be the same in every engine.
    """

    model: QuantizedModel
    manifest: Manifest
    calls: Calls

    @cached_property
    def tensors(self) -> list[str]:
        return quantized(self.model) if self.linear else activations(self.model, QUANTIZED)

    @cached_property
    def judged(self) -> list[str]:
        return self.tensors if self.linear else stage_outputs(self.tensors)

    @property
    def linear(self) -> bool:
        """Whether it is of linear layers, and not of stages."""
        return self.model.role not in ("window", "step", "sense")

    @property
    def exact(self) -> str:
        if not self.linear:
            return ENCODER_INPUT + QUANTIZED
        return self.tensors[0] if self.manifest.tokens is None else EXACT

    def trials(self, engine: str, number: str, python: str) -> Iterator[Trial]:
        whole = self._trial("", self.model.tflite, engine, number, python)
        parts = flatbuffer.sizes(self.model.tflite)
        if whole.claimed or len(parts) == 1:
            yield whole
            return
        reason = f"of {len(parts)} graphs in a file it takes the first alone: {whole.reason}"
        yield replace(whole, reason=reason)
        for size, content in parts.items():
            yield self._trial(size, content, engine, number, python)

    def _trial(self, size: str, content: bytes, engine: str, number: str, python: str) -> Trial:
        said = Trial(
            file=self.model.names["tflite"],
            size=size,
            engine=engine,
            version=number,
            operators=flatbuffer.operators(content),
            flash=len(content),
            claimed=False,
        )
        shapes = flatbuffer.input_shapes(content)
        calls = [
            (inputs, rows)
            for inputs, rows in self.calls
            if not size or all(shapes[name] == x.shape for name, x in inputs.items())
        ]
        exposed = flatbuffer.expose(content, self.tensors)
        try:
            with Elsewhere([python], engine, exposed) as other:
                found = self._outputs(other.run, calls)
            with Elsewhere([python], engine, content) as other:
                taken = {part: getattr(other, part) for part in ("arena", "head", "tail")}
        except EngineError as error:
            return replace(said, reason=str(error))
        ends = f"{said.file} in {engine} {number}", "LiteRT", False
        runs = self._outputs(LiteRT(exposed).run, calls), found
        everywhere = agreement(*ends, self.tensors, *runs, self.exact)
        judged = agreement(*ends, self.judged, *runs, self.exact)
        reason = self._off(everywhere, judged)
        return replace(
            said,
            claimed=not reason,
            reason=reason,
            off=judged.off,
            agreement=everywhere,
            **taken,
        )

    def _outputs(self, run: Run, calls: Calls) -> list[Outputs]:
        names = {*self.tensors, ENCODED} if self.linear else set()
        return run_calls(carried(run, self.model.s8), calls, lambda name: name in names)

    def _off(self, everywhere: Agreement, judged: Agreement) -> str:
        """What is too far off to claim the engine, in words; empty if nothing is."""
        said = []
        if not everywhere.input_equal:
            said.append("its quantized input is not the same")
        if judged.off > OFF_ROUNDING_OTHERWISE:
            said.append(f"{judged.layer} is off by {judged.off}")
        for name, off in everywhere.outputs.items():
            most = self.manifest.golden.loose.get(name, math.inf)
            if not off <= most:  # nor is NaN
                said.append(f"{name} is off by {off:.3g}, more than {most:.3g}")
        return ", ".join(said)
