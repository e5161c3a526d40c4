"""Gathers what S3, the routes, the ledger, the dead letters, the queue and Darwin tell of one object."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import NamedTuple, TypeVar

from worker import logs
from worker.core.claims import Entry, known
from worker.core.darwin import HeldItem
from worker.core.errors import OutsideError, Refused
from worker.core.explaining import Explanation, passed_over
from worker.core.forms import CannotBe, dataset_of, place_of
from worker.core.grouping import MAX_PARTS, Member, Seen, has_key, left_out
from worker.core.judging import identity_of
from worker.core.model import Identity, Item, Later, Outcome, Record, RecordId, S3Object
from worker.core.objects import Head
from worker.core.routing import Draft, PartOf, Routes
from worker.core.traced import Depth, Facts, Letters, NoDataset, Unknown, item_at, letters_of
from worker.core.tracing import Trace, trace_of
from worker.dead_letters import Look
from worker.opening import check_team
from worker.pipeline.assembly import Assembly
from worker.pipeline.ports import Darwin, Objects

DEADLINE = 30.0
"""Seconds that one side has to answer."""

NOBODYS = RecordId(0, 0)

T = TypeVar("T")
LookUp = Callable[[Sequence[Identity]], Awaitable[list[Entry | None]]]


class Routed(NamedTuple):
    """What S3 and the routes tell of an object; fields as in :class:`~worker.core.traced.Facts`."""

    explained: Explanation
    s3: Head | Unknown | None
    identity: Identity | None
    parts: tuple[str, ...] = ()


class Tracing:
    """Asks each side in its own time, all of them at once where they do not need each other; who does not answer, because
    of an :class:`~worker.core.errors.OutsideError` or for DEADLINE seconds, is told as unknown.

    *routes* with the storages that Darwin told or, where it did not, for *assumed*'s reason, as they are written.
    *objects* opens S3 for one trace. *look_up*: the ledger's. *darwin*: a team's API by its slug. *look*: at the dead letters.
    *attributes*: of the source queue. *now* in Unix seconds.
    """

    def __init__(
        self,
        routes: Routes,
        *,
        objects: Callable[[], AbstractAsyncContextManager[Objects]],
        look_up: LookUp,
        darwin: Callable[[str], Darwin],
        look: Callable[[], Awaitable[Look]],
        attributes: Callable[[], Awaitable[Mapping[str, str]]],
        now: Callable[[], float],
        assumed: str = "",
    ) -> None:
        self._routes = routes
        self._objects = objects
        self._look_up = look_up
        self._darwin = darwin
        self._look = look
        self._attributes = attributes
        self._now = now
        self._assumed = logs.redact(assumed)

    async def trace(self, bucket: str, key: str) -> Trace:
        """What became of the object. Takes at most four times DEADLINE, and raises no OutsideError."""
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(_asked(self._look()), name="dead letters")
            counting = tasks.create_task(_asked(self._depth()), name="queue")
            routed = await self.routed(bucket, key)
            entry, identity = await self._entry(routed)
            held: HeldItem | NoDataset | Unknown | None = None
            if identity is not None:
                held = await self.held(identity)
        look, explained = looking.result(), routed.explained
        letters = (
            look
            if isinstance(look, Unknown)
            else Letters(letters_of(look.letters, explained), len(look.letters), look.sampled)
        )
        facts = Facts(
            explained,
            routed.s3,
            identity,
            routed.parts,
            entry,
            letters,
            counting.result(),
            held,
            self._assumed,
            self._now(),
        )
        return trace_of(facts)

    async def routed(self, bucket: str, key: str) -> Routed:
        """What S3 tells of the object, and what the routes make of it now. Raises no OutsideError."""
        told = await _asked(self._routed(bucket, key))
        return told if isinstance(told, Routed) else self._without_s3(bucket, key, told)

    async def held(self, identity: Identity) -> HeldItem | NoDataset | Unknown | None:
        """What Darwin has there. Raises no OutsideError."""
        return await _asked(self._held(identity))

    async def _routed(self, bucket: str, key: str) -> Routed:
        async with self._objects() as objects:
            head = await _asked(objects.head(bucket, key))
            held = S3Object(bucket, key)
            if isinstance(head, Head):
                held = S3Object(bucket, key, head.version, head.etag, head.size)
            decided, explained = self._explained(held)
            # Whatever the ledger has, we want to know what an event would come to that finds nothing there.
            assembly = Assembly(self._routes, objects, _nothing, self._now)
            try:
                match decided:
                    case PartOf():
                        return await self._of_group(objects, assembly, decided, explained, head)
                    case Draft():
                        item = await assembly.draft(decided, None)
                        identity = item.identity if isinstance(item, Item) else _identity(decided)
                        return Routed(replace(explained, decided=item), head, identity)
            except OutsideError as error:
                explained = replace(explained, unknown=logs.redact(str(error)))
                return Routed(explained, head, _identity(decided))
        return Routed(explained, head, _identity(decided))

    async def _of_group(
        self,
        objects: Objects,
        assembly: Assembly,
        part: PartOf,
        explained: Explanation,
        head: Head | Unknown | None,
    ) -> Routed:
        """As the record sees it that speaks for the group."""
        group, key = part.group, explained.held.key
        seen = self._routes.seen(group, await objects.list(group.bucket, group.beginning, MAX_PARTS))
        [(_, decided)] = await assembly.group(part, [Member(NOBODYS, seen.first or key)])
        identity = decided.identity if isinstance(decided, Item) else _identity(part, seen)
        if isinstance(decided, Item) and not has_key(decided.object, key) and isinstance(head, Head):
            decided = left_out(group)
        there = [each.listed.key for each in seen.parts] + ([seen.marker.key] if seen.marker else [])
        return Routed(replace(explained, decided=decided), head, identity, tuple(there))

    def _without_s3(self, bucket: str, key: str, unknown: Unknown) -> Routed:
        decided, explained = self._explained(S3Object(bucket, key))
        if isinstance(decided, Draft | PartOf):
            explained = replace(explained, unknown=unknown.why)
        return Routed(explained, unknown, _identity(decided))

    def _explained(self, held: S3Object) -> tuple[Item | Outcome | Later | Draft | PartOf, Explanation]:
        """What the routes decide, and the explanation as far as they do; how the object was written is read off its etag."""
        multipart = "-" in (held.etag or "")
        event = f"ObjectCreated:{'CompleteMultipartUpload' if multipart else 'Put'}"
        decided = self._routes.decide(Record(held, event))
        found = self._routes.find(held, event)
        others, elsewhere = passed_over(self._routes, held, event, found)
        route = found.rule.route.name if found is not None else ""
        explained = Explanation(held, route, others, elsewhere)
        match decided:
            case PartOf(group=group):
                return decided, replace(explained, group=group.beginning)
            case Draft():
                return decided, explained
            case Item() | Outcome() | Later():
                return decided, replace(explained, decided=decided)
        raise AssertionError(decided)  # nothing was removed

    async def _entry(self, routed: Routed) -> tuple[Entry | Unknown | None, Identity | None]:
        """What the ledger has under the item, and the item's identity: that of a new version, where the route names one."""
        identity, item = routed.identity, routed.explained.decided
        if identity is None:
            return None, None
        [entry] = await self._entries(identity)
        if isinstance(entry, Entry) and entry.registered and isinstance(item, Item):
            version = known(entry, item)
            if isinstance(version, Item):
                [entry] = await self._entries(version.identity)
                return entry, version.identity
        return entry, identity

    async def _entries(self, identity: Identity) -> Sequence[Entry | Unknown | None]:
        told = await _asked(self._look_up([identity]))
        return [told] if isinstance(told, Unknown) else told

    async def _depth(self) -> Depth:
        told = await self._attributes()
        name = "ApproximateNumberOfMessages"
        return Depth(*(int(told.get(name + of, 0)) for of in ("", "NotVisible", "Delayed")))

    async def _held(self, identity: Identity) -> HeldItem | NoDataset | Unknown | None:
        darwin = self._darwin(identity.team)
        try:
            ids = {dataset.slug: dataset.id for dataset in await darwin.datasets()}
            if identity.dataset not in ids:
                return NoDataset()
            places = [(identity.path, identity.name)]
            return item_at(identity, await darwin.find_items(ids[identity.dataset], places))
        except Refused as error:
            try:
                await check_team(darwin, identity.team)
            except Refused as refused:
                return Unknown(logs.redact(str(refused)), key_refused=True)
            raise error from None


async def _asked(asking: Awaitable[T]) -> T | Unknown:
    try:
        async with asyncio.timeout(DEADLINE):
            return await asking
    except TimeoutError:
        return Unknown(f"no answer within {DEADLINE:g} s")
    except OutsideError as error:
        return Unknown(logs.redact(str(error)))


async def _nothing(_: Identity) -> Entry | None:
    return None


def _identity(decided: Item | Outcome | Later | Draft | PartOf, seen: Seen = Seen(())) -> Identity | None:  # noqa: B008 - a value
    """Where the item is, or would be, as far as that can be told without S3; None where it cannot."""
    try:
        match decided:
            case Item():
                return decided.identity
            case Draft(rule=rule, values=values, lane=lane):
                return Identity(lane.team, dataset_of(rule, values), *place_of(rule, values))
            case PartOf():
                return identity_of(decided, seen)
    except CannotBe:
        pass
    return None
