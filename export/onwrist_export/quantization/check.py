"""A quantized model and windows in, its parity out: float against INT8, file against file.

`parity` says what is recorded and what must hold. Arrays: W windows, C channels, N
samples, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onwrist_export.judging.metrics import area_under_roc, mean_absolute_error
from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_export.quantization.parity import (
    Agreement,
    Condition,
    Layer,
    Limits,
    Parity,
    TaskParity,
)
from onwrist_export.quantization.qdq import DEQUANTIZED, QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_export.quantization.stepwise import stepwise
from onwrist_export.windows.grids import Run, Windows, run_all
from onwrist_export.windows.masks import drop_spans
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import EMBEDDING, Task
from onwrist_runtime.processor import has_vnni

Array = NDArray[np.float64]

MISSING = (0.25, 0.5, 0.75)
AGREEMENT_WINDOWS = 4  # of each condition
LAYER_WINDOWS = 64
U8 = 128  # what u8 activations are more than s8 ones
CLEAREST = 120.0  # dB, instead of infinity


def check(
    model: QuantizedModel,
    windows: Windows,
    channels: Sequence[str],
    rate: float,
    tasks: Sequence[Task],
    limits: Limits,
) -> Parity:
    """Compare all files of `model`.

    Parameters
    ----------
    windows : at least two, that calibration has not seen; where they have targets, tasks
        are judged by them.
    channels, rate : names of the channels and the grid's rate in Hz.
    tasks : the tasks of the manifest, with their thresholds; none for a bare encoder.
    """
    if len(windows) < 2:
        raise InputError(f"checking needs at least two windows, not {len(windows)}")
    damaged = dict(conditions(windows, channels, rate))
    fp32, int8 = runner(model, onnx_run(model.fp32)), runner(model, LiteRT(model.tflite).run)
    compared = tuple(
        _compare(name, w, run_all(fp32, w), run_all(int8, w), channels, tasks)
        for name, w in damaged.items()
    )
    layers = compare_layers(model, sample(windows, LAYER_WINDOWS))
    few = [sample(w, AGREEMENT_WINDOWS) for w in damaged.values()]
    return Parity(
        files=model.hashes,
        limits=limits,
        conditions=compared,
        layers=layers,
        worst_layer=max(layers, key=lambda layer: layer.added).name,
        agreements=tuple(compare_files(model, few)),
        unchecked=() if has_vnni() else (model.names["u8"],),
    )


def conditions(
    windows: Windows, channels: Sequence[str], rate: float
) -> Iterator[tuple[str, Windows]]:
    """The windows as they are, with shares of all channels missing, without each channel.

    And without a running baseline, if the model takes one.
    """
    yield "nothing taken away", windows
    count, width, samples = windows.values.shape
    for share in MISSING:
        rng = np.random.default_rng(round(100 * share))
        kept = drop_spans(rng, np.full(count * width, share), samples, rate)
        yield f"{share:.0%} missing", windows.without(kept.reshape(count, width, samples))
    for index, name in enumerate(channels if width > 1 else ()):
        kept = np.ones_like(windows.observed)
        kept[:, index] = False
        yield f"no {name}", windows.without(kept)
    if windows.baseline is not None:
        yield "no running baseline", windows.without_baseline()


def sample(windows: Windows, most: int) -> Windows:
    """At most so many of the windows, evenly spread."""
    return windows.select(np.unique(np.linspace(0, len(windows) - 1, most).round().astype(int)))


def runner(model: QuantizedModel, run: Run) -> Run:
    """`run`, which runs a form of `model`, as a function of a window with its context."""
    return stepwise(run, model.fp32)


def onnx_run(model: network.ModelProto) -> Run:
    """ONNX Runtime as a function of a window."""
    session = network.session(model)
    return lambda inputs: network.run(session, inputs)


def _compare(
    name: str,
    windows: Windows,
    fp32: dict[str, Array],
    int8: dict[str, Array],
    channels: Sequence[str],
    tasks: Sequence[Task],
) -> Condition:
    cosine = centred_cosine(fp32[EMBEDDING], int8[EMBEDDING])
    compared = (_compare_task(t, windows, channels, fp32[t.name], int8[t.name]) for t in tasks)
    return Condition(
        name=name,
        windows=len(windows),
        sqnr=sqnr(fp32[EMBEDDING], int8[EMBEDDING]),
        centred_cosine=float(cosine.mean()),
        centred_cosine_p5=float(np.percentile(cosine, 5)),
        tasks=tuple(task for task in compared if task is not None),
    )


def sqnr(reference: Array, quantized: Array) -> float:
    """Signal to quantization noise ratio in dB, at most `CLEAREST`."""
    signal, noise = (reference**2).sum(), ((reference - quantized) ** 2).sum()
    if signal == 0 or noise <= signal * 10 ** (-CLEAREST / 10):
        return CLEAREST
    return float(10 * np.log10(signal / noise))


def centred_cosine(reference: Array, quantized: Array) -> Array:
    """Cosine (W,) of embeddings (W, E) less their mean, without which all look alike."""
    mean = reference.mean(axis=0)
    a, b = reference - mean, quantized - mean
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def _compare_task(
    task: Task, windows: Windows, channels: Sequence[str], fp32: Array, int8: Array
) -> TaskParity | None:
    """The task on the windows whose coverage suffices; None where no metric is defined.

    That is where no such window is labelled, or all are of one class.
    """
    may_answer = answerable(task, windows, channels)
    target = windows.targets.get(task.name, np.full(len(windows), np.nan))
    known = may_answer & ~np.isnan(target)
    if task.kind == "regression":
        metric, score, column = "mean absolute error", mean_absolute_error, 0
        first, second = (o[:, 1] >= task.minimum_confidence for o in (fp32, int8))
    else:
        metric, score, column = "AUROC", area_under_roc, 1
        first, second = (
            np.where(o.max(axis=1) >= task.minimum_confidence, o.argmax(axis=1), -1)
            for o in (fp32, int8)
        )
    if len(np.unique(target[known])) < (1 if task.kind == "regression" else 2):
        return None
    figures = [
        score(o[known, column], target[known]) if np.isfinite(o[known]).all() else float("nan")
        for o in (fp32, int8)
    ]
    flips = float((first != second)[may_answer].mean())
    return TaskParity(task.name, metric, int(known.sum()), *figures, flips)


def answerable(task: Task, windows: Windows, channels: Sequence[str]) -> NDArray[np.bool_]:
    """Which windows (W,) are covered as the task asks; `channels` are their rows."""
    coverage = dict(zip(channels, windows.coverage.T, strict=True))
    enough = np.ones(len(windows), bool)
    for channel, least in task.required.items():
        enough &= coverage[channel] >= least
    if task.any_of:
        enough &= np.any([coverage[c] >= least for c, least in task.any_of.items()], axis=0)
    return enough


def compare_layers(model: QuantizedModel, windows: Windows) -> tuple[Layer, ...]:
    """SQNR of every quantized layer, and the noise it has beyond its noisiest input."""
    names = [t.removesuffix(DEQUANTIZED) for t in activations(model, DEQUANTIZED)]
    names = [n for n in names if n.startswith("stage") or n == network.ENCODER_INPUT]
    quantized = network.expose(model.s8, [n + DEQUANTIZED for n in names])
    fp32 = run_all(runner(model, onnx_run(network.expose(model.fp32, names))), windows)
    int8 = run_all(runner(model, onnx_run(quantized)), windows)
    ratio = {name: sqnr(fp32[name], int8[name + DEQUANTIZED]) for name in names}
    producers = {o: n for n in model.fp32.graph.node for o in n.output}

    def inputs(name: str) -> Iterator[str]:
        for source in producers[name].input if name in producers else ():
            yield from (source,) if source in ratio else inputs(source)

    noise = {name: 10 ** (-decibel / 10) for name, decibel in ratio.items()}
    return tuple(
        Layer(
            name=_layer(model, name),
            sqnr=ratio[name],
            added=noise[name] - max((noise[source] for source in inputs(name)), default=0.0),
        )
        for name in names
        if name != network.ENCODER_INPUT
    )


def _layer(model: QuantizedModel, tensor: str) -> str:
    """The layer, as `--exclude` takes it, whose output is rounded in `tensor`."""
    (node,) = (n for n in model.fp32.graph.node if tensor in n.output)
    if node.op_type in ("Relu", "Gelu"):
        (node,) = (n for n in model.fp32.graph.node if node.input[0] in n.output)
    return node.name


def activations(model: QuantizedModel, suffix: str) -> list[str]:
    """The quantized activations of the encoder in order, as ONNX tensors of that suffix.

    Without what a step remembers: copies of these, in other shapes.
    """
    return [
        n.output[0].removesuffix(QUANTIZED) + suffix
        for n in model.s8.graph.node
        if n.op_type == "QuantizeLinear"
        and n.output[0].startswith(("stage", network.ENCODER_INPUT))
    ]


def stage_outputs(tensors: Sequence[str]) -> list[str]:
    """Those of the activations that a stage ends with, and the input."""
    return [name for name in tensors if "." not in name]


def compare_files(model: QuantizedModel, windows: Sequence[Windows]) -> Iterator[Agreement]:
    """Each file in each engine against the s8 file in ONNX Runtime."""
    files = model.names
    tensors = activations(model, QUANTIZED)
    exposed = flatbuffer.expose(model.tflite, tensors)
    signed = runner(model, onnx_run(network.expose(model.s8, tensors)))
    reference = [run_all(signed, w) for w in windows]
    engines = [(f"{files['tflite']} in LiteRT", LiteRT(exposed).run, True, 0)]
    if has_vnni():  # elsewhere u8 is wrong, and never run
        u8 = onnx_run(network.expose(model.u8, tensors))
        engines.append((f"{files['u8']} in ONNX Runtime", u8, True, U8))
    others = {"tflite-runtime": Kernels.BUILT_IN}
    if all(n.op_type != "Gelu" for n in model.s8.graph.node):  # which TFLite-Micro lacks
        others["TFLite-Micro"] = Kernels.REFERENCE
    for whose, kernels in others.items():
        name = f"{files['tflite']} with the kernels of {whose}"
        engines.append((name, LiteRT(exposed, kernels).run, False, 0))
    for name, run, alike, shift in engines:
        found = [run_all(runner(model, run), w) for w in windows]
        judged = tensors if alike else stage_outputs(tensors)
        against = f"{files['s8']} in ONNX Runtime"
        yield agreement(name, against, alike, judged, reference, found, shift=shift)


def agreement(
    name: str,
    against: str,
    alike: bool,
    tensors: Sequence[str],
    reference: Sequence[dict[str, Array]],
    found: Sequence[dict[str, Array]],
    exact: str = network.ENCODER_INPUT + QUANTIZED,
    shift: int = 0,
    told: Sequence[Mapping[str, NDArray[np.bool_]]] | None = None,
) -> Agreement:
    """How far engines are apart, over the outputs of several runs of both.

    Parameters
    ----------
    tensors : int8 tensors that are compared; `exact` is one that must be the same.
    reference, found : outputs by name of each run.
    shift : what the integers of `found` are more: 128 if they are u8.
    told : where each tensor of each run counts for `off`; everywhere if None.
    """
    differing, total, compared, off, worst = 0, 0, 0, 0, ""
    input_equal = True
    outputs: dict[str, float] = {}
    for k, (expected, got) in enumerate(zip(reference, found, strict=True)):
        for tensor, value in expected.items():
            other = got[tensor]
            if not tensor.endswith(QUANTIZED):
                most = float(np.abs(other - value).max())
                outputs[tensor] = float(np.maximum(outputs.get(tensor, 0.0), most))  # NaN stays
            if tensor not in tensors:
                continue
            if other.ndim == 4:  # (W, 1, L, C) of TFLite
                other = other[:, 0].transpose(0, 2, 1)
            difference = np.abs(other - shift - value)
            differing += int((difference > 0).sum())
            total += difference.size
            if tensor == exact:
                input_equal &= not difference.any()
            if told is not None:
                difference = difference[told[k][tensor]]
            compared += difference.size
            if difference.max(initial=0) > off:
                off, worst = int(difference.max()), tensor.removesuffix(QUANTIZED)
    return Agreement(
        engine=name,
        reference=against,
        rounds_alike=alike,
        equal=1 - differing / total,
        off=off,
        layer=worst,
        input_equal=bool(input_equal),
        outputs=outputs,
        compared=compared / total,
    )
