"""Counts of our graphs and a model in, tables of milliseconds on devices out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from common import table

from latency import evidence, fit
from latency.blocks import instructions, read_blocks
from latency.evidence import ms
from latency.fit import Count, Estimate, Model, Row
from latency.mca import CPUS, Cycles, Tools

SUB = "sub-millisecond (modelled)"
FIELDS = ("bundle", "role", "precision", "engine", "core")


@dataclass(frozen=True)
class Counted:
    """A graph on an emulated core: which one, its count, and what llvm-mca made of it."""

    bundle: str
    role: str
    precision: str
    engine: str
    core: str
    count: Count
    cycles: Cycles


@dataclass(frozen=True)
class Prediction:
    """A graph on a device, in milliseconds.

    Attributes
    ----------
    model : by llvm-mca's cycles and memory: the estimate.
    plain : by the number of instructions alone: the cross-check.
    memory : to read from memory what the second-level cache missed, at best.
    """

    device: str
    counted: Counted
    model: Estimate
    plain: Estimate
    memory: float

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        return SUB if self.model.high < 1 else "modelled"


def read_counted(folder: Path, tools: Tools) -> list[Counted]:
    """The counts of a folder, with cycles of a call.

    Raises
    ------
    ValueError
        The folder is not one that count.py made, or blocks and counts do not belong together.
    """
    path = folder / "counts.json"
    if not path.exists():
        raise ValueError(f"{path} is not there: make it by benchmarks/arm/count.py")
    try:
        records = [
            (tuple(str(r[f]) for f in FIELDS), int(r["calls"]), r)
            for r in json.loads(path.read_text())
        ]
        found = []
        for key, calls, record in records:
            blocks = folder / f"{'.'.join(key)}.blocks"
            if not blocks.exists():
                continue  # counted without them, as some calls are
            if not record["loads"]:
                raise ValueError(f"{'.'.join(key)} in {path} was counted without caches")
            executed = read_blocks(blocks)
            known, given = instructions(executed) / calls, float(record["instructions"])
            if abs(known - given) > 0.05 * given:
                raise ValueError(
                    f"{blocks} has {known:.0f} instructions a call, counts.json {given:.0f}: "
                    "count both anew"
                )
            cycles = tools.cycles(executed, CPUS[key[-1]])
            count = Count(
                key[-1],
                ".".join(key[:2]),
                given,
                cycles.cycles / calls,
                float(record["l2_misses"]),
            )
            found.append(Counted(*key, count, cycles))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a list of counts: {error!r}") from error
    return found


def predict(counted: Iterable[Counted], model: Model) -> list[Prediction]:
    """Every graph on every device whose core, or one that stands for it, was emulated."""
    devices = fit.read_devices()
    return [
        Prediction(
            device.name,
            each,
            model.estimate(device, each.count),
            model.plain(device, each.count),
            device.memory(each.count),
        )
        for each in counted
        for device in devices
        if device.counted == each.core
    ]


def latencies(
    predictions: Sequence[Prediction], model: Model, rows: Sequence[Row]
) -> tuple[str, object]:
    """A page for people and a record for programs."""
    parts = [
        "# Latencies on Arm, modelled\n\n"
        "Nothing here was measured: instructions, blocks and cache misses are counted under "
        "emulation, milliseconds are modelled from them (`benchmarks/arm/latency/fit.py`). The "
        "interval is two sigma. It is for a warm call, one of many, on one core at its full "
        "clock with nothing else running; after an idle second caches and clock are cold and a "
        "call is slower.\n\n"
        "- by instructions: the cross-check, which knows the number of instructions alone\n"
        "- memory: the least that reading what the second-level cache missed takes, at the "
        "published bandwidth of one core; the estimate holds a share of it. On a Cortex-A76 "
        "and A78 it holds none, as a third-level cache that fits the weights spares it in warm "
        "calls; without one, a call takes at least this\n\n"
    ]
    graphs = sorted({(p.counted.bundle, p.counted.role) for p in predictions})
    for bundle, role in graphs:
        of = [p for p in predictions if (p.counted.bundle, p.counted.role) == (bundle, role)]
        parts.append(f"## {bundle}: {role}\n\n{_table(of)}\n")
    parts += [evidence.devices(), evidence.calibration(model, rows)]
    record = {
        "tier": "modelled",
        "model": asdict(model),
        "calibration": [
            {**asdict(row), "predicted": _significant(model.of(row))} for row in rows
        ],
        "predictions": [
            {
                "device": p.device,
                **{field: getattr(p.counted, field) for field in FIELDS},
                "p50_ms": _significant(p.model.p50),
                "interval_ms": [_significant(p.model.low), _significant(p.model.high)],
                "by_instructions_ms": _significant(p.plain.p50),
                "by_instructions_interval_ms": [
                    _significant(p.plain.low),
                    _significant(p.plain.high),
                ],
                "memory_ms": _significant(p.memory),
                "instructions": round(p.counted.count.instructions),
                "mca_cycles": round(p.counted.count.cycles),
                "l2_misses": round(p.counted.count.l2_misses),
                "unknown_to_mca": round(p.counted.cycles.unknown, 4),
                "verdict": p.verdict,
            }
            for p in predictions
        ],
    }
    return "".join(parts), record


def _table(predictions: Sequence[Prediction]) -> str:
    order = [device.name for device in fit.read_devices()]
    return table(
        ["device", "graph", "p50, ms", "2 sigma", "by instructions", "memory", "tier"],
        [
            [
                p.device,
                f"{p.counted.precision}, {p.counted.engine}",
                ms(p.model.p50),
                f"{ms(p.model.low)} to {ms(p.model.high)}",
                f"{ms(p.plain.p50)} ({ms(p.plain.low)} to {ms(p.plain.high)})",
                ms(p.memory),
                p.verdict,
            ]
            for p in sorted(
                predictions,
                key=lambda p: (
                    order.index(p.device),
                    p.counted.precision != "int8",
                    p.counted.engine,
                ),
            )
        ],
    )


def _significant(value: float) -> float:
    return float(f"{value:.3g}")
