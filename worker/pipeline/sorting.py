"""From a message to items: parse, route, look up, and on into a lane. Nothing here waits for a lane.

A record that meets a live claim waits under lease until it is registered, released or lapses: it is looked up again
every second.
"""

import asyncio
import random
from itertools import count

from worker.core.backlog import OpenItem
from worker.core.backoff import backoff
from worker.core.claims import Claim, Denied, Entry, is_held, known, proven_ours
from worker.core.conditions import Name
from worker.core.darwin import HeldItem
from worker.core.deadletters import read_history
from worker.core.errors import OutsideError
from worker.core.events import MAX_RECORDS, BadRecord, Unreadable, parse
from worker.core.model import Identity, Item, Kind, Outcome, Reason, RecordId
from worker.core.routing import Routes
from worker.pipeline.asking import Asking
from worker.pipeline.channel import Channel, Closed
from worker.pipeline.context import Context
from worker.pipeline.lanes import Lanes
from worker.pipeline.ports import Ledger
from worker.pipeline.registering import WRITING
from worker.pipeline.settling import Settling
from worker.pipeline.waiting import WaitingRoom

PART = "sorting"
AT_ONCE = 200
ASKED_AT_ONCE = 20
"""Items between two signs of life while Darwin is asked: as many as one question holds; a slow one takes twenty seconds."""

WRITE_SECONDS = 50.0
"""For how long a left claim is taken over to be written as registered: longer than any call to a ledger takes."""

LARGE = 16_384
"""Characters of a body after whose reading the others have their turn. S3's own notifications have one or two thousand."""


