"""Which minutes count as not worn."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onwrist.wear import unworn


def test_an_hour_without_heart_rate_and_steps_is_not_worn() -> None:
    steps, heart_rate = np.zeros(300), np.full(300, 70.0)
    heart_rate[20:79] = np.nan  # 59 minutes
    heart_rate[100:160] = np.nan  # 60
    heart_rate[200:] = np.nan  # broken by a step into 50 and 49
    steps[250] = 8
    assert np.flatnonzero(unworn(steps, heart_rate)).tolist() == list(range(100, 160))
    assert unworn(steps, heart_rate, 49).sum() == 59 + 60 + 50 + 49


def test_steps_that_are_not_observed_are_no_steps() -> None:
    steps = np.full(60, np.nan)
    assert unworn(steps, np.full(60, np.nan)).all()
    assert not unworn(steps[:59], np.full(59, np.nan)).any()


@given(st.lists(st.sampled_from(["still", "step", "beat"]), max_size=80), st.integers(1, 9))
def test_every_run_is_found_whole(minutes: list[str], least: int) -> None:
    steps = np.array([7.0 * (x == "step") for x in minutes])
    heart_rate = np.array([61.0 if x == "beat" else np.nan for x in minutes])
    runs = "".join("." if x == "still" else "x" for x in minutes)
    expected = [
        character == "."
        and len(runs[:k].rpartition("x")[2]) + len(runs[k:].partition("x")[0]) >= least
        for k, character in enumerate(runs)
    ]
    assert unworn(steps, heart_rate, least).tolist() == expected
