"""Ctrl-C in, an orderly end of a stream out: what has arrived is still used."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Stopped(Exception):
    """The user pressed Ctrl-C."""


class Interrupt:
    """Ctrl-C ends the wait for samples, or the next one: what has arrived is still used.

    A second Ctrl-C ends the command wherever it is.
    """

    def __init__(self) -> None:
        self._asked = self._waits = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        if self._waits:
            raise Stopped

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, and nowhere else, Ctrl-C raises `Stopped`."""
        self._waits = True
        try:
            if self._asked:
                raise Stopped
            yield
        finally:
            self._waits = False
