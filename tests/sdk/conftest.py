"""Recordings to test with: two simulated minutes, and E4 exports small enough to break."""

from __future__ import annotations

from pathlib import Path

import pytest

from onwrist.recording import Recording
from onwrist.simulate import simulate


@pytest.fixture(scope="session")
def simulated() -> Recording:
    return simulate()


@pytest.fixture
def e4(tmp_path: Path) -> Path:
    """A folder in the E4's format: two seconds of every sensor."""
    folder = tmp_path / "anna"
    folder.mkdir()
    start = 1644226061.0
    acc = "".join("-2,43,44\n" for _ in range(64))
    (folder / "BVP.csv").write_text(f"{start}\n64.0\n" + "1.5\n" * 128)
    (folder / "ACC.csv").write_text(f"{start}, {start}, {start}\n32.0, 32.0, 32.0\n{acc}")
    (folder / "EDA.csv").write_text(f"{start}\n4.0\n" + "0.25\n" * 8)
    (folder / "TEMP.csv").write_text(f"{start}\n4.0\n" + "33.1\n" * 8)
    (folder / "HR.csv").write_text(f"{start + 10}\n1.0\n80.0\n")
    (folder / "IBI.csv").write_text(f"{start}, IBI\n0.9,0.75\n1.7,0.8\n")
    (folder / "tags.csv").write_text(f"{start + 1}\n")
    return folder
