"""What a stream makes of real clocks: each thing that happens to them, and its result."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest
from live import EPOCH, Push, facts, recording, run

from onwrist_runtime import InputError, Model, Signal, load
from onwrist_runtime.signals import resample

START = 1_644_226_000.0


@pytest.fixture(scope="module")
def model(toy_bundle) -> Model:
    return load(toy_bundle, "onnxruntime")


def regular(seconds: float, rate: float = 64.0, start: float = START) -> np.ndarray:
    return start + np.arange(round(seconds * rate)) / rate


def wave(times: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * 1.3 * (times - START)).astype(np.float32)


def bursts(name: str, times: np.ndarray, samples: np.ndarray, size: int = 64) -> list[Push]:
    return [
        Push(name, times[k : k + size], samples[k : k + size])
        for k in range(0, len(times), size)
    ]


def values(engine) -> np.ndarray:
    """The ppg of all windows, one after the other."""
    return np.concatenate([x["values"][0, 0] for x in engine.inputs])


def test_no_prediction_before_the_first_whole_window(model):
    stream = model.stream(hop=0.2, lateness=0.5)
    times = regular(10.0)
    for push in bursts("ppg", times, wave(times), 1):
        found = list(stream.push(*push))
        seen = push.times[-1] - START
        if found:
            break
        assert stream.latency is None
        assert stream.coverage == {"ppg": 0.0, "acc_x": 0.0, "acc_y": 0.0}
    # 2 s of window, 0.5 s of lateness and what the resampler looks ahead
    assert 2.5 < seen < 3.0
    assert (found[0].start, found[0].end) == (START, START + 2.0)
    assert found[0].coverage == stream.coverage == {"ppg": 1.0, "acc_x": 0.0, "acc_y": 0.0}
    assert stream.latency == pytest.approx(seen - 2.0)


def test_what_is_missing_in_the_first_window_is_unobserved(model):
    times = regular(4.0)
    stream = model.stream(lateness=0.0)
    late_start = regular(2.0, 32.0, START + 1.0)
    pushes = [Push("ppg", times[:1], [0.0]), Push("acc", late_start, np.ones((64, 2)))]
    first = run(stream, pushes)[0]
    assert first.start == START
    assert first.coverage["ppg"] < 0.05
    assert first.coverage["acc_x"] == pytest.approx(0.5, abs=0.05)


def test_duplicates_count_once_and_the_smaller_stays(model):
    times = regular(5.0)
    twice = bursts("ppg", times, wave(times))
    again = [Push("ppg", p.times, p.samples + 1) for p in twice]
    once, engine_once = recording(model)
    run(once.stream(), twice)
    for order in (zip(twice, again, strict=True), zip(again, twice, strict=True)):
        both, engine = recording(model)
        stream = both.stream()
        run(stream, [push for pair in order for push in pair])
        assert values(engine).tobytes() == values(engine_once).tobytes()
        assert stream.counters["ppg"].duplicate == len(times)
        assert stream.counters["ppg"].samples == len(times)


def test_a_long_push_is_as_the_same_samples_in_small_ones(model):
    random = np.random.default_rng(0)
    times = regular(900.0)  # several of the pieces in which a push is taken
    scrambled = times[np.argsort(times + random.uniform(0, 2.5, len(times)))]
    results = []
    for size in (1000, len(times)):
        recorded, engine = recording(model)
        stream = recorded.stream(hop=20.0, lateness=2.0)
        for stamps in (scrambled, times):  # and once more, when almost all are late
            for push in bursts("ppg", stamps, wave(stamps), size):
                list(stream.push(*push))
        late = stream.counters["ppg"].late
        assert len(times) * 0.99 < late < len(times) * 1.1
        results.append((values(engine).tobytes(), stream.counters, stream.save()))
    assert results[0] == results[1]


def test_of_two_zeros_neither_is_smaller(model):
    saves = []
    for zeros in ([0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]):
        stream = model.stream()
        for zero in zeros:
            list(stream.push("ppg", [START], [zero]))
        saves.append(stream.save())
    assert saves[0] == saves[1] == saves[2]


def test_what_comes_later_than_the_lateness_is_counted_and_dropped(model):
    times = regular(6.0)
    on_time, engine = recording(model)
    run(on_time.stream(lateness=0.5), bursts("ppg", times, wave(times)))
    late, late_engine = recording(model)
    stream = late.stream(lateness=0.5)
    for push in bursts("ppg", times, wave(times)):
        list(stream.push(*push))
        old = push.times[-1] - 0.5 - np.array([0.001, 0.2, 30.0])
        list(stream.push("ppg", old, [9.0, 9.0, 9.0]))
    list(stream.flush())
    assert values(late_engine).tobytes() == values(engine).tobytes()
    assert stream.counters["ppg"].late == 3 * 6
    assert stream.counters["ppg"].samples == len(times)


def test_bluetooth_jitter_is_repaired_and_counted(model):
    random = np.random.default_rng(0)
    times = regular(20.0)
    jittered = times + random.uniform(-0.4, 0.4, len(times)) / 64
    errors = []
    for stamps in (times, jittered):
        recorded, engine = recording(model)
        stream = recorded.stream(hop=2.0)
        found = run(stream, bursts("ppg", stamps, wave(times)))
        repaired = stream.counters["ppg"].repaired
        assert repaired == 0 if stamps is times else repaired > 500
        truth = np.concatenate([wave(p.start + np.arange(50) / 25) for p in found])
        errors.append(np.abs(values(engine) - truth)[50:-50].max())
    assert errors[0] < 0.01
    assert errors[1] < 0.06  # the wave rises by 8 a second, and stamps were off by 6 ms


@pytest.mark.parametrize("drift", [-200e-6, 200e-6])
def test_a_clock_that_drifts_keeps_its_stamps(model, drift):
    times = START + np.arange(64 * 120) / 64 * (1 + drift)
    recorded, engine = recording(model)
    stream = recorded.stream(hop=2.0)
    found = run(stream, bursts("ppg", times, wave(times)))
    assert stream.counters["ppg"].repaired == 0
    assert all(p.coverage["ppg"] == 1 for p in found)
    grid = START + np.arange(len(values(engine))) / 25
    np.testing.assert_allclose(values(engine)[25:-25], wave(grid)[25:-25], atol=0.01)


def test_a_clock_that_steps_back_loses_what_it_says_again(model):
    times = regular(6.0)
    stream = model.stream(lateness=1.0)
    list(stream.push("ppg", times, wave(times)))
    back = times[-1] - 3.0 + np.arange(1, 64 * 5) / 64  # three seconds back, and on
    found = list(stream.push("ppg", back, wave(back)))
    counters = stream.counters["ppg"]
    assert counters.late == 64 * 2 - 1  # two seconds are below the watermark
    assert counters.duplicate == 64 + 1  # what is above it is there already
    assert counters.samples == len(times) + len(back) - counters.late - counters.duplicate
    assert all(p.coverage["ppg"] == 1 for p in found)


def test_a_clock_that_steps_forward_leaves_a_gap(model):
    times = np.concatenate([regular(6.0), regular(6.0, start=START + 16.0)])
    stream = model.stream(hop=2.0)
    found = run(stream, bursts("ppg", times, wave(times)))
    assert [round(p.coverage["ppg"], 1) for p in found] == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1]
    assert found[3].embedding is None
    assert found[3]["heart_rate"].reason == "nothing was observed"


def test_a_sensor_that_changes_its_rate(model):
    slow, fast = regular(6.0, 32.0), regular(6.0, 128.0, START + 6.0)
    times = np.concatenate([slow, fast])
    recorded, engine = recording(model)
    run(recorded.stream(hop=2.0), bursts("ppg", times, np.full(len(times), 3.0)))
    seen = np.concatenate([x["observed"][0, 0] for x in engine.inputs]) > 0
    # at half the nominal rate every other period has no sample, and all points in between
    # are less than one period from one but those in the middle
    assert seen[150:-10].all()
    assert seen[:140].mean() > 0.9
    np.testing.assert_allclose(values(engine)[seen], 3.0, atol=1e-5)
    faster, fast_engine = recording(model)
    run(faster.stream(hop=2.0, rates={"ppg": 32.0}), bursts("ppg", slow, np.ones(len(slow))))
    assert all(x["observed"][0, 0].all() for x in fast_engine.inputs[:2])


def test_a_sensor_that_appears_late_and_one_that_never_comes(model):
    times, later = regular(12.0), regular(6.0, 32.0, START + 6.0)
    stream = model.stream(hop=2.0)
    pushes = bursts("ppg", times, wave(times))
    pushes += [Push("acc_x", part, np.ones(len(part))) for part in np.split(later, 6)]
    pushes.sort(key=lambda push: push.times[0])
    found = run(stream, pushes)
    assert [round(p.coverage["acc_x"], 1) for p in found] == [0, 0, 0, 1, 1, 1]
    assert all(p.coverage["ppg"] == 1 and p.coverage["acc_y"] == 0 for p in found)
    assert stream.staleness["acc_y"] is None
    assert stream.staleness["ppg"] == 0.0
    assert stream.staleness["acc_x"] == pytest.approx(1 / 64)


def test_a_sensor_that_runs_far_ahead_makes_the_others_late(model):
    times = regular(4.0)
    stream = model.stream(lateness=2.0)
    list(stream.push("ppg", times, wave(times)))
    list(stream.push("acc", [times[-1] + 60.0], [[1.0, 1.0]]))
    list(stream.push("ppg", times + 4.0, wave(times)))
    assert stream.counters["ppg"].late == len(times)
    assert stream.staleness["ppg"] == pytest.approx(60.0)
    assert stream.counters["acc_x"].late == 0


# Recordings


def test_a_recording_in_a_stream_is_the_recording_in_predict(model):
    random = np.random.default_rng(1)
    signals = {
        "ppg": Signal.regular(random.normal(size=64 * 30), 64.0, EPOCH),
        "acc_x": Signal.regular(random.normal(size=32 * 20), 32.0, EPOCH + 3.3),
        "acc_y": Signal.regular(random.normal(size=32 * 9), 32.0, EPOCH + 40.0),
        "steps": Signal.regular(np.ones(9), 1.0, EPOCH - 100.0),
    }
    stream = model.stream(hop=0.6, lateness=0.7)
    found = [*stream.push_recording(signals), *stream.flush()]
    assert facts(found) == facts(list(model.predict_recording(signals, hop=0.6)))
    assert not any(counters.late for counters in stream.counters.values())


def test_windows_of_a_recording_lie_on_the_clocks_grid(model):
    recorded, engine = recording(model)
    signals = {
        "ppg": Signal.regular(np.random.default_rng(0).normal(size=64 * 20), 64.0, EPOCH),
        "acc_y": Signal.regular(np.ones(32 * 25), 32.0, EPOCH + 1.3),
    }
    found = list(recorded.predict_recording(signals))
    starts = np.array([p.start for p in found])
    assert EPOCH <= starts[0] < EPOCH + 1 / 25
    np.testing.assert_allclose(starts * 25 % 1, 0, atol=1e-4)
    np.testing.assert_allclose(np.diff(starts), 1.0, atol=1e-6)
    assert starts[-1] + 49 / 25 <= EPOCH + 1.3 + 25 - 1 / 32 < starts[-1] + 74 / 25
    for p, inputs in zip(found, engine.inputs, strict=True):
        for row, name in enumerate(model.channels):
            if name in signals:
                expected, seen = resample(signals[name], 25.0, round(p.start * 25), 50)
                assert inputs["values"][0, row].tobytes() == expected.tobytes()
                np.testing.assert_array_equal(inputs["observed"][0, row], seen)
            else:
                assert not inputs["observed"][0, row].any()


@pytest.mark.parametrize("first", ["ppg", "acc_y"])
def test_the_first_window_begins_with_the_earliest_channel(model, first):
    begin = {"ppg": 40.0, "acc_y": 40.0} | {first: 36.5}
    signals = {
        name: Signal.regular(np.ones(int(20 * rate)), rate, begin[name])
        for name, rate in (("ppg", 64.0), ("acc_y", 32.0))
    }
    for stream in (model.stream(lateness=0.0), model.stream(lateness=3.0)):
        found = [*stream.push_recording(signals), *stream.flush()]
        assert found[0].start == 36.52
        assert found[0].coverage[first] == 1
        assert facts(found) == facts(list(model.predict_recording(signals)))


def test_a_short_recording_gives_one_window(model):
    (found,) = model.predict_recording({"ppg": Signal.regular(np.ones(64), 64.0)})
    assert (found.start, found.end) == (0.0, 2.0)
    assert found.coverage["ppg"] == pytest.approx(0.5, abs=0.02)
    stream = model.stream()
    assert list(stream.push("ppg", regular(1.0), wave(regular(1.0)))) == []
    assert list(stream.flush()) == []


@pytest.mark.parametrize("rate", [1e-6, 1e-4, 1e5])
def test_recordings_at_any_rate(model, rate):
    times = np.arange(3.0)
    (found, *_) = model.predict_recording({"ppg": Signal(np.ones(3), times, rate)})
    assert found.start == 0.0


def test_axes_of_a_recording_may_have_rates_of_their_own(model):
    axes = {
        "acc_x": Signal.regular(np.ones(100), 20.0),
        "acc_y": Signal.regular(np.ones(200), 40.0),
    }
    found = list(model.predict_recording(axes))
    assert all(p.coverage["acc_x"] == p.coverage["acc_y"] == 1 for p in found[:-1])


def test_channels_of_a_recording_are_on_one_clock(model):
    signals = {
        "ppg": Signal.regular(np.ones(9), 64.0),
        "acc_x": Signal.regular(np.ones(9), 32.0, start=EPOCH),
    }
    with pytest.raises(InputError, match="one clock"):
        model.predict_recording(signals)


# Streams beside each other


def test_two_streams_of_one_model_do_not_disturb_each_other(model):
    times = regular(8.0)
    one, other = bursts("ppg", times, wave(times)), bursts("ppg", times + 0.013, -wave(times))
    alone = [facts(run(model.stream(), pushes)) for pushes in (one, other)]
    streams = model.stream(), model.stream()
    found: list[list] = [[], []]
    for pair in zip(one, other, strict=True):
        for k in (0, 1):
            found[k] += list(streams[k].push(*pair[k]))
    for k in (0, 1):
        found[k] += list(streams[k].flush())
        assert facts(found[k]) == alone[k]


@pytest.mark.parametrize("fixture", ["step_bundle", "step_tflite_bundle"])
def test_streams_in_several_threads(request, fixture):
    model = load(request.getfixturevalue(fixture))
    times = regular(12.0)
    expected = facts(run(model.stream(), bursts("ppg", times, wave(times))))
    found: list[list] = [[] for _ in range(4)]

    def work(k: int) -> None:
        found[k] += run(model.stream(), bursts("ppg", times, wave(times)))

    in_threads([lambda k=k: work(k) for k in range(4)])
    assert all(facts(predictions) == expected for predictions in found)


def test_one_stream_from_several_threads(model):
    times, slower = regular(12.0), regular(12.0, 32.0)
    pushes = [
        bursts("ppg", times, wave(times), 16),
        bursts("acc_x", slower, wave(slower), 8),
        bursts("acc_y", slower, -wave(slower), 8),
    ]
    expected = model.stream(lateness=60.0)
    facts_expected = facts(run(expected, [push for some in pushes for push in some]))
    stream = model.stream(lateness=60.0)
    in_threads([lambda some=some: run(stream, some, flush=False) for some in pushes])
    assert facts(list(stream.flush())) == facts_expected
    assert stream.save() == expected.save()


def in_threads(calls) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Memory


def peak_of(call) -> float:
    """MiB that a call had at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_year_that_a_clock_jumps_takes_no_memory(model):
    stream = model.stream(lateness=0.0)
    times = regular(4.0)
    list(stream.push("ppg", times, wave(times)))

    def jump() -> None:
        found = stream.push("ppg", times + 365 * 86_400.0, wave(times))
        for _ in range(3000):
            assert next(found).coverage["ppg"] in (0, pytest.approx(0.5, abs=0.5))
        stream.reset()

    assert peak_of(jump) < 4


@pytest.mark.slow
def test_a_day_in_one_push_takes_no_more_than_its_pieces(model):
    recorded, _ = recording(model)
    recorded.engine.inputs = _Nothing()
    times = regular(86_400.0)
    samples = wave(times)
    stream = recorded.stream(hop=60.0)
    count = []

    def push() -> None:
        count.append(sum(1 for _ in stream.push("ppg", times, samples)))

    assert peak_of(push) < 8
    assert count == [1440]


class _Nothing(list):
    def append(self, item) -> None:
        """Keeps nothing."""


@pytest.mark.slow
def test_a_day_of_bursts_leaves_a_stream_as_large_as_before(model):
    recorded, engine = recording(model)
    engine.inputs = _Nothing()
    stream = recorded.stream(hop=20.0)
    sizes = []
    for hour in range(24):
        times = regular(3600.0, 32.0, START + 3600.0 * hour)
        for push in bursts("acc_x", times, wave(times), 64):
            for _ in stream.push(*push):
                pass
        sizes.append(len(stream.save()))
    assert max(sizes) < 10_000
    assert len(set(sizes)) == 1
