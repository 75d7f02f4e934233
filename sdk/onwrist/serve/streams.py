"""A WebSocket in; its hello, and then a session whose answers go out before more is read.

What bounds it: a message is read when all that came of the one before was taken by the
connection, which takes 64 KiB before the client must. So a client that does not read is not
read either, and holds a few messages and answers; another client never waits for it.
"""

from __future__ import annotations

import asyncio

from fastapi import WebSocket, WebSocketDisconnect

from onwrist.serve import answers, messages
from onwrist.serve.messages import Hello
from onwrist.serve.security import Token
from onwrist.serve.sessions import Session
from onwrist.serve.settings import Limits
from onwrist.serve.workers import Workers
from onwrist_runtime.errors import InputError, OnwristError
from onwrist_runtime.model import Model

SUBPROTOCOL = "onwrist.v1"
POLICY, FAILED, LATER = 1008, 1011, 1013  # close codes of RFC 6455 and its registry
_REASON = 123  # bytes of a close frame


class _Ended(Exception):
    """The service ends the connection, for a reason in words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Streams:
    """The WebSockets of all models.

    Attributes
    ----------
    running : how many stream.
    """

    def __init__(self, workers: Workers, limits: Limits, token: Token) -> None:
        self._workers, self._limits, self._token = workers, limits, token
        self.running = 0
        self._greeting = {False: 0, True: 0}  # by whether they are known

    async def serve(self, socket: WebSocket, model: Model) -> None:
        """One connection, from its opening to its end."""
        offered = socket.scope.get("subprotocols") or ()
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        try:
            await self._converse(socket, model)
        except _Ended as end:
            await _close(socket, end.code, str(end))
        except OnwristError as error:
            await _close(socket, POLICY, str(error))
        except WebSocketDisconnect:
            pass
        except Exception:
            await _close(socket, FAILED, "the service failed; its log says more")
            raise

    async def _converse(self, socket: WebSocket, model: Model) -> None:
        known = self._token.needed and self._token.in_header(socket.headers)
        if self._greeting[known] >= self._limits.streams + self._limits.greeting:
            raise _Ended(LATER, "too many connections: try again later")
        self._greeting[known] += 1
        try:
            hello = await self._hello(socket, model)
        finally:
            self._greeting[known] -= 1
        if self.running >= self._limits.streams:
            raise _Ended(
                LATER, f"{self.running} streams run, which is the most: try again later"
            )
        self.running += 1
        try:
            await self._stream(socket, model, hello)
        finally:
            self.running -= 1

    async def _hello(self, socket: WebSocket, model: Model) -> Hello:
        try:
            async with asyncio.timeout(self._limits.hello):
                message = await _received(socket)
        except TimeoutError:
            words = f'no {{"hello": {{}}}} came within {self._limits.hello:g} s'
            raise _Ended(POLICY, words) from None
        if len(message) > self._limits.message:
            raise InputError('the first message is {"hello": {}}')
        hello = messages.read(message, model.manifest)
        if not isinstance(hello, Hello):
            raise InputError('the first message is {"hello": {}}')
        if not (self._token.in_header(socket.headers) or self._token.matches(hello.token)):
            raise InputError('a wrong token, or none: {"hello": {"token": TOKEN}}')
        return hello

    async def _stream(self, socket: WebSocket, model: Model, hello: Hello) -> None:
        session = await self._workers.call(lambda: Session(model, hello, self._limits))
        await socket.send_text(session.greeting())
        while session.errors_in_a_row < self._limits.errors:
            message = await _received(socket)
            async for texts in self._workers.turns(session.answer(message)):
                for text in texts:
                    await socket.send_text(text)
        raise _Ended(POLICY, f"{session.errors_in_a_row} messages in a row were wrong")


async def _received(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Say why in full where there is room, since a close frame has little."""
    try:
        await socket.send_text(answers.failure(reason))
        short = reason.encode()[:_REASON].decode(errors="ignore")
        await socket.close(code, short)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the client went first
