"""Numbers and texts of a manifest in, literals and comments of another language out.

A number reads back to the same bits, whatever the compiler. A text is ASCII with escapes, so
that no encoding, no text direction and no quote in it changes what the source says.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable

import numpy as np

from onwrist.embed.identifiers import Language


def float64(value: float) -> str:
    """The shortest literal that reads back to this float64; the same in all four languages."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no literal")
    return repr(float(value))


def float32(value: float, language: Language) -> str:
    """The shortest literal that reads back to this float32, also by way of a float64."""
    exact = np.float32(value)
    if not np.isfinite(exact):
        raise ValueError(f"{value} has no literal")
    text = str(exact)
    if np.float32(float(text)) != exact:
        text = repr(float(exact))
    return f"{text}f" if language in ("c", "kotlin") else text


def string(text: str, language: Language) -> str:
    """A quoted literal in ASCII."""
    if language == "c":
        return f'"{"".join(map(_c_byte, text.encode()))}"'
    if language == "swift":
        return f'"{"".join(map(_swift_character, text))}"'
    quoted = json.dumps(text, ensure_ascii=True)
    # Only Kotlin's strings have templates.
    return quoted.replace("$", "\\$") if language == "kotlin" else quoted


def strings(texts: Iterable[str], language: Language) -> str:
    """Quoted literals, separated by commas."""
    return ", ".join(string(text, language) for text in texts)


def comment(text: str, mark: str = "//", width: int = 92) -> list[str]:
    """Lines of a comment; what a bundle says of itself cannot leave it.

    Line comments only: a text may hold the end of another kind.
    """
    lines = []
    for line in text.splitlines() or [""]:
        for part in textwrap.wrap(_plain(line), width - len(mark) - 1) or [""]:
            # In C a line that ends in a backslash goes on in the next one.
            lines.append(f"{mark} {part}".rstrip() + ("." if part.endswith("\\") else ""))
    return lines


def _plain(line: str) -> str:
    """A trigraph of a backslash, `??/`, told as what it would be."""
    return "".join(x if x.isprintable() else " " for x in line).replace("??/", "\\")


def _c_byte(byte: int) -> str:
    character = chr(byte)
    if character in '"\\?':  # two question marks could begin a trigraph
        return f"\\{character}"
    return character if 32 <= byte < 127 else f"\\{byte:03o}"


def _swift_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if 32 <= ord(character) < 127:
        return character
    return f"\\u{{{ord(character):x}}}"
