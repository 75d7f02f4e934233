"""Simulated sensors of motion: what is wrong with one is found, and named in words."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onwrist_export.fusion.plausible import fit
from onwrist_runtime.errors import BundleError
from onwrist_runtime.manifest import Channel
from onwrist_runtime.manifest_plausible import FEATURES, Plausible, check_plausible
from onwrist_runtime.motion import looks
from onwrist_runtime.plausibility import Plausibility
from onwrist_runtime.usual import ARRANGEMENTS, Likelihood, arranged, in_words

RATE, SAMPLES = 20.0, 256
AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
# Direction of gravity, shaking (g) and turning (deg/s) along each axis.
SENSORS = {
    "wrist": ((0.6, -0.8, 0.0), (0.15, 0.1, 0.25), (30.0, 60.0, 20.0)),
    "chest": ((-1.0, 0.0, 0.0), (0.15, 0.1, 0.2), (8.0, 20.0, 12.0)),
    "ankle": ((0.0, 0.0, 1.0), (0.3, 0.2, 0.3), (15.0, 30.0, 60.0)),
}
CHANNELS = tuple(
    Channel(
        name=f"{sensor}_{axis}",
        sensor=sensor,
        rate=RATE,
        unit="g" if axis.startswith("acc") else "dps",
        polarity="of the sensor",
        minimum=-500.0,
        maximum=500.0,
        normalization="fixed",
    )
    for sensor in SENSORS
    for axis in AXES
)
NAMES = [channel.name for channel in CHANNELS]
ALL = np.ones((len(CHANNELS), SAMPLES), bool)
Floats = NDArray[np.float32]


def window(seed: int) -> Floats:
    """(C, N) of a person who moves for a while and then stands still."""
    rng = np.random.default_rng(seed)
    moves = np.where(np.arange(SAMPLES) < SAMPLES * 0.6, 1.0, 0.02)
    rows = []
    vigour = np.exp(0.7 * rng.normal())
    for gravity, shaking, turning in SENSORS.values():
        direction = np.array(gravity) + 0.15 * rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        size = vigour * np.exp(0.2 * rng.normal(size=6))
        for axis in range(6):
            scale = (shaking[axis] if axis < 3 else turning[axis - 3]) * size[axis]
            noise = 0.003 if axis < 3 else 0.3
            row = scale * moves * rng.normal(size=SAMPLES) + noise * rng.normal(size=SAMPLES)
            rows.append(row + (direction[axis] if axis < 3 else 0.0))
    return np.array(rows, np.float32)


def part(sensor: str, channels: slice = slice(0, 6)) -> slice:
    first = 6 * list(SENSORS).index(sensor)
    return slice(first + channels.start, first + channels.stop)


@pytest.fixture(scope="module")
def records() -> tuple[Plausible, ...]:
    values = np.stack([window(seed) for seed in range(120)])
    subjects = np.repeat([f"{number:02d}" for number in range(12)], 10)
    return fit(values, np.ones(values.shape, bool), CHANNELS, subjects, RATE)


@pytest.fixture(scope="module")
def judge(records: tuple[Plausible, ...]) -> Any:
    check_plausible(records, {channel.name: channel.sensor for channel in CHANNELS})
    return Plausibility(records, NAMES, RATE, SAMPLES).implausible


def test_working_sensors_are_believed(judge) -> None:
    blamed = [judge(window(seed), ALL) for seed in range(1000, 1100)]
    assert sum(map(bool, blamed)) <= 8, [each for each in blamed if each]


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize(
    ("channels", "factor", "says"),
    [
        (slice(0, 3), 9.80665, "in m/s2?"),
        (slice(0, 3), 1000.0, "in mg?"),
        (slice(0, 3), 0.25, "a quarter the gravity, in another range?"),
        (slice(3, 6), np.pi / 180, "in rad/s?"),
    ],
)
def test_another_unit_is_named(judge, sensor, channels, factor, says) -> None:
    for seed in range(1000, 1010):
        values = window(seed)
        values[part(sensor, channels)] *= np.float32(factor)
        reasons = judge(values, ALL)
        assert says in reasons.pop(sensor)
        others = judge(window(seed), ALL)
        others.pop(sensor, None)
        assert reasons == others


@pytest.mark.parametrize("sensor", SENSORS)
@given(st.integers(0, SAMPLES - 40), st.integers(0, 5))
def test_one_channel_that_freezes_is_named(records, sensor, start, axis) -> None:
    values = window(1001)
    row = part(sensor).start + axis
    values[row, start:] = values[row, start]
    reasons = Plausibility(records, NAMES, RATE, SAMPLES).implausible(values, ALL)
    # the one before may happen to be as good as equal
    moving = np.flatnonzero(np.abs(np.diff(values[row])) >= 1e-4)
    length = SAMPLES - 1 - moving[-1] if len(moving) else SAMPLES
    says = f"constant: {length} samples of {NAMES[row]} in a row are the same"
    assert reasons == {sensor: says}


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_sensor_at_its_limit_is_saturated(judge, sensor) -> None:
    rng = np.random.default_rng(3)
    values = window(1002)
    rows = part(sensor, slice(0, 3))
    loud = values[rows] + rng.normal(size=(3, SAMPLES)).astype(np.float32)
    values[rows] = np.clip(loud, -1.5, 1.5)
    assert judge(values, ALL)[sensor].startswith("saturated: ")


def test_a_fall_that_touches_the_limit_for_some_samples_is_believed(records) -> None:
    # Nobody falls among the simulated, so nothing is compared with what is usual for them.
    nothing: dict[str, Any] = {"usual": None, "turned": None, "exchanged": {}, "alarms": None}
    alone = [msgspec.structs.replace(record, **nothing) for record in records]
    values = window(1003)
    values[part("wrist", slice(0, 1)), 60:64] = 8.0
    values[part("wrist", slice(3, 6)), 50:80] += 200.0
    assert Plausibility(alone, NAMES, RATE, SAMPLES).implausible(values, ALL) == {}


def test_two_sensors_exchanged_are_both_named(judge) -> None:
    values = window(1004)
    one, two = part("chest"), part("ankle")
    values[one], values[two] = values[two].copy(), values[one].copy()
    says = "explained better by chest and ankle exchanged"
    assert judge(values, ALL) == {"chest": says, "ankle": says}


def test_a_sensor_worn_upside_down_is_named(judge) -> None:
    values = window(1005)
    values[part("chest", slice(0, 1))] *= -1
    assert "for its axes x, y, z" in judge(values, ALL)["chest"]


@given(st.integers(0, 63), st.integers(0, 2**32 - 1))
def test_of_too_little_nothing_is_said(records, count, seed) -> None:
    rng = np.random.default_rng(seed)
    observed = ALL.copy()
    observed[part("chest")] = np.isin(np.arange(SAMPLES), rng.permutation(SAMPLES)[:count])
    values = (window(1006) * 1000 * observed).astype(np.float32)
    reasons = Plausibility(records, NAMES, RATE, SAMPLES).implausible(values, observed)
    assert reasons.keys() == {"wrist", "ankle"}


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 1.0))
def test_only_what_is_observed_counts(seed, share) -> None:
    rng = np.random.default_rng(seed)
    motion = window(1007)[None, :6]
    seen = np.repeat(rng.random((1, 1, SAMPLES)) < share, 6, axis=1).astype(np.float32)
    found = looks(motion * seen, seen, RATE)
    kept = motion[0, :, seen[0, 0] > 0].T.astype(np.float64)
    assert found.count[0] == kept.shape[1]
    magnitude = np.sort(np.linalg.norm(kept[:3], axis=0))
    assert found.gravity[0] == pytest.approx(magnitude[(len(magnitude) - 1) // 2], rel=1e-5)
    assert found.turns[0] == pytest.approx(np.sqrt(kept[3:].var(axis=1).sum()), rel=1e-4)
    assert found.features[0, :3] == pytest.approx(kept[:3].mean(axis=1), abs=1e-5)
    logs = np.log(kept.std(axis=1))
    assert found.features[0, 3:] == pytest.approx(logs, abs=1e-3)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=60), st.data())
def test_runs_and_extremes_are_those_of_a_plain_count(levels, data) -> None:
    seen = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(levels), max_size=len(levels)))
    )
    values = np.where(seen, levels, 0).astype(np.float32)
    shape = (1, 6, len(levels))
    found = looks(
        np.broadcast_to(values, shape), np.broadcast_to(seen, shape).astype("f4"), RATE
    )
    longest = here = 0
    for k, value in enumerate(levels):
        follows = k > 0 and seen[k] and seen[k - 1] and levels[k - 1] == value
        here = here + 1 if follows else 1
        longest = max(longest, here)
    kept = [level for level, there in zip(levels, seen, strict=True) if there]
    rails = max(kept.count(min(kept)), kept.count(max(kept))) if kept else 0
    assert set(found.run[0]) == {longest}
    assert set(found.rails[0]) == {rails}


def test_what_an_arrangement_is_called_is_what_it_does() -> None:
    features = np.arange(1.0, 10.0, dtype=np.float32)[None]
    for number, altered in enumerate(arranged(features)[0]):
        names = in_words(number).split(", ")
        assert [altered[i] for i in range(3)] == [
            (-1 if name[0] == "-" else 1) * (1 + "xyz".index(name[-1])) for name in names
        ]
    assert len(ARRANGEMENTS) == len({in_words(i) for i in range(47)}) == 47


def test_a_likelihood_is_that_of_a_gaussian(records) -> None:
    usual = next(record.usual for record in records if record.usual is not None)
    lower = np.zeros((FEATURES, FEATURES))
    lower[np.tril_indices(FEATURES)] = usual.whitening
    precision = lower.T @ lower
    point = np.linspace(-1, 1, FEATURES, dtype=np.float32)
    away = point - usual.mean
    density = 0.5 * np.linalg.slogdet(precision)[1] - 0.5 * away @ precision @ away
    assert Likelihood([usual]).of(point[None])[0, 0] == pytest.approx(density, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sensor": "hip"}, "is no channel of that sensor"),
        ({"acceleration": ("chest_acc_x",) * 3}, "appears twice"),
        ({"gravity": (1.0, 1.0)}, "gravity must ascend"),
        ({"rest": (float("nan"), 1.0)}, "rest must be finite"),
        ({"run": 1.5}, "run must be between 0 and 1"),
        ({"rails": (0.1, -0.1)}, "rails must be between 0 and 1"),
        ({"turned": -1.0}, "must not be below 0"),
        ({"exchanged": {"hip": 1.0}}, "cannot be exchanged with 'hip'"),
        ({"exchanged": {"chest": 1.0}}, "cannot be exchanged with 'chest'"),
        ({"usual": None, "turned": 1.0, "alarms": 0.01}, "need `usual`"),
        ({"turned": 1.0, "alarms": None}, "alarms must be given if and only if"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(records, change, says) -> None:
    chest = next(record for record in records if record.sensor == "chest")
    others = [record for record in records if record.sensor != "chest"]
    others = [msgspec.structs.replace(one, exchanged={}) for one in others]
    changed = msgspec.structs.replace(chest, **change)
    with pytest.raises(BundleError, match=says):
        check_plausible([*others, changed], {x.name: x.sensor for x in CHANNELS})
