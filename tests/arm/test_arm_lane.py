"""The lane's script and its runner: made once, and one clear line where it cannot be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from machines import ARM, REPOSITORY, python

LANE = REPOSITORY / "benchmarks/arm/lane.sh"
# Those of `make test-arm`.
PARTS = ("qemu", "host", "root", "site", "armhf", "site-armhf", "count.so")
NOWHERE = "http://127.0.0.1:9"  # nobody listens there


def make(folder: Path, *parts: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run lane.sh."""
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable} | environment
    command = ["/bin/bash", LANE, folder, *parts]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def refusal(folder: Path, **environment: str) -> str:
    """The one line of a lane.sh that cannot, and leaves nothing behind that looks made."""
    made = make(folder, **environment)
    assert made.returncode == 2
    assert made.stderr.startswith("lane.sh: error: ")
    assert made.stderr.count("\n") == 1
    assert not made.stdout
    assert not [path for path in folder.glob("*") if not path.name.startswith(".")]
    return made.stderr


def path_without(folder: Path, *missing: str, **instead: str) -> str:
    """A PATH of what is installed, without some commands and with scripts for others."""
    folder.mkdir()
    for directory in ("/usr/bin", "/bin", "/usr/sbin"):
        for command in Path(directory).iterdir():
            if (
                command.name not in (*missing, *instead)
                and not (folder / command.name).exists()
            ):
                (folder / command.name).symlink_to(command)
    for name, script in instead.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_a_second_call_makes_nothing(lane: Path) -> None:
    parts = {path: path.stat().st_mtime_ns for path in lane.glob("[!.]*")}
    again = make(lane, *PARTS)
    assert again.returncode == 0, again.stderr
    assert not again.stdout
    assert {path: path.stat().st_mtime_ns for path in lane.glob("[!.]*")} == parts


@pytest.mark.usefixtures("lane")
def test_another_processor_is_told(tmp_path: Path) -> None:
    path = path_without(tmp_path / "bin", uname="echo Linux aarch64")
    assert "x86-64, not Linux aarch64" in refusal(tmp_path / "lane", PATH=path)
    assert not (tmp_path / "lane").exists()


@pytest.mark.usefixtures("lane")
@pytest.mark.parametrize(
    ("missing", "told"),
    [("apt-get", "there is no apt-get"), ("gcc", "there is no gcc")],
)
def test_what_is_not_installed_is_told(missing: str, told: str, tmp_path: Path) -> None:
    path = path_without(tmp_path / "bin", missing)
    assert told in refusal(tmp_path / "lane", PATH=path)


@pytest.mark.usefixtures("lane")
def test_a_python_without_pip_is_told(tmp_path: Path) -> None:
    assert "/bin/false has no pip" in refusal(tmp_path / "lane", PYTHON="/bin/false")


@pytest.mark.usefixtures("lane")
def test_another_release_is_told(tmp_path: Path) -> None:
    sources = f"echo \"'{NOWHERE}/dists/trixie/InRelease' x 0\""
    path = path_without(tmp_path / "bin", **{"apt-get": sources})
    assert "no source for Debian 12" in refusal(tmp_path / "lane", PATH=path)


@pytest.mark.usefixtures("lane")
def test_no_network_is_told(tmp_path: Path) -> None:
    nowhere = {"http_proxy": NOWHERE, "https_proxy": NOWHERE}
    assert "cannot fetch Debian's lists" in refusal(tmp_path / "lane", **nowhere)


def test_what_fails_leaves_what_was_made(lane: Path, tmp_path: Path) -> None:
    """A part whose recipe has changed stays whole until its successor is."""
    (tmp_path / ".stamps").mkdir()
    for name in ("qemu", ".stamps/qemu"):
        source = lane / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    (tmp_path / ".stamps/qemu").write_text("another recipe\n")
    made = make(tmp_path, http_proxy=NOWHERE, https_proxy=NOWHERE)
    assert made.returncode == 2
    assert (tmp_path / "qemu/usr/bin/qemu-aarch64").exists()


@pytest.mark.parametrize(
    ("plugin", "missing"), [(None, "qemu"), ("count.so,out=counts", "host")]
)
def test_a_lane_that_is_not_there_is_told_with_its_script(
    plugin: str | None, missing: str, tmp_path: Path
) -> None:
    told = rf"{missing} is not there: make it by .*lane\.sh"
    with pytest.raises(FileNotFoundError, match=told):
        python(tmp_path, ARM["Cortex-A53"], "-c", "", plugin=plugin)
