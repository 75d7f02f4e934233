"""Watches, and clients that are slow or dead, at a service: what each of them saw."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serving.watch import Script

ROW = '{"prediction": '
DONE = '{"done": '
SETTLE = 10.0  # seconds for answers to come after the last push


@dataclass
class Seen:
    """What one watch saw.

    Attributes
    ----------
    latencies : seconds from a push being sent to each prediction that it gave.
    answers : seconds from a push being sent to its `done`.
    behind : seconds that the client itself sent too late, at most.
    wrong : rows that were not those of the library.
    missing : pushes without an answer and predictions that did not come.
    late : samples that the service dropped as late.
    ended : why the connection ended before its time; empty if it did not.
    """

    latencies: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    behind: float = 0.0
    wrong: int = 0
    missing: int = 0
    late: int = 0
    ended: str = ""


async def watch(url: str, script: Script, begin: float) -> Seen:
    """Push every second from `begin` on (on the monotonic clock), and look what comes."""
    seen, sent = Seen(), dict[int, float]()
    rows = 0
    try:
        async with connect(url, compression=None, proxy=None, open_timeout=60) as socket:
            await socket.send('{"hello": {}}')
            await socket.recv()
            reader = asyncio.create_task(_read(socket, script, sent, seen))
            number = 0
            for second, messages in enumerate(script.seconds):
                due = begin + second
                await asyncio.sleep(due - time.monotonic())
                seen.behind = max(seen.behind, time.monotonic() - due)
                for message in messages:
                    number += 1
                    sent[number] = time.monotonic()
                    await socket.send(message)
            await socket.send('{"state": {}}')
            rows = await asyncio.wait_for(reader, SETTLE)
    except (ConnectionClosed, TimeoutError, OSError) as error:
        seen.ended = f"{type(error).__name__}: {error}"
    pushes = sum(map(len, script.seconds))
    seen.missing = pushes - len(seen.answers) + len(script.rows) - rows
    return seen


async def _read(socket: object, script: Script, sent: dict[int, float], seen: Seen) -> int:
    """Take what comes, up to the state at the end; how many predictions there were."""
    rows, times = 0, []
    while True:
        text = await socket.recv()  # type: ignore[attr-defined]
        now = time.monotonic()
        if text.startswith(ROW):
            times.append(now)
            right = rows < len(script.rows) and text == f"{ROW}{script.rows[rows]}}}"
            seen.wrong += not right
            rows += 1
        elif text.startswith(DONE):
            begun = sent.pop(json.loads(text)["done"]["id"])
            seen.answers.append(now - begun)
            seen.latencies += [each - begun for each in times]
            times.clear()
        else:
            counters = json.loads(text)["state"]["counters"]
            seen.late = sum(x["late"] for x in counters.values())
            return rows


async def slow(url: str, script: Script, stop: float) -> int:
    """Push as fast as it is let, and read ten messages a second; how many pushes went."""
    pushes = 0

    async def push() -> None:
        nonlocal pushes
        while True:
            for messages in script.seconds:
                for message in messages:
                    await socket.send(message)
                    pushes += 1
            await socket.send('{"reset": {}}')

    try:
        async with connect(url, compression=None, proxy=None, max_queue=1) as socket:
            await socket.send('{"hello": {"hop": 0.04, "mode": "window"}}')
            pusher = asyncio.create_task(push())
            while time.monotonic() < stop:
                await socket.recv()
                await asyncio.sleep(0.1)
            pusher.cancel()
            socket.transport.abort()
    except ConnectionClosed:
        pass
    return pushes


async def dead(url: str, script: Script, stop: float) -> float | None:
    """Say hello, push, and then neither read nor answer a ping, as a watch out of reach.

    Returns
    -------
    seconds : until the service dropped it; None if it had not by `stop`.
    """
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.send('{"hello": {}}')
        await socket.recv()
        for messages in script.seconds[:5]:
            for message in messages:
                await socket.send(message)
        socket.transport.pause_reading()
        begun = time.monotonic()
        while time.monotonic() < stop:
            await asyncio.sleep(0.5)
            if _is_reset(socket.transport.get_extra_info("socket")):
                return time.monotonic() - begun
        socket.transport.abort()
    return None


def _is_reset(socket: object) -> bool:
    """Whether the other side is gone: TCP's state is no longer "established"."""
    info = socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, 1)  # type: ignore[attr-defined]
    return bool(info[0] != 1)


async def all_of(
    url: str, scripts: Sequence[Script], streams: int, slows: int, deads: int
) -> tuple[list[Seen], list[int], list[float | None]]:
    """So many of each at once; the watches push at moments spread over a second."""
    seconds = len(scripts[0].seconds)
    begin = time.monotonic() + 2.0 + streams / 100
    stop = begin + seconds
    watches = [
        watch(url, scripts[k % len(scripts)], begin + k / streams) for k in range(streams)
    ]
    disturbing = [slow(url, scripts[0], stop) for _ in range(slows)]
    gone = [dead(url, scripts[0], stop) for _ in range(deads)]
    found = await asyncio.gather(
        asyncio.gather(*watches), asyncio.gather(*disturbing), asyncio.gather(*gone)
    )
    return found[0], found[1], found[2]
