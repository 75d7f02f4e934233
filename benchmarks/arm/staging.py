"""Bundles in, what an emulated core runs of them out: INT8 and float bundles, and inputs.

A float bundle is the shipped one with the float originals of its graphs in their files. Both
are given the same inputs, a golden window or step; of a day everything is observed, so that
every graph has all of its tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.chain import Chain
from onwrist_runtime.engines import open_engine
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.errors import InputError
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import STATE, Manifest, Role
from onwrist_runtime.verify import golden_vectors

sys.path.append(str(Path(__file__).parents[1]))
from floating import float_onnx, float_tflite

Inputs = Mapping[str, NDArray[np.float32]]


def check(opened: Bundle) -> None:
    """Refuse a bundle that not both engines can run on Arm.

    Raises
    ------
    InputError
        A role has no graph for one of them.
    """
    manifest = opened.manifest
    for role, sensor in roles(opened):
        held = _files(manifest, role, sensor)
        for wanted, words in (("tflite", "a TFLite graph"), ("onnx", "an s8 ONNX graph")):
            if wanted not in held:
                raise InputError(f"{manifest.name} {manifest.version} has no {role} as {words}")


def roles(opened: Bundle) -> tuple[tuple[Role, str | None], ...]:
    """What its graphs are for, in their order, and of which sensor if they are of one."""
    return tuple(dict.fromkeys((graph.role, graph.sensor) for graph in opened.manifest.graphs))


def stage(bundles: Sequence[Bundle], folder: Path, precisions: Sequence[str]) -> None:
    """Write a folder of bundles for each precision, and inputs.npz as guest.py reads it."""
    inputs = {}
    for opened in bundles:
        for precision in precisions:
            made = opened if precision == "int8" else _in_float(opened)
            path = folder / precision / f"{opened.manifest.name}.onwrist"
            path.parent.mkdir(exist_ok=True)
            bundle.write(path, made.manifest, made.members)
        for role, given in _inputs(opened).items():
            inputs |= {f"{opened.manifest.name}/{role}/{k}": v for k, v in given.items()}
    np.savez(folder / "inputs.npz", **inputs)


def _in_float(opened: Bundle) -> Bundle:
    manifest, members = opened.manifest, dict(opened.members)
    for role, sensor in roles(opened):
        files = _files(manifest, role, sensor)
        int8, sizes = opened.members[files["onnx"]], manifest.sizes(role)
        members[files["onnx"]] = float_onnx(int8)
        members[files["tflite"]] = float_tflite(int8, sizes if len(sizes) > 1 else ())
    return replace(opened, members=members)


def _files(manifest: Manifest, role: Role, sensor: str | None) -> dict[str, str]:
    """The s8 file of each format."""
    return {
        g.format: g.file
        for g in manifest.graphs
        if (g.role, g.sensor) == (role, sensor) and g.activations == "s8"
    }


class _Noting:
    """An engine that keeps what it was given."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads
        self._run = engine.run
        self.given: Inputs = {}

    def run(self, inputs: Inputs) -> Inputs:
        self.given = inputs
        return self._run(inputs)


def _inputs(opened: Bundle) -> dict[str, Inputs]:
    """Inputs of each role at its largest size; of several also at the middle one."""
    manifest = opened.manifest
    if manifest.fusion is not None:
        return _fused(opened)
    if manifest.tokens is None:
        return {role: _golden(opened, role) for role, _ in roles(opened)}
    found: dict[str, Inputs] = {}
    graphs = {
        role: _Noting(open_engine(opened, "litert", role=role)) for role, _ in roles(opened)
    }
    chain = Chain(manifest, graphs["embed"], graphs["encode"], graphs.get("decode"))
    day = dict(_golden(opened, "window"))
    chain.run(day | {"observed": np.ones_like(day["observed"])})
    for role, engine in graphs.items():
        found[role] = engine.given
        sizes = manifest.sizes(role)
        middle = sizes[(len(sizes) - 1) // 2]
        if middle != sizes[-1]:
            shapes = manifest.inputs(role, middle)
            found[f"{role}-{middle}"] = {
                name: whole[tuple(map(slice, shapes[name]))]
                for name, whole in engine.given.items()
            }
    return found


def _fused(opened: Bundle) -> dict[str, Inputs]:
    """Inputs of the graphs of fused sensors; their encoders differ in nothing that counts."""
    graphs = {
        kind: _Noting(open_engine(opened, "litert", role=kind[0], sensor=kind[1]))
        for kind in roles(opened)
    }
    senses = [engine for (role, _), engine in graphs.items() if role == "sense"]
    others = {role: engine for (role, _), engine in graphs.items() if role != "sense"}
    whole = Ensemble(opened.manifest, senses, others["fuse"], others.get("decode"))
    whole.run(_golden(opened, "window"))
    return {"sense": senses[0].given} | {role: engine.given for role, engine in others.items()}


def _golden(opened: Bundle, role: Role) -> Inputs:
    """The golden window or step of which most is observed."""
    manifest = opened.manifest
    golden = golden_vectors(opened, open_engine(opened, "litert", role=role))
    fullest = int(golden["observed"].mean(axis=(1, 2)).argmax())
    return {
        name: np.zeros(shape, np.float32)
        if name == STATE
        else golden[name][fullest : fullest + 1].astype(np.float32)
        for name, shape in manifest.inputs(role).items()
    }
