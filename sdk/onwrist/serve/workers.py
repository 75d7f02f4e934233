"""Work of clients in, done by a few threads in turns, so that no client waits for another's.

The event loop never predicts. Each client has at most one piece of work under way, and of
one that gives much (a recording in one push) only a part is done before the next client's
turn comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

TURN = 16  # results


class Workers:
    """The threads that predict.

    Parameters
    ----------
    count : how many.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "predict")

    async def call(self, work: Callable[[], T]) -> T:
        """Do one short piece of work."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def turns(self, results: Iterator[T]) -> AsyncIterator[list[T]]:
        """Read an iterator, some results at a time; nothing is done ahead of the reader."""
        more = True
        while more:
            some = await self.call(lambda: list(islice(results, TURN)))
            more = len(some) == TURN
            yield some

    def close(self) -> None:
        """End when what is under way is done."""
        self._threads.shutdown(cancel_futures=True)
