"""The wrist bundles inside the package: they load by name, and read a simulated wrist."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import onwrist
from onwrist.commands.demo import heart_rate_error
from onwrist.recording import Recording
from onwrist.simulate import simulate
from onwrist_runtime.engines import installed

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=["wrist-himae", "wrist-himae-small"])
def model(request: pytest.FixtureRequest) -> onwrist.Model:
    return onwrist.load(request.param)


def test_the_default_is_found_by_name_too() -> None:
    assert onwrist.load("wrist-himae").hash == onwrist.load().hash


def test_both_read_the_same_sensors(model: onwrist.Model) -> None:
    assert model.channels == ("ppg", "acc_x", "acc_y", "acc_z", "eda", "temp")
    assert model.tasks == ("heart_rate", "stress")
    assert (model.rate, model.window_samples) == (25.0, 256)


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(onwrist.BundleError, match=r"nobody.*there are: .*wrist-himae"):
        onwrist.load("nobody")


@pytest.mark.parametrize("name", [3, b"x", "a\0b.onwrist", "a\0b"])
def test_what_cannot_be_a_name_or_path_is_refused(name: object) -> None:
    with pytest.raises(onwrist.BundleError):
        onwrist.load(name)  # type: ignore[arg-type]


def test_heart_rate_of_simulated_wearers_is_read(model: onwrist.Model) -> None:
    errors = []
    for seed in range(6):
        recording = simulate(seed=seed)
        errors.append(
            heart_rate_error(recording, list(model.predict_recording(recording.signals)))
        )
    assert None not in errors
    assert np.median(np.array(errors, float)) < 4


def test_a_stream_runs_in_steps_and_reads_the_heart_rate(model: onwrist.Model) -> None:
    recording = simulate(seed=2)
    stream = model.stream()
    assert (stream.mode, stream.hop) == ("step", 1.28)
    predictions = [*stream.push_recording(recording.signals), *stream.flush()]
    error = heart_rate_error(recording, predictions)
    assert error is not None
    assert error < 4


def test_a_stream_goes_on_in_another_engine_with_the_same_bytes(
    model: onwrist.Model, simulated: Recording
) -> None:
    if not (installed("litert") and installed("onnxruntime")):
        pytest.skip("needs both engines")
    first, second = (
        onwrist.load(model.name, engine=name) for name in ("litert", "onnxruntime")
    )
    halves = [
        {
            name: onwrist.Signal(s.values[part], s.times[part], s.rate)
            for name, s in simulated.signals.items()
            for part in [(s.times < middle) if early else (s.times >= middle)]
        }
        for middle, early in ((40.0, True), (40.0, False))
    ]
    one = first.stream()
    list(one.push_recording(halves[0]))
    other = second.restore_stream(one.save())
    alike = list(
        zip(one.push_recording(halves[1]), other.push_recording(halves[1]), strict=True)
    )
    assert len(alike) > 10
    for a, b in alike:
        assert a.embedding is not None
        assert b.embedding is not None
        assert a.embedding.tobytes() == b.embedding.tobytes()


def test_no_heart_rate_is_made_up_while_ppg_is_silent(
    model: onwrist.Model, simulated: Recording
) -> None:
    predictions = list(model.predict_recording(simulated.signals))
    silent = [x for x in predictions if x.coverage["ppg"] == 0]
    assert silent
    for prediction in silent:
        assert prediction["heart_rate"].abstained
        assert prediction["heart_rate"].value is None
        assert "ppg" in (prediction["heart_rate"].reason or "")
    answered = [
        x for x in predictions if x.coverage["ppg"] == 1 and not x["heart_rate"].abstained
    ]
    assert len(answered) >= 10


def test_the_example_on_one_window_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "predict_on_window.py"), run_name="__main__")
    said = capsys.readouterr().out
    for word in ("every sensor: coverage of ppg", "ppg alone", "heart_rate: abstained, ppg"):
        assert word in said


def test_the_example_of_a_stream_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "stream.py"), run_name="__main__")
    said = capsys.readouterr().out
    for word in ("heart rate", "went on from", "ppg: ", "twice", "never comes"):
        assert word in said
