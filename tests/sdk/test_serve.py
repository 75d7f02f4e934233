"""`onwrist serve` by HTTP: the predictions of the library, and who and what is refused."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from serving import command, running, socket_to, streaming
from websockets.exceptions import ConnectionClosed, InvalidStatus

from onwrist import InputError, Model, load
from onwrist.cli import main
from onwrist.commands import output
from onwrist.serve import schema
from onwrist.serve.settings import Limits, Settings, is_loopback
from onwrist_runtime import bundle as bundles

Capture = pytest.CaptureFixture[str]
TOKEN = "a-token-that-nobody-guesses"
JSON, BYTES = "application/json", "application/octet-stream"


@pytest.fixture(scope="module")
def toy(toy_bundle: Path) -> Model:
    return load(toy_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def day(day_bundle: Path) -> Model:
    return load(day_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def step(step_bundle: Path) -> Model:
    return load(step_bundle, "onnxruntime")


@pytest.fixture(scope="module")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built app, beside a file and a link that are none of it."""
    folder = tmp_path_factory.mktemp("built") / "app"
    (folder / "assets").mkdir(parents=True)
    (folder.parent / "secret.txt").write_text("secret")
    (folder / "index.html").write_text("<!doctype html><title>app</title>")
    for name in ("main.js", "worker.mjs", "ort.wasm", "wrist.onwrist", "app.webmanifest"):
        (folder / "assets" / name).write_bytes(b"x")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    return folder


@pytest.fixture(scope="module")
def url(toy: Model, day: Model, step: Model, app_folder: Path) -> Iterator[str]:
    renamed = msgspec.structs.replace(step.manifest, name="toy-step")
    stepping = Model(bundles.Bundle(renamed, step.bundle.members, step.hash), step.engine)
    limits = Limits(windows=8, body=200_000, body_seconds=0.5)
    origins = ("http://localhost:5173",)
    with running([toy, day, stepping], app=app_folder, origins=origins, limits=limits) as at:
        yield at


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as made:
        yield made


