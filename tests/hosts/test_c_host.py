"""The C host, compiled: the vectors of every host, every bundle that ships, and bad input.

It is built strictly, and once more with the sanitizers of addresses and undefined behaviour.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import c_host
import c_player
import c_tflite
import msgspec
import numpy as np
import pytest
from c_host import SANITIZED, STRICT, VECTORS

from onwrist.embed import embed
from onwrist.simulate import body, days, simulate
from onwrist_runtime import bundle as bundles
from onwrist_runtime.model import Model, load

sys.path.append(str(VECTORS))
from stream_replay import apart

pytestmark = pytest.mark.skipif(c_host.compiler() is None, reason="there is no C compiler")

SIMULATED = {
    "wrist-himae-small": lambda: simulate(seed=0).signals,
    "wrist-himae": lambda: simulate(seconds=45.0, seed=3).signals,
    "day-lsm2": lambda: days(2, seed=1, seconds=True).signals,
    "body-fusion": lambda: body(seed=0).signals,
}
LATENESS = {"day-lsm2": 900.0}
FLAGS = {"strict": STRICT, "sanitized": SANITIZED}


@pytest.fixture(scope="session", params=FLAGS)
def vectors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that replays vectors, built one way or the other."""
    return c_host.runner(tmp_path_factory.mktemp("vectors"), FLAGS[request.param])


def played(tmp_path_factory: pytest.TempPathFactory, flags: tuple[str, ...]) -> Path:
    engine = c_player.library()
    if engine is None:
        pytest.skip("LiteRT is not installed: pip install 'onwrist[litert]'")
    return c_player.player(tmp_path_factory.mktemp("player"), engine, flags)


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that plays bundles."""
    return played(tmp_path_factory, STRICT)


@pytest.fixture(scope="session")
def sanitized_player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with sanitizers."""
    return played(tmp_path_factory, SANITIZED)


@pytest.fixture
def sanitized(sanitized_player: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ready to run: what LiteRT keeps to the end is not the host's leak."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    return sanitized_player


def model_of(name: str) -> Model:
    return load(c_player.BUNDLES / f"{name}.onwrist", engine="litert")


# The vectors


@pytest.mark.parametrize("file", ["host", "streams", "plausible"])
def test_the_host_does_what_the_vectors_say(
    vectors: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "ASAN_OPTIONS", "detect_leaks=0"
    )  # the runner ends soon, and frees little
    cases = c_host.cases_of(VECTORS / f"{file}.json")
    assert len(cases) > 30
    for case, given in zip(cases, c_host.replay(cases, [vectors]), strict=True):
        assert apart(given, case["expected"]) == [], case["name"]


def test_the_runner_tells_a_case_that_differs(
    vectors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    given = json.loads((VECTORS / "streams.json").read_text())
    case = given["streams"][0]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"streams": [case]}))
    assert c_host.main(["--check", str(path)], vectors) == 0
    case["expected"]["grid"][0]["values"][3] += 1e-5
    path.write_text(json.dumps({"streams": [case]}))
    assert c_host.main(["--check", str(path)], vectors) == 1
    assert "regular: .grid[0].values[3]" in capsys.readouterr().out


# What ships


