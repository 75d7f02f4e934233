"""A report's conditions in, whether its latencies can be quoted, and every reason, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from onwrist.bench.report import (
    Emulation,
    Load,
    Mode,
    Outputs,
    Plan,
    Series,
    State,
    Tier,
    Verdict,
)

DRIFT = 0.05  # of the median, from one half to the other
WAITED, STOLEN = 0.01, 0.01  # shares of the time that others may take
LOAD = 0.5  # processors that others may keep busy
CALLS: Mapping[Mode, int] = {"warm": 100, "after idle": 30}  # at least


def judge(
    plan: Plan,
    emulation: Emulation,
    before: State,
    after: State,
    load: Load,
    outputs: Sequence[Outputs],
    series: Sequence[Series],
) -> Verdict:
    """The verdict with all that speaks against the figures, and what is not known."""
    reasons = (
        *_emulated(emulation),
        *_throttled(before, after),
        *_governor(before, after),
        *_load(before, load),
        *_series(series),
        *(f"{x.role}: off the golden vectors" for x in outputs if not x.passed),
    )
    notes = tuple(_notes(plan, emulation, before, after, series))
    return Verdict(valid=not reasons, reasons=reasons, notes=notes)


def tier(emulation: Emulation, verdict: Verdict) -> Tier:
    """What the latencies are: "measured" is left to those that can be quoted."""
    if emulation.emulated:
        return "emulated"
    return "measured" if verdict.valid else "not valid"


def _emulated(emulation: Emulation) -> Iterator[str]:
    if emulation.emulated:
        yield f"emulated: {', '.join(emulation.signs)}"
    if emulation.emulated is None:
        yield f"whether this is emulated is not known: {', '.join(emulation.signs)}"


def _throttled(before: State, after: State) -> Iterator[str]:
    flags = dict.fromkeys((*(before.throttled or ()), *(after.throttled or ())))
    if flags:
        yield f"throttled: {', '.join(flags)}"
    cooling = dict.fromkeys((*(before.cooling or ()), *(after.cooling or ())))
    yield from (f"throttled: {device} holds the clock down" for device in cooling)
    if before.throttle_events is not None and after.throttle_events is not None:
        events = after.throttle_events - before.throttle_events
        if events > 0:
            yield f"throttled: {events} times, by heat"


def _governor(before: State, after: State) -> Iterator[str]:
    governors = {clock.governor for state in (before, after) for clock in state.clocks}
    for governor in sorted(x for x in governors if x not in (None, "performance")):
        yield f"governor is {governor}, not performance"


def _load(before: State, load: Load) -> Iterator[str]:
    if load.waited_share is not None and load.waited_share > WAITED:
        yield f"other load: {load.waited_share:.0%} of the time waiting for a processor"
    if load.stolen_share is not None and load.stolen_share > STOLEN:
        yield f"other load: {load.stolen_share:.0%} of the time taken by other machines"
    busy, average = load.other_processors, before.load_average
    if busy is not None and busy > LOAD:
        yield f"other load: others kept {busy:.1f} processors busy"
    if busy is None and load.waited_share is None and average is not None and average > LOAD:
        yield f"other load: the load average was {average:.2f} before"


def _series(series: Sequence[Series]) -> Iterator[str]:
    drifted = [x for x in series if x.drift is not None and abs(x.drift) > DRIFT]
    if drifted:
        listed = ", ".join(f"{x.what} {x.mode} {x.drift:+.0%}" for x in drifted)
        yield f"drift from the first half to the second: {listed}"
    for mode, least in CALLS.items():
        few = [x for x in series if x.mode == mode and x.calls < least]
        if few:
            listed = ", ".join(f"{x.what} {x.calls}" for x in few)
            yield f"too few calls {mode}: {listed}; {least} are needed, measure for longer"


def _notes(
    plan: Plan,
    emulation: Emulation,
    before: State,
    after: State,
    series: Sequence[Series],
) -> Iterator[str]:
    unknown = dict.fromkeys(x.mode for x in series if x.drift is None)
    if unknown:
        yield f"too few calls to tell a drift: {', '.join(unknown)}"
    if emulation.hypervisor:
        yield "this is a virtual machine"
    if any(clock.governor is None for clock in before.clocks):
        yield "the governor is not known"
    clocks = {x.current_hz for state in (before, after) for x in state.clocks}
    if None not in clocks and len(clocks) > 1:
        known = sorted(hertz for hertz in clocks if hertz is not None)
        yield f"clocks from {known[0] / 1e6:.0f} to {known[-1] / 1e6:.0f} MHz were seen"
    if plan.core is None:
        yield "not pinned to a core: the system chose and could change it"
    elif plan.threads > 1:
        yield f"{plan.threads} threads shared core {plan.core}"
