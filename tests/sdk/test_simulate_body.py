"""The simulated body: what its sensors feel, and which of them falls silent."""

from __future__ import annotations

import numpy as np
import pytest

from onwrist.simulate import body
from onwrist_runtime.errors import InputError


def magnitude(recording, position, begin, end):
    """Of acceleration, at the samples from begin to end (s)."""
    axes = [recording.signals[f"{position}_acc_{axis}"] for axis in "xyz"]
    inside = (axes[0].times >= begin) & (axes[0].times < end)
    return np.linalg.norm([signal.values[inside] for signal in axes], axis=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gravity_is_felt_and_walking_shakes(seed):
    made = body(60, seed, dies={})
    assert len(made.signals) == 24
    for position in ("wrist", "chest", "waist", "ankle"):
        still, moving = (magnitude(made, position, *span) for span in ((0, 15), (15, 45)))
        assert np.median(still) == pytest.approx(1.0, abs=0.05)
        assert moving.std() > 5 * still.std()
        assert np.median(magnitude(made, position, 52, 60)) == pytest.approx(1.0, abs=0.05)


def test_a_sensor_that_dies_is_silent_from_then_on():
    made = body(40, dies={"ankle": 12.0, "wrist": 0.0})
    assert made.signals["ankle_gyro_z"].times[-1] == pytest.approx(12.0, abs=0.051)
    assert "wrist_acc_x" not in made.signals
    assert made.signals["chest_acc_x"].times[-1] == pytest.approx(40.0, abs=0.051)


def test_equal_seeds_give_equal_recordings():
    first, again, other = body(10, 3), body(10, 3), body(10, 4)
    name = "chest_acc_y"
    assert np.array_equal(first.signals[name].values, again.signals[name].values)
    assert not np.array_equal(first.signals[name].values, other.signals[name].values)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"seconds": 0.5}, "cannot simulate 0.5 s"), ({"dies": {"knee": 1.0}}, "sensor knee")],
)
def test_what_cannot_be_simulated_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        body(**given)
