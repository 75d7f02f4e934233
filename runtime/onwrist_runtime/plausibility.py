"""A window of several sensors in; out, those that cannot be believed, and why, in words.

The manifest says what is plausible (`manifest_plausible`); a sensor that is not is left out as
if it were not there. Only what is observed counts, and of too little nothing is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.manifest import Manifest
from onwrist_runtime.manifest_plausible import Plausible
from onwrist_runtime.motion import Looks, looks
from onwrist_runtime.usual import Likelihood, in_words

LEAST = 0.25  # share of a window in which all channels of a sensor are observed
# What gravity looks like in another unit, and where a sensor's range is taken for another.
SCALES = {9.80665: "in m/s2", 1000.0: "in mg", 0.25: "a quarter", 4.0: "fourfold"}
SCALES |= {0.5: "half", 2.0: "double"}
RADIAN = 57.29578  # degrees

Floats = NDArray[np.float32]


def implausible(manifest: Manifest, values: Floats, observed: NDArray[Any]) -> dict[str, str]:
    """Why a sensor cannot be believed, for each that cannot.

    Parameters
    ----------
    values : float32 (channels, samples) in the units of the manifest, 0 where not observed.
    observed : bool, or 0 and 1, of the same shape.
    """
    return Plausibility(manifest).implausible(values, observed)


class Plausibility:
    """What the manifest of a bundle says is plausible, ready for any number of windows."""

    def __init__(self, manifest: Manifest) -> None:
        self._records = manifest.plausible
        self._rate = manifest.rate
        row = {channel.name: index for index, channel in enumerate(manifest.channels)}
        named = [(*record.acceleration, *record.turning) for record in self._records]
        self._rows = np.array([[row[name] for name in names] for names in named])
        self._channels = named
        self._described = [i for i, one in enumerate(self._records) if one.usual is not None]
        usual = [one.usual for one in self._records if one.usual is not None]
        self._likelihood = Likelihood(usual) if usual else None

    def implausible(self, values: Floats, observed: NDArray[Any]) -> dict[str, str]:
        """As the function of this name."""
        if not self._records:
            return {}
        found = looks(values[self._rows], observed[self._rows].astype(np.float32), self._rate)
        samples = values.shape[1]
        enough = found.count >= LEAST * samples
        reasons: dict[str, str] = {}
        for index, record in enumerate(self._records):
            if enough[index]:
                why = self._of_one(index, record, found, samples, values)
                if why is not None:
                    reasons[record.sensor] = why
        if self._likelihood is not None:
            reasons |= self._of_arrangement(found, enough, reasons)
        return reasons

    def _of_one(
        self, index: int, record: Plausible, found: Looks, samples: int, values: Floats
    ) -> str | None:
        """What is wrong with the samples of a sensor on their own."""
        count = int(found.count[index])
        run, rails = found.run[index], found.rails[index]
        axis = int(run.argmax())
        if run[axis] > record.run * samples:
            name = self._channels[index][axis]
            return f"constant: {run[axis]} samples of {name} in a row are the same"
        for part, limit in zip((slice(0, 3), slice(3, 6)), record.rails, strict=True):
            axis = part.start + int(rails[part].argmax())
            if rails[axis] > limit * count:
                name = self._channels[index][axis]
                return f"saturated: {rails[axis] / count:.0%} of {name} are one extreme value"
        gravity = float(found.gravity[index])
        if not record.gravity[0] <= gravity <= record.gravity[1]:
            return f"its median acceleration is {gravity:.3g} g{_unit(gravity, record.rest)}"
        for rest in (float(found.rest_low[index]), float(found.rest_high[index])):
            if np.isfinite(rest) and not record.rest[0] <= rest <= record.rest[1]:
                return f"its acceleration at rest is {rest:.3g} g{_unit(rest, record.rest)}"
        return _of_turning(record, float(found.turns[index]), float(found.shakes[index]))

    def _of_arrangement(
        self, found: Looks, enough: NDArray[np.bool_], known: dict[str, str]
    ) -> dict[str, str]:
        """Which sensors others axes, or each other's place, explain better, and best."""
        assert self._likelihood is not None
        records = [self._records[i] for i in self._described]
        able = [enough[i] and self._records[i].sensor not in known for i in self._described]
        features = found.features[self._described]
        turned, exchanged = (
            self._likelihood.turned(features),
            self._likelihood.exchanged(features),
        )
        claims: list[tuple[float, dict[str, str]]] = []
        place = {record.sensor: i for i, record in enumerate(records)}
        for i, record in enumerate(records):
            if not able[i]:
                continue
            best = int(turned[i].argmax())
            if record.turned is not None and turned[i, best] > record.turned:
                why = f"explained better with {in_words(best)} for its axes x, y, z"
                claims.append((float(turned[i, best]) - record.turned, {record.sensor: why}))
            for other, margin in record.exchanged.items():
                gain = float(exchanged[i, place[other]])
                if able[place[other]] and gain > margin:
                    why = f"explained better by {record.sensor} and {other} exchanged"
                    claims.append((gain - margin, {record.sensor: why, other: why}))
        reasons: dict[str, str] = {}
        for _, claim in sorted(claims, key=lambda claim: -claim[0]):
            if not reasons.keys() & claim.keys():
                reasons |= claim
        return reasons


def _of_turning(record: Plausible, turns: float, shakes: float) -> str | None:
    low, high = record.turns
    radians = ": in rad/s?" if low <= turns * RADIAN <= high else ""
    if not low <= turns <= high:
        return f"it turns by {turns:.3g} deg/s and not {low:.3g} to {high:.3g}{radians}"
    ratio = turns / max(shakes, 1e-6)
    low, high = record.turns_per_g
    if not low <= ratio <= high:
        return (
            f"it turns by {ratio:.3g} deg/s for each g of acceleration and not {low:.3g} to "
            f"{high:.3g}{radians}"
        )
    return None


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
