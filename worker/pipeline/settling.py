"""Carries out the verdicts: dead letters and postponed copies first, the delete last (law 2).

A message is deleted only when each of its records has an outcome, everything it owes is stored, and its lease is
still ours. What fails is tried again for as long as the lease lasts. Whoever finds out what became of a record says
so with :meth:`Settling.settle`; whoever finds that a message is not ours any more, with :meth:`Settling.lose`.
"""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence

from worker.core.backlog import Fitness, OpenItem
from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.errors import OutsideError
from worker.core.events import BadRecord
from worker.core.identities import Identities
from worker.core.leases import Leases
from worker.core.model import Later, Message, Outcome, Record, RecordId
from worker.core.owing import copies, letters
from worker.core.queueing import Failure, Outgoing
from worker.core.receipts import third
from worker.core.settlement import Book, OpenMessage, Settled
from worker.logs import Event, log
from worker.pipeline.channel import IDLE_WAIT, Bell, Channel, Closed
from worker.pipeline.context import Context
from worker.pipeline.ports import Queue
from worker.pipeline.telling import receipts, tell
from worker.pipeline.waiting import WaitingRoom

PART = "settling"
HANDS = 4
"""Batches of verdicts that are carried out side by side."""

FULL = 10
"""SQS takes ten entries in one call."""

SENT_AT_ONCE = 100
"""Dead letters or copies between two signs of life: ten messages may owe thousands, and a queue that is away takes twenty
seconds to say so for each hundred.
"""

GATHER = 0.05
"""Seconds that a verdict waits for others to fill a call."""

TOGETHER = 5.0
"""Seconds that a verdict may be tried again early, to share a call with one whose time has come."""

STOPPING = 1.0
"""Seconds at most until a verdict is tried again while the process stops: it cannot wait for long."""


