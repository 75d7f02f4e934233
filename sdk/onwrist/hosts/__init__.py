"""The host of a bundle in other languages: sources that `onwrist embed` writes out.

`sources("c")` gives them by their path. They are the same from a checkout and an installed
package: what a build leaves beside them is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from onwrist_runtime.errors import InputError

LANGUAGES = ("c", "kotlin", "swift", "typescript")

_BUILT_FOLDERS = frozenset({"__pycache__", "node_modules", "dist", "build", "out"})
_BUILT_SUFFIXES = (".pyc", ".o", ".a", ".so", ".class", ".jar", ".tsbuildinfo", "-lock.json")


def sources(language: str) -> dict[str, bytes]:
    """The sources of a host by their path below its folder, in order.

    Raises
    ------
    InputError
        There is no host in this language, or this installation lacks its files.
    """
    if language not in LANGUAGES:
        raise InputError(f"there is no host in {language!r}; there are: {', '.join(LANGUAGES)}")
    folder = files(__name__).joinpath(language)
    found = dict(sorted(_walk(folder, ""))) if folder.is_dir() else {}
    if not found:
        raise InputError(
            f"the sources of the {language} host are not in this installation: install onwrist "
            "again, from its wheel or repository"
        )
    return found


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.name not in _BUILT_FOLDERS:
                yield from _walk(entry, f"{path}{entry.name}/")
        elif not entry.name.endswith(_BUILT_SUFFIXES):
            yield f"{path}{entry.name}", entry.read_bytes()
