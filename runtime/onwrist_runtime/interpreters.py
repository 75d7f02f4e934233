"""The interpreters of graphs: a file's bytes in, and then inputs by name in, outputs out.

Each hides nothing: it finds its tensors by name and runs the variant of the graph that the
size of its inputs asks for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import EngineError

Array = NDArray[np.float32]
_Tensors = dict[str, Mapping[str, Any]]  # what TFLite says of tensors by name
Layouts = dict[str, tuple[Any, ...]]  # type and sizes of tensors by name


class Engine(Protocol):
    """What runs one graph of a bundle, or all graphs of a day.

    Attributes
    ----------
    name : "litert", "onnxruntime" or "tflite-runtime".
    graph : name of the file that it runs, or of several.
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


@contextmanager
def _running(engine: Engine) -> Iterator[None]:
    """Each engine fails with an exception of its own, or of any kind."""
    try:
        yield
    except Exception as error:
        raise EngineError(f"{engine.name} failed on {engine.graph}: {error}") from error


class OnnxRuntime:
    """ONNX Runtime on the CPU; a dimension without a number takes any size."""

    def __init__(
        self,
        module: ModuleType,
        name: str,
        graph: str,
        content: bytes,
        threads: int,
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

    def layouts(self, size: int) -> tuple[Layouts, Layouts]:
        """Inputs and outputs, the same for every size."""
        return self.inputs, self.outputs

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        with _running(self):
            results = self._session.run(self._names, inputs)
        return dict(zip(self._names, results, strict=True))


def _described(tensors: Sequence[Any]) -> Layouts:
    return {
        tensor.name: (tensor.type.replace("tensor(float)", "float32"), *tensor.shape)
        for tensor in tensors
    }


class _Variant(NamedTuple):
    """A subgraph, and what the interpreter says of its tensors by name."""

    subgraph: int
    inputs: _Tensors
    outputs: _Tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Of an input; empty if there is none of that name."""
        return tuple(self.inputs[name]["shape"].tolist()) if name in self.inputs else ()


class TFLite:
    """LiteRT or tflite-runtime, which share their interface.

    A file of one size has one subgraph; one of several has a signature for each, by whose
    name, the size, its subgraph is found. An interpreter holds one set of tensors, so calls
    from several threads take turns.

    Parameters
    ----------
    sizes : of the variants.
    sized : the input whose shape tells the variants apart.
    """

    def __init__(
        self,
        module: ModuleType,
        name: str,
        graph: str,
        content: bytes,
        threads: int,
        sizes: Sequence[int],
        sized: str,
    ) -> None:
        self.name, self.graph, self.threads = name, graph, threads
        self._interpreter = module.Interpreter(model_content=content, num_threads=threads)
        self._variants = {
            size: self._variant(str(size) if len(sizes) > 1 else None) for size in sizes
        }
        self._sized = sized
        self._calls = {
            variant.shape(sized): (
                variant.subgraph,
                {name: tensor["index"] for name, tensor in variant.inputs.items()},
                {name: tensor["index"] for name, tensor in variant.outputs.items()},
            )
            for variant in self._variants.values()
        }
        self._lock = threading.Lock()

    def layouts(self, size: int) -> tuple[Layouts, Layouts]:
        """Inputs and outputs of the variant of a size."""
        variant = self._variants[size]
        return _layouts(variant.inputs), _layouts(variant.outputs)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        # What the runner of a signature calls, less its resizing and allocating each time:
        # 3.1 us instead of 6.7 us for a graph that does next to nothing. A reference that
        # stayed would keep the interpreter's own methods from being called.
        native, shape = self._interpreter._interpreter, inputs[self._sized].shape
        with self._lock, _running(self):
            if shape not in self._calls:
                known = " or ".join(map(str, self._calls))
                raise ValueError(f"{self._sized} has the shape {shape}, not {known}")
            subgraph, into, out_of = self._calls[shape]
            for name, tensor in inputs.items():
                native.SetTensor(into[name], tensor, subgraph)
            native.Invoke(subgraph)
            return {name: native.GetTensor(k, subgraph) for name, k in out_of.items()}

    def _variant(self, signature: str | None) -> _Variant:
        interpreter = self._interpreter
        if signature is None:
            interpreter.allocate_tensors()
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            return _Variant(0, {t["name"]: t for t in inputs}, {t["name"]: t for t in outputs})
        runner = interpreter.get_signature_runner(signature)
        subgraph = interpreter._interpreter.GetSubgraphIndexFromSignature(signature)
        interpreter._interpreter.AllocateTensors(subgraph)
        return _Variant(subgraph, runner.get_input_details(), runner.get_output_details())


def _layouts(tensors: _Tensors) -> Layouts:
    return {
        name: (np.dtype(tensor["dtype"]).name, *(int(size) for size in tensor["shape"]))
        for name, tensor in tensors.items()
    }
