"""Quantized graphs of a day that have passed their check in, a bundle out.

Golden vectors are made here: a simulated day for every size of the encoder, and one of which
hardly anything was observed, with the outputs of each format's reference engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist_export.days.config import DayConfig
from onwrist_export.packing.pack import (
    GOLDEN_FILE,
    graph_files,
    members,
    require_checked,
)
from onwrist_export.packing.tolerances import through_all
from onwrist_export.quantization.check import onnx_run
from onwrist_export.quantization.day import Days, Run, chained
from onwrist_export.quantization.litert import Kernels, LiteRT
from onwrist_export.quantization.parity import Parity
from onwrist_export.quantization.quantize import QuantizedModel
from onwrist_runtime import bundle
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import (
    CLOCK,
    FORMAT_VERSION,
    Golden,
    Manifest,
    Role,
    Stage,
    Task,
    Tokens,
)
from onwrist_runtime.tokens import Cut

Models = Mapping[Role, QuantizedModel]
Vectors = dict[str, NDArray[np.generic]]

ROLES: tuple[Role, ...] = ("embed", "encode", "decode")
STAGES = ("day", "recent")


def describe(config: DayConfig, least_confidence: Mapping[str, float]) -> Manifest:
    """The manifest but for its golden vectors and members."""
    sizes = config.lsm2
    probe = config.probe
    return Manifest(
        format=FORMAT_VERSION,
        name=config.name,
        version=config.version,
        description=config.description,
        licence=config.licence,
        rate=1 / 60,
        samples=sizes.minutes,
        channels=config.channels,
        embedding=tuple(
            Stage(
                name=name,
                start=k * sizes.width,
                stop=(k + 1) * sizes.width,
                stride=sizes.minutes,
                receptive_field=sizes.minutes,
            )
            for k, name in enumerate(STAGES)
        ),
        tasks=tuple(
            Task(
                name=name,
                kind="regression",
                unit="min",
                required=probe.required,
                minimum_confidence=least,
            )
            for name, least in least_confidence.items()
        ),
        graphs=graph_files(ROLES),
        tokens=Tokens(
            patch=config.patch,
            groups=config.groups,
            width=sizes.width,
            sizes=config.sizes,
            interpolated=config.interpolated,
        ),
        golden=Golden(file=GOLDEN_FILE, windows=1, tolerance={}, loose={}),
        members={},
    )


def pack_days(
    path: Path,
    models: Models,
    parities: Mapping[Role, Parity],
    manifest: Manifest,
    days: Days,
    card: str,
) -> None:
    """Write a bundle, or nothing.

    Parameters
    ----------
    parities : what `check_days` found for just their files.
    manifest : of `describe`.
    days : where golden windows are taken from.
    card : CARD.md.

    Raises
    ------
    ParityError
        A limit is broken, or `parities` are of other files.
    OSError
        The bundle cannot be written; nothing is left behind.
    """
    require_checked(models, parities, excludable=parities.keys())
    chosen = golden_days(days, Cut.of(manifest))
    vectors: Vectors = {
        "values": np.nan_to_num(chosen.values),
        "observed": (~np.isnan(chosen.values)).astype(np.uint8),
        CLOCK: chosen.clocks[:, None].astype(np.float32),
    }
    found = {
        "onnx": _outputs(manifest, chosen, {r: onnx_run(m.s8) for r, m in models.items()}),
        "tflite": _outputs(manifest, chosen, _lite(models, Kernels.DEFAULT)),
    }
    others = [
        _outputs(manifest, chosen, _lite(models, kernels))
        for kernels in (Kernels.BUILT_IN, Kernels.REFERENCE)
    ]
    tolerance, loose = through_all(found, others, parities.values())
    for form, outputs in found.items():
        vectors |= {f"{form}/{name}": value for name, value in outputs.items()}
    golden = Golden(file=GOLDEN_FILE, windows=len(chosen), tolerance=tolerance, loose=loose)
    stated = msgspec.structs.replace(manifest, golden=golden)
    bundle.write(path, stated, members(models.values(), vectors, parities, card))


def _lite(models: Models, kernels: Kernels) -> dict[Role, Run]:
    return {role: LiteRT(model.tflite, kernels).run for role, model in models.items()}


def _outputs(manifest: Manifest, days: Days, runs: Mapping[Role, Run]) -> Vectors:
    """All outputs of every day, as a host gets them."""
    chain = chained(manifest, runs)
    found = [chain.run(inputs) for inputs in days.inputs()]
    return {
        name: np.concatenate([np.asarray(out[name], np.float32) for out in found])
        for name in manifest.outputs
    }


def golden_days(days: Days, cut: Cut) -> Days:
    """A day for every size of the encoder, and one of which a single minute was observed.

    Raises
    ------
    InputError : no day is whole enough for the largest size.
    """
    rng = np.random.default_rng(0)
    present = np.stack([cut.present(~np.isnan(values)) for values in days.values])
    whole = np.argsort(-present.sum(axis=1), kind="stable")
    values, clocks = [], []
    for k, size in enumerate(cut.sizes):
        least = cut.sizes[k - 1] + 1 if k else 1
        day = whole[k % max(len(whole) // 4, 1)]
        tokens = np.flatnonzero(present[day])
        if len(tokens) < least:
            raise InputError(f"golden vectors need a day with {least} tokens")
        wanted = min(size - k, len(tokens))
        window = days.values[day].copy()
        for token in rng.permutation(tokens)[wanted:]:
            patch, group = divmod(int(token), len(cut.rows))
            window[list(cut.rows[group]), patch * cut.patch : (patch + 1) * cut.patch] = np.nan
        values.append(window)
        clocks.append(days.clocks[day])
    last = np.full_like(values[0], np.nan)
    row, minute = np.argwhere(~np.isnan(values[0]))[-1]
    last[row, minute] = values[0][row, minute]
    return Days(np.stack([*values, last]), np.array([*clocks, clocks[0]]))
