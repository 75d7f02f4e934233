"""Four sensors in, predictions out: which encoders run, what counts, and what is restored."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from toy_fusion import CHANNELS, SAMPLES, SENSORS, SUBSETS, fusion_outputs, fusion_window

from onwrist_runtime import BundleError, InputError, Model, Signal, bundle, load, predictor
from onwrist_runtime.engines import open_engine
from onwrist_runtime.ensemble import Ensemble
from onwrist_runtime.verify import verify

ROWS = {s: [r for r, of in enumerate(CHANNELS.values()) if of == s] for s in SENSORS}


@pytest.fixture(scope="module", params=["fusion_bundle", "fusion_tflite_bundle"])
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def onnx_model(fusion_bundle) -> Model:
    return load(fusion_bundle)


class Counting:
    """An engine that keeps the inputs of every call."""

    def __init__(self, engine) -> None:
        self.engine, self.calls = engine, []
        self.name, self.graph, self.threads = engine.name, engine.graph, engine.threads

    def run(self, inputs):
        self.calls.append({name: x.copy() for name, x in inputs.items()})
        return self.engine.run(inputs)


def counting(model: Model) -> tuple[Model, dict[str, Counting]]:
    """The model with engines that count: of each sensor, "fuse" and "decode"."""

    def opened(role, sensor=None):
        return Counting(open_engine(model.bundle, model.engine.name, 1, role, sensor))

    senses = {sensor: opened("sense", sensor) for sensor in SENSORS}
    fuse, decode = opened("fuse"), opened("decode")
    engine = Ensemble(model.manifest, list(senses.values()), fuse, decode)
    found = senses | {"fuse": fuse, "decode": decode}
    return dataclasses.replace(model, engine=engine), found


def asked(model: Model, sensors: tuple[str, ...]) -> dict[str, float]:
    patterns = {p.sensors: p.temperatures for p in model.manifest.availability.patterns}
    return patterns.get(sensors, {})


def with_availability(model: Model, **changes) -> Model:
    """The model with another availability, not proven, and the same engine."""
    availability = msgspec.structs.replace(model.manifest.availability, **changes)
    manifest = msgspec.structs.replace(model.manifest, availability=availability)
    return Model(dataclasses.replace(model.bundle, manifest=manifest), model.engine)


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_every_subset_gives_what_numpy_gives(model, subset):
    values, observed = fusion_window(subset, seed=99)
    prediction = model.predict(values, observed, start=3.0, impute=True)
    expected = fusion_outputs(values, observed, asked(model, subset))
    np.testing.assert_allclose(prediction.embedding, expected["embedding"][0], rtol=1e-5)
    weights = [state.weight for state in prediction.sensors.values()]
    np.testing.assert_allclose(weights, expected["weights"][0], rtol=1e-6)
    assert [name for name, state in prediction.sensors.items() if state.used] == list(subset)
    calibrated = asked(model, subset)
    activity, effort = prediction["activity"], prediction["effort"]
    sure = float(expected["activity"].max())
    if "activity" in calibrated:
        assert activity.confidence == pytest.approx(sure, rel=1e-5)
        assert activity.abstained == (sure < 0.4)
    if "effort" in calibrated and not effort.abstained:
        assert effort.value == pytest.approx(expected["effort"][0, 0], rel=1e-5)
    filled = np.where(observed, values, expected["imputed"][0])
    np.testing.assert_allclose(prediction.imputed.values, filled, rtol=1e-6)
    np.testing.assert_array_equal(prediction.imputed.observed, observed)
    assert (prediction.start, prediction.end) == (3.0, 5.0)


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_encoders_of_dead_sensors_never_run(onnx_model, subset):
    counted, engines = counting(onnx_model)
    values, observed = fusion_window(subset, seed=7)
    counted.predict(values, observed)
    assert [s for s in SENSORS if engines[s].calls] == list(subset)
    assert not engines["decode"].calls
    (fused,) = engines["fuse"].calls
    assert fused["live"].tolist() == [[float(s in subset) for s in SENSORS]]
    for k, sensor in enumerate(SENSORS):
        part = fused["sensed"][0, 2 * k : 2 * k + 2]
        assert part.any() == (sensor in subset)
        if sensor in subset:
            (call,) = engines[sensor].calls
            np.testing.assert_array_equal(call["values"][0], values[ROWS[sensor]])
            np.testing.assert_array_equal(call["observed"][0], observed[ROWS[sensor]])


def test_where_no_sensor_is_live_nothing_runs(onnx_model):
    counted, engines = counting(onnx_model)
    values = np.full((6, SAMPLES), np.nan, np.float32)
    nothing = counted.predict(values, impute=True)
    values[:, : SAMPLES // 4] = 1.0
    little = counted.predict(values, impute=True)
    assert not any(engine.calls for engine in engines.values())
    for prediction, reason in ((nothing, "nothing"), (little, "too little")):
        assert prediction.embedding is None
        assert prediction.imputed is None
        for task in ("activity", "effort"):
            assert prediction[task].abstained
            assert prediction[task].reason == f"{reason} was observed"
    for state in nothing.sensors.values():
        assert dataclasses.astuple(state) == (0.0, False, None, "nothing was observed")
    for state in little.sensors.values():
        assert dataclasses.astuple(state) == (0.25, False, None, "coverage 0.25 is below 0.50")


def test_the_scale_of_the_pattern_reaches_the_graph(onnx_model):
    counted, engines = counting(onnx_model)
    for subset in SUBSETS:
        counted.predict(*fusion_window(subset))
        call = engines["fuse"].calls[-1]
        for task in ("activity", "effort"):
            scale = np.float32(1 / asked(onnx_model, subset).get(task, 1.0))
            assert call[f"{task}_scale"].dtype == np.float32
            assert call[f"{task}_scale"].tolist() == [[scale]]


def test_what_is_not_calibrated_is_not_answered(onnx_model):
    prediction = onnx_model.predict(*fusion_window(("wrist", "waist", "ankle")))
    for task in ("activity", "effort"):
        result = prediction[task]
        assert (result.value, result.label, result.confidence) == (None, None, None)
        assert result.reason == "not calibrated for wrist, waist and ankle alone"
    assert prediction.embedding is not None
    alone = onnx_model.predict(*fusion_window(("ankle",)))
    assert alone["effort"].reason == "not calibrated for ankle alone"
    assert alone["activity"].reason is None or "below" in alone["activity"].reason


def test_the_least_confidence_is_that_of_the_pattern(fusion_parts, tmp_path):
    manifest, members = fusion_parts
    patterns = tuple(
        msgspec.structs.replace(p, minimum_confidence=dict.fromkeys(p.temperatures, 1.0))
        for p in manifest.availability.patterns
    )
    strict = msgspec.structs.replace(manifest.availability, patterns=patterns)
    changed = msgspec.structs.replace(manifest, availability=strict)
    bundle.write(tmp_path / "strict.onwrist", changed, members)
    strict_model = load(tmp_path / "strict.onwrist")
    both = strict_model.predict(*fusion_window(("wrist", "chest")))["activity"]
    below = f"confidence {both.confidence:.2f} is below 1.00"
    assert both.reason == f"{below}, which wrist and chest ask for"
    one = strict_model.predict(*fusion_window(("waist",)))["activity"]
    assert one.reason.endswith("is below 1.00, which waist asks for")
    assert one.label is None


def test_all_sensors_that_are_not_calibrated_are_not_said_to_be_alone(onnx_model):
    model = with_availability(
        onnx_model, patterns=onnx_model.manifest.availability.patterns[:-1]
    )
    result = model.predict(*fusion_window(SENSORS))["activity"]
    assert result.reason == "not calibrated for wrist, chest, waist and ankle"


@given(
    counts=st.lists(st.integers(0, SAMPLES), min_size=6, max_size=6),
    least=st.sampled_from([0.25, 0.5, 0.3, 1.0, 1e-9]),
    seed=st.integers(0, 99),
)
def test_a_sensor_is_live_from_least_on(onnx_model, counts, least, seed):
    """As whole numbers: observed points of all its channels over how many there are."""
    model, engines = counting(with_availability(onnx_model, least=least))
    draw = np.random.default_rng(seed)
    observed = np.stack([draw.permutation(SAMPLES) < count for count in counts])
    values = np.ones((6, SAMPLES), np.float32)
    prediction = model.predict(values, observed)
    for sensor, rows in ROWS.items():
        share = sum(counts[row] for row in rows) / (len(rows) * SAMPLES)
        state = prediction.sensors[sensor]
        assert state.coverage == share
        assert state.used == (share >= least) == bool(engines[sensor].calls)
        assert (state.reason is None) == state.used
    live = tuple(s for s in SENSORS if prediction.sensors[s].used)
    assert bool(engines["fuse"].calls) == bool(live)
    if live:
        unsure = "calibrated" in str(prediction["activity"].reason)
        assert unsure == (not asked(model, live))


def recorded(seed: int = 0) -> dict[str, Signal]:
    """Twenty seconds, in which sensors die, come back and were never there."""
    draw = np.random.default_rng(seed)
    signals = {}
    for name, sensor in CHANNELS.items():
        times = 100.0 + np.arange(400) / 20
        begin = {"wrist": 0, "chest": 60, "waist": 0, "ankle": 200}[sensor]
        end = {"wrist": 400, "chest": 400, "waist": 150, "ankle": 320}[sensor]
        values = draw.integers(-3, 4, 400).astype(np.float32)
        signals[name] = Signal(values[begin:end], times[begin:end], 20.0)
    return signals


def facts(predictions):
    """All that predictions say, to the bit."""
    return [
        (
            p.start,
            p.end,
            dict(p.coverage),
            dict(p.tasks),
            dict(p.sensors),
            None if p.embedding is None else p.embedding.tobytes(),
            None if p.imputed is None else p.imputed.values.tobytes(),
        )
        for p in predictions
    ]


@pytest.mark.parametrize("impute", [False, True])
def test_a_stream_gives_what_the_recording_gives_to_the_bit(model, impute):
    signals = recorded()
    whole = facts(model.predict_recording(signals, hop=0.5, impute=impute))
    used = {tuple(n for n, s in sensors.items() if s.used) for *_, sensors, _, _ in whole}
    assert len(used) >= 4
    stream = model.stream(hop=0.5, lateness=1.0, impute=impute)
    assert stream.mode == "window"
    found, draw = [], np.random.default_rng(1)
    edges = np.arange(100.0, 121.0, 0.25)
    for begin, end in pairwise(edges):
        for name in draw.permutation(list(signals)).tolist():
            signal = signals[name]
            part = (signal.times >= begin) & (signal.times < end)
            found += stream.push(name, signal.times[part], signal.values[part])
        if draw.random() < 0.3:
            stream = model.restore_stream(stream.save())
    found += stream.flush()
    assert facts(found) == whole


def test_windows_of_a_recording_are_those_of_predict(onnx_model):
    signals = recorded(3)
    for prediction in onnx_model.predict_recording(signals, hop=1.0):
        first = round(prediction.start * 20)
        window = np.full((6, SAMPLES), np.nan, np.float32)
        for row, name in enumerate(CHANNELS):
            at = np.round(signals[name].times * 20).astype(int) - first
            inside = (at >= 0) & (at < SAMPLES)
            window[row, at[inside]] = signals[name].values[inside]
        alone = onnx_model.predict(window, start=prediction.start)
        assert facts([alone]) == facts([prediction])


def test_a_batch_and_samples_by_name(onnx_model):
    windows = [fusion_window(subset, 5) for subset in SUBSETS[:6]]
    values, observed = (np.stack(x) for x in zip(*windows, strict=True))
    batch = onnx_model.predict_batch(values, observed, impute=True)
    one = [onnx_model.predict(*window, impute=True) for window in windows]
    assert facts(batch) == facts(one)
    named = onnx_model.predict({"wrist": (np.ones((SAMPLES, 2)), 20.0)})
    assert [s for s, state in named.sensors.items() if state.used] == ["wrist"]


@pytest.fixture
def doubting(onnx_model, monkeypatch) -> tuple[Model, dict[str, Counting]]:
    """The model, with the wrist held for constant wherever its first sample is 99."""

    class Doubts:
        def implausible(self, values, observed):
            return {"wrist": "constant"} if values[0, 0] == 99 else {}

    monkeypatch.setattr(predictor.Plausibility, "of", lambda manifest: Doubts())
    manifest = msgspec.structs.replace(onnx_model.manifest, plausible=("something",))
    bundle_ = dataclasses.replace(onnx_model.bundle, manifest=manifest)
    return counting(Model(bundle_, onnx_model.engine))


def test_a_sensor_that_is_not_believed_is_left_out(doubting):
    model, engines = doubting
    values = np.ones((6, SAMPLES), np.float32)
    values[0] = 99
    prediction = model.predict(values, impute=True)
    assert not engines["wrist"].calls
    assert engines["fuse"].calls[0]["live"].tolist() == [[0, 1, 1, 1]]
    temperature = asked(model, ("chest", "waist", "ankle"))["activity"]
    scale = engines["fuse"].calls[0]["activity_scale"]
    assert scale.tolist() == [[np.float32(1 / temperature)]]
    assert dataclasses.astuple(prediction.sensors["wrist"]) == (1.0, False, 0.0, "constant")
    assert prediction.coverage["wrist_x"] == 1.0
    gone = values.copy()
    gone[:2] = np.nan
    absent = model.predict(gone, impute=True)
    assert absent.tasks == prediction.tasks
    np.testing.assert_array_equal(absent.imputed.values, prediction.imputed.values)
    np.testing.assert_array_equal(absent.imputed.observed, prediction.imputed.observed)
    values[0] = 1
    assert model.predict(values).sensors["wrist"].used


def test_a_stream_leaves_out_what_is_not_believed(doubting):
    model, _ = doubting
    times = np.arange(240) / 20
    signals = {name: Signal(np.ones(240, np.float32), times, 20.0) for name in CHANNELS}
    frozen = np.where((times >= 4) & (times < 6), 99.0, 1.0).astype(np.float32)
    signals["wrist_x"] = Signal(frozen, times, 20.0)
    stream = model.stream(hop=2.0)
    found = [*stream.push_recording(signals), *stream.flush()]
    reasons = {p.start: p.sensors["wrist"].reason for p in found}
    assert reasons == {2.0 * k: "constant" if k == 2 else None for k in range(6)}


def test_where_nothing_is_believed_nothing_is_answered(onnx_model, monkeypatch):
    class Doubts:
        def implausible(self, values, observed):
            return dict.fromkeys(SENSORS, "constant")

    monkeypatch.setattr(predictor.Plausibility, "of", lambda manifest: Doubts())
    manifest = msgspec.structs.replace(onnx_model.manifest, plausible=("something",))
    bundle_ = dataclasses.replace(onnx_model.bundle, manifest=manifest)
    prediction = Model(bundle_, onnx_model.engine).predict(np.ones((6, SAMPLES), np.float32))
    assert prediction.embedding is None
    (reason,) = {result.reason for result in prediction.tasks.values()}
    assert reason == "too little of what was observed can be believed"
    assert {state.reason for state in prediction.sensors.values()} == {"constant"}


def test_restoring_has_to_be_asked_for_and_possible(onnx_model, fusion_parts, tmp_path):
    window = fusion_window(SENSORS)
    assert onnx_model.predict(*window).imputed is None
    manifest, members = fusion_parts
    fusion = msgspec.structs.replace(manifest.fusion, restores=False)
    limits = {k: v for k, v in manifest.golden.tolerance.items() if k != "imputed"}
    golden = msgspec.structs.replace(manifest.golden, tolerance=limits, loose=limits)
    graphs = tuple(graph for graph in manifest.graphs if graph.role != "decode")
    changed = msgspec.structs.replace(manifest, fusion=fusion, golden=golden, graphs=graphs)
    path = tmp_path / "bare.onwrist"
    bundle.write(path, changed, {k: v for k, v in members.items() if k != "decode.s8.onnx"})
    bare = load(path)
    assert bare.predict(*window).embedding is not None
    with pytest.raises(InputError, match=r"toy-fusion 1\.0 cannot impute: leave out impute"):
        bare.predict(*window, impute=True)
    with pytest.raises(InputError, match="cannot impute"):
        bare.stream(impute=True)


def test_golden_windows_go_through_all_graphs_in_every_pattern(model):
    report = verify(model.bundle, model.engine)
    assert report.passed
    assert report.windows == 15
    assert list(report.differences) == ["embedding", "activity", "effort", "weights", "imputed"]
    assert report.graph.count(",") == 5
    counted, engines = counting(model)
    verify(model.bundle, counted.engine)
    assert [len(engines[s].calls) for s in SENSORS] == [8, 8, 8, 8]
    assert len(engines["fuse"].calls) == len(engines["decode"].calls) == 15


@pytest.mark.parametrize("sensor", SENSORS)
def test_an_engine_that_is_off_for_one_sensor_is_not_believed(onnx_model, sensor):
    counted, engines = counting(onnx_model)
    real = engines[sensor].engine

    class Drifts:
        def run(self, inputs):
            return {"sensed": real.run(inputs)["sensed"] + np.float32(0.1)}

    engines[sensor].engine = Drifts()
    assert not verify(onnx_model.bundle, counted.engine).passed


def golden_of(parts, change) -> bytes:
    tensors = safetensors.numpy.load(parts[1]["golden.safetensors"])
    change(tensors)
    return safetensors.numpy.save(tensors)


@pytest.mark.parametrize(
    ("window", "observed", "message"),
    [
        (3, 0, "a window in which no sensor is live"),
        (14, 1, None),
        (5, 1, "no window in which just wrist, waist are live"),
    ],
)
def test_golden_windows_cover_every_pattern_and_can_be_run(
    fusion_parts, tmp_path, window, observed, message
):
    manifest, members = fusion_parts

    def change(tensors):
        tensors["observed"][window] = observed

    path = tmp_path / "golden.onwrist"
    bundle.write(
        path, manifest, members | {"golden.safetensors": golden_of(fusion_parts, change)}
    )
    opened = bundle.read(path)
    engine = open_engine(opened, "onnxruntime")
    if message is None:
        verify(opened, engine)
    else:
        with pytest.raises(BundleError, match=message):
            verify(opened, engine)


def test_graphs_are_held_against_the_manifest(fusion_parts, tmp_path):
    manifest, members = fusion_parts
    swapped = members | {"sense.wrist.s8.onnx": members["sense.chest.s8.onnx"]}
    path = tmp_path / "swapped.onwrist"
    bundle.write(path, manifest, swapped)
    with pytest.raises(BundleError, match=r"sense\.wrist.*values float32 \(1, 1, 40\).*\(1, 2"):
        load(path)
