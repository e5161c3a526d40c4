"""Where items wait under lease for somebody else: another record of their identity, or another holder's claim."""

import asyncio
import heapq
from itertools import count

from worker.core.backlog import OpenItem
from worker.pipeline.channel import Bell

LOOK_AGAIN = 1.0
"""Seconds between two looks at another holder's live claim."""


class WaitingRoom:
    """Items in the order in which they shall be looked up again. Bounded by the open records."""

    def __init__(self) -> None:
        self._items: list[tuple[float, int, OpenItem]] = []
        self._order = count()
        self._bell = Bell()

    def add(self, item: OpenItem, seconds: float = LOOK_AGAIN) -> None:
        """Look the item up again in so many seconds; 0: its identity is free now."""
        at = asyncio.get_running_loop().time() + seconds
        heapq.heappush(self._items, (at, next(self._order), item))
        self._bell.ring()

    async def due(self, limit: int) -> list[OpenItem]:
        """At most *limit* items whose time has come; none after a while in which there were none."""
        now = asyncio.get_running_loop().time()
        if not self._items or self._items[0][0] > now:
            wait = min(LOOK_AGAIN, self._items[0][0] - now) if self._items else LOOK_AGAIN
            await self._bell.wait(wait)
            now = asyncio.get_running_loop().time()
        found = list[OpenItem]()
        while self._items and self._items[0][0] <= now and len(found) < limit:
            found.append(heapq.heappop(self._items)[2])
        return found
