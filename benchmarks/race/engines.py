"""A contestant's engine and file in, a function that runs it on a window out.

Runs in the environment of the engine: each is imported where it is opened, on one thread, in
float where its graph is float. A call takes NumPy arrays and gives NumPy arrays, all outputs
of the graph by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]
Bind = Callable[[Arrays], Callable[[], object]]
Open = Callable[[Path, list[str], list[str]], Bind]


def open_engine(engine: str, file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    """What makes a call of inputs, for the engines of the table below; names in their order."""
    if engine.startswith("predict "):
        return _predict(engine.removeprefix("predict "), file)
    return ENGINES[engine](file, inputs, outputs)


def _onnxruntime(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import os

    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
    import onnxruntime

    from onwrist_runtime.interpreters import OnnxRuntime

    content = file.read_bytes()
    opened = OnnxRuntime(onnxruntime, "onnxruntime", file.name, content, threads=1)
    return lambda given: lambda: opened.run(given)


def _tflite(module: str) -> Open:
    def open_(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
        import importlib

        from onwrist_runtime.interpreters import TFLite

        interpreters = importlib.import_module(module)
        content = file.read_bytes()
        opened = TFLite(interpreters, module, file.name, content, 1, (0,), inputs[0])
        return lambda given: lambda: opened.run(given)

    return open_


def _predict(engine: str, file: Path) -> Bind:
    import onwrist

    model = onwrist.load(file, engine=engine)

    def bind(given: Arrays) -> Callable[[], object]:
        values = np.where(given["observed"][0] > 0, given["values"][0], np.float32(np.nan))
        return lambda: model.predict(values)

    return bind


def _openvino(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import openvino

    # where the processor has AMX it would otherwise compute fp32 in bfloat16
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()

    def bind(given: Arrays) -> Callable[[], object]:
        def call() -> object:
            found = request.infer(given)
            return {name: found[name] for name in outputs}

        return call

    return bind


def _ncnn(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    weights = file.with_suffix(".bin")
    if net.load_param(str(file)) or net.load_model(str(weights)):
        raise RuntimeError(f"ncnn cannot load {file.name}")

    def bind(given: Arrays) -> Callable[[], object]:
        def call() -> object:
            with net.create_extractor() as extractor:
                for k, name in enumerate(inputs):
                    extractor.input(f"in{k}", ncnn.Mat(given[name][0]))
                return {
                    name: np.array(extractor.extract(f"out{k}")[1])[np.newaxis]
                    for k, name in enumerate(outputs)
                }

        return call

    return bind


def _mnn(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import MNN.expr
    import MNN.nn

    settings = {"backend": "CPU", "precision": "high", "numThread": 1}
    manager = MNN.nn.create_runtime_manager((settings,))
    net = MNN.nn.load_module_from_file(str(file), inputs, outputs, runtime_manager=manager)

    def bind(given: Arrays) -> Callable[[], object]:
        into = [MNN.expr.placeholder(list(given[n].shape), MNN.expr.NCHW) for n in inputs]

        def call() -> object:
            for tensor, name in zip(into, inputs, strict=True):
                tensor.write(given[name])
            found = [tensor.read() for tensor in net.forward(into)]
            if len(found) != len(outputs):
                # as its converter sees them, quantized convolutions over time do not add up
                raise RuntimeError("MNN computes no outputs from this graph")
            return dict(zip(outputs, found, strict=True))

        return call

    return bind


def _executorch(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import torch
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime

    _unsafe_reset_threadpool(1)
    method = Runtime.get().load_program(file).load_method("forward")

    def bind(given: Arrays) -> Callable[[], object]:
        def call() -> object:
            found = method.execute([torch.from_numpy(given[name]) for name in inputs])
            return dict(zip(outputs, (tensor.numpy() for tensor in found), strict=True))

        return call

    return bind


def _torch(file: Path, inputs: list[str], outputs: list[str]) -> Bind:
    import torch

    from race.torch_graph import TorchGraph

    torch.set_num_threads(1)
    graph = TorchGraph(file).eval()

    def bind(given: Arrays) -> Callable[[], object]:
        @torch.inference_mode()
        def call() -> object:
            found = graph(*(torch.from_numpy(given[name]) for name in inputs))
            return dict(zip(outputs, (tensor.numpy() for tensor in found), strict=True))

        return call

    return bind


ENGINES: dict[str, Open] = {
    "executorch": _executorch,
    "litert": _tflite("ai_edge_litert.interpreter"),
    "mnn": _mnn,
    "ncnn": _ncnn,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tflite-runtime": _tflite("tflite_runtime.interpreter"),
    "torch": _torch,
}
