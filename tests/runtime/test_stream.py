"""A stream gives the same, however the samples arrive, and what one pass over them gives."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from live import (
    RATES,
    Oracle,
    Push,
    arrivals,
    bits,
    facts,
    recording,
    run,
    samples,
    split,
)

from onwrist_runtime import InputError, Model, Signal, Stream, load, recorded
from onwrist_runtime.baseline import Baseline
from onwrist_runtime.engines import open_engine

SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def model(toy_bundle) -> Model:
    return load(toy_bundle, "onnxruntime")


@pytest.fixture(
    scope="module",
    params=[("toy_bundle", "window"), ("step_bundle", "window"), ("step_bundle", "step")],
    ids=" ".join,
)
def begin(request) -> Callable[..., Stream]:
    """Begins a stream: of windows, of windows with a baseline, and of steps with one."""
    bundle, mode = request.param
    model = load(request.getfixturevalue(bundle), "onnxruntime")
    return functools.partial(model.stream, hop=0.4, mode=mode)


def restore(begin: Callable[..., Stream], blob: bytes) -> Stream:
    return begin.func.__self__.restore_stream(blob)


def random_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# However the samples arrive


@settings(max_examples=60)
@given(taken=samples(), seed=SEEDS, lateness=st.sampled_from([0.0, 0.3, 2.0]))
def test_any_split_and_any_order_within_the_lateness(begin, taken, seed, lateness):
    first = arrivals(taken, random_of(seed), lateness)
    second = split(arrivals(taken, random_of(seed + 1), lateness), random_of(seed + 2))
    results = []
    for pushes in (first, second):
        stream = begin(lateness=lateness)
        found = run(stream, pushes, flush=False)
        unfinished = stream.save()
        found += list(stream.flush())
        results.append((facts(found), unfinished, stream.save(), stream.counters))
    assert results[0] == results[1]
    assert not any(c.late for c in results[0][3].values())


@settings(max_examples=60)
@given(
    taken=samples(),
    seed=SEEDS,
    lateness=st.sampled_from([0.0, 0.1, 0.5]),
    hop=st.integers(1, 70),
)
def test_a_stream_is_one_pass_over_what_is_not_late(model, taken, seed, lateness, hop):
    # delays of up to 2 s: many samples are late
    pushes = arrivals(taken, random_of(seed), 2.0)
    oracle = Oracle(pushes, lateness)
    recorded, engine = recording(model)
    stream = recorded.stream(hop=hop / 25, lateness=lateness)
    found = run(stream, split(pushes, random_of(seed)))
    expected = list(oracle.windows(50, hop))
    assert [p.start for p in found] == [start for start, _, _ in expected]
    seen = [(v.tobytes(), m.astype(np.float32).tobytes()) for _, v, m in expected if m.any()]
    assert bits(engine) == [v + m for v, m in seen]
    counters = stream.counters.values()
    assert [c.late for c in counters] == oracle.late
    assert [c.duplicate for c in counters] == oracle.duplicate
    assert [c.samples for c in counters] == [len(k) for k in oracle.kept]


@settings(max_examples=40)
@given(taken=samples(), lateness=st.sampled_from([0.0, 0.5]), piece=st.sampled_from([3, 50]))
def test_a_recording_is_its_samples_in_the_order_of_time(begin, taken, lateness, piece):
    signals, each = {}, []
    for name, kept in zip(RATES, Oracle(list(taken.values()), np.inf).kept, strict=True):
        if kept:
            times = np.array(sorted(kept))
            values = np.array([kept[t] for t in times], np.float32)
            signals[name] = Signal(values, times, RATES[name])
            each += [(t, name, x) for t, x in zip(times, values, strict=True)]
    assume(signals)
    one_by_one, at_once = begin(lateness=lateness), begin(lateness=lateness)
    expected = run(one_by_one, [Push(name, [t], [x]) for t, name, x in sorted(each)], False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "PIECE", piece)
        found = list(at_once.push_recording(signals))
    assert facts(found) == facts(expected)
    assert at_once.save() == one_by_one.save()
    assert at_once.counters == one_by_one.counters


@settings(max_examples=40)
@given(taken=samples(), seed=SEEDS, data=st.data())
def test_saving_and_restoring_anywhere_changes_nothing(begin, taken, seed, data):
    pushes = arrivals(taken, random_of(seed), 1.0)
    whole = begin(lateness=1.0)
    expected = facts(run(whole, pushes))
    stream, found = begin(lateness=1.0), []
    saves = data.draw(st.sets(st.integers(0, len(pushes)), max_size=4))
    for k, push in enumerate(pushes):
        if k in saves:
            blob = stream.save()
            stream = restore(begin, blob)
            assert stream.save() == blob
        found += list(stream.push(*push))
    stream = restore(begin, stream.save())
    found += list(stream.flush())
    assert facts(found) == expected
    assert stream.save() == whole.save()
    assert stream.counters == whole.counters
    assert stream.staleness == whole.staleness
    assert (stream.coverage, stream.latency) == (whole.coverage, whole.latency)
    finished = restore(begin, stream.save())
    with pytest.raises(InputError, match="flushed"):
        finished.push("ppg", [0.0], [1.0])


@settings(max_examples=30)
@given(taken=samples(), seed=SEEDS)
def test_nan_and_dropped_sensors_are_as_if_never_there(begin, taken, seed):
    random = random_of(seed)
    pushes = arrivals({k: v for k, v in taken.items() if k == "ppg"}, random, 1.0)
    without, poured = begin(lateness=1.0), begin(lateness=1.0)
    expected = facts(run(without, pushes))
    found = []
    for push in pushes:
        at = push.times.max() + random.normal() * 100  # whenever they claim to be
        found += list(poured.push("acc", [at, at + 1], np.full((2, 2), np.nan)))
        found += list(poured.push(*push))
        found += list(poured.push("ppg", [at], [np.nan]))
    assert facts(found + list(poured.flush())) == expected
    assert poured.save() == without.save()


@settings(max_examples=30)
@given(taken=samples(), seed=SEEDS)
def test_a_sensor_leaves_no_trace_in_the_rows_of_others(model, taken, seed):
    pushes = arrivals(taken, random_of(seed), 1.0)
    rows = []
    for some in (pushes, [push for push in pushes if push.name == "ppg"]):
        recorded, engine = recording(model)
        found = run(recorded.stream(hop=1 / 25, lateness=1.0), some)
        seen = [p.start for p in found if p.embedding is not None]
        rows.append(dict(zip(seen, (x["values"][0] for x in engine.inputs), strict=True)))
    for start in rows[0].keys() & rows[1].keys():
        assert rows[0][start][0].tobytes() == rows[1][start][0].tobytes()
        assert not rows[1][start][1:].any()


# Steps


@settings(max_examples=30)
@given(taken=samples(), seed=SEEDS, hop=st.integers(1, 8))
def test_steps_are_one_pass_of_the_step_graph(step_bundle, taken, seed, hop):
    model = load(step_bundle)
    stream = model.stream(hop=hop * 0.4, lateness=1.0)
    assert stream.mode == "step"
    pushes = arrivals(taken, random_of(seed), 1.0)
    found = run(stream, pushes)
    oracle = Oracle(pushes, 1.0)
    if not pushes or oracle.newest == -np.inf:
        assert not found
        return
    engine = open_engine(model.bundle, role="step")
    first, values, observed = oracle.grid()
    state, baseline = np.zeros((1, 24), np.float32), Baseline(3, 25.0, 20.0, 5)
    expected = []
    for end in range(10, values.shape[1] + 1, 10):
        for block in (slice(end - 10, end - 5), slice(end - 5, end)):
            baseline.update(values[:, block], observed[:, block])
        part = slice(end - 10, end)
        inputs = {
            "values": values[np.newaxis, :, part],
            "observed": observed[np.newaxis, :, part].astype(np.float32),
            "baseline": baseline.input,
            "state": state,
        }
        outputs = engine.run(inputs)
        state = outputs["next_state"]
        if end >= 50 and (end - 50) % (10 * hop) == 0:
            seen = observed[:, end - 50 : end].any()
            embedding = outputs["embedding"][0].tobytes() if seen else None
            expected.append(((first + end - 50) / 25, embedding))
    assert [
        (p.start, None if p.embedding is None else p.embedding.tobytes()) for p in found
    ] == expected
    np.testing.assert_array_equal(stream.baseline, baseline.usual)
