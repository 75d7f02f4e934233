"""The recordings of one file and what the user asked for in, the one that is meant out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onwrist_runtime.errors import InputError


def choose(path: Path, there: Sequence[tuple[str, str]], user: str | None) -> int:
    """Which of the recordings, each a name and a subject, `user` means.

    That is the one of this name, or the only one of this subject, or the only one at all.

    Raises
    ------
    InputError
        None or several.
    """
    chosen = [k for k, (name, _) in enumerate(there) if user == name]
    chosen = chosen or [k for k, (_, subject) in enumerate(there) if user in (None, subject)]
    if len(chosen) == 1:
        return chosen[0]
    asked = ""
    if user is not None:
        asked = f", {len(chosen) or 'none'} of them called {user!r}"
    few = ", ".join(there[k][0] for k in (chosen or range(len(there)))[:3])
    raise InputError(
        f"{path}: {len(there)} recordings{asked}; choose one by its name, such as {few} "
        "(--user NAME, user= in Python)"
    )
