"""A bundle in, the same bundle out, whose graphs take the inverse temperature of each task.

What a temperature divides is found in the quantized graphs themselves, so that a bundle can
be calibrated without the checkpoint that it was made from. With all scales 1 every output
keeps its bits.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import msgspec
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from onwrist_export.quantization import tflite
from onwrist_export.quantization.quantize import file_names
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import SCALE, Availability, Manifest, Pattern, Role, Task

ANSWERING: tuple[Role, ...] = ("window", "step")
# What gives the confidence of a task: after it, nothing can be divided by a temperature.
LAST = {"classification": "Softmax", "regression": "Sigmoid"}


def prepared(opened: Bundle, least: float) -> Bundle:
    """The bundle with every pattern of its sensors, uncalibrated, and graphs that take scales.

    Its hash is that of `opened`, and its golden vectors lack the new patterns: it is for
    prediction only.

    Parameters
    ----------
    least : from which coverage on a sensor is live.

    Raises
    ------
    InputError
        The bundle has nothing to calibrate, or its graphs cannot take scales.
    """
    manifest = opened.manifest
    whose = f"{manifest.name} {manifest.version}"
    if manifest.tokens is not None:
        raise InputError(f"{whose} is a model of days, which has no patterns of live sensors")
    if not manifest.tasks:
        raise InputError(f"{whose} has no task whose confidence could be calibrated")
    members = dict(opened.members)
    if manifest.availability is None:
        for role in ANSWERING:
            members |= _scaled(opened, role)
    tasks = [task.name for task in manifest.tasks]
    plain = Availability(
        least=least,
        patterns=tuple(
            Pattern(
                sensors=sensors,
                temperatures=dict.fromkeys(tasks, 1.0),
                minimum_confidence=dict.fromkeys(tasks, 0.0),
            )
            for sensors in subsets(manifest)
        ),
    )
    return Bundle(msgspec.structs.replace(manifest, availability=plain), members, opened.hash)


def subsets(manifest: Manifest) -> list[tuple[str, ...]]:
    """Every pattern of live sensors, the fullest first."""
    sensors = manifest.sensors
    sizes = range(len(sensors), 0, -1)
    return [found for size in sizes for found in itertools.combinations(sensors, size)]


def _scaled(opened: Bundle, role: Role) -> dict[str, bytes]:
    """The files of a graph with scales, if there is one; the TFLite file is converted anew."""
    manifest, names = opened.manifest, file_names(role)
    if not any(graph.role == role for graph in manifest.graphs):
        return {}
    missing = [
        names[kind] for kind in ("u8", "s8", "tflite") if names[kind] not in opened.members
    ]
    if missing:
        raise InputError(
            f"{manifest.name} {manifest.version} cannot be calibrated: it has no "
            f"{', '.join(missing)}, as every bundle of `onwrist-export pack` has"
        )
    u8, s8 = (
        with_scales(onnx.load_from_string(opened.members[names[kind]]), manifest.tasks)
        for kind in ("u8", "s8")
    )
    return {
        names["u8"]: u8.SerializeToString(deterministic=True),
        names["s8"]: s8.SerializeToString(deterministic=True),
        names["tflite"]: tflite.convert(s8),
    }


def with_scales(model: ModelProto, tasks: Sequence[Task]) -> ModelProto:
    """A copy of an ONNX graph with an input `{task}_scale` (1, 1) for each task.

    Logits are multiplied by it before the softmax of a class task, and the log-odds of a
    regression's confidence before their sigmoid.

    Raises
    ------
    InputError
        A task's output is not made that way.
    """
    model = copy.deepcopy(model)
    graph = model.graph
    for task in tasks:
        node = _last(model, task)
        given, scaled = node.input[0], f"{task.name}_scaled"
        name = f"{task.name}{SCALE}"
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1)))
        place = next(k for k, each in enumerate(graph.node) if each.name == node.name)
        graph.node.insert(place, helper.make_node("Mul", [given, name], [scaled], scaled))
        graph.node[place + 1].input[0] = scaled
        shape = next(value for value in graph.value_info if value.name == given)
        described = copy.deepcopy(shape)
        described.name = scaled
        graph.value_info.append(described)
    onnx.checker.check_model(model)
    return model


def _last(model: ModelProto, task: Task) -> NodeProto:
    """The node that turns logits or log-odds into the confidence of a task."""
    makers = {output: node for node in model.graph.node for output in node.output}
    tensors, seen = [task.name], set()
    while tensors:
        found = [makers[name] for name in tensors if name in makers]
        for node in found:
            if node.op_type == LAST[task.kind]:
                return node
        seen.update(tensors)
        tensors = [name for node in found for name in node.input if name not in seen]
    raise InputError(
        f"the graph has no {LAST[task.kind]} that gives the confidence of {task.name!r}"
    )
