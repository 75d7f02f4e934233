"""Why steps do not equal `predict`: heart rate in a stream, from nothing, and from a window.

    python benchmarks/isolation.py RECORDINGS -o benchmarks/results/isolation.md

A causal encoder remembers: its coarsest stage sees more than a window. The labelled windows
of the test subjects go through the step graph with what came before them, through the same
steps begun from nothing, and through the window graph.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx

import onwrist
from onwrist_export.config import load_config
from onwrist_export.judging.evaluate import engine_predictor
from onwrist_export.judging.tables import markdown
from onwrist_export.quantization.stepwise import stepwise
from onwrist_export.windows.grids import cut_windows, load_grids, of_subjects
from onwrist_runtime.engines import open_engine

TASK = "heart_rate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    config, model = load_config(), onwrist.load()
    grids = of_subjects(load_grids(arguments.recordings, config), config.split.test)
    windows = cut_windows(grids, config.causal, config.hop).labelled(TASK)
    graph = onnx.load_from_string(model.bundle.members["step.s8.onnx"])
    in_steps = engine_predictor(stepwise(open_engine(model.bundle, role="step").run, graph))
    found = {
        "steps in their stream": in_steps(windows)[TASK][:, 0],
        "the same steps from nothing": in_steps(windows.alone())[TASK][:, 0],
        "predict": engine_predictor(model.engine.run)(windows.alone())[TASK][:, 0],
    }
    rows = [
        [name, f"{np.abs(value - windows.targets[TASK]).mean():.2f}"]
        for name, value in found.items()
    ]
    pairs = [
        [f"{a}, {b}", f"{np.abs(found[a] - found[b]).mean():.2f}"]
        for a, b in combinations(found, 2)
    ]
    text = (
        "# Steps and isolated windows\n\n"
        f"{model.name} {model.version}, sha256 {model.hash[:12]}, {model.engine.name} INT8, "
        f"{len(windows)} windows of {', '.join(config.split.test)}.\n\n"
        + markdown(["heart rate by", "mean absolute error (bpm)"], rows)
        + "\n"
        + markdown(["between", "mean absolute difference (bpm)"], pairs)
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
