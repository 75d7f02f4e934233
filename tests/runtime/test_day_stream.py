"""Minutes that arrive in bursts, late, twice or out of order: the same days as at once."""

from __future__ import annotations

import hashlib
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Push, facts, run
from test_days import DAY, MIDNIGHT, PATCH, counting

from onwrist_runtime import EngineError, InputError, Model, Signal, load, saved

ROWS = {"activity": (0, 1), "heart_rate": (2,)}


@pytest.fixture(scope="module")
def model(day_bundle) -> Model:
    return load(day_bundle)


def taken(seed: int, start: float, hours: float) -> dict[str, Push]:
    """Steps and intensity once a minute, heart rate every few seconds, all with holes."""
    draw = np.random.default_rng(seed)
    minutes = start + 60.0 * np.arange(int(hours * 60))
    minutes = minutes[draw.random(len(minutes)) > draw.choice([0.0, 0.3, 0.97])]
    activity = draw.integers(0, 50, (len(minutes), 2)).astype(np.float32)
    activity[draw.random(activity.shape) < 0.05] = np.nan
    seconds = np.sort(start + draw.uniform(0, hours * 3600, int(hours * 90)))
    seconds = seconds[~((seconds // 3600) % 5 == draw.integers(0, 5))]
    heart = draw.integers(40, 180, (len(seconds), 1)).astype(np.float32)
    return {
        "activity": Push("activity", minutes, activity),
        "heart_rate": Push("heart_rate", seconds, heart),
    }


def minutes_of(pushes: list[Push], lateness: float, midnight: float) -> dict[int, np.ndarray]:
    """Each minute from `midnight` on (sum, mean, mean; NaN), sample by sample."""
    newest = -math.inf
    kept: list[dict[float, float]] = [{}, {}, {}]
    for name, times, samples in pushes:
        for t, row in zip(times, np.reshape(samples, (len(times), -1)), strict=True):
            real = [(c, float(x)) for c, x in zip(ROWS[name], row, strict=True) if x == x]
            if real:
                newest = max(newest, float(t))
            for c, x in real:
                if t >= newest - lateness:
                    kept[c][float(t)] = min(x, kept[c].get(float(t), math.inf))
    found: dict[int, np.ndarray] = {}
    for c, samples in enumerate(kept):
        each: dict[int, list[float]] = {}
        for t in sorted(samples):
            each.setdefault(math.floor((t - midnight) / 60), []).append(samples[t])
        for k, numbers in each.items():
            total = 0.0
            for x in numbers:
                total += x
            found.setdefault(k, np.full(3, np.nan, np.float32))[c] = (
                total if c == 0 else total / len(numbers)
            )
    return found


def window(found: dict[int, np.ndarray], first: int) -> np.ndarray:
    nothing = np.full(3, np.nan, np.float32)
    return np.stack([found.get(first + k, nothing) for k in range(1440)], axis=1)


def scattered(pushes: dict[str, Push], random: np.random.Generator, delay: float) -> list[Push]:
    """Samples in bursts, none later than `delay`, but some twice and some far too late."""
    each = []
    for name, times, values in pushes.values():
        for t, x in zip(times, values, strict=True):
            when = t + random.uniform(0, delay) * 0.999
            each.append((when, name, t, x))
            if random.random() < 0.02:
                each.append((when, name, t, x + random.integers(-1, 2)))
            if random.random() < 0.02:
                each.append((when + 10_000, name, t, x))
    each.sort(key=lambda sample: sample[0])
    out: list[Push] = []
    while each:
        name, most = each[0][1], int(random.choice([1, 20, 500]))
        burst = [s for s in each[:most] if s[1] == name]
        rest = [s for s in each[:most] if s[1] != name]
        if len(burst) > 1 and delay:
            burst = burst[: next((k for k, s in enumerate(each[:most]) if s[1] != name), most)]
            rest = each[len(burst) : most]
        else:
            burst, rest = each[:1], each[1:most]
        out.append(Push(name, np.array([s[2] for s in burst]), np.array([s[3] for s in burst])))
        each = rest + each[most:]
    return out


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    midnight=st.sampled_from([0.0, MIDNIGHT, -7200.0, 1234.5]),
    begin=st.sampled_from([0.0, 7.5, 23 * 3600.0, 3601.25]),
    hop=st.sampled_from([PATCH, 3 * PATCH, DAY]),
    late=st.sampled_from([0.0, 90.0, 5000.0]),
)
def test_a_stream_gives_what_predict_gives_of_the_minutes(
    model, seed, midnight, begin, hop, late
):
    random = np.random.default_rng(seed)
    start = (MIDNIGHT if midnight == 0.0 else midnight) + begin
    pushes = scattered(taken(seed, start, 30), random, late)
    stream = model.stream(hop=hop, lateness=late, midnight=midnight, impute=True)
    got = run(stream, pushes)
    found = minutes_of(pushes, late, midnight)
    first = min(found) * 60 // hop
    last = (max(found) + 1) * 60 // hop
    ends = [midnight + hop * k for k in range(int(first) + 1, int(last) + 1)]
    assert [prediction.end for prediction in got] == ends
    for prediction in got:
        values = window(found, round((prediction.start - midnight) / 60))
        expected = model.predict(values, start=prediction.start, midnight=midnight)
        assert facts([prediction]) == facts([expected])
        if expected.imputed is not None:
            np.testing.assert_array_equal(prediction.imputed.values, expected.imputed.values)
            np.testing.assert_array_equal(
                prediction.imputed.observed, expected.imputed.observed
            )


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_how_samples_are_split_changes_nothing(model, seed):
    random = np.random.default_rng(seed)
    pushes = scattered(taken(seed, MIDNIGHT, 26), random, 300.0)
    torn = []
    for name, times, samples in pushes:
        cut = int(random.integers(0, len(times) + 1))
        torn += [Push(name, times[:cut], samples[:cut]), Push(name, times[cut:], samples[cut:])]
    streams = [model.stream(lateness=300.0) for _ in range(2)]
    assert facts(run(streams[0], pushes)) == facts(run(streams[1], torn))
    assert streams[0].counters == streams[1].counters
    assert all(counters.repaired == 0 for counters in streams[0].counters.values())


def test_each_patch_is_embedded_once(model):
    counted, engines = counting(model)
    pushes = list(taken(3, MIDNIGHT, 40).values())
    stream = counted.stream(midnight=MIDNIGHT)
    days = [p for push in in_time(pushes) for p in stream.push(*push)]
    shapes = [call["values"].shape for call in engines["embed"].calls]
    assert set(shapes) == {(1, 3, 120)}
    assert len(shapes) <= len(days) == 19
    assert len({call["values"].tobytes() for call in engines["embed"].calls}) == len(shapes)
    assert not engines["decode"].calls


def in_time(pushes: list[Push], size: int = 50) -> list[Push]:
    parts = [
        Push(name, times[k : k + size], samples[k : k + size])
        for name, times, samples in pushes
        for k in range(0, len(times), size)
    ]
    return sorted(parts, key=lambda push: push.times[-1])


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_a_restored_stream_goes_on_to_the_bit(model, seed, share):
    pushes = scattered(taken(seed, MIDNIGHT + 500, 30), np.random.default_rng(seed), 60.0)
    cut = int(share * len(pushes))
    whole, first = (model.stream(lateness=60.0, midnight=MIDNIGHT, impute=True) for _ in "ab")
    expected = run(whole, pushes)
    got = run(first, pushes[:cut], flush=False)
    second = model.restore_stream(first.save())
    assert second.save() == first.save()
    got += run(second, pushes[cut:])
    assert facts(got) == facts(expected)
    assert [p.imputed is None for p in got] == [p.imputed is None for p in expected]
    assert second.counters == whole.counters


def test_a_restored_stream_embeds_its_day_in_one_call(model):
    counted, engines = counting(model)
    pushes = in_time(list(taken(5, MIDNIGHT, 24).values()))
    stream = counted.stream()
    run(stream, pushes, flush=False)
    before = len(engines["embed"].calls)
    restored = counted.restore_stream(stream.save())
    times = MIDNIGHT + DAY + np.arange(0, 3 * PATCH, 60)
    list(restored.push("heart_rate", times, np.full(len(times), 60.0)))
    shapes = [call["values"].shape[2] for call in engines["embed"].calls[before:]]
    assert sorted(shapes) == [120, 120, 120, 1440]


def test_what_is_done_to_a_prediction_does_not_reach_the_stream(model):
    name, times, samples = taken(4, MIDNIGHT, 6.0)["activity"]
    alone, handled = model.stream(impute=True), model.stream(impute=True)
    for part in (slice(0, 120), slice(120, None)):
        untouched = list(alone.push(name, times[part], samples[part]))
        after = list(handled.push(name, times[part], samples[part]))
        assert untouched
        assert facts(untouched) == facts(after)
        for prediction in after:
            prediction.imputed.observed[:] = ~prediction.imputed.observed
            prediction.imputed.values[:] = prediction.embedding[:] = 0


def test_an_engine_that_fails_is_asked_again(model):
    counted, engines = counting(model)
    real = engines["encode"].engine

    class Broken:
        def run(self, inputs):
            raise EngineError("out of memory")

    times = MIDNIGHT + np.arange(0, PATCH + 1, 60)
    stream = counted.stream(lateness=0.0)
    engines["encode"].engine = Broken()
    with pytest.raises(EngineError):
        stream.push("heart_rate", times, np.full(len(times), 60.0))
    with pytest.raises(EngineError):
        stream.push("heart_rate", times[-1:] + 1, [61.0])
    with pytest.raises(EngineError):
        stream.push("heart_rate", times[-1:] + 2, [61.0])
    engines["encode"].engine = real
    got = list(stream.push("heart_rate", times[-1:] + 3, [62.0]))
    assert [prediction.end for prediction in got] == [MIDNIGHT + PATCH]


def signals(pushes: dict[str, Push]) -> dict[str, Signal]:
    activity, heart = pushes["activity"], pushes["heart_rate"]
    return {
        "steps": Signal(activity.samples[:, 0], activity.times, 1 / 60),
        "intensity": Signal(activity.samples[:, 1], activity.times, 1 / 60),
        "heart_rate": Signal(heart.samples[:, 0], heart.times, 0.3),
    }


@pytest.mark.parametrize(
    ("begin", "hours", "days"), [(0, 24, 1), (15.3, 4, 1), (15.3, 60, 4), (20, 30, 3)]
)
def test_a_recording_gives_one_prediction_for_each_day(model, begin, hours, days):
    pushes = taken(8, MIDNIGHT + begin * 3600, hours)
    if days == 3:
        pushes["activity"] = Push("activity", np.array([MIDNIGHT + DAY]), np.ones((1, 2)))
    found = minutes_of(list(pushes.values()), math.inf, 0.0)
    got = list(model.predict_recording(signals(pushes)))
    starts = sorted({m // 1440 * DAY for m in found})
    assert [prediction.start for prediction in got] == starts
    assert len(starts) == days
    for prediction in got:
        values = window(found, round(prediction.start / 60))
        expected = model.predict(values, start=prediction.start)
        assert facts([prediction]) == facts([expected])
        if expected.imputed is None:
            assert prediction.imputed is None
            continue
        np.testing.assert_array_equal(prediction.imputed.values, expected.imputed.values)


def test_days_without_samples_are_left_out(model):
    times = MIDNIGHT + np.array([100.0, 5 * DAY + 100.0])
    recording = {"heart_rate": Signal(np.array([60.0, 70.0]), times, 1.0)}
    got = list(model.predict_recording(recording, impute=False))
    assert [prediction.start for prediction in got] == [MIDNIGHT, MIDNIGHT + 5 * DAY]
    assert all(prediction.coverage["heart_rate"] == 1 / 1440 for prediction in got)


def test_days_on_a_clock_in_utc_change_with_its_midnight(model):
    """A summer and a winter of one recording are two calls, each with its own midnight."""
    times = MIDNIGHT + np.arange(0, 2 * DAY, 600.0)
    recording = {"heart_rate": Signal(np.full(len(times), 60.0), times, 1 / 600)}
    summer = list(model.predict_recording(recording, midnight=-7200.0))
    winter = list(model.predict_recording(recording, midnight=-3600.0))
    assert [p.start - MIDNIGHT for p in summer] == [-7200.0, DAY - 7200, 2 * DAY - 7200]
    assert [p.start - MIDNIGHT for p in winter] == [-3600.0, DAY - 3600, 2 * DAY - 3600]
    assert summer[0].coverage["heart_rate"] == pytest.approx(132 / 1440)


def test_a_stream_says_how_it_goes(model):
    stream = model.stream()
    assert (stream.hop, stream.mode, stream.lateness) == (PATCH, "window", 2.0)
    got = list(stream.push("heart_rate", [MIDNIGHT + 10.0, MIDNIGHT + PATCH + 2.0], [60, 61]))
    assert [prediction.end for prediction in got] == [MIDNIGHT + PATCH]
    assert got[0].imputed is None
    assert stream.latency == 2.0
    assert stream.coverage["heart_rate"] == 1 / 1440
    assert np.isnan(stream.baseline).all()
    stream.reset()
    assert stream.latency is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 3600.0}, "not a whole number of patches of 7200 s: take 7200 s$"),
        ({"hop": 9000.0}, "take 7200 s and 14400 s$"),
        ({"hop": 2 * DAY}, "at most 86400"),
        ({"mode": "step"}, "has no step graph"),
        ({"midnight": math.nan}, "a time must be finite"),
        ({"impute": "yes"}, "impute must be True"),
        ({"lateness": -1.0}, "lateness must be from 0"),
    ],
)
def test_what_a_stream_is_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        model.stream(**options)


