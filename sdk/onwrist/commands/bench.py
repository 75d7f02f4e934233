"""Measure what a bundle costs on this machine, and whether the figures can be trusted.

A bundle in; a summary, REPORT.json and a page out. A report can also be shown again, drawn
on another machine, or held against another one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import msgspec

from onwrist.bench import calls, words
from onwrist.bench import report as reports
from onwrist.bench import run as bench
from onwrist.bench.compare import Comparison, compare
from onwrist.bench.report import Report
from onwrist.bundles import find
from onwrist.commands import options, output
from onwrist.extras import require
from onwrist_runtime import bundle as bundles
from onwrist_runtime.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="of the engine (default: 1)"
    )
    parser.add_argument("--pin", type=_core, metavar="CORE", help="run on this core only")
    parser.add_argument(
        "--seconds",
        type=options.seconds,
        help=f"how long to measure (default: {bench.SECONDS:g}, more for a slow cadence)",
    )
    parser.add_argument(
        "--every",
        type=options.seconds,
        metavar="SECONDS",
        help="sleep before each call after idle, such as 1.28 as on a watch "
        f"(default: {bench.EVERY:g})",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="REPORT.json", help="also write the report"
    )
    parser.add_argument(
        "--plot", type=options.figure, metavar="PAGE.png", help="also draw the report on a page"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--show", type=Path, metavar="REPORT.json", help="show this report; nothing is measured"
    )
    instead.add_argument(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("A.json", "B.json"),
        help="hold report B against report A; nothing is measured",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.show is not None or arguments.compare is not None:
        _refuse_to_measure(arguments)
    _check_outputs(arguments)
    if arguments.compare is not None:
        return _compare(arguments)
    report = _measured(arguments) if arguments.show is None else reports.read(arguments.show)
    if arguments.output is not None:
        reports.write(arguments.output, report)
    if arguments.plot is not None:
        from onwrist.bench import page

        page.save(arguments.plot, report)
    if arguments.json:
        output.print_json(msgspec.to_builtins(report))
    else:
        print(words.printable(words.summary(report)))
    return 0


def _refuse_to_measure(arguments: argparse.Namespace) -> None:
    """Options of a measurement beside a report that exists would do nothing."""
    alone = "--compare" if arguments.show is None else "--show"
    refused = ["engine", "threads", "pin", "seconds", "every", "output"]
    refused += ["plot"] if alone == "--compare" else []
    for option in refused:
        if getattr(arguments, option) is not None:
            raise InputError(f"{alone} measures nothing: leave out --{option}")


def _measured(arguments: argparse.Namespace) -> Report:
    threads = arguments.threads or 1
    bench.check_processors(threads, arguments.pin)
    path = find(arguments.bundle)
    kinds = calls.kinds(bundles.read(path).manifest)
    plan = bench.plan_of(threads, arguments.pin, arguments.seconds, arguments.every, kinds)
    print(
        f"onwrist: measuring for {plan.warm_s + plan.idle_s:.3g} s: {plan.warm_s:.3g} s warm, "
        f"{plan.idle_s:.3g} s with {plan.every_s:g} s of idle before each call; cold starts "
        "come first, in some seconds more",
        file=sys.stderr,
    )
    with _Line() as line:
        return bench.run(path, arguments.engine, plan, line.tell)


def _compare(arguments: argparse.Namespace) -> int:
    first, second = map(reports.read, arguments.compare)
    found = compare(first, second)
    if arguments.json:
        verdicts = [msgspec.to_builtins(x.verdict) for x in (first, second)]
        output.print_json({**asdict(found), "verdicts": verdicts})
    else:
        print(words.printable("\n".join(_lines(found, first, second))))
    return 0


def _lines(found: Comparison, first: Report, second: Report) -> Iterator[str]:
    for name, report in (("A", first), ("B", second)):
        yield f"{name}: {words.title(report)}\n   {words.verdict(report)}"
    medians = [median for x in found.ratios for median in (x.first_us, x.second_us)]
    unit = words.unit_of(medians)
    head = ["", "A", "B", "B / A", "95 %"]
    rows = [
        [
            f"{words.label(x.what)}, {x.mode}",
            words.time(x.first_us, unit),
            words.time(x.second_us, unit),
            f"{x.ratio:.3f}",
            f"{x.low:.3f} to {x.high:.3f}",
        ]
        for x in found.ratios
    ]
    tiers = f"A {first.tier}, B {second.tier}"
    yield f"\nmedians in {unit}, {tiers}; intervals are of these two runs"
    yield from words.columns([head, *rows])
    for same, said in ((True, "the same bytes"), (False, "different bytes")):
        names = [name for name, is_same in found.same_outputs.items() if is_same == same]
        if names:
            yield f"outputs of the golden vectors, {said}: {', '.join(names)}"
    if found.differences:
        yield "\nconditions that are not the same, A | B"
    for name, (a, b) in found.differences.items():
        yield f"{name:<12}  {a} | {b}"


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Find out before a minute is spent whether the results can be written."""
    for option, path in (("-o", arguments.output), ("--plot", arguments.plot)):
        if path is not None and not path.absolute().parent.is_dir():
            raise InputError(f"{option} {path}: there is no folder {path.parent}")
        if path is not None and path.is_dir():
            raise InputError(f"{option} {path} is a folder; name a file in it")
        if path is not None:
            try:
                tempfile.TemporaryFile(dir=path.absolute().parent).close()
            except OSError as error:
                raise InputError(
                    f"{option} {path} cannot be written: {error.strerror}"
                ) from None
    if arguments.plot is not None and arguments.plot == arguments.output:
        raise InputError(f"-o and --plot are both {arguments.plot}: name two files")
    if arguments.plot is not None:
        require("matplotlib", "plots", "drawing a page")


class _Line:
    """One line on stderr that says what goes on, while somebody looks.

    It is written between calls. A bar of rich has a thread of its own, which would run in the
    middle of what is measured.
    """

    def __enter__(self) -> _Line:
        self._shown, self._next = sys.stderr.isatty(), 0.0
        return self

    def tell(self, what: str) -> None:
        if self._shown and time.monotonic() >= self._next:
            print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
            self._next = time.monotonic() + 1.0

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or above")
    return int(text)


def _core(text: str) -> int:
    """A processor's number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a core's number, 0 or above")
    return int(text)
