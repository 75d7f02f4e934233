"""What a caller asks of a stream in, its settings out, in grid points and by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.signals import check_rate, check_time

Mode = Literal["step", "window"]

LONGEST_HOP = LONGEST_LATENESS = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stream works, for as long as it lives.

    Attributes
    ----------
    mode : "step" runs what is new through a step graph, "window" whole windows.
    hop : grid points from one prediction to the next; whole steps in step mode.
    lateness : seconds that a sample may be older than the newest one.
    rates : nominal native rate of each channel in Hz.
    midnight : a local midnight on the clock of the stream, for a bundle with tokens.
    impute : whether predictions carry the window without gaps.
    """

    mode: Mode
    hop: int
    lateness: float
    rates: tuple[float, ...]
    midnight: float = 0.0
    impute: bool = False


def settings_of(
    manifest: Manifest,
    mode: Mode,
    hop: float | None,
    lateness: float,
    rates: Mapping[str, float] | None,
    midnight: float = 0.0,
    impute: bool = False,
) -> Settings:
    """Settings from what `Model.stream` takes.

    Raises
    ------
    InputError
        A hop, lateness, name or rate that cannot be used.
    """
    longest = check_time(lateness)
    if not 0 <= longest <= LONGEST_LATENESS:
        raise InputError(
            f"lateness must be from 0 to {LONGEST_LATENESS:g} seconds, not {lateness}"
        )
    samples, natives = hop_samples(manifest, mode, hop), _rates(manifest, rates)
    return Settings(mode, samples, longest, natives, midnight, impute)


def hop_samples(manifest: Manifest, mode: Mode, hop: float | None) -> int:
    """Grid points from one prediction to the next, for a hop in seconds.

    Raises
    ------
    InputError
        It is not positive, too long, or not whole steps or patches.
    """
    step, of = manifest.step.samples if manifest.step and mode == "step" else None, "steps"
    if manifest.tokens is not None:
        step, of = manifest.tokens.patch, "patches"
    if hop is None:
        return step or max(1, manifest.samples // 2)
    seconds = check_time(hop)
    if not 0 < seconds <= LONGEST_HOP:
        raise InputError(
            f"hop must be a positive number of seconds, at most {LONGEST_HOP:g}, not {hop}"
        )
    samples = max(1, round(seconds * manifest.rate))
    if step and samples % step:
        below = samples // step * step
        near = " and ".join(f"{x / manifest.rate:g} s" for x in (below, below + step) if x)
        raise InputError(
            f"a hop of {hop:g} s is not a whole number of {of} of {step / manifest.rate:g} s: "
            f"take {near}" + ", or mode='window'" * (of == "steps")
        )
    return samples


def _rates(manifest: Manifest, given: Mapping[str, float] | None) -> tuple[float, ...]:
    rates = [channel.rate for channel in manifest.channels]
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"rates are Hz by channel or sensor, not {given!r}")
    for name, rate in (given or {}).items():
        for row in rows_of(manifest, name):
            rates[row] = check_rate(rate)
    sensors: dict[str, float] = {}
    for channel, rate in zip(manifest.channels, rates, strict=True):
        if sensors.setdefault(channel.sensor, rate) != rate:
            raise InputError(
                f"the channels of {channel.sensor!r} share their time stamps, so they have one "
                f"rate: {sensors[channel.sensor]:g} or {rate:g} Hz?"
            )
    return tuple(rates)


def rows_of(manifest: Manifest, name: str) -> Sequence[int]:
    """The row of a channel, or the rows of a sensor; InputError for any other name."""
    rows = []
    if isinstance(name, str):
        rows = [row for row, c in enumerate(manifest.channels) if name in (c.name, c.sensor)]
    if not rows:
        raise InputError(no_such_name(manifest, name))
    return rows


def no_such_name(manifest: Manifest, name: object) -> str:
    """What is wrong with a name that is neither of a channel nor of a sensor."""
    channels = [channel.name for channel in manifest.channels]
    sensors = dict.fromkeys(channel.sensor for channel in manifest.channels)
    return (
        f"there is no channel or sensor {name!r}; this model knows the channels "
        f"{', '.join(channels)} and the sensors {', '.join(sensors)}"
    )
