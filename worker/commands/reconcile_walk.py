"""Fills both sides of a reconciliation: lists buckets, reads Darwin's item lists, and asks S3 where a key does not tell all.

Whatever is outside may fail now and then in a walk of an hour: what may work later is tried again.
"""

import asyncio
import builtins
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import NamedTuple, Protocol, TypeVar

from worker.commands.reconcile_store import Store
from worker.core.backoff import backoff
from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.differences import Difference, Kind
from worker.core.errors import Unavailable
from worker.core.forms import CannotBe
from worker.core.grouping import Member
from worker.core.model import Identity, Item, Later, Notes, Outcome, Reason, RecordId, S3Object
from worker.core.objects import Found
from worker.core.reconciling import (
    Expected,
    Place,
    Unplaced,
    expect,
    of_draft,
    of_item,
    place_placeholders,
    record_of,
    unchanged_since,
)
from worker.core.routing import Draft, PartOf, Routes
from worker.pipeline.assembly import Assembly, Decided
from worker.pipeline.ports import Objects

TRIES = 6
LONGEST_WAIT = 60.0
AT_ONCE = 16
IN_HAND = 500
"""Objects of which S3 is asked before the next ones are looked up."""

ONLOOKER = RecordId(0, 0)

Count = Callable[[int], None]
T = TypeVar("T")


