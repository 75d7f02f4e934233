"""An engine, bundles and recordings in, all that onwrist gives out: on a core, and here.

    python run_bundles.py ENGINE BUNDLES RECORDINGS OUTPUTS.npz

RECORDINGS holds a folder of .npz recordings for each bundle. OUTPUTS.npz gets arrays as
BUNDLE/PART/OUTPUT; a part is a role with its golden vectors, or a recording, predicted or
streamed. What a task gives is three of them: its numbers, what it decided, and why. NumPy,
the engine and what the runtime needs are all that is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import onwrist
from onwrist import readers
from onwrist_runtime import bundle as bundles
from onwrist_runtime import engines, saved, verify
from onwrist_runtime.chain import Chain
from onwrist_runtime.manifest import TOKENS, Role

Arrays = dict[str, NDArray[np.generic]]


def replayed(bundle: bundles.Bundle, engine: str, role: Role) -> Arrays:
    """What the engine gives for the golden vectors of a role, and what `verify` says of it."""
    opened = engines.open_engine(bundle, engine, role=role)
    report = verify.verify(bundle, opened)
    golden = verify.golden_vectors(bundle, opened)
    outputs = [dict(each) for each in verify.replay(bundle, opened, golden)]
    if isinstance(opened, Chain):
        days = zip(outputs, golden["values"], golden["observed"], strict=True)
        for each, values, observed in days:
            each[TOKENS] = opened.embed(values, observed > 0)
    arrays: Arrays = {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}
    return arrays | {"graph": np.array(opened.graph), "verified": np.array(report.passed)}


def told(predictions: Iterable[onwrist.Prediction]) -> Arrays:
    """What predictions say, in arrays of one row each; what one does not have is NaN."""
    listed = list(predictions)
    arrays: Arrays = {
        "start": np.array([p.start for p in listed]),
        "coverage": np.array([list(p.coverage.values()) for p in listed]),
        "embedding": rows(p.embedding for p in listed),
    }
    if any(p.imputed is not None for p in listed):
        arrays["imputed"] = rows(
            None if p.imputed is None else p.imputed.values for p in listed
        )
    for name in listed[0].tasks:
        tasks = [p[name] for p in listed]
        numbers = [[t.value, t.confidence, *(t.probabilities or {}).values()] for t in tasks]
        arrays[name] = rows(np.array(each, np.float64) for each in numbers)
        arrays[f"{name} decided"] = np.array([f"{t.abstained} {t.label}" for t in tasks])
        arrays[f"{name} why"] = np.array([str(t.reason) for t in tasks])
    return arrays


def rows(each: Iterable[NDArray[np.floating] | None]) -> NDArray[np.floating]:
    """Arrays one under the other; one that is not there, or too short, ends in NaN."""
    listed = list(each)
    shape = max(row.shape for row in listed if row is not None)
    filled = np.full((len(listed), *shape), np.nan)
    for target, row in zip(filled, listed, strict=True):
        if row is not None:
            target[: len(row)] = row
    return filled


def streamed(model: onwrist.Model, signals: Mapping[str, onwrist.Signal]) -> Arrays:
    """A stream that is saved and restored halfway, and the state that it ends with."""
    first = min(signal.times[0] for signal in signals.values())
    middle = (first + max(signal.times[-1] for signal in signals.values())) / 2
    stream = model.stream()
    predictions = list(stream.push_recording(part(signals, first, middle)))
    stream = model.restore_stream(stream.save())
    predictions += stream.push_recording(part(signals, middle, np.inf))
    record = saved.read(stream.save(), model.bundle)
    kept = {"grid": record.grid, "next_state": record.state}
    arrays = {name: np.frombuffer(v, "<f4") for name, v in kept.items() if v is not None}
    return told([*predictions, *stream.flush()]) | arrays


def part(
    signals: Mapping[str, onwrist.Signal], begin: float, end: float
) -> dict[str, onwrist.Signal]:
    """The samples from `begin` on and before `end`."""
    cut = {}
    for name, signal in signals.items():
        inside = (signal.times >= begin) & (signal.times < end)
        if inside.any():
            cut[name] = onwrist.Signal(signal.values[inside], signal.times[inside], signal.rate)
    return cut


def main() -> None:
    engine, folder, recordings, target = sys.argv[1], *map(Path, sys.argv[2:])
    given: Arrays = {}
    for path in sorted(folder.glob("*.onwrist")):
        model = onwrist.load(path, engine)  # which proves it
        parts = {"window": replayed(model.bundle, engine, "window")}
        if model.manifest.step is not None:
            parts["step"] = replayed(model.bundle, engine, "step")
        for file in sorted((recordings / path.stem).glob("*.npz")):
            signals = readers.read(file).signals
            parts[f"{file.stem} predicted"] = told(model.predict_recording(signals))
            parts[f"{file.stem} streamed"] = streamed(model, signals)
        for name, arrays in parts.items():
            given |= {f"{path.stem}/{name}/{k}": array for k, array in arrays.items()}
    np.savez(target, **given)


if __name__ == "__main__":
    main()
