"""HTTP as uvicorn has it, but for a client that does not finish its request.

uvicorn waits for the rest of a request for ever, and with enough halves of them there is no
connection left for anybody else. So here a connection that has no request under way, from its
opening or from its last answer on, must give the whole head of one in time, or is closed.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Requests(H11Protocol):
    """One client's.

    Attributes
    ----------
    seconds : that the head of a request may take.
    """

    seconds: float
    _end: asyncio.TimerHandle | None = None

    @classmethod
    def within(cls, seconds: float) -> type[Requests]:
        """The class of a service that waits for so long."""
        return type(cls.__name__, (cls,), {"seconds": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._unwatch()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        # An answer can be complete before the body that it does not need has come.
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._end is None and self.transport.get_protocol() is self:
            self._end = self.loop.call_later(self.seconds, self.transport.close)

    def _unwatch(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
