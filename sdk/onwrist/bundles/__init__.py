"""The bundles that come with the package: a name or a path in, the bundle's path out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from onwrist_runtime.bundle import Bundle, read
from onwrist_runtime.errors import BundleError

DEFAULT = "wrist-himae"
SUFFIX = ".onwrist"


def find(name_or_path: str | os.PathLike[str] | None = None) -> Path:
    """The path of a bundle.

    What ends in .onwrist or names an existing file is a path; any other word is the name
    of a bundle in this folder, and None is the default one.

    Raises
    ------
    BundleError
        No bundle of this name comes with the package.
    """
    try:
        path = Path(DEFAULT if name_or_path is None else name_or_path)
    except TypeError:
        raise BundleError(
            f"{name_or_path!r} is neither the name nor the path of a bundle"
        ) from None
    if path.suffix == SUFFIX or path.is_file():
        return path
    known = {bundle.stem: bundle for bundle in _shipped()}
    if str(path) not in known:
        raise BundleError(
            f"{path}: no such file, and no bundle of this name comes with onwrist; "
            f"there are: {', '.join(known) or 'none'}"
        )
    return known[str(path)]


def shipped() -> Iterator[Bundle]:
    """Every bundle that comes with the package, opened and checked."""
    return (read(path) for path in _shipped())


def _shipped() -> list[Path]:
    return sorted(Path(__file__).parent.glob(f"*{SUFFIX}"))
