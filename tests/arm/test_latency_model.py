"""The latency model: tables and counts in, milliseconds with an interval out."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import REPOSITORY

sys.path.append(str(REPOSITORY / "benchmarks/arm"))
sys.path.append(str(REPOSITORY / "benchmarks"))
import model as command
from counted import Count
from latency import fit, mobilenet, networks, report
from latency.blocks import Block, hottest, instructions, parse_blocks
from latency.fit import Board, Call, Estimate, Model, Row
from latency.mca import Cycles, ModelError, Tools

from onwrist_export.quantization.litert import LiteRT

NOP, RET = "1f2003d5", "c0035fd6"
PI = Board("a Pi", "Cortex-A53", "Cortex-A53", 1.0, 2000)
STEP = Count(
    *("b", "step", "int8", "litert", "Cortex-A53"),
    **{field.name: 1 for field in fields(Count)[5:]} | {"calls": 5, "instructions": 20},
)

ratios = st.floats(0.3, 3)
times = st.floats(0.1, 1000)


def rows(factor: float, exposed: float, boards: dict[str, float]) -> list[Row]:
    """Times of boards that the model explains, but for a factor of each."""
    made = []
    for board, off in boards.items():
        for number, memory in enumerate((0.0, 5.0, 40.0)):
            ms = off * (factor * 10 + exposed * memory)
            made.append(Row(board, "Cortex-A53", f"net{number}", ms, 10.0, 8.0, memory))
    return made


def test_executions_of_the_same_code_are_added() -> None:
    counted = parse_blocks([f"1 5 2 {NOP}{RET}", f"2 7 1 {NOP}", f"1 1 2 {NOP}{RET}"])
    assert counted == Counter({Block(2, NOP + RET): 6, Block(1, NOP): 7})
    assert instructions(counted) == 19


@pytest.mark.parametrize(
    "line", ["", "1 2 3", f"1 5 3 {NOP}", f"1 0 1 {NOP}", "1 1 1 xyzzyxyz", f"1 1 1 {NOP} 1"]
)
def test_what_is_not_a_block_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"line 2 is not of count\.c's blocks"):
        parse_blocks([f"1 1 1 {NOP}", line])


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 10**9)), min_size=1), st.floats(0, 1)
)
def test_hottest_blocks_hold_the_share_and_none_could_be_spared(
    sizes: list[tuple[int, int]], share: float
) -> None:
    counted = Counter({Block(n, f"{i}"): times for i, (n, times) in enumerate(sizes)})
    kept = hottest(counted, share)
    wanted = share * instructions(counted)
    assert instructions(kept) >= wanted * (1 - 1e-12)
    if kept:
        least = min(block.instructions * times for block, times in kept.items())
        assert instructions(kept) - least < wanted * (1 + 1e-12)


def test_without_llvm_it_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lane\.sh"):
        Tools(tmp_path).cycles(Counter({Block(1, NOP): 1}), "cortex-a55")


FAKE = """#!{python}
import json, re, sys
given = sys.stdin.read()
open({log!r}, "a").write("x")
if "--disassemble" in sys.argv:
    print("\\t.text")
    for number, line in enumerate(given.split("\\n"), 1):
        if "0xff" in line:
            print(f"<stdin>:{{number}}:1: warning: invalid encoding", file=sys.stderr)
        else:
            print("\\tsvc" if "0xd4" in line else "\\tnop")
elif "svc" in given:
    sys.exit("error: found an unsupported instruction in the input assembly sequence")
else:
    regions = re.findall(r"BEGIN (\\d+)\\n(.*?)# LLVM-MCA-END", given, re.S)
    views = [
        (n, dict(TotalCycles=300 * text.count("nop"), Iterations=100)) for n, text in regions
    ]
    print(json.dumps(dict(CodeRegions=[dict(Name=n, SummaryView=view) for n, view in views])))
