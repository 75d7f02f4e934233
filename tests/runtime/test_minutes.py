"""The mean and sum of each minute, against an oracle that goes through samples one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onwrist_runtime.minutes import Minutes

EPOCH = 1_644_225_600.0
NAN = np.nan


def naive(times, values, sums, period, zero, first, count):
    """Every sample into the one interval whose edges it lies between, by exact fractions."""
    out = np.zeros((len(values), count), np.float32)
    observed = np.zeros(out.shape, bool)
    for row, samples in enumerate(values):
        for k in range(count):
            begin = zero + (first + k) * period
            stop = zero + (first + k + 1) * period
            inside = [
                float(x)
                for t, x in zip(times, samples, strict=True)
                if begin <= t < stop and not math.isnan(x)
            ]
            if inside:
                total = 0.0
                for x in inside:
                    total += x
                out[row, k] = total if sums[row] else total / len(inside)
                observed[row, k] = True
    return out, observed


@given(
    zero=st.sampled_from([0.0, EPOCH, EPOCH + 0.1, -7200.0, 1234.5678]),
    period=st.sampled_from([60.0, 1.0, 3600.0]),
    first=st.integers(-3, 40),
    count=st.integers(1, 12),
    data=st.data(),
)
def test_minutes_are_those_of_the_naive_oracle(zero, period, first, count, data):
    on_edges = st.integers(-4, 60).map(lambda k: zero + k * period)
    between = st.floats(-4, 60).map(lambda k: zero + k * period)
    near = on_edges.map(lambda t: math.nextafter(t, -math.inf))
    times = data.draw(st.lists(on_edges | between | near, unique=True, max_size=40).map(sorted))
    times = np.array(times)
    number = st.floats(-1e6, 1e6, width=32) | st.just(NAN)
    values = np.array(
        [data.draw(st.lists(number, min_size=len(times), max_size=len(times))) for _ in "ab"],
        np.float32,
    ).reshape(2, len(times))
    sums = (True, False)
    got = Minutes(period, zero).aggregate(times, values, sums, first, count)
    expected = naive(times, values, sums, period, zero, first, count)
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])


@given(
    zero=st.sampled_from([0.0, EPOCH, EPOCH + 0.1, 1e11, -1e11, 1234.5678]),
    period=st.sampled_from([60.0, 7.0, 3600.0]),
    interval=st.integers(-(10**6), 10**8),
    share=st.floats(0, 1, exclude_max=True),
)
def test_a_time_lies_in_the_interval_whose_edges_are_around_it(zero, period, interval, share):
    minutes = Minutes(period, zero)
    edge = minutes.start(interval)
    assert minutes.holding(edge) == interval
    assert minutes.holding(math.nextafter(edge, -math.inf)) == interval - 1
    time = edge + share * period
    held = minutes.holding(time)
    assert minutes.start(held) <= time < minutes.start(held + 1)


def test_a_sample_on_the_edge_belongs_to_the_minute_that_begins_there():
    edges = EPOCH + 60.0 * np.arange(5)
    values = np.arange(5, dtype=np.float32)[np.newaxis]
    k = int(EPOCH // 60)
    for zero, first in ((0.0, k), (EPOCH, 0)):
        out, observed = Minutes(60.0, zero).aggregate(edges, values, (True,), first - 1, 7)
        assert out.tolist() == [[0, 0, 1, 2, 3, 4, 0]]
        assert observed.tolist() == [[False, *[True] * 5, False]]


def test_sums_are_added_in_the_order_of_time():
    """In float64 1e16 + 1 is 1e16, but 1 + 1 + ... first would count."""
    values = np.array([[1e14, *[0.004] * 100, -1e14]], np.float32)
    times = np.arange(values.size) * 0.5
    total = 0.0
    for x in values[0]:
        total += float(x)
    exact = float(sum(Fraction(float(x)) for x in values[0]))
    out, _ = Minutes(60.0, 0.0).aggregate(times, values, (True,), 0, 1)
    assert out[0, 0] == np.float32(total)
    assert abs(total - exact) > 0.1  # another order would have given another sum


def test_nothing_is_interpolated():
    times = np.array([30.0, 630.0])
    values = np.array([[60.0, 80.0]], np.float32)
    out, observed = Minutes(60.0, 0.0).aggregate(times, values, (False,), 0, 11)
    assert np.flatnonzero(observed[0]).tolist() == [0, 10]
    assert not out[0, 1:10].any()


@pytest.mark.parametrize(("sums", "seen"), [((True,), False), ((False,), True)])
def test_a_sum_that_no_graph_can_be_given_is_not_observed(sums, seen):
    values = np.array([[9e14, 9e14]], np.float32)
    out, observed = Minutes(60.0, 0.0).aggregate(np.array([1.0, 2.0]), values, sums, 0, 1)
    assert observed.tolist() == [[seen]]
    assert out[0, 0] == (np.float32(9e14) if seen else 0)
