"""What a stream refuses: a clear error, and the stream is as it was before the call."""

from __future__ import annotations

import dataclasses
import hashlib

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from live import EPOCH, Recorder, facts, recording

from onwrist_runtime import Model, Signal, bundle, load, saved
from onwrist_runtime.errors import BundleError, EngineError, InputError, ParityError

YEAR = 366 * 86_400.0
RAMP = np.arange(64) / 64


@pytest.fixture(scope="module")
def model(toy_bundle) -> Model:
    return load(toy_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def stepper(step_bundle) -> Model:
    return load(step_bundle)


@pytest.fixture
def stream(model):
    """A stream that has seen three seconds."""
    made = model.stream()
    for second in range(3):
        list(made.push("ppg", EPOCH + second + RAMP, RAMP))
    return made


# Pushes


@pytest.mark.parametrize(
    ("name", "times", "samples", "message"),
    [
        ("ppg", np.float32(RAMP), RAMP, "'ppg': time stamps must be float64, not float32.*128"),
        (
            "ppg",
            RAMP[:60],
            RAMP,
            r"'ppg': samples of shape \(64,\) and time stamps of.* \(60,\)",
        ),
        ("ppg", RAMP * np.nan, RAMP, "'ppg': a time must be finite and in seconds, not nan"),
        ("ppg", [0.0, np.inf], [1, 2], "finite and in seconds, not inf"),
        ("ppg", [-np.inf, 0.0], [1, 2], "finite and in seconds, not -inf"),
        ("ppg", [EPOCH, np.nan, EPOCH + 1], [1, 2, 3], "finite and in seconds, not nan"),
        ("ppg", [EPOCH * 1000], [1.0], "milliseconds"),
        (
            "ppg",
            RAMP,
            RAMP,
            "'ppg': a time stamp is 0.0, but the newest so far is 16442.*clock",
        ),
        ("ppg", [EPOCH + 2 * YEAR], [1.0], "on one clock"),
        ("ppg", [EPOCH, EPOCH - 2 * YEAR, EPOCH], [1, 1, 1], "on one clock"),
        ("ppg", RAMP[np.newaxis], RAMP[np.newaxis], r"it must be \(n,\)"),
        ("ppg", EPOCH, 1.0, r"samples of shape \(\)"),
        ("ppg", [[EPOCH]], [1.0], "needs one time stamp"),
        ("ppg", EPOCH, [1.0], r"time stamps of shape \(\): every sample needs one"),
        ("ppg", ["now"], [1.0], "must be float64 seconds, not <U3"),
        ("ppg", [EPOCH], np.ma.masked_array([1.0], [True]), "masked array.*NaN"),
        ("ppg", [EPOCH], ["high"], "'ppg': samples must be real numbers"),
        ("ppg", [EPOCH], [np.inf], "'ppg': a sample is inf"),
        ("ppg", [EPOCH, EPOCH], [np.nan, -1e300], "'ppg': a sample is -inf"),
        ("ppg", [EPOCH], [1e16], r"'ppg': a sample is 1e\+16"),
        ("acc", [EPOCH], [1.0], r"'acc': samples of shape \(1,\); it must be \(n, 2\)"),
        ("acc", [EPOCH], [[1.0, 2.0, 3.0]], r"'acc': samples of shape \(1, 3\)"),
        ("acc_x", [EPOCH], [[1.0, 2.0]], r"'acc_x': samples of shape \(1, 2\)"),
        ("PPG", [EPOCH], [1.0], "'PPG'; this model knows the channels ppg, acc_x, acc_y and"),
        (None, [EPOCH], [1.0], "no channel or sensor None"),
        (["ppg"], [EPOCH], [1.0], "no channel or sensor"),
    ],
)
def test_samples_that_cannot_be_used(stream, name, times, samples, message):
    before = stream.save()
    with pytest.raises(InputError, match=message):
        stream.push(name, times, samples)
    assert stream.save() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "no samples of ppg, acc_x, acc_y among no signals"),
        ({"ecg": Signal.regular(RAMP, 64.0)}, "among ecg"),
        ({"ppg": Signal.regular(np.full(9, np.nan), 64.0)}, "no samples of ppg"),
        ({"ppg": RAMP}, "'ppg' is a ndarray"),
        ({"ppg": Signal.regular(RAMP, 64.0, EPOCH + 2 * YEAR)}, "on one clock"),
        ({"ppg": Signal.regular(RAMP, 100.0, EPOCH)}, r"at 100 Hz.*stream\(rates=\{'ppg': 100"),
    ],
)
def test_recordings_that_cannot_be_used(stream, change, message):
    before = stream.save()
    with pytest.raises(InputError, match=message):
        stream.push_recording(change)
    with pytest.raises(InputError, match="signals by channel, not a ndarray"):
        stream.push_recording(RAMP)
    assert stream.save() == before


