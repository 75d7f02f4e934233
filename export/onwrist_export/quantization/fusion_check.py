"""Quantized graphs of several sensors and windows in, their parity out, one record a graph.

The embedding, the tasks and the restored signals are compared through all graphs, float
against INT8, in every pattern of live sensors; files and engines on the inputs that each
graph gets there. `parity` says what must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion import cases
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import named, subsets
from onwrist_export.judging.weighting import accuracy, answer_tables, macro_f1
from onwrist_export.quantization import check
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.day import Run
from onwrist_export.quantization.day_check import compare_layers
from onwrist_export.quantization.day_engines import Calls, Outputs, agreements
from onwrist_export.quantization.fusion import (
    DECODE,
    FUSE,
    Sensed,
    counted,
    every_pattern,
    exact,
    only,
    sense,
)
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import (
    Agreement,
    Condition,
    Layer,
    Limits,
    Parity,
    TaskParity,
)
from onwrist_export.quantization.qdq import DEQUANTIZED, QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel, graph_name
from onwrist_export.quantization.restoration import Restored, restoration
from onwrist_export.windows.grids import Windows
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import EMBEDDING
from onwrist_runtime.processor import has_vnni

Array = NDArray[np.float32]
Models = Mapping[str, QuantizedModel]
Runs = Mapping[str, Run]

MISSING = (0.25, 0.5, 0.75)  # of every sensor's samples, in spans
AGREEMENT_WINDOWS = 8
LAYER_WINDOWS = 48


def check_fusion(
    models: Models, config: FusionConfig, windows: Windows, limits: Limits
) -> tuple[dict[str, Parity], tuple[Restored, ...]]:
    """Compare all files of all graphs.

    Parameters
    ----------
    windows : at least two with every sensor live, that calibration has not seen; where they
        are labelled, tasks are judged.

    Returns
    -------
    Parity by the name of a graph, and what the INT8 graphs restore.
    """
    whole = int(cases.live(windows, config).all(axis=1).sum())
    if whole < 2:
        raise InputError(
            f"checking needs at least two windows with all of {', '.join(config.names)}, not "
            f"{whole}"
        )
    fp32 = {name: onnx_run(model.fp32) for name, model in models.items()}
    int8 = {name: LiteRT(model.tflite).run for name, model in models.items()}
    found: dict[str, Parity] = {}
    for sensor, rows in zip(config.names, config.rows, strict=True):
        name = graph_name("sense", sensor)
        found[name] = _check_sense(models[name], windows, rows, config, limits)
    both = [_sensed(runs, windows, config) for runs in (fp32, int8)]
    patterns = tuple(
        _compare(name, each, (fp32, int8), config)
        for name, each in _conditions(windows, both, (fp32, int8), config)
    )
    for name in (FUSE, DECODE):
        if name in models:
            found[name] = _check_graph(models[name], both[1], config, limits)
    found[FUSE] = replace(found[FUSE], conditions=patterns)
    if DECODE not in models:
        return found, ()
    errors, restored = restoration(windows, both, (fp32[DECODE], int8[DECODE]), config)
    found[DECODE] = replace(found[DECODE], imputations=errors)
    return found, restored


def _sensed(runs: Runs, windows: Windows, config: FusionConfig) -> Sensed:
    senses = {sensor: runs[graph_name("sense", sensor)] for sensor in config.names}
    return sense(senses, windows, config)


def _check_sense(
    model: QuantizedModel, windows: Windows, rows: slice, config: FusionConfig, limits: Limits
) -> Parity:
    """Files against each other, and where the noise comes from; what it does, all see."""
    k, mine = config.rows.index(rows), []
    for given in (windows, cases.with_spans_missing(windows, MISSING[1], config)):
        live = cases.live(given, config)[:, k]
        mine += [only(given, rows).select(live)] if live.any() else []
    layers = tuple(
        replace(layer, name=f"{graph_name(model.role, model.sensor)}.{layer.name}")
        for layer in check.compare_layers(model, check.sample(mine[0], LAYER_WINDOWS))
    )
    few = [check.sample(each, AGREEMENT_WINDOWS) for each in mine]
    return _parity(model, layers, tuple(check.compare_files(model, few)), limits)


def _check_graph(
    model: QuantizedModel, found: Sensed, config: FusionConfig, limits: Limits
) -> Parity:
    calls, patterns = calls_of(model, found, config, LAYER_WINDOWS)
    layers = compare_layers(model.role, model, counting(calls, patterns))
    few, _ = calls_of(model, found, config, AGREEMENT_WINDOWS)
    told = agreements(model, few, exact(model.fp32) + QUANTIZED)
    return _parity(model, layers, tuple(told), limits)


def _parity(
    model: QuantizedModel,
    layers: tuple[Layer, ...],
    told: tuple[Agreement, ...],
    limits: Limits,
) -> Parity:
    return Parity(
        files=model.hashes,
        limits=limits,
        conditions=(),
        layers=layers,
        worst_layer=max(layers, key=lambda layer: layer.added).name,
        agreements=told,
        unchecked=() if has_vnni() else (model.names["u8"],),
    )


def calls_of(
    model: QuantizedModel, found: Sensed, config: FusionConfig, most: int
) -> tuple[Calls, Sensed]:
    """What a graph is given, of about so many windows in all patterns, and which were live."""
    few = np.unique(np.linspace(0, len(found) - 1, most).round().astype(int))
    dropped = every_pattern(found.select(few), config)
    wanted = {value.name for value in model.s8.graph.input}
    inputs = dropped.inputs([task.name for task in config.classes])
    return [({n: x for n, x in g.items() if n in wanted}, None) for g in inputs], dropped


def counting(calls: Calls, found: Sensed) -> Callable[..., list[Outputs]]:
    """What runs these calls and leaves out rows that stand for nothing."""

    def run_on(run: Run, rows_of: Callable[[str], bool]) -> list[Outputs]:
        outputs = []
        for (inputs, _), live in zip(calls, found.live, strict=True):
            outputs.append(
                {
                    name: counted(name.removesuffix(DEQUANTIZED), value, live)
                    for name, value in run(inputs).items()
                    if rows_of(name)
                }
            )
        return outputs

    return run_on


def _conditions(
    windows: Windows, both: Sequence[Sensed], runs: Sequence[Runs], config: FusionConfig
) -> Iterator[tuple[str, tuple[Windows, list[Sensed]]]]:
    """Every subset of the sensors, where all of it is live; then shares missing in spans."""
    there = both[0].live
    for subset in subsets(config.names):
        which = np.array([name in subset for name in config.names])
        rows = np.flatnonzero((there | ~which).all(axis=1))
        if len(rows) > 1:
            chosen = [each.select(rows).of(which) for each in both]
            yield named(subset), (windows.select(rows), chosen)
    for share in MISSING:
        damaged = cases.with_spans_missing(windows, share, config)
        damaged = damaged.select(cases.live(damaged, config).any(axis=1))
        if len(damaged) > 1:
            yield (
                f"{share:.0%} missing",
                (damaged, [_sensed(each, damaged, config) for each in runs]),
            )


def _compare(
    name: str,
    given: tuple[Windows, list[Sensed]],
    runs: Sequence[Runs],
    config: FusionConfig,
) -> Condition:
    windows, both = given
    first, second = (
        _answers(run[FUSE], each, config) for run, each in zip(runs, both, strict=True)
    )
    a, b = (outputs[EMBEDDING].astype(np.float64) for outputs in (first, second))
    cosine = check.centred_cosine(a, b)
    return Condition(
        name=name,
        windows=len(windows),
        sqnr=check.sqnr(a, b),
        centred_cosine=float(cosine.mean()),
        centred_cosine_p5=float(np.percentile(cosine, 5)),
        tasks=tuple(_compare_tasks(windows, first, second, config)),
    )


def _answers(run: Run, found: Sensed, config: FusionConfig) -> dict[str, Array]:
    tasks = [task.name for task in config.classes]
    outputs = [run(given) for given in found.inputs(tasks)]
    return {
        name: np.concatenate([np.asarray(out[name], np.float32) for out in outputs])
        for name in (EMBEDDING, *tasks)
    }


def _compare_tasks(
    windows: Windows,
    first: Mapping[str, Array],
    second: Mapping[str, Array],
    config: FusionConfig,
) -> Iterator[TaskParity]:
    """Accuracy and macro-F1 of each task, every subject weighing as much."""
    for task in config.classes:
        target = windows.targets[task.name]
        known = ~np.isnan(target)
        if not known.any():
            continue
        answers = [outputs[task.name].argmax(axis=1) for outputs in (first, second)]
        flips = float((answers[0] != answers[1]).mean())
        tables = [
            answer_tables(
                target[known].astype(np.int64),
                each[known],
                windows.subjects[known],
                len(task.labels),
            ).mean(axis=0)
            for each in answers
        ]
        for metric, score in (("accuracy", accuracy), ("macro-F1", macro_f1)):
            scores = (float(score(table)) for table in tables)
            yield TaskParity(task.name, metric, int(known.sum()), *scores, flips)
