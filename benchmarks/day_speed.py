"""The day model on one core: its graphs in every engine, days with gaps, hops of a stream.

    python benchmarks/day_speed.py -o benchmarks/results/day_speed     # about five minutes
    python benchmarks/day_speed.py BUNDLE

Three sizes of the model are made from random weights, exported and quantized, and race on
one core as in race.py, warm and after idle, together with `predict` and a stream of the
bundle: the shipped day-lsm2, or, where there is none, the smallest of these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import conditions, identity, listed, load_average, pin, save, table
from day_speed import models, predictions, report
from day_speed.models import Made
from day_speed.report import SHIPPED, GraphCall
from day_speed.timing import CALLS, Measured, measure, say
from turns import UNCOUNTED

import onwrist
from onwrist.bundles import find
from onwrist_export.days.config import DayConfig, load_day_config
from onwrist_runtime import bundle as bundles
from onwrist_runtime.bundle import Bundle

SIZES = ("nano", "micro", "small")
BUNDLE = "day-lsm2"


def bundle_of(path: Path | None, config: DayConfig) -> Bundle | None:
    """The bundle that is to predict; None if none is named and none is shipped.

    Raises
    ------
    BundleError, InputError
        It cannot be read, or is of other days.
    """
    try:
        path = find(BUNDLE if path is None else path)
    except onwrist.BundleError:
        if path is None:
            return None
        raise
    opened = bundles.read(path)
    manifest, names = opened.manifest, [channel.name for channel in config.channels]
    if (
        manifest.tokens is None
        or manifest.tokens.interpolated is None
        or manifest.samples != config.lsm2.minutes
        or [channel.name for channel in manifest.channels] != names
    ):
        raise onwrist.InputError(f"{path} does not impute days of {', '.join(names)}")
    return opened


def record_of(
    modes: Sequence[Measured], made: Mapping[str, Made], embeds: predictions.Embeds
) -> dict[str, object]:
    """What was measured, for programs."""
    rows = []
    for mode in modes:
        for name in mode.names:
            p50 = mode.median(name)
            row = {"mode": mode.mode, "call": type(name).__name__, **vars(name)}
            row |= {"p50": p50.value, "p50 low": p50.low, "p50 high": p50.high}
            if isinstance(name, GraphCall):
                own = GraphCall(name.model, name.role, name.size, models.REFERENCE)
                of_float = mode.ratio(name, own)
                row |= {"ratio": of_float.value, "low": of_float.low, "high": of_float.high}
            rows.append(row)
    return {
        "rows": rows,
        "multiply-adds": [
            {"model": size, "role": role, "size": k, **work}
            for size, each in made.items()
            for (role, k), work in each.work.items()
        ],
        "bytes": [
            {"model": size, "role": role, "contestant": name, "bytes": len(file)}
            for size, each in made.items()
            for (role, name), file in each.files.items()
        ],
        "embed in a day of hops": vars(embeds),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", nargs="?", type=Path, help=f"default: {BUNDLE}, if there")
    parser.add_argument("--rounds", type=int, default=80, help="warm")
    parser.add_argument("--idle-rounds", type=int, default=40, help="after idle")
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    core = pin()
    what = conditions()
    config = load_day_config()
    try:
        bundle = bundle_of(arguments.bundle, config)
    except onwrist.OnwristError as error:
        print(f"day_speed: error: {error}", file=sys.stderr)
        return 2
    made: dict[str, Made] = {}
    for size in SIZES:
        say(f"{size}: export and quantize")
        made[size] = models.make(size, config)
    day = models.complete_day(config)
    whose = f"{SHIPPED} with random weights" if bundle is None else identity(bundle)
    bundle = bundle or made[SHIPPED].bundle
    calls = predictions.calls_of(bundle, day)
    embeds = predictions.embeds(bundle, day)
    for size, each in made.items():
        inputs = models.inputs(each, day)
        engines = {role: each.engines(role) for role in dict.fromkeys(r for r, _ in inputs)}
        for (role, k), given in inputs.items():
            for name, engine in engines[role].items():
                call = GraphCall(size, role, k, name)
                calls[call] = lambda engine=engine, given=given: engine.run(given)
    modes = measure(calls, arguments.rounds, arguments.idle_rounds)
    what = {"graphs": "random weights, which decide no time", "predict": whose, **what}
    what["load average"] += f" before, {load_average()} after (this process is 1 of it)"
    what["how"] = (
        f"one thread, pinned to core {core}; {len(calls)} contestants in random order, "
        f"{arguments.rounds} rounds warm ({UNCOUNTED} calls that do not count, then {CALLS}) "
        f"and {arguments.idle_rounds} after idle (1 call)"
    )
    text = f"# The day model's speed\n\n{listed(what)}\n## Aims\n\n"
    reached = report.aims(modes, made)
    text += table(["aim", "mode", "measured", ""], reached)
    text += report.graphs_text(modes, made)
    text += report.missing_text(modes, made[SHIPPED], whose)
    text += report.stream_text(modes, embeds)
    print(text)
    if arguments.output:
        record = {"conditions": what, "aims": reached, **record_of(modes, made, embeds)}
        save(arguments.output, text, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
