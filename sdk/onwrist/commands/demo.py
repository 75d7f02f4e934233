"""A simulated wrist, body or three days through the bundle: table and figure.

In two minutes of a wrist the truth is known, ppg drops out for 20 seconds and the thermometer
dies; latency is measured too. The body, for a bundle of several sensors, loses one of them and
the figure shows what the model restores. The days, for a bundle of days, have the gaps of a
worn tracker.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import onwrist
from onwrist import plot_days, plots
from onwrist.bench.machine import processor_name
from onwrist.commands import days, options, output
from onwrist.days import days_of
from onwrist.recording import Recording
from onwrist.simulate import body, simulate
from onwrist.simulate import days as simulate_days
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.signals import resample

_RUNS = 500
_DAYS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=options.figure,
        default=Path("demo.png"),
        metavar="OUT.png",
        help="where the figure goes (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=options.seed, default=0, help="another wearer (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    model = onwrist.load(arguments.bundle, arguments.engine)
    if model.manifest.tokens is not None:
        return _run_days(model, arguments)
    if model.manifest.fusion is not None:
        return _run_body(model, arguments)
    recording = simulate(seed=arguments.seed)
    predictions = list(model.predict_recording(recording.signals))
    plots.save(arguments.output, recording, predictions, model.manifest)
    latency = measure(model, recording)
    if arguments.json:
        output.print_json(
            {
                "predictions": [output.as_json(x, model.manifest) for x in predictions],
                "heart_rate_error_bpm": heart_rate_error(recording, predictions),
                "latency": latency,
                "figure": str(arguments.output),
            }
        )
        return 0
    print(
        f"{recording.end - recording.start:.0f} s of a simulated wrist through {model.name} "
        f"{model.version} in {model.engine.name}: ppg drops out for 20 s, the thermometer dies"
    )
    output.print_predictions(predictions, model.manifest, recording.start)
    error = heart_rate_error(recording, predictions)
    if error is not None:
        print(f"heart rate is off the simulated truth by {error:.1f} bpm on average")
    print(
        f"one window takes {latency['engine_ms']:.3f} ms in {latency['engine']} and "
        f"{latency['predict_ms']:.3f} ms with all of predict (median of {_RUNS}, one "
        f"thread, on this machine: {latency['machine']})"
    )
    print(f"figure: {arguments.output}")
    return 0


def _run_days(model: Model, arguments: argparse.Namespace) -> int:
    recording = simulate_days(_DAYS, arguments.seed)
    found = days_of(model.predict_recording(recording.signals), model.manifest)
    plot_days.save(arguments.output, recording.name, found, model.manifest)
    if arguments.json:
        made = [days.as_json(day, model.manifest) for day in found]
        output.print_json({"days": made, "figure": str(arguments.output)})
        return 0
    print(
        f"{_DAYS} days of a simulated wrist through {model.name} {model.version} in "
        f"{model.engine.name}: the tracker charges, stays off some nights, loses the pulse"
    )
    days.print_days(found, model.manifest)
    print(f"figure: {arguments.output}")
    return 0


def _run_body(model: Model, arguments: argparse.Namespace) -> int:
    recording = body(seed=arguments.seed)
    impute = model.manifest.imputes or None
    predictions = list(model.predict_recording(recording.signals, impute=impute))
    plots.save(arguments.output, recording, predictions, model.manifest)
    if arguments.json:
        made = [output.as_json(x, model.manifest) for x in predictions]
        output.print_json({"predictions": made, "figure": str(arguments.output)})
        return 0
    print(
        f"{recording.end - recording.start:.0f} s of a simulated body through {model.name} "
        f"{model.version} in {model.engine.name}: it stands, walks, loses a sensor, lies down"
    )
    output.print_predictions(predictions, model.manifest, recording.start)
    print(f"figure: {arguments.output}")
    return 0


def heart_rate_error(recording: Recording, predictions: Sequence[Prediction]) -> float | None:
    """Mean absolute error in bpm over the windows with an answer; None if there are none.

    The truth of a window is its beats over their time, not the mean of their rates.
    """
    beats = [label for label in recording.labels if label.task == "heart_rate"]
    errors = []
    for prediction in predictions:
        result = prediction.tasks.get("heart_rate")
        if result is None or result.value is None or prediction.start is None:
            continue
        assert prediction.end is not None  # every window of a recording has both
        inside = [x for x in beats if prediction.start <= x.start and x.end <= prediction.end]
        if inside:
            truth = 60.0 * len(inside) / sum(x.end - x.start for x in inside)
            errors.append(abs(result.value - truth))
    return float(np.mean(errors)) if errors else None


def measure(model: Model, recording: Recording) -> dict[str, Any]:
    """Median time of one window in ms, in the engine alone and in all of `predict`.

    The two take turns, so that a busy moment of the machine meets both.
    """
    first = math.ceil(recording.start * model.rate)
    shape = len(model.channels), model.window_samples
    window, observed = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    for row, name in enumerate(model.channels):
        if name in recording.signals:
            signal = recording.signals[name]
            window[row], observed[row] = resample(signal, model.rate, first, shape[1])
    values = np.where(observed, window, np.float32(np.nan))
    inputs = {
        name: np.zeros(shape, np.float32) for name, shape in model.manifest.inputs().items()
    }
    inputs |= {
        "values": window[np.newaxis],
        "observed": observed[np.newaxis].astype(np.float32),
    }
    times: dict[str, list[float]] = {"engine": [], "predict": []}
    calls: dict[str, Callable[[], object]] = {
        "engine": lambda: model.engine.run(inputs),
        "predict": lambda: model.predict(values),
    }
    for _ in range(_RUNS):
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - before)
    return {
        "engine": model.engine.name,
        "graph": model.engine.graph,
        "engine_ms": 1000 * float(np.median(times["engine"])),
        "predict_ms": 1000 * float(np.median(times["predict"])),
        "runs": _RUNS,
        "threads": 1,
        "machine": processor_name(),
    }
