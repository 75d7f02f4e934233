"""Pretrain an encoder as a masked autoencoder; labels are used for several sensors only."""

from __future__ import annotations

import argparse

from onwrist.readers.fitbit_grid import people
from onwrist_export.commands.options import (
    add_output,
    add_recordings,
    add_training,
    command_line,
    configured,
    day_configured,
    finish,
    fusion_configured,
    say,
    watching,
)
from onwrist_export.days import learn
from onwrist_export.days import store as days
from onwrist_export.days.config import DayConfig
from onwrist_export.fusion import learn as fusion
from onwrist_export.fusion import store as fusions
from onwrist_export.fusion.config import FusionConfig
from onwrist_export.learning import loops, store
from onwrist_export.packing.fusion_windows import training
from onwrist_export.windows.grids import load_grids, of_subjects


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recordings(parser)
    add_output(parser, "checkpoint to write (.safetensors)")
    add_training(parser)


def run(arguments: argparse.Namespace) -> int:
    if (day := day_configured(arguments, "pretrain")) is not None:
        return _days(arguments, day)
    if (several := fusion_configured(arguments, "encode")) is not None:
        return _encoders(arguments, several)
    config = configured(arguments, "pretrain")
    grids = load_grids(arguments.recordings, config)
    held = {*config.split.test, *config.split.validation}
    subjects = sorted({g.subject for g in grids} - held)
    say(f"pretraining on {len(subjects)} people, {config.pretrain.steps} steps")
    learn = of_subjects(grids, subjects)
    model, losses = loops.pretrain(learn, config, progress=watching())
    store.save_pretrained(arguments.output, model, config, [command_line()])
    loss = round(losses[-1], 5) if losses else None
    result = {"checkpoint": str(arguments.output), "masked_mse": loss, "subjects": subjects}
    return finish(arguments, result, f"wrote {arguments.output}; masked MSE at the end {loss}")


def _days(arguments: argparse.Namespace, config: DayConfig) -> int:
    persons = people(arguments.recordings)
    say(f"pretraining on {len(persons)} people, {config.pretrain.steps} steps")
    model, losses = learn.pretrain(persons, config, progress=watching())
    days.save_pretrained(arguments.output, model, config, [command_line()])
    loss = round(losses[-1], 5) if losses else None
    subjects = [person.subject for person in persons]
    result = {"checkpoint": str(arguments.output), "masked_huber": loss, "subjects": subjects}
    return finish(arguments, result, f"wrote {arguments.output}; masked loss at the end {loss}")


def _encoders(arguments: argparse.Namespace, config: FusionConfig) -> int:
    windows = training(arguments.recordings, config)
    subjects = sorted(set(windows.subjects.tolist()))
    say(
        f"training the encoders of {', '.join(config.names)} on {len(subjects)} people, "
        f"{len(windows)} windows, {config.encode.steps} steps"
    )
    encoded = fusion.encode(windows, config, progress=watching())
    fusions.save_encoded(arguments.output, encoded, config, [command_line()])
    result = {"checkpoint": str(arguments.output), "subjects": subjects}
    return finish(arguments, result, f"wrote {arguments.output}")
