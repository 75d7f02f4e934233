"""People by minute in, random days out: windows that begin at any minute.

Nothing is filled in: what was not observed is not seen, and a window may reach beyond what
was recorded of a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from onwrist.readers.fitbit_grid import Person
from onwrist_export.model.lsm2 import DAY
from onwrist_runtime.errors import InputError

WITH_CHANNEL = 0.85  # share of windows from people whose rarer channel was recorded


class Days:
    """Draws windows from people.

    Windows of people with heart rate hold at least one minute of it; who has more of it is
    drawn more often, as the root of it, so that nobody dominates.

    Parameters
    ----------
    people : at least one.
    channel : the channel that only some have.
    """

    def __init__(self, people: Sequence[Person], channel: int, seed: int) -> None:
        if not people:
            raise InputError("there is nobody to learn from")
        self.generator = torch.Generator().manual_seed(seed)
        gap = np.full((people[0].values.shape[0], DAY), np.nan, np.float32)
        parts: list[np.ndarray] = [gap]
        self._minutes: list[Tensor] = []  # of each person with the channel: where it is
        self._others: list[Tensor] = []  # of each person without it: where windows may begin
        end = DAY
        for person in people:
            parts += [person.values, gap]
            has = torch.from_numpy(np.flatnonzero(~np.isnan(person.values[channel])))
            if len(has):
                self._minutes.append(has + end)
            else:
                last = max(person.values.shape[1] - DAY, 0) + 1
                self._others.append(torch.arange(end, end + last))
            end += person.values.shape[1] + DAY
        self._all = torch.from_numpy(np.concatenate(parts, 1))

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Values (size, C, 1440), NaN where not observed; local minute each begins with."""
        first = torch.empty(size, dtype=torch.long)
        amounts = torch.tensor([len(has) for has in self._minutes]).sqrt()
        for row in range(size):
            with_channel = bool(self._minutes) and (
                not self._others or self._chance() < WITH_CHANNEL
            )
            if with_channel:
                has = self._minutes[
                    int(torch.multinomial(amounts, 1, generator=self.generator))
                ]
                first[row] = has[self._below(len(has))] - self._below(DAY)
            else:
                starts = self._others[self._below(len(self._others))]
                first[row] = starts[self._below(len(starts))]
        window = self._all[:, first[:, None] + torch.arange(DAY)].transpose(0, 1)
        # everybody begins at a midnight, and so does what was put between them
        return window, (first % DAY).float()

    def _chance(self) -> float:
        return torch.rand((), generator=self.generator).item()

    def _below(self, most: int) -> int:
        return int(torch.randint(most, (), generator=self.generator))
