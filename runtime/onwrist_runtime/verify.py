"""Proof that an engine gives a bundle's numbers on this processor.

The bundle's golden windows, or the golden steps of one stream, go through the engine; its
outputs are held against those of the reference engine that the bundle was packed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_runtime.availability import Patterns, Situation
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.chain import Chain
from onwrist_runtime.engines import ENGINES
from onwrist_runtime.errors import BundleError, ParityError
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import NEXT_STATE, STATE, TOKENS, Manifest, Role

# A proof is remembered for as long as the process lives; nothing is written to disk.
_proven: set[tuple[str, str, str]] = set()


@dataclass(frozen=True, slots=True)
class Report:
    """How far one engine is from the golden vectors.

    Attributes
    ----------
    engine, graph : which engine ran which file.
    windows : how many golden windows, or steps, it ran.
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
    """Replay the golden windows of a bundle, or its golden steps for a step graph.

    The windows of a bundle with tokens go through all of its graphs; besides, the tokens of
    each patch on its own, as in a stream, must be those of the whole day to the bit.

    Raises
    ------
    BundleError
        The golden vectors are not what the manifest describes.
    """
    manifest = bundle.manifest
    golden = golden_vectors(bundle, engine)
    differences = dict.fromkeys(manifest.outputs, 0.0)
    for window, outputs in enumerate(replay(bundle, engine, golden)):
        for name in differences:
            off = np.abs(outputs[name].astype(np.float64) - golden[name][window]).max()
            differences[name] = float(np.maximum(differences[name], off))
    rounds_otherwise = engine.name == "tflite-runtime"
    tolerances = dict(manifest.golden.loose if rounds_otherwise else manifest.golden.tolerance)
    if isinstance(engine, Chain):
        tolerances[TOKENS] = 0.0
        days = zip(golden["values"], golden["observed"] > 0, strict=True)
        differences[TOKENS] = float(np.max([_patches_off(engine, *day) for day in days]))
    return Report(engine.name, engine.graph, len(golden["values"]), differences, tolerances)


def golden_vectors(bundle: Bundle, engine: Engine) -> dict[str, NDArray[np.float32]]:
    """Inputs, but for the state, and expected outputs of an engine, (n, ...) by plain name.

    What an engine is told of the sensors that are live is that of each window, or of the
    window that ends with each step.

    Raises
    ------
    BundleError
        They are not what the manifest describes.
    """
    role = role_of(bundle.manifest, engine)
    golden = _golden(bundle, ENGINES[engine.name][1], role)
    if bundle.manifest.availability is not None:
        golden |= golden_scales(bundle.manifest, role, golden["observed"] > 0)
    return golden


def golden_scales(
    manifest: Manifest, role: Role, observed: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """The scales (n, 1) of each golden window, or of the window that ends with each step.

    Empty for a bundle without `availability`.
    """
    patterns = Patterns(manifest)
    situations = [patterns.of(window) for window in _windows(manifest, role, observed)]
    if manifest.fusion is not None:
        _check_situations(manifest, situations)
    return {
        name: np.concatenate([situation.scales[name] for situation in situations])
        for name in patterns.scales
    }


def _windows(
    manifest: Manifest, role: Role, observed: NDArray[np.bool_]
) -> Iterator[NDArray[np.bool_]]:
    """What is observed of each window, or of the one that ends with each step (C, N)."""
    if role != "step":
        yield from observed
        return
    window = np.zeros((len(manifest.channels), manifest.samples), np.bool_)
    for step in observed:
        window = np.concatenate([window, step], axis=1)[:, step.shape[1] :]
        yield window


def _check_situations(manifest: Manifest, situations: Sequence[Situation]) -> None:
    """Where sensors are fused, each pattern is proven, and nothing that cannot be run."""
    assert manifest.availability is not None
    patterns = manifest.availability.patterns
    file, live = manifest.golden.file, {s.pattern.sensors for s in situations if s.pattern}
    if () in live:
        raise BundleError(f"{file} has a window in which no sensor is live")
    for pattern in patterns:
        if pattern.sensors not in live:
            raise BundleError(
                f"{file} has no window in which just {', '.join(pattern.sensors)} are live"
            )


def role_of(manifest: Manifest, engine: Engine) -> Role:
    """What an engine takes; one that runs several graphs runs all those of a window."""
    return next((g.role for g in manifest.graphs if g.file == engine.graph), "window")


def replay(
    bundle: Bundle, engine: Engine, golden: Mapping[str, NDArray[np.float32]]
) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    """The outputs of each golden window, or of the golden steps of one stream, in order."""
    manifest = bundle.manifest
    role = role_of(manifest, engine)
    given = [name for name in manifest.inputs(role) if name != STATE]
    carried = {}
    if manifest.step is not None and role == "step":
        carried[STATE] = np.zeros((1, manifest.step.state), np.float32)
    for window in range(len(golden["values"])):
        inputs = {name: golden[name][window : window + 1].astype(np.float32) for name in given}
        outputs = engine.run(inputs | carried)
        carried = {STATE: outputs[NEXT_STATE]} if carried else {}
        yield outputs


def _patches_off(
    chain: Chain, values: NDArray[np.float32], observed: NDArray[np.bool_]
) -> float:
    """How far tokens of single patches are from those of the whole day (C, S)."""
    cut, together = chain.cut, chain.embed(values, observed)
    parts = [slice(k, k + cut.patch) for k in range(0, cut.samples, cut.patch)]
    alone = [chain.embed(values[:, part], observed[:, part]) for part in parts]
    return float(np.abs(np.concatenate(alone) - together).max())


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


def _golden(bundle: Bundle, graph_format: str, role: Role) -> dict[str, NDArray[np.float32]]:
    """Each input, but the state, and each output by its plain name, as one format gave it."""
    manifest = bundle.manifest
    file = manifest.golden.file
    try:
        tensors = safetensors.numpy.load(bundle.members[file])
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    golden = {}
    for name, key, dtype, shape in _expected(manifest, graph_format, role):
        tensor = tensors.get(key)
        if tensor is None:
            raise BundleError(f"{file} has no tensor {key!r}")
        if tensor.dtype != dtype or tensor.shape != shape:
            raise BundleError(
                f"{file}: {key!r} is {tensor.dtype} {tensor.shape}, not {dtype} {shape}"
            )
        if name in manifest.inputs(role) and not np.isfinite(tensor).all():
            raise BundleError(f"{file}: {key!r} are not all finite")
        golden[name] = tensor
    return golden


def _expected(
    manifest: Manifest, graph_format: str, role: Role
) -> list[tuple[str, str, str, tuple[int, ...]]]:
    """Name, key in the file, type and shape of each tensor."""
    golden = manifest.golden
    part, count = ("step/", golden.steps) if role == "step" else ("", golden.windows)
    expected: list[tuple[str, str, str, tuple[int, ...]]] = []
    for name, (_, *shape) in manifest.inputs(role).items():
        if name != STATE and name not in manifest.scales:
            dtype = "uint8" if name == "observed" else "float32"
            expected.append((name, f"{part}{name}", dtype, (count, *shape)))
    for name, (_, *shape) in manifest.outputs.items():
        expected.append((name, f"{graph_format}/{part}{name}", "float32", (count, *shape)))
    return expected
