"""The engines: a graph of a bundle and its inputs by name in, outputs by name out.

An engine package is imported only here, when a model is loaded. Each engine hides
nothing: it finds its tensors by name, checks them against the manifest, and runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import BundleError, EngineError, InputError
from onwrist_runtime.manifest import NEXT_STATE, STATE, Graph, Manifest, Role
from onwrist_runtime.processor import has_vnni

Array = NDArray[np.float32]

# By preference: the module to import, the format it runs, the extra that installs it.
ENGINES = {
    "litert": ("ai_edge_litert.interpreter", "tflite", "litert"),
    "onnxruntime": ("onnxruntime", "onnx", "onnx"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite", "tflite"),
}


class Engine(Protocol):
    """What runs one graph of a bundle.

    Attributes
    ----------
    name : "litert", "onnxruntime" or "tflite-runtime".
    graph : name of the file that it runs.
    threads : how many threads it may use.
    """

    name: str
    graph: str
    threads: int

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Outputs by name; the inputs are those of `Manifest.inputs`, all float32.

        Raises
        ------
        EngineError
            The engine fails on them.
        """
        ...


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
    bundle: Bundle, engine: str | None = None, threads: int = 1, role: Role = "window"
) -> Engine:
    """Load the right graph of a bundle into an engine.

    Parameters
    ----------
    bundle : an opened bundle.
    engine : "litert", "onnxruntime" or "tflite-runtime"; None for the first of them that
        is installed and has a graph in the bundle.
    threads : how many threads the engine may use.
    role : what the graph takes: a whole window, or one step of a stream.

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
    module_name, graph_format, extra = ENGINES[engine]
    if not installed(engine):
        raise EngineError(f"{engine} is not installed: pip install 'onwrist[{extra}]'")
    graph = _choose(bundle.manifest, graph_format, engine, role)
    content = bundle.members[graph.file]
    module = _import(engine, module_name)
    kind = OnnxRuntime if graph_format == "onnx" else TFLite
    try:
        opened: OnnxRuntime | TFLite = kind(module, engine, graph.file, content, threads)
    except Exception as error:
        raise EngineError(f"{engine} cannot open {graph.file}: {error}") from error
    _check_tensors(opened, bundle.manifest, role)
    return opened


def _nothing_usable(bundle: Bundle) -> str:
    formats = {graph.format for graph in bundle.manifest.graphs}
    extras = [extra for _, runs, extra in ENGINES.values() if runs in formats]
    choices = " or ".join(f"pip install 'onwrist[{extra}]'" for extra in extras)
    held = " and ".join(sorted(formats))
    return f"no engine for the {held} graph of this bundle is installed: {choices}"


def _choose(manifest: Manifest, graph_format: str, engine: str, role: Role) -> Graph:
    """The u8 graph of ONNX where the processor has VNNI, else s8."""
    of_role = [graph for graph in manifest.graphs if graph.role == role]
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


class OnnxRuntime:
    """ONNX Runtime on the CPU."""

    def __init__(
        self, module: ModuleType, name: str, graph: str, content: bytes, threads: int
    ) -> None:
        self.name, self.graph, self.threads = name, graph, threads
        options = module.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin while they wait would empty a watch's battery.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # On x86 it would otherwise run s8 convolutions in float between quantizers, whose
        # last bits round to other integers than those of every other engine.
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        self._session = module.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.inputs = _described(self._session.get_inputs())
        self.outputs = _described(self._session.get_outputs())
        self._names = list(self.outputs)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        with _running(self):
            results = self._session.run(self._names, inputs)
        return dict(zip(self._names, results, strict=True))


@contextmanager
def _running(engine: Engine) -> Iterator[None]:
    """Each engine fails with an exception of its own, or of any kind."""
    try:
        yield
    except Exception as error:
        raise EngineError(f"{engine.name} failed on {engine.graph}: {error}") from error


def _described(tensors: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    return {
        tensor.name: (tensor.type.replace("tensor(float)", "float32"), *tensor.shape)
        for tensor in tensors
    }


class TFLite:
    """LiteRT or tflite-runtime, which share their interface.

    An interpreter holds one set of tensors, so calls from several threads take turns.
    """

    def __init__(
        self, module: ModuleType, name: str, graph: str, content: bytes, threads: int
    ) -> None:
        self.name, self.graph, self.threads = name, graph, threads
        self._interpreter = module.Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self.inputs = {t["name"]: _layout(t) for t in inputs}
        self.outputs = {t["name"]: _layout(t) for t in outputs}
        self._index = {t["name"]: t["index"] for t in (*inputs, *outputs)}
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        interpreter, index = self._interpreter, self._index
        with self._lock, _running(self):
            for name, tensor in inputs.items():
                interpreter.set_tensor(index[name], tensor)
            interpreter.invoke()
            return {name: interpreter.get_tensor(index[name]) for name in self.outputs}


def _layout(tensor: Mapping[str, Any]) -> tuple[Any, ...]:
    return np.dtype(tensor["dtype"]).name, *(int(size) for size in tensor["shape"])


def _check_tensors(engine: OnnxRuntime | TFLite, manifest: Manifest, role: Role) -> None:
    inputs = {name: ("float32", *shape) for name, shape in manifest.inputs(role).items()}
    outputs: dict[str, tuple[Any, ...]] = {
        name: ("float32", *shape) for name, shape in manifest.outputs.items()
    }
    if role == "step":
        outputs[NEXT_STATE] = inputs[STATE]
    for kind, has, must in (
        ("inputs", engine.inputs, inputs),
        ("outputs", engine.outputs, outputs),
    ):
        if has != must:
            raise BundleError(
                f"{engine.graph} has the {kind} {_listed(has)}, but the manifest describes "
                f"{_listed(must)}"
            )


def _listed(tensors: Mapping[str, tuple[Any, ...]]) -> str:
    return ", ".join(
        f"{name} {kind} {tuple(shape)}" for name, (kind, *shape) in tensors.items()
    )
