"""`onwrist serve` by WebSocket: the lines of `onwrist stream`, whatever clients do."""

from __future__ import annotations

import json
import socket as sockets
import struct
import subprocess
import sys
import threading
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import asked, running, socket_to, streaming, told
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from onwrist import Model, load
from onwrist.serve.messages import Hello, binary_push
from onwrist.serve.sessions import Session
from onwrist.serve.settings import Limits
from onwrist.simulate import simulate

SECONDS, HOP = 9.0, 0.4
TOKEN = "a-token-that-nobody-guesses"
Sample = tuple[float, str, list[float]]


@pytest.fixture(scope="module")
def model(step_bundle: Path) -> Model:
    return load(step_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def url(model: Model) -> Iterator[str]:
    with running([model], threads=2) as at:
        yield at


def wrist(seconds: float = SECONDS, dropout: tuple[float, float] = (3.0, 5.0)) -> list[Sample]:
    """Time, sensor and values of each sample, in the order of time; ppg is silent once."""
    s = simulate(seconds, dropout=dropout, dies={}).signals
    ppg = zip(s["ppg"].times.tolist(), s["ppg"].values.tolist(), strict=True)
    axes = np.stack([s["acc_x"].values, s["acc_y"].values], axis=1).tolist()
    found = [(t, "ppg", [v]) for t, v in ppg]
    found += [(t, "acc", xy) for t, xy in zip(s["acc_x"].times.tolist(), axes, strict=True)]
    return sorted(found)


SAMPLES = wrist()


@pytest.fixture(scope="module")
def lines(step_bundle: Path) -> list[str]:
    """What `onwrist stream` prints for the samples, one line each."""
    text = "".join(
        json.dumps({"sensor": name, "time": t, "values": values}) + "\n"
        for t, name, values in SAMPLES
    )
    words = [sys.executable, "-m", "onwrist", "stream", "--bundle", step_bundle, "--json"]
    done = subprocess.run(
        [*map(str, words), "--engine", "onnxruntime", "--hop", str(HOP)],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stdout.splitlines()
    assert len(found) == 18
    return found


def as_text(name: str, part: list[Sample]) -> str:
    times, values = [x[0] for x in part], [x[2] for x in part]
    samples = [x[0] for x in values] if name == "ppg" else values
    push = {"sensor": name, "timestamps": times, "samples": samples}
    return json.dumps({"push": push})


def as_bytes(name: str, part: list[Sample]) -> bytes:
    times, values = [x[0] for x in part], [x[2] for x in part]
    return binary_push(name, np.array(times), np.array(values, np.float32))


def messages(samples: list[Sample], cuts: list[int], binary: list[bool]) -> list[str | bytes]:
    """The samples between cuts, a message for each sensor."""
    found: list[str | bytes] = []
    ends = [0, *sorted(cuts), len(samples)]
    for k, (begin, end) in enumerate(pairwise(ends)):
        form: Callable[[str, list[Sample]], str | bytes] = as_text
        if binary and binary[k % len(binary)]:
            form = as_bytes
        for name in ("ppg", "acc"):
            part = [x for x in samples[begin:end] if x[1] == name]
            if part:
                found.append(form(name, part))
    return found


def predictions(socket: ClientConnection) -> list[str]:
    """The rows up to the end of a flush, as text."""
    socket.send('{"flush": {}, "id": 77}')
    found = []
    while True:
        text = str(socket.recv(20))
        if text.startswith('{"prediction": '):
            found.append(text.removeprefix('{"prediction": ').removesuffix("}"))
        elif text.startswith('{"done": {"id": 77'):
            return found


# The same numbers


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    cuts=st.lists(st.integers(0, len(SAMPLES)), min_size=12, max_size=40),
    binary=st.lists(st.booleans(), max_size=3),
)
def test_any_split_into_messages_gives_the_lines_of_the_command(
    url: str, lines: list[str], cuts: list[int], binary: list[bool]
) -> None:
    # What is pushed of one sensor may run ahead of the others by the lateness, 2 s.
    cuts = [*cuts, *(bisect(SAMPLES, (float(k),)) for k in range(1, 9))]
    with streaming(url, "toy", hop=HOP) as socket:
        for message in messages(SAMPLES, cuts, binary):
            socket.send(message)
        assert predictions(socket) == lines


def test_clients_at_once_get_each_their_own(step_tflite_bundle: Path) -> None:
    model = load(step_tflite_bundle, "litert")  # one interpreter, which threads share
    window = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    local = {k: model.predict(window * k)["heart_rate"].value for k in range(1, 5)}
    expected: list[float | None] = []
    live = model.stream(HOP)
    for t, name, values in SAMPLES:
        expected += [x["heart_rate"].value for x in live.push(name, [t], [values])]
    expected += [x["heart_rate"].value for x in live.flush()]

    def stream(at: str) -> bool:
        with streaming(at, "toy", hop=HOP) as socket:
            for message in messages(SAMPLES, list(range(0, len(SAMPLES), 10)), [True]):
                socket.send(message)
            rows = [json.loads(x)["tasks"]["heart_rate"]["value"] for x in predictions(socket)]
            return rows == expected

    def post(at: str, k: int) -> bool:
        body = (window * np.float32(k)).tobytes() * 20
        kind = {"Content-Type": "application/octet-stream"}
        answer = httpx.post(f"{at}/v1/models/toy/predict", content=body, headers=kind)
        rows = [x["tasks"]["heart_rate"]["value"] for x in answer.json()["predictions"]]
        return rows == [local[k]] * 20

    with running([model], threads=4) as at, ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(stream, at) for _ in range(4)]
        asking += [clients.submit(post, at, k) for k in range(1, 5)]
        assert all(each.result() for each in asking)


