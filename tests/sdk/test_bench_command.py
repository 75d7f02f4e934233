"""`onwrist bench` as its users run it, for moments instead of a minute."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onwrist.bench import cold, counters, report
from onwrist.bench.report import Report
from onwrist.bundles import find
from onwrist.cli import main
from onwrist_runtime import bundle as bundles
from onwrist_runtime.engines import installed

Capture = pytest.CaptureFixture[str]
QUICK = ("--seconds", "0.2", "--every", "0.001")
CALLS = {
    "wrist-himae": ["predict", "engine", "step", "push"],
    "day-lsm2": ["predict", "engine", "push"],
}


@pytest.fixture(autouse=True)
def one_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold start takes a second here; five would tell no more."""
    monkeypatch.setattr(cold, "PROCESSES", 1)


def bench(*arguments: str | Path) -> int:
    try:
        return main(["bench", *map(str, arguments)])
    except SystemExit as wrong_use:  # argparse
        return int(wrong_use.code or 0)


def measured(path: Path, *arguments: str | Path) -> Report:
    """The report of a quick run."""
    assert bench(*QUICK, "-o", path, *arguments) == 0
    return report.read(path)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a quick run of the default bundle in LiteRT."""
    pytest.importorskip("ai_edge_litert")
    path = tmp_path_factory.mktemp("bench") / "quick.json"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(cold, "PROCESSES", 1)
        measured(path, "--engine", "litert")
    return path


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
@pytest.mark.parametrize("name", list(CALLS))
def test_a_run_reports_every_call_of_a_bundle(tmp_path: Path, name: str, engine: str) -> None:
    if not installed(engine):
        pytest.skip(f"{engine} is not installed")
    found = measured(tmp_path / "report.json", "--bundle", name, "--engine", engine)
    opened = bundles.read(find(name))
    assert (found.model.name, found.model.engine) == (name, engine)
    assert found.model.sha256 == opened.hash
    for file, sha256 in found.model.graphs.items():
        assert opened.manifest.members[file].sha256 == sha256
    roles = {x.role for x in opened.manifest.graphs}
    assert len(found.model.graphs) == len(roles)  # one file of each role ran
    given = [(x.mode, x.what) for x in found.series]
    assert given == [(mode, what) for mode in ("warm", "after idle") for what in CALLS[name]]
    for x in found.series:
        assert len(x.samples_us) == min(x.calls, 2000)
        assert (x.engine_p50_us is not None) == (x.what == "push")
        assert x.engine_p50_us is None or x.engine_p50_us < x.p50_us
    for x in found.outputs:
        assert x.passed
        assert set(opened.manifest.outputs) <= x.sha256.keys()
    assert [x.role for x in found.outputs] == ["window", "step"][: len(found.outputs)]
    (start,) = found.cold.starts
    assert found.cold.reason is None
    assert start.import_s is not None
    assert start.resident_bytes is not None
    assert start.resident_before_bytes is not None
    assert start.resident_bytes > start.resident_before_bytes + 10_000_000  # NumPy alone is 17
    assert found.machine.cores
    assert found.energy.mean_power_w is None or found.energy.source is not None
    assert any("too few calls" in x for x in found.verdict.reasons)


def test_sensors_that_are_fused_are_timed_with_fewer_of_them(
    tmp_path: Path, fusion_bundle: Path, capsys: Capture
) -> None:
    found = measured(tmp_path / "report.json", "--bundle", fusion_bundle)
    fewer = ["wrist+chest+waist", "wrist+chest", "wrist"]
    calls = ["predict", "engine", *(f"predict with {names}" for names in fewer), "push"]
    assert [x.what for x in found.series if x.mode == "warm"] == calls
    assert "predict with wrist and chest, warm" in capsys.readouterr().out
    assert len(found.model.graphs) == 6


@pytest.mark.parametrize(
    ("fixture", "calls"),
    [
        ("toy_bundle", 3),  # windows only
        ("toy_tflite_bundle", 3),
        ("step_bundle", 4),
        ("step_tflite_bundle", 4),
        ("day_tflite_bundle", 3),
        ("fusion_bundle", 6),
        ("fusion_tflite_bundle", 6),
    ],
)
def test_any_bundle_is_measured(
    tmp_path: Path, fixture: str, calls: int, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(fixture)
    found = measured(tmp_path / "report.json", "--bundle", path)
    assert len({x.what for x in found.series}) == calls
    assert found.model.sha256 == bundles.read(path).hash


def test_json_and_the_file_are_the_same(quick: Path, capsys: Capture) -> None:
    assert bench("--show", quick, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(quick.read_bytes())


def test_a_report_is_shown_and_drawn_on_another_machine(
    quick: Path, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "page.png"
    assert bench("--show", quick, "--plot", out) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "valid: no, because" in said
    assert "push to prediction, after idle" in said


def test_the_planned_time_is_said_before(tmp_path: Path, capsys: Capture) -> None:
    measured(tmp_path / "report.json")
    assert "measuring for 0.2 s" in capsys.readouterr().err


def test_a_pinned_run_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    found = measured(tmp_path / "report.json", "--pin", str(core))
    assert os.sched_getaffinity(0) == before
    assert found.plan.core == core
    assert [x.processor for x in found.before.clocks] == [core]
    assert not any("pinned" in note for note in found.verdict.notes)


@pytest.mark.skipif(os.cpu_count() == 1, reason="two threads need two processors")
def test_the_same_engine_gives_the_same_bytes_again(
    quick: Path, tmp_path: Path, capsys: Capture
) -> None:
    again = tmp_path / "again.json"
    measured(again, "--engine", "litert", "--threads", "2")
    capsys.readouterr()
    assert bench("--compare", quick, again, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["same_outputs"]["window embedding"]
    assert found["same_outputs"]["step next_state"]
    assert len(found["ratios"]) == 8
    assert all(x["low"] <= x["ratio"] <= x["high"] for x in found["ratios"])
    assert found["differences"]["threads"] == ["1, not pinned", "2, not pinned"]
    assert len(found["verdicts"]) == 2


def test_a_comparison_for_people_has_both_verdicts(quick: Path, capsys: Capture) -> None:
    assert bench("--compare", quick, quick) == 0
    said = capsys.readouterr().out
    assert said.count("valid: no, because") == 2
    assert "1.000" in said
    assert "the same bytes" in said
    assert "different bytes" not in said
    assert "measured" not in said


def test_where_no_child_starts_the_one_start_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    found = measured(tmp_path / "report.json")
    (start,) = found.cold.starts
    assert start.import_s is None
    assert found.cold.reason is not None
    assert "does not start" in found.cold.reason
    assert "own process" in found.cold.reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "abacus"], "invalid choice: 'abacus'"),
        (["--bundle", "abacus"], "no bundle of this name"),
        (["--pin", "4096"], "there is no core 4096"),
        (["--pin", "-1"], "--pin"),
        (["--pin", "first"], "must be a core's number"),
        (["--every", "0"], "above 0"),
        (["--every", "-1.28"], "--every"),
        (["--every", "nan"], "above 0"),
        (["--every", "1e300"], "at most 3600 seconds"),
        (["--every", "1.28", "--seconds", "1"], "give 8 or more"),
        (["--threads", "0"], "1 or above"),
        (["--threads", "20000"], "more than this machine's processors"),
        (["--threads", "1.5"], "1 or above"),
        (["--seconds", "0"], "above 0"),
        (["-o", "{folder}/none/report.json"], "there is no folder"),
        (["-o", "{folder}"], "is a folder"),
        (["-o", "/proc/report.json"], "/proc/report.json cannot be written"),
        (["-o", "{folder}/a.png", "--plot", "{folder}/a.png"], "name two files"),
        (["--plot", "{folder}/none/page.png"], "there is no folder"),
        (["--plot", "{folder}/page.txt"], "must end in .png"),
        (["--show", "{folder}/none.json"], "cannot be read"),
        (["--show", "{folder}/cut.json"], "is not a report"),
        (["--show", "{folder}/other.json"], "of schema 'onwrist-bench/0'; this version reads"),
        (["--show", "{quick}", "--seconds", "3"], "leave out --seconds"),
        (["--show", "{quick}", "-o", "{folder}/copy.json"], "leave out --output"),
        (["--compare", "{quick}"], "expected 2 arguments"),
        (["--compare", "{quick}", "{folder}/cut.json"], "is not a report"),
        (["--compare", "{quick}", "{folder}/day.json"], "different models"),
        (
            ["--compare", "{quick}", "{quick}", "--plot", "{folder}/page.png"],
            "leave out --plot",
        ),
        (["--compare", "{quick}", "{quick}", "--show", "{quick}"], "not allowed with"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(
    quick: Path, tmp_path: Path, arguments: list[str], said: str, capsys: Capture
) -> None:
    whole = quick.read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: len(whole) // 2])
    fields: dict[str, Any] = json.loads(whole)
    (tmp_path / "other.json").write_text(json.dumps(fields | {"schema": "onwrist-bench/0"}))
    day = fields | {"model": fields["model"] | {"name": "day-lsm2", "sha256": "00" * 32}}
    (tmp_path / "day.json").write_text(json.dumps(day))
    before = sorted(tmp_path.iterdir())
    filled = [x.format(folder=tmp_path, quick=quick) for x in arguments]
    assert bench(*filled) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert sorted(tmp_path.iterdir()) == before


def task_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what needs no counter of the processor: nanoseconds of this thread."""
    monkeypatch.setattr(counters, "HARDWARE", 1)  # PERF_TYPE_SOFTWARE
    monkeypatch.setattr(counters, "EVENTS", {"task_clock": 1})


