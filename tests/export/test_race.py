"""The race: who may run in it, what its medians say, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import torch
from race.checks import compare, wrong
from race.contestants import CONTESTANTS, REFERENCE, Contestant
from race.environments import Missing
from race.models import prepare
from race.processes import Racer
from race.report import judge
from race.torch_graph import TorchGraph

import onwrist
from onwrist.bundles import find
from onwrist_export.quantization import network

REPOSITORY = Path(__file__).parents[2]
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the shipped bundle that race."""
    return prepare(onwrist.load(), tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("name", ["fp32.onnx", "s8.onnx"])
def test_torch_computes_the_same_graph(name: str, files: dict[str, Path]) -> None:
    graph = TorchGraph(files[name]).eval()
    session = network.session(onnx.load(files[name]))
    with np.load(files["inputs.npz"]) as windows:
        inputs = {key: windows[key][1] for key in graph.inputs}
    expected = network.run(session, inputs)
    with torch.inference_mode():
        found = graph(*(torch.from_numpy(value) for value in inputs.values()))
    assert graph.outputs == list(expected)
    for output, value in zip(expected, found, strict=True):
        np.testing.assert_allclose(value.numpy(), expected[output], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "change", "races"),
    [
        ("litert fp32", 0.0, True),
        ("litert fp32", 1e-3, False),
        ("litert INT8", 1e-2, True),
        ("litert INT8", 10.0, False),
        ("litert fp32", np.nan, False),
        ("litert INT8", np.nan, False),
    ],
)
def test_who_gives_other_numbers_does_not_race(name: str, change: float, races: bool) -> None:
    draw = np.random.default_rng(0)
    right = {"embedding": draw.random((8, 1, 16)), "stress": draw.random((8, 1, 2))}
    given = {key: value + change * draw.random(value.shape) for key, value in right.items()}
    fault = wrong(BY_NAME[name], compare(name, right, given))
    assert (fault is None) == races
    assert races or "gives other numbers" in fault


def test_ratios_are_of_medians_and_the_fastest_comes_first() -> None:
    racing = [BY_NAME[name] for name in (REFERENCE, "litert INT8", "predict, litert INT8")]
    times = np.tile(np.array([100.0, 20.0, 35.0])[:, None, None], (1, 30, 4))
    times[:, 0, 0] = 1e6  # one busy moment
    rows, costs = judge("warm", racing, times)
    assert [row.contestant for row in rows] == [racing[1].name, racing[2].name, REFERENCE]
    assert [row.ratio for row in rows] == [0.2, 0.35, 1.0]
    assert all(row.low <= row.ratio <= row.high for row in rows)
    (cost,) = costs
    assert (cost.engine, cost.added) == ("litert INT8", 15.0)


def test_a_contestant_runs_in_a_process_of_its_own(files: dict[str, Path]) -> None:
    outputs = list(onwrist.load().manifest.outputs)
    racer = Racer(
        BY_NAME[REFERENCE], sys.executable, files["fp32.onnx"], files["inputs.npz"], outputs
    )
    try:
        assert list(racer.outputs) == outputs
        assert min(racer.turn(4, 0.0)) > 0
        assert len(racer.turn(4, 0.0)) == 4
        assert len(racer.turn(1, 0.001)) == 1
        racer._process.kill()
        racer._process.wait()
        with pytest.raises(Missing, match="does not run"):
            racer.turn(1, 0.001)
    finally:
        racer.end()


def test_what_is_missing_says_why(files: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "fp32.onnx"
    broken.write_bytes(files["fp32.onnx"].read_bytes()[:1000])
    absent = replace(BY_NAME[REFERENCE], engine="openvino")
    cases: list[tuple[Contestant, Path, str]] = [
        (absent, files["fp32.onnx"], "openvino"),
        (BY_NAME[REFERENCE], broken, "protobuf"),
    ]
    for contestant, file, reason in cases:
        with pytest.raises(Missing, match=reason):
            Racer(contestant, sys.executable, file, files["inputs.npz"], ["embedding"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([find("day-lsm2")], "day-lsm2 is a bundle of days"),
        (["nowhere.onwrist"], "nowhere.onwrist"),
        (["--rounds", "1"], "at least 2"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(
    arguments: list[str | Path], message: str, tmp_path: Path
) -> None:
    command = [sys.executable, "benchmarks/race.py", *arguments, "--folder", tmp_path / "race"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "race").exists()
