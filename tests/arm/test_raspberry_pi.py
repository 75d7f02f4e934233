"""The pages for a Raspberry Pi, command by command: what they install runs as they say.

The wheel is made by a page's command. What pip brings to a board comes from the package index,
for the board's kind of processor, and the page's `onwrist bench` runs on that under emulation,
for a moment. Not tried here: apt, venv, and pip on the board itself.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from machines import CORTEX, CORTEX_A7, REPOSITORY, python

import onwrist
from onwrist.bench import outputs, report
from onwrist.cli import main
from onwrist_runtime.manifest import EMBEDDING, NEXT_STATE

PAGES = REPOSITORY / "examples/raspberry_pi"
BOARD = "onwrist/bin/"  # where a page's virtual environment keeps its programs
GLIBC = range(17, 37)  # minor versions of manylinux wheels that Bookworm's glibc 2.36 takes
QUICK = ("--seconds", "0.2", "--every", "0.001")


@dataclass(frozen=True)
class Page:
    """A page, a core of its boards, what wheels call them, and what comes not as a wheel."""

    file: str
    core: str
    machine: str
    engine: str
    no_wheel: tuple[str, ...] = ()

    def blocks(self) -> list[list[str]]:
        """The lines of each block of commands."""
        text = (PAGES / self.file).read_text()
        found = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
        return [[line.strip() for line in block.splitlines()] for block in found]

    def commands(self, program: str) -> list[list[str]]:
        """The arguments of each command of a program."""
        lines = (line for block in self.blocks() for line in block)
        words = (shlex.split(part) for line in lines for part in line.split("&&"))
        return [arguments for first, *arguments in words if first == program]


WIDE = Page("README.md", "Cortex-A53", "aarch64", "litert")
NARROW = Page(
    "README-32bit.md", CORTEX_A7.name, "armv7l", "tflite-runtime", ("numpy", "msgspec")
)
every_page = pytest.mark.parametrize("page", [WIDE, NARROW], ids=lambda page: page.file)
BENCHES = [
    (page, words) for page in (WIDE, NARROW) for words in page.commands(f"{BOARD}onwrist")
]


def title(page: Page, words: list[str]) -> str:
    """What a command of a page is called in tests."""
    return f"{page.file} {shlex.join(words)}"


every_bench = pytest.mark.parametrize(
    ("page", "words"), BENCHES, ids=[title(*each) for each in BENCHES]
)


def pip(*arguments: str | Path, folder: Path) -> None:
    """Run pip in a folder.

    Raises
    ------
    RuntimeError
        It failed: what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"pip {shlex.join(map(str, arguments))}: {done.stderr}")