def test_a_recording_has_no_hop_of_days(model):
    recording = {"heart_rate": Signal.regular(np.full(9, 60.0), 0.1, MIDNIGHT)}
    with pytest.raises(InputError, match="predicts once for each day"):
        model.predict_recording(recording, hop=PATCH)
    got = list(model.stream(rates={"heart_rate": 5.0}).push_recording(recording))
    assert got == []


def test_a_saved_stream_that_was_altered_is_refused(model):
    stream = model.stream(midnight=MIDNIGHT, hop=3 * PATCH, impute=True)
    run(stream, in_time(list(taken(1, MIDNIGHT + 5 * PATCH, 9).values())), flush=False)
    blob = stream.save()
    head = len(saved.MAGIC) + 2 + 32
    plain = msgspec.msgpack.decode(blob[head:])
    assert (plain["origin"], plain["done"] % 360, plain["midnight"]) == (360, 0, MIDNIGHT)
    for field, wrong in (
        ("hop", 119),
        ("hop", 1441),
        ("origin", 361),
        ("done", 121),
        ("done", 10**6),
        ("midnight", 1e12),
        ("impute", 1),
        ("mode", "step"),
        ("state", b""),
        ("baseline", b""),
        ("rates", [1.0]),
    ):
        payload = msgspec.msgpack.encode(plain | {field: wrong})
        digest = hashlib.sha256(payload).digest()
        with pytest.raises(InputError, match="this is not a saved stream"):
            model.restore_stream(blob[: head - 32] + digest + payload)
    assert model.restore_stream(blob).hop == 3 * PATCH
