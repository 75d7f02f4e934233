"""Whom the runtime blames is what `plausible.json` says, and the file says enough."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
FILE = json.loads((FOLDER / "plausible.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(FOLDER / "make.py"))


@pytest.mark.parametrize("case", FILE["plausible"], ids=lambda x: x["name"])
def test_the_runtime_blames_whom_the_vectors_say(case: dict[str, Any]) -> None:
    assert MAKE["replay"](case) == case["expected"]


def test_the_script_makes_the_file_of_windows() -> None:
    made = json.loads(MAKE["written"](MAKE["plausible"]()))
    assert made["about"] == FILE["about"]
    for new, stored in zip(made["plausible"], FILE["plausible"], strict=True):
        assert new == stored


def test_the_vectors_of_windows_reach_every_reason() -> None:
    reasons = " ".join(x for case in FILE["plausible"] for x in case["expected"].values())
    for words in (
        "saturated",
        "constant",
        "at rest",
        "median",
        "in m/s2",
        "in mg",
        "a quarter",
    ):
        assert words in reasons
    for words in ("half", "double", "fourfold", " g and not", "deg/s and not", "for each g"):
        assert words in reasons
    for words in ("in rad/s", "for its axes", "exchanged"):
        assert words in reasons
    assert sum(not case["expected"] for case in FILE["plausible"]) >= 6
    assert any(len(case["expected"]) == 2 for case in FILE["plausible"])
