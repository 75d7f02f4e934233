"""A TFLite model in LiteRT: a window in, outputs by name out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

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
    """One interpreter on one thread."""

    def __init__(self, model: bytes, kernels: Kernels = Kernels.DEFAULT) -> None:
        self._interpreter = Interpreter(
            model_content=model, num_threads=1, experimental_op_resolver_type=kernels.value
        )
        self._interpreter.allocate_tensors()
        self._inputs = {d["name"]: d["index"] for d in self._interpreter.get_input_details()}
        self._outputs = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
        """All outputs by name for the inputs by name."""
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, inputs[name])
        self._interpreter.invoke()
        return {n: self._interpreter.get_tensor(i) for n, i in self._outputs.items()}
