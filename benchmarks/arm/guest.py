"""Graphs and inputs in, outputs out: runs in an emulated core and, to compare, on this one.

    python guest.py FOLDER OUTPUTS.npz

FOLDER holds window.tflite and step.tflite, and inputs.npz with "ROLE/INPUT" (runs, 1, ...).
OUTPUTS.npz gets "ROLE/OUTPUT" in the same order. A step is given the state that the one before
it left, the first all zeros. Each `invoke` is a region for count.c, whose system calls mean
nothing elsewhere. Only NumPy and LiteRT are needed.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

MARK, END = 0x6F6E7772, 0  # as in count.c
LABELS = {"nothing": 1, "window": 2, "step": 3}
EMPTY, WARM = 20, 3  # regions without anything in them; calls before the first that is counted

_prctl = ctypes.CDLL(None).prctl
_prctl.argtypes = [ctypes.c_ulong] * 5


def mark(label: int) -> None:
    """Begin a region, or end it."""
    _prctl(MARK, label, 0, 0, 0)


def run(role: str, graph: Path, fed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every output of all runs of one graph."""
    interpreter = Interpreter(str(graph), num_threads=1)
    interpreter.allocate_tensors()
    inputs = {d["name"]: d for d in interpreter.get_input_details()}
    outputs = {d["name"]: d["index"] for d in interpreter.get_output_details()}
    for _ in range(WARM):
        interpreter.invoke()
    state = (
        {"state": np.zeros(inputs["state"]["shape"], np.float32)} if "state" in inputs else {}
    )
    given: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for i in range(len(fed["values"])):
        for name, detail in inputs.items():
            value = state[name] if name in state else fed[name][i]
            interpreter.set_tensor(detail["index"], value)
        mark(LABELS[role])
        interpreter.invoke()
        mark(END)
        for name, index in outputs.items():
            given[name].append(interpreter.get_tensor(index))
        if state:
            state["state"] = given["next_state"][-1]
    return {f"{role}/{name}": np.stack(runs) for name, runs in given.items()}


def main() -> None:
    folder, target = map(Path, sys.argv[1:])
    gc.disable()  # it would count in whichever region it falls into
    for _ in range(EMPTY):
        mark(LABELS["nothing"])
        mark(END)
    given: dict[str, np.ndarray] = {}
    with np.load(folder / "inputs.npz") as inputs:
        for role in ("window", "step"):
            names = [name for name in inputs if name.startswith(f"{role}/")]
            fed = {name.partition("/")[2]: inputs[name] for name in names}
            given |= run(role, folder / f"{role}.tflite", fed)
    np.savez(target, **given)


if __name__ == "__main__":
    main()
