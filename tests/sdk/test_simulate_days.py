"""Simulated days: equal by seed, plausible by the minute, with the gaps of real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist.simulate import days
from onwrist.simulate_days import START
from onwrist_runtime.errors import InputError
from onwrist_runtime.signals import Signal


def by_minute(signal: Signal, count: int) -> np.ndarray:
    """On the grid of minutes from the first midnight, NaN where nothing is; means."""
    minute = ((signal.times - START) // 60).astype(int)
    counts = np.bincount(minute, minlength=1440 * count)
    with np.errstate(invalid="ignore"):
        return np.bincount(minute, signal.values, 1440 * count) / counts


@given(seed=st.integers(0, 1000), count=st.integers(1, 4), more=st.integers(1, 3))
@settings(max_examples=10)
def test_the_first_days_do_not_depend_on_how_many_there_are(
    seed: int, count: int, more: int
) -> None:
    few, many = days(count, seed), days(count + more, seed)
    for name, signal in few.signals.items():
        size = len(signal.times)
        np.testing.assert_array_equal(signal.times, many.signals[name].times[:size])
        np.testing.assert_array_equal(signal.values, many.signals[name].values[:size])


def test_another_seed_is_another_person() -> None:
    one, other = (days(1, seed).signals["steps"].values for seed in (0, 1))
    assert len(one) != len(other) or (one != other).any()


def test_heart_rate_in_seconds_has_the_same_means() -> None:
    minutes, seconds = days(2, 3), days(2, 3, seconds=True)
    assert seconds.signals["heart_rate"].rate == 0.2
    one, other = (by_minute(x.signals["heart_rate"], 2) for x in (minutes, seconds))
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert minutes.signals["steps"].rate == minutes.signals["heart_rate"].rate == 1 / 60


@pytest.mark.parametrize("seed", range(4))
def test_a_week_is_plausible(seed: int) -> None:
    week = days(7, seed)
    steps, intensity, heart_rate = (
        by_minute(week.signals[name], 7) for name in ("steps", "intensity", "heart_rate")
    )
    totals = [float(x.value) for x in week.labels if x.task == "daily_steps"]
    asleep = [float(x.value) for x in week.labels if x.task == "minutes_asleep"]
    assert 4000 < np.mean(totals) < 25000
    assert 360 < np.mean(asleep) < 600
    assert set(np.unique(intensity[~np.isnan(intensity)])) <= {0, 1, 2, 3}
    assert 40 < np.nanmin(heart_rate) < 75
    assert 100 < np.nanmax(heart_rate) < 200
    night = heart_rate.reshape(7, -1)[:, 60:300]
    assert np.nanmean(night) < np.nanmean(heart_rate) - 5
    walking = steps > 70
    assert np.nanmean(heart_rate[walking]) > np.nanmean(heart_rate[~walking]) + 15
    missing = np.isnan(heart_rate)
    assert 0.03 < missing.mean() < 0.5
    # The pulse is lost for some minutes, and the tracker is off for hours.
    assert (missing & ~np.isnan(steps)).any()
    assert np.isnan(steps).any()
    np.testing.assert_array_equal(np.isnan(steps), np.isnan(intensity))


@pytest.mark.parametrize("count", [0, -1, 367, 1.5, "2"])
def test_how_many(count: Any) -> None:
    with pytest.raises(InputError, match="1 to 366"):
        days(count)