def test_a_stream_of_days(day_bundle: Path) -> None:
    model = load(day_bundle, "onnxruntime")
    times = np.arange(0.0, 30 * 3600, 60.0)
    steps = np.random.default_rng(0).poisson(20, len(times)).astype(np.float32)
    steps[7] = 9000.0  # in a minute, by nobody
    live = model.stream(midnight=3600.0)
    plausible = np.where(steps > 1000, np.nan, steps).astype(np.float32)
    local = [*live.push("steps", times, plausible), *live.flush()]
    with (
        running([model]) as at,
        streaming(at, "toy-day", midnight=3600.0) as socket,
    ):
        socket.send(binary_push("steps", times, steps, id=5))
        found = []
        while "done" not in (answer := told(socket)):
            found.append(answer["prediction"])
        assert answer == {"done": {"id": 5, "predictions": len(local)}}
        found += [json.loads(x) for x in predictions(socket)]
        assert [x["end"] for x in found] == [x.end for x in local]
        assert [x["coverage"] for x in found] == [dict(x.coverage) for x in local]
        state = asked(socket, {"state": {}})["state"]
        assert state["counters"]["steps"]["implausible"] == 1


def test_settings_are_those_of_the_library(url: str, model: Model) -> None:
    hello = {"hop": 1.0, "lateness": 0.5, "mode": "window", "rates": {"acc": 50.0}}
    live = model.stream(1.0, 0.5, "window", {"acc": 50.0})
    local = []
    for t, name, values in SAMPLES:
        local += list(live.push(name, [t], [values]))
    local += list(live.flush())
    with socket_to(url, "toy") as socket:
        greeting = asked(socket, {"hello": hello})["hello"]
        assert greeting["protocol"] == 1
        assert (greeting["hop"], greeting["lateness"], greeting["mode"]) == (1.0, 0.5, "window")
        assert greeting["model"]["hash"] == model.hash
        assert greeting["sensors"] == {"ppg": ["ppg"], "acc": ["acc_x", "acc_y"]}
        for message in messages(SAMPLES, list(range(0, len(SAMPLES), 20)), []):
            socket.send(message)
        found = [json.loads(x) for x in predictions(socket)]
        assert [x["end"] for x in found] == [x.end for x in local]
        assert [x["coverage"] for x in found] == [dict(x.coverage) for x in local]


