"""How parts hand things on and wake each other: a closable queue, and a bell.

Python 3.11's asyncio.Queue cannot be closed. Here, who writes closes; who reads ends when the channel is closed and
empty. Both waits have a deadline, so that a waiting part can say that it lives.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

IDLE_WAIT = 15.0
"""The longest wait of any part, in seconds: a quarter of what :mod:`worker.pipeline.heartbeats` calls silent."""


SHORTEST_WAIT = 0.001
"""A wait below the clock's resolution would end before the time it is for."""


class Closed(Exception):
    """Nothing more will come through this channel."""


class Bell:
    """Wakes everybody who waits for it at that moment."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, at most *seconds* (and a millisecond at least)."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(max(seconds, SHORTEST_WAIT)):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)


class Channel(Generic[T]):
    """First in, first out, at most *size* at once."""

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._closed = False
        self._changed = Bell()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Iterable[T]) -> None:
        """Hand on at once. The writer knows that there is room: the number of open records bounds every channel."""
        if self._closed:
            raise Closed
        self._items.extend(items)
        if len(self._items) > self._size:
            raise OverflowError(f"a channel of {self._size} places was given {len(self._items)}")
        self._changed.ring()

    def close(self) -> None:
        """What is inside still comes out."""
        self._closed = True
        self._changed.ring()

    async def take(self, limit: int, wait: float = IDLE_WAIT) -> list[T]:
        """One to *limit* things, as many as are there; none when *wait* is over. :class:`Closed` at the end."""
        if not self._items and not self._closed:
            await self._changed.wait(wait)
        if not self._items and self._closed:
            raise Closed
        return [self._items.popleft() for _ in range(min(limit, len(self._items)))]
