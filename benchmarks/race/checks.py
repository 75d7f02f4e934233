"""What a contestant gives for all windows in, whether that is what its graph says out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from race.contestants import REFERENCE, Contestant

SAME, CLOSE = 1e-4, 0.97  # of fp32, relative; of INT8, centred cosine

Outputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Check:
    """How a contestant's numbers compare with the reference's, over all windows.

    Attributes
    ----------
    apart : largest difference of an output, relative to the largest of that output.
    cosine : of the embeddings, each less the reference's mean.
    """

    contestant: str
    apart: float
    cosine: float


def compare(name: str, reference: Outputs, outputs: Outputs) -> Check:
    """What a contestant gives against what it should."""
    apart = max(
        float(np.abs(reference[output] - value.reshape(reference[output].shape)).max())
        / float(np.abs(reference[output]).max())
        for output, value in outputs.items()
    )
    expected, given = (x["embedding"].astype(np.float64) for x in (reference, outputs))
    mean = expected.mean(axis=0)
    expected, given = expected - mean, given.reshape(expected.shape) - mean
    lengths = np.linalg.norm(expected) * np.linalg.norm(given)
    return Check(name, apart, float(np.vdot(expected, given) / lengths))


def wrong(contestant: Contestant, check: Check) -> str | None:
    """Why its numbers are not those of the graph; None where they are."""
    if contestant.precision == "fp32" and not check.apart <= SAME:
        return f"gives other numbers: {check.apart:.1e} from {REFERENCE}, relative"
    if not check.cosine > CLOSE:
        return f"gives other numbers: centred cosine {check.cosine:.3f} to {REFERENCE}"
    return None
