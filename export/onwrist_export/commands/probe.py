"""Fit a linear probe on every stage for every task: which resolution carries what."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import torch

from onwrist.files import written_beside
from onwrist_export.commands.options import (
    add_output,
    add_recordings,
    add_threads,
    finish,
    natural,
    say,
    watching,
)
from onwrist_export.judging import figures, probe, tables
from onwrist_export.learning import store
from onwrist_export.windows.grids import load_grids


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="encoder that pretrain or train wrote")
    add_recordings(parser)
    add_output(parser, "folder for probe.json, probe.md and probe.png")
    parser.add_argument(
        "--tuning-steps",
        type=natural,
        default=0,
        metavar="N",
        help="also tune end to end from this encoder and from scratch, N steps each",
    )
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    torch.set_num_threads(arguments.threads)
    if store.kind(arguments.checkpoint) == "trained":
        trained, _ = store.load_trained(arguments.checkpoint)
        name, model, config = "tuned", trained.graph.encoder, trained.config
    else:
        name, (model, config, _) = "pretrained", store.load_pretrained(arguments.checkpoint)
    grids = load_grids(arguments.recordings, config)
    say("fitting probes")
    encoders = {name: model, "random": probe.random_encoder(grids, config)}
    rows = probe.probe(encoders, grids, config)
    tuned = []
    if arguments.tuning_steps:
        say("tuning with few people and with all")
        tuned = probe.tuning_study(model, grids, config, arguments.tuning_steps, watching())

    folder: Path = arguments.output
    result = {"probes": msgspec.to_builtins(rows), "tuning": msgspec.to_builtins(tuned)}
    text = "## Probes by resolution\n\n" + tables.probes(rows, config)
    if tuned:
        text += "## Does pretraining help?\n\n" + tables.tuning(tuned)
    with written_beside(folder / "probe.json") as path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    with written_beside(folder / "probe.md") as path:
        path.write_text(text)
    with written_beside(folder / "probe.png") as path:
        figures.probes(rows, config, path)
    return finish(arguments, result, text)
