"""A peer's name in, a Python that has it out: installed once, by pinned versions, and kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

# What pip is given, one call after the other. torch goes first, by its exact pin, so that no
# dependency brings another build; pnnx needs none of it, whatever it asks for.
PEERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tflite-runtime": (
        ("tflite-runtime==2.14.0", "numpy==1.26.4", "msgspec==0.22.0", "safetensors==0.8.0"),
    ),
    "executorch": (("torch==2.13.0",), ("executorch==1.5.1", "onnx==1.23.2")),
    "openvino": (("openvino==2026.4.1", "numpy==2.4.6"),),
    "ncnn": (("ncnn==1.0.20261020", "numpy==2.4.6"), ("--no-deps", "pnnx==20261020")),
    "mnn": (("mnn==3.6.1", "numpy==2.4.6"),),
}
PATIENCE = 1800  # seconds for a download


class Missing(Exception):
    """A contestant cannot race; the message is the reason."""


def python(peer: str, folder: Path) -> Path:
    """The Python of a peer's environment, which is made in `folder` if it is not there.

    Raises
    ------
    Missing
        It cannot be installed.
    """
    home = folder / peer
    executable, pins = home / "bin/python", home / "installed.txt"
    wanted = f"{sys.version}\n" + "\n".join(" ".join(pip) for pip in PEERS[peer])
    if pins.is_file() and pins.read_text() == wanted:
        return executable
    shutil.rmtree(home, ignore_errors=True)
    print(f"race: installing {peer}", file=sys.stderr)
    install = (executable, "-m", "pip", "install", "--quiet", "--retries", "2")
    steps = [(sys.executable, "-m", "venv", home), *((*install, *pip) for pip in PEERS[peer])]
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        raise Missing(f"not installed: {last_line(error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"not installed: {error}") from error
    pins.write_text(wanted)
    return executable


def last_line(text: str) -> str:
    """The last line in which a program says what failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it does not say why"])[-1][:200]
