"""From an item to its lane, or to wherever the ledger says: duplicates are spared the trip. Nothing here waits for a lane.

A record that meets a live claim waits under lease until it is registered, released or lapses: it is looked up again
every second.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from worker.core.backlog import OpenItem
from worker.core.backoff import backoff
from worker.core.claims import Claim, Denied, Entry, is_held, known, proven_ours
from worker.core.conditions import Name
from worker.core.darwin import HeldItem
from worker.core.errors import OutsideError
from worker.core.events import MAX_RECORDS
from worker.core.model import Identity, Item
from worker.pipeline.asking import Asking
from worker.pipeline.channel import Channel
from worker.pipeline.context import Context
from worker.pipeline.lanes import Lanes
from worker.pipeline.ports import Ledger
from worker.pipeline.registering import WRITING
from worker.pipeline.settling import Settling
from worker.pipeline.waiting import WaitingRoom

PART = "placing"
AT_ONCE = 200
ASKED_AT_ONCE = 20
"""Items between two signs of life while Darwin is asked: as many as one question holds; a slow one takes twenty seconds."""

WRITE_SECONDS = 50.0
"""For how long a left claim is taken over to be written as registered: longer than any call to a ledger takes."""


class Placing:
    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        asking: Asking,
        lanes: Lanes,
        settling: Settling,
        waiting: WaitingRoom,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._asking = asking
        self._lanes = lanes
        self._settling = settling
        self._waiting = waiting
        self._doubted: Channel[tuple[OpenItem, Entry]] = Channel(context.open_records * MAX_RECORDS)

    async def run(self) -> None:
        """Place again what waited, and what is doubted, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_again(), name=f"{PART} again")
            tasks.create_task(self._ask_about_doubted(), name=f"{PART} doubted")

    async def place(self, items: Sequence[OpenItem], part: str) -> None:
        """Whoever places, *part*, gives a sign of life for as long as it takes."""
        await self._look_up([item for item in items if self._settling.admit(item)], part)

    async def entries(self, identities: Sequence[Identity], part: str) -> list[Entry | None]:
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

    async def entry(self, identity: Identity, part: str) -> Entry | None:
        """What the ledger has there, as :meth:`entries`."""
        [entry] = await self.entries([identity], part)
        return entry

    async def _look_again(self) -> None:
        """Place again what waited for another record of its identity, or for another holder's claim."""
        part = f"{PART} again"
        try:
            while True:
                self._context.heartbeats.beat(part)
                items = await self._waiting.due(AT_ONCE)
                await self._look_up(items, part)
        finally:
            self._context.heartbeats.ended(part)

    async def _look_up(self, items: list[OpenItem], part: str) -> None:
        """The ledger is only read here: a claim is taken just before the request."""
        if not items:
            return
        entries = await self.entries([item.identity for item in items], part)
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
                self._settle_known(item, entry)

    def _settle_known(self, item: OpenItem, entry: Entry) -> None:
        """The ledger has the item's place as registered."""
        outcome = known(entry, item.item)
        if isinstance(outcome, Item):
            self._rename(item, outcome)
        else:
            self._settling.settle_item(item, outcome)

    def _rename(self, item: OpenItem, renamed: Item) -> None:
        """A new version of a registered object goes its way under a name of its own."""
        self._settling.abandon(item)
        version = OpenItem(renamed, item.record, again=item.again)
        if self._settling.admit(version):
            self._waiting.add(version, 0)

    def _free(self, entry: Entry) -> bool:
        """Lapsed, or left by an earlier delivery of ours: of each identity only one record is open here."""
        return entry.expires_in <= 0 or entry.token == self._context.token

    async def _ask_about_doubted(self) -> None:
        """An operator sent a record again: a registered claim counts only if Darwin holds the item. Or a claim was left for
        another object: its request may have made the item.
        """
        part = f"{PART} doubted"
        try:
            while True:
                self._context.heartbeats.beat(part)
                by_dataset: dict[tuple[str, str], list[tuple[OpenItem, Entry]]] = {}
                for item, entry in await self._doubted.take(ASKED_AT_ONCE):
                    by_dataset.setdefault((item.item.lane.team, item.item.lane.dataset), []).append(
                        (item, entry)
                    )
                for doubted in by_dataset.values():
                    self._context.heartbeats.beat(part)
                    held = await self._asking.held_now([item.item for item, _ in doubted])
                    for item, entry in doubted:
                        self._context.heartbeats.beat(part)
                        await self._decide_doubted(item, entry, held)
        finally:
            self._context.heartbeats.ended(part)

    async def _decide_doubted(self, item: OpenItem, entry: Entry, held: list[HeldItem] | None) -> None:
        if item.record.message not in self._settling.book:
            self._settling.abandon(item)
        elif held is None:
            self._waiting.add(item)
        elif entry.registered and is_held(item.item, held):
            self._settle_known(item, entry)
        elif not entry.registered and proven_ours(item.item, entry.since, held):
            if await self._write_left(Claim(item.identity, entry.object), entry):
                self._settle_known(item, replace(entry, registered=True))
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
