"""A contestant in a process of its own, seen from the parent: started, asked, ended."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from race.checks import Outputs
from race.contestants import Contestant
from race.environments import Missing, last_line
from race.models import environment

PATIENCE = 300  # seconds for an answer; the first one comes after imports and 24 windows


class Racer:
    """A running contestant, which sleeps until it is its turn.

    Attributes
    ----------
    outputs : of every window that it was given, (W, 1, ...) by name.
    """

    def __init__(
        self,
        contestant: Contestant,
        python: str | Path,
        file: Path,
        windows: Path,
        outputs: list[str],
    ) -> None:
        self.contestant = contestant
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when it has ended
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder) / "found.npz"
            command = [python, "-m", "race.contestant", contestant.engine, file, windows, found]
            self._process = subprocess.Popen(
                [*command, *outputs],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
            try:
                self._answer()
                with np.load(found) as given:
                    self.outputs: Outputs = dict(given)
            except Missing:
                self.end()
                raise

    def turn(self, count: int, idle: float) -> list[float]:
        """Microseconds of each call of a turn, as `turns.turn`.

        Raises
        ------
        Missing
            The process has ended, or does not answer.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and said why
            self._process.stdin.write(f"{count} {idle}\n")
            self._process.stdin.flush()
        return json.loads(self._answer())

    def end(self) -> None:
        """End the process; it has nothing to save."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self._process.kill()
            self._process.wait()
            self._errors.seek(0)
            reason = last_line(self._errors.read()) if ready else f"silent for {PATIENCE} s"
            raise Missing(f"does not run: {reason}")
        return line
