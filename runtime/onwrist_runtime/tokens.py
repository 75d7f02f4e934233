"""What was observed of a day in, what its graphs are told of it out.

Which patches are tokens and in which slots, how many the encoder must take, the nearest
observed grid points, and the time of day. HOST.md specifies all of it for every host.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Manifest
from onwrist_runtime.resampling import SAME_TIME

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cut:
    """How the windows of a bundle are cut into tokens: token t * G + g is group g in patch t.

    Attributes
    ----------
    samples, patch : grid points of a window, and of a patch.
    rows : rows of the channels of each group.
    least : at how many grid points of a patch any of them must be observed.
    width : numbers of a token.
    sizes : how many tokens the encoder can take, ascending.
    interpolated : row of the channel whose nearest grid points the decoder is told, if any.
    period : seconds from one grid point to the next.
    """

    samples: int
    patch: int
    rows: tuple[tuple[int, ...], ...]
    least: tuple[int, ...]
    width: int
    sizes: tuple[int, ...]
    interpolated: int | None
    period: float

    @classmethod
    def of(cls, manifest: Manifest) -> Cut:
        tokens = manifest.tokens
        assert tokens is not None
        row = {channel.name: k for k, channel in enumerate(manifest.channels)}
        return cls(
            manifest.samples,
            tokens.patch,
            tuple(tuple(row[name] for name in group.channels) for group in tokens.groups),
            tuple(group.least for group in tokens.groups),
            tokens.width,
            tokens.sizes,
            None if tokens.interpolated is None else row[tokens.interpolated],
            manifest.period,
        )

    @property
    def patches(self) -> int:
        """Patches of a window, and of a day."""
        return self.samples // self.patch

    def present(self, observed: Mask) -> Mask:
        """Which tokens there are: observed (C, L) of whole patches in, (T,) out."""
        patches = observed.shape[1] // self.patch
        there = np.empty((patches, len(self.rows)), np.bool_)
        for group, (rows, least) in enumerate(zip(self.rows, self.least, strict=True)):
            points = np.logical_or.reduce(observed[list(rows)])
            there[:, group] = np.add.reduce(points.reshape(patches, self.patch), 1) >= least
        return there.reshape(-1)

    def slots(self, present: Mask) -> NDArray[np.intp]:
        """The token of each row that the encoder takes (K,), ascending, and -1 in what is left.

        K is the smallest of `sizes` that holds all tokens.
        """
        there = np.flatnonzero(present)
        size = next(size for size in self.sizes if size >= len(there))
        slots = np.full(size, -1, np.intp)
        slots[: len(there)] = there
        return slots

    def clock(self, start: float, midnight: float) -> int:
        """The patch of the local day that a window begins with.

        Parameters
        ----------
        start, midnight : when the window begins, and any local midnight, seconds.

        Raises
        ------
        InputError
            The window does not begin at a patch.
        """
        seconds = self.patch * self.period
        patch = round((start - midnight) / seconds)
        off = start - midnight - patch * seconds
        if abs(off) > SAME_TIME:
            raise InputError(
                f"a window begins at a multiple of {_spoken(seconds)} after midnight, and "
                f"start={start} is {off % seconds:g} s past one (midnight={midnight}): state "
                "the midnight of its clock, or choose another start"
            )
        return patch % self.patches


def nearest(observed: Mask) -> tuple[Array, Array]:
    """The nearest observed grid point at or before, and at or after, each of (S,).

    They are indices, -1 and S where there is none.
    """
    count = len(observed)
    points = np.arange(count)
    before = np.maximum.accumulate(np.where(observed, points, -1))
    after = np.minimum.accumulate(np.where(observed, points, count)[::-1])[::-1]
    return before.astype(np.float32), after.astype(np.float32)


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds % 60 == 0 else f"{seconds:g} s"
