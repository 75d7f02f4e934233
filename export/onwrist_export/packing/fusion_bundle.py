"""Quantized graphs of several sensors that have passed their check in, a bundle out.

Golden vectors are made here: simulated windows of every pattern of live sensors, with gaps
and with hardly anything, with the outputs of each format's reference engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist_export.fusion.config import FusionConfig
from onwrist_export.fusion.evidence import subsets
from onwrist_export.packing.pack import (
    GOLDEN_FILE,
    graph_files,
    members,
    require_checked,
)
from onwrist_export.packing.tolerances import through_all
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.day import Member, Run
from onwrist_export.quantization.fusion import DECODE, FUSE
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_export.quantization.parity import Parity
from onwrist_export.quantization.quantize import QuantizedModel, graph_name
from onwrist_export.windows.grids import Windows
from onwrist_runtime import bundle
from onwrist_runtime.availability import Patterns
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.manifest import (
    FORMAT_VERSION,
    Availability,
    Fusion,
    Golden,
    Manifest,
    Pattern,
    Stage,
    Task,
)
from onwrist_runtime.manifest_plausible import Plausible

Models = Mapping[str, QuantizedModel]
Vectors = dict[str, NDArray[np.generic]]


def describe(config: FusionConfig, plausible: Sequence[Plausible] = ()) -> Manifest:
    """The manifest but for its golden vectors and members.

    Nothing is calibrated in it: every temperature is 1, and every answer confident enough.
    """
    restores = config.fusion.fill == "restored"
    tasks = [task.name for task in config.classes]
    samples = config.window.samples
    graphs = [each for s in config.names for each in graph_files(("sense",), s)]
    return Manifest(
        format=FORMAT_VERSION,
        name=config.name,
        version=config.version,
        description=config.description,
        licence=config.licence,
        rate=config.window.rate,
        samples=samples,
        channels=config.channels,
        embedding=(
            Stage(
                name="fused",
                start=0,
                stop=config.fusion.width,
                stride=samples,
                receptive_field=samples,
            ),
        ),
        tasks=tuple(
            Task(
                name=task.name,
                kind="classification",
                labels=task.labels,
                required={},
                minimum_confidence=0.0,
            )
            for task in config.classes
        ),
        graphs=(*graphs, *graph_files(("fuse", "decode") if restores else ("fuse",))),
        availability=Availability(
            least=config.fusion.least,
            patterns=tuple(
                Pattern(
                    sensors=subset,
                    temperatures=dict.fromkeys(tasks, 1.0),
                    minimum_confidence=dict.fromkeys(tasks, 0.0),
                )
                for subset in subsets(config.names)
            ),
        ),
        fusion=Fusion(
            tokens=1 + samples // 2 ** len(config.encoder.widths),
            width=config.encoder.widths[-1],
            restores=restores,
        ),
        plausible=tuple(plausible),
        golden=Golden(file=GOLDEN_FILE, windows=1, tolerance={}, loose={}),
        members={},
    )


def pack_fusion(
    path: Path,
    models: Models,
    parities: Mapping[str, Parity],
    manifest: Manifest,
    golden: Windows,
    card: str,
) -> None:
    """Write a bundle, or nothing.

    Parameters
    ----------
    parities : what `check_fusion` found for just their files.
    manifest : of `describe`.
    golden : windows of every pattern.
    card : CARD.md.

    Raises
    ------
    ParityError
        A limit is broken, or `parities` are of other files.
    OSError
        The bundle cannot be written; nothing is left behind.
    """
    require_checked(models, parities, excludable=parities.keys())
    found = {
        "onnx": outputs(manifest, golden, {n: onnx_run(m.s8) for n, m in models.items()}),
        "tflite": outputs(manifest, golden, _lite(models, Kernels.DEFAULT)),
    }
    others = [
        outputs(manifest, golden, _lite(models, kernels))
        for kernels in (Kernels.BUILT_IN, Kernels.REFERENCE)
    ]
    tolerance, loose = through_all(found, others, parities.values())
    vectors: Vectors = {
        "values": golden.values,
        "observed": golden.observed.astype(np.uint8),
    }
    for form, given in found.items():
        vectors |= {f"{form}/{name}": value for name, value in given.items()}
    said = Golden(file=GOLDEN_FILE, windows=len(golden), tolerance=tolerance, loose=loose)
    stated = msgspec.structs.replace(manifest, golden=said)
    bundle.write(path, stated, members(models.values(), vectors, parities, card))


def _lite(models: Models, kernels: Kernels) -> dict[str, Run]:
    return {name: LiteRT(model.tflite, kernels).run for name, model in models.items()}


def ensemble(manifest: Manifest, runs: Mapping[str, Run]) -> Ensemble:
    """The runtime's ensemble around what runs each graph, by its name."""
    senses = [Member(runs[graph_name("sense", sensor)]) for sensor in manifest.sensors]
    decode = Member(runs[DECODE]) if DECODE in runs else None
    return Ensemble(manifest, senses, Member(runs[FUSE]), decode)


def outputs(manifest: Manifest, windows: Windows, runs: Mapping[str, Run]) -> Vectors:
    """All outputs of every window, as a host gets them."""
    whole, patterns = ensemble(manifest, runs), Patterns(manifest)
    found = []
    for inputs in windows.feeds():
        scales = patterns.of(inputs["observed"][0] > 0).scales
        found.append(whole.run({**inputs, **scales}))
    return {
        name: np.concatenate([np.asarray(out[name], np.float32) for out in found])
        for name in manifest.outputs
    }
