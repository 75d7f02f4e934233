"""Baselines find what they look for, scores count people, calibration tells the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onwrist_export.judging.baselines import elapsed_scores, fft_rate, lomb_scargle_rate
from onwrist_export.judging.metrics import area_under_roc, by_subject, mean_absolute_error
from onwrist_export.learning.calibrate import Evidence, fit_classes, fit_rate
from onwrist_export.model.heads import ClassHead, RateHead
from onwrist_export.windows.masks import drop_spans

RATE = 25.0
TIME = np.arange(256) / RATE


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_spectral_baselines_find_a_tone(share: float) -> None:
    bpm = np.linspace(50, 180, 40)
    ppg = np.sin(2 * np.pi * bpm[:, None] / 60 * TIME).astype(np.float32)
    rng = np.random.default_rng(0)
    observed = drop_spans(rng, np.full(40, share), 256, RATE)
    for method in (fft_rate, lomb_scargle_rate):
        found = method(np.where(observed, ppg, 0), observed, RATE)
        assert np.median(np.abs(found - bpm)) < 2.5


def test_baselines_ignore_what_is_not_observed() -> None:
    rng = np.random.default_rng(1)
    ppg = rng.normal(size=(8, 256)).astype(np.float32)
    observed = drop_spans(rng, np.full(8, 0.4), 256, RATE)
    changed = np.where(observed, ppg, 1e3).astype(np.float32)
    for method in (fft_rate, lomb_scargle_rate):
        np.testing.assert_array_equal(
            method(np.where(observed, ppg, 0), observed, RATE), method(changed, observed, RATE)
        )


def test_time_alone_scores_a_protocol_with_a_fixed_order() -> None:
    elapsed = np.tile(np.arange(0, 1000, 10.0), 5)
    target = (elapsed >= 500).astype(float)
    score = elapsed_scores(elapsed, target, np.array([100.0, 490.0, 900.0]))
    assert score[0] < 0.05 < score[1] < 0.95 < score[2]


def test_scores_weigh_people_not_windows() -> None:
    true = np.zeros(110)
    predicted = np.concatenate([np.full(100, 1.0), np.full(10, 5.0)])
    people = np.array(["a"] * 100 + ["b"] * 10)
    score = by_subject(mean_absolute_error, predicted, true, people)
    assert score.pooled == pytest.approx(150 / 110)
    assert score.mean == pytest.approx(3.0)
    assert score.by_subject == {"a": 1.0, "b": 5.0}
    assert score.interval == (1.0, 5.0)


def test_subjects_with_one_class_have_no_auroc() -> None:
    score = np.array([0.1, 0.9, 0.5, 0.6])
    true = np.array([0.0, 1.0, 1.0, 1.0])
    found = by_subject(area_under_roc, score, true, np.array(["a", "a", "b", "b"]))
    assert found.by_subject == {"a": 1.0}


def evidence(head: RateHead, missing: float, wrong: float, seed: int) -> Evidence:
    """Distributions at the true rate, of which a share is confidently or vaguely wrong."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(60, 120, 2000)
    said = np.where(rng.random(2000) < wrong, rng.uniform(50, 150, 2000), true)
    vague = (said != true)[:, None] * rng.uniform(0, 1, (2000, 1))
    sharp = torch.log(head.target(torch.from_numpy(said).float(), spread=2.0) + 1e-6)
    logits = sharp * torch.from_numpy(1 - 0.8 * vague).float()
    return Evidence(missing, logits, np.full(2000, 1 - missing), true)


def test_confidence_is_the_share_of_right_answers() -> None:
    head = RateHead(4)
    rules = fit_rate(
        head,
        [evidence(head, m, w, 1) for m, w in ((0.0, 0.05), (0.5, 0.2), (0.75, 0.5))],
        constant=90.0,
    )
    for missing, wrong in ((0.0, 0.05), (0.5, 0.2), (0.75, 0.5)):
        new = evidence(head, missing, wrong, seed=2)
        value, confidence = new.values(head)
        right = np.abs(value - new.true) <= head.tolerance
        assert abs(confidence.mean() - right.mean()) < 0.06
        assert right[confidence >= 0.9].mean() > right[confidence < 0.9].mean()
    assert 0 < rules.confidence < 1


def test_coverage_rule_excludes_what_a_constant_does_as_well() -> None:
    head = RateHead(4)
    useful = evidence(head, 0.5, 0.1, seed=1)
    hopeless = evidence(head, 0.9, 1.0, seed=1)
    full = evidence(head, 0.0, 0.0, seed=1)
    rules = fit_rate(head, [full, useful, hopeless], constant=90.0)
    assert 0.1 < rules.coverage <= 0.5


def test_class_temperature_is_fitted_to_new_people() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=4000)
    true = (rng.random(4000) < 1 / (1 + np.exp(-(margin - 0.5)))).astype(float)
    overconfident = np.stack([np.zeros(4000), 6.0 * margin], axis=1)
    head = ClassHead(1, 2, 2)
    before = head.mlp.out.bias.detach().clone()
    fit_classes(head, overconfident, true)
    assert head.inverse_temperature.item() == pytest.approx(1 / 6, rel=0.15)
    moved = (head.mlp.out.bias - before)[1].item() * head.inverse_temperature.item()
    assert moved == pytest.approx(-0.5, abs=0.15)
