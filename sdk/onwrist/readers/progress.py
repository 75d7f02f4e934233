"""How far a reader of a large export is in; out to whoever shows it.

Readers tell it as they go; nobody has to listen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
