"""Fusion over whichever sensors are there: what is gone must not matter, however it is done."""

from __future__ import annotations

import copy
from itertools import product

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist_export.fusion import adapters, learn
from onwrist_export.fusion.config import FusionConfig, load_fusion_config
from onwrist_export.fusion.networks import Early, Encoders, Hybrid, Late, Signals

FILLS = ("none", "mask", "memory", "restored")
PATTERNS = [torch.tensor([bits]).bool() for bits in product((0, 1), repeat=4) if any(bits)]


def small() -> FusionConfig:
    """The shipped configuration with a network that is quick."""
    config = load_fusion_config()
    return msgspec.structs.replace(
        config,
        window=msgspec.structs.replace(config.window, samples=64),
        encoder=msgspec.structs.replace(config.encoder, widths=(4, 6, 8)),
        fusion=msgspec.structs.replace(config.fusion, width=8, heads=2),
    )


CONFIG = small()


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    torch.manual_seed(0)
    return Encoders(CONFIG).eval()


def windows(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = batch, len(CONFIG.channels), CONFIG.window.samples
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator), torch.ones(shape)


def hybrid(fill: str, encoders: Encoders, stop: bool = True) -> Hybrid:
    torch.manual_seed(2)
    config = CONFIG.with_fusion(fill=fill, stop_gradient=stop)
    return Hybrid(config, encoders.tokens, encoders.width).eval()


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("live", PATTERNS, ids=lambda x: "".join(map(str, x[0].int().tolist())))
@torch.no_grad()
def test_what_a_dead_sensor_would_say_does_not_matter(fill, live, encoders):
    model = hybrid(fill, encoders)
    values, observed = windows(1)
    sensed = encoders(values, observed, live).flatten(1, 2)
    gone = (~live).repeat_interleave(encoders.tokens, dim=1)[..., None]
    other = torch.where(gone, torch.full_like(sensed, 7.0), sensed)
    first, second = model(sensed, live.float()), model(other, live.float())
    assert torch.equal(first.logits, second.logits)
    assert torch.equal(first.weights[~live], torch.zeros(int((~live).sum())))
    assert first.weights.sum().item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("fill", FILLS)
@torch.no_grad()
def test_a_sensor_that_is_there_does_matter(fill, encoders):
    model = hybrid(fill, encoders)
    values, observed = windows(1)
    live = torch.ones(1, 4).bool()
    before = model(encoders(values, observed, live).flatten(1, 2), live.float())
    for rows in CONFIG.rows:
        changed = values.clone()
        changed[:, rows] *= -1
        after = model(encoders(changed, observed, live).flatten(1, 2), live.float())
        assert (after.logits - before.logits).abs().max() > 1e-4


@torch.no_grad()
def test_an_encoder_runs_only_where_its_sensor_is_there(encoders):
    values, observed = windows(3)
    live = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]]).bool()
    ran = []
    hooks = [
        encoder.register_forward_hook(lambda m, given, out, k=k: ran.append((k, len(given[0]))))
        for k, encoder in enumerate(encoders.sensors)
    ]
    tokens = encoders(values, observed, live)
    for hook in hooks:
        hook.remove()
    assert ran == [(0, 2), (1, 1), (2, 2)]  # sensor, windows; the last one never
    assert not tokens[~live].any()
    alone = encoders.sensors[2](values[1:2, CONFIG.rows[2]], observed[1:2, CONFIG.rows[2]])
    assert torch.allclose(tokens[1, 2], alone[0], atol=1e-6)


@torch.no_grad()
def test_early_fusion_does_not_read_a_sensor_that_is_masked():
    torch.manual_seed(3)
    model = Early(CONFIG).eval()
    values, observed = windows(2)
    observed[:, CONFIG.rows[1]] = 0
    other = values.clone()
    other[:, CONFIG.rows[1]] = 5.0
    assert torch.equal(model(values, observed), model(other, observed))


