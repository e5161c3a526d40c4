"""Keeps every open message ours until its verdict is carried out, through every wait (law 3)."""

import asyncio

from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.core.leases import Leases
from worker.pipeline.channel import Bell
from worker.pipeline.context import Context
from worker.pipeline.ports import Queue
from worker.pipeline.settling import Settling

PART = "leasing"
AT_ONCE = 200
LOOK_EVERY = 1.0
"""Seconds between two looks; a lease that is near its end is never found later than this."""


class Leasing:
    """Extends leases in batches in deadline order, and gives up what is lost or was held for too long."""

    def __init__(
        self,
        context: Context,
        queue: Queue,
        leases: Leases,
        settling: Settling,
    ) -> None:
        self._context = context
        self._queue = queue
        self._leases = leases
        self._settling = settling
        self._ended = Bell()
        self._over = False

    def end(self) -> None:
        """Nothing is open any more."""
        self._over = True
        self._ended.ring()

    async def run(self) -> None:
        while not self._over:
            self._context.heartbeats.beat(PART)
            self._let_go()
            if not await self._extend_due():
                await self._ended.wait(LOOK_EVERY)
        self._context.heartbeats.ended(PART)

    def _let_go(self) -> None:
        now = asyncio.get_running_loop().time()
        for number in self._leases.lost(now):
            self._settling.lose(number, "the lease ran out before it could be extended")
        for number in self._leases.held_too_long(now):
            self._settling.end_hold(number)

    async def _extend_due(self) -> bool:
        """Whether there may be more to extend at once."""
        sent = asyncio.get_running_loop().time()
        numbers = self._leases.due(sent, AT_ONCE)
        if not numbers:
            # What could not be extended would still be due: nobody waits for it any more.
            self._context.situation.clear(Name.SQS_UNREACHABLE, "extending leases")
            return False
        seconds = self._leases.extension(numbers, sent)
        try:
            results = await self._queue.extend([self._settling.message(n) for n in numbers], seconds)
        except OutsideError as error:
            self._context.situation.raise_(Name.SQS_UNREACHABLE, "extending leases", str(error))
            for number in numbers:
                self._leases.not_extended(number)
            return False
        self._context.situation.clear(Name.SQS_UNREACHABLE, "extending leases")
        failed = False
        for number, failure in zip(numbers, results, strict=True):
            if failure is None:
                self._leases.extended(number, sent, seconds)
                self._context.metrics.leases_extended.inc()
            elif failure.lost:
                self._settling.lose(number, failure.text)
            else:
                self._leases.not_extended(number)
                failed = True
        return not failed
