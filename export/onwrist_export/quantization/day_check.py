"""Quantized day graphs and days in, their parity out, one record for each graph.

The embedding and the imputed minutes are compared through all graphs, float against INT8;
files and engines on the inputs that each graph gets there. `parity` says what must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onwrist_export.quantization import network
from onwrist_export.quantization.check import centred_cosine, onnx_run, sqnr
from onwrist_export.quantization.day import INPUT, MOVING, Days, Run, chained, sources
from onwrist_export.quantization.day_engines import (
    Calls,
    Outputs,
    agreements,
    int8_tensors,
    run_calls,
)
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import (
    Condition,
    Imputation,
    Layer,
    Limits,
    Parity,
)
from onwrist_export.quantization.qdq import DEQUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel, file_names
from onwrist_runtime.chain import Chain
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import EMBEDDING, IMPUTED, SLOTS, Manifest, Role
from onwrist_runtime.processor import has_vnni
from onwrist_runtime.tokens import Cut

Array = NDArray[np.float32]
Models = Mapping[Role, QuantizedModel]

HIDDEN = 60  # minutes, of each channel of each day
AGREEMENT_DAYS = 8
LAYER_DAYS = 24


def check_days(
    models: Models, manifest: Manifest, days: Days, limits: Limits
) -> dict[Role, Parity]:
    """Compare all files of all graphs.

    Parameters
    ----------
    days : at least two of which there are tokens, that calibration has not seen.
    """
    cut = Cut.of(manifest)
    days = days.of_tokens(cut)
    if len(days) < 2:
        raise InputError(f"checking needs at least two days with a token, not {len(days)}")
    fp32 = {role: onnx_run(model.fp32) for role, model in models.items()}
    int8 = {role: LiteRT(model.tflite).run for role, model in models.items()}
    conditions = tuple(
        _compare(name, chosen, manifest, fp32, int8)
        for name, chosen in ((n, d.of_tokens(cut)) for n, d in damaged(days, manifest))
        if len(chosen) > 1
    )
    found: dict[Role, Parity] = {}
    for role, model in models.items():
        calls = recorded_calls(role, models, manifest, days.sample(LAYER_DAYS))
        layers = compare_layers(role, model, partial(run_calls, calls=calls))
        few = recorded_calls(role, models, manifest, days.sample(AGREEMENT_DAYS))
        found[role] = Parity(
            files=model.hashes,
            limits=limits,
            conditions=conditions if role == "encode" else (),
            layers=layers,
            worst_layer=max(layers, key=lambda layer: layer.added).name,
            agreements=tuple(agreements(model, few)),
            unchecked=() if has_vnni() else (file_names(role)["u8"],),
        )
    if "decode" in models:
        imputations = tuple(_imputations(days, manifest, fp32, int8))
        found["decode"] = replace(found["decode"], imputations=imputations)
    return found


def damaged(days: Days, manifest: Manifest) -> Iterator[tuple[str, Days]]:
    """The days as they are, with half of their hours missing, and without each channel."""
    yield "nothing taken away", days
    rng = np.random.default_rng(0)
    hours = rng.random((len(days), 1, days.values.shape[2] // 60)) < 0.5
    yield "half of the hours missing", days.without(np.repeat(hours, 60, axis=2))
    for row, channel in enumerate(manifest.channels):
        gone = np.zeros((1, days.values.shape[1], 1), bool)
        gone[:, row] = True
        yield f"no {channel.name}", days.without(gone)


def _compare(
    name: str,
    days: Days,
    manifest: Manifest,
    fp32: Mapping[Role, Run],
    int8: Mapping[Role, Run],
) -> Condition:
    first, second = (
        np.concatenate([_encoding(manifest, runs).run(day)[EMBEDDING] for day in days.inputs()])
        for runs in (fp32, int8)
    )
    cosine = centred_cosine(first.astype(np.float64), second.astype(np.float64))
    return Condition(
        name=name,
        windows=len(first),
        sqnr=sqnr(first, second),
        centred_cosine=float(cosine.mean()),
        centred_cosine_p5=float(np.percentile(cosine, 5)),
        tasks=(),
    )


def _encoding(manifest: Manifest, runs: Mapping[Role, Run]) -> Chain:
    """The graphs up to the embedding."""
    return chained(manifest, {role: run for role, run in runs.items() if role != "decode"})


def _imputations(
    days: Days, manifest: Manifest, fp32: Mapping[Role, Run], int8: Mapping[Role, Run]
) -> Iterator[Imputation]:
    """Errors on minutes that were hidden: a span of each channel, and it is known."""
    rng = np.random.default_rng(0)
    hidden = np.zeros(days.values.shape, bool)
    for day, row in np.ndindex(hidden.shape[:2]):
        seen = np.flatnonzero(~np.isnan(days.values[day, row]))
        if len(seen):
            start = max(int(rng.choice(seen)) - HIDDEN // 2, 0)
            hidden[day, row, start : start + HIDDEN] = True
    counted = hidden & ~np.isnan(days.values)
    left = days.without(hidden)
    first, second = (
        np.concatenate(
            [chained(manifest, runs).run(inputs)[IMPUTED] for inputs in left.inputs()]
        )
        for runs in (fp32, int8)
    )
    for row, channel in enumerate(manifest.channels):
        told = counted[:, row]
        truth = days.values[:, row][told]
        if len(truth):
            errors = (np.abs(x[:, row][told] - truth).mean() for x in (first, second))
            yield Imputation(channel.name, len(truth), *map(float, errors))


def recorded_calls(role: Role, models: Models, manifest: Manifest, days: Days) -> Calls:
    """What a graph is given on the way of these days through the s8 graphs."""
    calls: Calls = []

    def runner(each: Role) -> Run:
        run = onnx_run(models[each].s8)

        def recorded(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
            if each == role:
                rows = int((inputs[SLOTS] >= 0).sum()) if SLOTS in inputs else None
                calls.append((inputs, rows))
            return run(inputs)

        return recorded

    chain = chained(manifest, {each: runner(each) for each in models})
    for inputs in days.inputs():
        chain.run(inputs)
    return calls


def compare_layers(
    role: Role, model: QuantizedModel, run_on: Callable[..., list[Outputs]]
) -> tuple[Layer, ...]:
    """SQNR of what every layer gives, and the noise it has beyond what it reads.

    Parameters
    ----------
    run_on : the outputs of calls, but for rows that stand for nothing, of what runs a graph
        and whether rows are of tokens by name of the output.
    """
    names = [n for n in sources(model.fp32) if n + DEQUANTIZED in int8_tensors(model)]
    told = [n + DEQUANTIZED for n in names]
    fp32 = run_on(onnx_run(network.expose(model.fp32, names)), rows_of=lambda n: n in names)
    int8 = run_on(onnx_run(network.expose(model.s8, told)), rows_of=lambda n: n in told)
    ratio = {
        name: sqnr(
            np.concatenate([out[name].ravel() for out in fp32]),
            np.concatenate([out[name + DEQUANTIZED].ravel() for out in int8]),
        )
        for name in names
    }
    noise = {name: 10 ** (-decibel / 10) for name, decibel in ratio.items()}
    writers = {output: node for node in model.fp32.graph.node for output in node.output}
    layers = []
    for name in names:
        if name.endswith(INPUT):
            continue
        gemm = writers[name]
        if gemm.op_type == "Relu":
            gemm = writers[gemm.input[0]]
        read = gemm.input[0]
        while writers[read].op_type in MOVING and read not in noise:
            read = writers[read].input[0]
        layers.append(Layer(f"{role}.{gemm.name}", ratio[name], noise[name] - noise[read]))
    return tuple(layers)
