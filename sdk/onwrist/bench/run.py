"""A bundle and a plan in, a whole report out; what goes on is told on the way."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from onwrist.bench import calls, cold, machine, timing, verdict
from onwrist.bench import outputs as golden
from onwrist.bench.conditions import LoadMeter, Meter, state
from onwrist.bench.emulation import emulation
from onwrist.bench.report import SCHEMA, Cold, Model, Plan, Report, Start
from onwrist_runtime.engines import steps
from onwrist_runtime.errors import EngineError, InputError
from onwrist_runtime.model import Model as Loaded

WARM_SHARE = 1 / 3  # of the seconds that are given
SECONDS, EVERY = 60.0, 0.02
IDLE_ROUNDS = 40  # as many calls after idle as the verdict asks for, and some more
_LONGEST = 3600.0  # seconds between two calls

Tell = Callable[[str], None]


def plan_of(
    threads: int, core: int | None, seconds: float | None, every: float | None, kinds: int
) -> Plan:
    """How long to measure so many kinds of calls; a minute, or longer for a slow cadence.

    Raises
    ------
    InputError
        The cadence is slower than a call an hour, or not one call of each kind fits in.
    """
    every = EVERY if every is None else every
    total = SECONDS if seconds is None else seconds
    idle = (1 - WARM_SHARE) * total
    if seconds is None:
        idle = max(idle, IDLE_ROUNDS * kinds * every)
    if every > _LONGEST:
        raise InputError(f"--every is at most {_LONGEST:g} seconds")
    if idle < kinds * every:
        least = kinds * every / (1 - WARM_SHARE)
        raise InputError(
            f"--seconds {total:g} is too short for calls every {every:g} seconds: "
            f"give {math.ceil(least)} or more, or leave it out"
        )
    return Plan(
        threads=threads, core=core, warm_s=WARM_SHARE * total, idle_s=idle, every_s=every
    )


def check_processors(threads: int, core: int | None) -> None:
    """InputError if there are not as many, or this process cannot be pinned to that one.

    Engines hang or crash when they are asked for thousands of threads.
    """
    there = os.cpu_count() or 1
    if threads > there:
        raise InputError(f"--threads {threads} is more than this machine's processors: {there}")
    if core is not None and not hasattr(os, "sched_setaffinity"):
        raise InputError("a process can be pinned to a core on Linux only: leave out --pin")
    usable = machine.usable_processors()
    if core is not None and core not in usable:
        listed = ", ".join(map(str, usable))
        raise InputError(f"there is no core {core} to pin to; this process may use {listed}")


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Inside, this process and every thread that it starts run on one core; None for any."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(path: Path, engine: str | None, plan: Plan, tell: Tell) -> Report:
    """Measure everything.

    Raises
    ------
    OnwristError
        The bundle or the engine cannot be used.
    """
    begun = time.monotonic()
    date = datetime.now(UTC).isoformat(timespec="seconds")
    with pinned(plan.core):
        model, here = cold.load_here(path, engine, plan.threads)
        about = emulation()
        processors = machine.usable_processors()
        before, meter = state(processors), Meter()
        starts = _cold(path, model, here, about.emulated, tell)
        outputs = golden.outputs(model)
        turns = calls.turns(model)
        warm, idle = timing.Times(turns, "warm"), timing.Times(turns, "after idle")
        others = LoadMeter()
        for left in warm.warm(plan.warm_s):
            tell(f"warm calls, {max(0.0, left):.0f} s to go")
            meter.look()
        load = others.load()
        counters = timing.count_events(turns)
        for left in idle.after_idle(plan.idle_s, plan.every_s):
            tell(f"calls after {plan.every_s:g} s idle, {max(0.0, left):.0f} s to go")
            meter.look()
        after = state(processors)
    series = (*warm.series(), *idle.series())
    judged = verdict.judge(plan, about, before, after, load, outputs, series)
    return Report(
        schema=SCHEMA,
        tier=verdict.tier(about, judged),
        date=date,
        seconds=round(time.monotonic() - begun, 1),
        plan=plan,
        model=identity(model),
        machine=machine.machine_of(),
        versions=machine.versions(model.engine.name),
        emulation=about,
        before=before,
        after=after,
        load=load,
        cold=starts,
        outputs=outputs,
        series=series,
        counters=counters,
        energy=meter.energy(),
        verdict=judged,
    )


def identity(model: Loaded) -> Model:
    """Which model ran in which engine: all graphs of the bundle that the engine ran."""
    files = set(model.engine.graph.split(", "))
    if steps(model.bundle, model.engine.name):
        files.add(calls.step_engine(model).graph)
    return Model(
        name=model.name,
        version=model.version,
        sha256=model.hash,
        engine=model.engine.name,
        graphs={file: model.manifest.members[file].sha256 for file in sorted(files)},
    )


def _cold(path: Path, model: Loaded, here: Start, emulated: bool | None, tell: Tell) -> Cold:
    found = []
    tell("cold starts")
    try:
        for start in cold.starts(path, model.engine.name, model.engine.threads, emulated):
            found.append(start)
            tell(f"cold starts, {len(found)} of {cold.PROCESSES}")
    except EngineError as error:
        return cold.in_this_process(here, error)
    return Cold(starts=tuple(found), reason=None)
