"""Many streams at one service on one core: how long a prediction takes, among bad clients too.

    python benchmarks/serve.py -o benchmarks/results/serve
    python benchmarks/serve.py --seconds 10 --streams 50 --more ""     # a short look

Each client is a watch: every second, in real time, a push for each sensor with its samples at
native rates, as JSON over a WebSocket of its own. The service is the command, pinned to one
core; the clients share another. A latency is from a push being sent to the prediction that it
gave being received; every prediction is held against the library's, letter by letter.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import conditions, identity, listed, load_average, save, table
from serving.clients import all_of
from serving.process import busy_seconds, serving
from serving.watch import Script

import onwrist
from onwrist.bench.verdict import LOAD, STOLEN

WEARERS = 5
BROKEN = 1.0  # seconds: from this p99 on the streams are too many
FULL = 0.85  # share of a core from which clients measure themselves


@dataclass(frozen=True)
class Run:
    """One number of streams; times in milliseconds.

    Attributes
    ----------
    p50, p99, most : from a push to the prediction that it gave.
    answer_p99 : from any push to its answer.
    behind : that the clients sent too late, at most.
    processor, clients : share of its core that the service took, and that all clients took.
    base, resident : MB before the first stream, and at the end.
    missing, wrong, late : answers that did not come, predictions other than the library's,
        samples dropped as late.
    ended : connections of watches that ended before their time.
    dropped : seconds until each dead client was dropped; None for one that was not.
    others, stolen : processors that others kept busy, and the share that other machines took.
    """

    streams: int
    slow: int
    dead: int
    seconds: int
    predictions: int
    p50: float
    p99: float
    most: float
    answer_p99: float
    behind: float
    processor: float
    clients: float
    base: float
    resident: float
    missing: int
    wrong: int
    late: int
    ended: int
    dropped: tuple[float | None, ...]
    others: float
    stolen: float

    @property
    def lost(self) -> int:
        """Everything that a watch did not get as it should."""
        return self.missing + self.wrong + self.late + self.ended

    def against(self) -> list[str]:
        """What speaks against quoting its times."""
        found = []
        if self.others > LOAD:
            found.append(f"others kept {self.others:.1f} processors busy")
        if self.stolen > STOLEN:
            found.append(f"other machines took {self.stolen:.0%} of the time")
        if self.clients > FULL:
            found.append(f"the clients took {self.clients:.0%} of their own core")
        return found


def measure(
    model: onwrist.Model, scripts: list[Script], counts: tuple[int, int, int], threads: int
) -> Run:
    """A fresh service, and so many watches, slow and dead clients at it."""
    streams, slow, dead = counts
    seconds = len(scripts[0].seconds)
    own, core = sorted(os.sched_getaffinity(0))[:2]
    before = os.sched_getaffinity(0)
    with serving(model.name, core, sum(counts), threads) as process:
        os.sched_setaffinity(0, {own})
        base, accounts = process.resident(), busy_seconds()
        ran = process.processor_seconds(), time.process_time(), time.monotonic()
        seen, _, dropped = asyncio.run(all_of(process.url, scripts, streams, slow, dead))
        served = process.processor_seconds() - ran[0]
        clients, wall = time.process_time() - ran[1], time.monotonic() - ran[2]
        busy, stolen, every = (x - y for x, y in zip(busy_seconds(), accounts, strict=True))
        resident = process.resident()
    os.sched_setaffinity(0, before)
    times = 1000 * np.array([x for each in seen for x in each.latencies] or [np.nan])
    answers = 1000 * np.array([x for each in seen for x in each.answers] or [np.nan])
    return Run(
        streams,
        slow,
        dead,
        seconds,
        len(times),
        *(round(float(np.quantile(times, q)), 2) for q in (0.5, 0.99, 1.0)),
        answer_p99=round(float(np.quantile(answers, 0.99)), 2),
        behind=round(1000 * max(each.behind for each in seen), 1),
        processor=round(served / wall, 3),
        clients=round(clients / wall, 3),
        base=round(base, 1),
        resident=round(resident, 1),
        missing=sum(each.missing for each in seen),
        wrong=sum(each.wrong for each in seen),
        late=sum(each.late for each in seen),
        ended=sum(bool(each.ended) for each in seen),
        dropped=tuple(None if x is None else round(x, 1) for x in dropped),
        others=round(max(0.0, busy - served - clients) / wall, 2),
        stolen=round(stolen / every, 4),
    )


def as_text(what: dict[str, str], runs: list[Run]) -> str:
    """The page."""
    header = ["streams", "beside them", "seconds", "predictions", "p50", "p99", "longest"]
    header += ["any answer, p99", "core", "clients", "MB", "lost", "behind", "valid"]
    rows = []
    for run in runs:
        beside = [f"{run.slow} slow"] * bool(run.slow) + [f"{run.dead} dead"] * bool(run.dead)
        times = [f"{x:.1f}" for x in (run.p50, run.p99, run.most, run.answer_p99)]
        memory = f"{run.base:.0f} to {run.resident:.0f}"
        valid = "no" if run.against() else "yes"
        row = [run.streams, ", ".join(beside), run.seconds, f"{run.predictions:,}", *times]
        row += [f"{run.processor:.0%}", f"{run.clients:.0%}", memory, run.lost]
        row += [f"{run.behind:.0f}", valid]
        rows.append([str(cell) for cell in row])
    text = f"# A service under load\n\n{listed(what)}\n"
    text += (
        "Milliseconds. `p50` to `longest`: from a push being sent to the prediction that it "
        "gave being received; `any answer`: to the answer that it was taken. `core`: share of "
        "its one core that the service took, `clients`: that all clients took of theirs. "
        "`MB`: resident, before the first stream and at the end. `lost`: answers that did not "
        "come, predictions that are not the library's to the letter, samples dropped as late, "
        "connections that ended; of the watches, not of slow and dead clients. `behind`: how "
        "much too late the clients sent, at most. A slow client asks for a prediction on every "
        "grid point, pushes as fast as it is let and reads ten messages a second; a dead one "
        "pushes and then neither reads nor answers a ping.\n\n"
    )
    text += table(header, rows) + "\n"
    for run in runs:
        name = f"{run.streams} streams" + f", {run.dead} dead" * bool(run.dead)
        if run.against():
            text += f"- {name}: not valid, {'; '.join(run.against())}.\n"
        if run.dropped:
            told = ", ".join("not yet" if x is None else f"{x:.0f}" for x in run.dropped)
            text += f"- {name}: dropped after {told} seconds of silence.\n"
    return text + _limit(runs)


def _limit(runs: list[Run]) -> str:
    plain = [run for run in runs if not run.slow and not run.dead]
    broken = [run.streams for run in plain if run.p99 > 1000 * BROKEN or run.lost]
    held = [run.streams for run in plain if run.p99 <= 1000 * BROKEN and not run.lost]
    if not broken:
        return f"- p99 stayed within {BROKEN:g} s up to {max(held)} streams.\n"
    return f"- p99 breaks {BROKEN:g} s, or answers are lost, from {min(broken)} streams on.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", default="wrist-himae")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--slow", type=int, default=5)
    parser.add_argument("--dead", type=int, default=5)
    parser.add_argument(
        "--more", default="100,200,400,800", help="further numbers of streams, 20 s each"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the service")
    parser.add_argument(
        "-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json as well"
    )
    arguments = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("this needs two cores: one for the service, one for its clients")
    model = onwrist.load(arguments.bundle)
    what = {"bundle": identity(model.bundle), **conditions()}
    what["how"] = (
        f"the service on one core with {arguments.threads} thread for predictions, all clients "
        "in one process on another; every second 4 pushes of a stream as JSON, 64 ppg, 32 acc, "
        "4 eda and 4 temp samples in real time"
    )

    def scripts(seconds: int) -> list[Script]:
        return [Script.of(model, seconds, seed) for seed in range(WEARERS)]

    long = scripts(arguments.seconds)
    runs = [measure(model, long, (arguments.streams, 0, 0), arguments.threads)]
    if arguments.slow or arguments.dead:
        counts = arguments.streams, arguments.slow, arguments.dead
        runs.append(measure(model, long, counts, arguments.threads))
    short = scripts(20)
    for count in [int(x) for x in arguments.more.split(",") if x]:
        runs.append(measure(model, short, (count, 0, 0), arguments.threads))
        if runs[-1].p99 > 1000 * BROKEN or runs[-1].lost:
            break
    what["load average"] += f" before, {load_average()} after"
    text = as_text(what, runs)
    print(text)
    if arguments.output:
        record = {"conditions": what, "runs": [asdict(run) for run in runs]}
        save(arguments.output, text, record)
    return 1 if any(run.lost for run in runs[:2]) else 0


if __name__ == "__main__":
    sys.exit(main())
