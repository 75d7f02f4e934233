"""A trained LSM-2 run on days as they are: every minute, or the embedding, out.

In PyTorch and in float, for judging; devices run the graphs that are exported from it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onwrist_export.days.config import Missing
from onwrist_export.days.fill import filled
from onwrist_export.model.lsm2 import LSM2, Encoded

AT_ONCE = 64  # days

Array = NDArray[np.float32]


@torch.no_grad()
def impute(
    model: LSM2,
    values: Array,
    minute: NDArray[np.int64],
    hidden: NDArray[np.bool_] | None = None,
    missing: Missing = "inherited",
) -> Array:
    """Every minute of every channel as the model has it, (B, C, T) in the channels' units.

    Parameters
    ----------
    values : (B, C, T), NaN where missing or hidden.
    minute : (B,), local minute of the day with which each window begins.
    hidden : which of the missing minutes are asked for; all if None. Only for a model that
        was trained on filled days: it masks these, and has all others filled in.
    missing : how the model was trained.
    """
    found = []
    for part, seen, start in _parts(model, values, minute, hidden, missing):
        found.append(model.restore(model(part, seen, start)).numpy())
    return np.concatenate(found)


@torch.no_grad()
def embed(
    model: LSM2, values: Array, minute: NDArray[np.int64], missing: Missing = "inherited"
) -> Array:
    """The embedding of each day, (B, E); parameters as of `impute`."""
    nothing = np.zeros(values.shape, bool)
    found = []
    for part, seen, start in _parts(model, values, minute, nothing, missing):
        found.append(model.pool(encode(model, part, seen, start)).numpy())
    return np.concatenate(found)


def encode(model: LSM2, values: Tensor, seen: Tensor, minute: Tensor) -> Encoded:
    """All tokens (B, N, D) of days (B, C, T)."""
    x, there = model.normalize(values, seen), model.there(seen)
    index = torch.arange(there.shape[1]).expand(there.shape)
    return model.encode(model.tokenize(x, seen.to(x.dtype)), index, there, minute)


def _parts(
    model: LSM2,
    values: Array,
    minute: NDArray[np.int64],
    hidden: NDArray[np.bool_] | None,
    missing: Missing,
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Values without NaN, what is seen of them, and the minute, some days at a time."""
    parts = []
    for first in range(0, len(values), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        part = torch.from_numpy(values[some])
        seen = ~part.isnan()
        if missing != "inherited":
            asked = ~seen if hidden is None else torch.from_numpy(hidden[some])
            part, seen = filled(part, missing, model.zero), ~asked
        start = torch.as_tensor(np.asarray(minute[some]), dtype=torch.float32)
        parts.append((torch.nan_to_num(part), seen, start))
    return parts
