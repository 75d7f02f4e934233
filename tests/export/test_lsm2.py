"""LSM-2 and its masking: what must not matter does not, and what must be hidden is."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from onwrist.readers.fitbit_grid import Person
from onwrist_export.days import masks
from onwrist_export.days.config import load_day_config
from onwrist_export.days.learn import MaskedDays, MaskedTraining
from onwrist_export.model.interpolation import nearest
from onwrist_export.model.lsm2 import LSM2, SIZES

CONFIG = load_day_config()
SMALL = dataclasses.replace(CONFIG.lsm2, width=16, decoder_width=16, heads=2, decoder_heads=2)
N, G, P = SMALL.tokens, len(SMALL.groups), SMALL.patch
MINUTE = torch.tensor([0.0, 435.0])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model() -> LSM2:
    torch.manual_seed(1)
    return LSM2(SMALL, CONFIG.scales).eval()


def days(batch: int = 2, missing: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Values and observed, with whole patches and single minutes missing."""
    draw = generator(seed)
    steps = torch.randint(0, 120, (batch, 1, 1440), generator=draw).float()
    intensity = torch.randint(0, 4, (batch, 1, 1440), generator=draw).float()
    heart = 60 + 80 * torch.rand(batch, 1, 1440, generator=draw)
    observed = torch.rand(batch, 3, 72, generator=draw) > missing
    observed = observed.repeat_interleave(P, 2)
    observed &= torch.rand(batch, 3, 1440, generator=draw) > 0.1
    return torch.cat([steps, intensity, heart], 1), observed


def as_time_and_group(there: Tensor) -> Tensor:
    """Tokens (B, N) as (B, n, G)."""
    return there.unflatten(1, (-1, G))


def test_the_published_size_is_the_published_size() -> None:
    base = SIZES["base"]
    assert (base.width, base.depth, base.heads) == (384, 12, 6)
    assert (base.decoder_width, base.decoder_depth) == (256, 4)
    assert base.tokens == 3744
    with torch.device("meta"):
        model = LSM2(base, [CONFIG.scales[0]] * 26)
    linear = sum(p.numel() for p in model.encoder.parameters() if p.ndim == 2)
    assert linear == 21_233_664  # "21.2 M"
    everything = sum(p.numel() for p in model.encoder.parameters())
    assert everything == 21_293_568


def test_what_is_not_seen_changes_nothing(model: LSM2) -> None:
    values, seen = days()
    found = model(values, seen, MINUTE)
    other = torch.where(seen, values, 1e4)
    assert torch.equal(model(other, seen, MINUTE), found)
    assert torch.isfinite(found).all()


def test_dropping_masked_tokens_changes_nothing_for_the_others(model: LSM2) -> None:
    values, seen = days(missing=0.6)
    there = model.there(seen)
    dropped = int((~there).sum(1).min())
    assert dropped > N // 3
    everything = model(values, seen, MINUTE)
    index = masks.kept(there, dropped, generator())
    torch.testing.assert_close(
        model(values, seen, MINUTE, index), everything, rtol=1e-4, atol=1e-4
    )


def test_a_masked_token_gets_no_attention(model: LSM2) -> None:
    """Without the mask in the scores, what fills a missing place would be attended to."""
    values, seen = days(missing=0.6)
    x, there = model.normalize(values, seen), model.there(seen)
    index = torch.arange(N).expand(2, -1)
    tokens = model.tokenize(x, seen.float())
    encoded = model.encode(tokens, index, there, MINUTE).tokens
    with torch.no_grad():
        bias = model.bias(index, there)
        weights = bias.softmax(-1)
    assert float(weights.masked_select(~there[:, None, None].expand_as(weights)).max()) < 1e-30
    disturbed = tokens + torch.where(there, 0.0, 100.0)[..., None]
    again = model.encode(disturbed, index, there, MINUTE).tokens
    assert torch.equal(again[there], encoded[there])


