"""Folds in, trained models out; gaps and hours in, their answers out.

A model is trained for each fold and each way to treat what is missing, on the people of the
fold's training set, and kept as a file: a second run trains only what is not there. A file
that was made with another configuration or other people is made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from onwrist.readers.fitbit_grid import Person
from onwrist_export.days import learn, run, store
from onwrist_export.days.config import DayConfig, Missing
from onwrist_export.model.lsm2 import LSM2

from .folds import Fold
from .missingness import Removal, remove
from .probe import Hour, windows
from .tasks import DAY, HEART, Gap, Setting, hidden_in, shown, truth

VARIANTS: dict[str, Missing] = {
    "LSM-2": "inherited",
    "MAE, linear filling": "linear",
    "MAE, zero filling": "zero",
}
OURS = "LSM-2"
Windows = NDArray[np.float32]
Starts = NDArray[np.int64]  # (B,) local minute with which a window begins


class Contestant(Protocol):
    """What judges need of a model; values (B, 3, 1440) in units, NaN where not shown."""

    def impute(self, values: Windows, minute: Starts, hidden: NDArray[np.bool_]) -> Windows:
        """Every minute of every channel, (B, 3, 1440) in units.

        `hidden` is what the gaps hide; what else is NaN was missing before.
        """

    def embed(self, values: Windows, minute: Starts) -> NDArray[np.float64]:
        """Embeddings (B, E)."""


@dataclass(frozen=True)
class Trained:
    """An LSM-2 of one fold, with the treatment of missing minutes it was trained with."""

    model: LSM2
    missing: Missing

    def impute(self, values: Windows, minute: Starts, hidden: NDArray[np.bool_]) -> Windows:
        """Every minute of every channel, (B, 3, 1440) in units."""
        return run.impute(self.model, values, minute, hidden, self.missing)

    def embed(self, values: Windows, minute: Starts) -> NDArray[np.float64]:
        """Embeddings (B, E)."""
        return run.embed(self.model, values, minute, self.missing).astype(np.float64)


def trained(
    people: Mapping[str, Person], fold: Fold, variant: str, config: DayConfig, folder: Path
) -> Trained:
    """The model of this fold and variant, from its file, or trained and written there."""
    missing = VARIANTS[variant]
    students = [people[subject] for subject in fold.train]
    path = folder / f"{fold.name}-{missing}.safetensors"
    made = f"days.py, {fold.name}, {missing}, people {_identity(students)}"
    if path.is_file():
        model, then, commands = store.load_pretrained(path)
        if commands == [made] and _training(then) == _training(config):
            return Trained(model, missing)
    model, _ = learn.pretrain(students, config, missing=missing)
    store.save_pretrained(path, model, config, [made])
    return Trained(model.eval(), missing)


def untrained(config: DayConfig) -> Trained:
    """The weights that every training begins with."""
    torch.manual_seed(config.seed)
    return Trained(LSM2(config.lsm2, config.scales).eval(), VARIANTS[OURS])


def _identity(students: Sequence[Person]) -> str:
    """Changes with who teaches and with any of their minutes."""
    found = hashlib.sha256()
    for person in students:
        found.update(person.subject.encode())
        found.update(np.ascontiguousarray(person.values))
    return found.hexdigest()[:16]


def _training(config: DayConfig) -> tuple[object, ...]:
    """All of a configuration that a training depends on."""
    return config.seed, config.lsm2, config.scales, config.pretrain


def errors(
    models: Mapping[str, Contestant],
    people: Mapping[str, Person],
    setting: Setting,
    gaps: Sequence[Gap],
    removal: Removal | None = None,
) -> NDArray[np.float64]:
    """Mean absolute error of heart rate of every gap, (gaps,), bpm.

    Parameters
    ----------
    models : by subject, the one that never saw that person.
    removal : what else is taken out of the window.
    """
    found = np.full(len(gaps), np.nan)
    for subject in dict.fromkeys(gap.subject for gap in gaps):
        person = people[subject]
        own = [k for k, gap in enumerate(gaps) if gap.subject == subject]
        values = np.stack([shown(person, gaps[k], setting.activity) for k in own])
        if removal is not None:
            values = np.stack(
                [
                    remove(v, gaps[k].start, subject, removal)
                    for v, k in zip(values, own, strict=True)
                ]
            )
        minute = np.array([gaps[k].start % DAY for k in own])
        hidden = np.stack([hidden_in(gaps[k], setting.activity) for k in own])
        answers = models[subject].impute(values, minute, hidden)[:, HEART]
        for k, answer in zip(own, answers, strict=True):
            at, heart = truth(person, gaps[k])
            found[k] = np.abs(answer[at].astype(np.float64) - heart).mean()
    return found


def embeddings(
    model: Contestant,
    person: Person,
    asked: Sequence[Hour],
    removal: Removal | None = None,
) -> NDArray[np.float64]:
    """Embeddings (hours, E) of the windows before the hours that are asked for."""
    values = windows(person, asked)
    if removal is not None:
        for k, hour in enumerate(asked):
            values[k] = remove(values[k], hour.start, person.subject, removal)
    return model.embed(values, np.array([hour.start % DAY for hour in asked]))


def single_thread() -> None:
    """Trainings and answers repeat only so."""
    torch.set_num_threads(1)
