"""Proof that an engine gives a bundle's numbers on this processor.

The bundle's golden windows go through the engine; its outputs are held against those
of the reference engine that the bundle was packed with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import ENGINES, Engine
from onwrist_runtime.errors import BundleError, ParityError
from onwrist_runtime.manifest import Manifest

# A proof is remembered for as long as the process lives; nothing is written to disk.
_proven: set[tuple[str, str, str]] = set()


@dataclass(frozen=True, slots=True)
class Report:
    """How far one engine is from the golden vectors.

    Attributes
    ----------
    engine, graph : which engine ran which file.
    windows : how many golden windows it ran.
    differences : largest absolute difference from the golden vectors, by output.
    tolerances : the most that the manifest allows, by output.
    """

    engine: str
    graph: str
    windows: int
    differences: Mapping[str, float]
    tolerances: Mapping[str, float]

    @property
    def passed(self) -> bool:
        # A difference that is NaN does not pass.
        return all(self.differences[o] <= most for o, most in self.tolerances.items())


def verify(bundle: Bundle, engine: Engine) -> Report:
    """Replay the golden vectors of a bundle.

    Raises
    ------
    BundleError
        The golden vectors are not what the manifest describes.
    """
    manifest = bundle.manifest
    golden = _golden(bundle, ENGINES[engine.name][1])
    differences = dict.fromkeys(manifest.outputs, 0.0)
    for window in range(manifest.golden.windows):
        observed = golden["observed"][window : window + 1].astype(np.float32)
        outputs = engine.run(golden["values"][window : window + 1], observed)
        for name in differences:
            off = np.abs(outputs[name].astype(np.float64) - golden[name][window]).max()
            differences[name] = float(np.maximum(differences[name], off))
    rounds_otherwise = engine.name == "tflite-runtime"
    tolerances = manifest.golden.loose if rounds_otherwise else manifest.golden.tolerance
    return Report(engine.name, engine.graph, manifest.golden.windows, differences, tolerances)


def prove(bundle: Bundle, engine: Engine) -> None:
    """Verify once in a process for each bundle, engine and graph.

    Raises
    ------
    ParityError
        The engine does not give the bundle's numbers on this processor.
    BundleError
        The golden vectors are not what the manifest describes.
    """
    claim = (bundle.hash, engine.name, engine.graph)
    if claim in _proven:
        return
    report = verify(bundle, engine)
    if not report.passed:
        off = ", ".join(
            f"{name} by {report.differences[name]:.3g} (at most {most:.3g})"
            for name, most in report.tolerances.items()
            if not report.differences[name] <= most
        )
        raise ParityError(
            f"{engine.name} with {engine.graph} is off the golden vectors of "
            f"{bundle.manifest.name} {bundle.manifest.version} on this processor: {off}; "
            "try another engine, and report this"
        )
    _proven.add(claim)


def _golden(bundle: Bundle, graph_format: str) -> dict[str, NDArray[np.float32]]:
    """`values`, `observed` and each output by its plain name, as one format gave it."""
    manifest = bundle.manifest
    file = manifest.golden.file
    try:
        tensors = safetensors.numpy.load(bundle.members[file])
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    golden = {}
    for name, key, dtype, shape in _expected(manifest, graph_format):
        tensor = tensors.get(key)
        if tensor is None:
            raise BundleError(f"{file} has no tensor {key!r}")
        if tensor.dtype != dtype or tensor.shape != shape:
            raise BundleError(
                f"{file}: {key!r} is {tensor.dtype} {tensor.shape}, not {dtype} {shape}"
            )
        golden[name] = tensor
    if not np.isfinite(golden["values"]).all():
        raise BundleError(f"{file}: 'values' are not all finite")
    return golden


def _expected(
    manifest: Manifest, graph_format: str
) -> list[tuple[str, str, str, tuple[int, ...]]]:
    windows = manifest.golden.windows
    shape = (windows, len(manifest.channels), manifest.samples)
    expected: list[tuple[str, str, str, tuple[int, ...]]] = [
        ("values", "values", "float32", shape),
        ("observed", "observed", "uint8", shape),
    ]
    for name, (_, size) in manifest.outputs.items():
        expected.append((name, f"{graph_format}/{name}", "float32", (windows, size)))
    return expected
