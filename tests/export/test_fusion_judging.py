"""What is said about fusion methods is right in a world whose truth is known."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_world import SENSORS, world
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from onwrist_export.fusion.evidence import AS_RECORDED, Evidence, named, subsets
from onwrist_export.judging import patterns, selective, trust, weighting
from onwrist_export.judging.subsets import by_number_lost, drops, relative_loss, shapley

ALL = "+".join(SENSORS)


@pytest.fixture(scope="module")
def known() -> Evidence:
    return world(1500, {"hybrid": 1.0, "sharpened": 3.0})


def _scores(truth: np.ndarray, answers: np.ndarray, subjects: np.ndarray) -> list[float]:
    table = weighting.answer_tables(truth, answers, subjects, 5).mean(axis=0)
    measures = weighting.accuracy, weighting.macro_f1, weighting.balanced_accuracy
    return [float(measure(table)) for measure in measures]


def test_scores_are_those_of_scikit_learn_with_these_weights(known: Evidence) -> None:
    cases = patterns.asked(known, "hybrid", "wrist", "activity")
    expected = [
        accuracy_score(cases.truth, cases.answers, sample_weight=cases.weights),
        f1_score(cases.truth, cases.answers, average="macro", sample_weight=cases.weights),
        balanced_accuracy_score(cases.truth, cases.answers, sample_weight=cases.weights),
    ]
    assert _scores(cases.truth, cases.answers, cases.subjects) == pytest.approx(expected)


def test_a_subject_whose_cases_are_all_there_twice_counts_once(known: Evidence) -> None:
    cases = patterns.asked(known, "hybrid", "wrist", "activity")
    twice = np.concatenate(
        [np.arange(len(cases.where)), *[np.flatnonzero(cases.subjects == "s03")]]
    )
    once = _scores(cases.truth, cases.answers, cases.subjects)
    assert _scores(
        cases.truth[twice], cases.answers[twice], cases.subjects[twice]
    ) == pytest.approx(once)
    heat = trust.fit_temperature(cases.logits, cases.truth, cases.weights)
    doubled = cases.among(twice)
    assert trust.fit_temperature(doubled.logits, doubled.truth, doubled.weights) == (
        pytest.approx(heat, abs=1e-3)
    )


def test_a_label_that_is_only_answered_counts_against_the_one_that_was_missed() -> None:
    table = np.array([[3.0, 1.0], [0.0, 0.0]])
    assert weighting.macro_f1(table) == pytest.approx(6 / 7)
    assert weighting.balanced_accuracy(table) == pytest.approx(3 / 4)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        found = weighting.estimate(weighting.resampled(rng.normal(0.7, 0.1, 30), seed, 500))
        covered += found.low <= 0.7 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_difference_that_every_subject_shares_is_paired() -> None:
    spread = np.linspace(0, 1, 13)
    both = weighting.resampled(np.stack([spread, spread + 0.1], axis=1))
    better = weighting.estimate(both.map(lambda x: x[..., 1] - x[..., 0]))
    assert (better.low, better.high) == pytest.approx((0.1, 0.1))
    assert better.above_zero


def test_the_temperature_of_a_known_world_is_found(known: Evidence) -> None:
    cases = patterns.asked(known, "sharpened", ALL, "activity")
    found = trust.fit_temperature(cases.logits, cases.truth, cases.weights)
    assert found == pytest.approx(3.0, rel=0.15)
    losses = [
        trust.negative_log_likelihood(cases.logits, cases.truth, cases.weights, t)
        for t in (found, 0.9 * found, 1.1 * found)
    ]
    assert losses[0] == min(losses)


def test_a_calibrated_model_is_at_the_floor_and_a_sharpened_one_is_not(known: Evidence) -> None:
    raw = patterns.temperatures(known, "hybrid", "activity", patterns.AS_GIVEN)
    for subset in subsets(SENSORS):
        good = patterns.trust(known, "hybrid", named(subset), "activity", raw)
        assert good.above_floor < 0.03
        bad = patterns.trust(known, "sharpened", named(subset), "activity", raw)
        assert bad.above_floor > 0.05
        assert bad.debiased > bad.floor.highest
        assert (good.likelihood, good.brier) < (bad.likelihood, bad.brier)


def test_debiasing_takes_off_what_chance_adds() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 0.9, 300)
    weights = np.full(300, 1 / 300)
    bins = trust.Bins.of(confidence, weights)
    right = rng.random((2000, 300)) < confidence - 0.1  # truly off by 0.1
    accuracy = bins.accuracy(right)
    plain = trust.calibration_error(bins, accuracy).mean()
    debiased = trust.debiased_calibration_error(bins, accuracy).mean()
    assert abs(debiased - 0.1) < abs(plain - 0.1) / 2


def test_debiasing_in_closed_form_is_what_drawing_would_give() -> None:
    rng = np.random.default_rng(1)
    confidence, weights = rng.uniform(0.3, 1, 200), rng.uniform(0.5, 2, 200)
    bins = trust.Bins.of(confidence, weights)
    accuracy = bins.accuracy(rng.random(200) < confidence)
    drawn = rng.normal(accuracy, bins.spread(accuracy), (100_000, len(accuracy)))
    plain = trust.calibration_error(bins, accuracy)
    expected = 2 * plain - trust.calibration_error(bins, drawn).mean()
    assert trust.debiased_calibration_error(bins, accuracy) == pytest.approx(expected, abs=1e-3)


@given(st.lists(st.floats(0.2, 1.0), min_size=1, max_size=60), st.integers(0, 100))
def test_bins_hold_every_case_once(confidence: list[float], seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(0.1, 3, len(confidence))
    bins = trust.Bins.of(np.array(confidence), weights)
    assert bins.cases.sum() == len(confidence)
    assert bins.cases.min() >= 1
    assert bins.mass.sum() == pytest.approx(1)
    np.testing.assert_allclose(bins.share.sum(axis=1), 1)
    assert bins.mass @ bins.confidence == pytest.approx(np.average(confidence, weights=weights))
    assert (np.diff(bins.confidence) >= -1e-12).all()


def test_a_temperature_per_pattern_mends_what_one_for_all_cannot() -> None:
    """Each sensor sharpens in its own way: only the pattern knows by how much."""
    exact = world(1500)
    factor = {named(x): 4.0 if len(x) == 1 else 1.0 for x in subsets(SENSORS)}
    logits = {
        condition: {task: x * factor.get(condition, 1.0) for task, x in tasks.items()}
        for condition, tasks in exact.logits["hybrid"].items()
    }
    evidence = replace(exact, logits={"hybrid": logits})
    found = {
        scheme: patterns.trust(
            evidence,
            "hybrid",
            "ankle",
            "activity",
            patterns.temperatures(evidence, "hybrid", "activity", scheme),
        )
        for scheme in patterns.SCHEMES
    }
    assert found[patterns.ONE].above_floor > 0.1
    assert found[patterns.PER_PATTERN].above_floor < 0.03


def test_no_label_of_a_subject_has_a_part_in_its_temperatures_and_thresholds() -> None:
    evidence = world(400, {"sharpened": 2.0})
    own = evidence.subjects == "s04"
    truth = evidence.truth["activity"].copy()
    truth[own] = (truth[own] + 1) % 5
    altered = replace(evidence, truth={"activity": truth})
    before, after = (
        patterns.temperatures(e, "sharpened", "activity", patterns.PER_PATTERN)
        for e in (evidence, altered)
    )
    assert {p: t["s04"] for p, t in before.items()} == {p: t["s04"] for p, t in after.items()}
    assert before[ALL]["s05"] != after[ALL]["s05"]
    least = [
        patterns.thresholds(patterns.asked(e, "sharpened", AS_RECORDED, "activity"), t, 0.1)
        for e, t in ((evidence, before), (altered, after))
    ]
    np.testing.assert_array_equal(least[0][own], least[1][own])
    assert (least[0] != least[1]).any()


def test_shapley_values_share_out_the_value_and_agree_with_all_orders() -> None:
    values = np.random.default_rng(0).random((5, 16))
    parts = shapley(values)
    np.testing.assert_allclose(parts.sum(axis=-1), values[:, -1] - values[:, 0])
    expected = np.zeros((5, 4))
    for order in permutations(range(4)):
        index = 0
        for k in order:
            expected[:, k] += (values[:, index | 1 << k] - values[:, index]) / 24
            index |= 1 << k
    np.testing.assert_allclose(parts, expected)


def test_a_sensor_that_adds_nothing_is_worth_nothing() -> None:
    values = np.array([0.1, 0.5, 0.3, 0.9] * 2)  # the third sensor changes nothing
    assert shapley(values)[2] == pytest.approx(0)
    assert drops(values) == pytest.approx([0.6, 0.4, 0.0])


def test_loss_by_number_of_sensors_lost() -> None:
    #                 none  a    b    ab   c    ac   bc   abc
    values = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.5, 0.8])
    mean, worst = by_number_lost(values)
    assert mean == pytest.approx([0.8, 0.6, 0.3])
    assert worst == pytest.approx([0.8, 0.5, 0.2])
    assert relative_loss(values)[[7, 6]] == pytest.approx([0, 0.375])


def test_a_calibrated_threshold_keeps_the_risk_that_was_wanted(known: Evidence) -> None:
    found = patterns.temperatures(known, "sharpened", "activity", patterns.PER_PATTERN)
    cases = patterns.asked(known, "sharpened", AS_RECORDED, "activity")
    heat = patterns.of_cases(found, cases)
    confidence = trust.probabilities(cases.logits, heat).max(axis=-1)
    right = cases.answers == cases.truth
    answered = confidence >= patterns.thresholds(cases, found, 0.1)
    kept = selective.reached(0.1, answered, right, cases.subjects)
    assert kept.risk.value == pytest.approx(0.1, abs=0.04)
    assert 0.3 < kept.coverage.value < 0.95


def test_a_bundle_gets_a_temperature_and_a_threshold_for_every_pattern(known: Evidence) -> None:
    found = patterns.rules(known, "sharpened", "activity", 0.2)
    assert list(found) == [named(x) for x in subsets(SENSORS)]
    for pattern, rule in found.items():
        assert rule.temperature == pytest.approx(3.0, rel=0.2)
        cases = patterns.asked(known, "sharpened", pattern, "activity")
        said = trust.probabilities(cases.logits, rule.temperature).max(axis=-1)
        answered = said >= rule.least
        wrong = cases.weights @ (answered & (cases.answers != cases.truth))
        assert wrong <= 0.2 * (cases.weights @ answered) + 1e-9
    assert found["ankle"].least > found[ALL].least  # less is there, more is asked of it


def test_risk_and_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.5])
    right = np.array([True, False, True, False])
    even = np.full(4, 0.25)
    found = selective.curve(confidence, right, even)
    assert found.coverage == pytest.approx([0.25, 0.75, 1.0])
    assert found.risk == pytest.approx([0, 1 / 3, 1 / 2])
    assert found.area == pytest.approx(0.5 / 3 + 0.25 / 2)
    assert selective.threshold(confidence, right, even, 0.4) == 0.8
    assert selective.threshold(confidence, right, even, 0.5) == 0
    assert selective.threshold(confidence, ~right, even, 0.1) == selective.NEVER
    assert selective.best_area(right, even) == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_confidence_that_rises_without_a_sensor_is_counted_by_pairs() -> None:
    evidence = world(50, sensors=("wrist", "chest"))
    flat = {c: {"activity": x["activity"] * 0} for c, x in evidence.logits["hybrid"].items()}
    spike = np.zeros((50, 5), np.float32)
    spike[:, 0] = 3.0
    spike[~evidence.available[:, 1]] = np.nan
    # Both say nothing, the chest alone is sure: half of all pairs rise.
    logits = {"hybrid": flat | {"chest": {"activity": spike}}}
    evidence = replace(evidence, logits=logits)
    found = patterns.temperatures(evidence, "hybrid", "activity", patterns.AS_GIVEN)
    (row,) = patterns.rises(evidence, "hybrid", "activity", found)
    assert (row.sensors, row.pairs) == (2, 2 * int(evidence.available[:, 1].sum()))
    assert row.share == pytest.approx(0.5)
    assert 0.5 < row.wrong < 1
