"""What the exported graph computes from raw windows, and what it must ignore."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onwrist_export.model.channel_statistics import ChannelStatistics
from onwrist_export.model.graph import DeployGraph
from onwrist_export.model.heads import MLP, ClassHead, RateHead
from onwrist_export.model.himae import HiMAE, HiMAEConfig
from onwrist_export.model.normalize import Normalize, Scaling

SCALINGS = [Scaling("window"), Scaling("fixed", 1.0, 2.0), Scaling("fixed", 32.0, 6.0)]
WINDOWS = arrays.arrays(
    np.float32, (3, 64), elements=st.floats(-1000, 1000, width=32, allow_subnormal=False)
)
MASKS = arrays.arrays(np.bool_, (3, 64))


def graph(baseline: bool = False) -> DeployGraph:
    torch.manual_seed(0)
    config = HiMAEConfig(inputs=3, outputs=3, widths=(4, 8), samples=64, activation="relu")
    made = DeployGraph(HiMAE(config), SCALINGS, {"heart_rate": RateHead(24)}, baseline=baseline)
    made.classes["stress"] = ClassHead(made.context_size, 8, 2)
    return made.eval()


def tensors(values: np.ndarray, observed: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    kept = np.where(observed, values, np.float32(0))
    return torch.from_numpy(kept)[None], torch.from_numpy(observed.astype(np.float32))[None]


@given(WINDOWS)
def test_window_scaling_equals_the_official_formula_when_all_is_observed(x: np.ndarray) -> None:
    span = float(x[0].max() - x[0].min())
    out = Normalize(SCALINGS)(*tensors(x, np.ones(x.shape, bool)))[0, 0].numpy()
    if span < 1e-3:
        assert np.abs(out).max() <= 1.0
        return
    official = 2 * (x[0].astype(np.float64) - x[0].min()) / span - 1
    np.testing.assert_allclose(out, official, atol=2e-6 * max(1.0, np.abs(x[0]).max() / span))
    assert (out.min(), out.max()) == (-1.0, 1.0)


@given(WINDOWS, MASKS)
def test_normalized_windows_are_bounded_and_zero_where_missing(
    x: np.ndarray, observed: np.ndarray
) -> None:
    out = Normalize(SCALINGS)(*tensors(x, observed))[0].numpy()
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.0
    assert (out[~observed] == 0).all()
    seen = x[0][observed[0]]
    if len(seen) and seen.max() - seen.min() > 1e-3:
        assert (out[0][observed[0]].min(), out[0][observed[0]].max()) == (-1.0, 1.0)


@pytest.mark.parametrize("level", [0.0, 5.0, -300.0])
def test_flat_and_empty_channels_become_zero(level: float) -> None:
    x = np.full((3, 64), level, np.float32)
    everything = np.ones(x.shape, bool)
    assert (Normalize(SCALINGS)(*tensors(x, everything))[0, 0] == 0).all()
    assert (Normalize(SCALINGS)(*tensors(x, ~everything)) == 0).all()


def test_observed_can_enter_the_encoder_as_channels() -> None:
    x, seen = tensors(np.ones((3, 64), np.float32), np.ones((3, 64), bool))
    out = Normalize(SCALINGS, observed_input=True)(x, seen)
    assert out.shape == (1, 6, 64)
    assert torch.equal(out[:, 3:], seen)


@given(WINDOWS, MASKS)
def test_outputs_are_finite_and_within_their_ranges(
    x: np.ndarray, observed: np.ndarray
) -> None:
    made = graph()
    with torch.no_grad():
        embedding, rate, classes = (o[0].numpy() for o in made(*tensors(x, observed)))
    assert np.isfinite(embedding).all()
    assert 36 <= rate[0] <= 205.01
    assert 0 <= rate[1] <= 1
    assert classes.sum() == pytest.approx(1, abs=1e-5)


def test_statistics_see_only_what_is_observed() -> None:
    statistics = ChannelStatistics(3, window_scaled=1, samples=64)
    rng = np.random.default_rng(0)
    x = rng.normal(5, 1, (3, 64)).astype(np.float32)
    observed = rng.random((3, 64)) < 0.6
    observed[2] = False
    found, exist = statistics.raw(*tensors(x, observed))
    assert found[0, 0].item() == pytest.approx(x[1][observed[1]].mean(), abs=1e-4)
    deviations = found[0, 7:10].exp() - 1e-3
    assert deviations[0].item() == pytest.approx(x[0][observed[0]].std(), abs=1e-3)
    assert exist[0].reshape(-1).tolist() == [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0]
    assert (statistics(*tensors(x, observed))[0][exist[0] == 0] == 0).all()


def test_statistics_compare_a_window_with_its_running_baseline() -> None:
    statistics = ChannelStatistics(3, window_scaled=1, samples=64, baseline=True)
    rng = np.random.default_rng(0)
    x = rng.normal(5, 1, (3, 64)).astype(np.float32)
    observed = np.ones((3, 64), bool)
    observed[0] = False
    baseline = torch.tensor([[[0.0, 0.5, 1.0], [4.0, 2.0, 1.0], [0.0, 0.0, 0.0]]])
    found = statistics(*tensors(x, observed), baseline)[0]
    assert len(found) == statistics.size
    risen, livelier, shakier = found[13:15], found[15:18], found[18:]
    assert risen[0].item() == pytest.approx((x[1].mean() - 4) / 2, rel=2e-3)
    assert livelier[1].item() == pytest.approx(np.log(x[1].std() / 2), abs=2e-3)
    jerk = np.abs(np.diff(x[1])).sum() / 64
    assert shakier[1].item() == pytest.approx(np.log(jerk / 2), abs=2e-3)
    # the first channel is absent, and of the last nothing is known
    assert (risen[1], livelier[0], livelier[2], shakier[0], shakier[2]) == (0, 0, 0, 0, 0)
    alone = ChannelStatistics(3, window_scaled=1, samples=64)
    assert torch.equal(found[:13], alone(*tensors(x, observed))[0])


@given(
    WINDOWS,
    MASKS,
    arrays.arrays(np.float32, (1, 3, 2), elements=st.floats(0, 1e6, width=32)),
    arrays.arrays(np.bool_, (1, 3, 1)),
)
def test_a_running_baseline_is_for_classes_alone(
    x: np.ndarray, observed: np.ndarray, usual: np.ndarray, known: np.ndarray
) -> None:
    made = graph(baseline=True)
    given_baseline = np.concatenate([usual * known, known], axis=2).astype(np.float32)
    with torch.no_grad():
        with_it = made(*tensors(x, observed), torch.from_numpy(given_baseline))
        unknown = made(*tensors(x, observed), torch.zeros(1, 3, 3))
    assert torch.equal(with_it[0], unknown[0])
    assert torch.equal(with_it[1], unknown[1])
    assert torch.isfinite(with_it[2]).all()
    assert torch.equal(with_it[2], unknown[2]) or known.any()


def test_folding_the_standardization_changes_only_the_last_bits_of_weights() -> None:
    torch.manual_seed(0)
    mlp = MLP(12, 8, 3, dropout=0.0)
    for _ in range(20):
        mlp(torch.randn(32, 12) * 3 + 5)
    mlp.eval()
    x = torch.randn(16, 12) * 3 + 5
    before = mlp(x)
    mlp.fold()
    torch.testing.assert_close(mlp(x), before, atol=5e-4, rtol=0)
    for layer in (mlp.hidden, mlp.out):
        mantissa = torch.frexp(layer.weight).mantissa * 2**12
        assert torch.equal(mantissa, mantissa.round())


@pytest.mark.parametrize("rate", [45.0, 72.5, 180.0])
def test_a_certain_distribution_reads_back_its_rate(rate: float) -> None:
    head = RateHead(4)
    logits = torch.log(head.target(torch.tensor([rate])) + 1e-9)
    value, odds = head.evidence(logits)
    assert value.item() == pytest.approx(rate, rel=0.005)
    spread, _ = head.evidence(torch.zeros(1, 100))
    assert odds.item() > head.evidence(torch.zeros(1, 100))[1].item()
    assert 36 < spread.item() < 205