def test_events_are_counted_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    task_clock(monkeypatch)
    try:
        small = counters.count(lambda: sum(range(1_000)), 50)
        large = counters.count(lambda: sum(range(100_000)), 50)
    except OSError as refused:
        pytest.skip(counters.why(refused))
    # A hundred times the work; ten times is left to whoever else runs here.
    assert large["task_clock"] > 10 * small["task_clock"] > 0


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "not allowed"),
        (errno.ENOENT, "offers no counters"),
        (errno.ENOSYS, "no perf_event_open here"),
        (errno.EINVAL, "perf_event_open failed"),
    ],
)
def test_refused_counters_are_absent_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(counters, "Counter", refused)
    found = measured(tmp_path / "report.json")
    assert found.counters.per_call == {}
    assert found.counters.reason is not None
    assert reason in found.counters.reason


@pytest.mark.parametrize(
    ("level", "said"),
    [("3", "kernel.perf_event_paranoid=2"), ("2", "container"), (None, "container")],
)
def test_a_refusal_says_who_may_lift_it(tmp_path: Path, level: str | None, said: str) -> None:
    if level is not None:
        path = tmp_path / "proc/sys/kernel/perf_event_paranoid"
        path.parent.mkdir(parents=True)
        path.write_text(f"{level}\n")
    assert said in counters.why(PermissionError(errno.EACCES, "Permission denied"), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="qemu-x86_64 is not installed")
def test_an_emulated_run_says_so_and_gives_the_same_bytes(quick: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = ["qemu-x86_64", "-cpu", "Haswell", sys.executable, "-m", "onwrist", "bench"]
    options = ["--engine", "litert", *QUICK, "-o", str(out)]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=600)
    found, native = report.read(out), report.read(quick)
    assert found.emulation.emulated
    assert found.tier == "emulated"
    assert not native.emulation.emulated
    assert not found.verdict.valid
    assert found.verdict.reasons[0].startswith("emulated: ")
    assert found.cold.reason is not None  # children would run outside of the emulator
    assert len(found.cold.starts) == 1
    for ours, theirs in zip(found.outputs, native.outputs, strict=True):
        assert ours.sha256["embedding"] == theirs.sha256["embedding"]
    assert msgspec.structs.asdict(found.model) == msgspec.structs.asdict(native.model)
