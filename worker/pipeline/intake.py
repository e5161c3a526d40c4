"""Receives messages while there is room, and leads suspects through alone, so that poison takes nobody with it.

What crashes the process costs a receive of every message in hand. So the intake is wary: one poller asks, for one
message at a time, at the start, after an empty answer, and from a suspect on; calls are full and all pollers ask
while messages flow of which none is a suspect. A suspect is sorted when everything else in hand is done with, and
the next one when it is gone.

A poll under way is never cancelled: a cancelled poll swallows messages until their visibility ends. What it brings
after a stop is given back.
"""

import asyncio
import random
from collections.abc import Callable

from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.core.receipts import occupied
from worker.logs import Event, log
from worker.pipeline.channel import IDLE_WAIT, Bell, Channel
from worker.pipeline.context import Context
from worker.pipeline.ports import Queue
from worker.pipeline.settling import Settling

PART = "intake"
POLLERS = 8
FULL = 10
"""SQS hands out ten messages at most in one call."""

MOST_CHARACTERS = 64 * 2**20
"""Of all bodies in hand: nothing is received beyond. S3's own events fill a tenth of it when 5,000 are open; a message
may be a thousand times as large.
"""

ALONE = 30.0
"""Seconds that a suspect has to itself: what crashes us does so by then, and a paused lane may hold it for hours."""

PATIENCE = 30.0
"""Seconds without any message done with, after which a suspect waits no more for what else is in hand: a paused lane
may hold that for hours too.
"""

LOOK_EVERY = 1.0
"""Seconds between two looks at whether a poller may ask again."""


