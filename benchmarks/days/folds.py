"""People in, six folds out: each with one person of raw heart rate and a share of the rest.

One set of six trainings then serves both questions, heart rate of people who were never seen
and the probe on everybody: nobody in a fold's test set takes part in its training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onwrist.readers.fitbit_grid import Person


@dataclass(frozen=True)
class Fold:
    """Subjects of one fold; the first of `test` is the one with raw heart rate."""

    name: str
    test: tuple[str, ...]
    train: tuple[str, ...]

    @property
    def judge(self) -> str:
        """The person whose heart rate is hidden and asked for."""
        return self.test[0]


def folds(people: Sequence[Person]) -> tuple[Fold, ...]:
    """As many folds as there are people with raw heart rate, the others dealt out by number."""
    ordered = sorted(people, key=lambda person: int(person.subject))
    judges = [person.subject for person in ordered if person.heart_rate == "raw"]
    others = [person.subject for person in ordered if person.heart_rate != "raw"]
    subjects = [person.subject for person in ordered]
    made = []
    for k, judge in enumerate(judges):
        test = (judge, *others[k :: len(judges)])
        train = tuple(subject for subject in subjects if subject not in test)
        made.append(Fold(f"fold{k}", test, train))
    return tuple(made)


def with_heart_rate(people: Sequence[Person]) -> list[Person]:
    """Who can teach heart rate: raw, and the one whose minutes were derived by others."""
    return [person for person in people if person.heart_rate in ("raw", "derived")]
