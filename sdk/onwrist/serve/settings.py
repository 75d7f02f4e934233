"""What the command line asks of the service in; checked settings out.

Whether a token is needed is decided here, before anything is bound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onwrist_runtime.errors import InputError

PORT = 8765
SHORTEST_TOKEN = 16  # characters: too many to be guessed
_MAKE_TOKEN = 'ONWRIST_TOKEN=$(python -c "import secrets; print(secrets.token_urlsafe())")'
_ORIGIN = re.compile(r"null|https?://[^/?#\s@]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the service takes; every one of them bounds memory or time.

    Attributes
    ----------
    streams : connections that stream at once.
    greeting : connections beyond those that have not said hello. Those whose header has the
        token are counted apart, so that nobody without it can keep them out.
    requests : POST requests that are worked on at once, their bodies in memory.
    body, windows : bytes and windows of a POST request.
    message : bytes of a WebSocket message that are read; a longer one is an error.
    longest : bytes of one after which the connection is closed.
    ahead : grid points by which a push may take the newest time further, since every window
        in between is predicted.
    held : samples of a stream that wait to be used, of all sensors.
    errors : messages in a row that may be wrong.
    hello, body_seconds : seconds for the first message or the head of a request, and for a
        body to come.
    ping : seconds between pings, and to answer one.
    goodbye : seconds that the end waits for answers under way.
    """

    streams: int = 100
    greeting: int = 32
    requests: int = 16
    body: int = 4 * 2**20
    windows: int = 256
    message: int = 2**20
    longest: int = 4 * 2**20
    ahead: int = 90_000
    held: int = 250_000
    errors: int = 16
    hello: float = 10.0
    body_seconds: float = 30.0
    ping: float = 20.0
    goodbye: float = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service is bound, and who may use it.

    Attributes
    ----------
    host, port : where it listens; port 0 for any that is free.
    token : what callers must know; None for none.
    origins : of pages elsewhere that may use it; in lower case, as browsers write them.
    app : folder of the companion app; None for none.
    threads : how many of them predict. More than one is hardly faster, since what is around
        an engine holds Python's lock; but with two, a message that is much work delays less.
    local : whether only this machine can reach it.

    Raises
    ------
    InputError
        A setting cannot be used, or others could reach it without a token.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None
    origins: tuple[str, ...] = ()
    app: Path | None = None
    threads: int = 1
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise InputError(f"--port {self.port}: a port is from 1 to 65535, or 0 for any")
        if self.limits.streams < 1:
            raise InputError(f"--max-streams {self.limits.streams}: it must be 1 or more")
        if self.threads < 1:
            raise InputError(f"--threads {self.threads}: it must be 1 or more")
        _check_token(self.token, self.host, self.local)
        lowered = tuple(origin.lower() for origin in self.origins)
        object.__setattr__(self, "origins", lowered)  # for who asks, and for CORS
        _check_origins(self.origins, self.token)
        if self.app is not None and not (self.app / "index.html").is_file():
            raise InputError(
                f"--app {self.app} has no index.html: give the folder that the app was built "
                "into"
            )

    @property
    def local(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether all addresses of a host are of this machine alone.

    Raises
    ------
    InputError
        The name has no address.
    """
    import ipaddress  # here, since a command that serves nothing needs no sockets
    import socket

    if not host:
        return False  # all addresses that there are
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise InputError(
            f"--host {host}: there is no such address; 127.0.0.1 is this machine alone"
        ) from None
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)


def _check_token(token: str | None, host: str, local: bool) -> None:
    if token is None:
        if not local:
            raise InputError(
                f"--host {host or repr('')} lets other machines in, so a token is required: "
                f"{_MAKE_TOKEN}"
            )
        return
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise InputError(
            f"the token must be at least {SHORTEST_TOKEN} printable ASCII characters, which "
            f"nobody can guess: {_MAKE_TOKEN}"
        )


def _check_origins(origins: Sequence[str], token: str | None) -> None:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise InputError(
                f"--allow-origin {origin}: an origin is scheme, host and port, such as "
                "http://localhost:5173"
            )
    if "null" in origins and token is None:
        raise InputError(
            "--allow-origin null lets in every page, since any can have a frame whose origin "
            f"is null, so a token is required: {_MAKE_TOKEN}"
        )
