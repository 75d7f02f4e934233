"""A window of several sensors in; out, those that cannot be believed, and why, in words.

The manifest says what is plausible (`manifest_plausible`); a sensor that is not is left out as
if it were not there. Only what is observed counts, and of too little nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import Manifest
from onwrist_runtime.manifest_plausible import AXES, Plausible
from onwrist_runtime.motion import Looks, looks
from onwrist_runtime.usual import Likelihood, in_words

LEAST = 0.25  # share of a window in which all channels of a sensor are observed
# What gravity looks like in another unit, and where a sensor's range is taken for another.
SCALES = {9.80665: "in m/s2", 1000.0: "in mg", 0.25: "a quarter", 4.0: "fourfold"}
SCALES |= {0.5: "half", 2.0: "double"}
STILL = 1e-6  # g, below the noise of any sensor
RADIAN = 57.29578  # degrees

Floats = NDArray[np.float32]


class Plausibility:
    """What is plausible, ready for any number of windows.

    Parameters
    ----------
    channels : names of the rows of a window.
    rate, samples : grid points a second and in a window.
    """

    def __init__(
        self, records: Sequence[Plausible], channels: Sequence[str], rate: float, samples: int
    ) -> None:
        self._records, self._rate = records, rate
        self._channels = [(*one.acceleration, *one.turning) for one in records]
        row = {name: index for index, name in enumerate(channels)}
        self._rows = np.array([[row[name] for name in names] for names in self._channels])
        if records:
            self._least, self._most = _limits(records, samples)
        self._described = [i for i, one in enumerate(self._records) if one.usual is not None]
        usual = [one.usual for one in self._records if one.usual is not None]
        self._likelihood = Likelihood(usual) if usual else None
        described = [self._records[i] for i in self._described]
        self._turned = np.array([np.inf if x.turned is None else x.turned for x in described])
        self._exchanged = np.array(
            [
                [one.exchanged.get(other.sensor, np.inf) for other in described]
                for one in described
            ]
        )

    @classmethod
    def of(cls, manifest: Manifest) -> Plausibility:
        """What the manifest of a bundle says is plausible."""
        names = [channel.name for channel in manifest.channels]
        return cls(manifest.plausible, names, manifest.rate, manifest.samples)

    def implausible(self, values: Floats, observed: NDArray[Any]) -> dict[str, str]:
        """Why a sensor cannot be believed, for each that cannot.

        Parameters
        ----------
        values : float32 (channels, samples) in the channels' units, 0 where not observed.
        observed : bool, or 0 and 1, of the same shape.
        """
        if not self._records:
            return {}
        found = looks(values[self._rows], observed[self._rows].astype(np.float32), self._rate)
        samples = values.shape[1]
        enough = found.count >= LEAST * samples
        numbers = _numbers(found)
        within = (self._least <= numbers) & (numbers <= self._most)
        doubtful = enough & ~within.all(axis=0)
        reasons = {
            self._records[i].sensor: self._of_one(i, found, samples)
            for i in np.flatnonzero(doubtful).tolist()
        }
        if self._likelihood is not None:
            able = (enough & ~doubtful)[self._described]
            reasons |= self._of_arrangement(found.features[self._described], able)
        return reasons

    def _of_one(self, index: int, found: Looks, samples: int) -> str:
        """What is wrong with the samples of a sensor on their own."""
        record, count = self._records[index], int(found.count[index])
        run, rails = found.run[index], found.rails[index]
        saturated = [
            axis
            for part, limit in zip((slice(0, 3), slice(3, 6)), record.rails, strict=True)
            if rails[axis := part.start + int(rails[part].argmax())] > limit * count
        ]
        axis = int(run.argmax())
        # What is at its limit often stays there; but it comes back as well, and again.
        returns = any(run[i] < rails[i] < count for i in saturated)
        if run[axis] > record.run * samples and not returns:
            name = self._channels[index][axis]
            return f"constant: {run[axis]} samples of {name} in a row are the same"
        if saturated:
            axis = saturated[0]
            name = self._channels[index][axis]
            return f"saturated: {rails[axis] / count:.0%} of {name} are one extreme value"
        for rest in (float(found.rest_low[index]), float(found.rest_high[index])):
            if np.isfinite(rest) and not record.rest[0] <= rest <= record.rest[1]:
                return f"its acceleration at rest is {rest:.3g} g{_unit(rest, record.rest)}"
        gravity = float(found.gravity[index])
        if not record.gravity[0] <= gravity <= record.gravity[1]:
            return f"its median acceleration is {gravity:.3g} g{_unit(gravity, record.rest)}"
        return _of_turning(record, float(found.turns[index]), float(found.shakes[index]))

    def _of_arrangement(self, features: Floats, able: NDArray[np.bool_]) -> dict[str, str]:
        """Which sensors other axes, or each other's place, explain better; the best first."""
        assert self._likelihood is not None
        sensors = [self._records[i].sensor for i in self._described]
        claims: list[tuple[float, dict[str, str]]] = []
        turned = self._likelihood.turned(features)
        excess = np.where(able, turned.max(axis=1) - self._turned, 0.0)
        for i in np.flatnonzero(excess > 0).tolist():
            axes = in_words(int(turned[i].argmax()))
            why = f"explained better with {axes} for its axes x, y, z"
            claims.append((float(excess[i]), {sensors[i]: why}))
        pairs = self._likelihood.exchanged(features) - self._exchanged
        pairs = np.where(able[:, None] & able, pairs, 0.0)
        for i, j in np.argwhere(pairs > 0).tolist():
            why = f"explained better by {sensors[i]} and {sensors[j]} exchanged"
            claims.append((float(pairs[i, j]), {sensors[i]: why, sensors[j]: why}))
        reasons: dict[str, str] = {}
        for _, claim in sorted(claims, key=lambda claim: -claim[0]):
            if not reasons.keys() & claim.keys():
                reasons |= claim
        return reasons


