"""The graphs and files that a manifest names, held against what it describes besides."""

from __future__ import annotations

import re

from onwrist_runtime.manifest import CARD_FILE, PARITY_FILE, Manifest, Role
from onwrist_runtime.manifest_rules import demand, pattern, unique
from onwrist_runtime.strict_zip import FILE_NAME

_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_graphs(manifest: Manifest) -> None:
    """Raise BundleError unless there are just the graphs and files that are described."""
    _check_sensors(manifest)
    _check_roles(manifest)
    _check_files(manifest)


def _check_sensors(manifest: Manifest) -> None:
    """A graph that senses is of a sensor, and there is one of each, in each kind."""
    sensors = manifest.sensors
    for graph in manifest.graphs:
        demand(
            (graph.role == "sense") == (graph.sensor is not None),
            f"{graph.file!r}: a graph has a sensor if and only if its role is 'sense'",
        )
        demand(
            graph.sensor is None or graph.sensor in sensors,
            f"{graph.file!r} is of the sensor {graph.sensor!r}, but the sensors are "
            + ", ".join(sensors),
        )
    senses = {(g.format, g.activations, g.sensor) for g in manifest.graphs if g.role == "sense"}
    for kind in {(form, activations) for form, activations, _ in senses}:
        lacking = [sensor for sensor in sensors if (*kind, sensor) not in senses]
        demand(
            not lacking,
            f"there are {kind[0]} graphs with {kind[1]} activations that sense, but none of "
            + ", ".join(lacking),
        )


def _check_roles(manifest: Manifest) -> None:
    """The graphs are those that the manifest asks for, in each format."""
    tokens, fusion = manifest.tokens is not None, manifest.fusion is not None
    roles: dict[Role, tuple[str, bool, str]] = {
        "window": (
            "of a window",
            not (tokens or fusion),
            "neither `tokens` nor `fusion` is given",
        ),
        "step": ("of a step", manifest.step is not None, "`step` describes them"),
        "embed": ("that embed", tokens, "`tokens` is given"),
        "encode": ("that encode", tokens, "`tokens` is given"),
        "sense": ("that sense", fusion, "`fusion` is given"),
        "fuse": ("that fuse", fusion, "`fusion` is given"),
        "decode": (
            "that decode",
            manifest.imputes,
            "`tokens.interpolated` is given or `fusion` restores",
        ),
    }
    for role, (what, asked, when) in roles.items():
        formats = {graph.format for graph in manifest.graphs if graph.role == role}
        demand(bool(formats) == asked, f"there must be graphs {what} if and only if {when}")
        lacking = {graph.format for graph in manifest.graphs} - formats
        demand(
            not (tokens or fusion) or not asked or not lacking,
            f"there are graphs of {' and '.join(sorted(lacking))}, but none {what}",
        )


def _check_files(manifest: Manifest) -> None:
    kinds = [(g.role, g.format, g.activations, g.sensor) for g in manifest.graphs]
    demand(len(set(kinds)) == len(kinds), f"two graphs are of the same kind: {kinds}")
    named = [graph.file for graph in manifest.graphs]
    named += [manifest.golden.file, PARITY_FILE, CARD_FILE]
    for name in named:
        pattern("a file's name", name, FILE_NAME)
    unique("file", named)
    demand("manifest.json" not in named, "it cannot name itself as a member")
    absent = sorted(set(named) - set(manifest.members))
    demand(not absent, f"members lists no {', '.join(absent)}")
    idle = sorted(set(manifest.members) - set(named))
    demand(not idle, f"nothing refers to the member {', '.join(map(repr, idle))}")
    for name, member in manifest.members.items():
        demand(member.bytes >= 0, f"member {name!r}: {member.bytes} is no size")
        pattern(f"member {name!r}: sha256", member.sha256, _SHA256)
