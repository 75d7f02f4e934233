"""Calls and lists of Kotlin, as lines: in one if they are short, else indented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onwrist.embed.literals import float64
from onwrist.embed.literals import string as literal

Lines = list[str]

STEP = "    "
# A method of the JVM has at most 64 KiB: longer lists are made by several.
_TOGETHER = 32


class Parts:
    """Lists that are too long for one method, each part a function of its own.

    Attributes
    ----------
    functions : their lines.
    """

    def __init__(self) -> None:
        self.functions: Lines = []

    def list(self, field: str, kind: str, values: Iterable[Lines]) -> Lines:
        """A list, or the sum of its parts."""
        items = list(values)
        if len(items) <= _TOGETHER:
            return listed(items)
        parts = []
        for number, begin in enumerate(range(0, len(items), _TOGETHER)):
            part = f"{field}{number}()"
            lines = listed(items[begin : begin + _TOGETHER])
            self.functions += ["", *assigned(f"private fun {part}: List<{kind}>", lines)]
            parts.append([part])
        return call("listOf", *parts, then=".flatten()")


def floats(numbers: Iterable[float]) -> Lines:
    """A list of numbers."""
    return listed([float64(x)] for x in numbers)


def mapped(numbers: Mapping[str, float]) -> Lines:
    """A map from names to numbers."""
    pairs = ([f"{string(name)} to {float64(x)}"] for name, x in numbers.items())
    return call("mapOf", *pairs)


def listed(values: Iterable[Lines]) -> Lines:
    """A list."""
    return call("listOf", *values)


def named(fields: Mapping[str, Lines]) -> Iterator[Lines]:
    """Arguments by name."""
    return ([f"{name} = {lines[0]}", *lines[1:]] for name, lines in fields.items())


def call(name: str, *arguments: Lines, then: str = "") -> Lines:
    """A call: in one line if it is short, else with a line or more for each argument."""
    if all(len(lines) == 1 for lines in arguments):
        whole = f"{name}({', '.join(lines[0] for lines in arguments)}){then}"
        if len(whole) <= 76:
            return [whole]
    found = [f"{name}("]
    for lines in arguments:
        found += indented([*lines[:-1], f"{lines[-1]},"])
    return [*found, f"){then}"]


def assigned(what: str, lines: Lines) -> Lines:
    """A declaration and its value."""
    return [f"{what} = {lines[0]}", *lines[1:]]


def indented(lines: Iterable[str]) -> Iterator[str]:
    """The same, one step further in."""
    return (f"{STEP}{line}" if line else line for line in lines)


def string(text: str) -> str:
    """A quoted literal."""
    return literal(text, "kotlin")
