"""Sends what a backfill chooses, in full batches, while the queue has room, and keeps how far it has come."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from worker.commands.backfill_sources import Source, pause
from worker.core.backfill import Choice, Page, Progress, Room, Step, Tally, depth, steps
from worker.core.deadletters import backfilled
from worker.core.errors import Unavailable
from worker.core.queueing import Failure, Outgoing

AT_ONCE = 100
"""Messages that are sent side by side, in ten full batches."""

GATHER = 5.0
"""Seconds that a message waits at most for others to fill its batch, where few objects are chosen."""

LOOK_EVERY = 5.0
"""Seconds between two looks at how much the queue holds."""

SAVE_EVERY = 1.0
"""Seconds between two writings of the progress: what was sent since is sent again when the process was killed."""


class SourceQueue(Protocol):
    """What is needed of the queue."""

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]: ...

    async def attributes(self) -> Mapping[str, str]: ...


async def count(source: Source, progress: Progress, choice: Choice, tally: Tally) -> None:
    """Into *tally*, what would become of everything that is left; nothing is sent."""

    async def put(page: Page) -> None:
        for step in steps(page, choice):
            tally.add(step)

    await source.read(progress, put)


class Sending:
    """*save* writes the progress down. *queued*: what the queue held at the last look."""

    def __init__(
        self, choice: Choice, queue: SourceQueue, room: Room, progress: Progress, save: Callable[[], None]
    ) -> None:
        self.queued = 0
        self._choice = choice
        self._queue = queue
        self._room = room
        self._progress = progress
        self._save = save
        self._at_once = min(AT_ONCE, room.capacity)
        self._steps: deque[Step] = deque()
        self._waiting = 0
        self._one_by_one = asyncio.Lock()
        self._sent_at = self._saved_at = asyncio.get_running_loop().time()
        self._looked_at = float("-inf")

    async def send_all(self, source: Source) -> None:
        """Until everything is sent. Whatever ends it, what is saved last holds nothing that was not sent."""
        try:
            await source.read(self._progress, self._put)
            while self._steps:
                await self._send()
        finally:
            self._save()

    async def _put(self, page: Page) -> None:
        loop = asyncio.get_running_loop()
        async with self._one_by_one:
            for step in steps(page, self._choice):
                self._steps.append(step)
                self._waiting += step.chosen is not None
            while self._waiting >= self._at_once or (self._steps and loop.time() - self._sent_at >= GATHER):
                await self._send()

    async def _send(self) -> None:
        """The next messages, as many as are sent at once, and whatever was left out between them."""
        some = list[Step]()
        messages = list[Outgoing]()
        while self._steps and len(messages) < self._at_once:
            step = self._steps.popleft()
            some.append(step)
            if step.chosen is not None:
                messages.append(backfilled(step.chosen.record))
        if messages:
            await self._until_there_is_room(len(messages))
            await self._carry(messages)
        self._waiting -= len(messages)
        for step in some:
            self._progress.add(step)
        now = self._sent_at = asyncio.get_running_loop().time()
        if now - self._saved_at >= SAVE_EVERY:
            self._save()
            self._saved_at = now

    async def _until_there_is_room(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - self._looked_at >= LOOK_EVERY:
                self.queued = depth(await self._attributes())
                self._looked_at = loop.time()
            if self._room.left(self.queued, loop.time()) >= count:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _attributes(self) -> Mapping[str, str]:
        failures = 0
        while True:
            try:
                return await self._queue.attributes()
            except Unavailable as error:
                failures += 1
                await pause(failures, error)

    async def _carry(self, messages: list[Outgoing]) -> None:
        """Until SQS has all of them. Raises :class:`~worker.core.errors.OutsideError` when it does not take them."""
        failures = 0
        left = messages
        while left:
            try:
                results = await self._queue.send(left)
            except Unavailable as error:
                results = [Failure(lost=False, text=str(error))] * len(left)
            failed = [failure for failure in results if failure is not None]
            self._room.sent(len(left) - len(failed), asyncio.get_running_loop().time())
            left = [message for message, failure in zip(left, results, strict=True) if failure is not None]
            if left:
                failures += 1
                await pause(failures, Unavailable(f"SQS did not take {len(left)} messages: {failed[0].text}"))
