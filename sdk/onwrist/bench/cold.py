"""Cold starts: a bundle and an engine in, the parts of several starts out.

Each is a process of its own. Under an emulator of programs a child is not emulated, or does
not start at all: there the one start is that of the command itself, and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

import onwrist
from onwrist.bench import fresh
from onwrist.bench.report import Cold, Start
from onwrist_runtime.errors import EngineError
from onwrist_runtime.model import Model

PROCESSES = 5
_LONGEST = 600.0  # seconds


class _Told(msgspec.Struct):
    start: Start
    emulated: bool | None


def load_here(path: Path, engine: str | None, threads: int) -> tuple[Model, Start]:
    """Load the model, and what this process's own start cost where it is the first load.

    What was imported before cannot be timed any more.
    """
    begun = time.perf_counter()
    model = onwrist.load(path, engine, threads)
    loaded = time.perf_counter()
    values = np.ones((len(model.channels), model.window_samples), np.float32)
    first = time.perf_counter()
    model.predict(values, start=0.0)
    done = time.perf_counter()
    return model, Start(
        import_s=None,
        load_s=loaded - begun,
        first_s=done - first,
        resident_before_bytes=None,
        resident_bytes=fresh.memory("VmRSS"),
        peak_bytes=fresh.memory("VmHWM"),
    )


def starts(path: Path, engine: str, threads: int, emulated: bool | None) -> Iterator[Start]:
    """Cold starts in processes of their own, one after the other.

    Raises
    ------
    EngineError
        A child does not start, fails, or does not run where this process does.
    """
    for _ in range(PROCESSES):
        told = _start(path, engine, threads)
        if told.emulated != emulated:
            raise EngineError("a child process runs outside of the emulator")
        yield told.start


def in_this_process(start: Start, error: EngineError) -> Cold:
    """What is left where no child can be measured."""
    return Cold(
        starts=(start,),
        reason=f"{error}: one start, of the command's own process, without its imports",
    )


def _start(path: Path, engine: str, threads: int) -> _Told:
    # The script's own folder is kept off the path (-P), and what this process can import the
    # child can as well.
    command = [sys.executable, "-P", fresh.__file__, str(path), engine, str(threads)]
    found = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_LONGEST,
            env={**os.environ, "PYTHONPATH": found},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"a child process does not start ({error})") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(f"a child process failed ({last or f'exit {done.returncode}'})")
    try:
        return msgspec.json.decode(done.stdout, type=_Told)
    except msgspec.DecodeError as error:
        raise EngineError(f"a child process said something else ({error})") from None
