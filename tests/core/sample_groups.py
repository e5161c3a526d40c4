"""A group as its listings show it, for the tests of groups."""

from collections.abc import Iterable
from typing import Any

from tests.core.sample_routes import LANE, STORAGES, created
from worker.core.forms import FileDraft
from worker.core.grouping import GroupOf, Member, Part, Seen
from worker.core.model import Notes, RecordId
from worker.core.objects import Listed
from worker.core.routes import Fallback, Group, Route
from worker.core.routing import PartOf, Routes

NOW = 1_000_000.0


def listed(key: str, etag: str = "", size: int = 7) -> Listed:
    return Listed(key, etag or f"e-{key}", size)


def member(key: str, number: int = 0, notes: Notes | None = None, *, again: bool = False) -> Member:
    return Member(RecordId(number, 0), key, notes, again)


def drafts(parts: Iterable[Part]) -> list[FileDraft]:
    return [FileDraft(part.listed.key, part.values) for part in parts]


class Groups:
    """The groups of one route, whose keys lie below ``in/``."""

    def __init__(self, group: Group, *before: Route, **fields: Any) -> None:
        route = Route("rig", LANE, prefix="in", group=group, **fields)
        self.routes = Routes((*before, route), Fallback.IGNORE, STORAGES)

    def part(self, key: str) -> PartOf:
        decided = self.routes.decide(created(key))
        assert isinstance(decided, PartOf)
        return decided

    def of(self, key: str) -> GroupOf:
        return self.part(key).group

    def seen(self, *there: Listed | str, of: str | None = None) -> Seen:
        """What a listing with just these shows of the group *of* this key, or of the first one's."""
        all_of_them = [listed(each) if isinstance(each, str) else each for each in there]
        return self.routes.seen(self.of(of or all_of_them[0].key), all_of_them)
