"""What was fitted and how honest it is in, the card of the re-issued bundle out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from onwrist_export.calibrating.answers import SHARES
from onwrist_export.calibrating.fit import (
    COLDEST,
    HOTTEST,
    LEAST_ANSWERED,
    Fitted,
    Judged,
)
from onwrist_export.judging import tables
from onwrist_export.learning.calibrate import ABSTENTION, MARGIN
from onwrist_export.packing.card import CONFIGURATION, INTEGERS, MAKING
from onwrist_runtime.manifest import Manifest

HEADING = "## Calibration by the sensors that are there"
COMMAND = "onwrist-export calibrate"
ASKED = ", and the confidence that its live sensors ask for"
HEADER = (
    "live",
    "people",
    "windows",
    "temperature",
    "confidence from",
    "answered",
    "wrong of these",
    "said",
    "right",
    "ECE",
    "debiased",
    "floor",
)

Figures = Mapping[tuple[str, tuple[str, ...]], Judged]  # by task and pattern


def section(
    manifest: Manifest,
    fitted: Sequence[Fitted],
    chosen: tuple[str, ...],
    on_chosen: Figures,
    tested: tuple[str, ...],
    on_tested: Figures,
    risk: float,
) -> str:
    """The section of the card, Markdown.

    Parameters
    ----------
    chosen, tested : the people that it was fitted on, and those that it was then judged on.
    on_chosen, on_tested : what came of it.
    risk : the share of wrong answers that was wanted at most.
    """
    assert manifest.availability is not None
    text = f"{HEADING}\n\n{_rules(manifest, chosen, risk)}\n"
    for task in manifest.tasks:
        own = [f for f in fitted if f.task == task.name]
        listed = [f for f in own if not f.reason]
        text += f"\n### {task.name}\n\n"
        for people, figures in ((chosen, on_chosen), (tested, on_tested)):
            rows = [
                _row(f, figures[f.task, f.sensors])
                for f in listed
                if (f.task, f.sensors) in figures
            ]
            if rows:
                who = "Fitted on" if people is chosen else "Judged on"
                text += f"{who} {', '.join(people)}:\n\n{tables.markdown(HEADER, rows)}\n"
        left = [f"- {' + '.join(f.sensors)}: {f.reason}" for f in own if f.reason]
        if left:
            text += "It abstains where just these are live:\n\n" + "\n".join(left) + "\n"
    if not on_tested:
        text += "\nIt was not judged on people that it was not fitted on.\n"
    return text


def _rules(manifest: Manifest, chosen: tuple[str, ...], risk: float) -> str:
    assert manifest.availability is not None
    kinds = {task.kind for task in manifest.tasks}
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    text = (
        f"A sensor is live from a coverage of {manifest.availability.least:g}. Of each pattern "
        "of live sensors one temperature was fitted by task, after quantization, on the bundle "
        f"as it is deployed, from {COLDEST:g} to {HOTTEST:g}, the highest of those that are "
        "fitted without each person in turn: windows were given just these "
        f"sensors, less {shares} of the samples of each in spans of 1 to 5 s, windows and "
        "streams alike where there are both, and of every second one nothing was known of what "
        "came before it. Every person counts the same. "
    )
    if "regression" in kinds:
        allowed = ", ".join(f"{MARGIN * most:.1%}" for most in ABSTENTION.values())
        text += (
            "The temperature of a rate is not below 1: labels are of clean windows, which are "
            f"no reason to be surer elsewhere. It may leave {allowed} of windows unanswered "
            "with these shares missing, and abstains where its error on each person left out "
            "is not below that of the others' mean. "
        )
    if "classification" in kinds:
        text += (
            f"A class task answers from the confidence at which at most {risk:.0%} of its "
            f"answers are wrong, or, where none does, the surer {LEAST_ANSWERED:.0%} of "
            "windows; it abstains where its negative log-likelihood on each person left out, "
            "at the temperature of the others, is not below that of their labels' shares. "
        )
    return text + (
        f"\n\n{len(chosen)} people are few: a temperature is one number, but what it stands on "
        "varies between people. Answered, wrong, said and right are shares; the floor is the "
        "debiased ECE that answers would show which are right as often as they say, were "
        "windows independent, which those of one person are not. With all scales 1 the graphs "
        "give the same bits as before, so that what this card says of float against INT8 "
        "holds as it was measured; its other figures are of the confidence before this."
    )


def _row(fitted: Fitted, found: Judged) -> list[str]:
    return [
        " + ".join(fitted.sensors),
        str(found.people),
        str(found.windows),
        f"{fitted.temperature:.2f}",
        f"{fitted.minimum:.3f}",
        f"{found.answered:.0%}",
        f"{found.risk:.1%}",
        f"{found.said:.3f}",
        f"{found.right:.3f}",
        f"{found.error:.3f}",
        f"{found.debiased:.3f}",
        f"{found.floor:.3f}",
    ]


def renewed(
    card: str, section: str, command: str, integers: str | None, manifest: Manifest
) -> str:
    """A card with the section, the command, and what it says of the tasks brought up to date.

    Parameters
    ----------
    integers : the section on INT8, if files changed.
    """
    title, *parts = re.split(r"^(?=## )", card, flags=re.MULTILINE)
    found = {part.partition("\n")[0]: part.rstrip() + "\n" for part in parts}
    if integers is not None:
        found[INTEGERS] = integers.rstrip() + "\n"
    if MAKING in found:
        found[MAKING] = _with_command(found[MAKING], command)
    for heading, part in found.items():
        found[heading] = _with_asked(part, manifest)
    found.pop(HEADING, None)
    headings = list(found)
    after = next((h for h in (INTEGERS, CONFIGURATION) if h in found), None)
    place = headings.index(after) if after else len(headings)
    ordered = [*headings[:place], HEADING, *headings[place:]]
    found[HEADING] = section.rstrip() + "\n"
    return "\n".join([title.rstrip() + "\n", *(found[h] for h in ordered)])


def _with_command(part: str, command: str) -> str:
    """The last of the commands, in place of one of its kind."""
    block = re.search(r"```\n(.*?)```", part, re.DOTALL)
    if block is None:
        return f"{part}\nCalibrated by `{command}`.\n"
    lines = [line for line in block[1].splitlines() if not line.startswith(COMMAND)]
    return part.replace(block[0], "```\n" + "\n".join([*lines, command]) + "\n```")


def _with_asked(part: str, manifest: Manifest) -> str:
    """Least confidences are those of patterns now."""
    lines = part.split("\n")
    for k, line in enumerate(lines):
        named = any(line.startswith(f"- `{task.name}`: ") for task in manifest.tasks)
        if named and "It answers given" in line and ASKED not in line:
            lines[k] = re.sub(r"(, confidence from [0-9.e-]+)?\.$", f"{ASKED}.", line)
    return "\n".join(lines)