class Sorting:
    """Reads message numbers from *inbox*. *token* is what this process claims with."""

    def __init__(
        self,
        context: Context,
        inbox: Channel[int],
        routes: Routes,
        ledger: Ledger,
        asking: Asking,
        lanes: Lanes,
        settling: Settling,
        waiting: WaitingRoom,
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._routes = routes
        self._ledger = ledger
        self._asking = asking
        self._lanes = lanes
        self._settling = settling
        self._waiting = waiting
        self._doubted: Channel[tuple[OpenItem, Entry]] = Channel(context.open_records * MAX_RECORDS)

    async def run(self) -> None:
        """Until the inbox is closed and empty, and the lanes take nothing more."""
        async with asyncio.TaskGroup() as tasks:
            again = tasks.create_task(self._look_again(), name=f"{PART} again")
            doubted = tasks.create_task(self._ask_about_doubted(), name=f"{PART} doubted")
            try:
                while True:
                    self._context.heartbeats.beat(PART)
                    numbers = await self._inbox.take(AT_ONCE)
                    await self._place(await self._read(numbers))
            except Closed:
                self._context.heartbeats.ended(PART)
            again.cancel()
            doubted.cancel()
        self._context.heartbeats.ended(f"{PART} again")
        self._context.heartbeats.ended(f"{PART} doubted")

    async def _look_again(self) -> None:
        """Place again what waited for another record of its identity, or for another holder's claim."""
        part = f"{PART} again"
        while True:
            self._context.heartbeats.beat(part)
            items = await self._waiting.due(AT_ONCE)
            await self._look_up(items, part)

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
        again = read_history(message).again
        items = list[OpenItem]()
        for position, record in enumerate(told.records):
            record_id = RecordId(number, position)
            if isinstance(record, BadRecord):
                outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_RECORD, record.why)
                self._settling.settle(record_id, outcome)
                continue
            decided = self._routes.decide(record)
            if isinstance(decided, Item):
                items.append(OpenItem(decided, record_id, again=again))
            else:
                self._settling.settle(record_id, decided)
        return items

    async def _place(self, items: list[OpenItem]) -> None:
        await self._look_up([item for item in items if self._settling.admit(item)], PART)

    async def _look_up(self, items: list[OpenItem], part: str) -> None:
        """Spare duplicates the trip: the ledger is only read here, and a claim is taken just before the request."""
        if not items:
            return
        entries = await self._entries([item.item.identity for item in items], part)
        for item, entry in zip(items, entries, strict=True):
            if item.record.message not in self._settling.book:
                self._settling.abandon(item)
            elif entry is None:
                self._lanes.add(item)
            elif not entry.registered and not self._free(entry):
                self._waiting.add(item)
            elif not entry.registered and entry.object.same_as(item.item.object):
                item.since, item.lapsed = entry.since, entry
                self._lanes.add(item)
            elif not entry.registered or item.again:
                self._doubted.put([(item, entry)])
            else:
                self._settling.settle_item(item, known(entry, item.item.object))

    def _free(self, entry: Entry) -> bool:
        """Lapsed, or left by an earlier delivery of ours: of each identity only one record is open here."""
        return entry.expires_in <= 0 or entry.token == self._context.token

    async def _ask_about_doubted(self) -> None:
        """An operator sent a record again: a registered claim counts only if Darwin holds the item. Or a claim was left for
        another object: its request may have made the item.
        """
        part = f"{PART} doubted"
        while True:
            self._context.heartbeats.beat(part)
            by_dataset: dict[tuple[str, str], list[tuple[OpenItem, Entry]]] = {}
            for item, entry in await self._doubted.take(ASKED_AT_ONCE):
                by_dataset.setdefault((item.item.lane.team, item.item.lane.dataset), []).append((item, entry))
            for doubted in by_dataset.values():
                self._context.heartbeats.beat(part)
                held = await self._asking.held_now([item.item for item, _ in doubted])
                for item, entry in doubted:
                    self._context.heartbeats.beat(part)
                    await self._decide_doubted(item, entry, held)

    async def _decide_doubted(self, item: OpenItem, entry: Entry, held: list[HeldItem] | None) -> None:
        if item.record.message not in self._settling.book:
            self._settling.abandon(item)
        elif held is None:
            self._waiting.add(item)
        elif entry.registered and is_held(item.item, held):
            self._settling.settle_item(item, known(entry, item.item.object))
        elif not entry.registered and proven_ours(item.item, entry.since, held):
            if await self._write_left(Claim(item.item.identity, entry.object), entry):
                self._settling.settle_item(item, known(entry, item.item.object))
            else:
                self._waiting.add(item)
        else:
            item.supersedes = entry.at
            self._lanes.add(item)

    async def _write_left(self, claim: Claim, entry: Entry) -> bool:
        """Darwin holds the object of a left claim, though whoever held it never wrote so. Taken over first: while Darwin was
        asked, another worker may have given the identity to another object, and the item may be that one's.
        """
        try:
            [taken] = await self._ledger.claim([claim], self._context.token, WRITE_SECONDS)
            if isinstance(taken, Denied) or taken.since != entry.since:
                return False
            with self._context.metrics.ledger_seconds.labels(call="register").time():
                await self._ledger.register([claim], self._context.token)
        except OutsideError as error:
            self._context.situation.raise_(Name.LEDGER_UNREACHABLE, WRITING, str(error))
            return False
        self._context.situation.clear(Name.LEDGER_UNREACHABLE, WRITING)
        return True

    async def _entries(self, identities: list[Identity], part: str) -> list[Entry | None]:
        """The ledger's answer, however long it takes: without it nothing can be sent either."""
        for failures in count(1):
            self._context.heartbeats.beat(part)
            try:
                with self._context.metrics.ledger_seconds.labels(call="look_up").time():
                    entries = await self._ledger.look_up(identities)
            except OutsideError as error:
                self._context.situation.raise_(Name.LEDGER_UNREACHABLE, "reading the ledger", str(error))
                await asyncio.sleep(backoff(failures, random.random(), longest=10.0))  # noqa: S311 - jitter
            else:
                self._context.situation.clear(Name.LEDGER_UNREACHABLE, "reading the ledger")
                return entries
        raise AssertionError("count() never ends")
