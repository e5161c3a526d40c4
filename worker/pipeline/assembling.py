"""Makes items of what S3 must be asked about: parts of groups, objects with sidecars or metadata, and removals.

One listing judges all records of a group that came before it began: what comes meanwhile waits for the next one, so that
the slices of a series cost few listings. What S3 does not answer is asked again, more and more seldom, under lease.
"""

import asyncio
import heapq
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count

from worker.core.backlog import OpenItem
from worker.core.backoff import backoff
from worker.core.conditions import Name
from worker.core.deadletters import History
from worker.core.errors import OutsideError
from worker.core.grouping import Member
from worker.core.model import Item, Kind, Later, Outcome, Reason, RecordId
from worker.core.routing import Draft, PartOf, Pending, Removal, Routes
from worker.core.shares import paused_share
from worker.pipeline.asking import Asking
from worker.pipeline.assembly import Assembly, Decided
from worker.pipeline.channel import IDLE_WAIT, Bell
from worker.pipeline.context import Context
from worker.pipeline.placing import Placing
from worker.pipeline.ports import Objects
from worker.pipeline.settling import Settling

PART = "assembling"
HANDS = 16
"""Jobs that are carried out side by side: S3 takes some tens of milliseconds for each answer."""

GATHER = 0.2
"""Seconds that a group waits for more of its records before it is listed: they tend to come together."""

MAKE_ROOM = 60
"""Seconds until a record comes again that there was no room for here."""

DARWIN_LOOK = 30.0
"""Seconds until Darwin is asked again about an item to archive, while it does not say."""


@dataclass(slots=True)
class _Job:
    """*pending*: what is to be made, of the records *members*, when they came before the job began. *at*: not before then,
    on the loop's clock. *failures*: times in a row that S3 did not answer.
    """

    pending: Pending
    at: float
    members: list[Member] = field(default_factory=list)
    failures: int = 0

    @property
    def bucket(self) -> str:
        match self.pending:
            case Draft(object=held):
                return held.bucket
            case PartOf(group=group):
                return group.bucket
            case Removal(item=item):
                return item.object.bucket


