"""A model in an engine that cannot share this environment or process: inputs in, outputs out.

tflite-runtime needs NumPy 1, TFLite-Micro ends its process where it cannot run a file, and
another processor is emulated. `guest` is the other end.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from onwrist_export.quantization import guest
from onwrist_runtime.errors import EngineError, InputError

GUEST = Path(guest.__file__)
# what the environment of an engine holds; tflite-runtime's can run `onwrist_runtime` too
PACKAGES = {
    "tflite-micro": ("tflite-micro==0.dev20261023182759",),
    "tflite-runtime": ("tflite-runtime==2.14.0", "numpy<2", "msgspec", "safetensors"),
}


def environment(engine: str, folder: Path) -> Path:
    """The Python of an engine's own environment, made in `folder` on first use of its pins.

    Raises
    ------
    EngineError
        The engine cannot be installed here.
    """
    python, ready = folder / "bin" / "python", folder / ".ready"
    if sys.version_info[:2] > (3, 11):
        raise EngineError(f"{engine} needs Python 3.11")
    pins = "\n".join(PACKAGES[engine])
    if not ready.exists() or ready.read_text() != pins:
        for command in (
            [sys.executable, "-m", "venv", "--clear", folder],
            [python, "-m", "pip", "install", "--quiet", *PACKAGES[engine]],
        ):
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                raise EngineError(f"cannot install {engine}: {made.stderr[-300:]}")
        ready.write_text(pins)
    return python


def version(python: str, engine: str) -> str:
    """Which version of an engine, by its package, another Python has.

    Raises
    ------
    InputError
        It is no Python, or one without the engine.
    """
    program = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    try:
        done = subprocess.run(
            [python, "-c", program, engine], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InputError(f"{python} cannot be run: {error.strerror}") from None
    if done.returncode:
        raise InputError(
            f"{python} has no {engine}: name the Python of an environment where it is installed"
        )
    return done.stdout.strip()


class Elsewhere:
    """One interpreter on one thread, in a process that ends with the `with` block.

    Attributes
    ----------
    arena, head, tail : bytes of the smallest arena in which TFLite-Micro loads the model, and
        those it then holds for tensors and for what it keeps beside them; None in other
        engines.

    Raises
    ------
    EngineError
        The engine cannot load the model.
    """

    def __init__(self, command: Sequence[str | Path], engine: str, model: bytes) -> None:
        self._folder = tempfile.TemporaryDirectory()
        file, self._said = (Path(self._folder.name) / name for name in ("model", "said"))
        file.write_bytes(model)
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [*command, GUEST, engine, file],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        try:
            told = self._answer()
        except EngineError:
            self.close()
            raise
        self.arena, self.head, self.tail = (
            int(told[part]) if part in told else None for part in ("arena", "head", "tail")
        )

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
        """All outputs by name for the inputs by name."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and said why
            guest.send(self._process.stdin, dict(inputs))
        return self._answer()

    def _answer(self) -> dict[str, NDArray[np.generic]]:
        answer: dict[str, NDArray[np.generic]] | None = guest.receive(self._process.stdout)
        if answer is None:
            raise EngineError(self._ended())
        return answer

    def _ended(self) -> str:
        """What the process said at its end, without the way there."""
        code = self._process.wait()
        lines = self._said.read_text(errors="replace").splitlines()
        said = [line for line in lines if line and not line.startswith((" ", "Traceback"))]
        if code < 0:
            said.append(f"its process ended with {signal.Signals(-code).name}")
        return "; ".join(said)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
