"""Show what is in a bundle: card, channels, tasks, graphs, sizes.

No engine is needed: the bundle is opened and checked, not run.
"""

from __future__ import annotations

import argparse
import unicodedata
from typing import Any

import msgspec

from onwrist.bundles import find
from onwrist.commands import options, output
from onwrist.extras import require
from onwrist_runtime import bundle as bundles
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import BundleError
from onwrist_runtime.manifest import (
    CARD_FILE,
    PARITY_FILE,
    Availability,
    Graph,
    Manifest,
    Task,
    Tokens,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_bundle(parser)


def run(arguments: argparse.Namespace) -> int:
    path = find(arguments.bundle)
    bundle = bundles.read(path)
    parity = _parity(bundle)
    card = bundle.members[CARD_FILE].decode(errors="replace")
    if arguments.json:
        output.print_json(
            {
                "path": str(path),
                "bytes": path.stat().st_size,
                "hash": bundle.hash,
                "manifest": msgspec.to_builtins(bundle.manifest),
                "parity": parity,
                "card": card,
            }
        )
        return 0
    output.console().print(
        require("rich.markdown", "cli", "the card").Markdown(_harmless(card))
    )
    _print_tables(bundle, path.stat().st_size)
    return 0


def _parity(bundle: Bundle) -> Any:
    try:
        return msgspec.json.decode(bundle.members[PARITY_FILE])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleError(f"{PARITY_FILE} is not JSON: {error}") from None


def _harmless(text: str) -> str:
    """Without control characters: a card is a stranger's, and escapes steer a terminal."""
    return "".join(x for x in text if x in "\n\t" or unicodedata.category(x) != "Cc")


def _print_tables(bundle: Bundle, size: int) -> None:
    manifest = bundle.manifest
    console, table_of = output.console(), output.table
    seconds = manifest.samples / manifest.rate
    console.print(f"\n{manifest.name} {manifest.version}", style="bold")
    console.print(
        f"{manifest.description}\n"
        f"{manifest.samples} samples at {manifest.rate:g} Hz ({seconds:g} s), "
        f"embedding of {manifest.embedding[-1].stop} numbers, {manifest.licence}\n"
        f"{_streaming(manifest)}"
        f"SHA-256 {bundle.hash}"
    )
    rate = "rate, Hz"
    table = table_of(
        "channel", "sensor", rate, "unit", "polarity", "range", "normalization", right=(rate,)
    )
    for x in manifest.channels:
        bounds = f"{x.minimum:g} to {x.maximum:g}"
        table.add_row(
            x.name, x.sensor, f"{x.rate:g}", x.unit, x.polarity, bounds, x.normalization
        )
    console.print(table)
    table = table_of("task", "gives", "coverage needed", "least confidence")
    for task in manifest.tasks:
        gives = task.unit or ", ".join(task.labels)
        least = f"{task.minimum_confidence:g}" if not manifest.availability else "by pattern"
        table.add_row(task.name, gives, _needs(task), least)
    if manifest.tasks:
        console.print(table)
    if manifest.availability is not None:
        console.print(_patterns(manifest, manifest.availability))
    table = table_of("file", "graph of", "bytes", "SHA-256", right=("bytes",))
    roles = {graph.file: _graph_of(graph) for graph in manifest.graphs}
    for name, member in manifest.members.items():
        table.add_row(name, roles.get(name, ""), f"{member.bytes:,}", member.sha256)
    table.add_row("the bundle", "", f"{size:,}", "")
    console.print(table)


def _streaming(manifest: Manifest) -> str:
    """What a stream does besides cutting windows, a line each."""
    said = ""
    if manifest.step is not None:
        step = manifest.step
        said += (
            f"step of {step.samples} samples ({step.samples / manifest.rate:g} s), "
            f"state of {step.state} numbers\n"
        )
    if manifest.baseline is not None:
        baseline = manifest.baseline
        said += (
            f"running baseline over {baseline.seconds:g} s, "
            f"updated every {baseline.samples / manifest.rate:g} s\n"
        )
    if manifest.tokens is not None:
        said += _tokens(manifest, manifest.tokens)
    if manifest.availability is not None:
        said += (
            f"a sensor is live from {manifest.availability.least:.0%} of its grid points on: "
            f"{', '.join(manifest.sensors)}\n"
        )
    if manifest.fusion is not None:
        fusion = manifest.fusion
        said += (
            f"an encoder of each sensor, run where it is live: {fusion.tokens} tokens of "
            f"{fusion.width} numbers\n"
        )
        if fusion.restores:
            said += "restores the signals of sensors that are dead\n"
    return said


def _patterns(manifest: Manifest, availability: Availability) -> Any:
    """A table of the patterns of live sensors: temperature and least confidence by task."""
    names = [f"{output.in_words(task.name)}: T, least" for task in manifest.tasks]
    table = output.table("live sensors", *names, right=names)
    for pattern in availability.patterns:
        cells = [
            f"{pattern.temperatures[task.name]:.3g}, "
            f"{pattern.minimum_confidence[task.name]:.3g}"
            if task.name in pattern.temperatures
            else "abstains"
            for task in manifest.tasks
        ]
        table.add_row(" + ".join(pattern.sensors), *cells)
    if len(availability.patterns) < 2 ** len(manifest.sensors) - 1:
        table.add_row("any others", *["abstains"] * len(manifest.tasks))
    return table


def _graph_of(graph: Graph) -> str:
    """Of what a graph is, in words."""
    if graph.sensor is not None:
        return f"the sensor {graph.sensor}"
    return {"fuse": "the fusion"}.get(graph.role, f"a {graph.role}")


def _tokens(manifest: Manifest, tokens: Tokens) -> str:
    """How a day becomes tokens, how many of them are computed, and what is imputed."""
    groups = ", ".join(
        f"{group.name} ({', '.join(group.channels)}; from {group.least} observed on)"
        for group in tokens.groups
    )
    *fewer, most = map(str, tokens.sizes)
    sizes = f"{', '.join(fewer)} or {most}" if fewer else most
    said = (
        f"tokens of {tokens.patch} grid points ({tokens.patch * manifest.period:g} s) and "
        f"{tokens.width} numbers, one of each group: {groups}\n"
        f"computed at once: {sizes} of {most} tokens, the least that hold what was observed\n"
    )
    if tokens.interpolated is None:
        return said
    return f"{said}imputes every channel, {tokens.interpolated} beside its interpolation\n"


def _needs(task: Task) -> str:
    needs = [f"{channel} {least:.0%}" for channel, least in task.required.items()]
    if task.any_of:
        choices = (f"{channel} {least:.0%}" for channel, least in task.any_of.items())
        needs.append(f"any of: {', '.join(choices)}")
    return "; ".join(needs) or "any"
