"""A quantized model that has passed its check in, a bundle out.

Golden vectors are made here: windows of every kind of missingness, with the outputs of
each format's reference engine, and how far an engine may be from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_export.model.himae import HiMAEConfig
from onwrist_export.packing.tolerances import tolerances
from onwrist_export.quantization.check import conditions, onnx_run, sample
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import Parity
from onwrist_export.quantization.quantize import QuantizedModel, file_names
from onwrist_export.quantization.stepwise import NEXT_STATE, carried
from onwrist_export.windows.grids import Run, Windows, run_all
from onwrist_export.windows.masks import drop_spans
from onwrist_runtime import bundle
from onwrist_runtime.errors import InputError, ParityError
from onwrist_runtime.manifest import (
    CARD_FILE,
    FORMAT_VERSION,
    PARITY_FILE,
    Baseline,
    Channel,
    Golden,
    Graph,
    Manifest,
    Role,
    Stage,
    Step,
    Task,
)

Name = TypeVar("Name", bound=str)  # of a graph: its role, or how its files begin

GOLDEN_FILE = "golden.safetensors"
GOLDEN_AS_THEY_ARE = 6
GOLDEN_STEPS = 10  # of each kind, more than a window has


@dataclass(frozen=True)
class Description:
    """What a manifest says besides what follows from the model files."""

    name: str
    version: str
    description: str
    licence: str
    rate: float
    samples: int
    channels: tuple[Channel, ...]
    embedding: tuple[Stage, ...]
    tasks: tuple[Task, ...] = ()
    baseline: Baseline | None = None


def stages(config: HiMAEConfig) -> tuple[Stage, ...]:
    """Where the means of each stage lie in the embedding."""
    stops = np.cumsum(config.widths).tolist()
    return tuple(
        Stage(
            name=f"stage{number}",
            start=stop - width,
            stop=stop,
            stride=stride,
            receptive_field=field,
        )
        for number, (width, stop, stride, field) in enumerate(
            zip(config.widths, stops, config.strides, config.receptive_fields, strict=True), 1
        )
    )


def pack(
    path: Path,
    models: Mapping[Role, QuantizedModel],
    parities: Mapping[Role, Parity],
    description: Description,
    windows: Windows,
    card: str,
    step: Step | None = None,
    stream: Windows | None = None,
) -> None:
    """Write a bundle, or nothing.

    Parameters
    ----------
    models : the window graph, and the step graph if there is one.
    parities : what `check` found for just their files.
    windows : where golden windows are taken from.
    card : CARD.md.
    step, stream : with a step graph; the stream, cut into steps, is where golden steps are
        taken from.

    Raises
    ------
    ParityError
        A limit is broken, or `parities` are of other files.
    OSError
        The bundle cannot be written; nothing is left behind.
    """
    require_checked(models, parities, excludable=("window",))
    names = [channel.name for channel in description.channels]
    chosen = golden_windows(windows, names, description.rate)
    tensors = _vectors(chosen, *_runs(models["window"]))
    steps = 0
    if stream is not None:
        golden = golden_steps(stream, description.rate)
        steps = len(golden)
        runs = (_carrying(models["step"], run) for run in _runs(models["step"]))
        tensors |= _vectors(golden, *runs, prefix="step/")
    tolerance, loose = tolerances(parities.values(), tensors)
    manifest = Manifest(
        format=FORMAT_VERSION,
        name=description.name,
        version=description.version,
        description=description.description,
        licence=description.licence,
        rate=description.rate,
        samples=description.samples,
        channels=description.channels,
        embedding=description.embedding,
        tasks=description.tasks,
        graphs=graph_files(models),
        baseline=description.baseline,
        step=step,
        golden=Golden(
            file=GOLDEN_FILE,
            windows=len(chosen),
            steps=steps,
            tolerance=tolerance,
            loose=loose,
        ),
        members={},
    )
    bundle.write(path, manifest, members(models.values(), tensors, parities, card))


def graph_files(roles: Iterable[Role], sensor: str | None = None) -> tuple[Graph, ...]:
    """The files of each graph, as the manifest lists them; of one `sensor`'s if it has one."""
    return tuple(
        Graph(file=name, format=form, activations=integers, role=role, sensor=sensor)
        for role in roles
        for name, form, integers in (
            (file_names(role, sensor)["u8"], "onnx", "u8"),
            (file_names(role, sensor)["s8"], "onnx", "s8"),
            (file_names(role, sensor)["tflite"], "tflite", "s8"),
        )
    )


