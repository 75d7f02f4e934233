"""Two reports of the same model in, ratios of their latencies and what differs out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onwrist.bench import words
from onwrist.bench.quantiles import resampled_medians
from onwrist.bench.report import Mode, Report, Series, What
from onwrist_runtime.errors import InputError


@dataclass(frozen=True)
class Ratio:
    """Of the medians of one series, the second report's to the first's, with 95 % bounds.

    Attributes
    ----------
    first_us, second_us : the medians, of all calls.
    low, high : bootstrap interval; each report's samples are drawn by themselves, in blocks.
    """

    what: What
    mode: Mode
    first_us: float
    second_us: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """What two reports say together.

    Attributes
    ----------
    ratios : of the series that both have.
    same_outputs : by "ROLE OUTPUT", whether the bytes on the golden vectors are the same.
    differences : the conditions that are not the same, first and second, by name.
    """

    ratios: tuple[Ratio, ...]
    same_outputs: dict[str, bool]
    differences: dict[str, tuple[str, str]]


def compare(first: Report, second: Report) -> Comparison:
    """Hold the second report against the first.

    Raises
    ------
    InputError
        They are of different bundles, or measured different calls.
    """
    if first.model.sha256 != second.model.sha256:
        raise InputError(
            "the reports are of different models, which cannot be compared: "
            f"{_identity(first)} and {_identity(second)}"
        )
    others = {(x.what, x.mode): x for x in second.series}
    ratios = []
    for x in first.series:
        y = others.get((x.what, x.mode))
        if y is None:
            continue
        ratio = y.p50_us / x.p50_us
        off = [_relative_medians(s, seed) for seed, s in enumerate((x, y))]
        low, high = np.percentile(ratio * off[1] / off[0], [2.5, 97.5]).tolist()
        ratios.append(Ratio(x.what, x.mode, x.p50_us, y.p50_us, ratio, low, high))
    if not ratios:
        raise InputError("the reports have no call in common that both measured")
    hashes = [
        {
            f"{x.role} {name}": sha256
            for x in report.outputs
            for name, sha256 in x.sha256.items()
        }
        for report in (first, second)
    ]
    same = {name: hashes[0][name] == hashes[1][name] for name in hashes[0] if name in hashes[1]}
    before, after = (dict(words.conditions(report)) for report in (first, second))
    before["engine"], after["engine"] = first.model.engine, second.model.engine
    differences = {
        name: (value, after[name]) for name, value in before.items() if value != after[name]
    }
    return Comparison(tuple(ratios), same, differences)


def _relative_medians(series: Series, seed: int) -> NDArray[np.float64]:
    """Of resamples, to that of the samples: these may be fewer than the calls of p50."""
    samples = np.array(series.samples_us)
    relative: NDArray[np.float64] = resampled_medians(samples, seed) / np.median(samples)
    return relative


def _identity(report: Report) -> str:
    said = f"{report.model.name} {report.model.version} ({report.model.sha256[:12]})"
    return words.printable(said)
