"""Milliseconds of counted calls on devices that are not at hand, with an interval.

    python benchmarks/arm/model.py out/arm/counts -o benchmarks/results/arm_latency
    python benchmarks/arm/model.py --refit            # what the model rests on, and its error
    python benchmarks/arm/model.py --recount PARAMS   # the networks that it is fitted on, anew

COUNTS is the folder of count.py: counts.json and the blocks of each graph, engine and core.
Their cycles come from llvm-mca (LLVM 19, from lane.sh), their milliseconds from published
times of boards: see latency/fit.py. A call is one of many, so that caches hold what fits;
after an idle second it is slower. Nothing of it was measured here.

--recount wants a folder of ncnn's benchmark/models/*.param, and runs for minutes on each
core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import save
from latency import evidence, fit, networks, report
from latency.mca import ModelError, Tools


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Milliseconds of counted calls on devices, modelled."
    )
    parser.add_argument("counts", nargs="?", type=Path, help="the folder that count.py made")
    parser.add_argument("--refit", action="store_true", help="print factors and their error")
    parser.add_argument("--recount", type=Path, metavar="PARAMS", help="count ncnn's networks")
    parser.add_argument(
        "--lane", type=Path, default=Path("out/arm"), help="the folder that lane.sh made"
    )
    parser.add_argument("-o", "--output", type=Path, help="write OUTPUT.md and OUTPUT.json")
    arguments = parser.parse_args()
    if sum(map(bool, (arguments.counts, arguments.refit, arguments.recount))) != 1:
        parser.error("give a folder of counts, or --refit, or --recount")
    tools = Tools(arguments.lane / "llvm")
    try:
        if arguments.recount:
            networks.recount(arguments.recount, arguments.lane, tools, fit.COUNTED)
            return 0
        rows = fit.read_rows()
        model = fit.fit(rows)
        if arguments.refit:
            print(evidence.calibration(model, rows))
            return 0
        predictions = report.predict(report.read_weighed(arguments.counts, tools), model)
        text, record = report.latencies(predictions, model, rows)
    except (OSError, ValueError, ModelError) as error:
        print(f"model: error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(
            f"model.py: error: {error.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr
        )
        return 1
    if arguments.output:
        save(arguments.output, text, record)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
