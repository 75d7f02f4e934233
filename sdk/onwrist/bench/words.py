"""A report in, lines for people out: the same words on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from onwrist.bench.machine import PACKAGES
from onwrist.bench.report import Core, Plan, Report, Series, State, What

Unit = Literal["microseconds", "milliseconds"]

_LABELS = {
    "engine": "engine alone",
    "step": "engine alone, a step",
    "push": "push to prediction",
}
COLUMNS = ("calls", "min", "p50", "95 % interval", "p90", "p99", "p99.9", "max", "in engine")


def verdict(report: Report) -> str:
    """valid: yes, or no and why."""
    if report.verdict.valid:
        return "valid: yes"
    return f"valid: no, because {'; '.join(report.verdict.reasons)}"


def title(report: Report) -> str:
    """Which model ran where."""
    model = report.model
    version = report.versions.get(PACKAGES.get(model.engine, ""), "")
    where = report.machine.board or _cores(report.machine.cores) or report.machine.machine
    emulated = ", EMULATED" if report.emulation.emulated else ""
    return f"{model.name} {model.version} in {model.engine} {version} on {where}{emulated}"


def label(what: What) -> str:
    """A call in words."""
    return _LABELS.get(what, what.replace("+", " and "))


def unit_of(medians_us: Iterable[float]) -> Unit:
    """In which unit a table of such medians is easy to read."""
    return "milliseconds" if max(medians_us) >= 10_000 else "microseconds"


def row(series: Series, unit: Unit) -> list[str]:
    """The cells of `COLUMNS`."""
    x = series
    return [
        f"{x.calls:,}",
        time(x.least_us, unit),
        time(x.p50_us, unit),
        f"{time(x.p50_low_us, unit)} to {time(x.p50_high_us, unit)}",
        time(x.p90_us, unit),
        time(x.p99_us, unit),
        time(x.p999_us, unit),
        time(x.most_us, unit),
        time(x.engine_p50_us, unit),
    ]


def time(value_us: float | None, unit: Unit) -> str:
    """Three digits or more, "-" for what is not known."""
    if value_us is None:
        return "-"
    value = value_us / 1000 if unit == "milliseconds" else value_us
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def conditions(report: Report) -> list[tuple[str, str]]:
    """What and on what, by name."""
    machine, plan = report.machine, report.plan
    return [
        ("board", machine.board or "not known"),
        ("processor", _revisions(machine.cores) or "not known"),
        ("for INT8", ", ".join(machine.features) or "nothing that is known"),
        ("kernel", f"{machine.kernel}, {machine.machine}, Python of {machine.bits} bits"),
        ("versions", ", ".join(f"{k} {v}" for k, v in report.versions.items())),
        ("libc", machine.libc or "not known"),
        ("bundle", f"{report.model.name} {report.model.version}, {report.model.sha256[:12]}"),
        ("graphs", ", ".join(report.model.graphs)),
        ("threads", f"{plan.threads}, {_core(plan.core)}"),
        ("calls", f"{plan.warm_s:.3g} s warm, {_idle(plan)}"),
        ("emulated", _emulated(report)),
        ("governor", _governors(report)),
        ("clock", _clocks(report)),
        ("temperature", _temperatures(report)),
        ("throttled", _throttled(report)),
        ("load", _load(report)),
        ("power", _power(report)),
    ]


def cold(report: Report) -> list[tuple[str, str]]:
    """The median start in parts, and its memory, by name."""
    starts = report.cold.starts
    loads, firsts = [x.load_s for x in starts], [x.first_s for x in starts]
    imports = [x.import_s for x in starts if x.import_s is not None]
    parts = [f"import {_ms(imports)}"] if imports else []
    parts += [f"load and proof {_ms(loads)}", f"first window {_ms(firsts)}"]
    said = ", ".join(parts)
    said += f" ({report.cold.reason or f'median of {len(starts)}'})"
    added = [
        x.resident_bytes - x.resident_before_bytes
        for x in starts
        if x.resident_bytes is not None and x.resident_before_bytes is not None
    ]
    peaks = [x.peak_bytes for x in starts if x.peak_bytes is not None]
    memory = [f"{_middle(added) / 1e6:.1f} MB added to Python's"] if added else []
    memory += [f"{_middle(peaks) / 1e6:.1f} MB at most"] if peaks else []
    return [("cold start", said), ("memory", ", ".join(memory) or "not known")]


def outputs(report: Report) -> list[tuple[str, str]]:
    """What verify said of each graph, and the beginning of each hash, by name."""
    lines = []
    for x in report.outputs:
        passed = "as the golden vectors" if x.passed else "OFF THE GOLDEN VECTORS"
        hashes = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in x.sha256.items())
        lines.append((f"{x.role} hashes", f"{x.vectors} golden {x.role}s, {passed}: {hashes}"))
    return lines


def counted(report: Report) -> list[tuple[str, str]]:
    """What the processor's counters counted, by name."""
    if report.counters.reason is not None:
        return [("counters", f"none: {report.counters.reason}")]
    return [
        (f"per {what}", ", ".join(f"{v:,.0f} {k.replace('_', ' ')}" for k, v in events.items()))
        for what, events in report.counters.per_call.items()
    ]