@pytest.fixture(scope="module")
def dist(lane: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where a page's command puts the wheel, beside a copy of the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    try:
        pip("download", "--no-deps", "setuptools>=77", folder=tmp_path_factory.mktemp("asked"))
    except RuntimeError:
        pytest.skip("no package index can be reached")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / file, folder)
    for root in ("runtime", "sdk", "export"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / root, folder / root, ignore=ignored)
    commands = [page.commands("pip") for page in (WIDE, NARROW)]
    assert commands[0][0] == commands[1][0]
    pip(*commands[0][0], folder=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def sites(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By page, a folder with the wheels that the page's pip command brings to a board."""
    return {page.file: _site(page, dist, tmp_path_factory) for page in (WIDE, NARROW)}


def _site(page: Page, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp(page.machine)
    ((install, wanted),) = page.commands(f"{BOARD}pip")
    wheels = [wanted]
    if page.no_wheel:
        file, extra = wanted.rstrip("]").split("[")
        wheels = ["--no-deps", file, *_requirements(extra, page.no_wheel)]
    tags = [f"manylinux_2_{minor}_{page.machine}" for minor in GLIBC]
    tags.append(f"manylinux2014_{page.machine}")
    board = ["--implementation=cp", "--python-version=3.11", "--only-binary=:all:"]
    board += [f"--platform={tag}" for tag in tags]
    pip(install, "--target", site, *board, *wheels, folder=dist)
    return site


def _requirements(extra: str, without: tuple[str, ...]) -> list[str]:
    """What the package and one extra of it need."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"][extra]]
    return [each for each in needed if not each.startswith(without)]


@pytest.fixture(scope="module")
def measured(
    lane: Path, sites: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """By page and command, the report that a board's command writes on an emulated core."""
    usable = os.sched_getaffinity(0)  # an emulated board has the cores of this machine
    core = 3 if 3 in usable else max(usable)
    found = {}
    for page, words in BENCHES:
        path = tmp_path_factory.mktemp(page.machine) / "report.json"
        changed = {"report.json": path, "3": str(core)}
        arguments = ["-m", "onwrist", *(changed.get(word, word) for word in words), *QUICK]
        try:
            python(lane, CORTEX[page.core], *arguments, paths=[sites[page.file]])
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{page.file}, {shlex.join(words)}: {error.stderr}") from error
        found[title(page, words)] = path
    return found


@every_page
def test_three_commands_lead_to_a_report(page: Page) -> None:
    (three,) = (block for block in page.blocks() if block[0].startswith("sudo apt update"))
    assert len(three) == 3
    assert three[-1] == f"{BOARD}onwrist bench -o report.json"


@every_page
def test_linked_files_and_headings_exist(page: Page) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)(#[^)]*)?\)", (PAGES / page.file).read_text())
    assert links
    for name, heading in links:
        target = PAGES / (name or page.file)
        assert target.exists(), name
        titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert not heading or heading[1:] in anchors, heading


@pytest.mark.slow
@every_bench
def test_a_command_for_the_board_reports_under_emulation(
    page: Page, words: list[str], measured: dict[str, Path]
) -> None:
    found = report.read(measured[title(page, words)])
    assert {core.name for core in found.machine.cores} == {page.core}
    assert found.machine.bits == (32 if page is NARROW else 64)
    assert found.model.engine == page.engine
    assert found.emulation.emulated
    assert not found.verdict.valid
    assert any(reason.startswith("emulated: ") for reason in found.verdict.reasons)
    assert (found.plan.core is not None) == ("--pin" in words)
    assert [each.role for each in found.outputs] == ["window", "step"]
    assert all(each.passed for each in found.outputs)
    numpy = found.versions["numpy"]
    assert numpy.startswith("1.24.") if page is NARROW else not numpy.startswith("1.")


@pytest.mark.slow
def test_integers_of_the_report_are_those_of_this_machine(measured: dict[str, Path]) -> None:
    pytest.importorskip("ai_edge_litert")
    there = report.read(measured[title(*BENCHES[0])])
    here = outputs.outputs(onwrist.load(engine=WIDE.engine))
    for one, other in zip(there.outputs, here, strict=True):
        for name in {EMBEDDING, NEXT_STATE} & other.sha256.keys():
            assert one.sha256[name] == other.sha256[name], f"{other.role} {name}"


@pytest.mark.slow
def test_tflite_runtime_rounds_otherwise_as_the_page_says(measured: dict[str, Path]) -> None:
    wide, narrow = (
        report.read(measured[title(*next(b for b in BENCHES if b[0] is page))])
        for page in (WIDE, NARROW)
    )
    for one, other in zip(wide.outputs, narrow.outputs, strict=True):
        assert one.sha256[EMBEDDING] != other.sha256[EMBEDDING]


@pytest.mark.slow
def test_the_commands_for_a_pc_draw_and_compare(
    measured: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    for name, path in zip(("zero2w.json", "pi4.json"), measured.values(), strict=False):
        shutil.copy(path, name)
    commands = WIDE.commands("onwrist")
    assert len(commands) == 2
    for words in commands:
        assert main(words) == 0
    assert Path("zero2w.png").stat().st_size > 10_000