def test_reset_begins_anew_and_state_says_how_it_is(url: str, lines: list[str]) -> None:
    with streaming(url, "toy", hop=HOP) as socket:
        for _ in range(2):
            for message in messages(SAMPLES, list(range(0, len(SAMPLES), 50)), [True]):
                socket.send(message)
            assert predictions(socket) == lines
            refused = asked(socket, as_text("ppg", SAMPLES[:1]))
            assert "reset" in refused["error"]
            state = asked(socket, {"state": {}})["state"]
            assert state["counters"]["ppg"]["samples"] == sum(x[1] == "ppg" for x in SAMPLES)
            assert state["staleness"]["acc_x"] < 0.1
            assert state["coverage"]["acc_x"] == 1.0
            assert asked(socket, {"reset": {}, "id": 1}) == {
                "done": {"id": 1, "predictions": 0}
            }
        assert state["predictions"] == 2 * len(lines)
        assert state["errors"] == 2


# What cannot be used

WRONG: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("{", "truncated"),
    "nothing": ("", "no message"),
    "not an object": ("[1]", "object"),
    "nothing asked": ("{}", "one of"),
    "two at once": ('{"flush": {}, "reset": {}}', "one of"),
    "unknown": ('{"pull": {}}', "pull"),
    "a second hello": ('{"hello": {}}', "first"),
    "a sensor": ('{"push": {"sensor": "ecg", "timestamps": [], "samples": []}}', "ecg"),
    "no sensor": ('{"push": {"timestamps": [], "samples": []}}', "sensor"),
    "lengths": ('{"push": {"sensor": "ppg", "timestamps": [1, 2], "samples": [1]}}', "2"),
    "axes": ('{"push": {"sensor": "acc", "timestamps": [1], "samples": [[1]]}}', "2 numbers"),
    "flat": ('{"push": {"sensor": "acc", "timestamps": [1], "samples": [1]}}', "2 numbers"),
    "ragged": (
        '{"push": {"sensor": "acc", "timestamps": [1, 2], "samples": [[1, 2], [1]]}}',
        "one length",
    ),
    "words": ('{"push": {"sensor": "ppg", "timestamps": [1], "samples": ["1"]}}', "samples"),
    "no time": ('{"push": {"sensor": "ppg", "timestamps": [null], "samples": [1]}}', "float"),
    "NaN": ('{"push": {"sensor": "ppg", "timestamps": [NaN], "samples": [1]}}', "no message"),
    "milliseconds": (
        '{"push": {"sensor": "ppg", "timestamps": [1.7e12], "samples": [1]}}',
        "milliseconds",
    ),
    "too great": ('{"push": {"sensor": "ppg", "timestamps": [1], "samples": [1e30]}}', "1e+30"),
    "too far": ('{"push": {"sensor": "ppg", "timestamps": [9999], "samples": [1]}}', "ahead"),
    "an id": ('{"state": {}, "id": -1}', "id must be"),
    "an id of words": ('{"state": {}, "id": "x"}', "id must be"),
    "deep": ("[" * 100_000, "no message"),
    "too long": (json.dumps({"state": "x" * 2**20}), "1048576 bytes"),
    "bytes": (b"\x01", "16 bytes"),
    "another kind": (b"\x02" + bytes(15), "begins with the byte 1"),
    "cut off": (binary_push("ppg", np.ones(2), np.ones(2, np.float32))[:-1], "48 bytes"),
    "a long name": (
        json.dumps({"push": {"sensor": "e" * 900_000, "timestamps": [], "samples": []}}),
        f"{'e' * 40} ...'; this model knows",
    ),
    "a long name in bytes": (binary_push("e" * 255, np.ones(1), np.ones(1)), "knows"),
    "a long key": (json.dumps({"x" * 900_000: 1}), "unknown field"),
    "counts": (struct.pack("<BBHIII", 1, 3, 1, 2**31, 0, 0) + b"ppg", "has"),
    "channels": (binary_push("acc", np.ones(2), np.ones(2, np.float32)), "2 numbers"),
    "no UTF-8": (struct.pack("<BBHIII", 1, 1, 1, 0, 0, 0) + b"\xff" + bytes(7), "UTF-8"),
    "no zeros": (struct.pack("<BBHIII", 1, 3, 1, 0, 0, 0) + b"ppg\0\0\0\0\1", "zeros"),
    "NaN in bytes": (
        binary_push("ppg", np.array([np.nan]), np.ones(1, np.float32)),
        "finite",
    ),
    "infinite": (binary_push("ppg", np.ones(1), np.full(1, np.inf, np.float32)), "below"),
}


