"""Run model files in this interpreter, which may be another environment or processor.

    python run_elsewhere.py ENGINE MODEL WINDOWS.npz OUT.npz

WINDOWS holds `values`, `observed` (W, C, N) and `outputs`, the names of the model's
outputs in its own order. Only NumPy and the engine are imported.
"""

import os
import sys

import numpy as np


def tflite(model, interpreter):
    made = interpreter(model_path=model, num_threads=1)
    made.allocate_tensors()
    inputs = {d["name"]: d["index"] for d in made.get_input_details()}
    outputs = {d["name"]: d["index"] for d in made.get_output_details()}

    def run(values, observed):
        made.set_tensor(inputs["values"], values)
        made.set_tensor(inputs["observed"], observed)
        made.invoke()
        return {name: made.get_tensor(index) for name, index in outputs.items()}

    return run


def tflite_micro(model, names):
    from tflite_micro.python.tflite_micro import runtime

    made = runtime.Interpreter.from_file(model)

    def run(values, observed):
        made.set_input(values, 0)
        made.set_input(observed, 1)
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

    def run(values, observed):
        feed = {"values": values, "observed": observed}
        return dict(zip(names, session.run(names, feed), strict=True))

    return run


def main(engine, model, windows, out):
    given = np.load(windows)
    if engine == "onnxruntime":
        run = onnxruntime(model)
    elif engine == "litert":
        from ai_edge_litert.interpreter import Interpreter

        run = tflite(model, Interpreter)
    elif engine == "tflite-runtime":
        from tflite_runtime.interpreter import Interpreter

        run = tflite(model, Interpreter)
    else:
        run = tflite_micro(model, list(given["outputs"]))
    found = {}
    for values, observed in zip(given["values"], given["observed"], strict=True):
        for name, output in run(values[None], observed[None]).items():
            found.setdefault(name, []).append(np.array(output[0]))
    np.savez(out, **{name: np.stack(each) for name, each in found.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
