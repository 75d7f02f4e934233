"""The Kotlin host, compiled by the real compiler, on a JVM with the real engine.

Vectors, golden vectors, predictions held against the Python runtime, and what is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kotlin_host
import numpy as np
import pytest

import onwrist
from onwrist.bundles import shipped
from onwrist.embed import embed
from onwrist.simulate import simulate
from onwrist.simulate_body import body
from onwrist.simulate_days import days
from onwrist_runtime.prediction import Prediction
from onwrist_runtime.signals import Signal

VECTORS = Path(__file__).parents[1] / "vectors"
FILES = sorted(VECTORS.glob("*.json"))
SHIPPED = {bundle.manifest.name: bundle for bundle in shipped()}
REASON = kotlin_host.missing()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


@pytest.fixture(scope="module", autouse=True)
def jar() -> Path:
    """Compiled once, and refused once."""
    return kotlin_host.compiled()


def apart(found: Any, stored: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """Where two records differ: numbers that are no integers by more than the tolerance."""
    if isinstance(stored, dict) and isinstance(found, dict) and stored.keys() == found.keys():
        for name in stored:
            yield from apart(found[name], stored[name], tolerance, f"{where}.{name}")
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for k, pair in enumerate(zip(found, stored, strict=True)):
            yield from apart(*pair, tolerance, f"{where}[{k}]")
    elif isinstance(stored, float) and isinstance(found, float):
        if not abs(found - stored) <= tolerance:
            yield f"{where}: {found} is not {stored}"
    elif found != stored:
        yield f"{where}: {found} is not {stored}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_host_gives_what_the_vectors_say(file: Path) -> None:
    stored = json.loads(file.read_text(encoding="utf-8"))
    parts = {name: x for name, x in stored.items() if isinstance(x, list) and name != "about"}
    assert parts
    found = kotlin_host.ask("vectors", file)
    assert found.keys() == parts.keys()
    for name, cases in parts.items():
        for answer, case in zip(found[name], cases, strict=True):
            off = [*apart(answer, case["expected"], stored.get("tolerance", 0.0))]
            assert not off, (case["name"], off[:5])


def test_every_bundle_proves_itself_on_the_real_engine() -> None:
    proofs = kotlin_host.ask("self-tests", kotlin_host.written())
    assert proofs.keys() == SHIPPED.keys()
    for name, proof in proofs.items():
        manifest = SHIPPED[name].manifest
        assert proof["passed"], proof
        assert proof["windows"] == manifest.golden.windows
        assert proof["steps"] == manifest.golden.steps
        assert proof["tolerances"].items() >= manifest.golden.tolerance.items()
        for output, most in proof["tolerances"].items():
            assert proof["differences"][output] <= most


def test_what_is_written_has_the_bytes_of_the_bundle() -> None:
    for name, bundle in SHIPPED.items():
        files = embed(bundle, "android")
        assert files == embed(bundle, "android")
        folder = f"assets/onwrist/{name}/"
        inside = {path.removeprefix(folder) for path in files if path.startswith(folder)}
        tflite = {graph.file for graph in bundle.manifest.graphs if graph.format == "tflite"}
        assert inside == {*tflite, "manifest.json", bundle.manifest.golden.file, "CARD.md"}
        assert files[f"{folder}manifest.json"] == bundle.raw
        for file in inside - {"manifest.json"}:
            assert files[f"{folder}{file}"] == bundle.members[file]


def test_odd_texts_and_long_lists_stand_in_the_constants_as_they_are(tmp_path: Path) -> None:
    manifest = kotlin_host.odd_bundle().manifest
    assert manifest.availability is not None
    found = kotlin_host.ask("odd", tmp_path)
    assert found["channels"] == [[x.name, x.unit, x.polarity] for x in manifest.channels]
    assert found["labels"] == [list(x.labels) for x in manifest.tasks]
    assert found["cases"] == list(manifest.tasks[0].labels)
    patterns = manifest.availability.patterns
    assert found["patterns"] == [x.temperatures for x in patterns]
    assert len(patterns) > 500
    usual = [x.usual for x in manifest.plausible]
    assert found["whitening"] == [list(x.whitening) for x in usual if x is not None]


def _told(prediction: Prediction) -> dict[str, Any]:
    embedding = prediction.embedding
    return {
        "start": prediction.start,
        "end": prediction.end,
        "coverage": dict(prediction.coverage),
        "tasks": {
            name: {
                "abstained": result.abstained,
                "value": result.value,
                "label": result.label,
                "reason": result.reason,
                "confidence": result.confidence,
            }
            for name, result in prediction.tasks.items()
        },
        "sensors": {
            name: {"used": state.used, "weight": state.weight, "reason": state.reason}
            for name, state in prediction.sensors.items()
        },
        "embedding": None if embedding is None else embedding.astype(float).tolist(),
    }


def _numbers(values: Any) -> list[float | None]:
    return [None if np.isnan(x) else float(x) for x in np.asarray(values).ravel()]


def _asked(folder: Path, name: str, way: str, **given: Any) -> list[dict[str, Any]]:
    path = folder / "asked.json"
    record = {"bundle": name, "root": str(kotlin_host.written()), "way": way} | given
    path.write_text(json.dumps(record), encoding="utf-8")
    answer: list[dict[str, Any]] = kotlin_host.ask("predictions", path)
    return answer


def _same(found: list[dict[str, Any]], predictions: list[Prediction], least: int) -> None:
    """The same engine on the same processor: what differs is how samples were resampled."""
    assert len(found) == len(predictions) >= least
    for own, other in zip(found, predictions, strict=True):
        # Reasons tell coverage and confidence with few digits: one may round the other way.
        assert not [*apart(own, json.loads(json.dumps(_told(other))), 1e-3)]


@pytest.mark.parametrize("mode", ["step", "window"])
def test_a_stream_of_a_wrist_predicts_as_the_runtime_does(tmp_path: Path, mode: Any) -> None:
    recording = simulate(40.0, seed=5)
    model = onwrist.load("wrist-himae", engine="litert")
    stream = model.stream(mode=mode)
    pushes, predictions = [], []
    for second in range(42):
        for name, signal in recording.signals.items():
            part = (signal.times >= second) & (signal.times < second + 1)
            if not part.any() or (name == "eda" and 10 < second < 25):
                continue
            times, values = signal.times[part], signal.values[part]
            pushes.append({"name": name, "times": times.tolist(), "values": _numbers(values)})
            predictions += stream.push(name, times, values)
    predictions += stream.flush()
    _same(_asked(tmp_path, "wrist-himae", mode, pushes=pushes), predictions, 5)


def _signals(signals: dict[str, Signal]) -> list[dict[str, Any]]:
    return [
        {"name": name, "times": x.times.tolist(), "values": _numbers(x.values), "rate": x.rate}
        for name, x in signals.items()
    ]


def test_days_of_minutes_predict_as_the_runtime_does(tmp_path: Path) -> None:
    signals = dict(days(2, seed=3).signals)
    predictions = [*onwrist.load("day-lsm2", engine="litert").predict_recording(signals)]
    found = _asked(tmp_path, "day-lsm2", "recording", signals=_signals(signals))
    _same(found, predictions, 2)


def test_sensors_of_a_body_predict_as_the_runtime_does(tmp_path: Path) -> None:
    signals = dict(body(30.0, seed=2).signals)
    # What was frozen is blamed, and the windows after it answer without that sensor.
    frozen = signals["waist_acc_y"]
    values = np.where(frozen.times > 12, frozen.values[100], frozen.values)
    signals["waist_acc_y"] = Signal(values, frozen.times, frozen.rate)
    predictions = [*onwrist.load("body-fusion", engine="litert").predict_recording(signals)]
    assert any(x.sensors["waist"].reason for x in predictions)
    found = _asked(tmp_path, "body-fusion", "recording", signals=_signals(signals))
    _same(found, predictions, 2)


def test_wrong_use_and_wrong_files_are_refused_in_words() -> None:
    said = kotlin_host.ask("refusals", kotlin_host.written())
    for case, words in {
        "a time that is NaN": "InputError: 'ppg': a time must be finite",
        "milliseconds": "milliseconds, perhaps?",
        "another clock": "must be on one clock",
        "an unknown name": "there is no channel or sensor 'ecg'; this model knows",
        "an infinite sample": "below 1e+15",
        "a stamp too few": "every time stamp needs one sample",
        "axes that do not fit": "every time stamp needs 3 numbers",
        "after a flush": "reset() begins anew",
        "a window too short": "1536 numbers, not 5",
        "an infinite value": "channel 'acc_x' is -Infinity at sample 44",
        "a midnight for a wrist": "leave out midnight",
        "a wrist that imputes": "cannot impute",
        "a hop of half a step": "take 1.28 s, or Mode.WINDOW",
        "a negative lateness": "lateness must be from 0",
        "two rates of one sensor": "50 or 32 Hz?",
        "an unknown task": "this model has heart_rate, stress",
        "a day without a time": "say when the window begins",
        "a day that begins off a patch": "a multiple of 20 minutes after midnight",
        "steps of a day": "use Mode.WINDOW",
        "an empty recording": "no samples of ppg",
        "an altered graph": "BundleError: model.tflite has the SHA-256",
        "altered golden vectors": "BundleError: golden.safetensors has the SHA-256",
        "no files": "embed the bundle again",
        "no graph": "EngineError: LiteRT cannot open model.tflite",
        "an engine that is off": "ParityError: the engine is off the golden vectors",
        "too short a header": "BundleError",
        "a header that lies": "BundleError",
    }.items():
        assert words in said.pop(case), case
    assert not said
