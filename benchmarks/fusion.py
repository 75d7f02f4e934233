"""What fusion is worth when sensors die, and whether its confidence can be trusted.

    python benchmarks/fusion.py ../shared/data/umafall -o benchmarks/results/fusion
    python benchmarks/fusion.py out/fusion/evidence.safetensors -o benchmarks/results/fusion

From recordings: each person is asked about by models trained on all others, one fold a
person, kept under --folds (hours on one core), and a random split of windows beside it. From
evidence, or folds that are there: only the reports. Writes fusion.md, subsets.md and
calibration.md for people, results.json for programs, and figures. All draws are from fixed
seeds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path

from common import conditions, listed
from fusion.report import report

from onwrist_export.fusion.evidence import Evidence
from onwrist_runtime.errors import InputError, OnwristError, RecordingError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="recordings, or evidence (.safetensors)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--config", type=Path, help="TOML of the model (default: body-fusion)")
    parser.add_argument(
        "--folds", type=Path, default=Path("out/fusion"), help="folder of folds and evidence"
    )
    parser.add_argument("--judged", help="the method that the bounds are asked of")
    arguments = parser.parse_args()
    try:
        evidence, leak = _evidence(arguments)
        made = conditions() | {"learning": _learning()}
        report(evidence, leak, arguments.output, listed(made), arguments.judged)
    except OnwristError as error:
        print(f"fusion.py: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError | RecordingError) else 1
    print((arguments.output / "fusion.md").read_text())
    return 0


def _evidence(arguments: argparse.Namespace) -> tuple[Evidence, Evidence | None]:
    """Of the subject split and of the random split of windows."""
    if arguments.source.suffix == ".safetensors":
        beside = arguments.source.with_name("leak.safetensors")
        leak = Evidence.load(beside) if beside.is_file() else None
        return Evidence.load(arguments.source), leak
    # PyTorch is needed to train, not to report.
    from onwrist_export.fusion import folds
    from onwrist_export.fusion.config import load_fusion_config

    config = load_fusion_config(arguments.config)
    evidence = folds.cross_validate(arguments.source, config, arguments.folds, print)
    evidence.save(arguments.folds / "evidence.safetensors")
    return evidence, folds.leak(arguments.source, config, arguments.folds, print)


def _learning() -> str:
    names = "torch", "scikit-learn"
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


if __name__ == "__main__":
    sys.exit(main())