def test_what_cannot_be_used_is_told_and_changes_nothing(url: str, lines: list[str]) -> None:
    parts = messages(SAMPLES, list(range(0, len(SAMPLES), 20)), [])
    wrong = list(WRONG.items())
    said, sent = 0, 1
    with streaming(url, "toy", hop=HOP) as socket:
        found = []
        for k, message in enumerate(parts):
            socket.send(message)
            what, (content, words) = wrong[k % len(wrong)]
            socket.send(content)
            sent += 2
            while "error" not in (answer := told(socket)):
                found.append(answer["prediction"])
            assert words in answer["error"], what
            assert len(answer["error"]) < 1010
            assert answer["at"]["message"] == sent
            said += 1
        assert said >= len(wrong)
        found += [json.loads(x) for x in predictions(socket)]
    assert found == [json.loads(x) for x in lines]


PIECES = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.sampled_from(["ppg", "acc", "ecg", ""])
        | st.lists(PIECES, max_size=3)
        | st.dictionaries(KEYS, PIECES, max_size=3)
    )
)
KEYS = st.sampled_from(
    ["push", "flush", "reset", "state", "id", "sensor", "timestamps", "samples", "hop"]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=st.dictionaries(KEYS, PIECES, max_size=4).map(json.dumps)
    | st.text(max_size=20)
    | st.binary(max_size=40)
    | st.binary(max_size=40).map(lambda rest: b"\1\3\1\0\1\0\0\0" + bytes(8) + rest)
)
def test_no_message_whatever_ends_a_stream(model: Model, message: str | bytes) -> None:
    session = Session(model, Hello(), Limits())
    answers = [json.loads(x) for x in session.answer(message)]
    assert all(x.keys() & {"error", "state", "done", "prediction"} for x in answers)
    assert [*session.answer('{"state": {}}')]


@pytest.mark.parametrize("time", [1.7e12, np.nan, np.inf, -np.inf])
def test_a_first_push_at_no_time_is_an_error_as_well(model: Model, time: float) -> None:
    session = Session(model, Hello(), Limits())
    wrong = binary_push("ppg", np.array([time]), np.ones(1, np.float32))
    assert "error" in next(session.answer(wrong))
    assert "done" in next(session.answer(binary_push("ppg", np.ones(1), np.ones(1), id=1)))


def test_samples_that_wait_are_bounded(model: Model) -> None:
    rates = {"ppg": 100_000.0}
    session = Session(model, Hello(lateness=86_400.0, rates=rates), Limits(held=1000))

    def push(begin: float) -> str:
        times = begin + np.arange(300) / 100_000
        return next(session.answer(binary_push("ppg", times, np.ones(300, np.float32), 1)))

    assert all("done" in push(second) for second in range(3))
    assert "1200 samples would wait to be used, and a stream holds 1000" in push(3.0)
    (state,) = session.answer('{"state": {}}')
    assert json.loads(state)["state"]["counters"]["ppg"]["samples"] == 900
    assert [*session.answer('{"reset": {}}')] == []
    assert "done" in push(3.0)


def test_samples_that_are_used_wait_no_longer(model: Model) -> None:
    late = [(name, times - 60, values) for name, times, values in bursts()]
    for parts in ([*bursts()], [next(bursts()), *late]):
        session = Session(model, Hello(), Limits(held=1000))
        said = [x for part in parts for x in session.answer(binary_push(*part))]
        assert not [x for x in said if "error" in x]


def test_an_error_names_the_message_that_it_is_of(url: str) -> None:
    with streaming(url, "toy") as socket:
        wrong = {"push": {"sensor": "ecg", "timestamps": [], "samples": []}, "id": 9}
        assert asked(socket, wrong)["at"] == {"message": 2, "id": 9}
        assert asked(socket, binary_push("e", np.ones(1), np.ones(1), id=8))["at"]["id"] == 8


def ends(socket: ClientConnection) -> tuple[int | None, str]:
    """The close code, and what the last message said."""
    last = ""
    with suppress(ConnectionClosed):
        while True:
            last = str(socket.recv(10))
    return socket.close_code, last


