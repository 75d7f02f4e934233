"""A quantized model that has passed its check in, a bundle out.

Golden vectors are made here: windows of every kind of missingness, with the outputs of
each format's reference engine, and how far an engine may be from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from onwrist_export.model.himae import HiMAEConfig
from onwrist_export.quantization.check import Array, conditions, onnx_run, sample
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import Parity
from onwrist_export.quantization.quantize import FILES, QuantizedModel
from onwrist_export.windows.grids import Windows, run_all
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
    Stage,
    Task,
)

GOLDEN_FILE = "golden.safetensors"
GOLDEN_AS_THEY_ARE = 6
# An engine may be off by this share of an output's range over the golden windows, or by
# this many times what was measured here, whichever is more: room for the last bits of
# other processors, and far below what a wrong graph gives.
TOLERANCE, MARGIN = 1e-3, 4.0


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
    model: QuantizedModel,
    parity: Parity,
    description: Description,
    windows: Windows,
    card: str,
) -> None:
    """Write a bundle, or nothing.

    Parameters
    ----------
    parity : what `check` found for just these files.
    windows : where golden windows are taken from.
    card : CARD.md.

    Raises
    ------
    ParityError
        A limit is broken, or `parity` is of other files.
    OSError
        The bundle cannot be written; nothing is left behind.
    """
    parity.require()
    if parity.files != model.hashes:
        raise ParityError("these model files are not the ones that were checked: check them")
    names = [channel.name for channel in description.channels]
    chosen = golden_windows(windows, names, description.rate)
    onnx = run_all(onnx_run(model.s8), chosen)
    tflite = run_all(LiteRT(model.tflite).run, chosen)
    tolerance, loose = tolerances(parity, onnx)
    tensors: dict[str, NDArray[np.generic]] = {
        "values": chosen.values,
        "observed": chosen.observed.astype(np.uint8),
    }
    if chosen.baseline is not None:
        tensors["baseline"] = chosen.baseline
    for form, outputs in (("onnx", onnx), ("tflite", tflite)):
        tensors |= {f"{form}/{name}": o.astype(np.float32) for name, o in outputs.items()}
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
        graphs=(
            Graph(file=FILES["u8"], format="onnx", activations="u8"),
            Graph(file=FILES["s8"], format="onnx", activations="s8"),
            Graph(file=FILES["tflite"], format="tflite", activations="s8"),
        ),
        baseline=description.baseline,
        golden=Golden(file=GOLDEN_FILE, windows=len(chosen), tolerance=tolerance, loose=loose),
        members={},
    )
    members = model.files | {
        GOLDEN_FILE: safetensors.numpy.save(tensors),
        PARITY_FILE: msgspec.json.format(msgspec.json.encode(parity), indent=1),
        CARD_FILE: card.encode(),
    }
    bundle.write(path, manifest, members)


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


def tolerances(
    parity: Parity, outputs: dict[str, Array]
) -> tuple[dict[str, float], dict[str, float]]:
    """How far engines that round alike, and those that do not, may be off by output."""
    tolerance, loose = {}, {}
    for name, values in outputs.items():
        measured = {True: 0.0, False: 0.0}
        for a in parity.agreements:
            measured[a.rounds_alike] = max(measured[a.rounds_alike], a.outputs[name])
        floor = TOLERANCE * float(np.ptp(values))
        tolerance[name] = max(floor, MARGIN * measured[True])
        loose[name] = max(tolerance[name], MARGIN * measured[False])
    return tolerance, loose
