"""Gaps filled in, as pipelines without masks do: the contestants of inherited masking."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor


def filled(values: Tensor, how: Literal["linear", "zero"], zero: Tensor) -> Tensor:
    """Days (B, C, T) without NaN.

    "linear" draws straight lines between observed minutes and holds the first and the last;
    a channel that was never observed that day, and everything with "zero", becomes `zero`
    (C, 1), which is what the model's scale has at 0.
    """
    if how == "zero":
        return torch.where(values.isnan(), zero, values)
    array = values.numpy().copy()
    minutes = np.arange(array.shape[-1])
    for row in array.reshape(-1, array.shape[-1]):
        known = ~np.isnan(row)
        if known.any():
            row[~known] = np.interp(minutes[~known], minutes[known], row[known])
    return filled(torch.from_numpy(array), "zero", zero)