def test_more_samples_than_a_stream_holds_are_refused_whole(model):
    stream = model.stream()
    list(stream.push("ppg", EPOCH + RAMP, RAMP))
    before = stream.save()
    dense = EPOCH + 1 + np.arange(500_000) / 1e5
    with pytest.raises(InputError, match=r"'ppg': more than \d+ samples within .*rates="):
        stream.push("ppg", dense, np.zeros(len(dense)))
    with pytest.raises(InputError, match="more than"):
        stream.push("ppg", dense[::-1], np.zeros(len(dense)))
    assert stream.save() == before
    faster = model.stream(rates={"ppg": 1e5})
    assert len(list(faster.push("ppg", dense, np.zeros(len(dense))))) > 0


def test_another_clock_anywhere_in_a_long_push_is_refused_whole(stream):
    times = EPOCH + 3 + np.arange(40_000)[::-1] / 64
    before = stream.save()
    for at in (5, 20_000, 39_999):
        for far in (-YEAR, YEAR + 700):
            odd = times.copy()
            odd[at] += far
            with pytest.raises(InputError, match="on one clock"):
                stream.push("ppg", odd, np.zeros(len(odd)))
            assert stream.save() == before


def test_a_clock_may_go_on_for_longer_than_a_year_in_one_push(model):
    stream = model.stream()
    years = np.array([0.0, 0.6, 1.2])  # each is within a year of the newest before it
    assert next(stream.push("ppg", EPOCH + years * YEAR, np.zeros(3))).start >= EPOCH
    stream.reset()
    for years in ([0.0, 1.1], [0.0, 0.6, 1.2, 0.1], [0.0, 0.6, -0.5]):
        with pytest.raises(InputError, match="on one clock"):
            stream.push("ppg", EPOCH + np.array(years) * YEAR, np.zeros(len(years)))


def test_nothing_can_be_pushed_after_a_flush_until_a_reset(model, stream):
    list(stream.flush())
    before = stream.save()
    with pytest.raises(InputError, match=r"flushed; reset\(\) begins anew"):
        stream.push("ppg", [EPOCH + 9], [1.0])
    with pytest.raises(InputError, match="flushed"):
        stream.push_recording({"ppg": Signal.regular(RAMP, 64.0, EPOCH + 9)})
    assert list(stream.flush()) == []
    assert stream.save() == before
    stream.reset()
    assert stream.save() == model.stream().save()
    list(stream.push("ppg", [5.0], [1.0]))  # another clock is welcome now


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 0}, "hop must be a positive number of seconds"),
        ({"hop": -1.0}, "hop must be a positive number of seconds"),
        ({"hop": np.nan}, "finite"),
        ({"hop": 1e6}, "at most 86400"),
        ({"hop": "1"}, "number of seconds"),
        ({"lateness": -0.1}, "lateness must be from 0 to 86400 seconds, not -0.1"),
        ({"lateness": np.inf}, "finite"),
        ({"lateness": np.float32(2)}, "float64"),
        ({"mode": "steps"}, "mode must be 'step', 'window' or None, not 'steps'"),
        ({"mode": "step"}, "onnxruntime has no step graph in toy 1.0: use mode='window'"),
        ({"rates": {"ppg": 0}}, "a rate must be positive"),
        ({"rates": {"ppg": 1e-310}}, "a rate must be from 1e-06 to 100000 Hz"),
        ({"rates": {"PPG": 64}}, "no channel or sensor 'PPG'"),
        ({"rates": 64}, "rates are Hz by channel or sensor, not 64"),
        ({"rates": {"acc_x": 50}}, "channels of 'acc' share.*one rate: 50 or 32 Hz"),
    ],
)
def test_options_that_cannot_be_used(model, options, message):
    with pytest.raises(InputError, match=message):
        model.stream(**options)


