"""A bundle and what was fitted of it in, the same bundle with its patterns out.

Golden vectors are made anew, with a window of every listed pattern, and files that changed
are held against each other again. What was measured of the float graph stays: the integers
are the same, and with every scale 1 so is every output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_export.calibrating.fit import Fitted
from onwrist_export.packing.pack import allowed, tolerances
from onwrist_export.packing.trials import Parities
from onwrist_export.quantization.check import (
    AGREEMENT_WINDOWS,
    compare_files,
    conditions,
    sample,
)
from onwrist_export.quantization.parity import Parity
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
    Golden,
    Manifest,
    Pattern,
    Role,
)
from onwrist_runtime.verify import golden_scales, replay

Vectors = dict[str, NDArray[np.generic]]

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


def reissue(
    opened: Bundle,
    prepared: Bundle,
    fitted: Sequence[Fitted],
    windows: Mapping[Role, Windows],
) -> Reissued:
    """The bundle with what was fitted.

    Parameters
    ----------
    prepared : `opened` with graphs that take scales.
    windows : that files which changed are compared on, by role.

    Raises
    ------
    InputError
        No pattern has a task.
    ParityError
        Files that changed break a limit.
    """
    manifest = _with_patterns(prepared.manifest, fitted)
    plain = Bundle(manifest, prepared.members, prepared.hash)
    roles: list[Role] = ["window", "step"]
    changed = tuple(
        role
        for role in roles
        for name in [file_names(role)["tflite"]]
        if opened.members.get(name) != prepared.members.get(name)
    )
    parities = msgspec.json.decode(opened.members[PARITY_FILE], type=dict[str, Parity])
    for role in changed:
        parities[role] = _compared(plain, role, parities[role], windows[role])
        parities[role].require(excludable=False)
    old = safetensors.numpy.load(opened.members[manifest.golden.file])
    vectors = _vectors(plain, old)
    tolerance, loose = _tolerances(manifest, vectors, parities, bool(changed))
    count = len(vectors["values"])
    golden = msgspec.structs.replace(
        manifest.golden, windows=count, tolerance=tolerance, loose=loose
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
                    temperatures={f.task: f.temperature for f in own},
                    minimum_confidence={f.task: f.minimum for f in own},
                )
            )
    if not patterns:
        why = "; ".join(dict.fromkeys(f"{f.task}: {f.reason}" for f in fitted))
        raise InputError(f"nothing could be calibrated on these people: {why}")
    said = Availability(least=manifest.availability.least, patterns=tuple(patterns))
    return msgspec.structs.replace(manifest, availability=said)


def scaled(windows: Windows, manifest: Manifest) -> Windows:
    """The windows with the scales that their live sensors ask for."""
    patterns = Patterns(manifest)
    situations = [patterns.of(observed) for observed in windows.alone().observed]
    scales = {
        name: np.concatenate([situation.scales[name] for situation in situations])
        for name in patterns.scales
    }
    return replace(windows, scales=scales)


def _compared(plain: Bundle, role: Role, before: Parity, windows: Windows) -> Parity:
    """The parity of files that are new, held against each other."""
    names, manifest = file_names(role), plain.manifest
    u8, s8 = (onnx.load_from_string(plain.members[names[kind]]) for kind in ("u8", "s8"))
    # The float graph is gone; of it only the shapes are asked, which s8 shares.
    model = QuantizedModel(role, s8, u8, s8, plain.members[names["tflite"]])
    channels = [channel.name for channel in manifest.channels]
    few = [
        scaled(sample(each, AGREEMENT_WINDOWS), manifest)
        for _, each in conditions(windows, channels, manifest.rate)
    ]
    agreements = tuple(compare_files(model, few))
    return replace(before, files=model.hashes, agreements=agreements, trials=())


def _vectors(plain: Bundle, old: Mapping[str, NDArray[np.generic]]) -> Vectors:
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
    manifest: Manifest, vectors: Vectors, parities: Parities, changed: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """How far engines may be off; where no file changed, what was measured of them before."""
    if changed:
        return tolerances(parities.values(), vectors)
    assert manifest.availability is not None
    before: Golden = manifest.golden
    # A temperature below 1 magnifies the last bits.
    coldest = min(t for p in manifest.availability.patterns for t in p.temperatures.values())
    grown = max(1.0, 1 / coldest)
    tolerance, loose = {}, {}
    for name in manifest.outputs:
        reference = vectors[f"onnx/{name}"]
        off = float(np.abs(vectors[f"tflite/{name}"] - reference).max())
        least, most = allowed(reference, off, off)
        tolerance[name] = max(least, grown * before.tolerance[name])
        loose[name] = max(most, grown * before.loose[name])
    return tolerance, loose
