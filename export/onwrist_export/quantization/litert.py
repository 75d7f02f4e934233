"""A TFLite model in LiteRT: a window in, outputs by name out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray


class Kernels(Enum):
    """Whose arithmetic LiteRT runs with.

    DEFAULT is LiteRT's own (XNNPACK). BUILT_IN is that of tflite-runtime, which never
    hands int8 to XNNPACK, and REFERENCE that of TFLite-Micro, to the bit.
    """

    DEFAULT = OpResolverType.AUTO
    BUILT_IN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    REFERENCE = OpResolverType.BUILTIN_REF


class LiteRT:
    """One interpreter on one thread; of a graph in several sizes, that of its inputs."""

    def __init__(self, model: bytes, kernels: Kernels = Kernels.DEFAULT) -> None:
        self._interpreter = Interpreter(
            model_content=model, num_threads=1, experimental_op_resolver_type=kernels.value
        )
        self._sizes = {
            _shapes(runner.get_input_details()): runner
            for runner in map(
                self._interpreter.get_signature_runner, self._interpreter.get_signature_list()
            )
        }
        if not self._sizes:
            self._interpreter.allocate_tensors()
        self._inputs = {d["name"]: d["index"] for d in self._interpreter.get_input_details()}
        self._outputs = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
        """All outputs by name for the inputs by name."""
        if self._sizes:
            return self._sizes[_shapes({n: {"shape": x.shape} for n, x in inputs.items()})](
                **inputs
            )
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, inputs[name])
        self._interpreter.invoke()
        return {n: self._interpreter.get_tensor(i) for n, i in self._outputs.items()}


def _shapes(tensors: Mapping[str, Mapping[str, Any]]) -> frozenset[tuple[Any, ...]]:
    """Shapes of inputs by name, as a key."""
    return frozenset((name, *map(int, tensor["shape"])) for name, tensor in tensors.items())