async def steadily(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, after some tries if need be. Raises :class:`Unavailable` when all of them failed."""
    for failures in count(1):
        try:
            return await ask()
        except Unavailable as error:
            if failures == TRIES:
                raise
            pause = backoff(failures, random.random(), longest=LONGEST_WAIT)  # noqa: S311 - jitter
            await asyncio.sleep(min(LONGEST_WAIT, max(pause, error.retry_after or 0.0)))
    raise AssertionError("count() never ends")


class Bucket(Objects, Protocol):
    """What is needed of S3."""

    def pages(self, bucket: str, prefix: str, after: str = "") -> AsyncIterator[builtins.list[Found]]:
        """Every object below *prefix* that comes after *after*, in the order of their keys."""
        ...


class Clocks(NamedTuple):
    """When the walk began, the times before which an object is not *young* and an item is *stuck*: Unix seconds, and for the
    latter the seconds that processing may take.
    """

    now: float
    young: float
    stuck_after: float


class Walk:
    """By *routes* that are made for listings, of which some are *paused*. *outcomes* counts the objects of which no item is
    made, and *seen* are the datasets of *known* (team and slug) that items go to.
    """

    def __init__(
        self,
        routes: Routes,
        objects: Bucket,
        store: Store,
        clocks: Clocks,
        known: Mapping[tuple[str, str], int],
        paused: Collection[str] = (),
    ) -> None:
        self.listed = 0
        self.on_their_way = 0
        self.outcomes = Counter[Reason]()
        self.seen = set[tuple[str, str]]()
        self._routes = routes
        self._objects = objects
        self._store = store
        self._clocks = clocks
        self._known = known
        self._paused = paused
        self._assembly = Assembly(routes, objects, _nothing, lambda: clocks.now)

    # What is listed

    async def list(self, place: Place, counted: Count) -> None:
        async for page in self._pages(place):
            self._take(place.bucket, page)
            self.listed += len(page)
            counted(len(page))

    async def _pages(self, place: Place) -> AsyncIterator[Sequence[Found]]:
        """As the adapter tells them; after a failure, from where it was."""
        after, failures = "", 0
        while True:
            try:
                async for page in self._objects.pages(place.bucket, place.prefix, after):
                    yield page
                    after, failures = page[-1].key if page else after, 0
            except Unavailable:
                failures += 1
                if failures == TRIES:
                    raise
                await asyncio.sleep(backoff(failures, random.random(), longest=LONGEST_WAIT))  # noqa: S311 - jitter
            else:
                return

    def _take(self, bucket: str, page: Sequence[Found]) -> None:
        expected, unplaced = list[Expected](), list[Unplaced]()
        for found in page:
            made = expect(self._routes, bucket, found)
            match made:
                case Expected():
                    expected.append(made)
                case Unplaced():
                    unplaced.append(made)
                case Outcome():
                    self.outcomes[made.reason] += 1
        self._expect(expected)
        self._store.leave_unplaced(unplaced)

    def _expect(self, items: Sequence[Expected]) -> None:
        self.seen.update(dataset for item in items if (dataset := item.identity[:2]) in self._known)
        self._store.expect(items)

    async def hold(
        self,
        team: str,
        dataset: str,
        pages: AsyncIterator[Sequence[HeldItem]],
        counted: Count,
        *,
        whole: bool,
    ) -> None:
        """Every item of a dataset. What was held before a failure may be held once more, which makes no difference."""
        async for page in pages:
            self._store.hold(team, dataset, page, self._clocks.now, self._clocks.stuck_after, whole=whole)
            counted(len(page))

    # What S3 must be asked for

    async def find_places(self, counted: Count) -> None:
        """Of the objects that do not tell where their items lie."""
        await _side_by_side(self._store.unplaced(), self._find_place, counted)

    async def settle_doubts(self, counted: Count) -> None:
        """Whether what is missing can be made: all its parts and sidecars may not be there, or may be of no use."""
        await _side_by_side(self._store.doubted(), self._settle_doubt, counted)

    async def _find_place(self, each: Unplaced) -> None:
        decided = self._routes.decide(record_of(each.object))
        if isinstance(decided, Draft):
            await self._find_place_of_draft(decided, each.modified)
            return
        made = await self._made(each.object, each.modified)
        match made:
            case Item():
                self._expect([of_item(made, each.object, each.source, each.modified)])
            case Later():
                missing = Difference(Kind.MISSING, None, each.route, each.object, each.modified)
                self._wait(missing, made, each.modified)
            case Outcome():
                self.outcomes[made.reason] += 1

    async def _find_place_of_draft(self, draft: Draft, modified: float) -> None:
        told = await steadily(lambda: self._told(draft))
        if told is None:
            self.outcomes[Reason.OBJECT_GONE] += 1
            return
        try:
            self._expect([of_draft(draft, told, modified)])
        except CannotBe as cannot:
            self.outcomes[cannot.outcome.reason] += 1

    async def _told(self, draft: Draft) -> dict[str, str] | None:
        """What the templates of the item's place ask of the object's metadata and tags; None of an object that is gone."""
        held, asked = draft.object, place_placeholders(draft.rule)
        told: dict[str, str] = {}
        if any(name.startswith("metadata.") for name in asked):
            head = await self._objects.head(held.bucket, held.key)
            if head is None:
                return None
            told |= {f"metadata.{name}": text for name, text in head.metadata.items()}
        if any(name.startswith("tags.") for name in asked):
            tags = await self._objects.tags(held.bucket, held.key)
            if tags is None:
                return None
            told |= {f"tags.{name}": text for name, text in tags.items()}
        return told

    async def _settle_doubt(self, each: Difference) -> None:
        assert each.object is not None  # noqa: S101 - for the type checker
        assert each.time is not None  # noqa: S101 - as above
        made = await self._made(each.object, each.time)
        match made:
            case Item():
                self._store.tell(each)
            case Later():
                self._wait(each, made, each.time)
            case Outcome():
                self.outcomes[made.reason] += 1

    def _wait(self, missing: Difference, later: Later, modified: float) -> None:
        """What is young, or still to be quiet for a while, will be complete without anybody's doing."""
        if missing.route in self._paused:
            self.outcomes[Reason.ROUTE_PAUSED] += 1
        elif modified > self._clocks.young or unchanged_since(later, modified) is not None:
            self.on_their_way += 1
        else:
            self._store.tell(replace(missing, kind=Kind.INCOMPLETE, detail=later.outcome.detail))

    async def _made(self, held: S3Object, modified: float) -> Decided:
        """What the worker would make of it now, if all that is there has been there as it is since it was *modified*."""
        made = await steadily(lambda: self._decided(held, None))
        if isinstance(made, Later) and (notes := unchanged_since(made, modified)) is not None:
            return await steadily(lambda: self._decided(held, notes))
        return made

    async def _decided(self, held: S3Object, notes: Notes | None) -> Decided:
        decided = self._routes.decide(record_of(held))
        match decided:
            case PartOf():
                # Whose key is none of the group's speaks for all of it.
                [(_, made)] = await self._assembly.group(decided, [Member(ONLOOKER, "", notes)])
                return made
            case Draft():
                return await self._assembly.draft(decided, notes)
            case Item() | Outcome() | Later():
                return decided
            case _:
                raise AssertionError(decided)  # nothing was removed


async def _side_by_side(things: Iterator[T], work: Callable[[T], Awaitable[None]], counted: Count) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def done(each: T) -> None:
        async with places:
            await work(each)
        counted(1)

    while some := list(islice(things, IN_HAND)):
        async with asyncio.TaskGroup() as tasks:
            for number, each in enumerate(some):
                tasks.create_task(done(each), name=f"asking S3 {number}")


async def _nothing(_: Identity) -> Entry | None:
    """A ledger that holds nothing: whether an item can be made does not depend on what became of it."""
    return None
