"""A bundle in; the files that the contestants run, and the windows that they are given, out."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from common import inputs
from floating import float_onnx, float_tflite
from numpy.typing import NDArray

import onwrist
from onwrist.files import written_beside
from race.environments import PEERS, Missing, last_line

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WINDOWS, GAP, LOST = 24, 16, 0.15  # a window; points of a gap, and how many of them there are
CONVERTED = {
    "fp32.pte": ("executorch", "fp32.onnx"),
    "s8.pte": ("executorch", "s8.onnx"),
    "fp32.param": ("ncnn", "fp32.onnx"),
    "fp32.mnn": ("mnn", "fp32.onnx"),
    "s8.mnn": ("mnn", "s8.onnx"),
}
PATIENCE = 600  # seconds for a conversion


def prepare(model: onwrist.Model, folder: Path) -> dict[str, Path]:
    """Write what this environment can: each file by its name in `contestants`.

    Raises
    ------
    InputError
        The bundle has no window graph in ONNX with signed activations.
    """
    manifest, members = model.bundle.manifest, model.bundle.members
    if manifest.tokens is not None:
        raise onwrist.InputError(
            f"{manifest.name} is a bundle of days, which day_speed.py measures: "
            "name one of windows"
        )
    found = {
        f"{g.activations}.{g.format}": members[g.file]
        for g in manifest.graphs
        if g.role == "window"
    }
    if "s8.onnx" not in found:
        raise onwrist.InputError(
            f"{manifest.name} has no ONNX graph with s8 activations, from which the float one "
            "is made"
        )
    found |= {
        "fp32.onnx": float_onnx(found["s8.onnx"]),
        "fp32.tflite": float_tflite(found["s8.onnx"]),
    }
    own = folder / _key(found["s8.onnx"])
    own.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        with written_beside(own / name) as beside:
            beside.write_bytes(content)
    with written_beside(own / "inputs.npz") as beside, beside.open("wb") as file:
        np.savez(file, **windows(model))
    return {name: own / name for name in (*found, "inputs.npz")}


def convert(name: str, files: Mapping[str, Path], python: Path) -> Path:
    """A peer's own form of a graph, written by its own tools unless it is there.

    Raises
    ------
    Missing
        They cannot.
    """
    engine, source = CONVERTED[name]
    target = files[source].parent / name
    if target.is_file():
        return target
    command = [python, "-m", "race.convert", engine, files[source], target]
    try:
        subprocess.run(
            command,
            check=True,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        raise Missing(f"not converted: {last_line(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"not converted within {PATIENCE} s") from error
    return target


def environment() -> dict[str, str]:
    """Of a process in any Python: one thread, this repository, nothing of the user's own."""
    paths = [ROOT / "benchmarks", ROOT / "runtime", ROOT / "sdk"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "1",
    }


def windows(model: onwrist.Model) -> dict[str, NDArray[np.float32]]:
    """Inputs (W, 1, ...) by name: a simulated window, and the same with gaps of all kinds.

    The first, without gaps, is the one that is timed.
    """
    first = inputs(model)
    shape = WINDOWS, *first["values"].shape
    draw = np.random.default_rng(0)
    kept = draw.random((*shape[:-1], -(-shape[-1] // GAP))) > LOST
    kept = kept.repeat(GAP, axis=-1)[..., : shape[-1]]
    kept[0] = True
    # at other levels too, so that outputs differ between windows
    level = 1 + draw.normal(0, 0.3, (*shape[:-1], 1)).astype(np.float32)
    level[0] = 1
    made = {name: np.repeat(value[np.newaxis], WINDOWS, 0) for name, value in first.items()}
    made["values"] = np.where(kept, first["values"] * level, np.float32(0))
    made["observed"] = kept.astype(np.float32)
    return made


def _key(graph: bytes) -> str:
    """A name for the files that are made of this graph by these converters."""
    sources = (HERE / "convert.py", HERE / "torch_graph.py", HERE.parent / "floating.py")
    said = [repr(PEERS).encode(), *(path.read_bytes() for path in sources), graph]
    return hashlib.sha256(b"\0".join(said)).hexdigest()[:12]
