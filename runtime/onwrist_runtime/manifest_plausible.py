"""What the manifest of a bundle says of a sensor that works and sits where it should.

`plausibility` holds windows against these records; this holds the records against the rest of
the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onwrist_runtime.manifest_rules import demand, finite, share, unique

AXES = 3
FEATURES = 3 * AXES  # gravity's direction, logarithm of the deviation of each
TRIANGLE = FEATURES * (FEATURES + 1) // 2


class Usual(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How windows of a sensor usually are: a Gaussian of the features.

    `mean` has a number for each feature, `whitening` is the lower triangle, row by row, of the
    matrix that turns a difference from the mean into independent standard deviations.
    """

    mean: tuple[float, ...]
    whitening: tuple[float, ...]


class Plausible(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What samples of a sensor of motion are held against before they are believed.

    Attributes
    ----------
    acceleration, turning : its three channels in g, and those in deg/s, in the order x, y, z.
    gravity : least and greatest median magnitude of the acceleration, in g.
    rest : the same of its mean over a stretch at rest, which gravity alone explains.
    turns : least and greatest root mean square of the turning about its mean, in deg/s.
    turns_per_g : the same, of that divided by the same of the acceleration.
    run : longest run of equal samples of a channel, as share of the window.
    rails : greatest share of a channel's samples that are all its least or all its greatest,
        of acceleration and of turning.
    usual : how its windows usually are; None where neither of the next two is checked.
    turned : by how much (natural logarithm of the likelihood) a window must be better
        explained with other axes or signs before they are blamed; None where they never are.
    exchanged : the same, by name of the other sensor, for the two sensors exchanged.
    alarms : share of windows of people who were not fitted to that each of these margins
        blamed at most; None where there is no margin.
    """

    sensor: str
    acceleration: tuple[str, str, str]
    turning: tuple[str, str, str]
    gravity: tuple[float, float]
    rest: tuple[float, float]
    turns: tuple[float, float]
    turns_per_g: tuple[float, float]
    run: float
    rails: tuple[float, float]
    usual: Usual | None = None
    turned: float | None = None
    exchanged: dict[str, float] = {}
    alarms: float | None = None


def check_plausible(records: Sequence[Plausible], sensors: dict[str, str]) -> None:
    """Raise BundleError for the first record that contradicts itself or the channels.

    Parameters
    ----------
    sensors : sensor of every channel of the bundle by its name.
    """
    unique("plausible sensor", [record.sensor for record in records])
    described = {record.sensor for record in records if record.usual is not None}
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
            ("rest", record.rest),
            ("turns", record.turns),
            ("turns_per_g", record.turns_per_g),
        ):
            finite(f"{where}: {what}", (low, high))
            demand(0 <= low < high, f"{where}: {what} must ascend from 0, not be {low}, {high}")
        share(f"{where}: run", record.run)
        for rails in record.rails:
            share(f"{where}: rails", rails)
        if record.usual is not None:
            _check_usual(where, record.usual)
        margins = [*record.exchanged.values()]
        margins += [] if record.turned is None else [record.turned]
        finite(f"{where}: turned and exchanged", margins)
        demand(
            min(margins, default=0.0) >= 0,
            f"{where}: turned and exchanged must not be below 0, or what is usual is blamed",
        )
        demand(
            (record.alarms is None) == (not margins),
            f"{where}: alarms must be given if and only if turned or exchanged is",
        )
        share(f"{where}: alarms", record.alarms or 0.0)
        demand(
            record.usual is not None or not margins,
            f"{where}: turned and exchanged need `usual` to compare with",
        )
        for other in record.exchanged:
            demand(
                other in described and other != record.sensor,
                f"{where}: it cannot be exchanged with {other!r}, which has no `usual`",
            )


def _check_usual(where: str, usual: Usual) -> None:
    demand(
        len(usual.mean) == FEATURES and len(usual.whitening) == TRIANGLE,
        f"{where}: usual needs {FEATURES} means and {TRIANGLE} numbers of whitening, not "
        f"{len(usual.mean)} and {len(usual.whitening)}",
    )
    finite(f"{where}: usual", (*usual.mean, *usual.whitening))
    diagonal = [usual.whitening[row * (row + 3) // 2] for row in range(FEATURES)]
    demand(min(diagonal) > 0, f"{where}: usual: the diagonal of whitening must be above 0")
