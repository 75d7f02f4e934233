"""Where the cycles of a graph go, and what its products and weights alone would take.

    python benchmarks/arm/floor.py out/arm/counts -o benchmarks/results/arm_floor

COUNTS is the folder of count.py. The INT8 graphs of windows and steps in LiteRT are taken
apart into kinds of work. Their INT8 products and the reading of their weights are needed
whatever graph stands around them: as modelled milliseconds these are a floor for the model.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import save, table
from latency import fit
from latency.blocks import read_blocks
from latency.evidence import ms
from latency.fit import Model
from latency.kinds import KINDS, PRODUCTS, kind
from latency.mca import CPUS, ModelError, Tools
from latency.report import Weighed, read_weighed

ROLES = ("window", "step")


@dataclass(frozen=True)
class Floor:
    """A graph on a device: p50 of all of it, and of its products and weights alone, in ms."""

    device: str
    whole: float
    products: float


def taken_apart(weighed: Weighed, folder: Path, tools: Tools) -> dict[str, float]:
    """Cycles of a call by kind of work."""
    count = weighed.count
    executed = read_blocks(folder / f"{'.'.join(count.key)}.blocks")
    cycles = tools.passes([block.code for block in executed], CPUS[count.core])
    texts = tools.texts([block.code for block in executed])
    found: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for block, times in executed.items():
        passed = cycles[block.code]
        found[kind(texts[block.code])] += (passed or block.instructions) * times / count.calls
    return dict(found)


def floors(weighed: Weighed, products: float, model: Model) -> list[Floor]:
    """On every device with this core."""
    alone = replace(weighed.call, cycles=products)
    return [
        Floor(
            device.name,
            model.estimate(device, weighed.call).p50,
            model.estimate(device, alone).p50,
        )
        for device in fit.read_devices()
        if device.counted == weighed.count.core
    ]


def page(found: list[tuple[Weighed, dict[str, float], list[Floor]]]) -> str:
    """Both tables in Markdown."""
    text = (
        "# Where the cycles go\n\nINT8 in LiteRT: llvm-mca's cycles of counted blocks, by what "
        "they do. Modelled, not measured. Nodes of the graph: setting up and walking from one "
        "operation to the next.\n\n"
    )
    rows = []
    for weighed, kinds, _ in found:
        whole = sum(kinds.values())
        count = weighed.count
        shares = [f"{kinds[each] / whole:.0%}" for each in KINDS]
        rows.append([count.bundle, count.role, count.core, f"{whole / 1e3:.0f}k", *shares])
    text += table(["bundle", "graph", "core", "cycles", *KINDS], rows)
    text += (
        "\nThe floor is the same model with nothing but the INT8 products and what misses the "
        "second-level cache: with these kernels no other graph around them goes below it.\n\n"
    )
    rows = [
        [weighed.count.bundle, weighed.count.role, x.device, ms(x.whole), ms(x.products)]
        for weighed, _, each in found
        for x in each
    ]
    return text + table(["bundle", "graph", "device", "p50, ms", "floor, ms"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("counts", type=Path, help="the folder that count.py made")
    parser.add_argument(
        "--lane", type=Path, default=Path("out/arm"), help="the folder that lane.sh made"
    )
    parser.add_argument("-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json")
    arguments = parser.parse_args()
    tools = Tools(arguments.lane / "llvm")
    try:
        model = fit.fit(fit.read_rows())
        found = []
        for weighed in read_weighed(arguments.counts, tools):
            count = weighed.count
            if (count.precision, count.engine) == ("int8", "litert") and count.role in ROLES:
                kinds = taken_apart(weighed, arguments.counts, tools)
                found.append((weighed, kinds, floors(weighed, kinds[PRODUCTS], model)))
    except (OSError, ValueError, ModelError) as error:
        print(f"floor: error: {error}", file=sys.stderr)
        return 2
    text = page(found)
    print(text)
    if arguments.output:
        record = [
            {"count": ".".join(w.count.key), "cycles": kinds, "floors": list(map(asdict, each))}
            for w, kinds, each in found
        ]
        save(arguments.output, text, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
