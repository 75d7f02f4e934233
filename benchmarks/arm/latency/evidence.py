"""A model and what it was fitted on in, what a sceptic wants to see out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from common import table

from latency import fit
from latency.fit import Model, Row
from latency.mca import CPUS


def devices() -> str:
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
        "benchmark/README.md at a4d2ea1d; the least of several calls) on boards, against "
        f"counts of ncnn {fit.NCNN} under emulation; published since ncnn's kernels were last "
        f"rewritten, {fit.SINCE_FLOAT} in float and {fit.SINCE_INT8} in INT8. Memory "
        "bandwidth: ThomasKaiser/sbc-bench at 53f79517. Sigma is "
        f"x/{math.exp(model.sigma):.2f}: the "
        "error on boards and on networks that the fit did not see, added; by instructions "
        f"alone it is x/{math.exp(model.sigma_plain):.2f}. Of the reading from memory "
        f"{model.exposed:.0%} is waited for on cores without a third-level cache; without this "
        f"part sigma would be x/{math.exp(fit.sigma(rows, 0)):.2f}.\n\n",
        table(
            [
                "core",
                "llvm-mca",
                "factor",
                "cycles an instruction",
                "boards",
                "networks",
                "of them INT8",
            ],
            [
                [
                    core,
                    CPUS.get(core, CPUS["Cortex-A76"]),
                    f"{model.factors[core]:.2f}",
                    f"{model.cpi[core]:.2f}",
                    str(sum(of == core for of in boards.values())),
                    str(len(_networks(rows, core))),
                    str(sum(name.endswith("int8") for name in _networks(rows, core))),
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
                    ms(held.estimate.p50),
                    f"{ms(held.estimate.low)} to {ms(held.estimate.high)}",
                    f"{held.source}; {held.remark}",
                ]
                for held in fit.validate(model)
            ],
        )
    )
    return "".join(parts)


def _networks(rows: Sequence[Row], core: str) -> set[str]:
    return {row.network for row in rows if row.core == core}


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
        f"{_alone_in(off, used)}"
    )


def _alone_in(off: dict[str, list[float]], used: Sequence[Row]) -> str:
    """Which devices have rows of older kernels and no others, beside boards of their core."""
    cores = {record["name"]: record["core"] for record in fit.records(fit.HERE / "boards.csv")}
    text = ""
    for name in [device.name for device in fit.read_devices() if device.name in off]:
        like = [_mean(e) for n, e in off.items() if n != name and cores[n] == cores[name]]
        if like and name not in {row.board for row in used}:
            text += (
                f"{name}, a device above, has no others: its times were "
                f"{math.exp(_mean(off[name])):.2f} of the predicted ones where those of other "
                f"{cores[name]} were {math.exp(_mean(like)):.2f}.\n"
            )
    return text


def _mean(errors: Sequence[float]) -> float:
    return sum(errors) / len(errors)


def _root(errors: Sequence[float]) -> float:
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def ms(value: float) -> str:
    """Milliseconds in two digits."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