def test_too_many_errors_in_a_row_end_it(url: str) -> None:
    with streaming(url, "toy") as socket:
        for _ in range(15):
            assert "error" in asked(socket, "{")
        assert "state" in asked(socket, {"state": {}})
        for _ in range(16):
            socket.send("{")
        code, last = ends(socket)
        assert (code, "16 messages in a row" in last) == (1008, True)


def test_a_giant_message_ends_only_its_own_connection(url: str) -> None:
    with streaming(url, "toy") as other, streaming(url, "toy") as socket:
        # Whether the client sees the code 1009 depends on how much it has still to send.
        with suppress(ConnectionClosed):
            socket.send(bytes(4 * 2**20 + 1))
        assert ends(socket)[0] in (1006, 1009)
        assert "state" in asked(other, {"state": {}})


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ('{"state": {}}', "the first message"),
        ('{"hello": {"hops": 1}}', "hops"),
        ('{"hello": {"hop": -1}}', "hop must be"),
        ('{"hello": {"midnight": 0}}', "midnight"),
        ('{"hello": {"mode": "steps"}}', "mode"),
        (json.dumps({"hello": {"rates": {"e" * 10_000: 1}}}), f"{'e' * 40} ...'; this model"),
        ("hello", "no message"),
        (b"hello", "16 bytes"),
    ],
)
def test_a_hello_that_cannot_be_used_ends_it(url: str, first: str | bytes, words: str) -> None:
    with socket_to(url, "toy") as socket:
        socket.send(first)
        code, last = ends(socket)
        assert (code, words in last) == (1008, True), last


# Who is refused


