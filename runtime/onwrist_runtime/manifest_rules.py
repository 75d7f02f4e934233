"""What the checks of a manifest are made of: each raises BundleError in plain words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from onwrist_runtime.errors import BundleError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def demand(holds: bool, problem: str) -> None:
    if not holds:
        raise BundleError(f"manifest.json: {problem}")


def unique(what: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        demand(times == 1, f"{what} {name!r} appears twice")


def pattern(what: str, value: str, pattern: re.Pattern[str]) -> None:
    demand(
        pattern.fullmatch(value) is not None,
        f"{what} is {value!r}, which does not match {pattern.pattern}",
    )


def printable(what: str, value: str) -> None:
    demand(
        len(value) <= 10_000 and all(c.isprintable() or c == "\n" for c in value),
        f"{what} must be at most 10000 printable characters, not {value[:80]!r}",
    )


def finite(what: str, values: Iterable[float]) -> None:
    numbers = list(values)
    demand(all(map(math.isfinite, numbers)), f"{what} must be finite, not {numbers}")


def share(what: str, value: float) -> None:
    demand(0 <= value <= 1, f"{what} must be between 0 and 1, not {value}")