def _limits(
    records: Sequence[Plausible], samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and greatest of `_numbers`, (8, S)."""
    pairs = []
    for one in records:
        rails = [(0.0, greatest) for greatest in one.rails]
        rest = [(one.rest[0], np.inf), (0.0, one.rest[1])]
        turning = [one.turns, one.turns_per_g]
        pairs.append([(0.0, one.run * samples), *rails, one.gravity, *rest, *turning])
    least, most = np.array(pairs).transpose(2, 1, 0)
    return least, most


def _numbers(found: Looks) -> NDArray[np.float64]:
    """What limits are of, (8, S): run, rails, gravity, rest, turning; never NaN."""
    count = np.maximum(found.count, 1)
    rails = found.rails / count[:, None]
    return np.array(
        [
            found.run.max(axis=1),
            rails[:, :AXES].max(axis=1),
            rails[:, AXES:].max(axis=1),
            found.gravity,
            found.rest_low,
            np.maximum(found.rest_high, 0),
            found.turns,
            found.turns / np.maximum(found.shakes, STILL),
        ]
    )


def _of_turning(record: Plausible, turns: float, shakes: float) -> str:
    low, high = record.turns
    radians = ": in rad/s?" if low <= turns * RADIAN <= high else ""
    if not low <= turns <= high:
        return f"it turns by {turns:.3g} deg/s and not {low:.3g} to {high:.3g}{radians}"
    ratio = turns / max(shakes, STILL)
    low, high = record.turns_per_g
    return (
        f"it turns by {ratio:.3g} deg/s for each g of acceleration and not {low:.3g} to "
        f"{high:.3g}{radians}"
    )


def _unit(gravity: float, rest: tuple[float, float]) -> str:
    """What explains an acceleration that is not that of gravity: the end of a sentence."""
    for scale, what in SCALES.items():
        if rest[0] <= gravity / scale <= rest[1]:
            return (
                f": {what}?"
                if what.startswith("in ")
                else f": {what} the gravity, in another range?"
            )
    return f" and not {rest[0]:.2f} to {rest[1]:.2f}"
