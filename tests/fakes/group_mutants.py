"""Decisions about groups with one bug each, planted to show that the histories of groups find such bugs."""

from collections.abc import Sequence
from dataclasses import replace

from worker.core import grouping
from worker.core.grouping import GroupOf, Lacking, Member, Part, Seen, Verdicts, fingerprint
from worker.core.model import Notes, S3Object


def nobody_is_a_witness(
    _group: GroupOf, _seen: Seen, _lacking: Lacking, members: Sequence[Member], _now: float
) -> Verdicts:
    """All records of a group that is not complete are forgotten: the last part will come."""
    return Verdicts(None, None, members)


def stand_in_without_keys(group: GroupOf, parts: Sequence[Part], seen: Seen) -> S3Object:
    """What was overwritten and what came late cannot be told apart."""
    return replace(grouping.stand_in(group, parts, seen), etag=fingerprint(part.listed for part in parts))


def quiet_since_the_first_look(
    group: GroupOf, seen: Seen, members: Sequence[Member], now: float
) -> Verdicts | Member:
    """Whatever came or changed since then."""
    mark = fingerprint(part.listed for part in seen.parts)
    unchanged = [
        member._replace(notes=Notes(member.notes.waiting_since, mark, member.notes.waiting_since))
        if member.notes
        else member
        for member in members
    ]
    found = grouping.not_quiet(group, seen, unchanged, now)
    if isinstance(found, Member):
        return members[unchanged.index(found)]
    one = None if found.one is None else members[unchanged.index(found.one)]
    return Verdicts(one, found.later, [member for member in members if member is not one])
