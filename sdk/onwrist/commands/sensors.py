"""What became of each sensor in a prediction in; words, JSON values and CSV cells out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onwrist_runtime.manifest import Manifest
from onwrist_runtime.prediction import Prediction


def as_json(prediction: Prediction) -> dict[str, Any]:
    """The state of each sensor as an object of plain values."""
    return {
        name: {
            "coverage": state.coverage,
            "used": state.used,
            "weight": state.weight,
            "reason": state.reason,
        }
        for name, state in prediction.sensors.items()
    }


def header(manifest: Manifest) -> str:
    """What stands above `counted`."""
    return "coverage" if manifest.fusion is None else "weight of sensors"


def counted(prediction: Prediction, manifest: Manifest) -> str:
    """What there was: how much each sensor counted, or what has holes; why others did not."""
    there = holes(prediction.coverage, manifest)
    if manifest.fusion is not None:
        there = ", ".join(
            name if state.weight is None else f"{name} {state.weight:.2f}"
            for name, state in prediction.sensors.items()
            if state.used
        )
    if manifest.availability is None:
        return there
    without = ", ".join(
        f"{name} ({state.reason})"
        for name, state in prediction.sensors.items()
        if not state.used
    )
    return "; ".join([there] * bool(there) + [f"without {without}"] * bool(without))


def holes(coverage: Mapping[str, float], manifest: Manifest) -> str:
    """The channels with a hole; those of one sensor together where they are equal."""
    by_sensor: dict[str, dict[str, str]] = {}
    for channel in manifest.channels:
        # Rounded down, so that 99.6 % does not look whole.
        share = f"{int(100 * coverage[channel.name])} %"
        by_sensor.setdefault(channel.sensor, {})[channel.name] = share
    shares: dict[str, str] = {}
    for sensor, channels in by_sensor.items():
        same = len(set(channels.values())) == 1
        shares |= {sensor: next(iter(channels.values()))} if same else channels
    found = [f"{name} {share}" for name, share in shares.items() if share != "100 %"]
    return ", ".join(found) or "all"


def columns(manifest: Manifest) -> list[str]:
    """CSV columns, of a bundle that knows from when on a sensor is live."""
    if manifest.availability is None:
        return []
    whats = ("used", "weight", "unused_reason")
    return [f"{what}_{sensor}" for sensor in manifest.sensors for what in whats]


def cells(prediction: Prediction, manifest: Manifest) -> list[Any]:
    """The cells of `columns`."""
    found: list[Any] = []
    for state in prediction.sensors.values() if manifest.availability is not None else ():
        found += [int(state.used), state.weight, state.reason]
    return found