def test_a_hop_is_whole_steps(stepper):
    assert stepper.stream().hop == 0.4
    assert stepper.stream(hop=0.81).hop == 0.8
    with pytest.raises(
        InputError, match=r"steps of 0\.4 s: take 0\.8 s and 1\.2 s, or mode='w"
    ):
        stepper.stream(hop=1.0)
    with pytest.raises(InputError, match=r"take 0\.4 s, or mode='window'"):
        stepper.stream(hop=0.1)
    assert stepper.stream(hop=0.1, mode="window").hop == pytest.approx(0.08)  # 2 grid points


# Iterators that are not read


def test_an_iterator_must_be_read_before_the_next_call(model):
    stream, times = model.stream(hop=0.04, lateness=0.0), EPOCH + np.arange(64 * 20) / 64
    expected = model.stream(hop=0.04, lateness=0.0)
    whole = [p for k in range(20) for p in expected.push("ppg", times[64 * k :][:64], RAMP)]
    found = stream.push("ppg", times, np.tile(RAMP, 20))
    for call in (
        lambda: stream.push("ppg", [], []),
        lambda: stream.push_recording({"ppg": Signal(RAMP, times[:64], 64.0)}),
        stream.flush,
        stream.save,
    ):
        with pytest.raises(InputError, match=r"read its iterator to the end first, or reset"):
            call()
    assert facts(list(found)) == facts(whole)
    assert stream.save() == expected.save()


def test_a_reset_drops_what_was_not_read(model):
    stream = model.stream(hop=0.04)
    found = stream.push("ppg", np.arange(64 * 20) / 64, np.tile(RAMP, 20))
    stream.reset()
    assert len(list(found)) <= 65
    assert stream.save() == model.stream(hop=0.04).save()


# Engines and step graphs


def test_where_the_engine_failed_the_next_call_tries_again(model):
    class Fails(Recorder):
        failures = 3

        def run(self, inputs):
            if self.failures and len(self.inputs) == 7:
                self.failures -= 1
                raise EngineError("no memory")
            return super().run(inputs)

    recorded, _ = recording(model)
    whole = recorded.stream(hop=0.2)
    expected = [p for k in range(9) for p in whole.push("ppg", k + RAMP, RAMP)]
    failing, found, failures = dataclasses.replace(model, engine=Fails()).stream(hop=0.2), [], 0
    for k in range(9):
        try:
            for prediction in failing.push("ppg", k + RAMP, RAMP):
                found.append(prediction)
        except EngineError:
            failures += 1
    assert failures == 3
    assert facts(found) == facts(expected)
    assert failing.save() == whole.save()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"state": 18},
            BundleError,
            r"step\.s8\.onnx has the inputs .*state float32 \(1, 24\)",
        ),
        ({"samples": 25}, BundleError, r"values float32 \(1, 3, 10\).*\(1, 3, 25\)"),
    ],
)
def test_a_step_graph_that_disagrees_with_the_manifest(
    step_parts, tmp_path, change, error, message
):
    manifest, members = step_parts
    step = msgspec.structs.replace(manifest.step, **change)
    path = tmp_path / "odd.onwrist"
    bundle.write(path, msgspec.structs.replace(manifest, step=step), members)
    model = load(path)
    with pytest.raises(error, match=message):
        model.stream()
    assert model.stream(mode="window").mode == "window"


def test_a_step_graph_is_believed_only_after_its_golden_steps(step_parts, tmp_path):
    manifest, members = step_parts
    golden = safetensors.numpy.load(members["golden.safetensors"])
    golden["onnx/step/embedding"] = golden["onnx/step/embedding"] + np.float32(0.5)
    path = tmp_path / "off.onwrist"
    bundle.write(
        path, manifest, members | {"golden.safetensors": safetensors.numpy.save(golden)}
    )
    model = load(path)
    for _ in range(2):
        with pytest.raises(ParityError, match=r"step\.s8\.onnx is off.*embedding by 0\.5"):
            model.stream()


# Saved streams


