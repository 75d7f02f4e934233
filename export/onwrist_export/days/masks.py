"""Adaptive and Inherited Masking: which minutes are hidden, and which tokens are encoded.

The inherited mask is what was never seen; the artificial one is drawn for each sample. A
token is masked by either. A fixed number of tokens is dropped, masked ones first, so that
a batch keeps one shape; the masked ones that are left get no attention. Source: LSM-2,
arXiv 2506.05321.

All masks are of shape (B, C, T): samples, channels, minutes.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from onwrist_export.model.lsm2 import LSM2Config

RANDOM, SLICES = 0.8, 0.5  # shares that the published strategies hide
SHORTEST, LONGEST = 5, 240  # minutes of a span
MOST_SPANS = 4


def artificial(batch: int, config: LSM2Config, generator: Generator) -> Tensor:
    """One of the three published strategies for each sample.

    80 % of the tokens at random, 50 % of the times for all groups, or 50 % of the groups
    all day (rounded up, so that one of one is hidden, too).
    """
    groups, patches = len(config.groups), config.patches
    at_random = _share(torch.rand(batch, groups * patches, generator=generator), RANDOM)
    at_random = at_random.unflatten(1, (groups, patches))
    times = _share(torch.rand(batch, patches, generator=generator), SLICES)[:, None]
    sensors = _share(torch.rand(batch, groups, generator=generator), SLICES)[:, :, None]
    which = torch.randint(3, (batch, 1, 1), generator=generator)
    hidden = torch.where(which == 0, at_random, torch.where(which == 1, times, sensors))
    return of_groups(hidden.repeat_interleave(config.patch, 2), config)


def spans(seen: Tensor, config: LSM2Config, channel: int, generator: Generator) -> Tensor:
    """A few spans of minutes of one channel, around minutes that were seen.

    Each is from 5 to 240 minutes long, most are short, one in four lies at the end of the
    day; three in ten hide all other channels, too. Our own addition: gaps as they are asked
    for, which begin and end anywhere.
    """
    batch, _, minutes = seen.shape
    hidden = torch.zeros_like(seen)
    minute = torch.arange(minutes)
    ratio = torch.log(torch.tensor(LONGEST / SHORTEST))
    # where nothing was seen, the spans may lie anywhere
    chance = seen[:, channel].float()
    chance = torch.where(chance.any(1, keepdim=True), chance, 1.0)
    count = torch.randint(1, MOST_SPANS + 1, (batch,), generator=generator)
    for number in range(MOST_SPANS):
        length = SHORTEST * torch.exp(torch.rand(batch, generator=generator) * ratio)
        middle = torch.multinomial(chance, 1, generator=generator)[:, 0]
        first = (middle - length / 2).round()
        at_end = torch.rand(batch, generator=generator) < 0.25
        first = torch.where(at_end, minutes - length.round(), first)[:, None]
        mine = (minute >= first) & (minute < first + length.round()[:, None])
        mine &= (number < count)[:, None]
        everything = torch.rand(batch, generator=generator) < 0.3
        hidden |= (mine & everything[:, None])[:, None]
        hidden[:, channel] |= mine
    return hidden


def single(batch: int, config: LSM2Config, generator: Generator) -> Tensor:
    """One channel of a group of several, all day: a device that does not tell it."""
    hidden = torch.zeros(batch, config.channels, 1, dtype=torch.bool)
    for group in config.groups:
        if len(group) > 1:
            chosen = torch.randint(len(group), (batch,), generator=generator)
            hidden[torch.arange(batch), torch.tensor(group)[chosen]] = True
    return hidden


def of_groups(hidden: Tensor, config: LSM2Config) -> Tensor:
    """A mask of groups (B, G, T) as one of their channels (B, C, T)."""
    owner = torch.zeros(config.channels, dtype=torch.long)
    for number, group in enumerate(config.groups):
        owner[list(group)] = number
    return hidden[:, owner]


def kept(there: Tensor, dropped: int, generator: Generator) -> Tensor:
    """Index (B, N - dropped), ascending, of the tokens that are encoded.

    Masked tokens are dropped first, at random; a sample that has fewer of them than are to
    be dropped loses others, too.

    Parameters
    ----------
    there : the tokens that are not masked, bool (B, N).
    """
    order = (~there).float() + 0.5 * torch.rand(there.shape, generator=generator)
    return order.argsort(1)[:, : there.shape[1] - dropped].sort(1).values


def _share(chance: Tensor, share: float) -> Tensor:
    """The `share` of each row with the least chance: exactly as many, rounded up."""
    count = -int(-chance.shape[1] * share // 1)
    ranks = chance.argsort(1).argsort(1)
    return ranks < count
