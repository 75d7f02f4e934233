"""Recordings and a configuration in, labelled windows of chosen people out.

The one interface for what a bundle is calibrated on, with two sources: a configuration of
windows such as `wrist-himae`, and one of several sensors such as `body-fusion`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from onwrist.readers import read_all
from onwrist.recording import Recording
from onwrist_export.config import Config, Split, load_config
from onwrist_export.fusion.cases import live, middle
from onwrist_export.fusion.config import (
    FusionConfig,
    is_fusion_config,
    load_fusion_config,
)
from onwrist_export.windows.grids import Grid, Windows, cut_windows, to_grid
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Channel, Manifest, Role

# Of one person and task: windows next to each other say the same again.
MOST_WINDOWS, MOST_IN_STEPS = 100, 20


@dataclass(frozen=True, eq=False)
class People:
    """Everybody in some recordings.

    Attributes
    ----------
    names : all of them.
    split : whom nothing may be chosen on, and whom choices are made on.
    tolerances : of each rate task, the error that its confidence is the probability of not
        exceeding.
    windows : the labelled windows of some people, as a graph of a role takes them.
    """

    names: tuple[str, ...]
    split: Split
    tolerances: Mapping[str, float]
    windows: Callable[[Role, tuple[str, ...]], Windows]

    def chosen(self, asked: Collection[str] | None) -> tuple[str, ...]:
        """Whom to calibrate on: those asked for, or the validation people.

        Raises
        ------
        InputError
            They were not recorded, or are kept for tests.
        """
        wanted = self.split.validation if asked is None else asked
        kept = sorted({*wanted} & {*self.split.test})
        if kept:
            raise InputError(
                f"{', '.join(kept)} are kept for tests: nothing may be calibrated on them"
            )
        missing = sorted({*wanted} - {*self.names})
        if missing or not wanted:
            who = "validation people" if asked is None else "people"
            raise InputError(
                f"the recordings hold none of the {who} {', '.join(missing)}; they are of "
                f"{', '.join(self.names)}"
                if missing
                else "the configuration names no validation people: name some with --subjects"
            )
        return tuple(sorted({*wanted}))

    @property
    def tested(self) -> tuple[str, ...]:
        """The test people that were recorded."""
        return tuple(sorted({*self.names} & {*self.split.test}))


def read_people(path: Path, recordings: Path, manifest: Manifest) -> People:
    """Everybody in `recordings`, cut as the configuration at `path` says.

    Raises
    ------
    InputError
        The configuration is not of this bundle, or a recording names no subject.
    """
    config: Config | FusionConfig
    config = load_fusion_config(path) if is_fusion_config(path) else load_config(path)
    require_fits(config, manifest)
    by_name: dict[str, list[Recording]] = {}
    for recording in read_all(recordings):
        if recording.subject is None:
            raise InputError(
                f"recording {recording.name!r} names no subject; a person counts as one"
            )
        by_name.setdefault(recording.subject, []).append(recording)
    if isinstance(config, FusionConfig):
        return _of_fusion(config, by_name)
    return _of_windows(config, by_name)


def _of_windows(config: Config, by_name: Mapping[str, list[Recording]]) -> People:
    def windows(role: Role, people: tuple[str, ...]) -> Windows:
        form = config.causal if role == "step" else config
        cut = cut_windows(_grids(config, by_name, people), form, config.hop)
        return spread(cut, MOST_IN_STEPS if role == "step" else MOST_WINDOWS)

    return People(
        names=tuple(sorted(by_name)),
        split=config.split,
        tolerances={t.name: t.tolerance for t in config.tasks if t.kind == "rate"},
        windows=windows,
    )


def _of_fusion(config: FusionConfig, by_name: Mapping[str, list[Recording]]) -> People:
    def windows(role: Role, people: tuple[str, ...]) -> Windows:
        cut, _ = middle(_grids(config, by_name, people), config)
        known = np.all([~np.isnan(target) for target in cut.targets.values()], axis=0)
        return spread(cut.select(known & live(cut, config).any(axis=1)), MOST_WINDOWS)

    return People(
        names=tuple(sorted(by_name)), split=config.split, tolerances={}, windows=windows
    )


def _grids(
    config: Config | FusionConfig,
    by_name: Mapping[str, list[Recording]],
    people: tuple[str, ...],
) -> list[Grid]:
    return [to_grid(recording, config) for name in people for recording in by_name[name]]


def spread(windows: Windows, most: int) -> Windows:
    """At most so many labelled windows of each person and task, spread over all of theirs."""
    kept = np.zeros(len(windows), bool)
    for target in windows.targets.values():
        for person in np.unique(windows.subjects):
            own = np.flatnonzero((windows.subjects == person) & ~np.isnan(target))
            if len(own):
                kept[own[np.linspace(0, len(own) - 1, most).round().astype(int)]] = True
    return windows.select(kept)


def require_fits(config: Config | FusionConfig, manifest: Manifest) -> None:
    """Raise InputError unless windows of a configuration are what a bundle takes."""
    tasks = {t.name: t.labels for t in config.tasks}
    asked = {t.name: t.labels for t in manifest.tasks}
    pairs: list[tuple[str, object, object]] = [
        ("channel", _described(mine), _described(other))
        for mine, other in zip_longest(config.channels, manifest.channels)
    ]
    pairs += [
        ("grid rate in Hz", config.window.rate, manifest.rate),
        ("samples of a window", config.window.samples, manifest.samples),
        ("running baseline", config.baseline, manifest.baseline),
    ]
    names = sorted(tasks.keys() | asked.keys())
    pairs += [(f"task {name!r}", _labels(name, tasks), _labels(name, asked)) for name in names]
    for what, own, others in pairs:
        if own != others:
            raise InputError(
                f"the configuration {config.name} is not of the bundle {manifest.name} "
                f"{manifest.version}: {what} is {own or 'not there'}, and in the bundle "
                f"{others or 'not there'}"
            )


def _described(channel: Channel | None) -> str:
    return "" if channel is None else f"{channel.name} of {channel.sensor} in {channel.unit}"


def _labels(name: str, tasks: Mapping[str, tuple[str, ...]]) -> str:
    return "" if name not in tasks else " or ".join(tasks[name]) or "a rate"
