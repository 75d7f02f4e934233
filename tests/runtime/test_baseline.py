"""The running mean and scale: what they are, and what must not change them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist_runtime.baseline import LEAST, Baseline, as_input
from onwrist_runtime.errors import InputError

RATE, SECONDS, SAMPLES = 25.0, 600.0, 32


def running(channels=2):
    return Baseline(channels, RATE, SECONDS, SAMPLES)


def feed(baseline, values, observed):
    for start in range(0, values.shape[1] - SAMPLES + 1, SAMPLES):
        part = slice(start, start + SAMPLES)
        baseline.update(values[:, part], observed[:, part])
    return baseline


def direct(values, observed):
    """Mean and scale from every grid point and its weight, in exact differences."""
    blocks = values.shape[1] // SAMPLES
    age = np.repeat(np.arange(blocks)[::-1], SAMPLES)
    weight = np.exp(-age * SAMPLES / RATE / SECONDS) * observed
    wide = np.where(observed, values, 0.0).astype(np.longdouble)
    mean = (wide * weight).sum(axis=1) / weight.sum(axis=1)
    variance = (weight * (wide - mean[:, None]) ** 2).sum(axis=1) / weight.sum(axis=1)
    return mean.astype(float), np.sqrt(variance).astype(float)


def recording(seed, blocks, level, spread, share):
    rng = np.random.default_rng(seed)
    shape = (2, blocks * SAMPLES)
    drift = np.cumsum(rng.standard_normal(shape), axis=1) * spread / 10
    values = (level + drift + spread * rng.standard_normal(shape)).astype(np.float32)
    return values, rng.random(shape) < share


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    blocks=st.integers(40, 400),
    level=st.sampled_from([0.0, 0.5, -33.0, 2e5]),
    spread=st.sampled_from([0.01, 1.0, 300.0]),
    share=st.sampled_from([0.3, 0.9, 1.0]),
)
def test_it_is_the_weighted_mean_and_deviation(seed, blocks, level, spread, share):
    values, observed = recording(seed, blocks, level, spread, share)
    found = feed(running(), values, observed)
    mean, scale = direct(values, observed)
    np.testing.assert_allclose(
        found.usual[:, 0], mean, rtol=1e-12, atol=1e-12 * (abs(level) + spread)
    )
    np.testing.assert_allclose(found.usual[:, 1], scale, rtol=1e-9, atol=1e-15 * abs(level))


def test_nothing_drifts_over_two_days():
    values, observed = recording(0, 1000, 33.0, 0.05, 0.8)
    days = running()
    for _ in range(135):
        feed(days, values, observed)
    last = np.tile(values, 12), np.tile(observed, 12)
    mean, scale = direct(*last)  # older than 12 x 1280 s weighs less than 1e-11
    np.testing.assert_allclose(days.usual[:, 0], mean, rtol=1e-10)
    np.testing.assert_allclose(days.usual[:, 1], scale, rtol=1e-8)


def test_a_constant_channel_has_no_scale_even_after_a_day():
    baseline = running(1)
    values, observed = np.full((1, SAMPLES), 0.1, np.float32), np.ones((1, SAMPLES), bool)
    for _ in range(70_000):
        baseline.update(values, observed)
    assert baseline.usual[0, 0] == np.float32(0.1)
    assert baseline.usual[0, 1] == 0.0


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), poison=st.sampled_from([np.nan, np.inf, -3e38, 7.0]))
def test_values_that_are_not_observed_change_nothing(seed, poison):
    values, observed = recording(seed, 50, 1.0, 1.0, 0.5)
    observed[1, : 20 * SAMPLES] = False
    poisoned = np.where(observed, values, np.float32(poison))
    with np.errstate(all="raise"):
        expected = feed(running(), np.where(observed, values, np.float32(0)), observed).state
        np.testing.assert_array_equal(feed(running(), poisoned, observed).state, expected)


def test_channels_do_not_touch_each_other():
    values, observed = recording(3, 60, 1.0, 1.0, 0.7)
    both = feed(running(), values, observed)
    observed[1] = False
    alone = feed(running(), values, observed)
    np.testing.assert_array_equal(alone.state[:, 0], both.state[:, 0])
    assert np.isnan(alone.usual[1]).all()


def test_a_mean_is_given_once_enough_was_seen_and_not_after_it_is_forgotten():
    block, gone = np.ones((1, SAMPLES), np.float32), np.zeros((1, SAMPLES), bool)
    baseline = running(1)
    seen = 0
    while np.isnan(baseline.usual[0, 0]):
        baseline.update(block, ~gone)
        seen += SAMPLES
    assert LEAST <= seen / RATE < LEAST + 2 * SAMPLES / RATE
    np.testing.assert_array_equal(baseline.input, [[[1.0, 0.0, 1.0]]])
    for _ in range(int(5 * SECONDS * RATE / SAMPLES)):
        baseline.update(block, gone)
    assert np.isnan(baseline.usual[0, 0])
    np.testing.assert_array_equal(baseline.input, np.zeros((1, 1, 3)))


def test_after_one_time_constant_the_past_counts_one_over_e():
    one = np.ones((1, SAMPLES), bool)
    baseline = running(1)
    for _ in range(5000):
        baseline.update(np.zeros((1, SAMPLES), np.float32), one)
    for _ in range(round(SECONDS * RATE / SAMPLES)):
        baseline.update(np.ones((1, SAMPLES), np.float32), one)
    assert baseline.usual[0, 0] == pytest.approx(1 - np.exp(-1), abs=2e-3)


def test_a_saved_state_goes_on_bit_by_bit():
    values, observed = recording(5, 80, 3.0, 0.2, 0.6)
    whole = feed(running(), values, observed)
    first, second = running(), running()
    half = 40 * SAMPLES
    feed(first, values[:, :half], observed[:, :half])
    saved = first.state
    second.state = saved
    feed(second, values[:, half:], observed[:, half:])
    np.testing.assert_array_equal(second.state, whole.state)
    np.testing.assert_array_equal(second.input, whole.input)
    np.testing.assert_array_equal(saved, first.state)  # nobody writes into what was saved


@pytest.mark.parametrize(
    "state", [np.zeros((3, 1)), np.full((3, 2), np.nan), np.full((3, 2), -1.0)]
)
def test_a_damaged_state_is_refused_and_nothing_taken(state):
    baseline = feed(running(), *recording(1, 10, 0.0, 1.0, 1.0))
    before = baseline.state
    with pytest.raises(InputError, match="state of a baseline"):
        baseline.state = state
    np.testing.assert_array_equal(baseline.state, before)


def test_what_is_unknown_enters_the_graph_as_zeros():
    found = as_input(np.array([[1.0, 0.5], [np.nan, np.nan], [3.0, 0.0]]))
    np.testing.assert_array_equal(found, [[[1, 0.5, 1], [0, 0, 0], [3, 0, 1]]])
    assert found.dtype == np.float32