def test_pooling_counts_only_what_is_there(model: LSM2) -> None:
    values, seen = days(missing=0.5)
    x, there = model.normalize(values, seen), model.there(seen)
    index = torch.arange(N).expand(2, -1)
    encoded = model.encode(model.tokenize(x, seen.float()), index, there, MINUTE)
    day = torch.stack([t[h].mean(0) for t, h in zip(encoded.tokens, there, strict=True)])
    torch.testing.assert_close(model.pool(encoded)[:, : SMALL.width], day)
    junk = encoded._replace(tokens=torch.where(there[..., None], encoded.tokens, 1e3))
    torch.testing.assert_close(model.pool(junk), model.pool(encoded))


def test_a_day_with_nothing_gives_numbers_and_no_embedding(model: LSM2) -> None:
    values, seen = days(1)
    nothing = torch.zeros_like(seen)
    assert torch.isfinite(model(values, nothing, MINUTE[:1])).all()
    x, index = model.normalize(values, nothing), torch.arange(N)[None]
    tokens = model.tokenize(x, nothing.float())
    encoded = model.encode(tokens, index, model.there(nothing), MINUTE[:1])
    assert not model.pool(encoded).any()


@pytest.mark.parametrize(
    ("least", "present"), [(1, True), (13, True), (14, False), (20, False)]
)
def test_the_rule_for_a_missing_patch_is_configured(least: int, present: bool) -> None:
    model = LSM2(dataclasses.replace(SMALL, least=(least, 1)), CONFIG.scales)
    seen = torch.zeros(1, 3, 1440, dtype=torch.bool)
    seen[0, 0, 40:53] = True  # 13 of the 20 minutes of the third patch
    there = as_time_and_group(model.there(seen))
    assert bool(there[0, 2, 0]) == present
    assert int(there.sum()) == present


def test_the_clock_matters_and_is_a_day_long(model: LSM2) -> None:
    values, seen = days()
    found = model(values, seen, MINUTE)
    torch.testing.assert_close(model(values, seen, MINUTE + 1440), found, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(model(values, seen, MINUTE + 600), found, atol=1e-2)


def test_a_seen_heart_rate_is_the_ground_that_the_decoder_builds_on(model: LSM2) -> None:
    values, seen = days()
    x = model.normalize(values, seen)
    base = model.base(x, seen.float())
    assert torch.equal(base[seen[:, 2]], x[:, 2][seen[:, 2]])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_nearest_seen_minutes(seen: list[bool]) -> None:
    before, after = nearest(torch.tensor([seen]))
    for t in range(len(seen)):
        earlier = [i for i in range(t + 1) if seen[i]]
        later = [i for i in range(t, len(seen)) if seen[i]]
        assert before[0, t] == (earlier[-1] if earlier else -1)
        assert after[0, t] == (later[0] if later else len(seen))


# Masks


def test_artificial_masks_are_the_three_published_ones_drawn_for_each_sample() -> None:
    hidden = masks.artificial(300, SMALL, generator())
    assert hidden.shape == (300, 3, 1440)
    assert torch.equal(hidden[:, 0], hidden[:, 1])  # one group, one token
    patches = hidden.unflatten(2, (72, P))
    assert (patches.all(3) == patches.any(3)).all()
    tokens = patches.all(3)[:, [0, 2]]  # (B, G, n)
    share = tokens.float().mean((1, 2))
    slices = (tokens[:, 0] == tokens[:, 1]).all(1)
    sensors = (tokens.all(2) | ~tokens.any(2)).all(1)
    random = ~slices & ~sensors
    assert all(int(kind.sum()) > 60 for kind in (slices, sensors, random))
    assert torch.allclose(share[random], torch.tensor(116 / 144))  # 80 %, rounded up
    assert torch.allclose(share[slices], torch.tensor(0.5))
    assert torch.allclose(share[sensors], torch.tensor(0.5))


def test_spans_hide_seen_heart_rate() -> None:
    _, seen = days(200, missing=0.7)
    hidden = masks.spans(seen, SMALL, 2, generator())
    assert (hidden[:, 2] & seen[:, 2]).any(1).float().mean() > 0.9
    assert hidden[:, 2].any(1).all()
    others = hidden[:, :2].any(2).any(1).float().mean()
    assert 0.3 < others < 0.8
    assert not (hidden[:, :2] & ~hidden[:, 2:]).any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, N), st.integers(0, N), st.integers(0, 9))
