"""What HOST.md points to is there, and its table has every file of vectors."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "runtime/onwrist_runtime/HOST.md").read_text(encoding="utf-8")


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`([\w./*-]+\.(?:py|ts|md|json))`", PAGE)
    folders = [".", "tests/hosts", "tests/hosts/typescript", "tests/vectors"]
    missing = [
        name
        for name in dict.fromkeys(named)
        if not any(any((REPOSITORY / folder).glob(name)) for folder in folders)
    ]
    assert missing == []
    assert len(named) > 12


def test_the_page_names_every_file_of_vectors() -> None:
    for path in (REPOSITORY / "tests/vectors").glob("*.json"):
        assert f"| `{path.name}` |" in PAGE
