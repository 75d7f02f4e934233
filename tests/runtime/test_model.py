"""What an app sees: windows, named samples, batches and recordings in, predictions out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toy_graphs import toy_outputs

from onwrist_runtime import InputError, Model, Signal, load

SHAPE = (3, 50)
NAN = st.just(np.nan)


@pytest.fixture(scope="module")
def model(toy_bundle) -> Model:
    return load(toy_bundle)


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    return np.full(SHAPE, 1.0, np.float32)


def same(a, b) -> bool:
    return (
        a.tasks == b.tasks
        and a.coverage == b.coverage
        and np.array_equal(a.embedding, b.embedding)
    )


def test_what_a_model_says_of_itself(model):
    assert (model.name, model.version) == ("toy", "1.0")
    assert model.channels == ("ppg", "acc_x", "acc_y")
    assert (model.rate, model.window_samples) == (25.0, 50)
    assert model.tasks == ("heart_rate", "stress")
    assert model.engine.name == "onnxruntime"
    assert len(model.hash) == 64


@pytest.mark.parametrize("fixture", ["toy_bundle", "toy_tflite_bundle"])
@settings(max_examples=30)
@given(data=st.data())
def test_predictions_are_those_of_the_graph(request, fixture, data):
    model = load(request.getfixturevalue(fixture))
    values = data.draw(hnp.arrays(np.float32, SHAPE, elements=st.floats(-3, 3, width=32)))
    observed = data.draw(hnp.arrays(np.bool_, SHAPE))
    prediction = model.predict(np.where(observed, values, np.nan))
    expected = toy_outputs(values[None], observed[None].astype(np.uint8))
    assert prediction.coverage == pytest.approx(
        dict(zip(model.channels, observed.mean(axis=1), strict=True))
    )
    if not observed.any():
        assert prediction.embedding is None
        return
    np.testing.assert_allclose(prediction.embedding, expected["embedding"][0], atol=1e-4)
    rate = prediction["heart_rate"]
    if not rate.abstained:
        assert rate.value == pytest.approx(expected["heart_rate"][0, 0], abs=1e-3)


@given(
    hidden=hnp.arrays(np.bool_, SHAPE),
    poured=hnp.arrays(
        np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
    ),
)
def test_what_lies_under_unobserved_points_changes_nothing(model, still, hidden, poured):
    clean = model.predict(still, observed=~hidden)
    dirty = model.predict(np.where(hidden, poured, still), observed=~hidden)
    if clean.embedding is None:
        assert dirty.embedding is None
    else:
        assert same(clean, dirty)


def test_nothing_observed_does_not_reach_the_engine(model, still):
    class Untouchable:
        name, graph = "none", "none"

        def run(self, inputs):
            raise AssertionError("the engine was called")

    blind = dataclasses.replace(model, engine=Untouchable())
    for prediction in (
        blind.predict(np.full(SHAPE, np.nan)),
        blind.predict(still, observed=np.zeros(SHAPE, bool)),
        blind.predict({}),
        blind.predict({"ppg": (np.full(50, np.nan), 25.0)}),
    ):
        assert prediction.embedding is None
        assert all(result.abstained for result in prediction.tasks.values())
        assert set(prediction.coverage.values()) == {0.0}


def test_the_engine_sees_zero_where_nothing_was_observed(model):
    class Recorder:
        name, graph = "none", "none"

        def run(self, inputs):
            self.seen = inputs["values"].copy(), inputs["observed"].copy()
            return model.engine.run(inputs)

    engine = Recorder()
    values = np.full(SHAPE, 5.0)
    values[1, 7] = np.nan
    observed = np.ones(SHAPE, bool)
    observed[2, 9] = False
    dataclasses.replace(model, engine=engine).predict(values, observed)
    given_, mask = engine.seen
    assert given_.dtype == mask.dtype == np.float32
    assert given_.shape == mask.shape == (1, 3, 50)
    assert np.argwhere(mask[0] == 0).tolist() == [[1, 7], [2, 9]]
    assert np.argwhere(given_[0] == 0).tolist() == [[1, 7], [2, 9]]


def test_start_and_end(model, still):
    assert model.predict(still).start is model.predict(still).end is None
    prediction = model.predict(still, start=1.6e9 + 0.25)
    assert (prediction.start, prediction.end) == (1.6e9 + 0.25, 1.6e9 + 2.25)
    assert model.predict(still, start=10).end == 12.0
    assert same(model.predict(still, start=1e9), model.predict(still))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (np.float32(1.6e9), "float64, not float32.*128 s"),
        (np.nan, "finite"),
        (np.inf, "finite"),
        (1.6e12, "milliseconds"),
        ("now", "number of seconds"),
        (True, "number of seconds"),
        ([1.0], "number of seconds"),
    ],
)
def test_starts_that_are_no_time(model, still, start, message):
    with pytest.raises(InputError, match=message):
        model.predict(still, start=start)


def test_results_are_frozen_and_named(model, still):
    prediction = model.predict(still)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction.start = 1.0
    with pytest.raises(InputError, match="no task 'pulse'; this model has heart_rate, stress"):
        prediction["pulse"]
    assert prediction.model.name == "toy"
    assert prediction.model.hash == model.hash


def test_the_embedding_is_the_callers_own(model, still):
    first = model.predict(still)
    kept = first.embedding.copy()
    model.predict(still * 3)
    np.testing.assert_array_equal(first.embedding, kept)


# Constant signals and single samples


def test_a_constant_signal(model, still):
    prediction = model.predict(still)
    assert prediction["heart_rate"].value == pytest.approx(70.0, abs=1e-3)
    assert prediction.coverage == {"ppg": 1.0, "acc_x": 1.0, "acc_y": 1.0}


def test_one_sample(model):
    prediction = model.predict({"ppg": ([0.5], 25.0)})
    assert prediction.coverage["ppg"] == 1 / 50
    assert prediction["heart_rate"].reason == "ppg coverage 0.02 is below 0.35"
    np.testing.assert_allclose(prediction.embedding[:3], [0.5, 0, 0], atol=1e-6)


# Samples by name


def test_samples_on_the_grid_by_name_are_the_window(model):
    draw = np.random.default_rng(1)
    values = draw.normal(size=SHAPE).astype(np.float32)
    values[0, 10:14] = np.nan
    by_name = {"ppg": (values[0], 25.0), "acc": (values[1:].T, 25)}
    assert same(model.predict(by_name), model.predict(values))
    assert same(
        model.predict(
            {"acc_y": (values[2], 25), "acc_x": (values[1], 25)} | {"ppg": by_name["ppg"]}
        ),
        model.predict(values),
    )


def test_native_rates_and_missing_names(model):
    times = np.arange(128) / 64
    pulse = 2 + np.sin(2 * np.pi * 1.5 * times)
    prediction = model.predict({"ppg": (pulse, 64.0)}, start=100.0)
    assert prediction.coverage == {"ppg": 1.0, "acc_x": 0.0, "acc_y": 0.0}
    assert prediction["heart_rate"].value == pytest.approx(80.0, abs=0.2)
    assert prediction["stress"].abstained
    assert (prediction.start, prediction.end) == (100.0, 102.0)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"PPG": (np.ones(50), 25)}, "'PPG'; this model knows the channels ppg, acc_x, acc_y"),
        ({"PPG": (np.ones(50), 25)}, "and the sensors ppg, acc$"),
        ({3: (np.ones(50), 25)}, "no channel or sensor 3"),
        ({"ppg": (np.ones(50), 0)}, "'ppg': a rate must be positive"),
        ({"ppg": (np.ones(50), -64.0)}, "'ppg': a rate must be positive"),
        ({"ppg": (np.ones(50), np.nan)}, "'ppg': a rate must be positive"),
        ({"ppg": (np.ones(50), "64")}, "'ppg': a rate must be a number"),
        ({"ppg": np.ones(50)}, "'ppg': give it as a pair"),
        ({"ppg": (np.ones(50),)}, "'ppg': give it as a pair"),
        ({"ppg": (np.full(50, "x"), 25)}, "'ppg': samples must be real numbers"),
        (
            {"ppg": (np.ones((50, 2)), 25)},
            r"'ppg': samples of shape \(50, 2\); it must be \(n,\)",
        ),
        (
            {"acc": (np.ones((50, 3)), 25)},
            r"'acc': samples of shape \(50, 3\); it must be \(n, 2\)",
        ),
        ({"acc": (np.ones(50), 25)}, r"'acc': samples of shape \(50,\); it must be \(n, 2\)"),
        ({"ppg": (np.float32(1), 25)}, r"'ppg': samples of shape \(\)"),
        ({"ppg": (np.array([1, np.inf]), 25)}, "'ppg': sample 1 is inf"),
        (
            {"acc": (np.ones((50, 2)), 25), "acc_x": (np.ones(50), 25)},
            "'acc_x' gives channels that are given by another name",
        ),
        (
            {"ppg": (np.ones(129), 64)},
            r"129 samples at 64 Hz .* one window of 2 s; use predict_rec",
        ),
    ],
)
def test_samples_by_name_that_cannot_be_used(model, named, message):
    with pytest.raises(InputError, match=message):
        model.predict(named)


def test_observed_goes_with_the_grid_only(model):
    with pytest.raises(InputError, match="by NaN"):
        model.predict({"ppg": (np.ones(50), 25)}, observed=np.ones(SHAPE, bool))


@pytest.mark.parametrize("values", [np.ones((2, 50)), np.full(SHAPE, np.inf), "ppg", None])
def test_windows_that_cannot_be_used(model, values):
    with pytest.raises(InputError):
        model.predict(values)


# Baselines


def test_a_baseline_reaches_the_graph_and_is_unknown_otherwise(step_bundle):
    model = load(step_bundle)
    values = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
    seen = np.ones((1, *SHAPE), np.uint8)
    unknown = np.full((3, 2), np.nan)
    known = np.array([[0.5, 1.0], [np.nan, np.nan], [-0.25, 2.0]])
    for baseline, mean in ((None, [0, 0, 0]), (unknown, [0, 0, 0]), (known, [0.5, 0, -0.25])):
        row = np.zeros((1, 3, 3), np.float32)
        row[0, :, 0] = mean
        expected = toy_outputs(values[None], seen, row)["embedding"][0]
        found = model.predict(values, baseline=baseline).embedding
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (
            np.zeros((3, 3)),
            r"baseline is float64 \(3, 3\); it must be mean and scale.*\(3, 2\)",
        ),
        (np.zeros((2, 2)), r"float \(3, 2\)"),
        (np.full((3, 2), np.inf), "finite, or NaN where unknown"),
        ([[0, 1], [0, -1], [0, 1]], "its scale >= 0"),
        ([["a", "b"]] * 3, "it must be mean and scale"),
    ],
)
def test_baselines_that_cannot_be_used(step_bundle, still, baseline, message):
    with pytest.raises(InputError, match=message):
        load(step_bundle).predict(still, baseline=baseline)


def test_a_bundle_without_a_baseline_takes_none(model, still):
    with pytest.raises(InputError, match=r"toy 1\.0 takes no baseline"):
        model.predict(still, baseline=np.zeros((3, 2)))


# Batches


def test_a_batch_is_its_windows(model):
    draw = np.random.default_rng(2)
    values = draw.normal(size=(4, *SHAPE))
    observed = draw.random((4, *SHAPE)) < 0.7
    starts = np.arange(4) * 2.0
    batch = model.predict_batch(values, observed, starts)
    for k, prediction in enumerate(batch):
        assert same(prediction, model.predict(values[k], observed[k]))
        assert prediction.start == starts[k]
    assert len(model.predict_batch(np.ones((0, *SHAPE)))) == 0
    assert same(model.predict_batch(values)[3], model.predict(values[3]))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((np.ones(SHAPE),), r"\(3, 50\); a batch is \(windows, 3, 50\)"),
        ((np.ones((2, 3, 49)),), r"shape \(3, 49\)"),
        ((np.ones((2, *SHAPE)), np.ones(SHAPE, bool)), r"observed has the shape \(3, 50\)"),
        ((np.ones((2, *SHAPE)), None, [0.0]), r"starts has the shape \(1,\)"),
        ((np.ones((2, *SHAPE)), None, np.zeros(2, np.float32)), "float64, not float32"),
        ((np.ones((2, *SHAPE)), [[True], [True, False]]), "observed: not an array"),
        ((np.ones((2, *SHAPE)), None, [[0.0], [1.0, 2.0]]), "times: not an array"),
        ((np.ones((2, *SHAPE)), True), r"observed has the shape \(\)"),
    ],
)
def test_batches_that_cannot_be_used(model, given_, message):
    with pytest.raises(InputError, match=message):
        model.predict_batch(*given_)


# Recordings


def test_a_recording_is_predicted_window_by_window(model):
    start = 1.6e9
    signals = {
        "ppg": Signal.regular(np.ones(64 * 10), 64.0, start),
        "acc_x": Signal.regular(np.ones(32 * 6), 32.0, start),
        "steps": Signal.regular(np.ones(10), 1.0, start),
    }
    predictions = list(model.predict_recording(signals))
    assert [p.start - start for p in predictions] == pytest.approx(np.arange(9) * 1.0, abs=1e-5)
    assert all(p.end == p.start + 2 for p in predictions)
    assert all(p.coverage["ppg"] == 1 for p in predictions)
    assert [p.coverage["acc_x"] for p in predictions[4:]] == pytest.approx(
        [1, 0.5, 0, 0, 0], abs=0.05
    )
    assert predictions[0]["heart_rate"].value == pytest.approx(70, abs=1e-3)
    every = list(model.predict_recording(signals, hop=0.4))
    assert len(every) == 21


@pytest.mark.parametrize("hop", [0, -1.0, np.nan, np.inf, "2"])
def test_hops_that_are_none(model, hop):
    signals = {"ppg": Signal.regular(np.ones(100), 25.0)}
    with pytest.raises(InputError):
        model.predict_recording(signals, hop=hop)


def test_a_recording_without_any_channel_of_the_model(model):
    with pytest.raises(InputError, match="no samples of ppg, acc_x, acc_y among ecg"):
        model.predict_recording({"ecg": Signal.regular(np.ones(100), 25.0)})


@pytest.mark.parametrize("recording", [{"ppg": np.ones(100)}, {"ppg": (np.ones(100), 25)}])
def test_a_recording_is_made_of_signals(model, recording):
    with pytest.raises(InputError, match=r"'ppg' is a .*Signal\.regular\(values, rate\)"):
        model.predict_recording(recording)
    with pytest.raises(InputError, match="signals by channel, not a ndarray"):
        model.predict_recording(np.ones(100))