class Assembling:
    """Holds what waits for S3, at most half of the open records; of what S3 does not answer about, a quarter."""

    def __init__(
        self, context: Context, routes: Routes, objects: Objects | None, asking: Asking, settling: Settling
    ) -> None:
        self._context = context
        self._routes = routes
        self._objects = objects
        self._asking = asking
        self._settling = settling
        self._jobs: dict[Hashable, _Job] = {}
        self._order: list[tuple[float, int, Hashable]] = []
        self._numbers = count()
        self._held = 0
        self._news = Bell()
        self._free = list(range(HANDS))

    def add(self, pending: Pending, record: RecordId, key: str, history: History) -> None:
        """From sorting: *key* is the object's own."""
        limit = self._context.open_records // 2
        if self._context.situation.has(Name.S3_UNREACHABLE):
            limit = paused_share(self._context.open_records)
        if self._held >= max(1, limit):
            outcome = Outcome(Kind.POSTPONED, Reason.READING_OVER_SHARE)
            self._settling.settle(record, Later(outcome, MAKE_ROOM))
            return
        self._enter(pending, Member(record, key, history.notes, history.again))

    async def run(self, placing: Placing) -> None:
        """Until cancelled; what becomes an item goes to *placing*."""
        try:
            async with asyncio.TaskGroup() as jobs:
                while True:
                    job, hand = await self._next(), await self._hand()
                    jobs.create_task(self._carry_out(job, hand, placing), name=f"{PART} {hand}")
        finally:
            self._context.heartbeats.ended(PART)

    # Jobs

    def _enter(self, pending: Pending, member: Member) -> None:
        now = asyncio.get_running_loop().time()
        grouped = isinstance(pending, PartOf)
        place: Hashable = _place(pending) if isinstance(pending, PartOf) else member.record
        job = self._jobs.get(place)
        if job is None:
            job = _Job(pending, now + GATHER if grouped else now)
            self._put(place, job)
        job.members.append(member)
        self._held += 1

    def _put(self, place: Hashable, job: _Job) -> None:
        self._jobs[place] = job
        heapq.heappush(self._order, (job.at, next(self._numbers), place))
        self._news.ring()

    async def _next(self) -> _Job:
        """The job whose time came first; it takes no more members from then on."""
        loop = asyncio.get_running_loop()
        while True:
            self._context.heartbeats.beat(PART)
            if self._order and self._order[0][0] <= loop.time():
                return self._jobs.pop(heapq.heappop(self._order)[2])
            await self._news.wait(
                min(IDLE_WAIT, self._order[0][0] - loop.time()) if self._order else IDLE_WAIT
            )

    async def _hand(self) -> int:
        """The number of one that is free."""
        while not self._free:
            self._context.heartbeats.beat(PART)
            await self._news.wait(IDLE_WAIT)
        return self._free.pop()

    def _again(self, job: _Job, members: list[Member], seconds: float) -> None:
        """Those records wait for another try, with whatever came for their group meanwhile."""
        at = asyncio.get_running_loop().time() + seconds
        place: Hashable = _place(job.pending) if isinstance(job.pending, PartOf) else members[0].record
        newer = self._jobs.get(place)
        if newer is not None:
            newer.members[:0] = members
            newer.failures = job.failures
        else:
            job.at, job.members = at, members
            self._put(place, job)

    # What is done for one

    async def _carry_out(self, job: _Job, hand: int, placing: Placing) -> None:
        part = f"{PART} {hand}"
        try:
            members = [member for member in job.members if member.record.message in self._settling.book]
            self._held -= len(job.members) - len(members)
            if not members or await self._tried(part, placing, job, members):
                self._held -= len(members)
                self._forget(job.bucket)
        finally:
            self._context.heartbeats.ended(part)
            self._free.append(hand)
            self._news.ring()

    async def _tried(self, part: str, placing: Placing, job: _Job, members: list[Member]) -> bool:
        """Whether each of the members goes its way; otherwise they wait here for another try."""
        try:
            decided = await self._decided(part, placing, job.pending, members)
        except OutsideError as error:
            self._context.situation.raise_(Name.S3_UNREACHABLE, job.bucket, str(error))
            job.failures += 1
            self._again(job, members, backoff(job.failures, random.random(), longest=60.0))  # noqa: S311 - jitter
            return False
        if decided is None:
            self._again(job, members, DARWIN_LOOK)
            return False
        items = list[OpenItem]()
        again = any(member.again for member in members)
        for member, what in decided:
            if isinstance(what, Item):
                items.append(OpenItem(what, member.record, again=again))
            else:
                self._settling.settle(member.record, what)
        await placing.place(items, part)
        return True

    async def _decided(
        self, part: str, placing: Placing, pending: Pending, members: Sequence[Member]
    ) -> list[tuple[Member, Decided]] | None:
        """None while Darwin does not say."""
        objects = self._objects
        assert objects is not None, "nothing is pending where no route asks S3"  # noqa: S101 - for the type checker
        assembly = Assembly(
            self._routes,
            objects,
            lambda identity: placing.entry(identity, part),
            self._context.now,
            lambda: self._context.heartbeats.beat(part),
        )
        match pending:
            case PartOf():
                return await assembly.group(pending, members)
            case Draft():
                return [(member, await assembly.draft(pending, member.notes)) for member in members]
            case Removal(item):
                outcome = await self._removed(item, objects, part, placing)
                return None if outcome is None else [(member, outcome) for member in members]

    async def _removed(self, item: Item, objects: Objects, part: str, placing: Placing) -> Outcome | None:
        """Archive the item of a removed object, if it is ours and the object has not come back."""
        if await objects.head(item.object.bucket, item.object.key) is not None:
            return Outcome(Kind.IGNORED, Reason.OBJECT_BACK, "The object is there.", item.route)
        entry = await placing.entry(item.identity, part)
        if entry is None or not entry.registered or not entry.object.same_place(item.object):
            text = "No item was registered for the object that was removed."
            return Outcome(Kind.IGNORED, Reason.NOT_REGISTERED, text, item.route)
        archived = await self._asking.archive(item)
        if archived is None:
            return None
        if not archived:
            text = "Darwin holds no item at the place of the object that was removed, or archived it before."
            return Outcome(Kind.IGNORED, Reason.NOT_REGISTERED, text, item.route)
        text = f"The object was removed, and so {item.path.rstrip('/')}/{item.name} was archived."
        return Outcome(Kind.ARCHIVED, Reason.REMOVED_IN_S3, text, item.route)

    def _forget(self, bucket: str) -> None:
        """What nobody waits for any more is no condition."""
        if not any(job.failures and job.bucket == bucket for job in self._jobs.values()):
            self._context.situation.clear(Name.S3_UNREACHABLE, bucket)


def _place(part: PartOf) -> Hashable:
    return part.group.rule.route.name, part.group.bucket, part.group.beginning
