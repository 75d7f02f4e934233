"""The steps from a checkpoint to a bundle, each from folder to folder.

quantize -> check -> pack; `artifact` says what the folder between them holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from onwrist.readers import read_all
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_export.config import Config, Window
from onwrist_export.days import store as day_store
from onwrist_export.fusion import store as fusion_store
from onwrist_export.judging import results
from onwrist_export.judging.evaluate import engine_predictor
from onwrist_export.judging.results import Results
from onwrist_export.learning import store
from onwrist_export.packing import (
    artifact,
    card,
    day_source,
    day_steps,
    fusion_source,
    fusion_steps,
    records,
)
from onwrist_export.packing.artifact import Source
from onwrist_export.packing.day_source import DaySource
from onwrist_export.packing.fusion_source import FusionSource
from onwrist_export.packing.pack import hashes, pack
from onwrist_export.packing.trials import Parities, pack_tried
from onwrist_export.quantization.check import check, runner, sample
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import IMPORTED, TRAINED, Parity
from onwrist_export.quantization.quantize import QuantizedModel, quantize, quantize_step
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
from onwrist_runtime.manifest import Role

Say = Callable[[str], None]

CALIBRATION_WINDOWS = 600
STEP_CALIBRATION_WINDOWS = 200  # each of which is many steps
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
    step: Path | None = None,
) -> Source | DaySource | FusionSource:
    """Quantize a checkpoint into `folder`, its scales chosen on recordings or simulation.

    `step` is the checkpoint of its causal form, which becomes the step graph.
    """
    kind = store.kind(checkpoint)
    if kind == day_store.PRETRAINED:
        raise InputError(
            f"{checkpoint} is a day model without its probe: quantize what `onwrist-export "
            f"train --encoder {checkpoint}` makes of it"
        )
    if kind == day_store.FINISHED:
        if step is not None:
            raise InputError(f"{checkpoint} is a day model, which has no step graph")
        if rate is not None or seconds is not None:
            raise InputError(
                f"{checkpoint} is a day model, whose window is a day of minutes: leave out "
                "--rate and --seconds"
            )
        return day_steps.quantize_checkpoint(checkpoint, folder, recordings, exclude, command)
    if kind == fusion_store.ENCODED:
        raise InputError(
            f"{checkpoint} holds encoders of several sensors that nothing fuses yet: quantize "
            f"what `onwrist-export train --encoder {checkpoint}` makes of it"
        )
    if kind == fusion_store.FINISHED:
        if step is not None or rate is not None or seconds is not None:
            raise InputError(
                f"{checkpoint} is a model of several sensors, whose window it knows and which "
                "has no step graph: leave out --step, --rate and --seconds"
            )
        return fusion_steps.quantize_checkpoint(
            checkpoint, folder, recordings, exclude, command
        )
    graph, source = artifact.open_checkpoint(checkpoint, rate, seconds)
    causal = None if step is None else artifact.open_step(step, source)
    windows, words = _calibration(source, artifact.layout(source), recordings)
    models = [quantize(graph, windows, exclude)]
    commands = source.commands
    if causal is not None:
        context, _ = _calibration(source, artifact.layout(source, "step"), recordings)
        form, made = causal
        models.append(quantize_step(form, sample(context, STEP_CALIBRATION_WINDOWS)))
        source = replace(source, step=models[-1].step)
        commands = [*commands, *made]
    source = replace(
        source,
        commands=[*commands, command],
        calibration=f"{len(windows)} windows of {words}",
        excluded=list(exclude),
    )
    artifact.clear(folder)
    for model in models:
        model.save(folder)
    artifact.keep_checkpoint(folder, checkpoint)
    if step is not None:
        artifact.keep_checkpoint(folder, step, "step")
    records.write_record(folder / records.SOURCE, source)
    return source


def check_folder(
    folder: Path, recordings: Path | None, say: Say
) -> dict[Role, Parity] | dict[str, Parity]:
    """Compare float and INT8 and all files; on recordings of a trained model, judge it too.

    Writes `parity.json`, and `results.json` for a trained model with recordings.
    """
    if day_source.is_day(folder):
        return day_steps.check_folder(folder, recordings, say)
    if fusion_source.is_fusion(folder):
        return fusion_steps.check_folder(folder, recordings, say)
    source = artifact.read_source(folder)
    models = {role: QuantizedModel.load(folder, role) for role in source.roles}
    config = artifact.layout(source)
    trained = source.kind == "trained"
    grids = _grids(source, config, recordings)
    parities: dict[Role, Parity] = {}
    for role, model in models.items():
        windows = _checked(source, artifact.layout(source, role), grids, recordings)
        say(f"{role} graph: comparing float and INT8 on {len(windows)} windows")
        parities[role] = check(
            model,
            windows,
            config.channel_names,
            config.window.rate,
            source.description.tasks,
            TRAINED if trained else IMPORTED,
        )
    records.write_record(folder / records.PARITY, parities)
    if trained and recordings:
        say("judging on test subjects and by cross-validation")
        graph, _ = artifact.open_checkpoint(artifact.kept_checkpoint(folder))
        int8 = {
            role: engine_predictor(runner(model, LiteRT(model.tflite).run))
            for role, model in models.items()
        }
        found = results.measure(
            graph, int8, hashes(models), grids, config, source.rules, source.constants
        )
        records.write_record(folder / records.RESULTS, found)
    return parities


def _checked(
    source: Source, config: Config, grids: list[Grid], recordings: Path | None
) -> Windows:
    """The windows that float and INT8 are compared on, which calibration has not seen."""
    if source.kind == "trained" and recordings:
        grids = of_subjects(grids, config.split.test)
    windows = cut_windows(grids, config, config.window.samples // 2)
    if source.kind != "trained" and recordings:
        # the second half; calibration took the first
        windows = windows.select(np.arange(len(windows) // 2 + 1, len(windows)))
    most = CHECK_WINDOWS
    if config.step_samples:  # each of which is as many runs as it has steps
        most //= windows.values.shape[-1] // config.step_samples
    return sample(windows, most)


def pack_folder(
    folder: Path, path: Path, notes: Sequence[str], elsewhere: Mapping[str, str] | None = None
) -> None:
    """Write the bundle of a checked folder, or nothing.

    Parameters
    ----------
    notes : Markdown appended to the card.
    elsewhere : Pythons of other environments by the engine that they have, which the files
        are tried in.
    """
    if day_source.is_day(folder):
        day_steps.pack_folder(folder, path, notes, elsewhere)
        return
    if fusion_source.is_fusion(folder):
        fusion_steps.pack_folder(folder, path, notes, elsewhere)
        return
    source = artifact.read_source(folder)
    models = {role: QuantizedModel.load(folder, role) for role in source.roles}
    parities = records.read_parities(folder)
    found = records.read_record(folder / records.RESULTS, Results)
    if source.kind == "trained" and (found is None or found.files != hashes(models)):
        raise InputError(
            f"{folder} was not judged on people: run `onwrist-export check {folder} "
            "--recordings RECORDINGS` first"
        )
    config = artifact.layout(source)
    grids = _simulated(config, GOLDEN_SEEDS)
    windows = cut_windows(grids, config, config.window.samples // 2)
    stream = None if source.step is None else _in_steps(grids[0], config, source.step.samples)

    def write(path: Path, parities: Parities) -> None:
        text = card.write(source, parities, found, notes)
        golden = replace(windows, targets={})
        pack(path, models, parities, source.description, golden, text, source.step, stream)

    pack_tried(path, write, parities, elsewhere or {})


def _in_steps(grid: Grid, config: Config, samples: int) -> Windows:
    """A recording as the steps of a stream."""
    window = Window(rate=config.window.rate, samples=samples)
    return cut_windows(
        [grid], msgspec.structs.replace(config, window=window, tasks=()), samples
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
