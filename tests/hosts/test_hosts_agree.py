"""Random recordings and windows, messy as they come: every host gives what the runtime gives.

The hosts are the TypeScript, C and Kotlin ones, each run as a program, and one in plain Python
that was written from HOST.md alone: where the page leaves something open, it differs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import c_host
import kotlin_host
import messy_streams
import messy_windows
import plain_host
import plain_motion
import pytest
from stream_replay import apart

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SEEDS = range(40)
Cases = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def cases() -> Cases:
    """Streams and days as in `streams.json`, windows as in `plausible.json`."""
    return {
        "streams": [messy_streams.stream(seed) for seed in SEEDS],
        "days": [messy_streams.day(seed) for seed in SEEDS],
        "plausible": [messy_windows.window(seed) for seed in SEEDS],
    }


@pytest.fixture(scope="module")
def file(cases: Cases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("messy") / "streams.json"
    path.write_text(json.dumps({"format": 1, "tolerance": 1e-6, "about": [], **cases}))
    return path


def test_the_recordings_are_messy(cases: Cases) -> None:
    """A comparison of recordings in which nothing happens would say nothing."""
    for part, least in (("streams", [500, 100, 100, 500]), ("days", [500, 100, 20, 0])):
        counted = [x for one in cases[part] for x in one["expected"]["counters"].values()]
        totals = [sum(numbers) for numbers in zip(*counted, strict=True)]
        assert all(found >= few for found, few in zip(totals, least, strict=True))
        due = [
            x for one in cases[part] for a in one["expected"]["after"] for x in a.get("due", ())
        ]
        assert len(due) > 100
        assert {x["inputs"] is None for x in due} == {True, False}
    every = [*cases["streams"], *cases["days"]]
    assert any(a["refused"] for one in every for a in one["expected"]["after"])
    assert {one["settings"]["mode"] for one in every} == {"window", "step"}


def test_the_windows_are_messy(cases: Cases) -> None:
    reasons = " ".join(x for one in cases["plausible"] for x in one["expected"].values())
    for words in ("constant", "saturated", "at rest", "median", "turns by", "its axes"):
        assert words in reasons
    assert any(not one["expected"] for one in cases["plausible"])


@pytest.mark.parametrize("part", ["streams", "days", "plausible"])
def test_a_host_from_the_page_alone_agrees(cases: Cases, part: str) -> None:
    replay = plain_motion.replay if part == "plausible" else plain_host.replay
    agree({part: [replay(case) for case in cases[part]]}, {part: cases[part]})


@pytest.mark.parametrize("name", ["streams.json", "plausible.json"])
def test_a_host_from_the_page_alone_passes_the_vectors(name: str) -> None:
    stored = json.loads((HERE.parent / "vectors" / name).read_text(encoding="utf-8"))
    for part in stored.keys() & {"streams", "days", "plausible"}:
        replay = plain_motion.replay if part == "plausible" else plain_host.replay
        agree({part: [replay(case) for case in stored[part]]}, {part: stored[part]})


def test_typescript_agrees(file: Path, tmp_path: Path) -> None:
    """Built beside the sources, as others may be building them in their place."""
    compiler = REPOSITORY / "node_modules" / ".bin" / "tsc"
    if shutil.which("node") is None or not compiler.exists():
        pytest.skip("no node, or no packages: npm ci")
    package = Path("sdk/onwrist/hosts/typescript")
    run([compiler, "-p", REPOSITORY / package, "--outDir", tmp_path / package / "dist"])
    shutil.copy(REPOSITORY / package / "package.json", tmp_path / package)
    here = tmp_path / "tests" / "hosts" / "typescript"
    shutil.copytree(HERE / "typescript", here)
    run(["node", here / "run_vectors.mjs", file])


@pytest.mark.skipif(c_host.compiler() is None, reason="there is no C compiler")
def test_c_agrees(cases: Cases, tmp_path: Path) -> None:
    program = c_host.runner(tmp_path)
    agree({part: c_host.replay(some, [program]) for part, some in cases.items()}, cases)


@pytest.mark.slow
@pytest.mark.skipif(kotlin_host.missing() is not None, reason=str(kotlin_host.missing()))
def test_kotlin_agrees(cases: Cases, file: Path) -> None:
    agree(kotlin_host.ask("vectors", file), cases)


def agree(found: dict[str, list[Any]], cases: Cases) -> None:
    """A host's answers are what is expected of each case."""
    off = [
        f"{case['name']}{difference}"
        for part, several in cases.items()
        for answer, case in zip(found[part], several, strict=True)
        for difference in apart(answer, case["expected"])[:3]
    ]
    assert off == []


def run(command: list[str | Path]) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
