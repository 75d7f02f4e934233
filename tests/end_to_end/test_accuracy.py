"""The shipped bundle on people it never saw: as accurate as the README says, or this fails."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import onnx
import pytest

import onwrist
from onwrist.simulate import simulate
from onwrist_export.calibrating.asked import least_confidence, scaled
from onwrist_export.config import Config, load_config
from onwrist_export.judging.baselines import fft_rate, lomb_scargle_rate
from onwrist_export.judging.evaluate import Predictor, RateRow, rate_table
from onwrist_export.learning.calibrate import RateRules
from onwrist_export.quantization.parity import TRAINED, Parity
from onwrist_export.quantization.stepwise import stepwise
from onwrist_export.windows.damage import first_channel_missing
from onwrist_export.windows.grids import (
    Grid,
    Run,
    Windows,
    cut_windows,
    of_subjects,
    run_all,
    to_grid,
    window_targets,
)
from onwrist_export.windows.pulseless import pulseless
from onwrist_runtime.engines import installed, open_engine
from onwrist_runtime.manifest import Role

# Share of ppg missing -> mean absolute error in bpm over all windows, share unanswered.
BOUNDS = {0.0: (0.5, 0.05), 0.25: (0.9, 0.10), 0.5: (1.65, 0.20), 0.75: (3.2, 0.40)}
STEP_BOUNDS = {0.0: (0.6, 0.05), 0.25: (1.05, 0.10), 0.5: (1.75, 0.20), 0.75: (3.7, 0.40)}


@pytest.fixture(scope="module")
def grids(shared_data: Path) -> list[Grid]:
    """The five test subjects."""
    config = load_config()
    folder = shared_data / "stress_predict_e4"
    recordings = [onwrist.readers.read(folder / f"{s}.npz") for s in config.split.test]
    return [to_grid(recording, config) for recording in recordings]


@pytest.fixture(scope="module")
def windows(grids: list[Grid]) -> Windows:
    """Their labelled windows."""
    return cut_windows(grids, load_config(), 64).labelled("heart_rate")


@pytest.fixture(scope="module")
def windows_in_streams(grids: list[Grid]) -> Windows:
    """The same windows with what came before them."""
    return cut_windows(grids, load_config().causal, 64).labelled("heart_rate")


def shipped(run: Run) -> Predictor:
    """A graph of the default bundle as a host runs it.

    The confidence of a heart rate is what it has beyond that which its live sensors ask for.
    """
    manifest = onwrist.load().manifest

    def predict(windows: Windows) -> dict[str, np.ndarray]:
        outputs = run_all(run, scaled(windows, manifest))
        outputs["heart_rate"][:, 1] -= least_confidence(windows, manifest, "heart_rate")
        return outputs

    return predict


def rates(predict: Predictor, windows: Windows, share: float) -> dict[str, RateRow]:
    """What is reached with a share of ppg missing, by method."""
    task = next(t for t in onwrist.load().manifest.tasks if t.name == "heart_rate")
    rules = RateRules(task.required["ppg"], 0.0)
    rate_task = load_config().task("heart_rate")
    rows = rate_table({"onwrist": predict}, windows, rate_task, rules, 79.0, 25.0, (share,))
    return {row.method: row for row in rows}


@pytest.mark.parametrize("share", BOUNDS)
def test_heart_rate_keeps_its_bounds_and_beats_the_spectra(
    windows: Windows, share: float
) -> None:
    found = rates(shipped(onwrist.load().engine.run), windows, share)
    error, abstained = BOUNDS[share]
    assert found["onwrist"].every.pooled <= error
    assert found["onwrist"].abstained <= abstained
    assert found["onwrist"].every.pooled < found["FFT peak"].every.pooled
    assert found["onwrist"].every.pooled < found["Lomb-Scargle"].every.pooled


@pytest.mark.parametrize("share", STEP_BOUNDS)
def test_heart_rate_in_steps_keeps_its_bounds(
    windows_in_streams: Windows, share: float
) -> None:
    model = onwrist.load()
    engine = open_engine(model.bundle, role="step")
    graph = onnx.load_from_string(model.bundle.members["step.s8.onnx"])
    few = windows_in_streams.select(np.arange(0, len(windows_in_streams), 2))
    found = rates(shipped(stepwise(engine.run, graph)), few, share)
    error, abstained = STEP_BOUNDS[share]
    assert found["onwrist"].every.pooled <= error
    assert found["onwrist"].abstained <= abstained
    assert found["onwrist"].every.pooled < found["Lomb-Scargle"].every.pooled


@pytest.mark.parametrize(("mode", "bound"), [("step", 0.6), ("window", 0.5)])
def test_a_recording_that_is_streamed_keeps_the_bound(
    shared_data: Path, grids: list[Grid], mode: Literal["step", "window"], bound: float
) -> None:
    model = onwrist.load()
    recording = onwrist.readers.read(shared_data / "stress_predict_e4" / "S31.npz")
    stream = model.stream(mode=mode, hop=2.56)
    predictions = [*stream.push_recording(recording.signals), *stream.flush()]
    starts = np.array([p.start for p in predictions])
    (grid,) = of_subjects(grids, ["S31"])
    true = window_targets(grid, load_config().task("heart_rate"), starts, 10.24)
    said = np.array([p["heart_rate"].value or np.nan for p in predictions])
    known = ~np.isnan(true)
    assert np.isnan(said[known]).mean() <= 0.05
    assert np.nanmean(np.abs(said - true)[known]) <= bound


@pytest.mark.parametrize("share", [0.95, 1.0])
def test_it_abstains_where_a_constant_would_do_as_well(windows: Windows, share: float) -> None:
    model = onwrist.load()
    damaged = first_channel_missing(windows, share, 25.0)
    every_tenth = range(0, len(damaged), 10)
    results = [model.predict(damaged.values[k], damaged.observed[k]) for k in every_tenth]
    assert all(r["heart_rate"].abstained for r in results)
    assert all("ppg coverage" in str(r["heart_rate"].reason) for r in results)


def test_heart_rate_needs_no_channel_but_ppg(windows: Windows) -> None:
    kept = np.ones(windows.values.shape, bool)
    kept[:, 1:] = False
    outputs = shipped(onwrist.load().engine.run)(windows.without(kept))
    value = outputs["heart_rate"][:, 0]
    assert np.abs(value - windows.targets["heart_rate"]).mean() <= BOUNDS[0.0][0]


def test_engines_decide_alike(windows: Windows) -> None:
    if not (installed("litert") and installed("onnxruntime")):
        pytest.skip("needs both engines")
    few = first_channel_missing(windows.select(np.arange(0, len(windows), 20)), 0.5, 25.0)
    models = [onwrist.load(engine=name) for name in ("litert", "onnxruntime")]
    for values, observed in zip(few.values, few.observed, strict=True):
        first, second = (m.predict(values, observed) for m in models)
        for task in models[0].tasks:
            assert first[task].abstained == second[task].abstained
            assert first[task].label == second[task].label
            if first[task].value is not None:
                assert first[task].value == pytest.approx(second[task].value, abs=1e-2)


def test_baselines_are_as_good_as_published(windows: Windows) -> None:
    # an FFT peak is within 1.3 bpm of clean windows; a broken baseline would flatter us
    ppg, seen = windows.values[:, 0], windows.observed[:, 0]
    true = windows.targets["heart_rate"]
    assert np.abs(fft_rate(ppg, seen, 25.0) - true).mean() < 1.6
    assert np.abs(lomb_scargle_rate(ppg, seen, 25.0) - true).mean() < 1.4


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("level", [0.0, 5.0, -120.0])
def test_a_stuck_sensor_has_no_heart_rate(level: float, everything: bool) -> None:
    values = np.full((6, 256), level if everything else np.nan, np.float32)
    values[0] = level
    found = onwrist.load().predict(values)["heart_rate"]
    assert found.abstained
    assert found.confidence == 0.0


def test_a_sensor_that_sticks_in_a_stream_has_no_heart_rate_from_then_on() -> None:
    ppg = simulate(seconds=60, seed=3).signals["ppg"]
    stuck = np.where(ppg.times < 30, ppg.values, 5.0)
    stream = onwrist.load().stream(mode="step")
    predictions = [*stream.push("ppg", ppg.times, stuck), *stream.flush()]
    assert any(not p["heart_rate"].abstained for p in predictions)
    after = [p["heart_rate"] for p in predictions if p.start is not None and p.start > 30.5]
    assert after
    assert all(result.abstained for result in after)


def test_noise_drift_and_breathing_have_no_heart_rate() -> None:
    silent = pulseless(np.random.default_rng(99), 400, 256, 25.0)
    model = onwrist.load()
    values = np.full((6, 256), np.nan, np.float32)
    answered = 0
    for ppg in silent:
        values[0] = ppg
        answered += not model.predict(values)["heart_rate"].abstained
    assert answered / len(silent) <= 0.05


def test_the_card_states_the_configuration_and_every_section() -> None:
    card = onwrist.load().bundle.members["CARD.md"].decode()
    said = card[card.index("## Configuration") :].split("```json")[1].split("```")[0]
    assert msgspec.json.decode(said.encode(), type=Config) == load_config()
    for heading in (
        "## Before you trust it",
        "## What is missing, as encoder input",
        "## Probes by resolution",
        "## Does pretraining help?",
        "## While running",
    ):
        assert heading in card


def test_the_shipped_parity_keeps_its_limits() -> None:
    record = onwrist.load().bundle.members["parity.json"]
    parities = msgspec.json.decode(record, type=dict[Role, Parity])
    assert parities.keys() == {"window", "step"}
    for parity in parities.values():
        assert parity.limits == TRAINED
        assert parity.failures == ()
