"""What shipped bundles execute on Arm cores: the gate of the counts, and how they are told."""

from __future__ import annotations

import sys
import warnings
from dataclasses import asdict, fields, replace
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from machines import ARM, REPOSITORY

sys.path.append(str(REPOSITORY / "benchmarks/arm"))
import count as command
import runs
from counted import (
    COMMITTED,
    SCHEMA,
    TOLERATED,
    UPDATE,
    Count,
    Counted,
    cheaper,
    committed,
    dearer,
    read,
)
from tables import report

from onwrist_runtime.errors import InputError

_REST = {field.name: 1 for field in fields(Count)[5:]}
STEP = Count(
    *("wrist", "step", "int8", "litert", "Cortex-A53"), **_REST | {"instructions": 1000}
)


def test_no_shipped_bundle_executes_more_than_was_committed(lane: Path) -> None:
    before = committed()
    now = runs.count(lane, command.opened([]), runs.gate_runs())
    for hint in cheaper(before, now):
        warnings.warn(f"{hint}; to commit that: {UPDATE}", stacklevel=1)
    found = dearer(before, now)
    assert not found, "\n".join([*found, f"If it has to be so: {UPDATE}."])


def test_calls_of_every_shipped_bundle_are_committed_for_every_engine_and_core() -> None:
    keys = {count.key for count in committed()}
    names = [shipped.manifest.name for shipped in command.opened([])]
    wanted = set(product(names, ("predict", "push"), ["int8"], runs.ENGINES, ARM))
    missing = sorted(wanted - keys)
    assert not missing, f"no count is committed of {missing}: {UPDATE}"


def test_committed_counts_saw_memory_and_no_run_would_fail_the_gate_by_chance() -> None:
    for count in committed():
        assert count.loads > 0
        assert count.stores > 0
        assert count.least > 0
        assert count.most <= count.least * (1 + TOLERATED), count.key


def test_committed_counts_are_of_the_engines_that_the_lane_has(lane: Path) -> None:
    before, now = read(COMMITTED).conditions, command.conditions(lane, [])
    for what in ("engines", "caches", "counted"):
        assert before[what] == now[what], UPDATE


@given(st.integers(1, 10**8), st.floats(0.5, 2))
def test_a_rise_fails_a_fall_is_told_and_two_per_cent_are_neither(n: int, ratio: float) -> None:
    before, now = replace(STEP, instructions=n), replace(STEP, instructions=round(n * ratio))
    hundredfold = 100 * now.instructions
    assume(hundredfold not in (98 * n, 102 * n))
    assert bool(dearer([before], [now])) == (hundredfold > 102 * n)
    assert bool(cheaper([before], [now])) == (hundredfold < 98 * n)


def test_the_message_names_what_rose_from_what_to_what() -> None:
    (message,) = dearer([STEP], [replace(STEP, instructions=1030)])
    assert message == (
        "wrist step, int8, litert, Cortex-A53: 1000 instructions before, 1030 now (+3.0%)"
    )


def test_what_was_never_counted_fails() -> None:
    (message,) = dearer([STEP], [replace(STEP, role="window")])
    assert "wrist window, int8, litert, Cortex-A53" in message
    assert "no count of it is committed" in message


def test_a_file_of_counts_is_read_as_it_was_written_and_no_other_is(tmp_path: Path) -> None:
    counted = Counted(SCHEMA, {"engines": "some"}, (STEP,))
    path = tmp_path / "counts.json"
    path.write_bytes(msgspec.json.encode(counted))
    assert read(path) == counted
    for other in (
        b"{}",
        b"nonsense",
        msgspec.json.encode({**asdict(counted), "schema": "x/1"}),
    ):
        path.write_bytes(other)
        with pytest.raises(InputError, match="not a file of counts"):
            read(path)
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "absent.json")


def test_counts_are_medians_of_runs_and_caches_come_from_the_run_that_watched_them() -> None:
    core = runs.CORES[0]
    run = runs.Run(core, "litert", "int8", "graphs")
    calls = [np.full((5, 6), n, float) for n in (10, 30, 20)]
    watched = np.arange(30.0).reshape(5, 6)
    each_run = [run, run, run, replace(run, caches=True)]
    found = [
        runs.Regions({("wrist", "step"): each}, np.arange(6.0)) for each in [*calls, watched]
    ]
    found[0] = replace(found[0], nothing=np.full(6, 1.0))
    (made,) = runs.merged(each_run, found)
    assert (made.instructions, made.least, made.most, made.runs) == (20, 9, 30, 3)
    assert (made.loads, made.stores, made.l2_misses) == (12, 12, 12)


def test_blocks_are_those_of_a_region_less_those_of_a_call_that_does_nothing(
    tmp_path: Path,
) -> None:
    blocks = tmp_path / "blocks"
    blocks.write_text("1 5 1 aa\n2 7 1 aa\n2 40 2 bbbb\n3 5 1 aa\n3 8 1 cc\n")
    run = runs.Run(runs.CORES[0], "litert", "int8", "graphs", blocks=tmp_path)
    runs.split_blocks(blocks, {2: ("wrist", "step"), 3: ("wrist", "window")}, run)
    step = tmp_path / "wrist.step.int8.litert.Cortex-A53.blocks"
    assert step.read_text() == "2 2 1 aa\n2 40 2 bbbb\n"
    window = tmp_path / "wrist.window.int8.litert.Cortex-A53.blocks"
    assert window.read_text() == "3 8 1 cc\n"


@pytest.mark.parametrize(
    ("int8", "said"),
    [
        (600, "below it in every graph and on every core"),
        (1100, "wrist step on Cortex-A53 (1.10)"),
    ],
)
def test_the_page_says_where_int8_is_not_below_float(int8: int, said: str) -> None:
    fp32 = replace(STEP, precision="fp32")
    counted = Counted(SCHEMA, {}, (replace(STEP, instructions=int8), fp32))
    assert said in report(counted)


def test_the_page_names_the_engine_that_executes_least() -> None:
    other = replace(STEP, engine="onnxruntime", instructions=800)
    assert "| step | ONNX Runtime, 0.80 |" in report(Counted(SCHEMA, {}, (STEP, other)))


def test_wrong_use_says_what_to_do_and_changes_nothing(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "counts"
    for arguments, said in (
        (["wrist-himae", "--lane", str(tmp_path)], "lane.sh"),
        (["nothing-of-this-name"], "no bundle of this name"),
        ([str(toy_bundle)], "TFLite"),
        (["wrist-himae", "--update"], "name none"),
    ):
        monkeypatch.setattr(sys, "argv", ["count.py", *arguments, "-o", str(output)])
        try:
            code = command.main()
        except SystemExit as error:
            code = error.code
        assert code == 2
        assert said in capsys.readouterr().err
        assert not output.exists()
