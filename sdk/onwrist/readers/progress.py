"""How far a reader of a large export is in; out to whoever shows it.

Readers tell it as they go; nobody has to listen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

_Item = TypeVar("_Item")
_Listener = Callable[[int, int], None]
_listener: ContextVar[_Listener | None] = ContextVar("listener", default=None)


@contextmanager
def told(to: _Listener) -> Iterator[None]:
    """While this holds, call `to` with how much of how much was read: bytes or files."""
    token = _listener.set(to)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(done: int, total: int) -> None:
    """Say how much of how much was read."""
    if (to := _listener.get()) is not None:
        to(done, total)


class Steps:
    """Counts through several runs of items, of which there are `total`."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def each(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items, telling how far they go."""
        for item in items:
            self._done += 1
            tell(self._done, self._total)
            yield item