@pytest.fixture(params=["window", "step"])
def kept(request, stepper) -> tuple[Model, bytes]:
    stream = stepper.stream(mode=request.param)
    for second in range(5):
        list(stream.push("ppg", EPOCH + second + RAMP, RAMP))
    return stepper, stream.save()


def test_a_saved_stream_is_small(kept):
    assert len(kept[1]) < 10_000


def test_no_altered_byte_is_read(kept):
    model, blob = kept
    for position in range(0, len(blob), 7):
        altered = bytearray(blob)
        altered[position] ^= 0x41
        with pytest.raises(InputError):
            model.restore_stream(bytes(altered))


@pytest.mark.parametrize(
    "raw", [b"", b"onwrist", b"\x80\x04.", b"PK\x03\x04" * 100, "text", None]
)
def test_what_is_no_saved_stream(model, raw):
    with pytest.raises(InputError, match="saved stream"):
        model.restore_stream(raw)


def test_a_stream_that_was_cut_short(kept):
    model, blob = kept
    for size in range(0, len(blob), 97):
        with pytest.raises(InputError, match="cut short"):
            model.restore_stream(blob[:size])


def test_a_stream_of_another_bundle_or_layout(kept, model):
    _, blob = kept
    with pytest.raises(InputError, match=r"saved with 'toy 1\.0' .* this model is toy 1\.0"):
        model.restore_stream(blob)
    later = blob[: len(saved.MAGIC)] + b"\x02\x00" + blob[len(saved.MAGIC) + 2 :]
    with pytest.raises(InputError, match="in layout 2, and this onwrist reads layout 1"):
        kept[0].restore_stream(later)


def forged(blob: bytes, **change) -> bytes:
    """A saved stream with other fields and a right hash."""
    head = len(saved.MAGIC) + 2
    record = msgspec.msgpack.decode(blob[head + 32 :])
    for name, new in change.items():
        record[name] = new(record[name]) if callable(new) else new
    payload = msgspec.msgpack.encode(record)
    return blob[:head] + hashlib.sha256(payload).digest() + payload


def _sensor(name, change):
    return lambda sensors: [sensors[0] | {name: change(sensors[0][name])}, *sensors[1:]]


def _floats(*numbers):
    return lambda raw: np.array(numbers).tobytes() + raw[8 * len(numbers) :]


@pytest.mark.parametrize(
    "change",
    [
        {"grid": lambda raw: raw[:-4]},
        {"grid": lambda raw: b"\xff" * len(raw)},
        {"observed": lambda raw: raw + b"\0"},
        {"baseline": None},
        {"baseline": lambda raw: raw[:8]},
        {"baseline": lambda raw: b"\xff" * len(raw)},
        {"state": lambda raw: b"\0\0\0\0" if raw else b"\0" * 96},
        {"state": lambda raw: b"\xff" * 96},
        {"mode": "both"},
        {"hop": 0},
        {"hop": -10},
        {"hop": 2**40},
        {"lateness": float("nan")},
        {"rates": [64.0, 32.0]},
        {"rates": [64.0, 32.0, 1e9]},
        {"newest": float("nan")},
        {"origin": 2**62},
        {"origin": None},
        {"done": -10},
        {"done": 2**62},
        {"sensors": lambda sensors: sensors[:1]},
        {"sensors": _sensor("times", lambda raw: raw[:-8])},
        {"sensors": _sensor("times", lambda raw: raw[::-1])},
        {"sensors": _sensor("times", _floats(np.nan))},
        {"sensors": _sensor("times", _floats(1e300))},
        {"sensors": _sensor("values", lambda raw: b"\x00\x00\x80\x7f" + raw[4:])},
        {"sensors": _sensor("values", lambda raw: np.float32(1e16).tobytes() + raw[4:])},
        {"tallies": lambda tallies: tallies[:2]},
        {"tallies": lambda tallies: [tallies[0] | {"late": -1}, *tallies[1:]]},
        {"coverage": [1.0]},
        {"coverage": [2.0, 0.0, 0.0]},
        {"end": float("nan")},
        {"code": "import os"},
    ],
    ids=", ".join,
)
def test_records_that_no_stream_gives(kept, change):
    model, blob = kept
    assert model.restore_stream(forged(blob)).save() == blob
    with pytest.raises(InputError):
        model.restore_stream(forged(blob, **change))
