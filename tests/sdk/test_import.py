"""Importing onwrist is light; benchmarks/lean.py measures how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch", "onnx", "onnxruntime", "pandas", "pyarrow", "scipy", "matplotlib", "rich",
    "sklearn", "lightning", "ai_edge_litert", "tflite_runtime", "tensorflow", "PIL",
    "onwrist_export", "socket", "ssl", "urllib.request", "http.client", "multiprocessing",
    "fastapi", "starlette", "uvicorn", "pydantic", "garmin_fit_sdk",
)  # fmt: skip


def fresh(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    "what", ["onwrist", "onwrist.readers", "onwrist.simulate", "onwrist.cli", "onwrist.plots"]
)
def test_importing_loads_nothing_heavy(what: str) -> None:
    loaded = json.loads(
        fresh(f"import json, sys, {what}; print(json.dumps(list(sys.modules)))")
    )
    assert not set(HEAVY) & set(loaded)
