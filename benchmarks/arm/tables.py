"""Counts in, Markdown for people out: thousands of instructions, ratios, and what to choose."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from counted import Count, Counted

sys.path.append(str(Path(__file__).parents[1]))
from common import listed, table

ENGINES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
FEWEST = "The engine with the fewest INT8 instructions"
PRECISIONS = {"int8": "INT8", "fp32": "fp32"}

T = TypeVar("T")
Known = dict[tuple[str, str, str, str, str], Count]


def report(counted: Counted) -> str:
    """The whole page."""
    counts = counted.counts
    known = {count.key: count for count in counts}
    cores = _once(count.core for count in counts)
    empty = [count.empty for count in counts]
    parts = [
        "# Instructions on Arm\n",
        listed(counted.conditions),
        "Counted, not measured: how long they take is not told. Left out are "
        f"{min(empty):,} to {max(empty):,} instructions of a marked call that does nothing. An "
        "engine is counted only after it has given a bundle's golden numbers on that core.\n",
        _against_float(counts, known),
        _spread(counts),
    ]
    for name in _once(count.bundle for count in counts):
        own = [count for count in counts if count.bundle == name]
        parts += [
            f"## {name}\n",
            "Thousands of instructions of a call:\n",
            _instructions(own, known, cores),
            "Engine with the fewest INT8 instructions, and its share of the other's:\n",
            _fewest(own, cores),
            "Thousands of INT8 loads / stores / misses of L1D / L1I / L2:\n",
            _memory(own, known, cores),
        ]
    return "\n".join(parts)


def _against_float(counts: Sequence[Count], known: Known) -> str:
    """Where INT8 executes less than fp32: in each engine, and in the best of both."""
    ratios: dict[str, dict[Count, float]] = {words: {} for words in (*ENGINES.values(), FEWEST)}
    for count in counts:
        in_float = (count.bundle, count.role, "fp32", count.engine, count.core)
        if count.precision != "int8" or in_float not in known:
            continue
        ratio = count.instructions / known[in_float].instructions
        ratios[ENGINES[count.engine]][count] = ratio
        if count == _ranked(counts, count.bundle, count.role, count.core)[0]:
            ratios[FEWEST][count] = ratio
    lines = []
    for words, each in ratios.items():
        if not each:
            continue
        least, most = min(each.values()), max(each.values())
        line = f"- {words}: INT8 executes {least:.2f} to {most:.2f} of fp32"
        above = {count: ratio for count, ratio in each.items() if ratio >= 1}
        if above:
            where = [f"{c.bundle} {c.role} on {c.core} ({r:.2f})" for c, r in above.items()]
            line += f"; not below it in {len(above)} of {len(each)}: {', '.join(where)}"
        else:
            line += ", below it in every graph and on every core"
        lines.append(f"{line}.\n")
    return "".join(lines)


def _ranked(counts: Sequence[Count], bundle: str, role: str, core: str) -> list[Count]:
    """The INT8 counts of all engines, the fewest first."""
    of_all = (c for c in counts if (c.bundle, c.role, c.core) == (bundle, role, core))
    return sorted((c for c in of_all if c.precision == "int8"), key=lambda c: c.instructions)


def _spread(counts: Sequence[Count]) -> str:
    """How far runs are from each other."""
    repeated = [count for count in counts if count.runs > 1]
    if not repeated:
        return ""
    rows = []
    cores = _once(count.core for count in repeated)
    for engine, words in ENGINES.items():
        cells = []
        for core in cores:
            own = [
                (count.most - count.least) / count.instructions
                for count in repeated
                if (count.engine, count.core) == (engine, core)
            ]
            cells.append(f"{max(own):.3%}" if own else "")
        rows.append([words, *cells])
    runs = max(count.runs for count in repeated)
    words = f"Largest spread of {runs} runs, each a process of its own, over INT8 graphs:\n"
    return f"{words}\n{table(['engine', *cores], rows)}"


def _instructions(own: Sequence[Count], known: Known, cores: Sequence[str]) -> str:
    rows = []
    for role in _once(count.role for count in own):
        for engine, words in ENGINES.items():
            cells: dict[str, list[str]] = {}
            for core in cores:
                both = {
                    p: known.get((own[0].bundle, role, p, engine, core)) for p in PRECISIONS
                }
                for precision, count in both.items():
                    if count is not None:
                        thousands = f"{count.instructions / 1e3:,.0f}"
                        cells.setdefault(PRECISIONS[precision], []).append(thousands)
                int8, fp32 = both["int8"], both["fp32"]
                if int8 is not None and fp32 is not None:
                    ratio = f"{int8.instructions / fp32.instructions:.2f}"
                    cells.setdefault("INT8 / fp32", []).append(ratio)
            rows += [[role, words, precision, *line] for precision, line in cells.items()]
    return table(["role", "engine", "precision", *cores], rows)


def _fewest(own: Sequence[Count], cores: Sequence[str]) -> str:
    rows = []
    for role in _once(count.role for count in own):
        row = [role]
        for core in cores:
            ranked = _ranked(own, own[0].bundle, role, core)
            share = ranked[0].instructions / ranked[-1].instructions
            row.append(f"{ENGINES[ranked[0].engine]}, {share:.2f}")
        rows.append(row)
    return table(["role", *cores], rows)


def _memory(own: Sequence[Count], known: Known, cores: Sequence[str]) -> str:
    rows = []
    for role, engine in _once((c.role, c.engine) for c in own if c.precision == "int8"):
        row = [role, ENGINES[engine]]
        for core in cores:
            c = known[own[0].bundle, role, "int8", engine, core]
            each = (c.loads, c.stores, c.l1d_misses, c.l1i_misses, c.l2_misses)
            row.append(" / ".join(f"{n / 1e3:,.0f}" for n in each))
        rows.append(row)
    return table(["role", "engine", *cores], rows)


def _once(things: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(things))
