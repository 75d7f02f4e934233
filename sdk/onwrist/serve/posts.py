"""A POST request with windows in, their predictions out: so many at once, of so many bytes."""

from __future__ import annotations

import asyncio

from fastapi import Request
from fastapi.exceptions import HTTPException
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from onwrist.serve import answers, windows
from onwrist.serve.settings import Limits
from onwrist.serve.windows import Batch
from onwrist.serve.workers import Workers
from onwrist_runtime.errors import InputError
from onwrist_runtime.model import Model

# How many times the most a longer body is read, and dropped: a client that still sends when
# the connection closes does not see why.
_READ_ON = 8


class Posts:
    """The requests of all models."""

    def __init__(self, workers: Workers, limits: Limits) -> None:
        self._workers, self._limits = workers, limits
        self._running = 0

    async def predict(self, model: Model, request: Request) -> Response:
        if self._running >= self._limits.requests:
            words = f"{self._running} requests are worked on, which is the most: try again"
            raise HTTPException(503, words, {"Retry-After": "1"})
        self._running += 1
        try:
            body = await self._body(request)
            batch = await self._workers.call(lambda: self._batch(model, request, body))
            rows: list[str] = []
            async for some in self._workers.turns(batch.rows(model)):
                rows += some
        finally:
            self._running -= 1
        return Response(answers.predicted(model, rows), media_type="application/json")

    async def _body(self, request: Request) -> bytes:
        most, chunks, size = self._limits.body, [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size <= most:
                        chunks.append(chunk)
                    elif size > _READ_ON * most:
                        break
        except TimeoutError:
            words = f"the body did not come within {self._limits.body_seconds:g} s"
            raise HTTPException(408, words, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise HTTPException(400, "the body ended before its length") from None
        if size > most:
            words = f"a body is at most {most} bytes: send fewer windows at once"
            raise HTTPException(413, words, {"Connection": "close"})
        return b"".join(chunks)

    def _batch(self, model: Model, request: Request, body: bytes) -> Batch:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        most = self._limits.windows
        if kind == "application/json":
            return windows.from_json(body, model, most)
        if kind == "application/octet-stream":
            query = request.query_params
            starts = [_number("start", each) for each in query.getlist("start")]
            midnight = query.get("midnight")
            at = None if midnight is None else _number("midnight", midnight)
            return windows.from_bytes(body, starts, at, model, most)
        raise HTTPException(
            415,
            f"a body is application/json or application/octet-stream, not "
            f"{answers.brief(kind)!r}",
        )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name}={text[:40]!r} must be a number of seconds") from None
