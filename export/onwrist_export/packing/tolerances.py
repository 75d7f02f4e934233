"""What was measured of golden outputs in; how far off an engine may be, by output, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from onwrist_export.quantization.parity import Parity

# An engine may be off by this share of an output's range over the golden windows, or by
# this many times what was measured here, whichever is more: room for the last bits of
# other processors, and far below what a wrong graph gives.
TOLERANCE, MARGIN = 1e-3, 4.0


def allowed(
    reference: NDArray[np.generic], alike: float, otherwise: float
) -> tuple[float, float]:
    """The most that an output may be off in engines that round alike, and in any other.

    Parameters
    ----------
    reference : the golden output.
    alike, otherwise : how far off such engines were found.
    """
    tolerance = max(TOLERANCE * float(np.ptp(reference)), MARGIN * alike)
    return tolerance, max(tolerance, MARGIN * otherwise)


def tolerances(
    parities: Iterable[Parity], golden: Mapping[str, NDArray[np.generic]]
) -> tuple[dict[str, float], dict[str, float]]:
    """How far engines that round alike, and those that do not, may be off by output."""
    agreements = [agreement for parity in parities for agreement in parity.agreements]
    tolerance, loose = {}, {}
    for name in agreements[0].outputs:
        worst = {True: 0.0, False: 0.0}
        for a in agreements:
            worst[a.rounds_alike] = max(worst[a.rounds_alike], a.outputs[name])
        reference = golden[f"onnx/{name}"]
        tolerance[name], loose[name] = allowed(reference, worst[True], worst[False])
    return tolerance, loose


def through_all(
    found: Mapping[str, Mapping[str, NDArray[np.generic]]],
    others: Iterable[Mapping[str, NDArray[np.generic]]],
    parities: Iterable[Parity],
) -> tuple[dict[str, float], dict[str, float]]:
    """`tolerances` of a bundle of several graphs, whose outputs come through all of them.

    Parameters
    ----------
    found : outputs of the golden windows by format, of its reference engine.
    others : the same of kernels that round otherwise.
    """
    agreements = [agreement for parity in parities for agreement in parity.agreements]
    others = list(others)
    tolerance, loose = {}, {}
    for name, reference in found["tflite"].items():
        alike = float(np.abs(found["onnx"][name] - reference).max())
        otherwise = max(float(np.abs(other[name] - reference).max()) for other in others)
        for a in agreements:
            off = a.outputs.get(name, 0.0)
            alike, otherwise = max(alike, off * a.rounds_alike), max(otherwise, off)
        tolerance[name], loose[name] = allowed(reference, alike, otherwise)
    return tolerance, loose
