"""What the repair of time stamps guarantees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist_runtime.clock import HISTORY, is_regular, repaired, strays

EPOCH = 1_644_226_061.37
RATES = (4.0, 25.0, 32.0, 64.0, 1000.0)


@st.composite
def stamps(draw: st.DrawFn) -> tuple[np.ndarray, float]:
    """Stamps with jitter, bursts, gaps, drift and steps of the clock, and their rate."""
    rate = draw(st.sampled_from(RATES))
    n = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    jitter = draw(st.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0]))
    steps = 1 + jitter * random.uniform(-1, 1, n) + draw(st.sampled_from([0.0, 1e-4, 0.02]))
    for kind in (random.exponential(2.0, n), random.uniform(-0.5, 0.6, n), -0.9 * np.ones(n)):
        steps += kind * (random.random(n) < draw(st.sampled_from([0.0, 0.02, 0.2])))
    times = draw(st.sampled_from([0.0, -3.2, EPOCH]))
    times = times + np.cumsum(np.maximum(steps, 1e-3)) / rate
    return np.unique(times), rate


def by_definition(times: np.ndarray, rate: float) -> np.ndarray:
    """The repair, a sample at a time."""
    period = 1 / rate
    result = times.copy()
    for i, time in enumerate(times):
        line = [0.0]
        for k in range(1, min(HISTORY, i) + 1):
            step = times[i - k + 1] - times[i - k]
            if not abs(step - period) < period / 2:
                break
            line.append((times[i - k] - time) + k * period)
        off = sorted(line)[(len(line) - 1) // 2]
        if abs(off) > period / 16:
            off = min(max(off, -7 / 16 * period), 7 / 16 * period)
            followed = i + 1 < len(times) and times[i + 1] - time - period <= -period / 2
            result[i] = time + (min(off, 0.0) if followed else off)
    return result


@given(given_=stamps())
def test_repair_is_what_its_definition_says(given_):
    times, rate = given_
    assert repaired(times, rate).tobytes() == by_definition(times, rate).tobytes()


@given(given_=stamps())
@settings(max_examples=300)
def test_repaired_stamps_increase_and_stay_near(given_):
    times, rate = given_
    result = repaired(times, rate)
    assert (np.diff(result) > 0).all()
    assert (np.abs(result - times) < 0.5 / rate).all()


@given(given_=stamps(), data=st.data())
def test_only_the_14_before_and_the_next_one_matter(given_, data):
    times, rate = given_
    result, off = repaired(times, rate), strays(times, rate)
    begin = data.draw(st.integers(0, len(times) - 1))
    end = data.draw(st.integers(begin + 1, len(times)))
    since = data.draw(st.integers(0, max(begin - HISTORY, 0)))
    part = repaired(times[since : end + 1], rate)[begin - since : end - since]
    assert part.tobytes() == result[begin:end].tobytes()
    np.testing.assert_array_equal(
        strays(times[since:end], rate)[begin - since :], off[begin:end]
    )


@given(given_=stamps())
def test_what_is_no_stray_is_not_moved(given_):
    times, rate = given_
    moved = repaired(times, rate) != times
    assert not (moved & ~strays(times, rate)).any()
    if is_regular(np.diff(times), rate):
        assert not moved.any()


@given(
    rate=st.sampled_from(RATES),
    start=st.floats(-1e9, 2e9),
    drift=st.floats(-200e-6, 200e-6),
    seed=st.integers(0, 2**32),
)
def test_a_steady_clock_keeps_its_stamps(rate, start, drift, seed):
    times = start + np.arange(2000) / rate * (1 + drift)
    kept = np.random.default_rng(seed).random(2000) > 0.02
    for stamped in (times, times[kept]):
        assert repaired(stamped, rate).tobytes() == stamped.tobytes()
        assert not strays(stamped, rate).any()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("drift", [0.0, 200e-6])
def test_jitter_of_a_fifth_of_a_period_is_more_than_halved(rate, drift):
    random = np.random.default_rng(1)
    true = EPOCH + np.arange(20_000) / rate * (1 + drift)
    stamped = true + random.uniform(-0.2, 0.2, true.size) / rate
    before, after = (np.std(x - true) * rate for x in (stamped, repaired(stamped, rate)))
    assert before == pytest.approx(0.115, abs=0.003)
    assert after < 0.5 * before


def test_one_late_stamp_goes_back_onto_the_line():
    true = np.arange(100) / 64.0
    stamped = true.copy()
    stamped[50] += 0.4 / 64
    np.testing.assert_allclose(repaired(stamped, 64.0), true, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(strays(stamped, 64.0)), [50])


def test_the_line_follows_a_small_step_of_the_clock_within_eight_samples():
    times = np.arange(100) / 64.0
    times[50:] += 0.3 / 64
    moved = np.flatnonzero(repaired(times, 64.0) != times)
    np.testing.assert_array_equal(moved, np.arange(50, 57))


def test_a_gap_and_a_burst_begin_anew():
    """Before and after, stamps of a steady clock stay, however the two are apart."""
    times = np.arange(40) / 64.0
    for gap in (1.6, 0.3, 1000.3):
        stamped = np.concatenate([times, times[-1] + gap / 64 + times])
        assert repaired(stamped, 64.0).tobytes() == stamped.tobytes()


def test_no_stamp_is_moved_past_one_that_follows_at_once():
    early = np.array([*np.arange(20.0), 19.6, 19.9, 20.9])
    np.testing.assert_array_equal(repaired(early, 1.0), early)
    without = np.array([*np.arange(20.0), 19.6, 20.9])
    assert repaired(without, 1.0)[20] == pytest.approx(20.0)