def hashes(models: Mapping[Name, QuantizedModel]) -> dict[str, str]:
    """SHA-256 of every model file by name."""
    return {name: each for model in models.values() for name, each in model.hashes.items()}


def _runs(model: QuantizedModel) -> tuple[Run, Run]:
    """The reference engine of each format."""
    return onnx_run(model.s8), LiteRT(model.tflite).run


def _carrying(model: QuantizedModel, run: Run) -> Run:
    """A step graph as a function of the next step of one stream, which it remembers."""
    steps = carried(run, model.fp32)
    return lambda inputs: {n: o for n, o in steps(inputs).items() if n != NEXT_STATE}


def _vectors(
    windows: Windows, onnx: Run, tflite: Run, prefix: str = ""
) -> dict[str, NDArray[np.generic]]:
    """Inputs, and the outputs that each format's reference engine gives for them."""
    tensors: dict[str, NDArray[np.generic]] = {
        f"{prefix}values": windows.values,
        f"{prefix}observed": windows.observed.astype(np.uint8),
    }
    if windows.baseline is not None:
        tensors[f"{prefix}baseline"] = windows.baseline
    for form, run in (("onnx", onnx), ("tflite", tflite)):
        for name, outputs in run_all(run, windows).items():
            tensors[f"{form}/{prefix}{name}"] = outputs.astype(np.float32)
    return tensors


def golden_steps(stream: Windows, rate: float) -> Windows:
    """The first steps of a stream: whole, then full of gaps, then without its first channel."""
    steps = stream.select(np.arange(min(len(stream), 3 * GOLDEN_STEPS)))
    _, channels, samples = steps.values.shape
    rng = np.random.default_rng(0)
    kept = np.ones_like(steps.observed)
    gaps = drop_spans(rng, np.full(channels, 0.5), GOLDEN_STEPS * samples, rate)
    kept[GOLDEN_STEPS : 2 * GOLDEN_STEPS] = gaps.reshape(
        channels, GOLDEN_STEPS, samples
    ).swapaxes(0, 1)
    kept[2 * GOLDEN_STEPS :, 0] = False
    return steps.without(kept)


def golden_windows(windows: Windows, channels: list[str], rate: float) -> Windows:
    """A few windows as they are, and one for each kind of missingness.

    The most complete windows come first, so that each kind starts from whole signals.
    """
    if not len(windows):
        raise InputError("golden vectors need at least one window")
    complete = np.argsort(-windows.observed.mean(axis=(1, 2)), kind="stable")
    best = windows.select(complete[: max(len(complete) // 4, 1)])
    chosen = [sample(windows, GOLDEN_AS_THEY_ARE)]
    for index, (_, damaged) in enumerate(conditions(best, channels, rate)):
        chosen.append(damaged.select(np.array([index * 7 % len(best)])))
    last = best.select(np.array([0]))
    kept = np.zeros_like(last.observed)
    kept[:, 0, last.values.shape[2] // 2] = True  # a single sample of one channel
    chosen.append(last.without(kept))
    return replace(
        chosen[0],
        values=np.concatenate([c.values for c in chosen]),
        observed=np.concatenate([c.observed for c in chosen]),
        elapsed=np.concatenate([c.elapsed for c in chosen]),
        subjects=np.concatenate([c.subjects for c in chosen]),
        targets={},
        baseline=None
        if windows.baseline is None
        else np.concatenate([c.baseline for c in chosen]),
    )


def members(
    models: Iterable[QuantizedModel],
    vectors: Mapping[str, NDArray[np.generic]],
    parities: Mapping[str, Parity],
    card: str,
) -> dict[str, bytes]:
    """Everything in a bundle but its manifest."""
    # safetensors writes memory as it lies, whatever the order of its axes.
    laid = {name: np.ascontiguousarray(vector) for name, vector in vectors.items()}
    return {name: data for model in models for name, data in model.files.items()} | {
        GOLDEN_FILE: safetensors.numpy.save(laid),
        PARITY_FILE: msgspec.json.format(msgspec.json.encode(parities), indent=1),
        CARD_FILE: card.encode(),
    }


def require_checked(
    models: Mapping[Name, QuantizedModel],
    parities: Mapping[Name, Parity],
    excludable: Collection[Name] = (),
) -> None:
    """Raise ParityError if a limit is broken, or the files are not the ones checked.

    `excludable` are the graphs of which a layer may be kept in float, as the error then says.
    """
    for role, parity in parities.items():
        parity.require(excludable=role in excludable)
    checked = {name: each for p in parities.values() for name, each in p.files.items()}
    if checked != hashes(models):
        raise ParityError("these model files are not the ones that were checked: check them")
