"""Models and settings in; a service on a port, until it is stopped or a signal ends it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from onwrist.serve.app import create_app
from onwrist.serve.connection import Connection
from onwrist.serve.requests import Requests
from onwrist.serve.settings import Settings
from onwrist_runtime.model import Model

_WAITING = 64 * 2**10  # bytes that the system holds for a client that does not read


class Service:
    """A service that listens, and answers while it runs.

    Attributes
    ----------
    url : its address.

    Raises
    ------
    InputError
        Two models have the same name.
    OSError
        The port is in use, or may not be used.
    """

    def __init__(self, models: Sequence[Model], settings: Settings) -> None:
        app, limits = create_app(models, settings), settings.limits
        config = uvicorn.Config(
            app,
            http=Requests.within(limits.hello),
            ws=Connection,
            ws_max_size=limits.longest,
            ws_ping_interval=limits.ping,
            ws_ping_timeout=limits.ping,
            # A small message could otherwise unpack to a large one.
            ws_per_message_deflate=False,
            limit_concurrency=2 * (limits.streams + limits.requests) + 64,
            timeout_graceful_shutdown=int(limits.goodbye),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        self._bound = _bind(settings)
        self.url = _url(settings.host, self._bound.getsockname()[1])
        self._server = _Server(config)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; what is under way is answered first.

        Parameters
        ----------
        ready : called when requests are answered.
        """
        self._server.ready = ready
        with self._bound:
            self._server.run([self._bound])

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's, for which a signal is an orderly end and not a death by signal."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in signals}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _bind(settings: Settings) -> socket.socket:
    """A listening socket, whose settings those of every connection are copied from.

    Raises
    ------
    OSError
        The message says what to do.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        bound = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        # The text of create_server's own says the address once more, and numbers of
        # getaddrinfo's are none of the system's.
        system = error.errno is not None and not isinstance(error, socket.gaierror)
        why = os.strerror(error.errno or 0) if system else error.strerror
        raise OSError(
            f"cannot listen on {settings.host} port {settings.port}: {why}; "
            "choose another by --port, or 0 for any that is free"
        ) from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WAITING)
    # An answer would otherwise wait up to 40 ms for the client to acknowledge the one before.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # The last resort for a connection that is closing and whose client takes nothing.
        longest = int(3000 * settings.limits.ping)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, longest)
    return bound


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