def test_masked_tokens_are_dropped_first(masked: int, dropped: int, seed: int) -> None:
    there = torch.ones(1, N, dtype=torch.bool)
    there[0, torch.randperm(N, generator=generator(seed))[:masked]] = False
    index = masks.kept(there, dropped, generator(seed))
    assert index.shape == (1, N - dropped)
    assert (index.diff() > 0).all()
    # with fewer masked tokens than are to be dropped, others go, too
    assert int(there.gather(1, index).sum()) == min(N - masked, N - dropped)


# Training


def person(subject: str, heart: bool, seed: int) -> Person:
    draw = np.random.default_rng(seed)
    values = np.stack(
        [
            draw.integers(0, 90, 4320),
            draw.integers(0, 4, 4320),
            np.where(draw.random(4320) < 0.7, draw.normal(75, 9, 4320), np.nan),
        ]
    ).astype(np.float32)
    if not heart:
        values[2] = np.nan
    values[:, 1500:2000] = np.nan
    return Person(subject, "raw" if heart else "none", 0.0, values)


def batches(missing: str = "inherited") -> MaskedDays:
    people = [person("a", True, 1), person("b", False, 2)]
    torch.manual_seed(0)
    return MaskedDays(people, LSM2(SMALL, CONFIG.scales), CONFIG, missing)


def test_the_loss_counts_what_was_hidden_and_really_observed() -> None:
    given = batches()
    training = MaskedTraining(given.model, CONFIG)
    for _, batch in zip(range(6), given, strict=False):
        values, seen, counted, minute, index = batch
        assert counted.any()
        assert not (counted & seen).any()
        found = given.model(values, seen, minute, index).detach().requires_grad_()
        training.loss(found, values, counted).backward()
        assert found.grad is not None
        assert not found.grad[~counted].any()  # none from inherited positions, none from seen
        assert found.grad[counted].any()


def test_half_of_the_tokens_are_dropped_or_none() -> None:
    sizes = {batch[4].shape[1] for _, batch in zip(range(20), batches(), strict=False)}
    assert sizes == {N // 2, N}


@pytest.mark.parametrize("missing", ["linear", "zero"])
def test_contestants_see_gaps_filled_in(missing: str) -> None:
    given = batches(missing)
    for _, (values, seen, counted, _, _) in zip(range(6), given, strict=False):
        assert torch.equal(seen, ~counted)  # all that is hidden counts, real or not
        assert torch.isfinite(values).all()


def test_training_learns_a_rhythm() -> None:
    """A heart rate that follows activity is found where it was hidden."""
    rhythm = person("c", True, 3)
    active = (np.arange(4320) // 30 % 2).astype(np.float32)
    values = np.stack([90 * active, 2 * active, 60 + 50 * active])
    rhythm = dataclasses.replace(rhythm, values=values)
    torch.manual_seed(0)
    model = LSM2(SMALL, CONFIG.scales)
    given = MaskedDays([rhythm], model, CONFIG, "inherited")
    training = MaskedTraining(model, CONFIG)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _, (given_days, shown, counted, minute, index) in zip(range(60), given, strict=False):
        loss = training.loss(model(given_days, shown, minute, index), given_days, counted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    day = torch.from_numpy(values[None, :, :1440])
    seen = torch.ones_like(day, dtype=torch.bool)
    seen[:, 2, 600:900] = False
    with torch.no_grad():
        found = model.restore(model.eval()(day, seen, MINUTE[:1]))
    assert float((found - day)[0, 2, 600:900].abs().mean()) < 8  # 25 for a straight line


def test_a_level_that_nothing_tells_is_not_learned() -> None:
    """Where no heart rate is seen, its mean is that of the scale, whoever it was."""
    low, high = person("d", True, 5), person("e", True, 6)
    low.values[2] -= 20
    high.values[2] += 25
    torch.manual_seed(0)
    given = MaskedDays([low, high], LSM2(SMALL, CONFIG.scales), CONFIG, "inherited")
    blind = 0
    for _, (values, seen, counted, _, _) in zip(range(12), given, strict=False):
        for row in torch.nonzero(~seen[:, 2].any(1) & counted[:, 2].any(1))[:, 0]:
            assert abs(float(values[row, 2][counted[row, 2]].mean()) - 75.0) < 0.01
            blind += 1
    assert blind > 10
