"""Real recordings whose sensors freeze, saturate, speak other units or change places.

The limits are fitted to the other people's recordings. benchmarks/results/plausible.md has the
shares of all people; here are the bounds that a change must not break.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.plausible import (
    CHANNELS,
    GRAVITY,
    MIDDLE,
    NAMES,
    SAMPLES,
    STARTS,
    Motion,
    arranged,
    clipped,
    frozen,
    scaled,
    windows,
)
from numpy.typing import NDArray

from onwrist import readers
from onwrist.readers.umafall import FALLS, POSITIONS, RATE
from onwrist_export.fusion.plausible import fit
from onwrist_runtime.plausibility import Plausibility

pytestmark = pytest.mark.slow  # reading all trials takes most of it

UNSEEN = ("03", "12", "15")
Floats = NDArray[np.float32]
Judge = Callable[[Floats, NDArray[np.bool_]], dict[str, str]]


@pytest.fixture(scope="module")
def trials(shared_data: Path) -> dict[str, Any]:
    """Names, subjects and activities of all trials, and their windows."""
    file = shared_data / "umafall" / "umafall_20hz.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    recordings = readers.read_all(file)
    values, observed = windows(recordings)
    return {
        "names": [recording.name for recording in recordings],
        "unseen": np.isin([recording.subject for recording in recordings], UNSEEN),
        "subjects": np.array([recording.subject for recording in recordings]),
        "falls": np.isin([str(each.labels[0].value) for each in recordings], FALLS),
        "values": values,
        "observed": observed,
    }


@pytest.fixture(scope="module")
def judge(trials: dict[str, Any]) -> Judge:
    seen = ~trials["unseen"]
    values, observed = (
        trials[name][seen].reshape(-1, len(CHANNELS), SAMPLES)
        for name in ("values", "observed")
    )
    subjects, falls = (np.repeat(trials[x][seen], len(STARTS)) for x in ("subjects", "falls"))
    records = fit(values, observed, CHANNELS, subjects, RATE, falls)
    return Plausibility(records, NAMES, RATE, SAMPLES).implausible


@pytest.fixture(scope="module")
def unseen(trials: dict[str, Any]) -> list[tuple[Floats, NDArray[np.bool_], bool]]:
    """values and observed of each window of people not fitted to, and whether it is a fall."""
    chosen = np.flatnonzero(trials["unseen"]).tolist()
    return [
        (trials["values"][k, MIDDLE], trials["observed"][k, MIDDLE], bool(trials["falls"][k]))
        for k in chosen
    ]


def found(judge: Judge, unseen: list[Any], position: str, change: Motion) -> list[str | None]:
    """Why an altered sensor was blamed in each window where it recorded and worked."""
    rows = slice(6 * POSITIONS.index(position), 6 * POSITIONS.index(position) + 6)
    reasons = []
    for values, observed, _ in unseen:
        if observed[rows].mean() < 0.9 or position in judge(values, observed):
            continue
        altered = values.copy()
        altered[rows] = change(values[rows]) * observed[rows]
        reasons.append(judge(altered, observed).get(position))
    assert len(reasons) >= 10
    return reasons


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (frozen(0), "constant: "),
        (frozen(SAMPLES // 2), "constant: "),
        # An axis along gravity never leaves the limit, and is constant.
        (clipped(2.0, 4.0), ("saturated: ", "constant: ")),
        (scaled(GRAVITY), "in m/s2?"),
        (scaled(1000.0), "in mg?"),
        (scaled(0.25), " the gravity, in another range?"),
        (scaled(turning=np.pi / 180), "in rad/s?"),
    ],
    ids=["frozen", "half frozen", "saturated", "m/s2", "mg", "quarter", "rad/s"],
)
def test_what_cannot_be_true_is_found_wherever_it_is_worn(
    judge, unseen, position, change, says
) -> None:
    reasons = found(judge, unseen, position, change)
    assert np.mean([reason is not None for reason in reasons]) >= 0.95
    words = (says,) if isinstance(says, str) else says
    right = [any(each in (reason or "") for each in words) for reason in reasons]
    assert np.mean(right) >= 0.7


@pytest.mark.parametrize(
    ("one", "two"), [("wrist", "chest"), ("wrist", "waist"), ("waist", "ankle")]
)
def test_most_exchanged_sensors_are_found(judge, unseen, one, two) -> None:
    rows = [slice(6 * POSITIONS.index(x), 6 * POSITIONS.index(x) + 6) for x in (one, two)]
    blamed = []
    for values, observed, _ in unseen:
        if any(observed[each].mean() < 0.9 for each in rows):
            continue
        altered, mask = values.copy(), observed.copy()
        for here, there in (rows, rows[::-1]):
            altered[here], mask[here] = values[there], observed[there]
        blamed.append({one, two} <= judge(altered, mask).keys())
    assert len(blamed) >= 10
    assert np.mean(blamed) >= 0.5


def test_axes_swapped_at_the_wrist_are_not_found(judge, unseen) -> None:
    """A wrist points everywhere: who relies on the checks for that must know that they fail."""
    reasons = found(judge, unseen, "wrist", arranged((0, 1, 2), (1, -1, -1)))
    assert np.mean([reason is not None for reason in reasons]) < 0.5


def test_sensors_as_recorded_are_believed_in_falls_too(judge, unseen) -> None:
    for of_falls in (False, True):
        windows = [(x, seen) for x, seen, fall in unseen if fall == of_falls]
        reasons = [" ".join(judge(values, observed).values()) for values, observed in windows]
        assert not any("constant" in each for each in reasons)
        assert np.mean(["explained better" in each for each in reasons]) <= 0.1


def test_what_the_data_set_itself_got_wrong_is_found(judge, trials) -> None:
    """An ankle of subject 12 lies on a bed at 0.25 g until its range is set, at 1 g after."""
    number = trials["names"].index("12_lying_down_1")
    sizes = np.linalg.norm(trials["values"][number, MIDDLE, 18:21], axis=0)
    assert np.median(sizes) < 0.3
    assert np.median(sizes[-50:]) > 0.9
    reasons = judge(trials["values"][number, MIDDLE], trials["observed"][number, MIDDLE])
    assert "a quarter the gravity, in another range?" in reasons["ankle"]
