"""What the manifest of a bundle says of live sensors, held against its channels and tasks."""

from __future__ import annotations

from collections.abc import Sequence

from onwrist_runtime.manifest import Manifest, Pattern
from onwrist_runtime.manifest_rules import demand, share

MOST_PATTERNS = 1024  # as many as there can be golden windows
LOWEST, HIGHEST = 1e-3, 1e3  # temperature: its inverse is a plain number in float32
LARGEST_SENSED = 2**22  # numbers in the tokens of all sensors


def check_availability(manifest: Manifest) -> None:
    """Raise BundleError for the first thing in `availability` that contradicts the manifest."""
    availability = manifest.availability
    if availability is None:
        return
    demand(manifest.tokens is None, "a bundle with tokens has no availability")
    demand(
        0 < availability.least <= 1,
        f"availability: least must be above 0 and at most 1, not {availability.least}",
    )
    patterns = availability.patterns
    demand(
        0 < len(patterns) <= MOST_PATTERNS,
        f"availability: there must be 1 to {MOST_PATTERNS} patterns, not {len(patterns)}",
    )
    sensors, tasks = manifest.sensors, [task.name for task in manifest.tasks]
    listed: set[tuple[str, ...]] = set()
    for pattern in patterns:
        where = f"the pattern {' + '.join(pattern.sensors) or 'of no sensor'!r}"
        demand(
            bool(pattern.sensors)
            and pattern.sensors == tuple(s for s in sensors if s in pattern.sensors),
            f"{where}: it must name some of the sensors {', '.join(sensors)}, each once and "
            "in this order",
        )
        demand(pattern.sensors not in listed, f"{where} appears twice")
        listed.add(pattern.sensors)
        _check_pattern(where, pattern, tasks)


def _check_pattern(where: str, pattern: Pattern, tasks: Sequence[str]) -> None:
    demand(
        pattern.temperatures.keys() == pattern.minimum_confidence.keys(),
        f"{where}: temperatures are of {_named(pattern.temperatures)}, and minimum_confidence "
        f"is of {_named(pattern.minimum_confidence)}: they must be of the same tasks",
    )
    for task, temperature in pattern.temperatures.items():
        demand(
            task in tasks,
            f"{where}: it names the task {task!r}, but there is {_named(tasks)}",
        )
        demand(
            LOWEST <= temperature <= HIGHEST,
            f"{where}: the temperature of {task!r} must be from {LOWEST:g} to {HIGHEST:g}, not "
            f"{temperature}",
        )
        share(f"{where}: minimum_confidence of {task!r}", pattern.minimum_confidence[task])


def check_fusion(manifest: Manifest) -> None:
    """Raise BundleError unless `fusion` fits the manifest."""
    fusion, sensors = manifest.fusion, manifest.sensors
    if fusion is None:
        demand(not manifest.plausible, "`plausible` is for a bundle with fusion only")
        return
    demand(
        manifest.baseline is None and manifest.step is None and manifest.tokens is None,
        "a bundle with fusion has no baseline, step or tokens",
    )
    demand(manifest.availability is not None, "a bundle with fusion must have availability")
    numbers = len(sensors) * fusion.tokens * fusion.width
    demand(
        fusion.tokens > 0 and fusion.width > 0 and numbers <= LARGEST_SENSED,
        f"fusion: there must be tokens of a width above 0, and {len(sensors)} sensors at most "
        f"{LARGEST_SENSED} numbers, not {fusion.tokens} tokens of {fusion.width} each",
    )


def _named(names: Sequence[str] | dict[str, float]) -> str:
    return ", ".join(names) or "none"
