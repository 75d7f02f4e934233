"""Numbers and texts in, arrays and initializers of C out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onwrist.embed import writing

_WIDTH = 96


def string(text: str) -> str:
    """A quoted literal."""
    return writing.string(text, "c")


def number(kind: str, value: float) -> str:
    """A literal of a type of C; of one of floats it may be infinite."""
    if np.isinf(value):
        return "INFINITY"
    if kind == "double":
        return writing.float64(value)
    return writing.float32(value, "c") if kind == "float" else str(int(value))


def braced(kind: str, values: Iterable[float]) -> str:
    """An initializer."""
    return f"{{{', '.join(number(kind, value) for value in values)}}}"


def array(name: str, kind: str, values: Iterable[float]) -> list[str]:
    """An array, in as many lines as it takes."""
    lines = [f"static const {kind} {name}[] = {{"]
    line = "   "
    for value in values:
        text = f" {number(kind, value)},"
        if len(line) + len(text) > _WIDTH:
            lines.append(line)
            line = "   "
        line += text
    return [*lines, line, "};", ""]


def text_array(name: str, texts: Iterable[str]) -> list[str]:
    """An array of texts, one a line."""
    lines = [f"static const char *const {name}[] = {{"]
    return [*lines, *(f"    {string(text)}," for text in texts), "};", ""]
