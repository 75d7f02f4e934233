"""Loading and predicting leaves no trace: no socket, no file, no thread, no heavy import."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import onwrist_runtime

RUNTIME = Path(onwrist_runtime.__file__).parent.parent
ENGINES = [("toy_bundle", "onnxruntime"), ("toy_tflite_bundle", "litert")]

PREDICT = """
import json, os, sys
import numpy as np
before = len(os.listdir("/proc/self/task"))  # NumPy's own
import onwrist_runtime
model = onwrist_runtime.load(sys.argv[1], sys.argv[2])
values = np.ones((len(model.channels), model.window_samples), np.float32)
for _ in range(20):
    value = model.predict(values)["heart_rate"].value
print(json.dumps({
    "value": value,
    "threads": len(os.listdir("/proc/self/task")) - before,
    "open": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{fd}")],
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def run(code: str, *arguments: str, home: Path, before: tuple[str, ...] = ()) -> str:
    """Run code in a fresh Python whose home and temporary folder are `home`."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(RUNTIME),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "TMPDIR": str(home),
    }
    command = [*before, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("fixture", "engine"), ENGINES)
def test_no_file_no_socket_no_thread(request, tmp_path, fixture, engine):
    path = request.getfixturevalue(fixture)
    told = json.loads(run(PREDICT, path, engine, home=tmp_path))
    assert told["value"] == pytest.approx(70)
    assert told["threads"] == 0
    assert not any(name.startswith("socket:") for name in told["open"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fixture", "engine"), ENGINES)
def test_system_calls_open_no_socket_and_write_no_file(request, tmp_path, fixture, engine):
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-o", os.devnull, "true"]).returncode:
        pytest.skip("strace is not installed or may not trace here")
    path = request.getfixturevalue(fixture)
    home = tmp_path / "home"
    home.mkdir()
    log = tmp_path / "calls"
    calls = "socket,connect,open,openat,creat,mkdir,mkdirat,rename,renameat2,unlink,unlinkat"
    run(
        PREDICT,
        path,
        engine,
        home=home,
        before=(strace, "-f", "-qq", "-e", f"trace={calls}", "-o", str(log)),
    )
    wrote = re.compile(r"\b(socket|connect|creat|mkdir|rename|unlink)|O_WRONLY|O_RDWR|O_CREAT")
    lines = log.read_text().splitlines()
    assert any(str(path) in line for line in lines)  # the trace saw the bundle opened
    found = [line for line in lines if wrote.search(line)]
    assert [line for line in found if "/dev/null" not in line] == []


@pytest.mark.parametrize(("fixture", "engine"), ENGINES)
def test_a_loaded_model_imports_its_engine_and_nothing_heavy(
    request, tmp_path, fixture, engine
):
    path = request.getfixturevalue(fixture)
    modules = set(json.loads(run(PREDICT, path, engine, home=tmp_path))["modules"])
    other = {"onnxruntime": "ai_edge_litert", "litert": "onnxruntime"}[engine]
    assert not modules & {other, "onwrist", "onwrist_export", "torch", "onnx", "pandas"}


def test_importing_the_runtime_loads_numpy_msgspec_and_safetensors_only(tmp_path):
    code = """
import sys
before = {name.partition(".")[0] for name in sys.modules}
import onwrist_runtime
after = {name.partition(".")[0] for name in sys.modules}
print(" ".join(sorted(after - before - sys.stdlib_module_names)))
"""
    loaded = set(run(code, home=tmp_path).split())
    # NumPy's typing brings in typing_extensions where it is installed
    assert loaded - {"typing_extensions"} == {
        "numpy",
        "msgspec",
        "safetensors",
        "onwrist_runtime",
    }


def test_telemetry_is_off_before_onnx_runtime_is_imported(toy_bundle, tmp_path):
    code = """
import os, sys
import onwrist_runtime
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
onwrist_runtime.load(sys.argv[1], "onnxruntime")
"""
    assert run(code, toy_bundle, home=tmp_path).split()[-1] == "1"
