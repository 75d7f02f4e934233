"""A `DeployGraph` in, an ONNX graph with stable, human names out.

Batch norm is folded, and the encoder's nodes and tensors are named by stage and layer
("stage3.conv2"), so that a layer can be left out of quantization, or blamed, by a name
that does not change with the exporter.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper
from torch import Tensor, nn

from onwrist_export.fusion.graphs import SenseGraph
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.heads import MLP
from onwrist_export.model.step import StepGraph

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
import onnxruntime as ort

OPSET = 20
ENCODER_INPUT = "input"
HISTORY, NEXT_HISTORY = "history", "next_history"
LAYERS = {"main_path.0": "conv1", "main_path.3": "conv2", "shortcut.0": "shortcut"}
WEIGHT = re.compile(r"encoder_layers\.(\d+)\.(main_path\.0|main_path\.3|shortcut\.0)\.weight")


def export(graph: DeployGraph | StepGraph | SenseGraph) -> ModelProto:
    """The float ONNX graph of `graph`: inputs (1, C, N), batch norm folded, layers named."""
    model = to_onnx(graph, graph.example(), graph.output_names)
    _name_layers(model)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def to_onnx(
    graph: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str]
) -> ModelProto:
    """The float ONNX graph of any module whose heads fold, for inputs of these shapes."""
    graph = copy.deepcopy(graph).eval()
    for module in graph.modules():
        if isinstance(module, MLP):
            module.fold()
    # the exporter reports its progress and missing optional packages on both streams
    with (
        contextlib.redirect_stdout(io.StringIO()),
        _silent("torch.onnx"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            graph,
            tuple(example.values()),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=list(example),
            output_names=list(outputs),
            verbose=False,
        )
    model = program.model_proto
    g = model.graph
    for record in (model, g, *g.node, *g.input, *g.output, *g.initializer):
        del record.metadata_props[:]  # stack traces with paths of the exporting machine
    return model


@contextlib.contextmanager
def _silent(name: str):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _name_layers(model: ModelProto) -> None:
    """Name encoder nodes "stageK.layer" and their outputs alike; stage outputs "stageK"."""
    consumers: dict[str, list[onnx.NodeProto]] = {}
    producers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    renamed: dict[str, str] = {}

    def name(node: onnx.NodeProto, layer: str) -> None:
        node.name = layer
        renamed[node.output[0]] = layer

    def activation(node: onnx.NodeProto) -> onnx.NodeProto | None:
        following = consumers.get(node.output[0], [])
        return following[0] if following and following[0].op_type in ("Relu", "Gelu") else None

    for node in model.graph.node:
        match = WEIGHT.search(node.input[1]) if node.op_type == "Conv" else None
        if match is None:
            continue
        stage, layer = f"stage{int(match[1]) + 1}", LAYERS[match[2]]
        name(node, f"{stage}.{layer}")
        before = producers.get(node.input[0])
        if before is not None and before.op_type in ("Pad", "Slice", "Concat"):
            name(before, f"{stage}.{layer}.{before.op_type.lower()}")
            if before.op_type != "Concat":
                before = producers.get(before.input[0])
        if stage == "stage1" and layer != "conv2" and before is not None:
            renamed[before.output[0]] = ENCODER_INPUT
        following = activation(node)
        if following is not None:
            name(following, f"{stage}.{layer}.activation")
        if layer == "conv2":
            (add,) = consumers[node.output[0]]
            name(add, f"{stage}.add")
            following = activation(add)
            assert following is not None, "a HiMAE stage ends in its activation"
            following.name = f"{stage}.add.activation"
            renamed[following.output[0]] = stage
    _name_histories(model, consumers, producers, renamed)
    for node in model.graph.node:
        node.input[:] = [renamed.get(n, n) for n in node.input]
        node.output[:] = [renamed.get(n, n) for n in node.output]
    del model.graph.value_info[:]


def _name_histories(
    model: ModelProto,
    consumers: dict[str, list[onnx.NodeProto]],
    producers: dict[str, onnx.NodeProto],
    renamed: dict[str, str],
) -> None:
    """Name the way of a step's histories, from the state to a stage and back."""

    def follow(node: onnx.NodeProto, forward: bool, whole: str, layer: str) -> None:
        """Name nodes up to the one that holds all histories."""
        while node.op_type != "Concat" and node.input[0] != "state":
            node.name = f"{whole}.{layer}.{node.op_type.lower()}"
            renamed[node.output[0]] = node.name
            node = consumers[node.output[0]][0] if forward else producers[node.input[0]]
        node.name = renamed[node.output[0]] = whole

    for node in list(model.graph.node):
        if node.op_type != "Concat" or not node.name.startswith("stage"):
            continue
        if renamed[node.output[0]] == ENCODER_INPUT:
            continue
        layer = node.name.removesuffix(".concat")
        follow(producers[node.input[0]], False, HISTORY, layer)
        for following in consumers[node.output[0]]:
            if following.op_type == "Slice" and not following.name.startswith("stage"):
                follow(following, True, NEXT_HISTORY, layer)


def layers(model: ModelProto) -> tuple[str, ...]:
    """Names of the layers that can be quantized, or left in float, in order."""
    names = (n.name for n in model.graph.node if n.op_type in ("Conv", "Add"))
    return tuple(n for n in names if n.startswith("stage"))


def expose(model: ModelProto, tensors: Sequence[str]) -> ModelProto:
    """A copy of `model` that also outputs `tensors`."""
    model = copy.deepcopy(model)
    present = {output.name for output in model.graph.output}
    for name in tensors:
        if name not in present:
            model.graph.output.append(helper.make_empty_tensor_value_info(name))
    return onnx.shape_inference.infer_shapes(model)


def initializers(model: ModelProto) -> dict[str, NDArray[np.generic]]:
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def session(model: ModelProto) -> ort.InferenceSession:
    """A one-thread ONNX Runtime session on the CPU that computes in integers if it can.

    On x86 it would otherwise run convolutions with int8 activations in float between
    quantizers: nearly the same numbers, but not the same.
    """
    options = ort.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(
    model: ort.InferenceSession, inputs: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.generic]]:
    """All outputs by name for the inputs by name."""
    names = [o.name for o in model.get_outputs()]
    found = model.run(names, dict(inputs))
    return dict(zip(names, found, strict=True))
