"""The day bundle inside the package: each engine proves it, streams equal days, gaps shrink."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onwrist
from onwrist.bundles import find
from onwrist.readers.fitbit_grid import people
from onwrist.simulate import days
from onwrist_runtime import bundle as bundles
from onwrist_runtime.engines import installed

ENGINES = [name for name in ("litert", "onnxruntime") if installed(name)]
DAY = 86_400.0
HEART = 2


@pytest.fixture(scope="module", params=ENGINES)
def model(request: pytest.FixtureRequest) -> onwrist.Model:
    return onwrist.load("day-lsm2", request.param)


def test_it_is_what_it_says(model: onwrist.Model) -> None:
    assert model.channels == ("steps", "intensity", "heart_rate")
    assert model.tasks == ("active_minutes",)
    assert model.window_samples == 1440
    assert model.manifest.tokens.sizes == (36, 72, 108, 144)


def test_every_model_file_is_below_half_a_megabyte() -> None:
    members = bundles.read(find("day-lsm2")).members
    graphs = {n: len(data) for n, data in members.items() if n.endswith(("onnx", "tflite"))}
    assert len(graphs) == 9
    assert max(graphs.values()) < 500_000, graphs


def test_a_stream_of_bursts_gives_the_days_of_a_recording_bit_by_bit(
    model: onwrist.Model,
) -> None:
    signals = days(count=3, seed=3, seconds=True).signals
    whole = list(model.predict_recording(signals))[:2]  # the third may end before midnight
    stream = model.stream(hop=DAY, impute=True, lateness=3600.0)  # an hour at a time
    found = []
    for hour in range(72):
        for name in reversed(signals):
            signal = signals[name]
            first = whole[0].start + 3600.0 * hour
            part = (signal.times >= first) & (signal.times < first + 3600.0)
            found += stream.push(name, signal.times[part], signal.values[part])
        assert stream.counters["steps"].late == 0
    found = found[:2]
    assert [p.start for p in found] == [p.start for p in whole]
    for one, other in zip(found, whole, strict=True):
        assert np.array_equal(one.embedding, other.embedding)
        assert np.array_equal(one.imputed.values, other.imputed.values)
        assert np.array_equal(one.imputed.observed, other.imputed.observed)
        assert one["active_minutes"] == other["active_minutes"]


def test_what_is_real_stays_and_what_is_not_is_plausible(model: onwrist.Model) -> None:
    signals = days(count=1, seed=5).signals
    (day,) = model.predict_recording(signals)
    heart = signals["heart_rate"]
    minutes = np.round((heart.times - day.start) / 60).astype(int)
    real = np.isfinite(heart.values)
    assert np.array_equal(np.flatnonzero(day.imputed.observed[HEART]), minutes[real])
    assert np.array_equal(day.imputed.values[HEART, minutes[real]], heart.values[real])
    imputed = day.imputed.values[HEART, ~day.imputed.observed[HEART]]
    assert len(imputed) > 0
    assert 40 < imputed.min() <= imputed.max() < 180
    assert day.imputed.values[0].min() >= 0


def test_an_hour_of_heart_rate_is_imputed_better_than_by_a_line(
    model: onwrist.Model, shared_data: Path
) -> None:
    """On people who taught it, as it was trained on all: benchmarks/days.py is the judge."""
    draw, model_error, line_error = np.random.default_rng(0), [], []
    teachers = [p for p in people(shared_data / "fitbit_furberg2016") if p.heart_rate == "raw"]
    for person in teachers:
        for first in range(0, person.values.shape[1], 1440):
            values = person.values[:, first : first + 1440].copy()
            known = np.flatnonzero(np.isfinite(values).all(0))
            if len(known) < 1000:
                continue
            gap = int(draw.choice(known[(known > 200) & (known < 1200)])) + np.arange(60)
            truth = values[HEART, gap].copy()
            values[HEART, gap] = np.nan
            there = np.isfinite(truth)
            day = model.predict(values, start=person.start + 60.0 * first)
            seen = np.flatnonzero(np.isfinite(values[HEART]))
            line = np.interp(gap, seen, values[HEART, seen])
            found = day.imputed.values[HEART, gap]
            model_error.append(np.abs(found - truth)[there].mean())
            line_error.append(np.abs(line - truth)[there].mean())
    assert len(model_error) > 20
    assert np.mean(model_error) < 0.8 * np.mean(line_error)
