"""Run model files in this interpreter, which may be another environment or processor.

    python run_elsewhere.py ENGINE MODEL WINDOWS.npz OUT.npz

WINDOWS holds the model's inputs (W, ...) by name, in its own order, and `outputs`, the
names of its outputs in that order. What a model says of its `next_state` is its `state` in
the next window. Only NumPy and the engine are imported.
"""

import os
import sys

import numpy as np


def tflite(model, interpreter):
    made = interpreter(model_path=model, num_threads=1)
    made.allocate_tensors()
    inputs = {d["name"]: d["index"] for d in made.get_input_details()}
    outputs = {d["name"]: d["index"] for d in made.get_output_details()}

    def run(feed):
        for name, index in inputs.items():
            made.set_tensor(index, feed[name])
        made.invoke()
        return {name: made.get_tensor(index) for name, index in outputs.items()}

    return run


def tflite_micro(model, names):
    from tflite_micro.python.tflite_micro import runtime

    made = runtime.Interpreter.from_file(model)

    def run(feed):
        for k, value in enumerate(feed.values()):
            made.set_input(value, k)
        made.invoke()
        return {name: made.get_output(k) for k, name in enumerate(names)}

    return run


def onnxruntime(model):
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]

    def run(feed):
        return dict(zip(names, session.run(names, feed), strict=True))

    return run


def main(engine, model, windows, out):
    given = dict(np.load(windows))
    outputs = list(given.pop("outputs"))
    if engine == "onnxruntime":
        run = onnxruntime(model)
    elif engine == "litert":
        from ai_edge_litert.interpreter import Interpreter

        run = tflite(model, Interpreter)
    elif engine == "tflite-runtime":
        from tflite_runtime.interpreter import Interpreter

        run = tflite(model, Interpreter)
    else:
        run = tflite_micro(model, outputs)
    found = {}
    for k in range(len(given["values"])):
        feed = {name: array[k : k + 1] for name, array in given.items()}
        for name, output in run(feed).items():
            found.setdefault(name, []).append(np.array(output[0]))
        if "next_state" in found and k + 1 < len(given["state"]):
            given["state"][k + 1] = found["next_state"][-1]
    np.savez(out, **{name: np.stack(each) for name, each in found.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
