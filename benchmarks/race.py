"""Every engine on one bundle's window graph and its float original, racing on one core.

    python benchmarks/race.py -o benchmarks/results/race       # the shipped bundle
    python benchmarks/race.py --prepare                        # install and convert, no race

Each contestant is a process of its own, pinned to the same core, with its engine in an
environment of its own under out/race; they are made once. What cannot be installed, cannot
run the graph, or gives other numbers is left out, with the reason. In every round each
contestant has one turn, in random order, while the others sleep. Warm: a turn is a few calls
in a row, after some that do not count. After idle: a turn is one call after a sleep, as on a
watch, when caches and clocks are cold. Ratios are of medians, with a bootstrap interval over
rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from common import conditions, identity, load_average, pin, save
from numpy.typing import NDArray
from race.checks import Check, compare, wrong
from race.contestants import ABSENT, CONTESTANTS, REFERENCE, Contestant
from race.environments import PEERS, Missing, python
from race.models import CONVERTED, convert, prepare
from race.processes import Racer
from race.report import Cost, Row, figure, judge, report, verdicts
from turns import CALLS, IDLE

import onwrist
from onwrist.bundles import find
from onwrist_runtime.processor import has_vnni


def install(folder: Path) -> tuple[dict[str | None, Path], dict[str, str]]:
    """The Python of each environment that can be made, and why others cannot."""
    found: dict[str | None, Path] = {None: Path(sys.executable)}
    absent: dict[str, str] = {}
    for peer in PEERS:
        try:
            found[peer] = python(peer, folder)
        except Missing as reason:
            absent[peer] = str(reason)
    return found, absent


def ready(
    bundle: Path, model: onwrist.Model, folder: Path
) -> tuple[dict[Contestant, tuple[Path, Path]], Path, dict[str, str]]:
    """The Python and the file of each contestant, the windows, and who has none and why."""
    files = prepare(model, folder / "models") | {"bundle": bundle}
    pythons, not_installed = install(folder)
    found: dict[Contestant, tuple[Path, Path]] = {}
    absent: dict[str, str] = {}
    for contestant in CONTESTANTS:
        peer, name = contestant.environment, contestant.file
        try:
            if peer in not_installed:
                raise Missing(not_installed[peer])
            if name in CONVERTED:
                files[name] = convert(name, files, pythons[peer])
            if name not in files:
                raise Missing(f"the bundle has no {name}")
        except Missing as reason:
            absent[contestant.name] = str(reason)
        else:
            found[contestant] = pythons[peer], files[name]
    return found, files["inputs.npz"], absent


def start(
    entries: Mapping[Contestant, tuple[Path, Path]], windows: Path, outputs: list[str]
) -> tuple[list[Racer], list[Check], dict[str, str]]:
    """Those that run and give the right numbers, these, and why others do not race."""
    racers: list[Racer] = []
    checks: list[Check] = []
    absent: dict[str, str] = {}
    for contestant, (executable, file) in entries.items():
        try:
            racer = Racer(contestant, executable, file, windows, outputs)
        except Missing as reason:
            absent[contestant.name] = str(reason)
            continue
        reference = racers[0].outputs if racers else racer.outputs
        check = compare(contestant.name, reference, racer.outputs)
        fault = wrong(contestant, check)
        if fault is None:
            racers.append(racer)
            checks.append(check)
        else:
            racer.end()
            absent[contestant.name] = fault
    return racers, checks, absent


def take_turns(
    racers: list[Racer], rounds: int, count: int, idle: float
) -> NDArray[np.float64]:
    """Times in microseconds, (contestants, rounds, count).

    Raises
    ------
    Missing
        A contestant has ended; the message is which and why.
    """
    times = np.zeros((len(racers), rounds, count))
    order = np.random.default_rng(0)
    for done in range(rounds):
        for k in order.permutation(len(racers)):
            try:
                times[k, done] = racers[k].turn(count, idle)
            except Missing as reason:
                raise Missing(f"{racers[k].contestant.name} {reason}") from None
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the shipped one")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument(
        "--folder", type=Path, default=Path("out/race"), help="environments and models"
    )
    parser.add_argument(
        "--prepare", action="store_true", help="install and convert only: the race is later"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md, OUTPUT.json and OUTPUT.png as well"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds must be at least 2: an interval needs several")
    try:
        bundle = find(arguments.bundle).resolve()
        model = onwrist.load(bundle)
        entries, windows, absent = ready(bundle, model, arguments.folder.resolve())
    except onwrist.OnwristError as error:
        print(f"race: error: {error}", file=sys.stderr)
        return 2
    if arguments.prepare:
        for name, reason in (absent | ABSENT).items():
            print(f"{name} will not race: {reason}")
        return 0
    core = pin()
    what = {"bundle": identity(model.bundle), **conditions()}
    racers, checks, failed = start(entries, windows, list(model.manifest.outputs))
    rows: list[Row] = []
    costs: list[Cost] = []
    try:
        if not racers or racers[0].contestant.name != REFERENCE:
            reason = failed.get(REFERENCE, "it is not installed")
            raise Missing(f"{REFERENCE} does not race: {reason}")
        for mode, count, idle in (
            ("warm", CALLS, 0.0),
            (f"after {1000 * IDLE:.0f} ms idle", 1, IDLE),
        ):
            times = take_turns(racers, arguments.rounds, count, idle)
            found = judge(mode, [racer.contestant for racer in racers], times)
            rows += found[0]
            costs += found[1]
    except Missing as error:
        print(f"race: error: {error}", file=sys.stderr)
        return 1
    finally:
        for racer in racers:
            racer.end()
    absent |= failed | ABSENT
    what["load average"] += f" before, {load_average()} after (the race is 1 of it)"
    what["peers"] = "; ".join(
        f"{peer}: {', '.join(pin for pip in pips for pin in pip if not pin.startswith('-'))}"
        for peer, pips in PEERS.items()
    )
    what["how"] = (
        f"one process each, one thread, all pinned to core {core}; {arguments.rounds} rounds "
        f"in random order, {CALLS} calls a turn warm and 1 after idle"
    )
    aims = verdicts(rows, costs, has_vnni())
    text = report(what, rows, costs, checks, absent, aims)
    print(text)
    if arguments.output:
        record = {
            "conditions": what,
            "rows": [asdict(x) for x in rows],
            "predict": [asdict(x) for x in costs],
            "checks": [asdict(x) for x in checks],
            "absent": absent,
        }
        save(arguments.output, text, record)
        figure(arguments.output.with_suffix(".png"), rows, what)
    return 0


if __name__ == "__main__":
    sys.exit(main())
