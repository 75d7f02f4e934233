"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from onwrist.cli import main as onwrist
from onwrist.simulate import simulate
from onwrist_export.cli import main as export

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROGRAMS = {"onwrist": onwrist, "onwrist-export": export}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """Every command line that the README shows, and those it names in running text."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`(onwrist(?:-export)? [a-z][^`]*)`", README)
    words = [shlex.split(line, comments=True) for line in lines]
    return [w for w in words if w and w[0] in PROGRAMS]


def test_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert blocks("python")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    said = capsys.readouterr().out
    rate = re.search(r"^([\d.]+) bpm ([\d.]+) None", said)
    assert rate, said
    beats = [x.value for x in simulate(seconds=10, seed=1).labels if x.task == "heart_rate"]
    assert abs(float(rate[1]) - np.mean(beats)) < 5
    assert "'temp': 0.0" in said


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_exist_with_their_options(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    program, command, *rest = words
    with pytest.raises(SystemExit) as left:
        PROGRAMS[program]([command, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    for option in (word for word in rest if word.startswith("-")):
        assert re.search(rf"{re.escape(option)}\b", said), option


def test_make_targets_and_linked_files_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z-]+)\b", README):
        assert target in targets
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
