"""A bundle and what was fitted of it in, the same bundle with its patterns out.

Golden vectors are made anew, with a window of every listed pattern, and files that changed
are held against each other again. What was measured of the float graph stays: the integers
are the same, and with every scale 1 so is every output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_export.calibrating.fit import Fitted
from onwrist_export.packing.tolerances import allowed
from onwrist_export.packing.trials import Parities
from onwrist_export.quantization.check import compare_files
from onwrist_export.quantization.parity import Agreement, Parity
from onwrist_export.quantization.quantize import QuantizedModel, file_names
from onwrist_export.windows.grids import Windows
from onwrist_runtime import bundle
from onwrist_runtime.availability import Patterns
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import open_engine
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import (
    CARD_FILE,
    PARITY_FILE,
    STATE,
    Availability,
    Manifest,
    Pattern,
    Role,
)
from onwrist_runtime.verify import golden_scales, replay

Vectors = dict[str, NDArray[Any]]

REFERENCE = {"onnx": "onnxruntime", "tflite": "litert"}  # by format, with s8 activations


@dataclass(frozen=True, eq=False)
class Reissued:
    """A bundle that is calibrated, but for its card and its trials.

    Attributes
    ----------
    changed : the graphs whose files are others than before.
    parities : by graph; of those that changed, with their files compared anew.
    """

    manifest: Manifest
    members: Mapping[str, bytes]
    changed: tuple[Role, ...]
    parities: Parities

    def write(self, path: Path, card: str, parities: Parities) -> None:
        """Write the bundle, or nothing."""
        told = msgspec.json.format(msgspec.json.encode(parities), indent=1)
        members = {**self.members, CARD_FILE: card.encode(), PARITY_FILE: told}
        bundle.write(path, self.manifest, members)


def reissue(opened: Bundle, prepared: Bundle, fitted: Sequence[Fitted]) -> Reissued:
    """The bundle with what was fitted.

    Parameters
    ----------
    prepared : `opened` with graphs that take scales.

    Raises
    ------
    InputError
        No pattern has a task.
    ParityError
        Files that changed break a limit.
    """
    manifest = _with_patterns(prepared.manifest, fitted)
    plain = Bundle(manifest, prepared.members, prepared.hash)
    roles: tuple[Role, ...] = ("window", "step")
    changed = tuple(
        role
        for role in roles
        for name in [file_names(role)["tflite"]]
        if opened.members.get(name) != prepared.members.get(name)
    )
    vectors = _vectors(plain, safetensors.numpy.load(opened.members[manifest.golden.file]))
    parities = msgspec.json.decode(opened.members[PARITY_FILE], type=dict[str, Parity])
    for role in changed:
        parities[role] = _compared(plain, role, parities[role], vectors)
        parities[role].require(excludable=False)
    tolerance, loose = _tolerances(opened.manifest, manifest, vectors, parities, changed)
    golden = msgspec.structs.replace(
        manifest.golden, windows=len(vectors["values"]), tolerance=tolerance, loose=loose
    )
    members = dict(prepared.members)
    members[manifest.golden.file] = safetensors.numpy.save(vectors)
    stated = msgspec.structs.replace(manifest, golden=golden, members={})
    return Reissued(stated, members, changed, parities)


def _with_patterns(manifest: Manifest, fitted: Sequence[Fitted]) -> Manifest:
    assert manifest.availability is not None
    patterns = []
    for pattern in manifest.availability.patterns:
        own = [f for f in fitted if f.sensors == pattern.sensors and not f.reason]
        if own:
            patterns.append(
                Pattern(
                    sensors=pattern.sensors,
                    temperatures={
                        f.task: f.temperature for f in own if f.temperature is not None
                    },
                    minimum_confidence={
                        f.task: f.minimum for f in own if f.minimum is not None
                    },
                )
            )
    if not patterns:
        why = "; ".join(dict.fromkeys(f"{f.task}: {f.reason}" for f in fitted))
        raise InputError(f"nothing could be calibrated on these people: {why}")
    said = Availability(least=manifest.availability.least, patterns=tuple(patterns))
    return msgspec.structs.replace(manifest, availability=said)


def _compared(plain: Bundle, role: Role, before: Parity, vectors: Vectors) -> Parity:
    """The parity of new files, on golden inputs; never better than that of before.

    They compute the integers of before, which were compared on more windows.
    """
    names = file_names(role)
    u8, s8 = (onnx.load_from_string(plain.members[names[kind]]) for kind in ("u8", "s8"))
    # The float graph is gone; of it only the shapes are asked, which s8 shares.
    model = QuantizedModel(role, s8, u8, s8, plain.members[names["tflite"]])
    older = {agreement.engine: agreement for agreement in before.agreements}
    agreements = tuple(
        _worse(found, older.get(found.engine, found))
        for found in compare_files(model, _golden(plain.manifest, role, vectors))
    )
    return replace(before, files=model.hashes, agreements=agreements, trials=())


def _worse(first: Agreement, second: Agreement) -> Agreement:
    outputs = first.outputs | second.outputs
    return replace(
        max(first, second, key=lambda agreement: agreement.off),
        equal=min(first.equal, second.equal),
        input_equal=first.input_equal and second.input_equal,
        outputs={n: max(a.outputs.get(n, 0.0) for a in (first, second)) for n in outputs},
    )


def _golden(manifest: Manifest, role: Role, vectors: Vectors) -> list[Windows]:
    """The golden windows; of steps, the stream up to each of them."""
    part = "step/" if role == "step" else ""
    values, observed = vectors[f"{part}values"], vectors[f"{part}observed"] > 0
    count = len(values)
    windows = Windows(
        values,
        observed,
        np.zeros(count),
        np.full(count, "golden"),
        {},
        baseline=vectors.get(f"{part}baseline"),
        scales=golden_scales(manifest, role, observed),
    )
    if role == "window":
        return [windows]
    streams = []
    for k in range(count):
        last = windows.select(np.array([k]))
        so_far = [np.concatenate(x[: k + 1], axis=1)[np.newaxis] for x in (values, observed)]
        streams.append(replace(last, values=so_far[0], observed=so_far[1]))
    return streams


def _vectors(plain: Bundle, old: Mapping[str, NDArray[Any]]) -> Vectors:
    """Golden inputs of before and of patterns that they lack, with the outputs of now."""
    manifest = plain.manifest
    roles: list[Role] = ["window"] if manifest.step is None else ["window", "step"]
    found: Vectors = {}
    for role in roles:
        part = "step/" if role == "step" else ""
        names = [n for n in manifest.inputs(role) if n != STATE and n not in manifest.scales]
        inputs = {name: old[part + name] for name in names}
        if role == "window":
            inputs = _covering(manifest, inputs)
        found |= {part + name: np.ascontiguousarray(value) for name, value in inputs.items()}
        for form in dict.fromkeys(graph.format for graph in manifest.graphs):
            outputs = _outputs(plain, form, role, inputs)
            found |= {f"{form}/{part}{name}": value for name, value in outputs.items()}
    return found


def _covering(manifest: Manifest, inputs: Vectors) -> Vectors:
    """Golden windows with one more of each listed pattern that has none yet."""
    assert manifest.availability is not None
    patterns = Patterns(manifest)
    observed = inputs["observed"] > 0
    there = {s.pattern.sensors for s in map(patterns.of, observed) if s.pattern}
    fullest = np.argsort(-observed.mean(axis=(1, 2)), kind="stable")
    more: list[Vectors] = []
    for k, pattern in enumerate(manifest.availability.patterns):
        if pattern.sensors in there:
            continue
        row = fullest[k % max(len(fullest) // 4, 1)]
        window = {name: value[row : row + 1].copy() for name, value in inputs.items()}
        for sensor in set(manifest.sensors) - set(pattern.sensors):
            for each in ("values", "observed"):
                window[each][:, list(manifest.rows(sensor))] = 0
        more.append(window)
    return {name: np.concatenate([inputs[name], *(w[name] for w in more)]) for name in inputs}


def _outputs(plain: Bundle, form: str, role: Role, inputs: Vectors) -> Vectors:
    """What the reference engine of a format gives."""
    manifest = plain.manifest
    graphs = tuple(g for g in manifest.graphs if (g.format, g.activations) == (form, "s8"))
    signed = Bundle(msgspec.structs.replace(manifest, graphs=graphs), plain.members, plain.hash)
    engine = open_engine(signed, REFERENCE[form], role=role)
    given = {name: value.astype(np.float32) for name, value in inputs.items()}
    given |= golden_scales(manifest, role, inputs["observed"] > 0)
    runs = list(_copied(replay(signed, engine, given), manifest))
    return {name: np.concatenate([run[name] for run in runs]) for name in manifest.outputs}


def _copied(
    runs: Iterator[Mapping[str, NDArray[np.float32]]], manifest: Manifest
) -> Iterator[dict[str, NDArray[np.float32]]]:
    for run in runs:
        yield {name: np.array(run[name], np.float32) for name in manifest.outputs}


def _tolerances(
    before: Manifest,
    manifest: Manifest,
    vectors: Vectors,
    parities: Parities,
    changed: Sequence[Role],
) -> tuple[dict[str, float], dict[str, float]]:
    """How far engines may be off: as far as before, and as the files of now are."""
    agreements = [a for role in changed for a in parities[role].agreements]
    forms = dict.fromkeys(graph.format for graph in manifest.graphs)
    tolerance, loose = {}, {}
    for name in manifest.outputs:
        reference, *others = (vectors[f"{form}/{name}"] for form in forms)
        alike = max((a.outputs[name] for a in agreements if a.rounds_alike), default=0.0)
        otherwise = max((a.outputs[name] for a in agreements), default=0.0)
        alike = max([alike, *(float(np.abs(other - reference).max()) for other in others)])
        least, most = allowed(reference, alike, otherwise)
        # A lower temperature magnifies the last bits of its task.
        grown = max(1.0, _coldest(before, name) / _coldest(manifest, name))
        tolerance[name] = max(least, grown * manifest.golden.tolerance[name])
        loose[name] = max(most, grown * manifest.golden.loose[name])
    return tolerance, loose


def _coldest(manifest: Manifest, output: str) -> float:
    """The lowest temperature of an output in any pattern; 1 where none is."""
    if manifest.availability is None:
        return 1.0
    patterns = manifest.availability.patterns
    return min([1.0, *(pattern.temperatures.get(output, 1.0) for pattern in patterns)])