@settings(max_examples=60, deadline=None)
@given(
    live=st.lists(
        st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=1, max_size=20
    ),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_dropping_sensors_leaves_one_of_those_that_are_there(live, share, seed):
    there = torch.tensor(live)
    left = learn.dropped(there, share, torch.Generator().manual_seed(seed))
    assert not (left & ~there).any()
    assert left.any(dim=1).all()


def test_dropping_sensors_draws_how_many_are_lost_evenly():
    there = torch.ones(4000, 4).bool()
    left = learn.dropped(there, 1.0, torch.Generator().manual_seed(0)).sum(dim=1)
    shares = torch.bincount(left, minlength=5)[1:] / 4000
    assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.03)


def test_the_contrast_is_what_its_formula_says_and_falls_with_agreement():
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.nn.functional.normalize(torch.randn(5, 6, generator=generator), dim=1)
        for _ in range(2)
    )
    both, total = torch.cat([a, b]), 0.0
    for i in range(10):
        scores = torch.exp(both @ both[i] / 0.1)
        total -= torch.log(scores[(i + 5) % 10] / (scores.sum() - scores[i]))
    assert learn.nt_xent(a, b, 0.1).item() == pytest.approx(total.item() / 10, rel=1e-4)
    assert learn.nt_xent(a, a, 0.1) < learn.nt_xent(a, b, 0.1)


@pytest.mark.parametrize("stop", [True, False])
def test_restoration_moves_the_fusion_only_where_its_gradient_is_let_through(stop, encoders):
    model = hybrid("restored", encoders, stop)
    values, observed = windows(2)
    live = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1]])
    with torch.no_grad():
        sensed = encoders(values, observed, live.bool()).flatten(1, 2)
    model(sensed, live.float()).restored.square().sum().backward()
    moved = model.fused.embed.weight.grad
    assert (moved is None or not moved.any()) == stop
    assert model.restorer.hidden.weight.grad.any()


@torch.no_grad()
def test_merged_adapters_compute_what_they_computed_beside(encoders):
    adapted = copy.deepcopy(encoders)
    adapters.adapt(adapted, rank=2, alpha=8.0)
    for name, parameter in adapted.named_parameters():
        if ".second.weight" in name:
            parameter.normal_(generator=torch.Generator().manual_seed(4))
    trainable = {n for n, p in adapted.named_parameters() if p.requires_grad}
    assert trainable
    assert all(".first." in n or ".second." in n for n in trainable)
    values, observed = windows(2)
    live = torch.ones(2, 4).bool()
    before = adapted(values, observed, live)
    assert (before - encoders(values, observed, live)).abs().max() > 1e-3
    adapters.merge(adapted)
    assert torch.allclose(adapted(values, observed, live), before, atol=1e-5)
    assert set(dict(adapted.named_parameters())) == set(dict(encoders.named_parameters()))


def test_a_shared_encoder_is_one(encoders):
    config = msgspec.structs.replace(
        CONFIG, encoder=msgspec.structs.replace(CONFIG.encoder, shared=True)
    )
    shared = Encoders(config)
    own = sum(p.numel() for p in encoders.parameters())
    assert 4 * sum(p.numel() for p in shared.parameters()) == own


@torch.no_grad()
def test_signals_have_the_shape_of_the_sensor():
    decoder = Signals(tokens=9, width=8, channels=6, samples=64)
    assert decoder(torch.randn(2, 8, 8)).shape == (2, 6, 64)


@torch.no_grad()
def test_every_sensor_answers_for_itself(encoders):
    late = Late(CONFIG).eval()
    values, observed = windows(2)
    live = torch.ones(2, 4).bool()
    tokens = encoders(values, observed, live)
    other = tokens.clone()
    other[:, 1] += 1.0
    same = (late(other) == late(tokens)).all(dim=(0, 2))
    assert same.tolist() == [True, False, True, True]
