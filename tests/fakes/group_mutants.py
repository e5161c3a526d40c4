"""Decisions about groups with one bug each, planted to show that the histories of groups find such bugs."""

from collections.abc import Sequence
from dataclasses import replace

from worker.core import grouping
from worker.core.grouping import GroupOf, Lacking, Member, Part, Seen, Verdicts, fingerprint
from worker.core.model import S3Object


def nobody_is_a_witness(
    _group: GroupOf, _seen: Seen, _lacking: Lacking, members: Sequence[Member], _now: float
) -> Verdicts:
    """All records of a group that is not complete are forgotten: the last part will come."""
    return Verdicts(None, None, members)


def stand_in_without_keys(group: GroupOf, parts: Sequence[Part], seen: Seen) -> S3Object:
    """What was overwritten and what came late cannot be told apart."""
    return replace(grouping.stand_in(group, parts, seen), etag=fingerprint(part.listed for part in parts))


def only_the_first_key_waits_for_quiet(
    group: GroupOf, seen: Seen, members: Sequence[Member], now: float
) -> Verdicts | Member:
    """As where completeness can be seen: the others are forgotten."""
    first = [member for member in members if member.key == seen.first]
    if not first:
        return Verdicts(None, None, members)
    found = grouping.not_quiet(group, seen, first, now)
    if isinstance(found, Member):
        return found
    return replace(found, others=[member for member in members if member is not found.one])
