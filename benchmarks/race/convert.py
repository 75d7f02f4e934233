"""A graph in ONNX in, a peer's own form of it out: runs in the environment of the peer.

    python -m race.convert ENGINE SOURCE.onnx TARGET

What it writes is moved into place when it is whole.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPES = "inputs.npz"  # lies beside every source


def executorch(source: Path, target: Path) -> None:
    """Through torch, with all that XNNPACK can take handed to it."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from race.torch_graph import TorchGraph

    graph = TorchGraph(source).eval()
    with np.load(source.with_name(SHAPES)) as given:
        example = tuple(torch.from_numpy(given[name][0]) for name in graph.inputs)
    program = torch.export.export(graph, example)
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    target.write_bytes(lowered.to_executorch().buffer)


def mnn(source: Path, target: Path) -> None:
    """By the binding of `mnnconvert`; the command itself installs a package in whichever
    Python comes first, and reports to its maker."""
    import _tools

    arguments = ["-f", "ONNX", "--modelFile", source, "--MNNModel", target, "--bizCode", "race"]
    _tools.mnnconvert(["mnnconvert", *map(str, arguments)])


def ncnn(source: Path, target: Path) -> None:
    """By pnnx, which leaves out the axes of reductions: in a window graph, always the last."""
    # importing the package would import torch, which its program does without
    (home,) = importlib.util.find_spec("pnnx").submodule_search_locations
    with np.load(source.with_name(SHAPES)) as given:
        shapes = ",".join(
            str(list(given[name].shape[1:])).replace(" ", "") for name in given.files
        )
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "graph.onnx"
        own.write_bytes(source.read_bytes())
        command = [Path(home) / "pnnx", own, "fp16=0", f"inputshape={shapes}"]
        subprocess.run(command, check=True, capture_output=True)
        text = (Path(folder) / "graph.ncnn.param").read_text()
        text = text.replace("-23303=0", "-23303=1,-1")
        for kind, number in (("ReduceMin", 5), ("ReduceMax", 4)):
            whole = rf"Reduction \1 0={number} 1=0 -23303=1,-1 4=1 5=1"
            text = re.sub(rf"^{kind} (.*)$", whole, text, flags=re.MULTILINE)
        weights = Path(folder) / "graph.ncnn.bin"
        target.with_suffix(".bin").write_bytes(weights.read_bytes())
    target.write_text(text)


CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "executorch": executorch,
    "mnn": mnn,
    "ncnn": ncnn,
}


def main() -> None:
    engine, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        beside = Path(folder) / target.name
        CONVERTERS[engine](source, beside)
        if not beside.is_file():
            sys.exit(f"error: {engine} has written no {target.name}")
        weights = beside.with_suffix(".bin")
        if weights.is_file():
            weights.rename(target.with_suffix(".bin"))
        beside.rename(target)


if __name__ == "__main__":
    main()
