"""A cell that a fleet shares, in Redis."""

from worker.adapters.cells import Seen
from worker.adapters.redis_store import RedisStore, Swap

KEPT_SECONDS = 7 * 86_400
"""A value that nobody swaps is forgotten after this: quotas and probes are of today."""


class RedisCell:
    """Implements Cell under the key ``darwin-worker:{cell/NAME}``; its values must not be empty."""

    def __init__(self, store: RedisStore, name: str) -> None:
        self._store = store
        self._key = f"darwin-worker:{{cell/{name}}}".encode()

    async def read(self) -> Seen:
        now, [value] = await self._store.read([self._key])
        return Seen(None if value is None else value.decode(), now)

    async def swap(self, before: str | None, after: str) -> bool:
        swap = Swap(self._key, None if before is None else before.encode(), after.encode())
        [done] = await self._store.swap([swap], KEPT_SECONDS)
        return done