def some_windows(model: Model, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Windows with a third of everything missing."""
    random = np.random.default_rng(seed)
    shape = count, len(model.channels), model.window_samples
    values = random.normal(size=shape).astype(np.float32)
    values[random.random(shape) < 0.3] = np.nan
    return values


def as_lists(values: NDArray[Any]) -> Any:
    return np.where(np.isnan(values), None, values.astype(object)).tolist()


def post(client: httpx.Client, model: str, content: Any, kind: str, **more: Any) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Content-Type": kind, **more.pop("headers", {})}
    return client.post(f"/v1/models/{model}/predict", content=body, headers=headers, **more)


def rows(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["predictions"]
    return found


# The same numbers


def test_windows_give_the_predictions_of_the_library(client: httpx.Client, toy: Model) -> None:
    values, starts = some_windows(toy, 5), [0.0, 1.5, 1e9, -3.0, 7.0]
    local = toy.predict_batch(values, None, starts)
    expected = [json.loads(json.dumps(output.as_json(x, toy.manifest))) for x in local]
    assert any(not task["abstained"] for row in expected for task in row["tasks"].values())
    several = {"values": as_lists(values), "start": starts}
    assert rows(post(client, "toy", several, JSON)) == expected
    query = {"start": starts}
    assert rows(post(client, "toy", values.tobytes(), BYTES, params=query)) == expected
    single = {"values": as_lists(values[1]), "start": 1.5}
    answer = post(client, "toy", single, f"{JSON}; charset=utf-8")
    assert rows(answer) == expected[1:2]
    assert answer.json()["model"] == {"name": "toy", "version": "1.0", "hash": toy.hash}


def test_a_row_is_to_the_letter_that_of_the_command(client: httpx.Client, toy: Model) -> None:
    values = some_windows(toy, 1)[0]
    text = post(client, "toy", values.tobytes(), BYTES).text
    line = json.dumps(output.as_json(toy.predict(values), toy.manifest), ensure_ascii=False)
    assert f'"predictions": [{line}]' in text


def test_days_take_their_time(client: httpx.Client, day: Model) -> None:
    values = np.abs(some_windows(day, 1)[0])
    local = day.predict(values, None, 86_400.0 + 7_200, midnight=7_200.0)
    body = {"values": as_lists(values), "start": 93_600.0, "midnight": 7_200.0}
    expected = [json.loads(json.dumps(output.as_json(local, day.manifest)))]
    assert rows(post(client, "toy-day", body, JSON)) == expected
    query = {"start": 93_600.0, "midnight": 7_200.0}
    answer = post(client, "toy-day", values.tobytes(), BYTES, params=query)
    assert rows(answer) == expected
    refused = post(client, "toy-day", {"values": as_lists(values)}, JSON)
    assert refused.status_code == 422
    assert "start" in refused.json()["error"]


def test_a_baseline_counts(client: httpx.Client, step: Model) -> None:
    values = some_windows(step, 1)[0]
    baseline: list[list[float | None]] = [[0.5, 2.0], [None, None], [1.0, 0.5]]
    given = np.array(baseline, np.float64)
    local = step.predict(values, baseline=given)
    body = {"values": as_lists(values), "baseline": baseline}
    found = rows(post(client, "toy-step", body, JSON))
    assert found == [json.loads(json.dumps(output.as_json(local, step.manifest)))]
    assert found != rows(post(client, "toy-step", {"values": as_lists(values)}, JSON))


# What is refused

_W = [[0.0] * 50] * 3
_HALF = (  # a request of which no more than half comes
    b"POST /v1/models/toy/predict HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 600\r\nContent-Type: application/octet-stream\r\n"
)
WRONG: dict[str, tuple[Any, str, int, str]] = {
    "no JSON": (b"{", JSON, 400, "truncated"),
    "not an object": ([], JSON, 422, "object"),
    "no values": ({}, JSON, 422, "values"),
    "a key that is none": ({"values": _W, "starts": 1}, JSON, 422, "starts"),
    "a long key": ({"x" * 100_000: 1}, JSON, 422, "unknown field"),
    "words": ({"values": [["1"] * 50] * 3}, JSON, 422, "values"),
    "another shape": ({"values": [[0.0] * 49] * 3}, JSON, 422, r"(3, 50)"),
    "ragged": ({"values": [[0.0] * 50, [0.0], [0.0]]}, JSON, 422, "one length"),
    "no windows": ({"values": []}, JSON, 422, "shape"),
    "deep": ({"values": [[[[0.0]]]]}, JSON, 422, "values"),
    "NaN": (b'{"values": [[NaN]]}', JSON, 400, ""),
    "too great": ({"values": [[1e30] * 50] * 3}, JSON, 422, "ppg"),
    "starts": ({"values": _W, "start": [1.0, 2.0]}, JSON, 422, "2 starts"),
    "midnight": ({"values": _W, "midnight": 0.0}, JSON, 422, "midnight"),
    "baseline": ({"values": _W, "baseline": [[0, 1]] * 3}, JSON, 422, "takes no baseline"),
    "baselines": ({"values": [_W] * 2, "baseline": [[0, 1]] * 3}, JSON, 422, "one window"),
    "many": ({"values": [[[0] * 50] * 3] * 9}, JSON, 413, "8"),
    "too long": (b" " * 200_001, JSON, 413, "200000 bytes"),
    "half a window": (b"\0" * 300, BYTES, 422, "600"),
    "nothing": (b"", BYTES, 422, "600"),
    "infinity": (np.full((3, 50), np.inf, "<f4").tobytes(), BYTES, 422, "ppg"),
    "many in bytes": (bytes(600 * 9), BYTES, 413, "8"),
    "another type": (b"ppg", "text/csv", 415, "text/csv"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_body_that_cannot_be_used_is_told_why(client: httpx.Client, what: str) -> None:
    content, kind, status, words = WRONG[what]
    answer = post(client, "toy", content, kind)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert len(answer.text) < 1100
    assert rows(post(client, "toy", {"values": _W}, JSON))


def test_a_body_without_a_length_is_refused_as_well(client: httpx.Client) -> None:
    parts = iter([bytes(10_000)] * 100)
    headers = {"Content-Type": BYTES}
    answer = client.post("/v1/models/toy/predict", content=parts, headers=headers)
    assert answer.status_code == 413


def test_a_body_without_an_end_is_cut_off(url: str) -> None:
    with socket.create_connection(_address(url), 10) as raw:
        raw.sendall(
            b"POST /v1/models/toy/predict HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000000\r\n\r\n"
        )
        sent = 0
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < 10**9:
                raw.sendall(bytes(1_000_000))
                sent += 1_000_000
        assert sent < 10**8


def test_a_body_that_does_not_come_is_given_up(url: str) -> None:
    with socket.create_connection(_address(url), 10) as raw:
        raw.sendall(_HALF + b"\r\nabc")
        assert raw.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_half_requests_shut_nobody_out(toy: Model) -> None:
    limits = Limits(streams=1, requests=1, hello=0.4)
    with running([toy], limits=limits) as at, ExitStack() as halves:
        for _ in range(80):
            half = halves.enter_context(socket.create_connection(_address(at), 10))
            half.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-")
        assert httpx.get(f"{at}/health").status_code == 503
        assert _until(lambda: httpx.get(f"{at}/health"), 200).json()["status"] == "ok"


@pytest.mark.parametrize(
    "drops",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-",
        b"POST /v1/models/none/predict HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 1000\r\n\r\n",
    ],
    ids=["a head", "a body that nobody needs"],
)
def test_a_request_after_another_must_come_in_time_as_well(toy: Model, drops: bytes) -> None:
    with (
        running([toy], limits=Limits(hello=0.3)) as at,
        socket.create_connection(_address(at), 10) as raw,
    ):
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200 ")
        raw.sendall(drops)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _drip(raw)


def _drip(raw: socket.socket) -> None:
    for _ in range(60):
        raw.sendall(b"x")
        threading.Event().wait(0.05)


def test_a_request_under_way_is_not_cut_off(toy: Model) -> None:
    with (
        running([toy], limits=Limits(hello=0.2, body_seconds=0.6)) as at,
        socket.create_connection(_address(at), 10) as raw,
    ):
        raw.sendall(_HALF + b"\r\nabc")
        assert raw.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_more_requests_than_are_worked_on_are_put_off(toy: Model) -> None:
    limits = Limits(requests=1)
    with running([toy], limits=limits) as at, httpx.Client(base_url=at) as other:
        with socket.create_connection(_address(at), 10) as raw:
            raw.sendall(_HALF + b"\r\nabc")
            busy = _until(lambda: post(other, "toy", {"values": _W}, JSON), 503)
            assert busy.headers["retry-after"] == "1"
        assert rows(_until(lambda: post(other, "toy", {"values": _W}, JSON), 200))


def _until(ask: Any, status: int) -> httpx.Response:
    for _ in range(100):
        answer: httpx.Response = ask()
        if answer.status_code == status:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError(answer.text)


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def test_an_unknown_model_is_told_with_those_that_there_are(client: httpx.Client) -> None:
    answer = post(client, "toi", {"values": _W}, JSON)
    assert answer.status_code == 404
    assert "toy, toy-day" in answer.json()["error"]


# Who is refused


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "LOCALHOST", "[::1]:8765"])
def test_names_of_this_machine_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost@evil", ""]
)
def test_other_names_of_this_machine_are_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/v1/models", headers={"Host": host})
    assert answer.status_code == 421
    assert "localhost" in answer.json()["error"]


def test_only_pages_of_the_same_origin_and_allowed_ones_may_ask(
    client: httpx.Client, url: str
) -> None:
    def status(origin: str) -> int:
        headers = {"Origin": origin}
        answer = post(client, "toy", {"values": _W}, JSON, headers=headers)
        return int(answer.status_code)

    assert status(url) == status("http://localhost:5173") == 200
    for other in ("http://localhost:5174", "https://evil.example", "null", url + "0"):
        assert status(other) == 403
    preflight = client.options(
        "/v1/models/toy/predict",
        headers={
            "Origin": "http://localhost:5173",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert preflight.status_code == 200


def test_a_token_is_asked_for_where_there_is_one(toy: Model) -> None:
    with running([toy], token=TOKEN) as at, httpx.Client(base_url=at) as asking:
        for headers in (
            {},
            {"Authorization": "Bearer another-token-altogether"},
            {"Authorization": TOKEN},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer \u00e4".encode("latin-1").decode("latin-1")},
        ):
            sent = {k: v.encode("latin-1") for k, v in headers.items()}
            answer = asking.get("/v1/models", headers=sent)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert asking.get(f"/v1/models?token={TOKEN}").status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert asking.get("/v1/models", headers=right).status_code == 200
        assert rows(post(asking, "toy", {"values": _W}, JSON, headers=right))
        assert asking.get("/health").status_code == 200
        described = asking.get("/openapi.json").json()
        assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_origin_that_any_page_can_have_goes_with_a_token(toy: Model) -> None:
    with running([toy], token=TOKEN, origins=("null",)) as at:
        headers = {"Origin": "null"}
        assert httpx.get(f"{at}/v1/models", headers=headers).status_code == 401
        headers["Authorization"] = f"Bearer {TOKEN}"
        assert httpx.get(f"{at}/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1"])
def test_other_machines_are_let_in_with_a_token_only(host: str, capsys: Capture) -> None:
    assert main(["serve", "--host", host]) == 2
    assert "a token is required" in capsys.readouterr().err
    assert not Settings(host=host, token=TOKEN).local


def test_bound_elsewhere_any_name_is_answered_to_who_knows_the_token(toy: Model) -> None:
    with running([toy], host="0.0.0.0", token=TOKEN) as at:
        port = at.rpartition(":")[2]
        headers = {"Host": "kitchen.lan", "Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers).is_success


def test_origins_are_in_lower_case_as_browsers_write_them(toy: Model) -> None:
    with running([toy], origins=("HTTP://LocalHost:5173",)) as at:
        headers = {"Origin": "http://localhost:5173"}
        answer = httpx.get(f"{at}/v1/models", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == headers["Origin"]


def test_which_addresses_are_of_this_machine_alone() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    with pytest.raises(InputError, match="no such address"):
        is_loopback("no such host")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--token", "short"], "16"),
        (["--port", "70000"], "65535"),
        (["--max-streams", "0"], "--max-streams"),
        (["--threads", "0"], "--threads"),
        (["--allow-origin", "localhost:5173"], "http://localhost:5173"),
        (["--allow-origin", "http://localhost:5173/app"], "http://localhost:5173"),
        (["--allow-origin", "null"], "a token is required"),
        (["--app", "."], "index.html"),
        (["no-such-bundle"], "wrist-himae"),
        (["wrist-himae-small", "wrist-himae-small"], "two bundles"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], words: str, capsys: Capture) -> None:
    assert main(["serve", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_bundle_of_another_format_is_refused(
    toy_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    later = tmp_path / "later.onwrist"
    content = toy_bundle.read_bytes()
    later.write_bytes(re.sub(rb'"format": \d', b'"format": 9', content, count=1))
    assert main(["serve", str(later)]) == 2
    assert str(later) in capsys.readouterr().err


def test_a_port_in_use_is_told(toy_bundle: Path, url: str, capsys: Capture) -> None:
    port = str(_address(url)[1])
    assert main(["serve", str(toy_bundle), "--port", port]) == 1
    assert f"port {port}: Address already in use; choose another" in capsys.readouterr().err


def test_without_the_extra_it_is_named() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from onwrist.cli import main; sys.exit(main(['serve']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'pip install "onwrist[serve]"' in done.stderr
    assert "Traceback" not in done.stderr


# The API's own page, and the app


def test_openapi_tells_every_path_and_answers_are_as_it_says(
    client: httpx.Client, toy: Model
) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    forms = described["components"]["schemas"]
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)):
        assert reference in forms
    assert described["paths"].keys() == {
        "/health",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/models/{name}/predict",
    }
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            target = path.replace("{name}", "toy")
            content = {"values": as_lists(some_windows(toy, 1)[0])}
            body = content if "requestBody" in operation else None
            answer = client.request(method, target, json=body)
            assert answer.status_code == 200
            (kind,) = operation["responses"]["200"]["content"].values()
            form = kind["schema"]["$ref"].rpartition("/")[2]
            msgspec.convert(answer.json(), getattr(schema, form), strict=True)
            assert "422" not in operation["responses"] or "requestBody" in operation
    failure = client.get("/v1/models/none").json()
    assert msgspec.convert(failure, schema.Failure)


def test_a_model_tells_its_manifest(client: httpx.Client, toy: Model) -> None:
    found = client.get("/v1/models/toy").json()
    assert found["hash"] == toy.hash
    assert found["manifest"]["members"].keys() == set(toy.manifest.members)
    assert [x["name"] for x in found["channels"]] == ["ppg", "acc_x", "acc_y"]
    assert [x["name"] for x in client.get("/v1/models").json()["models"]] == [
        "toy",
        "toy-day",
        "toy-step",
    ]


def test_the_page_of_the_api_fetches_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text.partition("<html")[2]
    linked = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(linked) == 3
    for path in linked:
        assert client.get(f"/{path}").status_code == 200
    assert "//" not in client.get("/docs/start.js").text
    assert "Binary push" in client.get("/docs/protocol").text


def test_the_page_of_the_protocol_names_the_limits_that_hold(client: httpx.Client) -> None:
    page, limits = client.get("/docs/protocol").text, Limits()
    for words in (
        f"{limits.body // 2**20} MiB, {limits.windows} windows",
        f"of more than {limits.message // 2**20} MiB is an error",
        f"more than {limits.longest // 2**20} MiB ends the connection",
        f"({limits.ahead:,} grid points)",
        f"holds {limits.held:,} samples",
        f'"held_samples": {limits.held}',
        f"{limits.errors} errors in a row end the connection",
        f"The first message, within {limits.hello:g} s, is",
        f"request comes within {limits.hello:g} s",
        f"Every {limits.ping:g} s",
        f"{limits.streams + limits.greeting} connections at once",
        f'"most_streams": {limits.streams}',
    ):
        assert words in page, words


def test_the_app_is_served_with_its_types_and_a_policy(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.text == "<!doctype html><title>app</title>"
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    for name, kind in {
        "main.js": "text/javascript; charset=utf-8",
        "worker.mjs": "text/javascript; charset=utf-8",
        "ort.wasm": "application/wasm",
        "wrist.onwrist": "application/octet-stream",
        "app.webmanifest": "application/manifest+json",
    }.items():
        answer = client.get(f"/assets/{name}")
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = {"If-None-Match": answer.headers["etag"]}
        assert client.get(f"/assets/{name}", headers=again).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/../../secret.txt",
        "//secret.txt",
        "/link.txt",
        "/docs/files/../core.py",
        "/docs/files/..%2fcore.py",
        "/assets/main.js%00.html",
    ],
)
def test_nothing_above_the_folder_is_served(url: str, path: str) -> None:
    raw = http.client.HTTPConnection(*_address(url))
    raw.putrequest("GET", path, skip_host=False)
    raw.endheaders()
    answer = raw.getresponse()
    assert answer.status == 404
    assert b"secret" not in answer.read().replace(b"secret.txt", b"")
    raw.close()


# Its end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(toy_bundle: Path, number: signal.Signals) -> None:
    with command(toy_bundle, "--engine", "onnxruntime", ONWRIST_TOKEN=TOKEN) as (at, process):
        assert httpx.get(f"{at}/v1/models").status_code == 401
        with socket.create_connection(_address(at), 10) as leaving:
            leaving.sendall(_HALF + f"Authorization: Bearer {TOKEN}\r\n\r\nabc".encode())
        with pytest.raises(InvalidStatus):
            socket_to(at, "none")
        with streaming(at, "toy", token=TOKEN) as stream:
            process.send_signal(number)
            told = json.loads(stream.recv(10))
            assert ("the service ends" in told["error"], told["at"]) == (True, None)
            with pytest.raises(ConnectionClosed, match="1012"):
                stream.recv(10)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
