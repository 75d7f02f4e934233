"""Which sensors are live in, temperature and least confidence out: of windows and of steps."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from toy_graphs import onnx_graph, toy_outputs

from onwrist_runtime import Model, Signal, bundle, load
from onwrist_runtime.availability import Patterns
from onwrist_runtime.manifest import Availability, Baseline, Graph, Pattern, Step
from onwrist_runtime.verify import golden_vectors, verify

LEAST = 0.5
TEMPERATURES = {
    ("ppg", "acc"): {"heart_rate": 2.0, "stress": 0.7},
    ("ppg",): {"heart_rate": 4.0},
    ("acc",): {"stress": 3.0},
}
PATTERNS = tuple(
    Pattern(sensors=s, temperatures=t, minimum_confidence=dict.fromkeys(t, 0.1 * len(s)))
    for s, t in TEMPERATURES.items()
)


def scales_of(observed: np.ndarray) -> dict[str, np.ndarray]:
    """The scales of windows (W, 3, N), said another way."""
    found = {"heart_rate_scale": [], "stress_scale": []}
    for window in observed:
        ppg, acc = window[0].mean() >= LEAST, window[1:].mean() >= LEAST
        names = ("ppg",) * bool(ppg) + ("acc",) * bool(acc)
        for name, column in found.items():
            temperature = TEMPERATURES.get(names, {}).get(name.removesuffix("_scale"), 1.0)
            column.append([1 / temperature])
    return {name: np.array(column, np.float32) for name, column in found.items()}


@pytest.fixture(scope="module")
def model(toy_manifest, tmp_path_factory) -> Model:
    """The toy bundle with a baseline, a step graph, and three calibrated patterns."""
    pytest.importorskip("onnxruntime")
    availability = Availability(least=LEAST, patterns=PATTERNS)
    tasks = tuple(
        msgspec.structs.replace(task, required={}, any_of={}, minimum_confidence=0.99)
        for task in toy_manifest.tasks
    )
    manifest = msgspec.structs.replace(
        toy_manifest,
        availability=availability,
        tasks=tasks,
        graphs=(
            Graph(file="model.s8.onnx", format="onnx", activations="s8"),
            Graph(file="step.s8.onnx", format="onnx", activations="s8", role="step"),
        ),
        baseline=Baseline(seconds=20.0, samples=5),
        step=Step(samples=10, state=24),
        golden=msgspec.structs.replace(toy_manifest.golden, windows=4, steps=12),
    )
    draw = np.random.default_rng(0)
    golden, shapes = {}, {"": (4, 3, 50), "step/": (12, 3, 10)}
    for part, shape in shapes.items():
        observed = draw.random(shape) < 0.9
        observed[:2, 0] = observed[-3:, 1:] = False
        values = (draw.normal(size=shape) * observed).astype(np.float32)
        baseline = draw.normal(size=(len(values), 3, 3)).astype(np.float32)
        golden |= {f"{part}values": values, f"{part}observed": observed.astype("u1")}
        golden[f"{part}baseline"] = baseline
        if part:
            values, observed = (
                np.stack(
                    [
                        np.concatenate([np.zeros((4, 3, 10), x.dtype), x])[k : k + 5]
                        .transpose(1, 0, 2)
                        .reshape(3, 50)
                        for k in range(12)
                    ]
                )
                for x in (values, observed)
            )
        outputs = toy_outputs(values, observed.astype("u1"), baseline, scales_of(observed))
        golden |= {f"onnx/{part}{name}": output for name, output in outputs.items()}
    members = {
        "model.s8.onnx": onnx_graph(manifest.outputs, 3, 50, True, 0, True),
        "step.s8.onnx": onnx_graph(manifest.outputs, 3, 10, True, 24, True),
        "golden.safetensors": safetensors.numpy.save(golden),
        "CARD.md": b"# toy\n",
        "parity.json": b"{}\n",
    }
    path = tmp_path_factory.mktemp("toy") / "available.onwrist"
    bundle.write(path, manifest, members)
    return load(path)


def windows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    share = draw.choice([0.0, 0.4, 0.6, 1.0], (40, 3, 1))
    observed = draw.random((40, 3, 50)) < share
    return (draw.normal(size=observed.shape) * observed).astype(np.float32), observed


def test_golden_windows_and_steps_have_the_scales_of_their_patterns(model):
    assert verify(model.bundle, model.engine).passed
    steps = verify(model.bundle, model._step_engine)
    assert steps.passed
    assert steps.windows == 12
    scales = golden_vectors(model.bundle, model._step_engine)["heart_rate_scale"]
    assert set(scales.ravel().tolist()) == {1.0, 0.5, 0.25}


def test_each_window_is_scaled_and_judged_by_its_pattern(model):
    values, observed = windows()
    expected = toy_outputs(
        values, observed.astype("u1"), np.zeros((40, 3, 3)), scales_of(observed)
    )
    seen = set()
    for k, prediction in enumerate(model.predict_batch(values, observed)):
        names = tuple(name for name, state in prediction.sensors.items() if state.used)
        seen.add(names)
        for task, column in (("heart_rate", 1), ("stress", None)):
            result = prediction[task]
            if not observed[k].any():
                assert result.reason == "nothing was observed"
            elif not names:
                assert result.reason == "too little was observed"
            elif task not in TEMPERATURES[names]:
                assert result.reason == f"not calibrated for {names[0]} alone"
            else:
                output = expected[task][k]
                sure = output[column] if column else output.max()
                assert result.confidence == pytest.approx(sure, rel=1e-5)
                # That of the pattern, and not of the task, which would ask for 0.99.
                assert result.abstained == (sure < 0.1 * len(names))
        assert all(state.weight is None for state in prediction.sensors.values())
    assert seen == {(), *TEMPERATURES}


def test_a_window_without_live_sensors_still_has_an_embedding(model):
    observed = np.zeros((3, 50), np.bool_)
    observed[:, :10] = True
    prediction = model.predict(np.ones((3, 50), np.float32), observed)
    assert prediction.embedding is not None
    assert prediction["stress"].reason == "too little was observed"
    assert prediction.sensors["acc"].reason == "coverage 0.20 is below 0.50"


def recorded() -> dict[str, Signal]:
    """Forty seconds; ppg is silent from 8 to 14 s, acc from 20 to 31 s."""
    draw, signals = np.random.default_rng(4), {}
    for name, rate, begin, end in (
        ("ppg", 64.0, 8, 14),
        ("acc_x", 32.0, 20, 31),
        ("acc_y", 32.0, 20, 31),
    ):
        times = np.arange(int(40 * rate)) / rate
        kept = (times < begin) | (times > end)
        values = draw.normal(size=len(times)).astype(np.float32)
        signals[name] = Signal(values[kept], times[kept], rate)
    return signals


class Keeping:
    """An engine that keeps the scales of every call."""

    def __init__(self, engine) -> None:
        self.engine, self.scales = engine, []
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads

    def run(self, inputs):
        self.scales.append({k: x for k, x in inputs.items() if k.endswith("_scale")})
        return self.engine.run(inputs)


def test_a_step_is_scaled_by_the_pattern_of_the_window_that_it_ends(model):
    kept = dataclasses.replace(model)
    engine = Keeping(model._step_engine)
    vars(kept)["_step_engine"] = engine
    stream = kept.stream(mode="step")
    steps = [*stream.push_recording(recorded()), *stream.flush()]
    by_window = model.stream(mode="window", hop=0.4)
    expected = [*by_window.push_recording(recorded()), *by_window.flush()]
    assert len(steps) == len(expected) > 80
    patterns = Patterns(model.manifest)
    used = set()
    for step, window, scales in zip(steps, expected, engine.scales[4:], strict=True):
        assert (step.start, dict(step.sensors)) == (window.start, dict(window.sensors))
        names = tuple(name for name, state in step.sensors.items() if state.used)
        used.add(names)
        for name in patterns.scales:
            temperature = TEMPERATURES.get(names, {}).get(name.removesuffix("_scale"), 1.0)
            assert scales[name].tolist() == [[np.float32(1 / temperature)]]
        for task in step.tasks:
            assert step[task].abstained == window[task].abstained
            if step[task].confidence is not None:
                assert step[task].confidence == pytest.approx(window[task].confidence, rel=1e-4)
    assert used >= {("ppg", "acc"), ("ppg",), ("acc",)}
    # Before a window is full, what lies before the stream was not observed.
    assert engine.scales[0]["heart_rate_scale"].tolist() == [[1.0]]
    assert engine.scales[3]["heart_rate_scale"].tolist() == [[0.5]]


def test_sensors_of_a_bundle_without_availability(toy_bundle):
    plain = load(toy_bundle)
    values = np.full((3, 50), np.nan, np.float32)
    values[0], values[1, :25] = 1.0, 1.0
    sensors = plain.predict(values).sensors
    assert dataclasses.astuple(sensors["ppg"]) == (1.0, True, None, None)
    assert dataclasses.astuple(sensors["acc"]) == (0.25, True, None, None)
    values[1:] = np.nan
    dead = plain.predict(values).sensors["acc"]
    assert dataclasses.astuple(dead) == (0.0, False, None, "nothing was observed")
    assert plain.sensors == ("ppg", "acc")
