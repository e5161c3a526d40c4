"""The quota of whoever shares a cell: one process, or a fleet (law 4). One read and one swap per token."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from worker.adapters.cells import Cell, packed, unpacked
from worker.core import quota
from worker.core.errors import Unavailable
from worker.core.quota import Bucket

CHANGE_SECONDS = 20.0
"""The most that one change takes, whatever the store's own deadlines add up to."""

SKEW = 2.0
"""Seconds by which the clocks of those who share a cell may differ, where the store has none to ask (store_clock.py)."""

SWAPS = 20
"""Tries to change the bucket before others, who change it each time that we do not."""

T = TypeVar("T")


class CellQuota:
    """The Quota port. *limit* in requests a minute. Where the cell is empty the bucket begins empty, because nobody
    knows what was sent before; where other workers set other limits, the last one to change the bucket is right.
    """

    def __init__(self, cell: Cell, limit: int, burst: int) -> None:
        self._cell = cell
        self._limit = limit
        self._burst = burst
        self._behind = 0.0

    async def take(self) -> float:
        return await self._change(quota.take)

    async def refused(self, retry_after: float | None) -> None:
        await self._change(lambda bucket, now: (quota.refused(bucket, now, retry_after), None))

    async def level(self) -> float:
        """Also the way to let the bucket begin before the first token is wanted."""
        return await self._change(lambda bucket, now: (bucket, quota.refilled(bucket, now).tokens))

    async def _change(self, change: Callable[[Bucket, float], tuple[Bucket, T]]) -> T:
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                return await self._swapped(change)
        except TimeoutError as error:
            raise Unavailable(f"The quota could not be changed within {CHANGE_SECONDS:g} s") from error

    async def _swapped(self, change: Callable[[Bucket, float], tuple[Bucket, T]]) -> T:
        for _ in range(SWAPS):
            seen = await self._cell.read()
            now = seen.now + self._behind
            bucket = self._bucket(seen.value, now)
            # The fastest clock counts, or whoever is a moment behind it would never see a token.
            if bucket.thaw < bucket.at and 0 < bucket.at - now <= SKEW:
                self._behind += bucket.at - now
                now = bucket.at
            changed, answer = change(bucket, now)
            # Refilling alone need not be written: it follows from the time.
            if seen.value is not None and changed == quota.refilled(bucket, now):
                return answer
            if await self._cell.swap(seen.value, packed(changed)):
                return answer
        raise Unavailable(f"The quota changed under our hands {SWAPS} times: too many workers ask at once")

    def _bucket(self, value: str | None, now: float) -> Bucket:
        if value is None:
            return quota.empty(self._limit, self._burst, now)
        return quota.under(unpacked(Bucket, value), self._limit, self._burst, now)
