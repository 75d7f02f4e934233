"""Predictions of a bundle of day tokens in; days with what was imputed in each out.

Minutes here are grid points of the window, which a manifest may put further apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from onwrist_runtime.manifest import Channel, Manifest
from onwrist_runtime.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One local day.

    Attributes
    ----------
    date : year-month-day.
    prediction : on the window of the day.
    imputed : how many grid points of each channel are the model's.
    observed_mean : of the interpolated channel over what was observed; None if nothing was.
    imputed_mean : of it over the whole day, imputed where not observed; None likewise.
    """

    date: str
    prediction: Prediction
    imputed: dict[str, int]
    observed_mean: float | None
    imputed_mean: float | None


def days_of(
    predictions: Iterable[Prediction], manifest: Manifest, midnight: float = 0.0
) -> list[Day]:
    """The days of predictions on a recording, each with what was imputed.

    `midnight` is the one that the predictions were made with.
    """
    return [_day(prediction, manifest, midnight) for prediction in predictions]


def interpolated(manifest: Manifest) -> Channel | None:
    """The channel whose mean is shown; None if the bundle imputes nothing."""
    name = manifest.tokens.interpolated if manifest.tokens is not None else None
    return next((x for x in manifest.channels if x.name == name), None)


def _day(prediction: Prediction, manifest: Manifest, midnight: float) -> Day:
    assert prediction.start is not None  # predictions of a recording have their times
    date = str(np.datetime64(int(prediction.start - midnight), "s"))[:10]
    names = [channel.name for channel in manifest.channels]
    mean, imputed = interpolated(manifest), prediction.imputed
    if imputed is None or mean is None:
        return Day(date, prediction, dict.fromkeys(names, 0), None, None)
    row = names.index(mean.name)
    values, observed = imputed.values[row].astype(np.float64), imputed.observed[row]
    counts = (~imputed.observed).sum(axis=1).tolist()
    return Day(
        date,
        prediction,
        dict(zip(names, counts, strict=True)),
        float(values[observed].mean()) if observed.any() else None,
        float(values.mean()),
    )
