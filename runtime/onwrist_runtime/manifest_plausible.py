"""What the manifest of a bundle says of a sensor that works and sits where it should.

`plausibility` holds windows against these records; this holds the records against the rest of
the manifest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from onwrist_runtime.manifest_rules import demand, finite, share, unique

AXES = 3
FEATURES = 3 * AXES  # gravity's direction, log deviation of acceleration, that of turning
MOST_WORN = 16


class Worn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way in which windows of a sensor are usual: a Gaussian of its features.

    `mean` has a number for each feature, `whitening` is the lower triangle, row by row, of the
    matrix that turns a difference from the mean into independent standard deviations.
    """

    share: float
    mean: tuple[float, ...]
    whitening: tuple[float, ...]


class Plausible(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What samples of a sensor of motion are held against before they are believed.

    Attributes
    ----------
    acceleration, turning : its three channels in g, and those in deg/s, in the order x, y, z.
    gravity : least and greatest median magnitude of the acceleration, in g.
    turns : least and greatest root mean square of the turning about its mean, in deg/s.
    turns_per_g : the same, of that divided by the same of the acceleration.
    run : longest run of equal samples of a channel, as share of the window.
    rails : greatest share of a channel's samples that are all its least or all its greatest.
    worn : how its windows usually are; empty where that is not checked.
    turned : by how much (natural logarithm of the likelihood) a window must be better
        explained with other axes or signs before they are blamed; None where they are not.
    exchanged : the same, by name of the other sensor, for the two sensors exchanged.
    """

    sensor: str
    acceleration: tuple[str, str, str]
    turning: tuple[str, str, str]
    gravity: tuple[float, float]
    turns: tuple[float, float]
    turns_per_g: tuple[float, float]
    run: float
    rails: float
    worn: tuple[Worn, ...] = ()
    turned: float | None = None
    exchanged: dict[str, float] = {}


def check_plausible(records: Sequence[Plausible], sensors: dict[str, str]) -> None:
    """Raise BundleError for the first record that contradicts itself or the channels.

    Parameters
    ----------
    sensors : sensor of every channel of the bundle by its name.
    """
    unique("plausible sensor", [record.sensor for record in records])
    worn = {record.sensor for record in records if record.worn}
    for record in records:
        where = f"plausible {record.sensor!r}"
        axes = (*record.acceleration, *record.turning)
        unique(f"{where}: channel", axes)
        for name in axes:
            demand(
                sensors.get(name) == record.sensor,
                f"{where}: {name!r} is no channel of that sensor",
            )
        for what, (low, high) in (
            ("gravity", record.gravity),
            ("turns", record.turns),
            ("turns_per_g", record.turns_per_g),
        ):
            finite(f"{where}: {what}", (low, high))
            demand(0 <= low < high, f"{where}: {what} must ascend from 0, not be {low}, {high}")
        share(f"{where}: run", record.run)
        share(f"{where}: rails", record.rails)
        _check_worn(where, record.worn)
        margins = [*record.exchanged.values()]
        margins += [] if record.turned is None else [record.turned]
        finite(f"{where}: the margins", margins)
        demand(
            min(margins, default=0.0) >= 0,
            f"{where}: a margin must not be below 0, so that no alternative is believed first",
        )
        demand(
            bool(record.worn) or not margins,
            f"{where}: turned and exchanged need worn, which says what is usual",
        )
        for other in record.exchanged:
            demand(
                other in worn and other != record.sensor,
                f"{where}: it cannot be held against {other!r}, of which no worn is given",
            )


def _check_worn(where: str, worn: Sequence[Worn]) -> None:
    demand(len(worn) <= MOST_WORN, f"{where}: worn has {len(worn)} ways, over {MOST_WORN}")
    triangle = FEATURES * (FEATURES + 1) // 2
    for way in worn:
        demand(
            len(way.mean) == FEATURES and len(way.whitening) == triangle,
            f"{where}: worn needs {FEATURES} means and {triangle} numbers of whitening",
        )
        finite(f"{where}: worn", (*way.mean, *way.whitening))
        diagonal = [way.whitening[i * (i + 3) // 2] for i in range(FEATURES)]
        demand(min(diagonal) > 0, f"{where}: the diagonal of whitening must be above 0")
        demand(0 < way.share <= 1, f"{where}: the share of a way must be above 0, at most 1")
    total = math.fsum(way.share for way in worn)
    demand(
        not worn or math.isclose(total, 1, abs_tol=1e-3),
        f"{where}: the shares of all ways must add up to 1, not {total:g}",
    )
