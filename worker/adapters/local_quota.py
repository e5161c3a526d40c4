"""The quota of one process that has the key for itself: a token bucket in memory."""

from collections.abc import Callable

from worker.core import quota


class LocalQuota:
    """The Quota port in process. *limit* in requests a minute, *clock* in seconds, never going back.

    It starts empty, because nobody knows what the process before it sent.
    """

    def __init__(self, limit: int, burst: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket = quota.empty(limit, burst, clock())

    async def take(self) -> float:
        self._bucket, wait = quota.take(self._bucket, self._clock())
        return wait

    async def refused(self, retry_after: float | None) -> None:
        self._bucket = quota.refused(self._bucket, self._clock(), retry_after)

    async def level(self) -> float:
        return quota.refilled(self._bucket, self._clock()).tokens
