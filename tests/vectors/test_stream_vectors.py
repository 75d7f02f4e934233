"""What the runtime's streams do is what `streams.json` says, and the file says enough."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from stream_replay import apart

FOLDER = Path(__file__).parent
FILE = json.loads((FOLDER / "streams.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(FOLDER / "make.py"))
CASES = {case["name"]: case for case in FILE["streams"]}
DAYS = {case["name"]: case for case in FILE["days"]}


@pytest.mark.parametrize("case", [*CASES.values(), *DAYS.values()], ids=lambda x: x["name"])
def test_the_runtime_does_what_the_vectors_say(case: dict[str, Any]) -> None:
    assert apart(json.loads(json.dumps(MAKE["replay"](case))), case["expected"]) == []


def test_the_script_makes_the_file_of_streams() -> None:
    made = json.loads(MAKE["written"](MAKE["streams"]()))
    assert apart(made, FILE) == []


def due(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [x for a in case["expected"]["after"] if not a["refused"] for x in a["due"]]


def totals(case: dict[str, Any]) -> list[int]:
    """Taken, late, duplicate, repaired, over all channels."""
    return [
        sum(numbers) for numbers in zip(*case["expected"]["counters"].values(), strict=True)
    ]


def test_arrival_does_not_change_what_is_fed() -> None:
    for same in ("the same in bursts", "the same out of order within the lateness"):
        assert CASES[same]["expected"]["grid"] == CASES["regular"]["expected"]["grid"]
        assert due(CASES[same]) == due(CASES["regular"])
    assert len(due(CASES["regular"])) == 6
    assert len(due(CASES["without a flush"])) < 6


def test_every_counter_counts() -> None:
    late = ["late samples are dropped", "no lateness", "late within a push"]
    late += ["a clock that steps back", "a sensor that runs ahead"]
    assert all(totals(CASES[name])[1] for name in late)
    assert totals(CASES["just as old as the lateness"]) == [64, 1, 0, 0]
    assert all(
        totals(CASES[n])[2]
        for n in ("the smaller of two at one stamp", "a sensor that runs ahead")
    )
    assert totals(CASES["stray stamps"]) == [128, 0, 0, 3]
    assert totals(CASES["drift of 200 ppm"]) == [128, 0, 0, 0]


def test_gaps_and_sensors_reach_every_way() -> None:
    for name in ("a gap", "a slow channel with a gap", "a sensor that becomes slower"):
        assert any(0 < min(x["prediction"]["coverage"]) < 1 for x in due(CASES[name]))
    last = CASES["sensors that never appear"]["expected"]
    assert last["coverage"] == [1, 0, 0, 0]
    assert last["staleness"]["acc_x"] is None
    fed = [x["inputs"] for x in due(CASES["a long time without samples"])]
    assert fed[0] == {}
    assert None in fed
    assert len({x["row"] for x in CASES["axes that come one by one"]["expected"]["grid"]}) == 3
    after = CASES["what is refused changes nothing"]["expected"]["after"]
    assert sum(x["refused"] for x in after) == 7
    assert due(CASES["too short for a window"]) == due(CASES["no sample at all"]) == []
    assert len(due(CASES["at least one window"])) == 1


def test_steps_baselines_and_scales_reach_every_way() -> None:
    steps = due(CASES["steps"])
    assert [x["inputs"]["state"][0] for x in steps] == list(range(len(steps)))
    assert {"prediction" in x for x in steps} == {True, False}
    for name in ("windows with a baseline", "steps with a baseline"):
        known = [[row[2] for row in x["inputs"]["baseline"]] for x in due(CASES[name])]
        assert known[0] == [0, 0]
        assert [1, 0] in known
    forgotten = [x["inputs"] for x in due(CASES["a baseline that is forgotten"])]
    known = [x["baseline"][0][2] for x in forgotten if x]
    assert known != sorted(known)
    scaled = due(CASES["sensors that come and go"])
    assert len({json.dumps(x["inputs"]["scales"]) for x in scaled}) == 3
    reasons = json.dumps(scaled)
    for words in ("not calibrated for acc alone", "ask for", "asks for", "is below 0.20"):
        assert words in reasons


def test_days_reach_every_way() -> None:
    fed = [x["inputs"] for case in DAYS.values() for x in due(case)]
    assert {len(x["slots"]) for x in fed if x} == {4, 8, 24}
    assert len({x["clock"] for x in fed if x}) == 10
    assert None in [x["inputs"] for x in due(DAYS["days without samples"])]
    assert totals(DAYS["late and out of order"])[1]
    assert totals(DAYS["twice, and missing"])[2]
    assert any(x["first"] < 0 for x in due(DAYS["before time 0"]))
    summed = DAYS["added in the order of time"]["expected"]["grid"][0]["values"]
    assert summed[0] == pytest.approx(0.03125)
