"""Does `observed` help as encoder input, or is zero enough? Heart rate decides.

    python benchmarks/ablation.py RECORDINGS -o benchmarks/results/ablation.md

Trains the shipped configuration from scratch both ways, same seed, same batches, and
prints the error on the validation subjects, who choose; test subjects stay unseen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import torch

from onwrist_export.config import load_config
from onwrist_export.judging.evaluate import graph_predictor, rate_table
from onwrist_export.judging.tables import markdown
from onwrist_export.learning.train import train
from onwrist_export.model.himae import HiMAE
from onwrist_export.windows.grids import cut_windows, load_grids, of_subjects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for observed_input in (False, True):
        config = load_config()
        config = msgspec.structs.replace(
            config,
            encoder=msgspec.structs.replace(config.encoder, observed_input=observed_input),
            train=msgspec.structs.replace(config.train, steps=arguments.steps),
        )
        grids = load_grids(arguments.recordings, config)
        torch.manual_seed(config.seed)
        trained = train(HiMAE(config.himae), grids, config, print)
        windows = cut_windows(of_subjects(grids, config.split.validation), config, 64)
        (task,) = (t for t in config.tasks if t.kind == "rate")
        table = rate_table(
            {"onwrist": graph_predictor(trained.graph)},
            windows,
            task,
            trained.rules[task.name],
            trained.constants[task.name],
            config.window.rate,
        )
        found = [row.every.pooled for row in table if row.method == "onwrist"]
        name = "zero, and `observed` as channels" if observed_input else "zero only"
        rows.append([name, *(f"{error:.2f}" for error in found)])
        print(*rows[-1])
    text = "## What is missing, as encoder input\n\n"
    text += f"MAE in bpm on validation subjects after {arguments.steps} steps from scratch:\n\n"
    text += markdown(["missing samples enter as", "0 % missing", "25 %", "50 %", "75 %"], rows)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text)


if __name__ == "__main__":
    main()
