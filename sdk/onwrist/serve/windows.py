"""Bodies of POST requests in, windows on a model's grid out, and what they are predicted as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onwrist.serve import answers
from onwrist_runtime.errors import InputError
from onwrist_runtime.model import Model

Numbers = list[float | None]


class Windows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One window on the model's grid, or several, as JSON.

    Attributes
    ----------
    values : (channels, samples) or (windows, channels, samples), null where missing.
    start : when it begins, in seconds, or a list for several; needed of days.
    baseline : (channels, 2), the wearer's running mean and scale; only with one window.
    midnight : any local midnight on the clock of `start`; only for days.
    """

    values: list[list[float | Numbers | None]]
    start: float | list[float] | None = None
    baseline: list[Numbers] | None = None
    midnight: float | None = None


class TooMany(InputError):
    """More windows than one request may hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows to predict on.

    Attributes
    ----------
    values : (windows, channels, samples), NaN where missing.
    starts : one for each window.
    """

    values: NDArray[np.floating[Any]]
    starts: Sequence[float | None]
    baseline: NDArray[np.float64] | None = None
    midnight: float | None = None

    def rows(self, model: Model) -> Iterator[str]:
        """The prediction on each window as text; predicted as it is read."""
        # Rows do not hold what is imputed.
        impute = False if model.manifest.imputes else None
        for values, start in zip(self.values, self.starts, strict=True):
            prediction = model.predict(
                values, None, start, self.baseline, midnight=self.midnight, impute=impute
            )
            yield answers.row(prediction, model.manifest)


_decode = msgspec.json.Decoder(Windows).decode


def from_json(body: bytes, model: Model, most: int) -> Batch:
    """The windows of a JSON body.

    Raises
    ------
    msgspec.DecodeError
        It is no JSON, or (as ValidationError) of another form.
    InputError
        Shapes or numbers cannot be used; `TooMany` windows.
    """
    given = _decode(body)
    values = _array("values", given.values)
    single = values.ndim == 2
    if single:
        values = values[np.newaxis]
    _check_shape(values.shape, model, most)
    starts: Sequence[float | None] = [None] * len(values)
    if isinstance(given.start, list):
        starts = given.start
    elif given.start is not None:
        starts = [given.start]
    _check_starts(starts, len(values))
    baseline = None
    if given.baseline is not None:
        if not single:
            raise InputError("a baseline goes with one window, not with several")
        baseline = _array("baseline", given.baseline)
    return Batch(values, starts, baseline, given.midnight)


def from_bytes(
    body: bytes, starts: Sequence[float], midnight: float | None, model: Model, most: int
) -> Batch:
    """The windows of a body of float32, little-endian.

    Raises
    ------
    InputError
        It is not of whole windows, or there is not one start for each; `TooMany` windows.
    """
    shape = len(model.channels), model.window_samples
    size = 4 * shape[0] * shape[1]
    if not body or len(body) % size:
        raise InputError(
            f"a window of {model.name} is {shape[0]} channels of {shape[1]} float32, {size} "
            f"bytes; {len(body)} bytes are not whole windows"
        )
    values = np.frombuffer(body, "<f4").reshape(-1, *shape)
    _check_shape(values.shape, model, most)
    begins: Sequence[float | None] = starts or [None] * len(values)
    _check_starts(begins, len(values))
    return Batch(values, begins, midnight=midnight)


def _array(what: str, rows: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    try:
        return np.array(rows, np.float64)
    except ValueError:
        raise InputError(
            f"{what} must be rows of one length, of numbers and null where missing"
        ) from None


def _check_shape(shape: tuple[int, ...], model: Model, most: int) -> None:
    wanted = len(model.channels), model.window_samples
    if len(shape) != 3 or shape[1:] != wanted:
        raise InputError(
            f"values have the shape {shape[1:] if shape[:1] == (1,) else shape}; a window of "
            f"{model.name} is {wanted}: {', '.join(model.channels)} at {wanted[1]} grid points"
        )
    if shape[0] > most:
        raise TooMany(f"{shape[0]} windows; one request may hold {most}")
    if not shape[0]:
        raise InputError("values hold no window")


def _check_starts(starts: Sequence[float | None], windows: int) -> None:
    if len(starts) != windows:
        raise InputError(f"{len(starts)} starts for {windows} windows: give one for each")