def refusal(url: str, model: str = "toy", **options: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        socket_to(url, model, **options)
    return refused.value.response.status_code


def test_pages_elsewhere_other_hosts_and_unknown_models_are_refused(url: str) -> None:
    assert refusal(url, origin="http://evil.example") == 403
    assert refusal("http://evil.example", sock=narrow(url)) == 421
    assert refusal(url, "toi") == 404
    with socket_to(url, "toy", origin=url, subprotocols=["onwrist.v1"]) as socket:
        assert socket.subprotocol == "onwrist.v1"


def test_a_token_comes_in_the_header_or_the_hello(model: Model) -> None:
    with running([model], token=TOKEN) as at:
        header = {"Authorization": f"Bearer {TOKEN}"}
        with socket_to(at, "toy", additional_headers=header) as socket:
            assert "hello" in asked(socket, {"hello": {}})
        with socket_to(at, "toy") as socket:
            assert "hello" in asked(socket, {"hello": {"token": TOKEN}})
        for hello in ({}, {"token": ""}, {"token": TOKEN + "x"}):
            with socket_to(at, "toy") as socket:
                socket.send(json.dumps({"hello": hello}))
                code, last = ends(socket)
                assert (code, "token" in last) == (1008, True)


def running_streams(url: str, count: int) -> None:
    """Wait until so many stream."""
    for _ in range(500):
        if httpx.get(f"{url}/health").json()["streams"] == count:
            return
        time.sleep(0.02)
    raise AssertionError(httpx.get(f"{url}/health").text)


def test_more_streams_than_the_most_are_put_off(model: Model) -> None:
    with running([model], limits=Limits(streams=2, hello=0.3)) as at:
        with socket_to(at, "toy") as silent, streaming(at, "toy"), streaming(at, "toy"):
            with socket_to(at, "toy") as third:
                third.send('{"hello": {}}')
                code, last = ends(third)
                assert (code, "try again later" in last) == (1013, True)
            code, last = ends(silent)
            assert (code, "within 0.3 s" in last) == (1008, True)
        running_streams(at, 0)
        with streaming(at, "toy") as again:
            assert "state" in asked(again, {"state": {}})


def test_who_knows_the_token_is_not_kept_out_by_who_says_nothing(model: Model) -> None:
    limits = Limits(streams=1, greeting=2, hello=5.0)
    with running([model], limits=limits, token=TOKEN) as at, ExitStack() as silent:
        for _ in range(3):
            silent.enter_context(socket_to(at, "toy"))
        with socket_to(at, "toy") as stranger:
            assert ends(stranger)[0] == 1013
        header = {"Authorization": f"Bearer {TOKEN}"}
        with socket_to(at, "toy", additional_headers=header) as known:
            assert "hello" in asked(known, {"hello": {}})


# Slow and dead clients

LONG = wrist(120.0)
FINE = 0.04  # a prediction each grid point: 3,000 of them


@pytest.fixture(scope="module")
def expected(model: Model) -> list[tuple[float | None, dict[str, float]]]:
    live = model.stream(FINE, mode="window")
    found = []
    for sensor, times, values in bursts():
        found += [(x.end, dict(x.coverage)) for x in live.push(sensor, times, values)]
    return found + [(x.end, dict(x.coverage)) for x in live.flush()]


def bursts() -> Iterator[tuple[str, Any, Any]]:
    """The long recording in parts of a second."""
    for begin in range(120):
        for name in ("ppg", "acc"):
            part = [x for x in LONG if x[1] == name and begin <= x[0] < begin + 1]
            if part:
                times, values = [x[0] for x in part], [x[2] for x in part]
                yield name, np.array(times), np.array(values, np.float32)


def narrow(url: str) -> sockets.socket:
    """A connection whose system holds little."""
    host, _, port = url.removeprefix("http://").partition(":")
    made = sockets.socket()
    made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
    made.connect((host, int(port)))
    return made


def test_a_slow_client_gets_all_and_nobody_waits_for_it(
    model: Model, expected: list[Any], lines: list[str]
) -> None:
    with (
        running([model], limits=Limits(ping=0.8)) as at,
        socket_to(at, "toy", sock=narrow(at), max_queue=1) as slow,
    ):
        assert "hello" in asked(slow, {"hello": {"hop": FINE, "mode": "window"}})
        pushed = threading.Event()

        def push() -> None:
            for burst in bursts():
                slow.send(binary_push(*burst))
            slow.send('{"flush": {}, "id": 1}')
            pushed.set()

        thread = threading.Thread(target=push)
        thread.start()
        with streaming(at, "toy", hop=HOP) as quick:
            for message in messages(SAMPLES, list(range(0, len(SAMPLES), 20)), []):
                quick.send(message)
            assert predictions(quick) == lines
        found = []
        while "done" not in (answer := told(slow)):
            row = answer["prediction"]
            found.append((row["end"], row["coverage"]))
            if len(found) % 8 == 0:
                time.sleep(0.008)  # all in all some times as long as a pong may take
        thread.join()
        assert found == expected


def dead(url: str) -> sockets.socket:
    """A client that says hello, and then neither reads nor answers a ping."""
    made = narrow(url)
    made.sendall(
        b"GET /v1/models/toy/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert made.recv(4096).startswith(b"HTTP/1.1 101 ")
    made.sendall(frame(json.dumps({"hello": {"hop": FINE, "mode": "window"}}).encode(), 1))
    return made


def frame(payload: bytes, kind: int) -> bytes:
    """As RFC 6455 has it: text is 1, bytes are 2; masked by zeros."""
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", 0x80 | kind, 0x80 | length)
    else:
        header = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, length)
    return header + bytes(4) + payload


def test_dead_clients_are_dropped_and_nobody_waits_for_them(
    model: Model, lines: list[str]
) -> None:
    with running([model], limits=Limits(ping=0.8)) as at:
        silent, flooding = dead(at), dead(at)
        running_streams(at, 2)
        thread = threading.Thread(target=flood, args=(flooding,))
        thread.start()
        with streaming(at, "toy", hop=HOP) as quick:
            for message in messages(SAMPLES, list(range(0, len(SAMPLES), 20)), []):
                quick.send(message)
            assert predictions(quick) == lines
            running_streams(at, 1)
            assert "state" in asked(quick, {"state": {}})
        thread.join()
        silent.close()
        flooding.close()


def flood(socket: sockets.socket) -> None:
    """Push until the connection is gone, which it must be before long."""
    with suppress(ConnectionResetError, BrokenPipeError):
        while True:
            for burst in bursts():
                socket.sendall(frame(binary_push(*burst), 2))
