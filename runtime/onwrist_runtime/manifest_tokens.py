"""What the manifest of a bundle says of its tokens, held against its windows and itself."""

from __future__ import annotations

from onwrist_runtime.manifest import Manifest, Tokens
from onwrist_runtime.manifest_rules import NAME, demand, pattern, unique

DAY = 86_400  # seconds
LARGEST_TOKENS = 2**22  # numbers in all tokens of a window
MOST_GROUPS = 256
MOST_SIZES = 16


def check_tokens(manifest: Manifest) -> None:
    """Raise BundleError for the first thing in `tokens` that contradicts the manifest."""
    tokens = manifest.tokens
    allowed = ("resample",) if tokens is None else ("mean", "sum")
    for channel in manifest.channels:
        demand(
            channel.aggregation in allowed,
            f"channel {channel.name!r}: the aggregation is {channel.aggregation!r}, and in a "
            f"bundle with{'out' * (tokens is None)} tokens it is {' or '.join(allowed)}",
        )
    if tokens is None:
        return
    demand(
        manifest.baseline is None and manifest.step is None,
        "a bundle with tokens has neither a baseline nor a step",
    )
    _check_day(manifest.rate, manifest.samples)
    demand(
        0 < tokens.patch < manifest.samples and manifest.samples % tokens.patch == 0,
        f"tokens: a patch must divide the {manifest.samples} grid points of a window and be "
        f"less, not be {tokens.patch}",
    )
    _check_groups(manifest, tokens)
    count = manifest.samples // tokens.patch * len(tokens.groups)
    demand(
        0 < tokens.width <= LARGEST_TOKENS // count,
        f"tokens: width must be above 0, and {count} tokens at most {LARGEST_TOKENS} numbers, "
        f"not {tokens.width} each",
    )
    sizes = tokens.sizes
    demand(
        0 < len(sizes) <= MOST_SIZES,
        f"tokens: there must be 1 to {MOST_SIZES} sizes, not {len(sizes)}",
    )
    demand(
        list(sizes) == sorted(set(sizes)) and sizes[0] > 0 and sizes[-1] == count,
        f"tokens: sizes must ascend from above 0 to all {count} tokens, not be "
        + ", ".join(map(str, sizes)),
    )
    names = [channel.name for channel in manifest.channels]
    demand(
        tokens.interpolated is None or tokens.interpolated in names,
        f"tokens: interpolated is {tokens.interpolated!r}, but the channels are "
        + ", ".join(names),
    )


def _check_day(rate: float, samples: int) -> None:
    period = round(1 / max(rate, 1 / DAY))
    demand(
        period > 0 and rate == 1 / period,
        f"a bundle with tokens has grid points that are whole seconds apart, not {1 / rate:g}",
    )
    demand(
        samples * period == DAY,
        f"a bundle with tokens has windows of a day ({DAY} s), not of {samples} grid points "
        f"each {period} s",
    )


def _check_groups(manifest: Manifest, tokens: Tokens) -> None:
    demand(
        0 < len(tokens.groups) <= MOST_GROUPS,
        f"tokens: there must be 1 to {MOST_GROUPS} groups, not {len(tokens.groups)}",
    )
    unique("group", [group.name for group in tokens.groups])
    for group in tokens.groups:
        pattern("a group's name", group.name, NAME)
        demand(bool(group.channels), f"group {group.name!r} must have a channel")
        demand(
            0 < group.least <= tokens.patch,
            f"group {group.name!r}: least must be from 1 to the {tokens.patch} grid points of "
            f"a patch, not {group.least}",
        )
    grouped = [name for group in tokens.groups for name in group.channels]
    names = [channel.name for channel in manifest.channels]
    demand(
        sorted(grouped) == sorted(names),
        f"tokens: every channel must be in one group: the channels are {', '.join(names)}, "
        f"those of the groups {', '.join(grouped)}",
    )
