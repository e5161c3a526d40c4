"""From what is pending to an item: asks S3 what the core wants to know, and lets it decide. Whoever asks for a decision, the
worker or a command that explains one, gets it here.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from worker.core.claims import Entry
from worker.core.errors import Refused
from worker.core.forms import CannotBe, FileDraft, blocked, item_of, type_of
from worker.core.grouping import (
    MAX_PARTS,
    GroupOf,
    Member,
    Part,
    Seen,
    Verdicts,
    carrier,
    has_keys,
    left_out,
    registered,
    waiting,
)
from worker.core.judging import Ready, identity_of, judge
from worker.core.manifests import MAX_BYTES
from worker.core.model import Identity, Item, Later, Notes, Outcome, Reason, Registration
from worker.core.routing import Draft, PartOf, Routes
from worker.core.rules import Rule
from worker.core.sidecars import (
    PICTURE_BYTES,
    Absent,
    Facts,
    Wanted,
    archived,
    draft,
    first_frame,
    later,
    wanted,
)
from worker.pipeline.ports import Objects

Decided = Item | Outcome | Later


class Assembly:
    """*entry_of*: what the ledger holds under an identity. *now*: Unix seconds. *beat* is called before each call to S3.

    Raises :class:`~worker.core.errors.OutsideError` when S3 or the ledger does not say.
    """

    def __init__(
        self,
        routes: Routes,
        objects: Objects,
        entry_of: Callable[[Identity], Awaitable[Entry | None]],
        now: Callable[[], float],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._routes = routes
        self._objects = objects
        self._entry_of = entry_of
        self._now = now
        self._beat = beat

    async def draft(self, pending: Draft, notes: Notes | None) -> Decided:
        """What comes of one object."""
        rule, held = pending.rule, pending.object
        try:
            asked = wanted(rule, held.key, pending.values, type_of(rule, held.key))
            facts = await self._facts(rule, held.bucket, asked)
            file = draft(rule, asked, pending.values, facts, notes, self._now())
            return item_of(rule, held, pending.lane, file)
        except CannotBe as cannot:
            return cannot.outcome
        except Absent as absent:
            return later(rule, absent, notes, self._now())

    async def group(self, part: PartOf, members: Sequence[Member]) -> list[tuple[Member, Decided]]:
        """What comes of a group, one decision for each of its *members*: by one listing, which begins now."""
        one = carrier(part.group, members)
        unnamed: list[Member] = []
        seen = Seen(())
        try:
            seen, content = await self._look(part.group)
            found = judge(part, seen, content, members, self._now())
            before = await self._registered(part, seen, found, members)
            if before is not None and not (
                isinstance(found, Ready) and has_keys(before.object, found.stand_in)
            ):
                return list(registered(part.group, before, seen, members))
            if isinstance(found, Verdicts):
                return _decisions(part.group, found.one, found.later, found.others, Reason.GROUP_INCOMPLETE)
            if before is not None and found.leaves_out(found.one):
                return [(member, left_out(part.group)) for member in members]
            # What the manifest leaves out may be the witness: nobody else speaks for the group before it is registered.
            if before is not None or not found.leaves_out(one):
                one = found.one
            unnamed = [member for member in members if member is not one and found.leaves_out(member)]
            files = [await self._file(part.group, each, one.notes) for each in found.parts]
            decided: Decided = found.item(files)
        except CannotBe as cannot:
            return await self._cannot_be(part, seen, members, cannot.outcome)
        except Absent as absent:
            decided = later(part.group.rule, absent, one.notes, self._now())
        others = [member for member in members if member is not one and member not in unnamed]
        told = _decisions(part.group, one, decided, others, Reason.IN_ONE_ITEM)
        return told + [(member, left_out(part.group)) for member in unnamed]

    async def _cannot_be(
        self, part: PartOf, seen: Seen, members: Sequence[Member], outcome: Outcome
    ) -> list[tuple[Member, Decided]]:
        """The group as it is now makes no item. What is in an item that it made before is known all the same."""
        try:
            before = await self._registered(part, seen, None, members)
        except CannotBe:
            before = None
        told = [] if before is None else registered(part.group, before, seen, members)
        known: dict[Member, Decided] = {
            member: what for member, what in told if what.reason is not Reason.LATE_PART
        }
        left = [member for member in members if member not in known]
        one = carrier(part.group, left) if left else None
        others = [member for member in left if member is not one]
        return [*known.items(), *_decisions(part.group, one, outcome, others, Reason.IN_ONE_ITEM)]

    async def _look(self, group: GroupOf) -> tuple[Seen, bytes | None]:
        """What is there of the group, and the content of its manifest where it has one."""
        self._beat()
        listed = await self._objects.list(group.bucket, group.beginning, MAX_PARTS)
        if len(listed) > MAX_PARTS:
            why = (
                f"More than {MAX_PARTS} keys begin with {group.beginning!r}, more than one item should have."
            )
            raise blocked(group.rule, Reason.TOO_MANY_PARTS, why)
        seen = self._routes.seen(group, listed)
        route = group.rule.route
        if seen.marker is None or route.group is None or not route.group.manifest:
            return seen, None
        self._beat()
        content = await self._objects.read(group.bucket, group.marker, MAX_BYTES + 1)
        return (seen if content is not None else replace(seen, marker=None)), content

    async def _registered(
        self, part: PartOf, seen: Seen, found: Verdicts | Ready | None, members: Sequence[Member]
    ) -> Registration | None:
        """What the ledger has as registered for the group: it was complete once, and a part that is not in its item came
        late. What an operator sent again is not judged by the ledger alone.
        """
        if not seen.parts or any(member.again for member in members):
            return None
        identity = found.identity if isinstance(found, Ready) else identity_of(part, seen)
        entry = await self._entry_of(identity)
        if entry is None or not entry.registered or not entry.object.same_place(part.group.place):
            return None
        return Registration(identity, entry.object, entry.at)

    async def _file(self, group: GroupOf, part: Part, notes: Notes | None) -> FileDraft:
        """One object of a complete group, with its sidecars."""
        rule, key = group.rule, part.listed.key
        if rule.sidecars is None:
            return FileDraft(key, part.values)
        asked = wanted(rule, key, part.values, type_of(rule, key))
        facts = await self._facts(rule, group.bucket, asked)
        return draft(rule, asked, part.values, facts, notes, self._now())

    async def _facts(self, rule: Rule, bucket: str, asked: Wanted) -> Facts:
        """The answers, the questions asked in the order in which a missing one makes the others needless."""
        objects, facts = self._objects, Facts()
        if asked.head:
            self._beat()
            facts = replace(facts, head=await objects.head(bucket, asked.key))
            if facts.head is None:
                return facts
        if asked.tags:
            self._beat()
            facts = replace(facts, tags=await objects.tags(bucket, asked.key))
        if asked.thumbnail is not None:
            self._beat()
            facts = replace(facts, thumbnail=await objects.head(bucket, asked.thumbnail))
            if facts.thumbnail is None:
                return facts
        picture = asked.key
        if asked.high is not None:
            self._beat()
            facts = replace(facts, high=await objects.list(bucket, asked.high, MAX_PARTS))
            if asked.low is not None:
                self._beat()
                facts = replace(facts, low=await objects.list(bucket, asked.low, MAX_PARTS))
            picture = first_frame(asked, facts.high) or ""
        if asked.picture and picture:
            self._beat()
            facts = replace(facts, picture=await self._start(rule, bucket, picture))
        return facts

    async def _start(self, rule: Rule, bucket: str, key: str) -> bytes | None:
        try:
            return await self._objects.read(bucket, key, PICTURE_BYTES)
        except Refused:
            head = await self._objects.head(bucket, key)
            if head is not None and head.archived:
                raise archived(rule, head) from None
            raise


def _decisions(
    group: GroupOf, one: Member | None, decided: Decided | None, others: Iterable[Member], reason: Reason
) -> list[tuple[Member, Decided]]:
    first: list[tuple[Member, Decided]] = [] if one is None or decided is None else [(one, decided)]
    return first + [(member, waiting(group, reason)) for member in others]
