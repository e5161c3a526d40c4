"""Groups: several objects that make one item, judged by a listing of their keys. S3 is the state: nothing here remembers.

The rules that hold here: a record is judged only by a listing that began after it was received; of the records that one
listing judges at most one goes on, for it, or the part that completes the group, will list all the others again.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.core.forms import blocked, slot_name
from worker.core.model import Kind, Later, Notes, Outcome, Reason, RecordId, Registration, S3Object
from worker.core.objects import Listed
from worker.core.routes import Completeness, Group
from worker.core.rules import Rule
from worker.core.shares import LONGEST_DELAY

MAX_PARTS = 10_000
"""More objects than this in one group are refused: all of them go in one request."""

_MARK = 10
"""Characters that stand for a key in the ledger: two of ten thousand keys share theirs once in twenty thousand groups."""

_NAMED = 5
"""How many missing parts an outcome names."""


@dataclass(frozen=True, slots=True)
class GroupOf:
    """A group: the *rule* that makes one item of it, and what its keys begin with, the route's prefix included."""

    rule: Rule
    bucket: str
    beginning: str

    @property
    def place(self) -> S3Object:
        """What a stand-in of the group has in common with every other."""
        return S3Object(self.bucket, self.beginning)

    @property
    def marker(self) -> str:
        """The key of its marker or manifest; empty where it has none."""
        return self.beginning + self.rule.marker if self.rule.marker else ""


class Member(NamedTuple):
    """A record that waits for its group to be judged. *key* is its object's. *again*: an operator sent it."""

    record: RecordId
    key: str
    notes: Notes | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a group, as listed, and what templates are told of it."""

    listed: Listed
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a listing shows of a group: its *parts* in the order of their keys (an object that is empty is none yet), its
    marker or manifest, and by key all objects that a manifest may name.
    """

    parts: tuple[Part, ...]
    marker: Listed | None = None
    files: Mapping[str, Listed] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        """The key that sorts first of the parts; the marker's, where there is no part."""
        keys = [part.listed.key for part in self.parts] or ([self.marker.key] if self.marker else [])
        return min(keys, default=None)


@dataclass(frozen=True, slots=True)
class Whole:
    """All parts are there: *parts* in the order of their slots."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Lacking:
    """Not all of them are. *what*: a part of a sentence that names what is not there."""

    what: str


def stand_in(group: GroupOf, parts: Sequence[Part], seen: Seen) -> S3Object:
    """What the ledger holds for a group: where its keys begin, and in place of the etag a fingerprint of what the objects
    hold that make the item, and a mark of each key, so that a part that was overwritten and one that came late can be
    told apart. The size is their number.
    """
    listed = [part.listed for part in parts]
    told = listed + ([seen.marker] if seen.marker and _group(group.rule).manifest else [])
    keys = {each.key for each in listed} | ({seen.marker.key} if seen.marker else set())
    marks = "".join(sorted(map(_mark, keys)))
    return S3Object(group.bucket, group.beginning, None, f"{fingerprint(told)}-{marks}", len(keys))


def same_keys(one: S3Object, other: S3Object) -> bool:
    """Whether two stand-ins are made of the same keys."""
    return _marks(one) == _marks(other)


def has_keys(one: S3Object, other: S3Object) -> bool:
    """Whether the stand-in *one* has all keys of the *other*."""
    return _marks(one) >= _marks(other)


def has_key(one: S3Object, key: str) -> bool:
    """Whether the stand-in is made of this key, among others."""
    return _mark(key) in _marks(one)


def _fingerprint_of(stand_in: S3Object) -> str:
    return (stand_in.etag or "").partition("-")[0]


def _marks(stand_in: S3Object) -> frozenset[str]:
    marks = (stand_in.etag or "").rpartition("-")[2]
    return frozenset(marks[at : at + _MARK] for at in range(0, len(marks), _MARK))


def _mark(key: str) -> str:
    return _digest([key])[:_MARK]


def fingerprint(listed: Iterable[Listed]) -> str:
    """Changes when an object comes, goes or is overwritten, in whatever order they are told."""
    return _digest(f"{each.key}\0{each.etag}" for each in listed)


def complete(group: GroupOf, seen: Seen) -> Whole | Lacking:
    """Whether the group is complete, as far as the listing shows it: not by a quiet period, nor by a manifest's content.

    Raises :class:`CannotBe` for a group that never will be as it is.
    """
    wanted = _group(group.rule)
    match wanted.complete:
        case Completeness.SLOTS:
            return _by_slots(group, wanted, seen)
        case Completeness.COUNT:
            if len(seen.parts) > wanted.count:
                why = f"The group holds {len(seen.parts)} files, and its route says count: {wanted.count}."
                raise blocked(group.rule, Reason.TOO_MANY_PARTS, why)
            if len(seen.parts) < wanted.count:
                return Lacking(f"{len(seen.parts)} of {wanted.count} files are there")
        case Completeness.MARKER | Completeness.MANIFEST:
            if seen.marker is None:
                return Lacking(f"{group.marker} is not there")
            if not seen.parts and wanted.marker:  # a manifest may name files that the route does not take
                return Lacking(f"no file beside {group.marker} is there")
        case Completeness.QUIET:
            return Lacking("it was not quiet for long enough")
    return Whole(in_order(seen.parts))


def in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts by their keys, numbers in them by their size: slice 2 comes before slice 10."""
    return tuple(sorted(parts, key=lambda part: natural(part.listed.key)))


