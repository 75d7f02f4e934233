"""How long each call of the runtime takes, with pytest-benchmark, on one pinned core.

    python -m pytest benchmarks/test_latency.py
    python -m pytest benchmarks/test_latency.py --benchmark-autosave --benchmark-compare

The second command keeps each run, and compares it with the one before: for changes of
the code. Engines are compared by race.py, where they take turns.
"""

from __future__ import annotations

import numpy as np
import pytest
from common import inputs, pin, window
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import onwrist
from onwrist.simulate import RATES, simulate
from onwrist_runtime.engines import installed
from onwrist_runtime.signals import Signal, resample
from onwrist_runtime.verify import verify

ENGINES = ("litert", "onnxruntime", "tflite-runtime")


@pytest.fixture(scope="module", autouse=True)
def one_core() -> None:
    pin()


@pytest.fixture(params=ENGINES)
def model(request: pytest.FixtureRequest) -> onwrist.Model:
    """The shipped bundle in each engine that is installed."""
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    return onwrist.load(engine=request.param)


@pytest.fixture
def values(model: onwrist.Model) -> NDArray[np.float32]:
    return window(model)


@pytest.fixture(scope="module")
def native() -> dict[str, tuple[NDArray[np.float32], float]]:
    """One window of every sensor at its own rate."""
    signals = simulate(seconds=11, dropout=None, dies={}).signals
    samples = {name: signals[name].values[: int(10.24 * RATES[name])] for name in signals}
    acc = np.stack([samples.pop(f"acc_{axis}") for axis in "xyz"], axis=1)
    return {name: (array, RATES[name]) for name, array in samples.items()} | {
        "acc": (acc, RATES["acc_x"])
    }


def test_engine_alone(benchmark: BenchmarkFixture, model: onwrist.Model) -> None:
    benchmark(model.engine.run, inputs(model))


def test_predict(
    benchmark: BenchmarkFixture, model: onwrist.Model, values: NDArray[np.float32]
) -> None:
    prediction = benchmark(model.predict, values)
    assert set(prediction.coverage.values()) == {1.0}


def test_predict_with_missing_samples(
    benchmark: BenchmarkFixture, model: onwrist.Model, values: NDArray[np.float32]
) -> None:
    values = values.copy()
    values[0, 50:125] = np.nan
    values[-1] = np.nan
    prediction = benchmark(model.predict, values)
    assert prediction.coverage["ppg"] < 1


def test_predict_by_name_at_native_rates(
    benchmark: BenchmarkFixture,
    model: onwrist.Model,
    native: dict[str, tuple[NDArray[np.float32], float]],
) -> None:
    prediction = benchmark(model.predict, native)
    assert min(prediction.coverage.values()) > 0.95


def test_predict_batch_of_32(
    benchmark: BenchmarkFixture, model: onwrist.Model, values: NDArray[np.float32]
) -> None:
    assert len(benchmark(model.predict_batch, np.stack([values] * 32))) == 32


def test_load_again(benchmark: BenchmarkFixture, model: onwrist.Model) -> None:
    """Without the proof of the first load in a process, which `verify` is; see lean.py."""
    benchmark(onwrist.load, engine=model.engine.name)


def test_verify(benchmark: BenchmarkFixture, model: onwrist.Model) -> None:
    assert benchmark(verify, model.bundle, model.engine).passed


def test_resample_one_window(
    benchmark: BenchmarkFixture, native: dict[str, tuple[NDArray[np.float32], float]]
) -> None:
    """ppg, from 64 Hz to the model's grid."""
    signal = Signal.regular(*native["ppg"])
    _, observed = benchmark(resample, signal, 25.0, 0, 256)
    assert observed.all()
