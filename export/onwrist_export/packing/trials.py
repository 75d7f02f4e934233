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

import numpy as np
import onnx
import safetensors.numpy

from onwrist_export.quantization import flatbuffer
from onwrist_export.quantization.check import activations, agreement, stage_outputs
from onwrist_export.quantization.day import Days, Run
from onwrist_export.quantization.day_check import recorded_calls
from onwrist_export.quantization.day_engines import EXACT, Calls, Outputs, quantized, run_calls
from onwrist_export.quantization.elsewhere import Elsewhere, version
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.network import ENCODER_INPUT
from onwrist_export.quantization.parity import OFF_ROUNDING_OTHERWISE, Agreement, Parity, Trial
from onwrist_export.quantization.qdq import QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel, file_names
from onwrist_export.quantization.stepwise import carried
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import EngineError
from onwrist_runtime.manifest import ENCODED, STATE, Manifest, Role
from onwrist_runtime.verify import golden_scales

Parities = Mapping[Role, Parity]


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
            role: replace(parity, trials=tuple(t for trials in found for t in trials[role]))
            for role, parity in parities.items()
        }
    write(path, parities)


def try_bundle(opened: Bundle, engine: str, python: str) -> dict[Role, tuple[Trial, ...]]:
    """Each TFLite file in an engine of another environment; alone by size where it must be.

    Raises
    ------
    InputError
        `python` is no Python that has the engine.
    """
    number = version(python, engine)
    calls = golden_calls(opened)
    return {
        role: tuple(
            _Case(role, model, opened.manifest, calls[role]).trials(engine, number, python)
        )
        for role, model in models(opened).items()
    }


def models(opened: Bundle) -> dict[Role, QuantizedModel]:
    """The graphs of a bundle, without the files that no trial needs."""
    found: dict[Role, QuantizedModel] = {}
    for role in dict.fromkeys(graph.role for graph in opened.manifest.graphs):
        names, none = file_names(role), onnx.ModelProto()
        s8 = onnx.load_from_string(opened.members[names["s8"]])
        found[role] = QuantizedModel(role, none, none, s8, opened.members[names["tflite"]])
    return found


def golden_calls(opened: Bundle) -> dict[Role, Calls]:
    """What each graph is given on the way of the golden windows and steps."""
    manifest = opened.manifest
    golden = safetensors.numpy.load(opened.members[manifest.golden.file])
    found: dict[Role, Calls] = {}
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


@dataclass(frozen=True, eq=False)
class _Case:
    """One graph and its golden calls.

    Attributes
    ----------
    tensors : the int8 outputs of all layers.
    judged : those that the limit is for: of a day all, else what each stage ends with.
    """

    role: Role
    model: QuantizedModel
    manifest: Manifest
    calls: Calls

    @cached_property
    def tensors(self) -> list[str]:
        day = self.manifest.tokens is not None
        return quantized(self.model) if day else activations(self.model, QUANTIZED)

    @cached_property
    def judged(self) -> list[str]:
        day = self.manifest.tokens is not None
        return self.tensors if day else stage_outputs(self.tensors)

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
            file=file_names(self.role)["tflite"],
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
        exact = ENCODER_INPUT + QUANTIZED if self.manifest.tokens is None else EXACT
        everywhere = agreement(*ends, self.tensors, *runs, exact)
        reason = self._off(everywhere, judged := agreement(*ends, self.judged, *runs, exact))
        return replace(
            said,
            claimed=not reason,
            reason=reason,
            off=judged.off,
            agreement=everywhere,
            **taken,
        )

    def _outputs(self, run: Run, calls: Calls) -> list[Outputs]:
        names = {*self.tensors, ENCODED} if self.manifest.tokens is not None else set()
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
