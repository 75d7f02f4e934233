"""The package as an app gets it: complete, small, and silent.

What importing loads is in tests/sdk/test_import.py; what the runtime alone leaves behind,
in tests/runtime/test_lifecycle.py. How long it takes is measured by benchmarks/lean.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROOTS = ("runtime", "sdk", "export")
# The most bytes that a bundle may add to the wheel, and all that is none.
BUNDLES = {
    "onwrist/bundles/wrist-himae.onwrist": 5_500_000,
    "onwrist/bundles/wrist-himae-small.onwrist": 3_000_000,
    "onwrist/bundles/day-lsm2.onwrist": 1_000_000,
    "onwrist/bundles/body-fusion.onwrist": 9_000_000,
}
MOST_BYTES = 1_000_000

PREDICT = """
import sys
import numpy as np
import onwrist
model = onwrist.load(engine=sys.argv[1])
beat = np.sin(np.arange(model.window_samples) / model.rate * 2 * np.pi * 70 / 60)
values = np.full((len(model.channels), model.window_samples), np.nan, np.float32)
values[model.channels.index("ppg")] = beat
prediction = model.predict(values)
assert prediction.coverage["ppg"] == 1 and np.isfinite(prediction.embedding).all()
print(model.engine.name, *prediction.tasks)
"""

NO_WAY_OUT = """
import errno, socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    assert error.errno == errno.ENETUNREACH, error
else:
    raise AssertionError("connected")
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def pip(python: Path | str, *arguments: str | Path, cwd: Path) -> str:
    """Run pip with the settings of whoever runs the tests."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    return run(*command, cwd=cwd, **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is made of; no earlier build can leak in."""
    folder = tmp_path_factory.mktemp("wheel")
    try:
        pip(sys.executable, "download", "--quiet", "setuptools>=77", cwd=folder)
    except AssertionError:
        pytest.skip("no package registry can be reached to build the wheel with")
    copy = folder / "onwrist"
    copy.mkdir()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / file, copy)
    for root in ROOTS:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / root, copy / root, ignore=ignored)
    pip(
        sys.executable, "wheel", "--quiet", "--no-deps", copy, "-w", folder / "made", cwd=folder
    )
    (made,) = (folder / "made").glob("*.whl")
    return made


def built(path: Path) -> bool:
    """Whether a file is one that tools leave beside sources."""
    leavings = {"__pycache__", "node_modules", "dist", "onwrist.egg-info"}
    return bool(leavings & set(path.parts)) or path.name == "vitest.config.ts"


@pytest.mark.slow
def test_the_wheel_holds_every_module_specification_and_the_bundle(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = set()
    for root in ROOTS:
        for path in (REPOSITORY / root).rglob("*"):
            kept = path.suffix in (".py", ".md", ".toml", ".onwrist") or path.name == "py.typed"
            if (kept or "hosts" in path.parts) and path.is_file() and not built(path):
                wanted.add(path.relative_to(REPOSITORY / root).as_posix())
    assert held == wanted
    assert {
        *BUNDLES,
        "onwrist_runtime/BUNDLE.md",
        "onwrist_runtime/HOST.md",
        "onwrist/readers/FORMAT.md",
        "onwrist_runtime/py.typed",
        "onwrist/py.typed",
        "onwrist_export/py.typed",
    } <= held


@pytest.mark.slow
def test_the_wheel_with_its_bundles_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {name: archive.getinfo(name).compress_size for name in BUNDLES}
    assert wheel.stat().st_size - sum(sizes.values()) < MOST_BYTES
    for name, most in BUNDLES.items():
        assert sizes[name] < most, name


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "engine"), [("litert", "litert"), ("onnx", "onnxruntime")])
def test_a_fresh_environment_needs_the_wheel_and_one_engine(
    wheel: Path, tmp_path: Path, extra: str, engine: str
) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    pip(python, "install", "--quiet", wheel, cwd=tmp_path)
    installed = pip(python, "list", "--format=freeze", cwd=tmp_path).split()
    names = {line.partition("==")[0] for line in installed}
    assert names - {"pip", "setuptools"} == {"onwrist", "numpy", "msgspec", "safetensors"}
    without = "import onwrist\ntry: onwrist.load()\nexcept onwrist.EngineError as e: print(e)"
    assert f"pip install 'onwrist[{extra}]'" in run(python, "-I", "-c", without, cwd=tmp_path)
    pip(python, "install", "--quiet", f"{wheel}[{extra}]", cwd=tmp_path)
    told = run(python, "-I", "-c", PREDICT, engine, cwd=tmp_path)
    assert told.split() == [engine, "heart_rate", "stress"]
    for target in ("android", "ios", "c", "web"):
        command = ["embed", "wrist-himae-small", "--target", target, "-o", tmp_path / target]
        run(python, "-I", "-m", "onwrist", *command, cwd=tmp_path)
        assert (tmp_path / target / "README.md").is_file()


@pytest.mark.parametrize(
    ("module", "engine"), [("ai_edge_litert", "litert"), ("onnxruntime", "onnxruntime")]
)
def test_the_shipped_bundle_needs_no_network_and_leaves_home_empty(
    tmp_path: Path, module: str, engine: str
) -> None:
    pytest.importorskip(module)
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-n", "true"], capture_output=True).returncode
    ):
        pytest.skip("cutting off the network takes `unshare -n`, as root")
    home = tmp_path / "home"
    home.mkdir()
    told = run(
        unshare, "-n", sys.executable, "-c", NO_WAY_OUT + PREDICT, engine,
        cwd=home,
        HOME=str(home), TMPDIR=str(home),
        **{f"XDG_{kind}_HOME": str(home) for kind in ("CACHE", "CONFIG", "DATA", "STATE")},
    )  # fmt: skip
    assert told.split() == [engine, "heart_rate", "stress"]
    assert list(home.rglob("*")) == []
