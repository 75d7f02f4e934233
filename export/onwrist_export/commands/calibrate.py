"""Fit what a bundle's confidence means for just the sensors that are there, and re-issue it.

On validation people, after quantization, on the bundle as it is deployed: nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import onnx

from onwrist_export.calibrating import card
from onwrist_export.calibrating.answers import Answers, Teller
from onwrist_export.calibrating.fit import Fitted, fit, judge
from onwrist_export.calibrating.people import People, read_people
from onwrist_export.calibrating.reissue import Reissued, reissue
from onwrist_export.calibrating.scaled import prepared
from onwrist_export.commands.options import (
    SHIPPED,
    add_elsewhere,
    add_output,
    add_recordings,
    command_line,
    elsewhere,
    finish,
    say,
)
from onwrist_export.packing.card import quantization
from onwrist_export.packing.trials import Parities, pack_tried
from onwrist_export.quantization.quantize import file_names
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import CARD_FILE

LEAST, RISK = 0.5, 0.10

Told = Mapping[tuple[str, ...], Mapping[str, Answers]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="bundle to calibrate (NAME.onwrist)")
    add_recordings(parser)
    parser.add_argument(
        "--config",
        metavar="NAME_OR_TOML",
        required=True,
        help=f"what the bundle was made from: {', '.join(SHIPPED)}, or a TOML file",
    )
    add_output(parser, "bundle to write; it may be the one that is read")
    parser.add_argument(
        "--subjects",
        nargs="+",
        metavar="NAME",
        help="people to calibrate on (default: the validation people of the configuration)",
    )
    parser.add_argument(
        "--least",
        type=_share,
        help="coverage from which a sensor is live (default: the bundle's own, or "
        f"{LEAST:g} where it has none)",
    )
    parser.add_argument(
        "--risk",
        type=_share,
        default=RISK,
        help="share of wrong answers that a class task may give at most (default: %(default)g)",
    )
    add_elsewhere(parser)


def _share(text: str) -> float:
    """A number above 0 and at most 1, as an argparse type."""
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return number


def run(arguments: argparse.Namespace) -> int:
    opened = bundle.read(arguments.bundle)
    own = opened.manifest.availability
    least = arguments.least or (LEAST if own is None else own.least)
    if own is not None and opened.manifest.fusion is not None and least != own.least:
        raise InputError(
            f"--least: the graphs of {opened.manifest.name} were made for {own.least:g}"
        )
    plain = prepared(opened, least)
    path = SHIPPED.get(arguments.config, Path(arguments.config))
    people = read_people(path, arguments.recordings, opened.manifest)
    chosen = people.chosen(arguments.subjects)
    teller = Teller(plain, people.tolerances)
    told = _told(teller, people, chosen)
    fitted = [
        fit(task.name, sensors, found.get(task.name), arguments.risk)
        for sensors, found in told.items()
        for task in opened.manifest.tasks
    ]
    issued = reissue(opened, plain, fitted)
    tested = people.tested
    figures = [_judged(fitted, told)]
    figures.append(_judged(fitted, _told(teller, people, tested)) if tested else {})
    text = card.section(
        issued.manifest, fitted, chosen, figures[0], tested, figures[1], arguments.risk
    )

    def write(path: Path, parities: Parities) -> None:
        issued.write(path, _card(opened, issued, text, parities), parities)

    if issued.changed:
        pack_tried(arguments.output, write, issued.parities, elsewhere(arguments))
    else:  # what they did is known
        write(arguments.output, issued.parities)
    return _finish(arguments, fitted, figures[0], chosen)


def _told(teller: Teller, people: People, names: tuple[str, ...]) -> Told:
    windows = {role: people.windows(role, names) for role in teller.roles}
    counts = " and ".join(f"{len(each)} of {role}s" for role, each in windows.items())
    say(f"predicting on {', '.join(names)}: {counts}, given every pattern of sensors")
    return dict(teller.answers(windows))


def _judged(fitted: list[Fitted], told: Told) -> card.Figures:
    found = {}
    for each in fitted:
        answers = told[each.sensors].get(each.task)
        if not each.reason and answers is not None and len(answers):
            found[each.task, each.sensors] = judge(answers, each)
    return found


def _card(opened: Bundle, issued: Reissued, text: str, parities: Parities) -> str:
    integers = None
    if issued.changed:
        graph = onnx.load_from_string(opened.members[file_names("window")["s8"]])
        integers = quantization(parities, any(n.op_type == "Gelu" for n in graph.graph.node))
    before = opened.members[CARD_FILE].decode()
    return card.renewed(before, text, command_line(), integers, issued.manifest)


def _finish(
    arguments: argparse.Namespace,
    fitted: list[Fitted],
    figures: card.Figures,
    chosen: tuple[str, ...],
) -> int:
    packed = bundle.read(arguments.output)
    lines = []
    for each in fitted:
        what = f"{each.task}, {' + '.join(each.sensors)}"
        if each.reason:
            lines.append(f"{what}: abstains, {each.reason}")
            continue
        found = figures[each.task, each.sensors]
        lines.append(
            f"{what}: temperature {each.temperature:.2f}, confidence from "
            f"{each.minimum:.3f}, answers {found.answered:.0%}"
        )
    size = arguments.output.stat().st_size
    result = {
        "bundle": str(arguments.output),
        "sha256": packed.hash,
        "bytes": size,
        "people": list(chosen),
        "fitted": [
            {
                "task": each.task,
                "sensors": list(each.sensors),
                "temperature": each.temperature,
                "minimum_confidence": each.minimum,
                "reason": each.reason,
            }
            for each in fitted
        ],
    }
    lines.append(f"wrote {arguments.output}: {size / 1e6:.2f} MB, sha256 {packed.hash}")
    return finish(arguments, result, "\n".join(lines))
