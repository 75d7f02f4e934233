"""Replay a bundle's golden vectors with every installed engine.

Exit code 1 if an engine is off by more than the bundle allows, or does not start.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from onwrist.bundles import find
from onwrist.commands import options, output
from onwrist_runtime import bundle as bundles
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import open_engine, steps, usable
from onwrist_runtime.errors import EngineError
from onwrist_runtime.manifest import Role
from onwrist_runtime.verify import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_bundle(parser)


def run(arguments: argparse.Namespace) -> int:
    bundle = bundles.read(find(arguments.bundle))
    engines = usable(bundle)
    if not engines:
        open_engine(bundle)  # says which ones could be installed
    reports = [_replay(bundle, name, "window") for name in engines]
    reports += [_replay(bundle, name, "step") for name in engines if steps(bundle, name)]
    passed = all(report["passed"] for report in reports)
    if arguments.json:
        output.print_json({"bundle": bundle.hash, "passed": passed, "engines": reports})
    else:
        _print(bundle, reports)
    return 0 if passed else 1


def _replay(bundle: Bundle, engine: str, role: Role) -> dict[str, Any]:
    """What one engine gave, or why it gave nothing, as an object of plain values."""
    try:
        report = verify(bundle, open_engine(bundle, engine, role=role))
    except EngineError as error:
        return {"engine": engine, "passed": False, "error": str(error), "outputs": {}}
    return {
        "engine": engine,
        "passed": report.passed,
        "graph": report.graph,
        "windows": report.windows,
        "outputs": {
            name: {
                # A difference that is not a number has no place in JSON.
                "difference": None if np.isnan(off) else off,
                "tolerance": report.tolerances[name],
                "passed": off <= report.tolerances[name],
            }
            for name, off in report.differences.items()
        },
    }


def _print(bundle: Bundle, reports: list[dict[str, Any]]) -> None:
    passed, failed = output.styled("passed", "green"), output.styled("failed", "bold red")
    table = output.table(
        "engine", "graph", "output", "largest difference", "allowed", "",
        right=("largest difference", "allowed"),
    )  # fmt: skip
    for report in reports:
        if "error" in report:
            table.add_row(report["engine"], "", report["error"], "", "", failed)
        for name, of in report["outputs"].items():
            off = "not a number" if of["difference"] is None else f"{of['difference']:.3g}"
            verdict = passed if of["passed"] else failed
            most = f"{of['tolerance']:.3g}"
            table.add_row(report["engine"], report["graph"], name, off, most, verdict)
    manifest = bundle.manifest
    console = output.console()
    golden = manifest.golden
    counts = f"{golden.windows} golden windows"
    if golden.steps:
        counts += f" and {golden.steps} golden steps"
    console.print(f"{manifest.name} {manifest.version}: {counts}")
    console.print(table)
