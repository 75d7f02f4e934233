"""Predict on a recording: an export of a device or a phone, .npz, CSV or Parquet.

Recording and bundle in; a table, JSON lines, a CSV file and a figure out: one line a
window, or one a day if the bundle is of days.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import onwrist
from onwrist import readers
from onwrist.bundles import shipped
from onwrist.commands import days, options, output
from onwrist.days import days_of
from onwrist.recording import Recording
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction

_STRANGE_SHARE = 0.2  # of a channel's samples outside the range that the bundle states


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="one recording, or an export of your phone or watch",
    )
    options.add_model(parser)
    parser.add_argument(
        "--hop",
        type=options.seconds,
        metavar="SECONDS",
        help="from one window to the next (default: half a window)",
    )
    options.add_user(parser)
    options.add_clock(parser)
    parser.add_argument(
        "--day", metavar="DATE", help="bundles of days: this one only, such as 2016-04-20"
    )
    options.add_table(parser)
    parser.add_argument("--csv", type=Path, metavar="OUT", help="also write a CSV file")
    parser.add_argument(
        "--restore",
        action="store_true",
        help="bundles that restore: draw with --plot what the model believes that a sensor "
        "saw where it was dead",
    )
    parser.add_argument(
        "--plot", type=options.figure, metavar="OUT.png", help="also draw a figure"
    )


def run(arguments: argparse.Namespace) -> int:
    for option, out in (("--csv", arguments.csv), ("--plot", arguments.plot)):
        if out is not None and out.resolve() == arguments.path.resolve():
            raise InputError(f"{option} {out} would replace the recording; choose another file")
    with output.reading(arguments.path):
        recording = readers.read(
            arguments.path,
            columns=dict(arguments.column),
            rates=dict(arguments.rate),
            user=arguments.user,
        )
    output.print_notes(recording)
    model = onwrist.load(arguments.bundle, arguments.engine)
    check_recording(recording, model.manifest)
    if model.manifest.tokens is not None:
        _by_day(model, recording, arguments)
    else:
        _by_window(model, recording, arguments)
    return 0


def _by_window(model: Model, recording: Recording, arguments: argparse.Namespace) -> None:
    options.midnight(arguments, model.manifest)
    if arguments.day is not None:
        raise InputError(f"--day is for bundles of days, and {model.name} is not of them")
    _check_restore(arguments, model.manifest)
    impute = arguments.restore or None
    predictions = []
    for prediction in predict(model, recording, arguments.hop, impute):
        if arguments.json:
            output.print_json(output.as_json(prediction, model.manifest))
        predictions.append(prediction)
    if not arguments.json:
        output.print_predictions(predictions, model.manifest, recording.start)
    if arguments.csv:
        output.write_csv(arguments.csv, predictions, model.manifest)
    if arguments.plot:
        from onwrist import plots

        plots.save(arguments.plot, recording, predictions, model.manifest)


def _by_day(model: Model, recording: Recording, arguments: argparse.Namespace) -> None:
    if arguments.hop is not None:
        raise InputError(f"{model.name} predicts once a day of a recording; leave out --hop")
    _check_restore(arguments, model.manifest)
    midnight = options.midnight(arguments, model.manifest) or 0.0
    predictions = model.predict_recording(recording.signals, midnight=midnight)
    found = days_of(predictions, model.manifest, midnight)
    shown = days.chosen(found, arguments.day)
    if arguments.plot:
        from onwrist import plot_days

        alone = arguments.day is not None
        plot_days.save(arguments.plot, recording.name, shown, model.manifest, alone)
    if arguments.csv:
        days.write_csv(arguments.csv, shown, model.manifest)
    if arguments.json:
        for day in shown:
            output.print_json(days.as_json(day, model.manifest))
    else:
        days.print_days(shown, model.manifest)


def _check_restore(arguments: argparse.Namespace, manifest: Manifest) -> None:
    """InputError where signals cannot be restored, or would not be seen."""
    if not arguments.restore:
        return
    if manifest.fusion is None or not manifest.fusion.restores:
        able = [x.manifest.name for x in shipped() if x.manifest.fusion and x.manifest.imputes]
        with_it = f"; --bundle {' or '.join(able)} does" * bool(able)
        raise InputError(f"--restore: {manifest.name} restores no sensor{with_it}")
    if arguments.plot is None:
        raise InputError("--restore is for the figure: give --plot OUT.png as well")


def predict(
    model: Model, recording: Recording, hop: float | None = None, impute: bool | None = None
) -> Iterator[Prediction]:
    """The predictions on a recording, with a progress bar where there are many."""
    step = hop or model.window_samples / model.rate / 2
    windows = int((recording.end - recording.start) / step)
    predictions = model.predict_recording(recording.signals, hop, impute=impute)
    return output.with_progress(predictions, windows, recording.name)


def check_recording(recording: Recording, manifest: Manifest) -> None:
    """Warn of what would make predictions meaningless.

    Raises
    ------
    InputError
        Nothing that this bundle takes was recorded.
    """
    known = {channel.name: channel for channel in manifest.channels}
    if not known.keys() & recording.signals.keys():
        able = [
            bundle.manifest.name
            for bundle in shipped()
            if {channel.name for channel in bundle.manifest.channels} & recording.signals.keys()
        ]
        what_to_do = 'in a table, say which is which: --column "ppg=HEADER"'
        if able:
            what_to_do = f"take --bundle {' or '.join(able)}"
        raise InputError(
            f"{recording.name} has {', '.join(recording.signals)}, but {manifest.name} takes "
            f"{', '.join(known)}; {what_to_do}"
        )
    for name, signal in recording.signals.items():
        channel = known.get(name)
        if channel is None or not np.isfinite(signal.values).any():
            continue
        values = signal.values[np.isfinite(signal.values)]
        strange = np.mean((values < channel.minimum) | (values > channel.maximum))
        if strange > _STRANGE_SHARE:
            warnings.warn(
                f"{name}: {100 * strange:.0f} % of the samples lie outside "
                f"{channel.minimum:g} to {channel.maximum:g} {channel.unit}, the range that "
                f"{manifest.name} knows (median here: {np.median(values):.4g}); is the unit "
                "or the sensor another?",
                stacklevel=2,
            )