class Settling:
    """Holds the settling book. *freed* rings when a message leaves it, or awaits only its receipts. *archived*: it has to
    await them, and somebody writes them.
    """

    def __init__(
        self,
        context: Context,
        queue: Queue,
        dead_letters: Queue,
        leases: Leases,
        waiting: WaitingRoom,
        *,
        archived: bool = False,
    ) -> None:
        self._context = context
        self.book = Book()
        self.freed = Bell()
        self._queue = queue
        self._dead_letters = dead_letters
        self._leases = leases
        self._waiting = waiting
        self._identities = Identities()
        self._archived = archived
        # A message may be in it twice: its verdict falls, and its hold ends.
        most = context.open_records + third(context.open_records)
        self._complete: Channel[int] = Channel(2 * most)
        self._failed: list[tuple[float, int]] = []
        self._failures: dict[int, int] = {}
        self._hold_over: set[int] = set()
        context.metrics.records_open.set_function(lambda: self.book.open_records)
        context.metrics.records_awaiting_receipt.set_function(lambda: self.book.awaiting)

    # What the other parts say and ask

    def receive(self, messages: Sequence[Message], since: float) -> list[int]:
        """Enter messages that a request brought which left at *since*. An older delivery of one loses its lease."""
        now, numbers = self._context.now(), list[int]()
        for message in messages:
            older = self.book.holding(message.id)
            if older is not None:
                self.lose(older, "SQS delivered the message again")
            numbers.append(self.book.open(message, now).number)
            self._leases.hold(numbers[-1], since)
        self._context.metrics.records_received.inc(len(messages))
        return numbers

    def message(self, number: int) -> Message:
        return self.book[number].message

    def expect(self, number: int, records: Sequence[Record | BadRecord]) -> None:
        """Say what the message holds; nothing happens when it is not ours any more."""
        if number in self.book:
            self.book.expect(number, records)
            if len(records) > 1:
                self._context.metrics.records_received.inc(len(records) - 1)

    def settle(self, record: RecordId, outcome: Outcome | Later) -> None:
        """The outcome of a record that never became an item."""
        if isinstance(outcome, Later):
            self._settle(record, Settled(outcome.outcome, None, outcome.delay, outcome.notes))
        else:
            self._settle(record, Settled(outcome))

    def settle_item(self, item: OpenItem, outcome: Outcome, delay: int = 0) -> None:
        """The outcome of an item's record; its identity is free again."""
        self._settle(item.record, Settled(outcome, item.item, delay))
        self.abandon(item)

    def abandon(self, item: OpenItem) -> None:
        """The item's message is not ours any more; whoever waits for its identity goes on."""
        following = self._identities.leave(item)
        if following is not None:
            self._waiting.add(following, 0)

    def admit(self, item: OpenItem) -> bool:
        """Whether no other record of the same identity is open in this process. If one is, the item comes out of the
        waiting room once that one is done with.
        """
        return self._identities.admit(item)

    def fitness(self, item: OpenItem, until: float) -> Fitness:
        """Whether the item's message is ours, and will be *until* then without another extension (law 3)."""
        if item.record.message not in self.book:
            return Fitness.GONE
        return Fitness.SEND if self._leases.outlasts(item.record.message, until) else Fitness.HOLD

    def lose(self, number: int, why: str) -> None:
        """The lease is lost: the verdict is fenced. The message comes back by itself."""
        if number in self.book:
            lost = self._give_up(number, "lease_lost")
            self._context.metrics.leases_lost.inc()
            log.warning(
                Event.LEASE_LOST, message=lost.message.id, receive_count=lost.message.receive_count, why=why
            )

    def end_hold(self, number: int) -> None:
        """SQS will not let anybody hold the message for longer: it is given back, as every message is by a stop."""
        if number not in self._hold_over and not self._context.stop.asked:
            self._hold_over.add(number)
            self._complete.put([number])

    def _give_up(self, number: int, why: str) -> OpenMessage:
        opened = self.book.give_up(number)
        self._leases.drop(number)
        self._forget_failures([number])
        self._hold_over.discard(number)
        self._context.metrics.records_returned.labels(why=why).inc(opened.size)
        self.freed.ring()
        return opened

    def _settle(self, record: RecordId, settled: Settled) -> None:
        complete = self.book.settle(record, settled)
        if complete is not None:
            self._complete.put([complete.number])

    # The part itself

    async def run(self) -> None:
        """Until :meth:`end`: nobody reports any more, and what was reported is carried out."""
        async with asyncio.TaskGroup() as tasks:
            for hand in range(HANDS):
                tasks.create_task(self._work(f"{PART} {hand}"), name=f"{PART} {hand}")

    def end(self) -> None:
        self._complete.close()

    async def _work(self, part: str) -> None:
        try:
            while True:
                self._context.heartbeats.beat(part)
                numbers = await self._gather()
                if numbers:
                    await self._carry_out(part, numbers)
        except Closed:
            self._context.heartbeats.ended(part)

    async def _gather(self) -> list[int]:
        """Up to ten complete messages: at once when ten are there, or else a moment after the first."""
        loop = asyncio.get_running_loop()
        numbers = self._due_again()
        if not numbers:
            try:
                numbers = await self._complete.take(FULL, self._pause())
            except Closed:
                pause = self._pause()
                if not self._failed:
                    raise
                await asyncio.sleep(pause)
        until = loop.time() + GATHER
        while 0 < len(numbers) < FULL and (left := until - loop.time()) > 0:
            try:
                numbers += await self._complete.take(FULL - len(numbers), left)
            except Closed:
                break
        return numbers

    def _pause(self) -> float:
        """Seconds until a verdict is tried again. Those whose message is not ours any more are forgotten first."""
        while self._failed and self._failed[0][1] not in self.book:
            heapq.heappop(self._failed)
        if not self._failed:
            return IDLE_WAIT
        longest = STOPPING if self._context.stop.asked else IDLE_WAIT
        return min(longest, max(0.0, self._failed[0][0] - asyncio.get_running_loop().time()))

    def _due_again(self) -> list[int]:
        """Up to ten messages whose verdict failed before: one that may be tried again now, and with it those that
        may soon, or a queue that is away would be called once for each of thousands.
        """
        now = asyncio.get_running_loop().time()
        if self._context.stop.asked:
            self._failed = [(min(at, now + STOPPING), number) for at, number in self._failed]
            heapq.heapify(self._failed)
        due: list[int] = []
        while self._failed and len(due) < FULL and self._failed[0][0] <= now + (TOGETHER if due else 0):
            due.append(heapq.heappop(self._failed)[1])
        return due

    async def _carry_out(self, part: str, numbers: list[int]) -> None:
        await self.give_back([number for number in numbers if number in self._hold_over])
        self._context.heartbeats.beat(part)
        owing = self._ours(numbers)
        owing = await self._store(part, owing, self._dead_letters, letters, Name.DEAD_LETTERS_UNREACHABLE)
        self._context.heartbeats.beat(part)
        owing = self._ours([opened.number for opened in owing])
        owing = await self._store(part, owing, self._queue, copies, Name.SQS_UNREACHABLE)
        self._context.heartbeats.beat(part)
        owing = self._ours([opened.number for opened in owing])
        await self._delete(self._without_receipts(owing) if self._archived else owing)

    def _ours(self, numbers: list[int]) -> list[OpenMessage]:
        """Those whose verdict may be carried out: in the book, and the lease has not run out. One that ran out is
        looked at again, for an extension that is under way may still be granted.
        """
        now = asyncio.get_running_loop().time()
        held = [number for number in numbers if number in self.book]
        ours = [number for number in held if self._leases.outlasts(number, now)]
        self._try_again(set(held).difference(ours))
        return [self.book[number] for number in ours]

    async def _store(
        self,
        part: str,
        messages: list[OpenMessage],
        queue: Queue,
        owed_by: Callable[[OpenMessage], list[tuple[int, Outgoing]]],
        condition: Name,
    ) -> list[OpenMessage]:
        """Send what the messages owe; those of them that owe nothing any more."""
        owed = [(opened, *letter) for opened in messages for letter in owed_by(opened)]
        if not owed:
            return messages
        sending = [letter for _, _, letter in owed]
        results = list[Failure | None]()
        for first in range(0, len(sending), SENT_AT_ONCE):
            self._context.heartbeats.beat(part)
            some = sending[first : first + SENT_AT_ONCE]
            results += await self._tried(condition, "storing", queue.send(some), len(some))
        failed = set[int]()
        for (opened, position, letter), failure in zip(owed, results, strict=True):
            told = {"message": opened.message.id, **letter.attributes}
            if failure is None:
                opened.stored.add(position)
                log.debug(Event.RECORD_STORED, **told)
            else:
                failed.add(opened.number)
                log.warning(Event.RECORD_NOT_STORED, why=failure.text, **told)
        self._try_again(failed)
        return [opened for opened in messages if opened.number not in failed]

    async def _delete(self, messages: list[OpenMessage]) -> None:
        if not messages:
            return
        deletes = self._queue.delete([opened.message for opened in messages])
        results = await self._tried(Name.SQS_UNREACHABLE, "deleting", deletes, len(messages))
        deleted, failed = list[OpenMessage](), set[int]()
        for opened, failure in zip(messages, results, strict=True):
            if opened.number not in self.book:
                continue
            if failure is None:
                deleted.append(self.book.close(opened.number))
                self._leases.drop(opened.number)
            elif failure.lost:
                self.lose(opened.number, failure.text)
            else:
                failed.add(opened.number)
        if deleted:
            self._forget_failures(opened.number for opened in deleted)
            tell(self._context, deleted)
            self.freed.ring()
        self._try_again(failed)

    async def _tried(
        self, condition: Name, doing: str, call: Awaitable[list[Failure | None]], entries: int
    ) -> list[Failure | None]:
        """The results of a batch call; where the call as a whole failed, each entry did."""
        try:
            results = await call
        except OutsideError as error:
            self._context.situation.raise_(condition, doing, str(error))
            return [Failure(lost=False, text=str(error))] * entries
        self._context.situation.clear(condition, doing)
        return results

    def _try_again(self, numbers: set[int]) -> None:
        now = asyncio.get_running_loop().time()
        for number in numbers:
            self._failures[number] = failures = self._failures.get(number, 0) + 1
            wait = backoff(failures, random.random(), longest=30.0)  # noqa: S311 - jitter, no secret
            heapq.heappush(self._failed, (now + wait, number))

    def _forget_failures(self, numbers: Iterable[int]) -> None:
        """What no message suffers from any more is no condition."""
        for number in numbers:
            self._failures.pop(number, None)
        if not self._failures:
            self._context.situation.clear(Name.DEAD_LETTERS_UNREACHABLE, "storing")
            for doing in ("storing", "deleting", "giving back"):
                self._context.situation.clear(Name.SQS_UNREACHABLE, doing)

    # The receipts, where an archive keeps them

    def _without_receipts(self, messages: list[OpenMessage]) -> list[OpenMessage]:
        """Those that owe no receipt, or none any more. The others await theirs from now on."""
        now = asyncio.get_running_loop().time()
        for opened in messages:
            if opened.receipts:
                continue
            owed = receipts(self._context, opened)
            if any(receipt.owed for receipt in owed):
                self.book.await_receipts(opened.number, owed, now)
                self._forget_failures([opened.number])
        self.freed.ring()
        return [opened for opened in messages if not self.book.awaits_receipts(opened.number)]

    def awaiting_receipts(self, most: int) -> list[OpenMessage]:
        """Of the messages that await only their receipts those that are ours, the ones that have waited longest: of *most*
        records in all, or a few more, for a message is not parted.
        """
        now, records, found = asyncio.get_running_loop().time(), 0, list[OpenMessage]()
        for opened in self.book.awaiting_receipts():
            if records >= most:
                break
            if self._leases.outlasts(opened.number, now):
                found.append(opened)
                records += opened.size
        return found

    def receipts_stored(self, messages: list[OpenMessage]) -> None:
        """They may be deleted, those that are ours still."""
        numbers = [opened.number for opened in messages if self.book.awaits_receipts(opened.number)]
        for number in numbers:
            self.book.receipts_stored(number)
        self._complete.put(numbers)

    async def give_back(self, numbers: list[int]) -> None:
        """Show the messages to others at once. Those that SQS does not take back come back when their lease ends."""
        numbers = [number for number in numbers if number in self.book]
        if not numbers:
            return
        messages = [self.book[number].message for number in numbers]
        for number in numbers:
            self._leases.drop(number)  # an extension after this would hide the message again
        given = self._queue.extend(messages, 0)
        results = await self._tried(Name.SQS_UNREACHABLE, "giving back", given, len(messages))
        for number, failure in zip(numbers, results, strict=True):
            if number in self.book:
                self._give_up(number, "given_back" if failure is None else "lease_lost")
                self._context.metrics.give_backs.inc(0 if failure else 1)
