"""When a task answers, when it abstains, and what it says then."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onwrist_runtime.decision import decide

FULL = {"ppg": 1.0, "acc_x": 1.0, "acc_y": 1.0}


def outputs(value=72.0, confidence=0.8, stress=(0.1, 0.9)):
    return {
        "embedding": np.zeros((1, 6), np.float32),
        "heart_rate": np.array([[value, confidence]], np.float32),
        "stress": np.array([stress], np.float32),
    }


def test_answers(toy_manifest):
    results = decide(toy_manifest, outputs(), FULL)
    rate, stress = results["heart_rate"], results["stress"]
    assert (rate.value, rate.unit, rate.abstained, rate.reason) == (72.0, "bpm", False, None)
    assert rate.confidence == pytest.approx(0.8)
    assert rate.label is rate.probabilities is None
    assert (stress.label, stress.abstained, stress.value) == ("stress", False, None)
    assert stress.probabilities == pytest.approx({"rest": 0.1, "stress": 0.9})
    assert stress.confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("coverage", "task", "reason"),
    [
        ({"ppg": 0.21}, "heart_rate", "ppg coverage 0.21 is below 0.35"),
        ({"ppg": 0.3499}, "heart_rate", "ppg coverage 0.3499 is below 0.3500"),
        (
            {"acc_x": 0.4, "acc_y": 0.0},
            "stress",
            "too little of all of: acc_x coverage 0.40 is below 0.50, "
            "acc_y coverage 0.00 is below 0.50",
        ),
    ],
)
def test_too_little_coverage(toy_manifest, coverage, task, reason):
    results = decide(toy_manifest, outputs(), FULL | coverage)
    assert results[task].reason == reason
    assert results[task].confidence is None
    assert sum(result.abstained for result in results.values()) == 1


def test_every_channel_that_falls_short_is_named(toy_manifest):
    task = msgspec.structs.replace(toy_manifest.tasks[0], required={"ppg": 0.35, "acc_x": 0.5})
    both = msgspec.structs.replace(toy_manifest, tasks=(task,))
    result = decide(both, outputs(), FULL | {"ppg": 0.1, "acc_x": 0.2})["heart_rate"]
    assert result.reason == (
        "ppg coverage 0.10 is below 0.35 and acc_x coverage 0.20 is below 0.50"
    )


def test_one_channel_of_any_is_enough(toy_manifest):
    assert not decide(toy_manifest, outputs(), FULL | {"acc_x": 0.0})["stress"].abstained


@pytest.mark.parametrize(
    ("given_", "task", "reason"),
    [
        ({"confidence": 0.31}, "heart_rate", "confidence 0.31 is below 0.45"),
        ({"stress": (0.55, 0.45)}, "stress", "confidence 0.55 is below 0.60"),
    ],
)
def test_too_little_confidence_is_told(toy_manifest, given_, task, reason):
    result = decide(toy_manifest, outputs(**given_), FULL)[task]
    assert result.abstained
    assert result.reason == reason
    assert result.confidence == pytest.approx(float(reason.split()[1]))


def test_nothing_observed(toy_manifest):
    for result in decide(toy_manifest, None, dict.fromkeys(FULL, 0.0)).values():
        assert result.abstained
        assert result.reason == "nothing was observed"


@given(
    coverage=st.fixed_dictionaries(dict.fromkeys(FULL, st.floats(0, 1))),
    value=st.floats(30, 220),
    confidence=st.floats(0, 1) | st.just(float("nan")),
    rest=st.floats(0, 1),
)
def test_an_abstained_result_carries_no_answer_and_an_answer_meets_the_manifest(
    toy_manifest, coverage, value, confidence, rest
):
    results = decide(toy_manifest, outputs(value, confidence, (rest, 1 - rest)), coverage)
    for result in results.values():
        if result.abstained:
            assert result.value is result.label is result.probabilities is None
            assert result.reason
        else:
            assert result.reason is None
            assert result.confidence is not None
    rate, stress = results["heart_rate"], results["stress"]
    enough = coverage["ppg"] >= 0.35 and np.float32(confidence) >= 0.45
    assert rate.abstained != enough
    moving = coverage["acc_x"] >= 0.5 or coverage["acc_y"] >= 0.5
    assert stress.abstained != (moving and max(np.float32(rest), np.float32(1 - rest)) >= 0.6)
