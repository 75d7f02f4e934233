"""Predict while samples arrive: lines on standard input, or a recording that is replayed.

Lines or a recording in; JSON lines, rows, or a live view in the terminal out.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import onwrist
from onwrist import lines, live, readers
from onwrist.commands import options, output
from onwrist.commands.interrupt import Interrupt, Stopped
from onwrist.commands.predict import check_recording
from onwrist.commands.replay import rates_of, replay
from onwrist.lines import Lines, Samples
from onwrist.plausible import LIMITS, Screen
from onwrist_runtime.errors import InputError
from onwrist_runtime.model import Model
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.stream import Stream

_CHUNK = 65_536  # bytes that are read at once, if so many are there

Show = Callable[[Prediction], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = lines.__doc__
    parser.add_argument(
        "recording",
        nargs="?",
        type=Path,
        metavar="RECORDING",
        help="replay this one; without it, lines are read from standard input (see below)",
    )
    options.add_model(parser)
    parser.add_argument(
        "--hop",
        type=options.seconds,
        metavar="SECONDS",
        help="from one prediction to the next (default: one step, or half a window)",
    )
    parser.add_argument(
        "--lateness",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how much older than the newest sample one may be that still counts; "
        "predictions wait as long (default: %(default)g)",
    )
    parser.add_argument(
        "--mode",
        choices=["step", "window"],
        help="default: step, if bundle and engine have steps",
    )
    options.add_user(parser)
    options.add_clock(parser)
    options.add_table(
        parser, "native rate of a channel or sensor, where it is not the bundle's"
    )
    parser.add_argument(
        "--input",
        choices=["csv", "jsonl"],
        help="what the lines are (default: told from the first one)",
    )
    parser.add_argument(
        "--speed",
        type=options.speed,
        metavar="X",
        help="replay X times as fast as it was recorded, or max (default: 1)",
    )
    parser.add_argument(
        "--live",
        action=argparse.BooleanOptionalAction,
        help="draw what is going on, instead of rows (default: in a terminal)",
    )


def run(arguments: argparse.Namespace) -> int:
    is_live = _is_live(arguments)
    path: Path | None = arguments.recording
    if path is None and arguments.speed is not None:
        raise InputError("--speed is for replaying: give a RECORDING")
    if path is None and arguments.user is not None:
        raise InputError("--user is for replaying: give a RECORDING")
    if path is not None and arguments.input is not None:
        raise InputError(f"--input is for lines on standard input, not for {path}")
    columns, rates = dict(arguments.column), dict(arguments.rate)
    recording = None
    if path is not None:
        recording = readers.read(path, columns=columns, rates=rates, user=arguments.user)
        output.print_notes(recording)
    model = onwrist.load(arguments.bundle, arguments.engine)
    if recording is not None:
        check_recording(recording, model.manifest)
        rates = rates_of(recording, model.manifest)
    midnight = options.midnight(arguments, model.manifest)
    stream = model.stream(arguments.hop, arguments.lateness, arguments.mode, rates, midnight)
    stopped = False
    screen = Screen(model.manifest)
    with Interrupt() as interrupt:
        if recording is None:
            reader = Lines(model.manifest, arguments.input, columns)
            arriving = _from_lines(stream, reader, screen, interrupt)
            source = "lines on standard input"
        else:
            speed = arguments.speed or 1.0
            arriving = replay(stream, recording, speed, interrupt)
            pace = "as fast as it goes" if math.isinf(speed) else f"at {speed:g} x"
            source = f"{recording.name} {pace}"
            if not sys.stdout.isatty():
                windows = int((recording.end - recording.start) / stream.hop)
                arriving = output.with_progress(arriving, windows, recording.name)
        origin = midnight
        if recording is not None and midnight is None:
            origin = recording.start
        with _shown(arguments.json, is_live, model, stream, source, origin) as show:
            try:
                for prediction in arriving:
                    show(prediction)
            except Stopped:
                stopped = True
            for prediction in stream.flush():
                show(prediction)
    if not stopped:
        _check_arrived(stream, model)
    _warn_of_late(stream)
    _warn_of_implausible(screen)
    if stopped:
        raise KeyboardInterrupt
    return 0


def _is_live(arguments: argparse.Namespace) -> bool:
    wanted: bool | None = arguments.live
    terminal = sys.stdout.isatty()
    if wanted and arguments.json:
        raise InputError("--live draws in the terminal and --json prints lines: choose one")
    if wanted and not terminal:
        raise InputError("--live needs a terminal to draw in")
    if wanted is None:
        able = terminal and output.has_rich() and os.environ.get("TERM", "dumb") != "dumb"
        # Lines that are typed in would be drawn over.
        typed = arguments.recording is None and sys.stdin is not None and sys.stdin.isatty()
        return able and not arguments.json and not typed
    return wanted


@contextmanager
def _shown(
    json: bool, is_live: bool, model: Model, stream: Stream, source: str, origin: float | None
) -> Iterator[Show]:
    """Something to show each prediction with, at once."""
    if json:

        def show(prediction: Prediction) -> None:
            output.print_json(output.as_json(prediction, model.manifest))
            sys.stdout.flush()

        yield show
    elif is_live:
        view = live.View(model, stream, source, origin)
        with view.drawn():
            yield view.add
    else:
        rows = output.Rows(model.manifest, origin)
        yield rows.add
        rows.end()


def _from_lines(
    stream: Stream, reader: Lines, screen: Screen, interrupt: Interrupt
) -> Iterator[Prediction]:
    """Push lines as they come: all that are there at once, none waits for later ones."""
    if sys.stdin is None:
        raise InputError("standard input is closed; give a RECORDING, or lines")
    if sys.stdin.isatty():
        print("onwrist: type lines, Ctrl-D ends; stream --help shows them", file=sys.stderr)
    newest = -math.inf
    while True:
        with interrupt.waiting():
            chunk = os.read(sys.stdin.fileno(), _CHUNK)
        arrived: list[Samples] = []
        wrong = None
        try:
            for samples in reader.read(chunk):
                values = screen.passed(samples.name, samples.values)
                arrived.append(replace(samples, values=values))
        except InputError as error:
            wrong = error
        for group in lines.together(arrived, newest, stream.lateness):
            yield from _push(stream, group)
        if wrong is not None:
            raise wrong
        if not chunk:
            return
        newest = max([newest, *(max(samples.times) for samples in arrived)])


def _push(stream: Stream, group: Sequence[Samples]) -> Iterator[Prediction]:
    """Push what some lines hold of one sensor; an error names the line."""
    times = [t for samples in group for t in samples.times]
    values = np.concatenate([samples.values for samples in group])
    try:
        predictions = stream.push(group[0].name, times, values)
    except InputError:
        # Nothing was taken. One after the other, the lines before the bad one are.
        for samples in group:
            try:
                predictions = stream.push(samples.name, samples.times, samples.values)
            except InputError as error:
                raise samples.blame(error) from None
            yield from predictions
    else:
        yield from predictions


def _check_arrived(stream: Stream, model: Model) -> None:
    if stream.latency is None:
        if not any(counters.samples for counters in stream.counters.values()):
            raise InputError("no samples came")
        seconds, what = model.window_samples / model.rate, "window"
        if model.manifest.tokens is not None:
            seconds, what = stream.hop, "hop"
        warnings.warn(
            f"no prediction: the samples span less than one {what} of {seconds:g} s",
            stacklevel=2,
        )


def _warn_of_late(stream: Stream) -> None:
    counters = stream.counters
    late = [f"{count.late} of {name}" for name, count in counters.items() if count.late]
    if late:
        warnings.warn(
            f"samples came later than {stream.lateness:g} s after newer ones and were "
            f"dropped: {', '.join(late)}; --lateness allows more",
            stacklevel=2,
        )


def _warn_of_implausible(screen: Screen) -> None:
    for name, count in screen.left_out.items():
        warnings.warn(
            f"{count:,} samples of {name} outside {LIMITS[name]} count as missing",
            stacklevel=2,
        )
