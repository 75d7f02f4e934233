"""A real service for tests: in a thread, with limits of choice, or as the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from onwrist import Model
from onwrist.serve.server import Service
from onwrist.serve.settings import Settings


@contextmanager
def running(models: Sequence[Model], **settings: Any) -> Iterator[str]:
    """Its address."""
    service = Service(models, Settings(port=0, **settings))
    ready = threading.Event()
    thread = threading.Thread(target=service.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(10)
        yield service.url
    finally:
        service.stop()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def command(*arguments: object, **environment: str) -> Iterator[tuple[str, Any]]:
    """The address and the process of `onwrist serve`."""
    words = [sys.executable, "-m", "onwrist", "serve", "--port", 0, "--json", *arguments]
    process = subprocess.Popen(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        yield json.loads(line)["url"], process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def socket_to(url: str, model: str, **options: Any) -> ClientConnection:
    """A WebSocket that has not said hello."""
    address = f"{url.replace('http', 'ws', 1)}/v1/models/{model}/stream"
    return connect(address, compression=None, proxy=None, **options)


@contextmanager
def streaming(url: str, model: str, **hello: Any) -> Iterator[ClientConnection]:
    """A WebSocket whose hello was answered."""
    with socket_to(url, model) as socket:
        socket.send(json.dumps({"hello": hello}))
        assert "hello" in json.loads(socket.recv(10))
        yield socket


def told(socket: ClientConnection) -> dict[str, Any]:
    """The next message."""
    answer: dict[str, Any] = json.loads(socket.recv(10))
    return answer


def asked(socket: ClientConnection, message: Any) -> dict[str, Any]:
    """What is answered first."""
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return told(socket)
