"""A model file in the engine of another environment or processor: inputs in, outputs out.

    python guest.py ENGINE MODEL

A script that imports only NumPy and its engine. It says once that the model is loaded, and
then answers inputs by name with outputs by name, each an archive of NumPy behind its length,
from stdin to stdout; `elsewhere` is the other end. What else is printed goes to stderr.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

ARENA = 1 << 26  # bytes; far more than any of our models needs
ALIGNMENT = 16  # of what lies in an arena

Arrays = dict[str, NDArray[Any]]
Loaded = tuple[Callable[[Arrays], Arrays], Mapping[str, int]]  # what runs it, what it tells


def tflite(interpreter: Any, model: str) -> Loaded:
    """A TFLite interpreter; of a graph in several sizes, that of the inputs."""

    made = interpreter(model_path=model, num_threads=1)
    runners = [made.get_signature_runner(key) for key in made.get_signature_list()]
    if runners:
        sizes = {
            shapes({n: d["shape"] for n, d in runner.get_input_details().items()}): runner
            for runner in runners
        }
        return lambda feed: sizes[shapes({n: x.shape for n, x in feed.items()})](**feed), {}
    made.allocate_tensors()
    inputs = {d["name"]: d["index"] for d in made.get_input_details()}
    outputs = {d["name"]: d["index"] for d in made.get_output_details()}

    def run(feed: Arrays) -> Arrays:
        for name, index in inputs.items():
            made.set_tensor(index, feed[name])
        made.invoke()
        return {name: made.get_tensor(index) for name, index in outputs.items()}

    return run, {}


def shapes(inputs: Mapping[str, Any]) -> frozenset[tuple[Any, ...]]:
    """Shapes by name, as a key."""
    return frozenset((name, *map(int, shape)) for name, shape in inputs.items())


def litert(model: str) -> Loaded:
    from ai_edge_litert.interpreter import Interpreter

    return tflite(Interpreter, model)


def tflite_runtime(model: str) -> Loaded:
    from tflite_runtime.interpreter import Interpreter

    return tflite(Interpreter, model)


def tflite_micro(model: str) -> Loaded:
    """TFLite-Micro, which knows no names, and only the first graph of a file."""
    from tflite_micro.python.tflite_micro import runtime
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    with open(model, "rb") as file:
        content = file.read()
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    inputs, outputs = (
        [graph.Tensors(index).Name().decode() for index in indices]
        for indices in (graph.InputsAsNumpy(), graph.OutputsAsNumpy())
    )
    made = runtime.Interpreter.from_bytes(content, arena_size=ARENA)

    def run(feed: Arrays) -> Arrays:
        for k, name in enumerate(inputs):
            made.set_input(feed[name], k)
        made.invoke()
        return {name: made.get_output(k) for k, name in enumerate(outputs)}

    counted = allocations(made)
    return run, counted | {"arena": smallest(content, sum(counted.values()))}


@contextlib.contextmanager
def overheard() -> Iterator[BinaryIO]:
    """What native code prints to stderr goes to a file instead."""
    before = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(before, 2)
            os.close(before)


def allocations(interpreter: Any) -> dict[str, int]:
    """Bytes of the arena for tensors (head) and for what the interpreter keeps (tail)."""
    with overheard() as file:
        interpreter.print_allocations()
        file.seek(0)
        text = file.read().decode()
    found = re.findall(r"Arena allocation (head|tail) (\d+) bytes", text)
    return {part: int(size) for part, size in found}


def smallest(content: bytes, counted: int) -> int:
    """Bytes of the smallest arena that loads: planning may need more than is then used."""
    from tflite_micro.python.tflite_micro import runtime

    def loads(size: int) -> bool:
        try:
            with overheard():
                runtime.Interpreter.from_bytes(content, arena_size=size)
        except RuntimeError:
            return False
        return True

    enough = -(-counted // ALIGNMENT) * ALIGNMENT + ALIGNMENT
    short = enough - 3 * ALIGNMENT
    while not loads(enough):
        short, enough = enough, 2 * enough
    while enough - short > ALIGNMENT:
        middle = (short + enough) // 2 // ALIGNMENT * ALIGNMENT
        if loads(middle):
            enough = middle
        else:
            short = middle
    return enough


def onnxruntime(model: str) -> Loaded:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return lambda feed: dict(zip(names, session.run(names, feed), strict=True)), {}


ENGINES = {  # by the name of the package
    "ai-edge-litert": litert,
    "onnxruntime": onnxruntime,
    "tflite-micro": tflite_micro,
    "tflite-runtime": tflite_runtime,
}


def send(file: BinaryIO, arrays: Mapping[str, Any]) -> None:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    file.write(len(packed.getvalue()).to_bytes(8, "little") + packed.getvalue())
    file.flush()


def receive(file: BinaryIO) -> Arrays | None:
    """The next arrays; None at the end."""
    length = file.read(8)
    if not length:
        return None
    with np.load(io.BytesIO(file.read(int.from_bytes(length, "little")))) as arrays:
        return dict(arrays)


def main(engine: str, model: str) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    run, told = ENGINES[engine](model)
    send(answers, told)
    while (feed := receive(sys.stdin.buffer)) is not None:
        send(answers, run(feed))


if __name__ == "__main__":
    main(*sys.argv[1:])
