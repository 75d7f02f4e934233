"""Training windows in; out, for each sensor of motion, what its samples are held against.

Limits are what training windows show, and some more. A window is blamed for other axes or for
exchanged sensors only beyond a margin that at most `ALARMS` of the windows exceed of subjects
whom the Gaussian did not see, every subject alike and in every group of windows, since falls
turn gravity as no other activity does. And only where that still finds most of the windows
that really were altered so: the rest is not checked, since it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import Channel
from onwrist_runtime.manifest_plausible import AXES, FEATURES, Plausible, Usual
from onwrist_runtime.motion import Looks, looks
from onwrist_runtime.usual import ARRANGEMENTS, Likelihood, arranged

ALARMS = 0.005  # share of windows, of subjects not seen, that a margin may blame
FOUND = 0.5  # share of altered windows that must be found for the check to be made
COVERED = 0.5  # share of a window's grid points that must be observed to learn of it
# Whatever recordings show, a sensor that says other than this of gravity alone is defective:
# some of UMAFall's have a quarter of it for a part of the trial.
TRUE_REST = (0.75, 1.33)
TRUE_GRAVITY = (0.4, 2.0)
REST_MARGIN = 0.05  # g, beyond what was seen
WIDER = 2.0  # factor beyond what was seen; another unit is many times that
SHORTEST_RUN = 0.125  # of a window
LEAST_RAILS = (0.05, 0.25)  # acceleration; turning, whose sensors are small for a fast leg
RIDGE = 0.1  # added to each feature's variance, in squared units of it

Floats = NDArray[np.float32]


def fit(
    values: Floats,
    observed: NDArray[Any],
    channels: Sequence[Channel],
    subjects: NDArray[Any],
    rate: float,
    groups: NDArray[Any] | None = None,
) -> tuple[Plausible, ...]:
    """What is plausible of every sensor with three channels in g and three in deg/s.

    Parameters
    ----------
    values : float32 (W, C, N) in the units of the channels, 0 or NaN where not observed.
    observed : bool, or 0 and 1, of the same shape.
    subjects : (W,) whose window it is.
    rate : grid points a second.
    groups : (W,) of which group each window is, such as falls and all else; None for one.
    """
    groups = np.zeros(len(subjects)) if groups is None else groups
    rows = axes(channels)
    found = {
        sensor: looks(
            np.nan_to_num(values[:, of_sensor]).astype(np.float32),
            observed[:, of_sensor].astype(np.float32),
            rate,
        )
        for sensor, of_sensor in rows.items()
    }
    length = values.shape[2]
    sound = {sensor: _sound(one, length) for sensor, one in found.items()}
    rows = {sensor: of_sensor for sensor, of_sensor in rows.items() if sound[sensor].any()}
    turned, exchanged = _margins(found, sound, subjects, groups, list(rows))
    names = [channel.name for channel in channels]
    needed = set(turned) | {one for pair in exchanged for one in pair}
    records = []
    for sensor, of_sensor in rows.items():
        good = sound[sensor]
        weights = _even(subjects[good])
        named = [names[row] for row in of_sensor]
        features = found[sensor].features[good]
        pairs = {b: margin for (a, b), margin in exchanged.items() if a == sensor}
        records.append(
            Plausible(
                sensor=sensor,
                acceleration=(named[0], named[1], named[2]),
                turning=(named[3], named[4], named[5]),
                **_limits(found[sensor], good, weights, length),
                usual=usual(features, weights) if sensor in needed else None,
                turned=turned.get(sensor),
                exchanged=pairs,
                alarms=ALARMS if pairs or sensor in turned else None,
            )
        )
    return tuple(records)


def axes(channels: Sequence[Channel]) -> dict[str, list[int]]:
    """Rows of x, y, z in g and x, y, z in deg/s of each sensor that has just those."""
    rows: dict[str, list[int]] = {}
    for sensor in dict.fromkeys(channel.sensor for channel in channels):
        mine = [(i, one.unit) for i, one in enumerate(channels) if one.sensor == sensor]
        shaken = [i for i, unit in mine if unit == "g"]
        turned = [i for i, unit in mine if unit in ("dps", "deg/s")]
        if len(shaken) == len(turned) == AXES:
            rows[sensor] = [*shaken, *turned]
    return rows


def usual(features: Floats, weights: NDArray[np.float64]) -> Usual:
    """The Gaussian of features (W, 9), each window weighted."""
    weights = weights / weights.sum()
    mean = weights @ features
    centred = features - mean
    covariance = (centred * weights[:, None]).T @ centred + RIDGE * np.eye(FEATURES)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    lower = whitening[np.tril_indices(FEATURES)]
    return Usual(mean=_short(mean), whitening=_short(lower))


def _sound(found: Looks, length: int) -> NDArray[np.bool_]:
    """Which windows a working sensor made, as far as gravity tells."""
    sound: NDArray[np.bool_] = found.count >= COVERED * length
    sound &= (found.rest_low >= TRUE_REST[0]) & (found.rest_high <= TRUE_REST[1])
    sound &= (found.gravity >= TRUE_GRAVITY[0]) & (found.gravity <= TRUE_GRAVITY[1])
    return sound


def _limits(
    found: Looks, good: NDArray[np.bool_], weights: NDArray[np.float64], length: int
) -> dict[str, Any]:
    def quantile(numbers: NDArray[Any], share: float) -> float:
        kept = np.isfinite(numbers[good])
        return weighted_quantile(numbers[good][kept], weights[kept], share)

    def span(numbers: NDArray[Any]) -> tuple[float, float]:
        low, high = quantile(numbers, 0.002) / WIDER, quantile(numbers, 0.998) * WIDER
        return _short([low, high])

    def at_most(numbers: NDArray[Any], least: float) -> float:
        return _short([min(1.0, max(least, 2 * quantile(numbers, 0.95)))])[0]

    rest = quantile(found.rest_low, 0.005), quantile(found.rest_high, 0.995)
    gravity = span(found.gravity)
    rails = found.rails / np.maximum(found.count, 1)[:, None]
    return {
        "gravity": (max(TRUE_GRAVITY[0], gravity[0]), min(TRUE_GRAVITY[1], gravity[1])),
        "rest": _short([rest[0] - REST_MARGIN, rest[1] + REST_MARGIN]),
        "turns": span(found.turns),
        "turns_per_g": span(found.turns / np.maximum(found.shakes, 1e-6)),
        "run": at_most(found.run.max(axis=1) / length, SHORTEST_RUN),
        "rails": (
            at_most(rails[:, :AXES].max(axis=1), LEAST_RAILS[0]),
            at_most(rails[:, AXES:].max(axis=1), LEAST_RAILS[1]),
        ),
    }


def _margins(
    found: dict[str, Looks],
    sound: dict[str, NDArray[np.bool_]],
    subjects: NDArray[Any],
    groups: NDArray[Any],
    sensors: list[str],
) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Margins by sensor and by pair of them, from Gaussians that had not seen the subject.

    Only of what is found at that margin in `FOUND` of the windows when they are altered so.
    """
    everyone = np.unique(subjects)
    turned: dict[str, float] = {}
    exchanged: dict[tuple[str, str], float] = {}
    if len(everyone) < 2 or not sensors:
        return turned, exchanged
    shape = (len(sensors), len(sensors), len(subjects))
    crossed = np.full(shape, np.nan)  # likelihood by the Gaussian of a, of the window of b
    features = {sensor: found[sensor].features for sensor in sensors}
    gains = {
        sensor: np.full((len(subjects), 1 + len(ARRANGEMENTS)), np.nan) for sensor in sensors
    }
    for subject in everyone:
        held, rest = subjects == subject, subjects != subject
        if not all((sound[sensor] & rest).any() for sensor in sensors):
            continue
        gaussians = [
            usual(features[one][sound[one] & rest], _even(subjects[sound[one] & rest]))
            for one in sensors
        ]
        likelihood = Likelihood(gaussians)
        for place, sensor in enumerate(sensors):
            mine = np.flatnonzero(held & sound[sensor])
            crossed[:, place, mine] = likelihood.of(features[sensor][mine])
            alone = Likelihood([gaussians[place]])
            gains[sensor][mine] = turned_gains(alone, features[sensor][mine])
    for place, sensor in enumerate(sensors):
        known = np.isfinite(gains[sensor][:, 0])
        margin, share = _margin(gains[sensor][known], subjects[known], groups[known])
        if share >= FOUND:
            turned[sensor] = margin
        for other in range(place + 1, len(sensors)):
            own = crossed[place, place] + crossed[other, other]
            gain = crossed[place, other] + crossed[other, place] - own
            known = np.isfinite(gain)
            # Exchanged once more, what was altered is as it was: the gain changes its sign.
            both = np.stack([gain, -gain], axis=1)[known]
            margin, share = _margin(both, subjects[known], groups[known])
            if share >= FOUND:
                exchanged[sensor, sensors[other]] = margin
    return turned, exchanged


