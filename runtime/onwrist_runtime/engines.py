"""A bundle and a role in, the engine that runs its right graph on this processor out.

An engine package is imported only here, when a model is loaded. Its tensors are checked
against the manifest before it runs. Of a day, and of sensors that are fused, one engine runs
the graphs after each other.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.chain import Chain
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.errors import BundleError, EngineError, InputError
from onwrist_runtime.interpreters import Engine, Layouts, OnnxRuntime, TFLite
from onwrist_runtime.manifest import Graph, Manifest, Role, Shapes
from onwrist_runtime.processor import has_vnni

# By preference: the module to import, the format it runs, the extra that installs it.
ENGINES = {
    "litert": ("ai_edge_litert.interpreter", "tflite", "litert"),
    "onnxruntime": ("onnxruntime", "onnx", "onnx"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite", "tflite"),
}


def installed(name: str) -> bool:
    """Whether the package of an engine can be imported; it is not imported yet."""
    return importlib.util.find_spec(ENGINES[name][0].partition(".")[0]) is not None


def usable(bundle: Bundle) -> list[str]:
    """The installed engines that have a graph in this bundle, the preferred one first."""
    formats = {graph.format for graph in bundle.manifest.graphs}
    return [name for name in ENGINES if ENGINES[name][1] in formats and installed(name)]


def steps(bundle: Bundle, engine: str) -> bool:
    """Whether an engine can run a step graph of this bundle on this processor."""
    try:
        _choose(bundle.manifest, ENGINES[engine][1], engine, "step")
    except EngineError:
        return False
    return True


def open_engine(
    bundle: Bundle,
    engine: str | None = None,
    threads: int = 1,
    role: Role = "window",
    sensor: str | None = None,
) -> Engine:
    """Load the right graph of a bundle into an engine.

    Parameters
    ----------
    bundle : an opened bundle.
    engine : "litert", "onnxruntime" or "tflite-runtime"; None for the first of them that
        is installed and has a graph in the bundle.
    threads : how many threads the engine may use.
    role : what the graph takes: a whole window, or one step of a stream. The window of a
        bundle with tokens is a day, which all of its graphs take after each other; so do
        those of a bundle with fusion take its window.
    sensor : whose, for the role "sense".

    Raises
    ------
    InputError
        There is no engine of that name, or `threads` is not a positive integer.
    EngineError
        The engine is not installed, does not start, or has no graph in the bundle.
    BundleError
        The graph cannot be read or disagrees with the manifest.
    """
    if engine is not None and engine not in ENGINES:
        raise InputError(f"there is no engine {engine!r}; choose from {', '.join(ENGINES)}")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads must be a positive integer, not {threads!r}")
    if engine is None:
        candidates = usable(bundle)
        if not candidates:
            raise EngineError(_nothing_usable(bundle))
        engine = candidates[0]
    module_name, _, extra = ENGINES[engine]
    if not installed(engine):
        raise EngineError(f"{engine} is not installed: pip install 'onwrist[{extra}]'")
    module = _import(engine, module_name)
    manifest = bundle.manifest
    opened = partial(_open, bundle, module, engine, threads)
    if role != "window" or (manifest.tokens is None and manifest.fusion is None):
        return opened(role, sensor)
    if manifest.tokens is not None:
        embed, encode = opened("embed"), opened("encode")
        decode = opened("decode") if manifest.imputes else None
        return Chain(manifest, embed, encode, decode)
    senses = [opened("sense", sensor) for sensor in manifest.sensors]
    fuse = opened("fuse")
    decode = opened("decode") if manifest.imputes else None
    return Ensemble(manifest, senses, fuse, decode)


def _open(
    bundle: Bundle,
    module: ModuleType,
    engine: str,
    threads: int,
    role: Role,
    sensor: str | None = None,
) -> OnnxRuntime | TFLite:
    manifest = bundle.manifest
    graph = _choose(manifest, ENGINES[engine][1], engine, role, sensor)
    content = bundle.members[graph.file]
    opened: OnnxRuntime | TFLite
    try:
        if graph.format == "onnx":
            opened = OnnxRuntime(module, engine, graph.file, content, threads)
        else:
            sizes = manifest.sizes(role)
            sized = next(iter(manifest.inputs(role, sensor=sensor)))
            opened = TFLite(module, engine, graph.file, content, threads, sizes, sized)
    except Exception as error:
        raise EngineError(f"{engine} cannot open {graph.file}: {error}") from error
    _check_tensors(opened, manifest, role, sensor)
    return opened


def _nothing_usable(bundle: Bundle) -> str:
    formats = {graph.format for graph in bundle.manifest.graphs}
    extras = [extra for _, runs, extra in ENGINES.values() if runs in formats]
    choices = " or ".join(f"pip install 'onwrist[{extra}]'" for extra in extras)
    held = " and ".join(sorted(formats))
    return f"no engine for the {held} graph of this bundle is installed: {choices}"


def _choose(
    manifest: Manifest, graph_format: str, engine: str, role: Role, sensor: str | None = None
) -> Graph:
    """The u8 graph of ONNX where the processor has VNNI, else s8."""
    of_role = [g for g in manifest.graphs if (g.role, g.sensor) == (role, sensor)]
    of_format = {g.activations: g for g in of_role if g.format == graph_format}
    if not of_format:
        held = ", ".join(graph.file for graph in of_role) or f"no graph of a {role}"
        raise EngineError(f"{engine} runs {graph_format}, but this bundle holds {held}")
    if "u8" in of_format and has_vnni():
        return of_format["u8"]
    if "s8" not in of_format:
        raise EngineError(
            f"this processor needs an s8 graph for {engine} (u8 is wrong without VNNI), and "
            f"this bundle holds only {of_format['u8'].file}"
        )
    return of_format["s8"]


def _import(engine: str, module_name: str) -> ModuleType:
    # ONNX Runtime reads this when it is imported, and would otherwise keep a device id
    # and event files in the user's cache folder.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        raise EngineError(f"{engine} is installed but does not start: {error}") from error


def _check_tensors(
    engine: OnnxRuntime | TFLite, manifest: Manifest, role: Role, sensor: str | None
) -> None:
    """Every variant takes and gives what the manifest describes for its size."""
    for size in manifest.sizes(role):
        inputs, outputs = engine.layouts(size)
        for kind, has, shapes in (
            ("inputs", inputs, manifest.inputs),
            ("outputs", outputs, manifest.gives),
        ):
            described = shapes(role, size, sensor)
            must = {name: ("float32", *shape) for name, shape in described.items()}
            if len(manifest.sizes(role)) > 1:
                has = _sized(has, must, shapes(role, 0))
            if has != must:
                raise BundleError(
                    f"{engine.graph} has the {kind} {_listed(has)}, but the manifest describes "
                    f"{_listed(must)}"
                )


def _sized(has: Layouts, must: Layouts, unsized: Shapes) -> Layouts:
    """The layouts with numbers for the symbolic dimensions, where these go with the size."""
    filled = dict(has)
    for name in has.keys() & must.keys():
        if len(has[name]) == len(must[name]):
            fixed = (None, *unsized[name])
            filled[name] = tuple(
                wanted if not isinstance(own, int) and wanted != same else own
                for own, wanted, same in zip(has[name], must[name], fixed, strict=True)
            )
            filled[name] = (has[name][0], *filled[name][1:])
    return filled


def _listed(tensors: Mapping[str, tuple[Any, ...]]) -> str:
    return ", ".join(
        f"{name} {kind} {tuple(shape)}" for name, (kind, *shape) in tensors.items()
    )