@pytest.mark.parametrize("name", c_player.NAMES)
def test_what_is_generated_is_the_same_twice(name: str) -> None:
    again = bundles.read(c_player.BUNDLES / f"{name}.onwrist")
    files = embed(again, "c")
    assert files == embed(c_player.read(name), "c")
    assert {"selftest.c", "README.md", "onwrist/onwrist.h", f"{name}/manifest.json"} < set(
        files
    )
    assert (
        again.hash.encode() in files[f"{name.replace('-lsm2', '-lsm-2').replace('-', '_')}.c"]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is generated of a bundle, and its two programs, compiled as its README says."""
    engine = c_player.library()
    if engine is None:
        pytest.skip("LiteRT is not installed: pip install 'onwrist[litert]'")
    folder = tmp_path_factory.mktemp("generated")
    for path, data in embed(c_player.read("wrist-himae-small"), "c").items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    page = (folder / "README.md").read_text()
    command = next(x for x in page.split("`") if x.startswith("cc ")).replace(
        "LIBRARIES", str(engine.parent)
    )
    (folder / "app.c").write_text(page.split("```c\n")[1].split("```")[0])
    for program in ("selftest", "app"):
        line = command.replace("selftest", program).replace("-O2", "-O1 -Wall -Wextra -Werror")
        subprocess.run(["sh", "-c", line], cwd=folder, check=True)
    return folder


def test_a_generated_folder_proves_itself(folder: Path) -> None:
    done = subprocess.run(
        ["./selftest"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "passed"


def test_the_program_of_a_readme_runs(folder: Path, tmp_path: Path) -> None:
    ppg = simulate(30.0, seed=0, dropout=None).signals["ppg"]
    lines = [f"{t} {x}" for t, x in zip(ppg.times.tolist(), ppg.values.tolist(), strict=True)]
    lines[700:700] = ["nan 1.0"]
    told = ["./app"], {"capture_output": True, "text": True, "check": False}
    done = subprocess.run(*told[:1], cwd=folder, input="\n".join(lines), **told[1])
    assert done.returncode == 0
    assert "a time must be finite and in seconds, not nan" in done.stderr
    assert done.stdout.count("heart_rate: ") > 5
    assert "stress: " in done.stdout
    shutil.copy(folder / "app", tmp_path / "app")
    done = subprocess.run(*told[:1], cwd=tmp_path, input="", **told[1])
    assert done.returncode == 1
    assert "model.tflite cannot be read: is it among the files of the app?" in done.stderr


@pytest.mark.parametrize("name", ["onwrist", "onwrist-open", "selftest", "app", "double"])
def test_names_of_a_bundle_are_no_others(
    name: str, toy_tflite_bundle: Path, tmp_path: Path
) -> None:
    opened = bundles.read(toy_tflite_bundle)
    (*_, task) = opened.manifest.tasks
    assert task.labels
    labels = (*task.labels[1:], "b c", "b-c", 'a "quote" ??/', "低い")
    # Their labels would be the same enumerator, and that of a channel of theirs.
    tasks = [("a", labels), ("a_b", ("c", "d")), ("channel", ("ppg", "x"))]
    odd = tuple(
        msgspec.structs.replace(task, name=task_name, labels=labels, required={}, any_of={})
        for task_name, labels in tasks
    )
    bound = dict.fromkeys(("embedding", *(one.name for one in odd)), 1.0)
    manifest = msgspec.structs.replace(
        opened.manifest,
        name=name,
        tasks=odd,
        golden=msgspec.structs.replace(opened.manifest.golden, tolerance=bound, loose=bound),
    )
    bundles.write(tmp_path / "odd.onwrist", manifest, opened.members)
    files = embed(bundles.read(tmp_path / "odd.onwrist"), "c")
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    sources = [path for path in files if path.endswith(".c") and "/" not in path]
    assert len(sources) == 2
    command = [str(c_host.compiler()), *STRICT, "-Ionwrist", "-fsyntax-only", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pushes(signals: Any, model: Model, size: int = 50) -> list[tuple[str, Any, Any]]:
    """Samples of all channels in bursts, in the order of their last stamps."""
    bursts = []
    for name in model.channels:
        if name in signals:
            times, values = signals[name].times, signals[name].values
            edges = range(0, len(times), size)
            bursts += [(name, times[k : k + size], values[k : k + size]) for k in edges]
    return sorted(bursts, key=lambda burst: float(burst[1][-1]))


def differences(given: dict[str, Any], prediction: Any) -> float:
    """The largest, of numbers that graphs gave; all else must be equal."""
    assert (given["start"], given["end"]) == (prediction.start, prediction.end)
    assert given["coverage"] == list(prediction.coverage.values())
    off = 0.0
    for told, result in zip(given["tasks"], prediction.tasks.values(), strict=True):
        assert told["abstained"] == result.abstained
        assert (told["reason"], told["label"]) == (result.reason, result.label)
        for field in ("value", "confidence"):
            wanted = getattr(result, field)
            assert (told[field] is None) == (wanted is None)
            off = max(off, 0.0 if wanted is None else abs(told[field] - wanted))
    for told, state in zip(given["sensors"], prediction.sensors.values(), strict=True):
        assert told["coverage"] == state.coverage
        assert (told["used"], told["reason"]) == (state.used, state.reason)
        off = max(off, 0.0 if state.weight is None else abs(told["weight"] - state.weight))
    for told, wanted in (
        (given["embedding"], prediction.embedding),
        (given["imputed"], prediction.imputed and prediction.imputed.values),
    ):
        assert (told is None) == (wanted is None)
        if wanted is not None:
            off = max(off, float(np.abs(np.array(told) - wanted.ravel()).max()))
    return off


@pytest.mark.parametrize(
    ("name", "mode"),
    [(name, None) for name in c_player.NAMES] + [("wrist-himae-small", "window")],
)
def test_a_stream_predicts_what_the_runtime_predicts(
    player: Path, name: str, mode: Any
) -> None:
    model = model_of(name)
    bursts = pushes(SIMULATED[name](), model)
    lateness = LATENESS.get(name, 30.0)
    actions = [*(c_player.push(*burst) for burst in bursts), c_player.flush()]
    asked = c_player.stream(actions, len(model.channels), lateness=lateness, mode=mode)
    proof, *told = c_player.play([player], name, player.parent, [asked])
    assert proof["passed"], proof["error"]
    assert not [x["error"] for x in told if x["error"]]
    stream = model.stream(lateness=lateness, mode=mode)
    wanted = [x for burst in bursts for x in stream.push(*burst)] + list(stream.flush())
    given = [x for one in told for x in one["predictions"]]
    assert len(given) == len(wanted) > 5
    off = max(differences(*pair) for pair in zip(given, wanted, strict=True))
    assert off <= 1e-5


@pytest.mark.parametrize("name", c_player.NAMES)
def test_windows_predict_what_the_runtime_predicts(player: Path, name: str) -> None:
    model = model_of(name)
    golden = bundles.read(c_player.BUNDLES / f"{name}.onwrist")
    wanted, asked = [], []
    for k, values in enumerate(windows(golden)):
        options: dict[str, Any] = {"impute": k % 2 == 0} if model.manifest.imputes else {}
        if model.manifest.tokens is not None:
            options |= {"start": 1200.0 * k - 300.0, "midnight": -300.0}
        if model.manifest.baseline is not None and k % 2:
            usual = np.linspace(0.1, 2.0, 2 * len(model.channels)).reshape(-1, 2)
            usual[k % len(model.channels)] = np.nan
            options |= {"baseline": usual}
        asked.append(c_player.window(values, **options))
        wanted.append(model.predict(values, **options))
    told = c_player.play([player], name, player.parent, asked)[1:]
    assert not [x["error"] for x in told if x["error"]]
    pairs = [(x["predictions"][0], y) for x, y in zip(told, wanted, strict=True)]
    assert max(differences(*pair) for pair in pairs) <= 1e-5
    assert any(x["embedding"] is None for x, _ in pairs)


def windows(bundle: bundles.Bundle) -> Iterator[Any]:
    """Golden windows with more and more of them missing, down to nothing."""
    import safetensors.numpy

    tensors = safetensors.numpy.load(bundle.members[bundle.manifest.golden.file])
    draw = np.random.default_rng(0)
    for k in range(5):
        values = np.where(tensors["observed"][k] > 0, tensors["values"][k], np.nan)
        lost = draw.random(values.shape[0]) < k / 4
        values[lost] = np.nan
        values[:, : 20 * k] = np.nan
        yield values.astype(np.float32)
    yield np.full(values.shape, np.nan, np.float32)


# What cannot be used


def test_what_is_refused_changes_nothing(sanitized: Path) -> None:
    model = model_of("wrist-himae-small")
    bursts = [c_player.push(*x) for x in pushes(simulate(30.0, seed=1).signals, model)]
    bad = {
        "finite and in seconds": c_player.push("ppg", [1.0, np.nan], [0.0, 0.0]),
        "not inf": c_player.push("ppg", [np.inf], [0.0]),
        "milliseconds": c_player.push("ppg", [1.7e12], [0.0]),
        "one clock": c_player.push("ppg", [9e7], [0.0]),
        "a sample is inf": c_player.push("ppg", [1.0], [np.inf]),
        "below 1e+15": c_player.push("ppg", [1.0], [-2e15]),
        "no channel or sensor 'pulse'": c_player.push("pulse", [1.0], [0.0]),
    }
    half = len(bursts) // 2
    mixed = [*bursts[:half], *bad.values(), *bursts[half:], c_player.flush()]
    mixed += [c_player.push("ppg", [40.0], [0.0])]
    plain = [*bursts, c_player.flush()]
    channels = len(model.channels)
    requests = [c_player.stream(actions, channels, lateness=9.0) for actions in (mixed, plain)]
    told = c_player.play([sanitized], model.name, sanitized.parent, requests)[1:]
    refused = [*told[half : half + len(bad)], told[len(mixed) - 1]]
    for words, one in zip([*bad, "was flushed"], refused, strict=True):
        assert (one["status"], one["predictions"]) == (1, [])
        assert words in one["error"]
    given = [x["predictions"] for x in told[: len(mixed)] if not x["error"]]
    assert given == [x["predictions"] for x in told[len(mixed) :]]
    assert sum(map(len, given)) > 5


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("wrist-himae-small", {"hop": 1.0}, "whole number of steps of 1.28 s"),
        ("wrist-himae-small", {"hop": -1.0}, "positive number of seconds"),
        ("wrist-himae-small", {"hop": np.nan}, "positive number of seconds"),
        ("wrist-himae-small", {"lateness": 1e6}, "from 0 to 86400"),
        ("wrist-himae-small", {"midnight": 5.0}, "leave out midnight"),
        ("wrist-himae-small", {"impute": True}, "cannot impute"),
        ("wrist-himae-small", {"rates": [0, 10.0, 20.0, 10.0, 0, 0]}, "10 or 20 Hz?"),
        ("wrist-himae-small", {"rates": [1e9, 0, 0, 0, 0, 0]}, "1e-06 to 100000 Hz"),
        ("day-lsm2", {"mode": "step"}, "no step graph in day-lsm2"),
        ("day-lsm2", {"hop": 1800.0}, "whole number of patches of 1200 s"),
    ],
)
def test_options_that_cannot_be_used(
    sanitized: Path, name: str, options: dict[str, Any], words: str
) -> None:
    channels = len(model_of(name).channels)
    asked = c_player.stream([], channels, **options)
    told = c_player.play([sanitized], name, sanitized.parent, [asked])[1]
    assert told["status"] == 1
    assert words in told["error"]


def test_windows_that_cannot_be_used(sanitized: Path) -> None:
    wrist, day = np.zeros((6, 256)), np.zeros((3, 1440))
    infinite = wrist.copy()
    infinite[4, 7] = -np.inf
    usual = np.array([[0.0, -1.0]] * 6)
    cases = {
        "channel 'eda' is -inf at sample 7": ("wrist-himae-small", infinite, {}),
        "its scale >= 0": ("wrist-himae-small", wrist, {"baseline": usual}),
        "cannot impute": ("wrist-himae-small", wrist, {"impute": True}),
        "milliseconds": ("wrist-himae-small", wrist, {"start": 1.7e12}),
        "asks for the time of day": ("day-lsm2", day, {}),
        "a multiple of 1200 s after midnight": ("day-lsm2", day, {"start": 7.0}),
        "takes no baseline": ("day-lsm2", day, {"start": 0.0, "baseline": usual[:3]}),
    }
    for words, (name, values, options) in cases.items():
        asked = [c_player.window(values, **options)]
        told = c_player.play([sanitized], name, sanitized.parent, asked)[1]
        assert told["status"] == 1
        assert words in told["error"]


def altered(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("step.tflite", altered, "does not have the SHA-256"),
        ("model.tflite", lambda data: data[:-7], "it is of another bundle, or was cut off"),
        ("model.tflite", None, "cannot be read: is it among the files of the app?"),
        ("golden.safetensors", lambda data: data[:1000], "was cut off; embed the bundle again"),
        ("golden.safetensors", altered, "is not that of wrist-himae-small 1.0.0"),
        ("golden.safetensors", None, "cannot be read"),
    ],
)
def test_files_that_are_not_the_bundles(
    sanitized: Path, tmp_path: Path, file: str, change: Any, words: str
) -> None:
    shutil.copytree(sanitized.parent / "wrist-himae-small", tmp_path / "wrist-himae-small")
    path = tmp_path / "wrist-himae-small" / file
    data = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(data))
    told = c_player.play([sanitized], "wrist-himae-small", tmp_path, [])
    assert (told[0]["status"], len(told)) == (2, 1)
    assert words in told[0]["error"]


def test_a_bundle_opens_from_memory(sanitized: Path) -> None:
    for name in c_player.NAMES:
        told = c_player.play([sanitized], name, sanitized.parent, [], "memory")
        assert told[0]["passed"], told[0]["error"]


def test_an_engine_with_other_numbers_is_not_believed(player: Path) -> None:
    for name in c_player.NAMES:
        told = c_player.play([player], name, player.parent, [], "broken")
        assert told[0]["status"] == 4
        assert f"is off the golden vectors of {name}" in told[0]["error"]
        assert not told[0]["passed"]


@pytest.mark.parametrize("name", ["wrist-himae-small", "day-lsm2"])
def test_a_stream_goes_on_after_the_engine_failed(player: Path, name: str) -> None:
    model = model_of(name)
    bursts = [c_player.push(*x) for x in pushes(SIMULATED[name](), model, 400)]
    again = [c_player.push(bursts[0][1], [], []) for _ in range(200)]
    lateness = LATENESS.get(name, 30.0)
    asked = c_player.stream([*bursts, *again], len(model.channels), lateness=lateness)
    whole = c_player.play([player], name, player.parent, [asked])[1:]
    broken = c_player.play([player], name, player.parent, [asked], "failing")[1:]
    assert [x["error"] for x in broken].count("it failed on purpose") > 5
    assert broken[-1]["error"] is None
    given = [[x for one in told for x in one["predictions"]] for told in (whole, broken)]
    assert given[0] == given[1]


def test_a_stream_holds_no_more_after_a_longer_time(player: Path) -> None:
    model = model_of("wrist-himae-small")
    held = []
    for seconds in (30.0, 240.0):
        bursts = pushes(simulate(seconds, seed=2).signals, model, 64)
        asked = c_player.stream([c_player.push(*x) for x in bursts], len(model.channels))
        told = c_player.play([player], model.name, player.parent, [asked])
        held.append(told[-1]["bytes"][0])
    assert held[1] < 1.1 * held[0] < 300_000


def test_no_allocation_that_fails_is_overlooked_or_leaks(
    sanitized_player: Path, tmp_path: Path
) -> None:
    folder = sanitized_player.parent
    sources = [c_host.HERE / "c/memory.c", *c_host.host(), *sorted(folder.glob("*.c"))]
    flags = (*SANITIZED, f"-I{folder}", "-Wl,--wrap=malloc,--wrap=calloc")
    program = c_host.build(tmp_path / "memory", sources, flags)
    for name in ("wrist-himae-small", "day-lsm2"):
        command = [program, name, folder / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[0]) > 50


@pytest.fixture(scope="session")
def tflite_c() -> Path:
    """TensorFlow Lite's C library and headers."""
    if platform.machine() != "x86_64":
        pytest.skip("the library that is fetched is for x86-64")
    try:
        return c_tflite.fetched()
    except RuntimeError as error:
        pytest.skip(str(error))


def test_the_functions_of_tensorflow_lite_are_declared_as_they_are(
    tflite_c: Path, tmp_path: Path
) -> None:
    declared = (c_host.SOURCES / "tflite_c_api.h").read_text().splitlines()
    types = "typedef struct TfLiteSignatureRunner TfLiteSignatureRunner;"  # later than these
    lines = ['#include "tensorflow/lite/c/c_api.h"', types]
    lines += [line for line in declared if not line.startswith("typedef")]
    (tmp_path / "both.c").write_text("\n".join(lines))
    command = [str(c_host.compiler()), "-std=c11", f"-I{tflite_c / 'include'}", "-fsyntax-only"]
    subprocess.run([*command, str(tmp_path / "both.c")], check=True, capture_output=True)


def test_tensorflow_lites_own_library_gives_the_golden_numbers(
    tflite_c: Path, tmp_path: Path
) -> None:
    library = tflite_c / "linux_amd64/libtensorflowlite_c.so"
    program = c_player.player(tmp_path, library, kind="tflite")
    for name in ("wrist-himae-small", "wrist-himae", "body-fusion"):
        proof = c_player.play([program], name, tmp_path, [])[0]
        # It is of 2022, and rounds ties otherwise.
        assert (proof["passed"], proof["loose"]) == (True, True), proof["error"]
    proof = c_player.play([program], "day-lsm2", tmp_path, [])[0]
    assert (proof["status"], proof["passed"]) == (3, False)
    assert proof["error"] == "TensorFlow Lite cannot open the model of embed.tflite"
    told = c_player.play([program], "wrist-himae-small", tmp_path, [], "broken")[0]
    assert told["status"] == 4


def test_both_engines_compile_and_nothing_else_is_global(tmp_path: Path) -> None:
    objects = []
    for path in sorted(c_host.SOURCES.glob("*.c")):
        objects.append(tmp_path / f"{path.stem}.o")
        command = [str(c_host.compiler()), *STRICT, "-Wshadow", "-Wconversion", "-pedantic"]
        command += ["-c", str(path)]
        subprocess.run([*command, "-o", str(objects[-1])], check=True, capture_output=True)
    if shutil.which("nm") is None:
        pytest.skip("there is no nm to look at the objects with")
    found = subprocess.run(
        ["nm", *map(str, objects)], check=True, capture_output=True, text=True, env=os.environ
    )
    kinds = [line.split()[-2:] for line in found.stdout.splitlines() if line.strip()]
    assert not [pair for pair in kinds if pair[0] in ("B", "b", "D", "C")]
    public = [name for kind, name in (p for p in kinds if len(p) == 2) if kind == "T"]
    assert all(name.startswith(("onwrist_", "ow_")) for name in public)
