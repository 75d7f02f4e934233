"""A WebSocket connection as uvicorn has it, but for how a dead client is told from a slow one.

uvicorn drops whoever does not answer a ping. But while answers wait to be taken, nothing of
the client is read, its pongs neither; and what waits for a dead client would keep its
connection for a quarter of an hour. So here a client is alive from which anything came, or
that took anything that waited for it; and a dead one is dropped with all that waits. Beside
that, uvicorn logs an error for every client that is refused in words, which is no error, and
says nothing to those that it leaves when it ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from onwrist.serve import answers


class Connection(WebSocketsSansIOProtocol):
    """One client's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._heard = self._took = self.loop.time()
        self._waiting = 0  # bytes for the client when it was pinged

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(data)

    def resume_writing(self) -> None:
        self._took = self.loop.time()
        super().resume_writing()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = self.handshake_complete or self.close_sent

    def shutdown(self) -> None:
        """The service ends."""
        if self.handshake_complete and self.conn.state is State.OPEN:
            words = "the service ends: connect again when it is back"
            self.conn.send_text(answers.failure(words).encode())
        super().shutdown()

    def send_keepalive_ping(self) -> None:
        super().send_keepalive_ping()
        self._waiting = self.transport.get_write_buffer_size()

    def keepalive_timeout(self) -> None:
        """No pong came for a ping."""
        if self._lives():
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self.transport.abort()

    def _lives(self) -> bool:
        waiting = self.transport.get_write_buffer_size()
        if not self.writable.is_set():
            return self._took > self.ping_sent_at or waiting < self._waiting
        # Where reading waits for this client's turn, its pong may wait as well.
        return self.read_paused or self._heard > self.ping_sent_at
