"""Counts of our graphs and a model in, tables of milliseconds on devices out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from common import table
from counted import Count

from latency import evidence, fit
from latency.blocks import instructions, read_blocks
from latency.evidence import ms
from latency.fit import Call, Estimate, Model, Row
from latency.mca import CPUS, Tools

SUB = "sub-millisecond (modelled)"
KEY = ("bundle", "role", "precision", "engine", "core")
APART = 0.05  # of instructions: more tells that blocks and counts are of different runs


@dataclass(frozen=True)
class Weighed:
    """What was counted, as the call that the model takes.

    Attributes
    ----------
    unknown : share of the instructions in blocks that llvm-mca could not do.
    """

    count: Count
    call: Call
    unknown: float


@dataclass(frozen=True)
class Prediction:
    """A call on a device, in milliseconds.

    Attributes
    ----------
    model : by llvm-mca's cycles and memory: the estimate.
    plain : by the number of instructions alone: the cross-check.
    memory : to read from memory what the second-level cache missed, at best.
    """

    device: str
    weighed: Weighed
    model: Estimate
    plain: Estimate
    memory: float

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        return SUB if self.model.high < 1 else "modelled"


def read_weighed(folder: Path, tools: Tools) -> list[Weighed]:
    """The counts of a folder, with the cycles of a call.

    Raises
    ------
    ValueError
        The folder is not one that count.py made, or blocks and counts do not belong together.
    """
    path = folder / "counts.json"
    if not path.exists():
        raise ValueError(f"{path} is not there: make it by benchmarks/arm/count.py")
    try:
        counts = msgspec.json.decode(path.read_bytes(), type=list[Count])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is not a list of counts: {error}") from error
    return [_weighed(count, folder, tools) for count in counts]


def _weighed(count: Count, folder: Path, tools: Tools) -> Weighed:
    blocks = folder / f"{'.'.join(count.key)}.blocks"
    if not count.loads:
        raise ValueError(f"{'.'.join(count.key)} in {folder} was counted without caches")
    executed = read_blocks(blocks)
    known = instructions(executed) / count.calls
    if abs(known - count.instructions) > APART * count.instructions:
        raise ValueError(
            f"{blocks} has {known:.0f} instructions a call, counts.json "
            f"{count.instructions}: count both anew"
        )
    cycles = tools.cycles(executed, CPUS[count.core])
    call = Call(count.instructions, cycles.cycles / count.calls, count.l2_misses)
    return Weighed(count, call, cycles.unknown)


def predict(weighed: Iterable[Weighed], model: Model) -> list[Prediction]:
    """Every call on every device whose core, or one that stands for it, was emulated."""
    devices = fit.read_devices()
    return [
        Prediction(
            device.name,
            each,
            model.estimate(device, each.call),
            model.plain(device, each.call),
            device.memory(each.call),
        )
        for each in weighed
        for device in devices
        if device.counted == each.count.core
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
    for bundle, role in sorted({p.weighed.count.key[:2] for p in predictions}):
        of = [p for p in predictions if p.weighed.count.key[:2] == (bundle, role)]
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
                **dict(zip(KEY, p.weighed.count.key, strict=True)),
                "p50_ms": _significant(p.model.p50),
                "interval_ms": [_significant(p.model.low), _significant(p.model.high)],
                "by_instructions_ms": _significant(p.plain.p50),
                "by_instructions_interval_ms": [
                    _significant(p.plain.low),
                    _significant(p.plain.high),
                ],
                "memory_ms": _significant(p.memory),
                "instructions": p.weighed.count.instructions,
                "mca_cycles": round(p.weighed.call.cycles),
                "l2_misses": p.weighed.count.l2_misses,
                "unknown_to_mca": round(p.weighed.unknown, 4),
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
                f"{p.weighed.count.precision}, {p.weighed.count.engine}",
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
                    p.weighed.count.precision != "int8",
                    p.weighed.count.engine,
                ),
            )
        ],
    )


def _significant(value: float) -> float:
    return float(f"{value:.3g}")
