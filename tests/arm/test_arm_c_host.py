"""The C host, compiled for arm64 and run on emulated cores: vectors, golden numbers, and the
streams and windows of every bundle, held against those of this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from machines import ARM, REPOSITORY

sys.path += [str(REPOSITORY / "tests" / part) for part in ("hosts", "vectors")]
import c_host
import c_player
import c_tflite
from stream_replay import apart

from onwrist.simulate import body, days, simulate
from onwrist_runtime.bundle import Bundle

Program = Callable[[str], list[str]]  # the command that runs it on a core

CORES = ("Cortex-A53", "Cortex-A76")
SIMULATED = {
    "wrist-himae-small": lambda: simulate(40.0, seed=0).signals,
    "wrist-himae": lambda: simulate(30.0, seed=1, dropout=(5.0, 12.0)).signals,
    "day-lsm2": lambda: days(1, seed=1, seconds=True).signals,
    "body-fusion": lambda: body(seed=0).signals,
}


@pytest.fixture(scope="module")
def compiler(lane: Path) -> list[str]:
    """GCC for arm64, which the lane unpacked."""
    cross = lane / "cross"
    if not cross.is_dir():
        pytest.skip("the lane has no compiler for arm64: benchmarks/arm/lane.sh out/arm cross")
    libraries = f"LD_LIBRARY_PATH={cross}/usr/lib/x86_64-linux-gnu"
    return ["env", libraries, f"{cross}/usr/bin/aarch64-linux-gnu-gcc", f"--sysroot={cross}"]


def on(lane: Path, core: str, program: Path) -> list[str]:
    """The command that runs a program on a core."""
    emulator = lane / "qemu/usr/bin/qemu-aarch64"
    return [str(emulator), "-cpu", ARM[core].cpu, "-L", str(lane / "root"), str(program)]


@pytest.fixture(scope="module")
def vectors(compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that replays vectors, for arm64."""
    return c_host.runner(tmp_path_factory.mktemp("vectors"), cc=compiler)


@pytest.fixture(scope="module")
def player(lane: Path, compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that plays bundles, for arm64, on the lane's LiteRT."""
    engine = lane / "site/ai_edge_litert/libLiteRt.so"
    folder = tmp_path_factory.mktemp("player")
    # What LiteRT needs of C++ is in the lane's root, which only the emulator looks at.
    linking = ["-Wl,--allow-shlib-undefined"]
    return c_player.player(folder, engine, cc=compiler, linking=linking)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program for this machine."""
    engine = c_player.library()
    assert engine is not None
    return c_player.player(tmp_path_factory.mktemp("here"), engine)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("file", ["host", "streams", "plausible"])
def test_arm_does_what_the_vectors_say(lane: Path, vectors: Path, core: str, file: str) -> None:
    cases = c_host.cases_of(c_host.VECTORS / f"{file}.json")
    given = c_host.replay(cases, on(lane, core, vectors))
    assert len(given) > 30
    for case, found in zip(cases, given, strict=True):
        assert apart(found, case["expected"]) == [], case["name"]


def test_arm_computes_the_bits_of_this_machine(
    lane: Path, vectors: Path, tmp_path: Path
) -> None:
    files = [c_host.VECTORS / f"{file}.json" for file in ("host", "streams", "plausible")]
    cases = [case for file in files for case in c_host.cases_of(file)]
    here = c_host.replay(cases, [c_host.runner(tmp_path)])
    assert c_host.replay(cases, on(lane, "Cortex-A53", vectors)) == here


@pytest.mark.parametrize("name", c_player.NAMES)
def test_arm_predicts_what_this_machine_predicts(
    lane: Path, player: Path, here: Path, name: str
) -> None:
    bundle = c_player.read(name)
    asked = requests(bundle)
    wanted = c_player.play([here], name, here.parent, asked)
    # Floats of a day are rounded to integers between its layers, sometimes to another one.
    day = bundle.manifest.tokens is not None
    most = max(bundle.manifest.golden.tolerance.values()) if day else 1e-5
    for core in CORES:
        told = c_player.play(on(lane, core, player), name, player.parent, asked)
        assert told[0]["passed"], told[0]["error"]
        assert not [x["error"] for x in told if x["error"]]
        assert sum(len(x["predictions"]) for x in told[1:]) > 5
        for given, same in zip(told[1:], wanted[1:], strict=True):
            hold(given["predictions"], same["predictions"], most)


def requests(bundle: Bundle) -> list[list[str]]:
    """A stream of a simulated wearer, and one window."""
    manifest = bundle.manifest
    channels = [channel.name for channel in manifest.channels]
    signals = SIMULATED[manifest.name]()
    lateness = 900.0 if manifest.tokens is not None else 30.0
    bursts = [
        (float(times[-1]), c_player.push(name, times, values))
        for name in channels
        if name in signals
        for times, values in _bursts(signals[name])
    ]
    actions = [words for _, words in sorted(bursts, key=lambda burst: burst[0])]
    actions.append(c_player.flush())
    window = np.random.default_rng(0).normal(size=(len(channels), manifest.samples))
    window[0, 40:90] = np.nan
    start = None if manifest.tokens is None else 0.0
    return [
        c_player.stream(actions, len(channels), lateness=lateness),
        c_player.window(window, start, impute=manifest.imputes),
    ]


def _bursts(signal: Any) -> Any:
    for k in range(0, len(signal.times), 400):
        yield signal.times[k : k + 400], signal.values[k : k + 400]


def hold(given: Any, wanted: Any, most: float) -> None:
    """The same times, coverage and decisions; numbers within `most` of 1 or of themselves."""
    if isinstance(wanted, dict):
        assert given.keys() == wanted.keys()
        for key in wanted:
            hold(given[key], wanted[key], most)
    elif isinstance(wanted, list):
        assert len(given) == len(wanted)
        for pair in zip(given, wanted, strict=True):
            hold(*pair, most)
    elif isinstance(wanted, float):
        assert abs(given - wanted) <= most * max(1.0, abs(wanted))
    else:
        assert given == wanted


def test_tensorflow_lites_own_library_gives_the_golden_numbers_on_arm(
    lane: Path, compiler: list[str], tmp_path: Path
) -> None:
    try:
        library = c_tflite.fetched() / "linux_arm64/libtensorflowlite_c.so"
    except RuntimeError as error:
        pytest.skip(str(error))
    linking = ["-Wl,--allow-shlib-undefined"]
    program = c_player.player(tmp_path, library, cc=compiler, linking=linking, kind="tflite")
    for core in CORES:
        for name in ("wrist-himae-small", "wrist-himae", "body-fusion"):
            proof = c_player.play(on(lane, core, program), name, tmp_path, [])[0]
            assert proof["passed"], proof["error"]