def _by_slots(group: GroupOf, wanted: Group, seen: Seen) -> Whole | Lacking:
    by_slot: dict[str, list[Part]] = {name: [] for name in wanted.slots}
    for part in in_order(seen.parts):
        name = slot_name(group.rule, part.values)
        if name not in by_slot:
            why = (
                f"{part.listed.key!r} would go to slot {name!r}, and the route's slots are {', '.join(wanted.slots)}. Exclude "
                "it, or name its slot."
            )
            raise blocked(group.rule, Reason.UNEXPECTED_PART, why)
        by_slot[name].append(part)
    missing = [name for name, parts in by_slot.items() if not parts]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        return Lacking(f"no file for {_slots(missing[:_NAMED])}{more} is there")
    return Whole(tuple(part for name in wanted.slots for part in by_slot[name]))


def _slots(names: Sequence[str]) -> str:
    return f"slot{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"


# -- who goes on ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of the members of a group that one listing judged: *one* goes on, as *later* says; the *others* wait for
    it, or for a part that is there already and goes on elsewhere.
    """

    one: Member | None
    later: Later | Outcome | None
    others: Sequence[Member]


def incomplete(
    group: GroupOf, seen: Seen, lacking: Lacking, members: Sequence[Member], now: float
) -> Verdicts:
    """The witness is the record of the key that sorts first of all that is there, or one whose own object has gone: with
    it nobody knows whose witness it was. It is postponed, and dead-lettered when the route's time has run out.
    """
    there = _keys(seen)
    witnesses = [member for member in members if member.key == seen.first] or [
        member for member in members if member.key not in there
    ]
    if not there:
        text = "Nothing of the group is there any more but empty objects."
        return Verdicts(members[0], _gone(group, text), members[1:])
    if not witnesses:
        return Verdicts(None, None, members)
    witness = min(witnesses, key=_order(group, now))
    return _goes_on(witness, members, _wait(group, witness, lacking, now, Notes(now)))


def not_quiet(group: GroupOf, seen: Seen, members: Sequence[Member], now: float) -> Verdicts | Member:
    """A member that goes on, for one of them has seen the same listing for the whole quiet period, so that the group is
    complete; or else one that goes on to look again. Any will do: what it finds then has in it what all of them told of.
    """
    wanted = _group(group.rule)
    mark = fingerprint(part.listed for part in seen.parts)
    quiet = {
        member: now - member.notes.unchanged_since
        if member.notes and member.notes.fingerprint == mark
        else 0.0
        for member in members
    }
    longest = max(members, key=lambda member: (quiet[member], -_waiting_since(now)(member)))
    one = next((member for member in members if member.again), longest)
    if quiet[longest] >= wanted.quiet:
        return one
    notes = Notes(now, mark, now - quiet[longest])
    lacking = Lacking(f"it was not quiet for {wanted.quiet} seconds")
    later = _wait(group, longest, lacking, now, notes, wanted.quiet - quiet[longest])
    return _goes_on(one, members, later)


def _wait(
    group: GroupOf, member: Member, lacking: Lacking, now: float, notes: Notes, at_most: float = LONGEST_DELAY
) -> Later | Outcome:
    """*notes* are those of a first wait, which an earlier one began before."""
    within = _group(group.rule).within
    since = member.notes.waiting_since if member.notes else now
    left = since + within - now
    if left <= 0:
        why = f"Of the group {group.beginning!r}, {lacking.what} within {within} seconds."
        return Outcome(Kind.BLOCKED, Reason.MISSING_PARTS, why, _name(group))
    reason = Reason.GROUP_QUIETING if notes.fingerprint else Reason.GROUP_INCOMPLETE
    outcome = Outcome(Kind.POSTPONED, reason, f"Of the group, {lacking.what}.", _name(group))
    delay = max(1, min(LONGEST_DELAY, int(min(left, at_most)) + 1))
    return Later(outcome, delay, Notes(since, notes.fingerprint, notes.unchanged_since))


def _goes_on(one: Member, members: Sequence[Member], later: Later | Outcome) -> Verdicts:
    return Verdicts(one, later, [member for member in members if member is not one])


def registered(
    group: GroupOf, before: Registration, seen: Seen, members: Sequence[Member]
) -> list[tuple[Member, Outcome]]:
    """What becomes of the records of a group that was registered *before*. One that waited for quiet speaks for all that
    it saw: the records of the others are gone.
    """
    there, name, held = _keys(seen), _name(group), before.object
    late = f"The item of the group was registered before with {held.size} objects, and without this one; Darwin keeps it."
    others_late = (
        f"The item of the group was registered before with {held.size} objects, and some of {len(there)} that are there now "
        "are not in it; Darwin keeps it."
    )
    more = any(not has_key(held, key) for key in there)

    def outcome(member: Member) -> Outcome:
        if not has_key(held, member.key):
            if member.key not in there:
                return _gone(group, "The object is not there any more, or is empty.")
            return Outcome(Kind.BLOCKED, Reason.LATE_PART, late, name)
        saw = member.notes.fingerprint if member.notes else ""
        if more and saw and saw != _fingerprint_of(held):
            return Outcome(Kind.BLOCKED, Reason.LATE_PART, others_late, name)
        return Outcome(Kind.DUPLICATE, Reason.IN_LEDGER, "", name, before)

    return [(member, outcome(member)) for member in members]


def carrier(group: GroupOf, members: Sequence[Member]) -> Member:
    """The record that the item of a complete group belongs to. One that is the witness, if any is: should the group lose a
    part before its item is sent, nobody else speaks for it.
    """
    return min(members, key=_order(group, math.inf))


def _order(group: GroupOf, now: float) -> Callable[[Member], tuple[bool, str, float]]:
    """By key, the marker's last: it counts where no part is there. Of one key, the record that has waited longest."""
    return lambda member: (member.key == group.marker, member.key, _waiting_since(now)(member))


