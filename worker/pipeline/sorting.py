"""From a message to what becomes of its records: parse and route. An item goes on to be placed, what S3 must be asked about
goes on to be assembled, and what has its outcome already is settled.
"""

import asyncio

from worker.core.backlog import OpenItem
from worker.core.deadletters import read_history
from worker.core.events import BadRecord, Unreadable, parse
from worker.core.model import Item, Kind, Later, Outcome, Reason, RecordId
from worker.core.routing import Routes
from worker.pipeline.assembling import Assembling
from worker.pipeline.channel import Channel, Closed
from worker.pipeline.context import Context
from worker.pipeline.placing import Placing
from worker.pipeline.settling import Settling

PART = "sorting"
AT_ONCE = 200

LARGE = 16_384
"""Characters of a body after whose reading the others have their turn. S3's own notifications have one or two thousand."""


class Sorting:
    """Reads message numbers from *inbox*."""

    def __init__(
        self,
        context: Context,
        inbox: Channel[int],
        routes: Routes,
        assembling: Assembling,
        placing: Placing,
        settling: Settling,
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._routes = routes
        self._assembling = assembling
        self._placing = placing
        self._settling = settling

    async def run(self) -> None:
        """Until the inbox is closed and empty, and the lanes take nothing more. What S3 was not asked about by then is left
        open: it is given back.
        """
        async with asyncio.TaskGroup() as tasks:
            assembling = tasks.create_task(self._assembling.run(self._placing), name="assembling")
            placing = tasks.create_task(self._placing.run(), name="placing")
            try:
                while True:
                    self._context.heartbeats.beat(PART)
                    numbers = await self._inbox.take(AT_ONCE)
                    await self._placing.place(await self._read(numbers), PART)
            except Closed:
                self._context.heartbeats.ended(PART)
            assembling.cancel()
            placing.cancel()

    async def _read(self, numbers: list[int]) -> list[OpenItem]:
        """What the messages tell of. A large body may take a good part of a second, and others have leases to extend."""
        items = list[OpenItem]()
        for number in numbers:
            items += self._items(number)
            if number in self._settling.book and len(self._settling.message(number).body) > LARGE:
                self._context.heartbeats.beat(PART)
                await asyncio.sleep(0)
        return items

    def _items(self, number: int) -> list[OpenItem]:
        """What a message tells of; the records that become no item are settled."""
        if number not in self._settling.book:
            return []
        message = self._settling.message(number)
        told = parse(message.body)
        if isinstance(told, Unreadable):
            outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, told.why)
            self._context.metrics.messages.labels(shape="unreadable").inc()
            self._settling.settle(RecordId(number, 0), outcome)
            return []
        self._context.metrics.messages.labels(shape=told.shape.value).inc()
        self._settling.expect(number, told.records)
        if not told.records:
            reason = Reason.TEST_EVENT if told.is_test else Reason.EMPTY_NOTIFICATION
            self._settling.settle(RecordId(number, 0), Outcome(Kind.IGNORED, reason))
            return []
        history = read_history(message)
        items = list[OpenItem]()
        for position, record in enumerate(told.records):
            record_id = RecordId(number, position)
            if isinstance(record, BadRecord):
                outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_RECORD, record.why)
                self._settling.settle(record_id, outcome)
                continue
            decided = self._routes.decide(record)
            if isinstance(decided, Item):
                items.append(OpenItem(decided, record_id, again=history.again))
            elif isinstance(decided, Outcome | Later):
                self._settling.settle(record_id, decided)
            else:
                self._assembling.add(decided, record_id, record.object.key, history)
        return items
