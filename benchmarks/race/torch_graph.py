"""An ONNX graph in, a torch module that calls the same operators in the same order out.

For torch eager and for ExecuTorch, whose way in is torch. Of quantizers it makes those that
ExecuTorch's backends look for, with the scales of the graph, so that nothing is calibrated
anew. It knows the operators of a window graph and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

Operator = Callable[..., Tensor]


class TorchGraph(nn.Module):
    """The outputs of a graph, in its order, for its inputs, in its order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self._keys: dict[str, str] = {}
        self._steps: list[tuple[Operator, list[str], str]] = []
        # ExecuTorch's way: each reader of integers dequantizes them for itself. It gives
        # wrong numbers where one inside and one outside of a backend share the floats.
        self._dequantizers: dict[str, tuple[Operator, str]] = {}
        for node in graph.node:
            if node.op_type == "DequantizeLinear" and _is_bias(node, constants):
                # its backends round a bias themselves, with these scales
                integers, scale = (constants[name] for name in node.input[:2])
                constants[node.output[0]] = (integers * scale).astype(np.float32)
                continue
            operator, operands = _translated(node, constants)
            if node.op_type == "DequantizeLinear" and operands[0] not in constants:
                self._dequantizers[node.output[0]] = operator, operands[0]
                continue
            self._steps.append((operator, operands, node.output[0]))
            for name in operands:
                if name in constants and name not in self._keys:
                    self._keys[name] = f"constant{len(self._keys)}"
                    value = torch.from_numpy(np.array(constants[name]))
                    self.register_buffer(self._keys[name], value)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        known: dict[str, Tensor] = dict(zip(self.inputs, inputs, strict=True))
        for name, key in self._keys.items():
            known[name] = self._buffers[key]

        def value(name: str) -> Tensor:
            if name not in self._dequantizers:
                return known[name]
            dequantize, stored = self._dequantizers[name]
            return dequantize(known[stored])

        for operator, operands, output in self._steps:
            known[output] = operator(*map(value, operands))
        return tuple(known[name] for name in self.outputs)


def _is_bias(node: NodeProto, constants: Mapping[str, Any]) -> bool:
    stored = constants.get(node.input[0])
    return stored is not None and stored.dtype == np.int32


def _translated(node: NodeProto, constants: Mapping[str, Any]) -> tuple[Operator, list[str]]:
    """What to call, and the names of the tensors to call it with."""
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    names = list(node.input)
    if node.op_type in PLAIN:
        return PLAIN[node.op_type], names
    if node.op_type in QUANTIZERS:
        return _quantizer(node, constants), names[:1]
    if node.op_type in WHOLE:
        return MAKERS[node.op_type](given, []), names
    settings = [constants[name].tolist() if name else None for name in names[1:]]
    return MAKERS[node.op_type](given, settings), names[:1]


def _quantizer(node: NodeProto, constants: Mapping[str, Any]) -> Operator:
    import torch.ao.quantization.fx._decomposed

    scale, zero = (constants[name] for name in node.input[1:3])
    limits = np.iinfo(zero.dtype)
    what = limits.min, limits.max, getattr(torch, zero.dtype.name)
    operators = torch.ops.quantized_decomposed
    if scale.ndim:
        scales = torch.from_numpy(np.array(scale))
        zeros = torch.from_numpy(zero.astype(np.int64))
        return lambda x: operators.dequantize_per_channel(x, scales, zeros, 0, *what)
    name = f"{node.op_type.removesuffix('Linear').lower()}_per_tensor"
    each, point = float(scale), int(zero)
    return lambda x: getattr(operators, name)(x, each, point, *what)


def _sliced(given: Mapping[str, Any], settings: list[Any]) -> Operator:
    starts, ends, axes, steps = settings

    def operator(x: Tensor) -> Tensor:
        parts = [slice(None)] * x.ndim
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            parts[axis] = slice(start, end, step)
        return x[tuple(parts)]

    return operator


def _reduced(function: Operator) -> Callable[..., Operator]:
    def make(given: Mapping[str, Any], settings: list[Any]) -> Operator:
        keep = bool(given.get("keepdims", 1))
        return lambda x: function(x, dim=settings[0], keepdim=keep)

    return make


def _clip(given: Mapping[str, Any], settings: list[Any]) -> Operator:
    low, high = (*settings, None)[:2]
    return lambda x: torch.clamp(x, low, high)


def _conv(given: Mapping[str, Any], settings: list[Any]) -> Operator:
    before, after = given.get("pads", (0, 0))
    (stride,) = given.get("strides", (1,))
    if before == after:
        return lambda x, *layer: functional.conv1d(x, *layer, stride=stride, padding=before)
    return lambda x, *layer: functional.conv1d(
        functional.pad(x, (before, after)), *layer, stride=stride
    )


PLAIN: dict[str, Operator] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "Div": torch.div,
    "Exp": torch.exp,
    "Log": torch.log,
    "Mul": torch.mul,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
}
QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
WHOLE = ("Concat", "Conv", "Gemm")  # all their inputs are tensors to compute with
MAKERS: dict[str, Callable[..., Operator]] = {
    "Clip": _clip,
    "Concat": lambda given, settings: lambda *x: torch.cat(x, given["axis"]),
    "Conv": _conv,
    "Gemm": lambda given, settings: functional.linear,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Slice": _sliced,
    "Softmax": lambda given, settings: lambda x: torch.softmax(x, given.get("axis", -1)),
    "Squeeze": lambda given, settings: lambda x: torch.squeeze(x, settings[0]),
    "Unsqueeze": lambda given, settings: lambda x: torch.unsqueeze(x, *settings[0]),
}