def _keys(seen: Seen) -> set[str]:
    """Of all that is there."""
    return {part.listed.key for part in seen.parts} | ({seen.marker.key} if seen.marker else set())


def _gone(group: GroupOf, text: str) -> Outcome:
    return Outcome(Kind.IGNORED, Reason.OBJECT_GONE, text, _name(group))


def left_out(group: GroupOf) -> Outcome:
    """What becomes of an object that the group's manifest does not name."""
    text = f"The manifest {group.marker!r} does not name the object, and so the item is made without it."
    return Outcome(Kind.IGNORED, Reason.UNEXPECTED_PART, text, _name(group))


def waiting(group: GroupOf, reason: Reason) -> Outcome:
    """What becomes of a member that does not go on."""
    texts = {
        Reason.IN_ONE_ITEM: "Another record of the group goes on for it, with this part in it.",
        Reason.GROUP_INCOMPLETE: "The group is not complete; the part that completes it will list this one again.",
    }
    return Outcome(Kind.WAITING, reason, texts[reason], _name(group))


# -- its parts --------------------------------------------------------------------------------------------------------------


def values_of_group(group: GroupOf, parts: Sequence[Part]) -> dict[str, str]:
    """What the item-level templates of a group are told: of what its keys begin with, as if that were a key, besides the
    named groups of its parts, which must agree where such a template asks for them. Raises :class:`CannotBe`.
    """
    rule = group.rule
    named: dict[str, str] = {}
    for name in rule.asked_of_item & rule.named:
        found = list(dict.fromkeys(part.values[name] for part in parts))
        if len(found) > 1:
            why = f"The files of the group {group.beginning!r} disagree about {{{name}}}: {found[0]!r} and {found[1]!r}."
            raise blocked(rule, Reason.PARTS_DISAGREE, why)
        named |= {name: found[0]} if found else {}
    ending = "/" if rule.by is None else rule.by.ending
    key = group.beginning.removesuffix(ending) if ending else group.beginning.rstrip("/._- ")
    return rule.values_of_key(group.bucket, key) | named


def _group(rule: Rule) -> Group:
    if rule.route.group is None:
        raise ValueError(f"route {rule.route.name!r} makes no groups")
    return rule.route.group


def _name(group: GroupOf) -> str:
    return group.rule.route.name


def _waiting_since(now: float) -> Callable[[Member], float]:
    return lambda member: member.notes.waiting_since if member.notes else now


def natural(key: str) -> list[tuple[int, int, str]]:
    """What sorts keys so that numbers in them go by their size. Digits of other scripts are text."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", key)
    return [(0, int(piece), piece) if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces]


def _digest(texts: Iterable[str]) -> str:
    summed = hashlib.sha256()
    for text in sorted(texts):
        summed.update(text.encode(errors="surrogatepass") + b"\n")
    return summed.hexdigest()[:32]
