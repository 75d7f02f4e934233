"""The steps from a checkpoint to a bundle, each from folder to folder.

quantize -> check -> pack; `artifact` says what the folder between them holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from onwrist.readers import read_all
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export.config import Config
from onwrist_export.judging import results
from onwrist_export.judging.evaluate import engine_predictor
from onwrist_export.judging.results import Results
from onwrist_export.packing import artifact, card
from onwrist_export.packing.artifact import Source
from onwrist_export.packing.pack import pack
from onwrist_export.quantization.check import check, sample
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import IMPORTED, TRAINED, Parity
from onwrist_export.quantization.quantize import QuantizedModel, quantize
from onwrist_export.windows.damage import with_missing
from onwrist_export.windows.grids import (
    Grid,
    Windows,
    cut_windows,
    load_grids,
    of_subjects,
    to_grid,
)
from onwrist_runtime.errors import InputError

Say = Callable[[str], None]
Record = TypeVar("Record")

CALIBRATION_WINDOWS = 600
CHECK_WINDOWS = 3000
# Seeds of simulated wearers: none that calibrates also checks or becomes golden.
CALIBRATION_SEEDS, CHECK_SEEDS, GOLDEN_SEEDS = range(0, 12), range(100, 112), range(200, 204)
SIMULATED = "simulated signals"


def quantize_checkpoint(
    checkpoint: Path,
    folder: Path,
    recordings: Path | None,
    exclude: Sequence[str],
    rate: float | None,
    seconds: float | None,
    command: str,
) -> Source:
    """Quantize a checkpoint into `folder`, its scales chosen on recordings or simulation."""
    graph, source = artifact.open_checkpoint(checkpoint, rate, seconds)
    config = artifact.layout(source)
    windows, words = _calibration(source, config, recordings)
    model = quantize(graph, windows, exclude)
    source = replace(
        source,
        commands=[*source.commands, command],
        calibration=f"{len(windows)} windows of {words}",
        excluded=list(exclude),
    )
    artifact.clear(folder)
    model.save(folder)
    artifact.keep_checkpoint(folder, checkpoint)
    artifact.write_record(folder / artifact.SOURCE, source)
    return source


def check_folder(folder: Path, recordings: Path | None, say: Say) -> Parity:
    """Compare float and INT8 and all files; on recordings of a trained model, judge it too.

    Writes `parity.json`, and `results.json` for a trained model with recordings.
    """
    source, model = artifact.read_source(folder), QuantizedModel.load(folder)
    config = artifact.layout(source)
    trained = source.kind == "trained"
    grids = _grids(source, config, recordings)
    if trained and recordings:
        grids_checked = of_subjects(grids, config.split.test)
        windows = cut_windows(grids_checked, config, config.window.samples // 2)
    else:
        windows = cut_windows(grids, config, config.window.samples // 2)
        # the second half; calibration took the first
        half = np.arange(len(windows) // 2 + 1, len(windows))
        windows = windows.select(half) if recordings else windows
    say(f"comparing float and INT8 on {min(len(windows), CHECK_WINDOWS)} windows")
    parity = check(
        model,
        sample(windows, CHECK_WINDOWS),
        config.channel_names,
        config.window.rate,
        source.description.tasks,
        TRAINED if trained else IMPORTED,
    )
    artifact.write_record(folder / artifact.PARITY, parity)
    if trained and recordings:
        say("judging on test subjects and by cross-validation")
        graph, _ = artifact.open_checkpoint(artifact.kept_checkpoint(folder))
        int8 = engine_predictor(LiteRT(model.tflite).run)
        found = results.measure(
            graph, int8, model.hashes, grids, config, source.rules, source.constants
        )
        artifact.write_record(folder / artifact.RESULTS, found)
    return parity


def pack_folder(folder: Path, path: Path, notes: Sequence[str]) -> None:
    """Write the bundle of a checked folder, or nothing.

    Parameters
    ----------
    notes : Markdown appended to the card.
    """
    source, model = artifact.read_source(folder), QuantizedModel.load(folder)
    parity = _read(folder / artifact.PARITY, Parity)
    if parity is None:
        raise InputError(f"{folder} was not checked: run `onwrist-export check {folder}` first")
    found = _read(folder / artifact.RESULTS, Results)
    if source.kind == "trained" and (found is None or found.files != model.hashes):
        raise InputError(
            f"{folder} was not judged on people: run `onwrist-export check {folder} "
            "--recordings RECORDINGS` first"
        )
    config = artifact.layout(source)
    golden = cut_windows(_simulated(config, GOLDEN_SEEDS), config, config.window.samples // 2)
    pack(
        path,
        model,
        parity,
        source.description,
        replace(golden, targets={}),
        card.write(source, parity, found, notes),
    )


def _calibration(
    source: Source, config: Config, recordings: Path | None
) -> tuple[Windows, str]:
    hop = config.window.samples // 2
    if recordings is None:
        grids, words = _simulated(config, CALIBRATION_SEEDS), SIMULATED
    elif source.kind == "trained":
        grids = load_grids(recordings, config)
        held = {*config.split.test, *config.split.validation}
        grids = of_subjects(grids, {g.subject for g in grids} - held)
        words = f"the training subjects in {recordings.name}"
    else:
        grids = _grids(source, config, recordings)
        words = recordings.name
    windows = cut_windows(grids, config, hop)
    if recordings and source.kind != "trained":
        windows = windows.select(np.arange(len(windows) // 2))
    if not windows.observed.any():
        raise InputError(
            f"nothing is observed of {', '.join(config.channel_names)} in the calibration "
            "recordings; their channels must have these names"
        )
    windows = sample(windows, CALIBRATION_WINDOWS)
    if source.kind == "trained":
        # as the device sees them: every other window lacks channels or samples
        lacking = with_missing(windows, config, config.seed)
        kept = np.ones_like(windows.observed)
        kept[::2] = lacking.observed[::2]
        windows = windows.without(kept)
    return windows, words


def _grids(source: Source, config: Config, recordings: Path | None) -> list[Grid]:
    if recordings is None:
        return _simulated(config, CHECK_SEEDS)
    if source.kind == "trained":
        return load_grids(recordings, config)
    return [to_grid(recording, config) for recording in read_all(recordings)]


def _simulated(config: Config, seeds: range) -> list[Grid]:
    made = []
    for seed in seeds:
        found = simulate(seed=seed)
        named = Recording(f"simulated-{seed}", f"simulated-{seed}", found.signals, found.labels)
        made.append(to_grid(named, config))
    return made


def _read(path: Path, kind: type[Record]) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged: {error}; check again") from None
