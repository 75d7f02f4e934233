"""Counts of our graphs and a model in, tables of milliseconds on devices out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from common import table

from latency import fit
from latency.blocks import instructions, read_blocks
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
    parts += [_devices(), calibration(model, rows)]
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
                _ms(p.model.p50),
                f"{_ms(p.model.low)} to {_ms(p.model.high)}",
                f"{_ms(p.plain.p50)} ({_ms(p.plain.low)} to {_ms(p.plain.high)})",
                _ms(p.memory),
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


def _devices() -> str:
    """What is known of the devices, and what had to be taken from another."""
    records = fit.records(fit.HERE / "devices.csv")
    columns = ("name", "core", "ghz", "clock_source", "memcpy", "memory_source")
    return (
        "## Devices\n\n"
        "Of watches no memory bandwidth and no size of a second-level cache is published: a "
        "board with the same core and like memory stands for them.\n\n"
        + table(
            ["device", "core", "GHz", "source", "memcpy, MB/s", "source"],
            [[record[column] for column in columns] for record in records],
        )
        + "\n"
    )


def calibration(model: Model, rows: Sequence[Row]) -> str:
    """What the model rests on, and how far it is off where it did not look."""
    out = {
        "board": fit.left_out(rows, fit.board_of, model.exposed),
        "network": fit.left_out(rows, fit.network_of, model.exposed),
    }
    plain = fit.left_out(rows, fit.board_of, None)
    boards = {row.board: row.core for row in rows}
    parts = [
        "## What it rests on\n\n"
        "Published single-thread times of ncnn's benchmark networks (Tencent/ncnn, "
        "benchmark/README.md at a4d2ea1d) on boards, against counts of ncnn 1.0.20261020 "
        "under emulation; published since ncnn's kernels were last rewritten, "
        f"{fit.SINCE_FLOAT} in float and {fit.SINCE_INT8} in INT8. Memory bandwidth: "
        f"ThomasKaiser/sbc-bench at 53f79517. Sigma is x/{math.exp(model.sigma):.2f}: the "
        "error on boards and on networks that the fit did not see, added; by instructions "
        f"alone it is x/{math.exp(model.sigma_plain):.2f}. Of the reading from memory "
        f"{model.exposed:.0%} is waited for on cores without a third-level cache; without this "
        f"part sigma would be x/{math.exp(fit.sigma(rows, 0)):.2f}.\n\n",
        table(
            ["core", "llvm-mca", "factor", "cycles an instruction", "boards", "networks"],
            [
                [
                    core,
                    CPUS.get(core, CPUS["Cortex-A76"]),
                    f"{model.factors[core]:.2f}",
                    f"{model.cpi[core]:.2f}",
                    str(sum(of == core for of in boards.values())),
                    str(len({row.network for row in rows if row.core == core})),
                ]
                for core in model.factors
            ],
        ),
        "\nPublished over predicted, each board and network predicted from the others:\n\n",
        table(
            ["left out", "rows", "mean", "scatter", "mean by instructions"],
            [
                [
                    f"{name} ({boards[name]})" if name in boards else name,
                    str(len(errors)),
                    f"{math.exp(_mean(errors)):.2f}",
                    f"x/{math.exp(_root(errors)):.2f}",
                    f"{math.exp(_mean(plain[name])):.2f}" if name in plain else "",
                ]
                for group in out.values()
                for name, errors in group.items()
            ],
        ),
    ]
    for board in [name for name in boards if name not in out["board"]]:
        parts.append(f"\n{board} is alone of its core: its factor was not tested on another.\n")
    parts.append(
        f"\n{_older(model)}"
        "\n## Held against another engine\n\n"
        "MobileNet v1 with random weights in LiteRT 2.3.0, which the fit did not see. A time "
        "published for several threads bounds that of one: it lies between the time and the "
        "time multiplied by the threads.\n\n"
        + table(
            ["board", "network", "published, ms", "predicted, ms", "2 sigma", "source"],
            [
                [
                    f"{held.board.name}, {held.board.ghz} GHz",
                    held.network.partition("/")[2],
                    held.words,
                    _ms(held.estimate.p50),
                    f"{_ms(held.estimate.low)} to {_ms(held.estimate.high)}",
                    f"{held.source}; {held.remark}",
                ]
                for held in fit.validate(model)
            ],
        )
    )
    return "".join(parts)


def _older(model: Model) -> str:
    """What the rows that were not used say, which are of older kernels."""
    rows = fit.read_rows(old=True)
    old = fit.fit(rows)
    factors = ", ".join(f"{core} {factor:.2f}" for core, factor in old.factors.items())
    used = fit.read_rows()
    off: dict[str, list[float]] = {}
    for row in rows:
        if row not in used:
            found = fit.error(row, model.factors[row.core], model.exposed)
            off.setdefault(row.board, []).append(found)
    boards = ", ".join(f"{name} {math.exp(_mean(e)):.2f}" for name, e in off.items())
    return (
        f"Published over predicted of rows of older kernels, which are not used: {boards}. "
        f"With them the factors would be {factors}, and sigma x/{math.exp(old.sigma):.2f}.\n"
    )


def _mean(errors: Sequence[float]) -> float:
    return sum(errors) / len(errors)


def _root(errors: Sequence[float]) -> float:
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def _significant(value: float) -> float:
    return float(f"{value:.3g}")


def _ms(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
