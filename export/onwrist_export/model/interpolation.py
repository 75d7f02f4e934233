"""A channel between the minutes at which it is seen, as the day model builds on it.

Shapes: B batch, T minutes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REACH = 15  # minutes that heart rate is taken to look back and ahead at activity
DRIVES = 16  # features of activity that the interpolation is corrected by
MEMORY = 240.0  # minutes, at first
NEAR = 2  # minutes on both sides that steady the ends of an interpolation


class Interpolation(nn.Module):
    """A channel between its seen minutes, corrected by what activity tells of each minute.

    Activity explains a part of the channel, minute by minute; what it does not explain is
    interpolated linearly between the nearest seen minutes, each steadied by its
    neighbours, and held beyond the first and last of them.
    """

    def __init__(self, others: int) -> None:
        super().__init__()
        self.look = nn.Conv1d(2 * others, DRIVES, 2 * REACH + 1, padding=REACH)
        self.explain = nn.Conv1d(DRIVES, 1, 1)
        # how fast, in minutes, what is beside a gap loses its worth inside it
        self.memory = nn.Parameter(torch.tensor(math.log(MEMORY)))
        self.register_buffer("near", torch.ones(1, 1, 2 * NEAR + 1), persistent=False)

    def forward(
        self, x: Tensor, seen: Tensor, others: Tensor, before: Tensor, after: Tensor
    ) -> Tensor:
        """The channel at every minute, (B, T).

        Parameters
        ----------
        x, seen : the channel, 0 where it is not seen, and 1 where it is; (B, T).
        others : values and seen of the other channels, (B, 2 * others, T).
        before, after : the nearest seen minute at or before and at or after each, see
            `nearest`; (B, T).
        """
        explained = self.explain(F.relu(self.look(others)))[:, 0]
        rest = torch.stack([(x - explained) * seen, seen], 1)
        total = F.conv1d(rest.flatten(0, 1)[:, None], self.near, padding=NEAR)
        total = total.view(rest.shape)
        steady = total[:, 0] / total[:, 1].clamp(min=1.0)
        last = x.shape[1] - 1
        left = steady.gather(1, before.clamp(min=0))
        right = steady.gather(1, after.clamp(max=last))
        minute = torch.arange(x.shape[1], device=x.device)
        share = (minute - before) / (after - before).clamp(min=1)
        share = torch.where(before < 0, 1.0, torch.where(after > last, 0.0, share))
        between = left + (right - left) * share
        usual = rest.sum(-1)
        usual = (usual[:, 0] / usual[:, 1].clamp(min=1.0))[:, None]
        away = torch.minimum(minute - before, after - minute)
        away = torch.where(
            before < 0, after - minute, torch.where(after > last, minute - before, away)
        )
        worth = torch.exp(-away * torch.exp(-self.memory))
        between = usual + (between - usual) * worth
        return torch.where(seen > 0, x, explained + between)


def nearest(seen: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest seen minute at or before, -1 if none, and at or after, T if none.

    `seen` is bool (B, T), as are both answers int64 (B, T).
    """
    last = seen.shape[1]
    minute = torch.arange(last, device=seen.device).expand(seen.shape)
    before = torch.where(seen, minute, -1).cummax(1).values
    after = torch.where(seen, minute, last).flip(1).cummin(1).values.flip(1)
    return before, after