def turned_gains(likelihood: Likelihood, features: Floats) -> Floats:
    """The largest gain of another arrangement of windows (B, 9) of one sensor.

    Returns
    -------
    (B, 1 + 47) : of the windows as they are, and then altered by each arrangement.
    """
    altered = np.concatenate([features[:, None], arranged(features)], axis=1)
    gains: Floats = np.stack(
        [
            likelihood.of(arranged(altered[:, i]).reshape(-1, FEATURES))
            .reshape(len(features), -1)
            .max(axis=1)
            - likelihood.of(altered[:, i])[0]
            for i in range(altered.shape[1])
        ],
        axis=1,
    )
    return gains


def _margin(
    gains: NDArray[Any], subjects: NDArray[Any], groups: NDArray[Any]
) -> tuple[float, float]:
    """The margin for windows as they are (first column), and how many others exceed it."""
    if not len(gains):
        return 0.0, 0.0
    margin = 0.0
    for group in np.unique(groups):
        mine = groups == group
        reached = weighted_quantile(gains[mine, 0], _even(subjects[mine]), 1 - ALARMS)
        margin = max(margin, reached)
    found = (gains[:, 1:] > margin).mean(axis=1)
    return _short([margin])[0], float(np.average(found, weights=_even(subjects)))


def weighted_quantile(numbers: NDArray[Any], weights: NDArray[Any], share: float) -> float:
    """The least number at or below which that share of the weights lies."""
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(numbers[order][min(np.searchsorted(reached, share), len(numbers) - 1)])


def _even(subjects: NDArray[Any]) -> NDArray[np.float64]:
    """Weights by which all subjects count alike."""
    _, which, count = np.unique(subjects, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / count[which]
    return weights


def _short(numbers: Sequence[float] | NDArray[Any]) -> Any:
    """Four digits are as many as such a limit has; a manifest should be readable."""
    return tuple(float(f"{number:.4g}") for number in numbers)
