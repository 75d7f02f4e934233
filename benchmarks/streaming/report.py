"""What was measured in, the sections of the page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common import listed, table

from onwrist_runtime.manifest import Role
from streaming import engines, push
from streaming.engines import ALONE, INSIDE, WHOLE
from streaming.many import STREAMS

Told = dict[str, Any]


def engines_text(rows: Sequence[engines.Row], ratios: Sequence[engines.Ratio]) -> str:
    text = "## Engine time of a step and of a window\n\n"
    text += (
        f"Microseconds. `{ALONE}`: all tensors are where the engine wants them. `{WHOLE}`: the "
        f"runtime's call, inputs and outputs copied, a step's state with them. `{INSIDE}` is "
        "explained below. Ratios are of medians.\n"
    )
    for mode in dict.fromkeys(row.mode for row in rows):
        text += f"\n### {mode.capitalize()}\n\n"
        found = {(r.engine, r.what): r for r in ratios if r.mode == mode}
        cells = []
        for row in rows:
            if row.mode != mode:
                continue
            ratio = found.get((row.engine, row.what)) if row.role == "step" else None
            times = (f"{x:.1f}" for x in (row.least, row.p50, row.p90))
            of_window = [
                f"{ratio.ratio:.3f}" if ratio else "",
                f"{ratio.low:.3f} to {ratio.high:.3f}" if ratio else "",
            ]
            cells.append([row.engine, row.role, row.what, *times, *of_window])
        text += table(
            ["engine", "graph", "call", "min", "p50", "p90", "of the window's", "95 %"], cells
        )
    return text


def arithmetic_text(counts: Mapping[Role, Mapping[str, int]], ratio: float) -> str:
    text = "\n## Multiply-adds\n\n"
    text += "Counted from the shapes of the ONNX graphs: convolutions and fully connected.\n\n"
    cells = [
        [role, f"{each['Conv']:,}", f"{each['Gemm']:,}", f"{sum(each.values()):,}"]
        for role, each in counts.items()
    ]
    text += table(["graph", "convolutions", "layers", "all"], cells)
    return text + f"\nA step is {ratio:.3f} of a window.\n"


def push_text(rows: Sequence[push.Row], parts: Mapping[str, float]) -> str:
    text = "\n## Push to prediction, outside the engine\n\n"
    text += (
        "Microseconds for a burst of 1.28 s of every sensor at its own rate, one push each, "
        "that gives one prediction. The true engine runs and its own time is taken off; after "
        "it the caches are colder for everything else, which an engine of no cost leaves out. "
        "`engine` is the median of what was taken off.\n\n"
    )
    cells = [
        [
            row.mode,
            row.stream,
            str(row.bursts),
            *(f"{x:.0f}" for x in (row.p50, row.p90, row.p99, row.engine)),
        ]
        for row in rows
    ]
    text += table(["mode", "stream", "bursts", "p50", "p90", "p99", "engine"], cells)
    text += "\nWhere it goes: by steps, warm, mean of all but the slowest tenth.\n\n"
    return text + table(["part", "us"], [[part, f"{us:.1f}"] for part, us in parts.items()])


def day_text(days: Mapping[str, Told], hours: float) -> str:
    text = f"\n## {hours:g} hours of every sensor\n\n"
    text += (
        "Through `push_recording` in pieces of some minutes, by steps; what the stream does is "
        "timed, making the pieces is not.\n\n"
    )
    cells = [
        [
            clock,
            f"{told['hours'][-1][1]:.1f}",
            f"{told['predictions']:.0f}",
            f"{told['repaired']}",
            f"{told['hours'][0][2]:.1f}",
            f"{growth(told):+.2f}",
        ]
        for clock, told in days.items()
    ]
    header = [
        "stamps",
        "s",
        "predictions",
        "stamps repaired",
        "MB after an hour",
        "most above it",
    ]
    text += table(header, cells)
    clock, told = next(iter(days.items()))
    resident = ", ".join(f"{mb:.1f}" for _, _, mb in told["hours"])
    return text + f"\nResident MB after each hour, {clock} stamps: {resident}.\n"


def growth(told: Told) -> float:
    first, *later = (mb for _, _, mb in told["hours"])
    return float(max(later, default=first) - first)


def state_text(
    rows: Sequence[engines.Row],
    many: Told,
    inside: Told,
    traced: Told,
    bytes_of_state: int,
) -> str:
    """How the state is carried: what was chosen, and why."""
    p50 = {(r.engine, r.what): r.p50 for r in rows if r.mode == "warm" and r.role == "step"}
    packed, kept = p50["litert", WHOLE], p50[INSIDE, WHOLE]
    text = f"\n## {STREAMS} streams of one model\n\n"
    text += (
        "Each in the middle of a stream by steps, with all buffers full; they share weights "
        "and interpreter.\n\n"
    )
    text += listed(
        {
            "memory of a stream": f"{many['MB']:.3f} MB resident, of which {traced['MB']:.3f} "
            "MB are seen by tracemalloc; the state, which the engine allocates, is not",
            "saved": f"{many['saved bytes']:,} bytes, {many['save us']:.0f} us to save, "
            f"{many['restore us']:.0f} us to restore",
        }
    )
    text += "\n## How the state of a step is carried\n\n"
    text += (
        f"The state is one packed tensor of {bytes_of_state:,} bytes, an input and an output. "
        "The alternative is a TFLite resource variable inside the graph: the same graph was "
        "given one, with signatures that read and assign it, and gives the same bytes.\n\n"
    )
    cells = [
        ["a step, us at the median, warm", f"{packed:.1f}", f"{kept:.1f}"],
        [
            "of that, the engine's own call",
            f"{p50['litert', ALONE]:.1f}",
            f"{p50[INSIDE, ALONE]:.1f}",
        ],
        ["save the state, us", "0 (it is an array)", f"{inside['save us']:.1f}"],
        ["restore or reset, us", "0", f"{inside['restore us']:.1f}"],
        [
            f"step of one of {STREAMS} streams, one interpreter, us",
            f"{packed:.1f}",
            f"{kept + inside['save us'] + inside['restore us']:.1f}",
        ],
        [
            f"each of {STREAMS} streams, an interpreter each",
            "none is needed",
            f"{inside['MB']:.2f} MB, {inside['make us'] / 1000:.1f} ms to make",
        ],
        ["engines that can", "all", "TFLite's only; ONNX has no variables"],
    ]
    text += table(["", "packed tensor", "resource variable"], cells)
    text += (
        "\n**Chosen: the packed tensor.** It costs one copy each way, "
        f"{packed - kept:.1f} us more a step here; save, restore, reset and many streams on "
        "one interpreter come free with it, a failed call leaves the stream as it was, and "
        "every engine carries it alike.\n"
    )
    return text