class Intake:
    """The pollers of one queue. *suspect_from*: the receive count that makes a suspect; *visibility*: the seconds of a
    lease.
    """

    def __init__(
        self,
        context: Context,
        queue: Queue,
        settling: Settling,
        sorting: Channel[int],
        may_receive: Callable[[], bool],
        *,
        suspect_from: int,
        wait: float,
        visibility: int,
    ) -> None:
        self._context = context
        self._queue = queue
        self._settling = settling
        self._sorting = sorting
        self._may_receive = may_receive
        self._suspect_from = suspect_from
        self._wait = wait
        self._visibility = visibility
        self._asked = 0
        self._flowing = False
        self._flow = Bell()
        self._suspects: dict[int, int] = {}
        self._stuck = 0

    async def run(self) -> None:
        """Until a stop is asked for and the last poll is over; then nothing more comes, and sorting is told so."""
        async with asyncio.TaskGroup() as tasks:
            for poller in range(POLLERS):
                tasks.create_task(self._poll(poller), name=f"{PART} {poller}")
            tasks.create_task(self._lead_suspects(), name=f"{PART} suspects")
        self._sorting.close()

    async def _poll(self, poller: int) -> None:
        part = f"{PART} {poller}"
        failures = 0
        while not self._context.stop.asked:
            self._context.heartbeats.beat(part)
            room = self._room(poller)
            if room < 1:
                if poller == 0 and not self._asked:
                    # What nobody would try now is no condition.
                    self._context.situation.clear(Name.SQS_UNREACHABLE, "receiving")
                await self._until_there_may_be_room(poller)
                continue
            failures = 0 if await self._receive(min(FULL if self._flowing else 1, room)) else failures + 1
            if failures:
                self._context.heartbeats.beat(part)
                await self._context.stop.wait(backoff(failures, random.random(), longest=30.0))  # noqa: S311 - jitter
        self._flow.ring()
        self._context.heartbeats.ended(part)

    async def _until_there_may_be_room(self, poller: int) -> None:
        """The first poller looks for itself, unless a suspect is led; the others follow it."""
        if poller == 0 and not self._suspects:
            await self._settling.freed.wait(LOOK_EVERY)
        else:
            await self._flow.wait(IDLE_WAIT)

    def _room(self, poller: int) -> int:
        """How many messages this poller may ask for: none while others do enough, or nothing can be sent."""
        book = self._settling.book
        limit = self._context.open_records
        room = limit - occupied(book.open_records, book.awaiting, limit) - self._asked
        if room < 1 or book.open_characters >= MOST_CHARACTERS:
            return 0
        if (poller > 0 and not self._flowing) or self._suspects or not self._may_receive():
            return 0
        return room

    async def _receive(self, limit: int) -> bool:
        """Whether SQS answered."""
        sent = asyncio.get_running_loop().time()
        self._asked += limit
        try:
            messages = await self._queue.receive(limit, self._wait, self._visibility)
        except OutsideError as error:
            self._context.situation.raise_(Name.SQS_UNREACHABLE, "receiving", str(error))
            log.warning(Event.POLL_FAILED, why=str(error))
            self._flowing = False
            return False
        finally:
            self._asked -= limit
        self._context.situation.clear(Name.SQS_UNREACHABLE, "receiving")
        (self._context.metrics.receives if messages else self._context.metrics.empty_receives).inc()
        numbers = self._settling.receive(messages, sent)
        if self._context.stop.asked:
            await self._settling.give_back(numbers)
            return True
        counts = {number: message.receive_count for number, message in zip(numbers, messages, strict=True)}
        suspects = {number: count for number, count in counts.items() if count >= self._suspect_from}
        self._sorting.put(number for number in numbers if number not in suspects)
        self._suspects |= suspects
        self._flowing = bool(messages) and not self._suspects
        self._flow.ring()
        return True

    async def _lead_suspects(self) -> None:
        """One suspect at a time, nothing else in hand if that can be, and no receive meanwhile."""
        part = f"{PART} suspects"
        while not self._context.stop.asked:
            self._context.heartbeats.beat(part)
            if not self._suspects:
                await self._flow.wait(IDLE_WAIT)
                continue
            await self._until_alone(part)
            # Poison was there at each crash: what has been received less often than another is not the poison.
            suspect = min(self._suspects, key=lambda number: (self._suspects[number], number))
            if len(self._suspects) > 1:
                await self._let_outlast_the_others(suspect)
            if not self._context.stop.asked:
                self._sorting.put([suspect])
            await self._until_gone(suspect, part)
            if suspect in self._settling.book and not self._settling.book.awaits_receipts(suspect):
                self._stuck = max(self._stuck, suspect)
            del self._suspects[suspect]
            self._flow.ring()
        self._context.heartbeats.ended(part)

    async def _until_alone(self, part: str) -> None:
        """Until nothing is in hand but suspects, and what does not move."""
        loop = asyncio.get_running_loop()
        fewest, until = self._settling.book.busy, loop.time() + PATIENCE
        while not self._context.stop.asked and (self._asked or self._others()):
            if self._settling.book.busy < fewest:
                fewest, until = self._settling.book.busy, loop.time() + PATIENCE
            elif loop.time() >= until:
                self._stuck = max(self._settling.book.numbers(), default=0)
                return
            self._context.heartbeats.beat(part)
            await self._settling.freed.wait(LOOK_EVERY)

    def _others(self) -> bool:
        """Whether anything is in hand that is no suspect and may soon be done with. What awaits only its receipts is out of
        harm's way.
        """
        book = self._settling.book
        return any(
            number > self._stuck and number not in self._suspects and not book.awaits_receipts(number)
            for number in reversed(book.numbers())
        )

    async def _let_outlast_the_others(self, suspect: int) -> None:
        """Should it crash the process, the other suspects in hand come back before it, and are done with by then."""
        if suspect not in self._settling.book:
            return
        try:
            await self._queue.extend([self._settling.message(suspect)], 2 * self._visibility)
        except OutsideError:
            return  # the lease is as long as it was: leasing sees to it, and tells what stands in its way

    async def _until_gone(self, number: int, part: str) -> None:
        book, until = self._settling.book, asyncio.get_running_loop().time() + ALONE
        while (
            number in book
            and not book.awaits_receipts(number)
            and not self._context.stop.asked
            and asyncio.get_running_loop().time() < until
        ):
            self._context.heartbeats.beat(part)
            await self._settling.freed.wait(LOOK_EVERY)
