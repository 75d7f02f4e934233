"""Requests in; those on, whose Host and Origin header and token are right, and errors out.

Any page that a browser shows can send requests to this machine. What stops it: its Origin,
which browsers add to every POST and WebSocket; and, where it points a name of its own at
127.0.0.1 to be of the same origin, that name in the Host header.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from onwrist.serve.answers import brief
from onwrist.serve.settings import Settings

PRIVATE = "/v1/"  # what needs the token
_LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.ASCII | re.I)


class Token:
    """What callers must know; compared in a time that tells nothing of it."""

    def __init__(self, token: str | None) -> None:
        self._digest = None if token is None else _digest(token)

    @property
    def needed(self) -> bool:
        """Whether there is one."""
        return self._digest is not None

    def matches(self, given: str | None) -> bool:
        """Whether a caller may go on."""
        if self._digest is None:
            return True
        return hmac.compare_digest(self._digest, _digest(given or ""))

    def in_header(self, headers: Headers) -> bool:
        """Whether the header `Authorization: Bearer TOKEN` is right."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return self.matches(given.strip() if scheme.lower() == "bearer" else None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Guard:
    """Refuses requests before the app sees them."""

    def __init__(self, app: ASGIApp, settings: Settings, token: Token) -> None:
        self._app, self._token = app, token
        self._local, self._origins = settings.local, settings.origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(scope) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self._app(scope, receive, send)
            return
        status, words = refused
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        await JSONResponse({"error": words}, status, headers)(scope, receive, send)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words of what is wrong."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and not _LOCAL.fullmatch(host):
            return 421, (
                f"the service is bound to this machine, and {brief(host)!r} is not a name of "
                "it: use localhost or 127.0.0.1"
            )
        origin = headers.get("origin")
        if origin is not None and not self._allowed(origin, scope["scheme"], host):
            return 403, (
                f"a page of {brief(origin)} asks, which is elsewhere: if it may, start the "
                f"service with --allow-origin {brief(origin)}"
            )
        # A preflight carries no token. Of a WebSocket it may come in the first message.
        http = scope["type"] == "http" and scope["method"] != "OPTIONS"
        if http and scope["path"].startswith(PRIVATE) and not self._token.in_header(headers):
            return 401, "this needs the service's token: Authorization: Bearer TOKEN"
        return None

    def _allowed(self, origin: str, scheme: str, host: str) -> bool:
        own = "https" if scheme in ("https", "wss") else "http"
        return origin in self._origins or origin.lower() == f"{own}://{host}".lower()