def printable(text: str) -> str:
    """Without control characters: a report is a stranger's, and escapes steer a terminal."""
    return "".join(x for x in text if x == "\n" or x.isprintable())


def summary(report: Report) -> str:
    """All of it for a terminal."""
    head = ["", *COLUMNS]
    unit = unit_of(x.p50_us for x in report.series)
    rows = [[f"{label(x.what)}, {x.mode}", *row(x, unit)] for x in report.series]
    facts = [*conditions(report), *cold(report), *outputs(report), *counted(report)]
    return "\n".join(
        [
            title(report),
            verdict(report),
            *(f"note: {note}" for note in report.verdict.notes),
            "",
            f"{unit}, {report.tier}, {report.date}",
            *columns([head, *rows]),
            "",
            *(f"{name:<12}  {value}" for name, value in facts),
        ]
    )


def columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        first, *others = cells
        aligned = [x.rjust(width) for x, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *aligned]).rstrip()


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _ms(seconds: Sequence[float]) -> str:
    return f"{1000 * _middle(seconds):.0f} ms"


def _cores(cores: Sequence[Core]) -> str:
    return ", ".join(f"{len(x.processors)} x {_core_name(x)}" for x in cores)


def _core_name(core: Core) -> str:
    return core.name or f"core {core.implementer} {core.part}"


def _revisions(cores: Sequence[Core]) -> str:
    """The cores, and of each Arm its variant and revision as Arm writes them: r1p2."""
    said = []
    for x in cores:
        numbers = x.variant, x.revision
        known = x.part is not None and x.part.startswith("0x") and None not in numbers
        release = f" r{str(x.variant).removeprefix('0x')}p{x.revision}" if known else ""
        said.append(f"{len(x.processors)} x {_core_name(x)}{release}")
    return ", ".join(said)


def _core(core: int | None) -> str:
    return "not pinned" if core is None else f"pinned to core {core}"


def _idle(plan: Plan) -> str:
    return f"{plan.idle_s:.3g} s after {plan.every_s:g} s of idle each"


def _emulated(report: Report) -> str:
    emulation = report.emulation
    if emulation.emulated is None:
        return "not known"
    machine = ", in a virtual machine" if emulation.hypervisor else ""
    return ("yes" if emulation.emulated else "no") + machine


def _states(report: Report) -> tuple[State, State]:
    return report.before, report.after


def _governors(report: Report) -> str:
    names = {x.governor or "not known" for state in _states(report) for x in state.clocks}
    return ", ".join(sorted(names)) or "not known"


def _clocks(report: Report) -> str:
    each = [x.current_hz for state in _states(report) for x in state.clocks]
    seen = sorted(hertz for hertz in each if hertz is not None)
    most = max((x.maximum_hz or 0 for x in report.before.clocks), default=0)
    if not seen:
        return "not known"
    between = " to ".join(f"{x / 1e6:.0f}" for x in dict.fromkeys((seen[0], seen[-1])))
    return f"{between} MHz" + (f" of at most {most / 1e6:.0f}" if most else "")


def _temperatures(report: Report) -> str:
    before, after = (
        max((x.celsius for x in state.temperatures), default=None) for state in _states(report)
    )
    if before is None or after is None:
        return "not known"
    return f"{before:.1f} °C before, {after:.1f} °C after"


def _throttled(report: Report) -> str:
    before, after = report.before, report.after
    if before.throttled is None and before.cooling is None and before.throttle_events is None:
        return "not known"
    found = [
        flag for x in (before, after) for flag in (*(x.throttled or ()), *(x.cooling or ()))
    ]
    return ", ".join(dict.fromkeys(found)) or "no"


def _load(report: Report) -> str:
    said = [
        f"average {x.load_average:.2f} {when}"
        for when, x in zip(("before", "after"), _states(report), strict=True)
        if x.load_average is not None
    ]
    if report.load.waited_share is not None:
        said.append(f"{report.load.waited_share:.1%} of the time waiting")
    if report.load.other_processors is not None:
        said.append(f"others kept {report.load.other_processors:.1f} processors busy")
    return ", ".join(said) or "not known"


def _power(report: Report) -> str:
    energy = report.energy
    if energy.mean_power_w is None:
        return energy.reason or "not known"
    return f"{energy.mean_power_w:.3g} W, all of the device ({energy.source})"
