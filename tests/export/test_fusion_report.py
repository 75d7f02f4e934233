"""The report says of each bound what is so, for any sensors and tasks, and writes it all."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sensor_world import world

from onwrist_export.fusion.evidence import Evidence, named, subsets
from onwrist_export.judging.patterns import PER_PATTERN

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.fusion.findings import bounds, find
from benchmarks.fusion.report import report
from benchmarks.fusion.scores import best_fusion, difference, sets, twins

PAMAP2 = ("wrist", "chest", "heart_rate")
ACTIVITY = {"activity": ("walk", "run", "sit", "lie")}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """The zero-filled method guesses once a sensor is missing; else they are the same."""
    found = world(
        300, {"hybrid": 1.5, "hybrid, zero-filled": 1.5}, sensors=PAMAP2, tasks=ACTIVITY
    )
    rng = np.random.default_rng(1)
    for subset in subsets(PAMAP2)[:-1]:
        logits = found.logits["hybrid, zero-filled"][named(subset)]["activity"]
        logits += rng.normal(0, 6, logits.shape)
    return found


def test_every_bound_is_told_as_it_is(evidence: Evidence) -> None:
    found = find(evidence, "activity", "hybrid")
    cost, mean, each, trust = bounds({"activity": found})
    worst = max(found.degradation[0].costs.values(), key=lambda e: e.value)
    assert cost.reached == (worst.value <= 0.27)
    assert f"{100 * worst.value:.1f} %" in cost.found
    assert mean.reached
    assert each.reached
    kept = [r.kept for r in found.confidence.trust_of("hybrid", PER_PATTERN)[1:]]
    assert len(kept) == 7
    assert f"{sum(kept)} of 7 patterns" in trust.found
    assert trust.reached == all(kept)


def test_zero_filling_that_loses_nothing_more_is_no_margin(evidence: Evidence) -> None:
    same = evidence.logits["hybrid"]
    logits = {"hybrid": same, "hybrid, zero-filled": same}
    found = find(replace(evidence, logits=logits), "activity", "hybrid")
    _, mean, each, _ = bounds({"activity": found})
    assert not mean.reached
    assert not each.reached
    assert "wrist, chest, heart_rate" in each.found


def test_an_overconfident_model_is_seen_and_mended(evidence: Evidence) -> None:
    found = find(evidence, "activity", "hybrid").confidence
    raw = [row.trust.above_floor for row in found.trust_of("hybrid", "as given")]
    mended = [row.trust.above_floor for row in found.trust_of("hybrid", PER_PATTERN)]
    assert np.mean(mended) < 0.02 < np.mean(raw)


def test_like_is_compared_with_like(evidence: Evidence) -> None:
    compared = sets(evidence, "activity")
    assert compared.cases == int(evidence.available.all(axis=1).sum())
    assert best_fusion(compared) == "hybrid"
    methods = [
        "late",
        "hybrid, mask token",
        "early",
        "late, zero-filled",
        "hybrid, zero-filled",
    ]
    assert twins("uncertainty-aware late", methods) == ["late, zero-filled"]
    assert twins("hybrid, mask token", methods) == ["hybrid, zero-filled"]
    assert twins("early", methods) == ["late, zero-filled", "hybrid, zero-filled"]
    assert twins("late, zero-filled", methods) == []


def test_a_difference_is_of_the_same_cases_and_draws(evidence: Evidence) -> None:
    compared = sets(evidence, "activity")
    itself = difference(compared, "hybrid", "hybrid")
    assert all((e.value, e.low, e.high) == (0, 0, 0) for e in itself.by_lost)
    found = difference(compared, "hybrid", "hybrid, zero-filled").by_lost
    assert found[0].value == 0
    assert all(e.above_zero for e in found[1:])


def test_the_files_hold_together(evidence: Evidence, tmp_path: Path) -> None:
    leak = world(200, {"hybrid": 1.0}, sensors=PAMAP2, tasks=ACTIVITY, seed=3)
    report(evidence, leak, tmp_path)
    text = (tmp_path / "fusion.md").read_text()
    assert "the wrist alone" in text
    assert "windows drawn at random" in text
    for page in tmp_path.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (tmp_path / target).is_file(), f"{page.name} points to {target}"
        for line in page.read_text().splitlines():
            assert not re.search(r"\bnan\b|-0\.0 ", line), line
    record = json.loads((tmp_path / "results.json").read_text())
    assert {row["reached"] for row in record["bounds"]} <= {True, False}
    importance = record["tasks"]["activity"]["importance"][0]
    shares = sum(each["value"] for each in importance["shapley"].values())
    assert shares == pytest.approx(importance["every"] - importance["none"], abs=1e-4)
    assert len(record["tasks"]["activity"]["trust"]) == 2 * 3 * 8
