"""Days in, predictions out: what a bundle with tokens computes, and what it refuses."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_day import day_outputs

from onwrist_runtime import InputError, Model, Signal, bundle, load
from onwrist_runtime.chain import Chain
from onwrist_runtime.engines import open_engine
from onwrist_runtime.verify import verify

DAY = 86_400.0
PATCH = 7_200.0
MIDNIGHT = 1_460_419_200.0  # 12 April 2016 in seconds of local time


@pytest.fixture(scope="module", params=["day_bundle", "day_tflite_bundle"])
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def onnx_model(day_bundle) -> Model:
    return load(day_bundle)


def a_day(seed: int = 0, share: float = 0.6) -> np.ndarray:
    """Whole numbers with short gaps and a long one, NaN where nothing was observed."""
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 30, (3, 1440)).astype(np.float32)
    values[draw.random(values.shape) > share] = np.nan
    begin, length = draw.integers(0, 1440, 2)
    values[draw.integers(0, 3), begin : begin + length] = np.nan
    return values


class Counting:
    """An engine that keeps the inputs of every call."""

    def __init__(self, engine) -> None:
        self.engine, self.calls = engine, []
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads

    def run(self, inputs):
        self.calls.append({name: x.copy() for name, x in inputs.items()})
        return self.engine.run(inputs)


def counting(model: Model) -> tuple[Model, dict[str, Counting]]:
    """The model with engines that count, by role."""
    engines = {
        role: Counting(open_engine(model.bundle, model.engine.name, 1, role))
        for role in ("embed", "encode", "decode")
    }
    chain = Chain(model.manifest, *engines.values())
    return dataclasses.replace(model, engine=chain), engines


def test_a_day_is_that_of_the_graphs(model):
    values = a_day()
    seen = ~np.isnan(values)
    prediction = model.predict(values, start=MIDNIGHT + 3 * PATCH)
    expected = day_outputs(np.nan_to_num(values), seen, 3.0)
    np.testing.assert_allclose(prediction.embedding, expected["embedding"][0], rtol=1e-6)
    task, count = prediction["active_minutes"], expected["active_minutes"][0, 0]
    assert (task.value, task.unit, task.abstained) == (count, "min", False)
    assert task.confidence == pytest.approx(expected["active_minutes"][0, 1])
    assert prediction.coverage == pytest.approx(
        dict(zip(model.channels, seen.mean(axis=1), strict=True))
    )
    assert (prediction.start, prediction.end) == (
        MIDNIGHT + 3 * PATCH,
        MIDNIGHT + 3 * PATCH + DAY,
    )
    np.testing.assert_array_equal(prediction.imputed.observed, seen)
    np.testing.assert_array_equal(prediction.imputed.values[seen], values[seen])
    np.testing.assert_allclose(prediction.imputed.values[~seen], expected["imputed"][0][~seen])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 1), clock=st.integers(0, 11))
def test_any_pattern_of_what_is_missing(onnx_model, seed, share, clock):
    values = a_day(seed, share**4)
    seen = ~np.isnan(values)
    prediction = onnx_model.predict(values, start=clock * PATCH)
    expected = day_outputs(np.nan_to_num(values), seen, clock)
    if prediction.embedding is None:
        assert expected["active_minutes"][0, 0] == 0
        assert prediction.imputed is None
        return
    np.testing.assert_allclose(prediction.embedding, expected["embedding"][0], rtol=1e-5)
    np.testing.assert_allclose(
        prediction.imputed.values[~seen], expected["imputed"][0][~seen], rtol=1e-6
    )


def test_the_encoder_takes_the_smallest_size_that_holds_the_tokens(onnx_model):
    counted, engines = counting(onnx_model)
    for patches, size in ((1, 6), (3, 6), (4, 12), (6, 12), (7, 24), (12, 24)):
        values = np.full((3, 1440), np.nan, np.float32)
        values[:, : patches * 120] = 1
        counted.predict(values, start=0)
        call = engines["encode"].calls[-1]
        assert call["tokens"].shape == (1, size, 4)
        slots = [*range(2 * patches), *[-1] * (size - 2 * patches)]
        assert call["slots"].tolist() == [slots]
        assert not call["tokens"][0, 2 * patches :].any()


def test_a_patch_is_a_token_from_least_minutes_on(onnx_model):
    counted, engines = counting(onnx_model)
    values = np.full((3, 1440), np.nan, np.float32)
    values[1, 5] = 1  # activity: one minute of one of its channels is enough
    values[2, 120:149] = 60  # heart rate: 29 minutes are not
    values[2, 240:270] = 60
    counted.predict(values, start=0)
    slots = engines["encode"].calls[0]["slots"]
    assert slots.tolist() == [[0, 5, -1, -1, -1, -1]]


def test_where_there_is_no_token_nothing_is_run(onnx_model):
    counted, engines = counting(onnx_model)
    values = np.full((3, 1440), np.nan, np.float32)
    nothing = counted.predict(values, start=0)
    values[2, :29] = 60.0
    little = counted.predict(values, start=0)
    assert nothing["active_minutes"].reason == "nothing was observed"
    assert little["active_minutes"].reason == "too little was observed"
    for prediction in (nothing, little):
        assert prediction.embedding is None
        assert prediction.imputed is None
    assert not any(engine.calls for engine in engines.values())


def test_a_decoder_runs_only_when_it_is_asked(onnx_model):
    counted, engines = counting(onnx_model)
    assert counted.predict(a_day(), start=0, impute=False).imputed is None
    assert not engines["decode"].calls
    assert counted.predict(a_day(), start=0, impute=True).imputed is not None


def test_the_clock_is_that_of_the_midnight(onnx_model):
    counted, engines = counting(onnx_model)
    values = a_day()
    same = [
        {"start": 5 * PATCH},
        {"start": MIDNIGHT + 5 * PATCH},
        {"start": MIDNIGHT + 5 * PATCH, "midnight": MIDNIGHT - 3 * DAY},
        {"start": MIDNIGHT + 5 * PATCH - 7200, "midnight": -7200},  # UTC, two hours east
        {"start": 1234.5678 - 7 * PATCH, "midnight": 1234.5678},  # since boot
    ]
    results = [counted.predict(values, **options) for options in same]
    assert {float(call["clock"][0, 0]) for call in engines["encode"].calls} == {5.0}
    assert len({prediction.embedding.tobytes() for prediction in results}) == 1
    assert results[4].start == 1234.5678 - 7 * PATCH


def test_days_in_a_batch_and_by_name(onnx_model):
    days = np.stack([a_day(1), a_day(2)])
    batch = onnx_model.predict_batch(days, starts=[0.0, DAY + PATCH], impute=False)
    one = onnx_model.predict(days[1], start=PATCH)
    np.testing.assert_array_equal(batch[1].embedding, one.embedding)
    assert batch[1].imputed is None
    heart = np.repeat(np.arange(60.0, 80.0), 30)  # one and a half samples a minute
    named = onnx_model.predict({"heart_rate": (heart, 1 / 40)}, start=0.0)
    grid = np.full((3, 1440), np.nan, np.float32)
    minute = (np.arange(600) * 40) // 60
    grid[2, :400] = np.bincount(minute, heart) / np.bincount(minute)
    expected = onnx_model.predict(grid, start=0.0)
    np.testing.assert_array_equal(named.imputed.values, expected.imputed.values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "asks for the time of day: say when the window begins by start="),
        ({"start": 1234.0}, r"multiple of 120 minutes after midnight, and start=1234.* 1234 s"),
        ({"start": MIDNIGHT, "midnight": 60.0}, "7140 s past one"),
        ({"start": MIDNIGHT - 60}, "7140 s past one"),
        ({"start": np.float32(0)}, "must be float64"),
        ({"start": 0.0, "midnight": np.inf}, "a time must be finite"),
        ({"start": 0.0, "impute": 1}, "impute must be True, False or None, not 1"),
        ({"start": 0.0, "baseline": np.zeros((3, 2))}, "takes no baseline"),
    ],
)
def test_what_is_refused(onnx_model, options, message):
    with pytest.raises(InputError, match=message):
        onnx_model.predict(a_day(), **options)


@pytest.mark.parametrize("minutes", [1439, 1441, 720])
def test_a_day_that_is_not_a_day(onnx_model, minutes):
    with pytest.raises(InputError, match=f"a day has 1440 minutes, this array has {minutes}"):
        onnx_model.predict(np.zeros((3, minutes), np.float32), start=0.0)


@pytest.mark.parametrize("option", [{"midnight": 0.0}, {"impute": True}, {"impute": False}])
def test_a_bundle_without_tokens_has_no_use_for_them(toy_bundle, option):
    other = load(toy_bundle)
    values = np.zeros((3, 50), np.float32)
    for call in (
        lambda: other.predict(values, **option),
        lambda: other.predict_batch(values[None], **option),
        lambda: other.predict_recording({"ppg": Signal.regular(values[0], 64.0)}, **option),
        lambda: other.stream(**option),
    ):
        with pytest.raises(InputError, match=r"leave out (midnight|impute)"):
            call()


def test_golden_days_go_through_all_graphs_and_several_sizes(model):
    for role in ("embed", "encode", "decode"):
        open_engine(model.bundle, model.engine.name, 1, role)
    report = verify(model.bundle, model.engine)
    assert report.passed
    assert report.windows == 4
    assert list(report.differences) == ["embedding", "active_minutes", "imputed", "tokens"]
    assert report.tolerances.keys() == report.differences.keys()
    assert report.graph.count(",") == 2
    counted, engines = counting(model)
    verify(model.bundle, counted.engine)
    assert {call["slots"].shape[1] for call in engines["encode"].calls} == {6, 12, 24}
    assert len(engines["decode"].calls) == 4


def test_a_bundle_without_a_decoder(day_parts, tmp_path):
    manifest, members = day_parts
    tokens = msgspec.structs.replace(manifest.tokens, interpolated=None)
    limits = {k: v for k, v in manifest.golden.tolerance.items() if k != "imputed"}
    golden = msgspec.structs.replace(manifest.golden, tolerance=limits, loose=limits)
    changed = msgspec.structs.replace(
        manifest, tokens=tokens, golden=golden, graphs=manifest.graphs[:2]
    )
    members = {k: v for k, v in members.items() if not k.startswith("decode")}
    bundle.write(tmp_path / "bare.onwrist", changed, members)
    bare = load(tmp_path / "bare.onwrist")
    prediction = bare.predict(a_day(), start=0.0)
    assert prediction.imputed is None
    assert prediction.embedding is not None
    with pytest.raises(InputError, match=r"toy-day 1\.0 cannot impute: leave out impute"):
        bare.predict(a_day(), start=0.0, impute=True)


def test_an_engine_whose_patches_are_not_those_of_the_day_is_not_believed(onnx_model):
    counted, engines = counting(onnx_model)
    real = engines["embed"].engine

    class Drifts:
        def run(self, inputs):
            off = np.float32(1e-6 * (inputs["values"].shape[2] == 120))
            return {"tokens": real.run(inputs)["tokens"] + off}

    engines["embed"].engine = Drifts()
    report = verify(onnx_model.bundle, counted.engine)
    assert not report.passed
    assert report.differences["tokens"] > 0
    assert report.differences["embedding"] == 0
