"""A bundle is calibrated by the sensors that are there, after quantization, and re-issued."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
import small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onwrist.readers import write_recording
from onwrist.simulate import simulate
from onwrist_export.calibrating import answers as telling
from onwrist_export.calibrating import card
from onwrist_export.calibrating.answers import Answers, Teller
from onwrist_export.calibrating.fit import (
    HOTTEST,
    LEAST_ANSWERED,
    Fitted,
    cautious,
    fit,
    judge,
    said,
)
from onwrist_export.calibrating.people import require_fits, spread
from onwrist_export.calibrating.reissue import Reissued, reissue
from onwrist_export.calibrating.scaled import prepared, subsets
from onwrist_export.cli import main
from onwrist_export.fusion.config import load_fusion_config
from onwrist_export.judging.trust import fit_temperature
from onwrist_export.judging.weighting import even_weights
from onwrist_export.packing.fusion_bundle import describe
from onwrist_export.packing.pack import Description, pack, stages
from onwrist_export.quantization import flatbuffer, network
from onwrist_export.quantization.check import activations, check
from onwrist_export.quantization.litert import LiteRT
from onwrist_export.quantization.parity import TRAINED
from onwrist_export.quantization.qdq import QUANTIZED
from onwrist_export.quantization.quantize import QuantizedModel, quantize, quantize_step
from onwrist_export.windows.grids import Windows
from onwrist_runtime import bundle
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import open_engine, usable
from onwrist_runtime.errors import InputError
from onwrist_runtime.manifest import Baseline, Role
from onwrist_runtime.model import load
from onwrist_runtime.verify import golden_vectors, replay, verify

BUNDLES = Path(__file__).parents[2] / "sdk/onwrist/bundles"
SHARP = 3.0
TOLERANCE = {"heart_rate": 20.0}


def packed(path: Path, sharpness: float = 1.0) -> Bundle:
    """A bundle of windows and steps, whose class task tells its two labels well apart."""
    whole, causal = small.graph(widths=small.WIDTHS, baseline=True), small.causal(baseline=True)
    for graph in (whole, causal):
        graph.classes["stress"].inverse_temperature.fill_(8.0 * sharpness)
        graph.rates["heart_rate"].trust.copy_(sharpness * torch.tensor([0.3, 0.5, 0.2]))
    models: dict[Role, QuantizedModel] = {
        "window": quantize(whole, small.windows(24, baseline=True)),
        "step": quantize_step(causal, small.in_contexts(small.stream(120, baseline=True))),
    }
    held_out = small.windows(24, seed=7, baseline=True)
    judged: dict[Role, Windows] = {
        "window": held_out,
        "step": small.in_contexts(small.stream(240, seed=7, baseline=True)),
    }
    parities = {
        role: check(model, judged[role], small.CHANNELS, small.RATE, small.TASKS, TRAINED)
        for role, model in models.items()
    }
    described = Description(
        name="small",
        version="1.0.0",
        description="A random graph.",
        licence="Apache-2.0",
        rate=small.RATE,
        samples=64,
        channels=small.described_channels(),
        embedding=stages(whole.encoder.config),
        tasks=small.TASKS,
        baseline=Baseline(seconds=600.0, samples=16),
    )
    stream, step = small.stream(40, seed=8, baseline=True), models["step"].step
    pack(path, models, parities, described, held_out, "# small\n", step, stream)
    return bundle.read(path)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return packed(tmp_path_factory.mktemp("small") / "small.onwrist")


@pytest.fixture(scope="module")
def plain(opened: Bundle) -> Bundle:
    return prepared(opened, 0.5)


@pytest.mark.parametrize("role", ["window", "step"])
def test_with_all_scales_1_every_output_and_integer_keeps_its_bits(
    opened: Bundle, plain: Bundle, role: Role
) -> None:
    compared = 0
    for name in ("litert", "onnxruntime"):
        engines = [open_engine(each, name, role=role) for each in (opened, plain)]
        golden = golden_vectors(opened, engines[0])
        count = len(golden["values"])
        ones = {scale: np.ones((count, 1), np.float32) for scale in plain.manifest.scales}
        pairs = zip(
            replay(opened, engines[0], golden),
            replay(plain, engines[1], golden | ones),
            strict=True,
        )
        for before, after in pairs:
            assert before.keys() == after.keys()
            for output, value in before.items():
                assert value.tobytes() == after[output].tobytes()
                compared += 1
    assert compared > 80


def test_with_all_scales_1_the_int8_tensors_are_the_same(opened: Bundle, plain: Bundle) -> None:
    none = onnx.ModelProto()
    golden = golden_vectors(opened, open_engine(opened, "litert"))
    inputs = {n: golden[n][:1].astype(np.float32) for n in opened.manifest.inputs()}
    ones = {scale: np.ones((1, 1), np.float32) for scale in plain.manifest.scales}
    found = []
    for each, given_inputs in ((opened, inputs), (plain, inputs | ones)):
        s8 = onnx.load_from_string(each.members["model.s8.onnx"])
        content = each.members["model.tflite"]
        tensors = activations(QuantizedModel("window", none, none, s8, content), QUANTIZED)
        onnx_runtime = network.session(network.expose(s8, tensors))
        lite = LiteRT(flatbuffer.expose(content, tensors)).run(given_inputs)
        both = network.run(onnx_runtime, given_inputs), lite
        found.append([[run[name] for name in tensors] for run in both])
    assert len(found[0][0]) > 10
    for before, after in zip(*found, strict=True):
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_scale_divides_logits_and_log_odds_and_nothing_else(plain: Bundle) -> None:
    engine = open_engine(plain, "litert")
    shapes = plain.manifest.inputs()
    windows = small.windows(8, seed=3, baseline=True)
    for window in windows.feeds():
        one = {name: np.ones(shapes[name], np.float32) for name in plain.manifest.scales}
        half = {name: scale / 2 for name, scale in one.items()}
        first, second = (dict(engine.run(window | scales)) for scales in (one, half))
        np.testing.assert_array_equal(first["embedding"], second["embedding"])
        assert first["heart_rate"][0, 0] == second["heart_rate"][0, 0]
        logs = [np.log(run["stress"][0]) for run in (first, second)]
        np.testing.assert_allclose(np.diff(logs[0]), 2 * np.diff(logs[1]), rtol=1e-3, atol=1e-5)
        confidence = [run["heart_rate"][0, 1] for run in (first, second)]
        if confidence[0]:
            odds = [np.log(c) - np.log1p(-c) for c in confidence]
            assert odds[0] == pytest.approx(2 * odds[1], rel=1e-3, abs=1e-5)


@pytest.fixture(scope="module")
def labelled(opened: Bundle) -> Windows:
    """Windows of six people, labelled as often as the bundle says that they are."""
    windows = small.windows(360, seed=11, baseline=True)
    windows = replace(windows, observed=np.ones_like(windows.observed))
    windows = replace(windows, baseline=np.zeros_like(windows.baseline))
    engine = open_engine(opened, "litert")
    outputs = [engine.run(feed) for feed in windows.feeds()]
    draw = np.random.default_rng(5)
    stressed = np.array([out["stress"][0, 1] for out in outputs])
    value, sure = np.array([out["heart_rate"][0] for out in outputs]).T
    off = np.where(draw.random(len(value)) < sure, 5.0, 40.0)
    targets = {
        "stress": (draw.random(len(value)) < stressed).astype(float),
        "heart_rate": value + off * draw.choice([-1, 1], len(value)),
    }
    people = np.array([f"S{k % 6}" for k in range(len(value))])
    return replace(windows, targets=targets, subjects=people)


@pytest.mark.parametrize("sharpness", [1.0, SHARP])
def test_the_temperature_takes_back_what_a_bundle_says_too_much(
    opened: Bundle,
    labelled: Windows,
    tmp_path: Path,
    sharpness: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "SHARES", (0.0,))
    other = opened if sharpness == 1 else packed(tmp_path / "sharp.onwrist", sharpness)
    teller = Teller(prepared(other, 0.5), TOLERANCE)
    every, found = next(teller.answers({"window": labelled}))
    assert every == small.CHANNELS
    stress = fit("stress", every, found["stress"], 0.1)
    assert not stress.reason
    assert stress.temperature == pytest.approx(sharpness, rel=0.25)
    before = judge(found["stress"], replace(stress, temperature=1.0))
    after = judge(found["stress"], stress)
    assert after.debiased <= after.floor + 0.05
    if sharpness > 1:
        assert after.debiased < before.debiased - 0.05


def test_answers_are_of_windows_in_which_just_these_sensors_are_live(plain: Bundle) -> None:
    windows = small.windows(60, seed=2, baseline=True)
    windows = replace(windows, observed=np.ones_like(windows.observed))
    told = dict(Teller(plain, TOLERANCE).answers({"window": windows}))
    assert list(told) == subsets(plain.manifest)
    for sensors, found in told.items():
        assert set(found["stress"].missing) == {0.0, 0.25, 0.5}  # of 0.75 none is left
        assert len(found["stress"]) == 3 * len(windows)
        assert bool(len(found["heart_rate"])) == ("ppg" in sensors)


def made(
    count: int, people: int, seed: int = 0, sharp: float = 1.0, rate: bool = False
) -> Answers:
    """Answers that are right as often as they say, but for their sharpness."""
    draw = np.random.default_rng(seed)
    margin = 2 * draw.normal(size=count)
    truth = (draw.random(count) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    missing = np.arange(count) % 4 / 4
    target = draw.uniform(50, 120, count)
    return Answers(
        np.column_stack([np.zeros(count), sharp * margin]),
        truth,
        np.array([f"S{k % people}" for k in range(count)]),
        missing,
        target + np.where(truth == 1, 1.0, 8.0),
        target,
        rate,
    )


def joined(first: Answers, second: Answers) -> Answers:
    return telling._together([first, second])


def alone(answers: Answers, person: str) -> Answers:
    return answers.select(answers.subjects == person)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_every_person_counts_the_same_however_many_windows_they_have(
    seed: int, times: int
) -> None:
    once = made(300, 3, seed, sharp=2.0)
    more = once
    for _ in range(times):
        more = joined(more, alone(once, "S1"))
    # A risk that no share of windows is, so that no rounding decides what is within it.
    risk = 1 / np.pi**2
    first, second = (fit("stress", ("ppg",), each, risk) for each in (once, more))
    assert first.reason == second.reason == ""
    assert first.temperature == pytest.approx(second.temperature, rel=1e-2)
    assert first.minimum == pytest.approx(second.minimum, abs=0.01)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_nobody_is_told_more_than_without_any_one_person(seed: int, people: int) -> None:
    answers = made(400, people, seed)
    bold = answers.subjects == "S1"  # who is overrated by far
    answers = replace(
        answers, logits=np.where(bold[:, None], 4 * answers.logits, answers.logits)
    )
    found = cautious(answers)
    for person in answers.people:
        rest = answers.select(answers.subjects != person)
        without = fit_temperature(rest.logits, rest.truth, even_weights(rest.subjects))
        assert found >= min(without, HOTTEST) - 1e-6


@settings(max_examples=15)
@given(st.integers(0, 1000), st.floats(0.02, 0.4))
def test_a_class_task_keeps_the_wanted_risk_or_answers_the_surer_half(
    seed: int, risk: float
) -> None:
    answers = made(400, 4, seed)
    found = fit("stress", ("ppg",), answers, risk)
    told = judge(answers, found)
    assert told.answered >= LEAST_ANSWERED - 1e-9
    # rounding a threshold down may let in a window or two
    assert told.risk <= risk + 0.01 or told.answered <= LEAST_ANSWERED + 0.02


def test_a_rate_is_never_made_surer_and_may_go_unanswered_as_its_training_says() -> None:
    shy = made(800, 4, sharp=0.4, rate=True)
    found = fit("heart_rate", ("ppg",), shy, 0.1)
    assert found.temperature == 1.0
    bold = made(800, 4, sharp=3.0, rate=True)
    found = fit("heart_rate", ("ppg",), bold, 0.1)
    assert found.temperature == pytest.approx(3.0, rel=0.2)
    confidence, _ = said(bold, found.temperature)
    unanswered = confidence < found.minimum
    for share, most in {0.0: 0.05, 0.25: 0.10, 0.5: 0.20, 0.75: 0.40}.items():
        assert unanswered[bold.missing == share].mean() <= most


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (None, "no labelled window"),
        (made(90, 1), "of 1 person only"),
        (made(20, 2), "20 labelled windows only"),
        (replace(made(90, 3), truth=np.zeros(90, np.int64)), "windows of one label only"),
        (replace(made(90, 3), logits=np.zeros((90, 2))), "is not below the"),
        (
            replace(made(90, 3, rate=True), value=np.full(90, 300.0)),
            "is not below the .* of a constant",
        ),
    ],
)
def test_what_cannot_be_calibrated_abstains_with_its_reason(
    answers: Answers | None, reason: str
) -> None:
    if answers is not None and not answers.logits.any():
        # labels of which one is rarer, and an answer that knows nothing of them
        answers = replace(answers, truth=(np.arange(90) % 5 == 0).astype(np.int64))
    found = fit("stress", ("eda",), answers, 0.1)
    assert found.temperature is None
    assert found.minimum is None
    assert re.search(reason, found.reason)


def fitted(opened: Bundle) -> list[Fitted]:
    """Temperatures of all patterns, but no stress where eda is not."""
    found = []
    for k, sensors in enumerate(subsets(opened.manifest)):
        temperature = 1.0 + k / 4
        if "ppg" in sensors:
            found.append(Fitted("heart_rate", sensors, temperature, 0.3))
        if "eda" in sensors:
            found.append(Fitted("stress", sensors, temperature, 0.55))
        else:
            found.append(Fitted("stress", sensors, None, None, "no labelled window"))
    return found


@pytest.fixture(scope="module")
def issued(opened: Bundle, plain: Bundle) -> Reissued:
    return reissue(opened, plain, fitted(opened))


def test_the_written_bundle_verifies_and_abstains_where_nothing_was_fitted(
    opened: Bundle, issued: Reissued, tmp_path: Path
) -> None:
    path = tmp_path / "again.onwrist"
    issued.write(path, "# small\n", issued.parities)
    again = bundle.read(path)
    assert issued.changed == ("window", "step")
    assert {"litert", "onnxruntime"} <= set(usable(again))
    for engine in usable(again):
        for role in ("window", "step"):
            assert verify(again, open_engine(again, engine, role=role)).passed
    values = np.full((3, 64), np.nan, np.float32)
    values[2] = np.sin(np.arange(64))
    found = load(path).predict(values)
    assert found["stress"].reason == "not calibrated for temp alone"
    values[0] = np.sin(np.arange(64) / 2)
    prediction = load(path).predict(values)
    assert prediction["heart_rate"].confidence is not None
    assert prediction["stress"].reason == "not calibrated for ppg and temp alone"
    assert [p.name for p in tmp_path.iterdir()] == ["again.onwrist"]


def test_golden_windows_hold_every_pattern_that_is_listed(issued: Reissued) -> None:
    availability = issued.manifest.availability
    assert availability is not None
    vectors = safetensors.numpy.load(issued.members[issued.manifest.golden.file])
    live = vectors["observed"].mean(axis=2) >= availability.least
    there = {tuple(np.array(small.CHANNELS)[row].tolist()) for row in live}
    assert {pattern.sensors for pattern in availability.patterns} <= there
    assert issued.manifest.golden.windows == len(live)


def test_a_bundle_that_takes_scales_is_calibrated_again_without_new_graphs(
    opened: Bundle, issued: Reissued, tmp_path: Path
) -> None:
    path = tmp_path / "again.onwrist"
    issued.write(path, "# small\n", issued.parities)
    first = bundle.read(path)
    again = reissue(first, prepared(first, 0.4), fitted(opened))
    assert again.changed == ()
    again.write(path, "# small\n", again.parities)
    second = bundle.read(path)
    for name in ("model.tflite", "step.s8.onnx", "parity.json"):
        assert second.members[name] == first.members[name]
    assert second.manifest.availability is not None
    assert second.manifest.availability.least == 0.4
    assert verify(second, open_engine(second, "litert")).passed


def test_a_card_is_renewed_once_however_often_a_bundle_is(issued: Reissued) -> None:
    before = (
        "# small 1.0.0\n\nWhat it is.\n\n## Output\n\n"
        "- `heart_rate`: bpm. It answers given ppg coverage from 0.12, confidence from 0.843.\n"
        "- `stress`: rest or stress. It answers given one channel covered from 0.5.\n\n"
        "## How it was made\n\n```\nonwrist-export pack x\n```\n\nSeed 7.\n\n"
        "## INT8\n\nold figures\n\n## While running\n\nBadly.\n\n## Configuration\n\n```json\n"
        '{"caveats": "## no heading"}\n```\n'
    )
    found = before
    for turn in ("first", "second"):
        found = card.renewed(
            found,
            f"{card.HEADING}\n\n{turn}",
            f"onwrist-export calibrate {turn}",
            "## INT8\n\nnew figures",
            issued.manifest,
        )
    assert found.count(card.HEADING) == 1
    assert "first" not in found
    assert "old figures" not in found
    assert "confidence from 0.843" not in found
    assert found.count(card.ASKED) == 2
    assert "```\nonwrist-export pack x\nonwrist-export calibrate second\n```" in found
    headings = [line for line in found.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Output",
        "## How it was made",
        card.HEADING,
        "## INT8",
        "## While running",
        "## Configuration",
    ]


def test_people_give_as_many_windows_as_each_other_spread_over_all_they_have() -> None:
    windows = small.windows(90)
    few = spread(windows, 10)
    _, counts = np.unique(few.subjects, return_counts=True)
    assert counts.tolist() == [10, 10, 10]
    assert few.elapsed.min() < 5
    assert few.elapsed.max() > 84


def test_a_configuration_of_several_sensors_fits_its_own_bundle_only() -> None:
    config = load_fusion_config()
    manifest = describe(config)
    require_fits(config, manifest)
    with pytest.raises(InputError, match=r"wrist_acc_x .* and in the bundle ppg of ppg"):
        require_fits(config, bundle.read(BUNDLES / "wrist-himae.onwrist").manifest)


def test_a_bundle_of_fused_sensors_is_calibrated_in_all_of_its_patterns(
    fusion_bundle: Path, tmp_path: Path
) -> None:
    fused = bundle.read(fusion_bundle)
    manifest, draw = fused.manifest, np.random.default_rng(3)
    count, shape = 40, (len(manifest.channels), manifest.samples)
    values = draw.integers(-3, 4, (count, *shape)).astype(np.float32)
    windows = Windows(
        values,
        np.ones(values.shape, bool),
        np.zeros(count),
        np.array([f"S{k % 2}" for k in range(count)]),
        {
            "activity": draw.integers(0, 3, count).astype(float),
            "effort": np.full(count, np.nan),
        },
    )
    told = dict(Teller(prepared(fused, 0.5), {"effort": 1.0}).answers({"window": windows}))
    assert len(told) == 15
    assert all(len(found["activity"]) >= count for found in told.values())
    assert not any(len(found["effort"]) for found in told.values())
    fitted = [
        Fitted("activity", sensors, 0.5 + k / 10, 0.4)
        for k, sensors in enumerate(subsets(manifest))
        if sensors != ("ankle",)
    ]
    again = reissue(fused, prepared(fused, 0.5), fitted)
    assert again.changed == ()
    path = tmp_path / "fused.onwrist"
    again.write(path, "# toy\n", again.parities)
    written = bundle.read(path)
    assert written.manifest.availability is not None
    assert len(written.manifest.availability.patterns) == 14
    assert verify(written, open_engine(written, "onnxruntime")).passed
    only = np.zeros(shape, bool)
    only[manifest.rows("ankle"), :] = True
    prediction = load(path).predict(values[0], only)
    assert prediction["activity"].reason == "not calibrated for ankle alone"
    assert prediction["effort"].abstained


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated wearers with the names of people that configurations split by."""
    folder = tmp_path_factory.mktemp("recordings")
    for seed, name in enumerate(["S02", "S14", "S27", "S06"]):
        recording = simulate(seconds=80, seed=seed, dropout=None, dies={})
        write_recording(replace(recording, name=name, subject=name), folder)
    return folder


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["wrist-himae-small", "--subjects", "S02", "S06"], "S06 are kept for tests"),
        (["wrist-himae-small", "--subjects", "S99"], "none of the people S99; they are of S02"),
        (["body-fusion"], "is not of the bundle wrist-himae-small"),
        (["nothing.toml"], "cannot read configuration nothing.toml"),
        (["wrist-himae-small", "--least", "0"], "0 is not above 0"),
        (["wrist-himae-small", "--risk", "1.5"], "1.5 is not above 0 and at most 1"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line_and_nothing_is_written(
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    output = tmp_path / "out.onwrist"
    asked = [str(BUNDLES / "wrist-himae-small.onwrist"), str(recordings), "-o", str(output)]
    try:
        code = main(["calibrate", *asked, "--config", *options])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_of_days_and_recordings_of_others_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recording(replace(simulate(20, seed=1), name="x", subject="S01"), tmp_path)
    output = tmp_path / "out.onwrist"
    for name, why in (
        ("day-lsm2", "is a model of days"),
        ("wrist-himae-small", "none of the validation people S02, S14, S27"),
    ):
        asked = [str(BUNDLES / f"{name}.onwrist"), str(tmp_path), "-o", str(output)]
        assert main(["calibrate", *asked, "--config", "wrist-himae-small"]) == 2
        assert why in capsys.readouterr().err
        assert not output.exists()


@pytest.mark.slow
def test_the_command_calibrates_a_shipped_bundle_on_recordings(
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "SHARES", (0.0, 0.5))
    output = tmp_path / "out.onwrist"
    asked = [str(BUNDLES / "wrist-himae-small.onwrist"), str(recordings), "-o", str(output)]
    options = ["--config", "wrist-himae-small", "--least", "0.4"]
    assert main(["calibrate", *asked, *options]) == 0
    assert "heart_rate, ppg + acc + eda + temp: temperature" in capsys.readouterr().out
    again = bundle.read(output)
    assert again.manifest.availability is not None
    assert again.manifest.availability.least == 0.4
    assert verify(again, open_engine(again)).passed
    text = again.members["CARD.md"].decode()
    assert text.count(card.HEADING) == 1
    assert "Judged on S06:" in text
