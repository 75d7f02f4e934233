"""The vectors that all hosts share are what this runtime gives."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
HOST = json.loads((FOLDER / "host.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(FOLDER / "make.py"))
PARTS = ("resampling", "decision", "minutes", "slots", "nearest", "clock")
PARTS += ("sensors", "live_decision")
CASES = [case for part in PARTS for case in HOST[part]]


def near(stored: dict[str, Any]) -> dict[str, Any]:
    """A case or what is expected of it, with its results to be met within the tolerance."""
    loose = {
        name: pytest.approx(stored[name], abs=HOST["tolerance"], rel=0)
        for name in ("values", "value")
        if stored.get(name) is not None
    }
    inner = {"expected": near(stored["expected"])} if "expected" in stored else {}
    return stored | loose | inner


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_runtime_gives_what_the_vectors_say(case: dict[str, Any]) -> None:
    assert MAKE["replay"](case) == near(case["expected"])


def test_the_script_makes_the_file() -> None:
    made = json.loads(json.dumps(MAKE["vectors"](), allow_nan=False))
    assert made.keys() == HOST.keys()
    for part in PARTS:
        assert made[part] == [near(case) for case in HOST[part]]
    assert (made["format"], made["tolerance"]) == (HOST["format"], HOST["tolerance"])


def test_the_vectors_reach_every_way() -> None:
    """Points seen and unseen, answers of both kinds, and every kind of reason."""
    for case in HOST["resampling"][:8]:
        assert any(case["expected"]["observed"])
    assert sum(not all(x["expected"]["observed"]) for x in HOST["resampling"]) >= 5
    results = [case["expected"] for case in HOST["decision"]]
    reasons = " ".join(x["reason"] or "" for x in results)
    for words in ("nothing was", " and ", "too little of all", "confidence"):
        assert words in reasons
    assert {x["label"] for x in results} == {None, "rest", "stress"}


def test_the_vectors_of_days_reach_every_way() -> None:
    sizes = [case["expected"]["size"] for case in HOST["slots"]]
    assert set(sizes) == set(HOST["slots"][0]["sizes"])
    assert {-1, 11} <= {slot for case in HOST["slots"] for slot in case["expected"]["slots"]}
    observed = [case["expected"]["observed"] for case in HOST["minutes"]]
    assert sum(any(points) and not all(points) for points in observed) >= 6
    assert len({case["expected"]["clock"] for case in HOST["clock"]}) >= 4


def test_the_vectors_of_sensors_reach_every_way() -> None:
    results = [case["expected"] for case in HOST["sensors"]]
    assert {sum(x["live"]) for x in results} == {0, 1, 2, 3}
    assert {len(x["calibrated"]) for x in results} == {0, 1, 2}
    reasons = " ".join(str(reason) for x in results for reason in x["reasons"].values())
    for words in ("nothing was observed", "is below 0.50", "constant", "None"):
        assert words in reasons
    # Those that rounding every channel's share would judge otherwise.
    otherwise = 0
    for case in HOST["sensors"]:
        for rows, live in zip(case["rows"].values(), case["expected"]["live"], strict=True):
            shares = [case["counts"][row] / case["points"] for row in rows]
            otherwise += live and sum(shares) / len(shares) < case["least"]
    assert otherwise == 2
    decided = " ".join(str(case["expected"]["reason"]) for case in HOST["live_decision"])
    for words in (
        "which wrist asks for",
        "wrist and ankle ask for",
        "chest alone",
        "too little",
    ):
        assert words in decided