"""


def test_blocks_that_llvm_does_not_know_cost_the_mean_and_are_told(tmp_path: Path) -> None:
    """Three cycles an instruction; one block has no encoding, one no timing."""
    binaries, log = tmp_path / "usr/lib/llvm-19/bin", tmp_path / "log"
    binaries.mkdir(parents=True)
    for name in ("llvm-mc", "llvm-mca"):
        (binaries / name).write_text(FAKE.format(python=sys.executable, log=str(log)))
        (binaries / name).chmod(0o755)
    unknown, untimed = "ffffffff", "010000d4"
    counted = Counter({Block(2, NOP + NOP): 45, Block(1, unknown): 6, Block(1, untimed): 4})
    tools = Tools(tmp_path)
    found = tools.cycles(counted, "cortex-a55")
    assert found == Cycles(pytest.approx(300), pytest.approx(0.1))
    calls = log.read_text()
    assert tools.cycles(counted, "cortex-a55") == found
    assert log.read_text() == calls


@given(ratios, st.sampled_from([0.0, 0.2, 0.56, 1.0]))
def test_fit_finds_the_factor_and_what_memory_costs(factor: float, exposed: float) -> None:
    model = fit.fit(rows(factor, exposed, {"one": 1, "other": 1}))
    assert model.factors["Cortex-A53"] == pytest.approx(factor, rel=1e-6)
    assert model.exposed == pytest.approx(exposed)
    assert model.sigma == pytest.approx(0, abs=1e-6)


@given(ratios)
def test_a_board_left_out_shows_its_whole_error(off: float) -> None:
    errors = fit.left_out(rows(1.5, 0.0, {"a": 1, "b": 1, "odd": off}), fit.board_of, 0.0)
    assert errors["odd"] == pytest.approx([math.log(off)] * 3, abs=1e-6)


def test_a_board_alone_of_its_core_is_not_called_tested() -> None:
    assert fit.left_out(rows(1.0, 0.5, {"alone": 1}), fit.board_of, 0.5) == {}


@given(times, times, st.floats(0, 1e6))
def test_more_cycles_or_misses_never_get_faster(
    cycles: float, more: float, misses: float
) -> None:
    model = Model({"Cortex-A53": 1.2}, {"Cortex-A53": 1.3}, 0.5, 0.15, 0.3)
    less = model.estimate(PI, Call(1, cycles, misses))
    slower = model.estimate(PI, Call(1, cycles + more, misses + more))
    assert less.low < less.p50 < less.high
    assert slower.p50 > less.p50


def test_memory_is_read_at_twice_the_rate_of_copying() -> None:
    assert PI.memory(Call(0, 0, 1e6)) == pytest.approx(64e6 / 4e9 * 1e3)


def test_every_published_time_has_its_board_and_every_device_a_factor() -> None:
    model = fit.fit(fit.read_rows())
    assert {row.core for row in fit.read_rows()} >= {d.core for d in fit.read_devices()}
    assert all(0.5 < factor < 2 for factor in model.factors.values())


def test_blocks_tell_more_than_the_number_of_instructions() -> None:
    model = fit.fit(fit.read_rows())
    assert model.sigma < model.sigma_plain


def test_a_phone_with_another_engine_is_within_the_interval() -> None:
    model = fit.fit(fit.read_rows())
    held = [h for h in fit.validate(model) if h.board.name.startswith("Pixel 4")]
    assert [h.estimate.low < h.published < h.estimate.high for h in held] == [True]


@pytest.mark.parametrize(("high", "words"), [(0.99, report.SUB), (1.01, "modelled")])
def test_sub_millisecond_is_said_of_whole_intervals_only(high: float, words: str) -> None:
    weighed = report.Weighed(STEP, Call(1, 1, 0), 0)
    estimate = Estimate(0.5, 0.3, high)
    assert report.Prediction("watch", weighed, estimate, estimate, 0.1).verdict == words


def written(folder: Path, count: Count) -> None:
    """A folder with a count, and blocks of 20 instructions a call."""
    (folder / "counts.json").write_bytes(msgspec.json.encode([count]))
    (folder / f"{'.'.join(count.key)}.blocks").write_text(f"1 50 2 {NOP}{RET}\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instructions": 1000}, "count both anew"),
        ({"loads": 0}, "without caches"),  # memory would seem free
    ],
)
def test_counts_that_cannot_be_weighed_are_refused(
    change: dict[str, int], said: str, tmp_path: Path
) -> None:
    written(tmp_path, replace(STEP, **change))
    with pytest.raises(ValueError, match=said):
        report.read_weighed(tmp_path, Tools(tmp_path))


def test_counts_of_which_no_blocks_are_there_are_refused(tmp_path: Path) -> None:
    written(tmp_path, STEP)
    (tmp_path / "b.step.int8.litert.Cortex-A53.blocks").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.step\.int8\.litert\.Cortex-A53\.blocks"):
        report.read_weighed(tmp_path, Tools(tmp_path))


def test_a_folder_without_counts_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"count\.py"):
        report.read_weighed(tmp_path, Tools(tmp_path))
    (tmp_path / "counts.json").write_text("{}")
    with pytest.raises(ValueError, match="not a list of counts"):
        report.read_weighed(tmp_path, Tools(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["counts"], r"count\.py"),
        (["--recount", "params"], r"lane\.sh"),
        ([], "give a folder of counts"),
        (["counts", "--refit"], "give a folder of counts"),
    ],
)
def test_wrong_use_says_what_to_do_and_writes_nothing(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["model.py", *arguments, "-o", "written"])
    try:
        code = command.main()
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert re.search(said, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_networks_are_not_recounted_without_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "count.so").touch()
    output = tmp_path / "counted.csv"
    with pytest.raises(ValueError, match=r"lacks blazeface\.param"):
        networks.recount(tmp_path, tmp_path, Tools(tmp_path), output)
    assert not output.exists()


@pytest.mark.parametrize("int8", [False, True])
def test_the_network_that_is_held_against_the_model_runs_in_litert(int8: bool) -> None:
    pytest.importorskip("ai_edge_litert")
    size = mobilenet.SIZE
    image = np.ones((1, size, size, 3), np.int8 if int8 else np.float32)
    scores = LiteRT(mobilenet.build(int8)).run({"image": image})["scores"]
    assert scores.shape == (1, 1, 1, mobilenet.CLASSES)
    assert scores.std() > 0
