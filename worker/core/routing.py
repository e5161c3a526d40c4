"""From a record to the item it becomes, to the outcome it has already, or to what must be asked first.

The rules that hold here: the first route that matches decides, and nothing after it is tried; what Darwin wrote is
set aside before any route is asked, but for the markers and sidecars of the routes, of which no item is made (law 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.core.artefacts import is_artefact, written_below
from worker.core.darwin import Storage
from worker.core.forms import CannotBe, FileDraft, blocked, item_of, rejected
from worker.core.grouping import GroupOf, Part, Seen
from worker.core.model import Item, Kind, Lane, Later, Outcome, Reason, Record, S3Object
from worker.core.naming import why_no_key
from worker.core.objects import Listed
from worker.core.receipts import Place
from worker.core.routes import Fallback, OnRemoved, Route
from worker.core.rules import Found, Index, Rule
from worker.core.shares import LONGEST_DELAY
from worker.core.templates import NoValue

Storages = Mapping[tuple[str, str], Storage]
"""Darwin's storages by team and slug, as the lanes name them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An object of which an item comes when S3 was asked more about it."""

    rule: Rule
    object: S3Object
    lane: Lane
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartOf:
    """An object that is a part of a group, or its marker."""

    group: GroupOf
    lane: Lane


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that was removed, and whose item, at *item*'s place, the route wants archived."""

    item: Item


Pending = Draft | PartOf | Removal
"""What S3 or Darwin must be asked of before it is decided."""


class Routes:
    """The routes in their order, what comes after them, the storages, and where receipts are kept, if they are. Until Darwin
    has told its storages, routes can only be looked at, not decide.

    A *fallback* that is a route takes whatever no other route matched, so its bucket, prefix and patterns do not choose.
    Raises :class:`~worker.core.rules.FieldError` for what cannot be used of a route. What else is wrong,
    :func:`worker.core.conflicts.problems` tells.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        fallback: Route | Fallback,
        storages: Storages | None = None,
        archive: Place | None = None,
    ) -> None:
        self.routes = routes
        self.fallback = fallback
        self.archive = archive
        self.storages = dict(storages or {})
        self.rules = [Rule(route) for route in routes]
        self.last = Rule(fallback) if isinstance(fallback, Route) else None
        self._of_last_resort = None if self.last is None else Found(self.last, {})
        self._index = Index(self.rules)
        self._with_sidecars = [rule for rule in self.every_rule if rule.sidecars is not None]
        self._written_below: dict[str, tuple[str, ...]] = {}
        for storage in self.storages.values():
            before = self._written_below.get(storage.bucket, ())
            self._written_below[storage.bucket] = before + written_below(storage.prefix)

    @property
    def every_rule(self) -> list[Rule]:
        return [*self.rules, *([self.last] if self.last is not None else [])]

    @property
    def asks_s3(self) -> bool:
        """Whether S3 may have to be asked about an object."""
        return any(rule.asks_s3 for rule in self.every_rule)

    @property
    def every_route(self) -> list[Route]:
        return [rule.route for rule in self.every_rule]

    def find(self, held: S3Object, event: str = "") -> Found | None:
        """The rule that takes the object, or whose group it marks; an *event* of "" is any."""
        return self._index.find(held, event) or self._of_last_resort

    def decide(self, record: Record) -> Item | Outcome | Later | Pending:
        """What becomes of a record, as far as it tells by itself. Looks at nothing but its arguments; never raises."""
        held, family = record.object, record.event.partition(":")[0]
        if self._is_receipt(held.bucket, held.key):
            return _ignored(Reason.RECEIPT, "The object lies where the archive keeps its receipts.")
        if family in ("ObjectRemoved", "LifecycleExpiration"):
            return self._removed(record)
        if family != "ObjectCreated":
            return _ignored(Reason.OTHER_EVENT, "The event does not tell of a new object.")
        first = self._index.find(held, record.event)
        if (first is None or first.marks is None) and (aside := self._aside(held, first)) is not None:
            return aside
        found = first or self._of_last_resort
        if found is None:
            kind = Kind.BLOCKED if self.fallback is Fallback.DEAD_LETTER else Kind.IGNORED
            return Outcome(kind, Reason.NO_ROUTE, "No route matches the object.")
        try:
            return self._begun(found, held)
        except CannotBe as cannot:
            return cannot.outcome

    def _begun(self, found: Found, held: S3Object) -> Item | Later | Pending:
        rule = found.rule
        if rule.route.paused:
            return _paused(rule)
        lane = self._lane(rule, held)
        if found.marks is not None:
            return PartOf(GroupOf(rule, held.bucket, rule.prefix + found.marks), lane)
        values = rule.values(held, found.groups)
        drafted = rule.sidecars is not None or rule.route.head or rule.asks_metadata or rule.asks_tags
        if rule.route.group is None and not drafted:
            return item_of(rule, held, lane, FileDraft(held.key, values))
        if why := why_no_key(held.key):
            raise rejected(rule, Reason.INVALID_KEY, why)
        if rule.route.group is None:
            return Draft(rule, held, lane, values)
        return PartOf(GroupOf(rule, held.bucket, rule.prefix + _beginning(rule, held, values)), lane)

    def _lane(self, rule: Rule, held: S3Object) -> Lane:
        """The route's lane, its dataset perhaps still to be chosen."""
        lane = rule.route.lane
        storage = self.storages.get((lane.team, lane.storage))
        if storage is None:
            detail = f"Route {rule.route.name!r} registers from storage {lane.storage!r}, which Darwin does not list."
            raise CannotBe(Outcome(Kind.BLOCKED, Reason.STORAGE_MISSING, detail, rule.route.name))
        if held.bucket != storage.bucket:
            detail = (
                f"The object lies in bucket {held.bucket!r}, but storage {lane.storage!r} of route "
                f"{rule.route.name!r} reads bucket {storage.bucket!r}."
            )
            raise CannotBe(Outcome(Kind.REJECTED, Reason.OTHER_BUCKET, detail, rule.route.name))
        return lane

    def _removed(self, record: Record) -> Outcome | Later | Removal:
        ignored = _ignored(Reason.OBJECT_REMOVED, "The event tells of an object that was removed.")
        held = record.object
        found = self.find(held, record.event)
        if found is None or found.marks is not None or found.rule.route.on_removed is OnRemoved.IGNORE:
            return ignored
        rule = found.rule
        if rule.route.paused:
            return _paused(rule)
        try:
            values = rule.values(held, found.groups)
            return Removal(item_of(rule, held, self._lane(rule, held), FileDraft(held.key, values)))
        except CannotBe:
            return ignored  # of an object that could not be registered there is nothing to archive

    # What needs no route to be decided

    def _aside(self, held: S3Object, first: Found | None) -> Outcome | None:
        key = held.key
        if first is None and any(self._is_sidecar(rule, held) for rule in self._with_sidecars):
            return _ignored(Reason.SIDECAR, "The object belongs to another one, which is registered with it.")
        if key.endswith(("/", "_$folder$")):
            return _ignored(Reason.FOLDER_MARKER, "The object only marks a folder.")
        if held.size == 0 and (first is None or first.rule.route.group is None):
            return _ignored(Reason.EMPTY_OBJECT, "The object is empty.")
        if self._is_artefact(held.bucket, key):
            return _ignored(Reason.DARWIN_ARTEFACT, "Darwin itself wrote the object.")
        return None

    def _is_artefact(self, bucket: str, key: str) -> bool:
        prefixes = self._written_below.get(bucket)
        # Without a storage on the bucket nothing is registered from it.
        return prefixes is not None and is_artefact(key, prefixes)

    def _is_receipt(self, bucket: str, key: str) -> bool:
        return self.archive is not None and self.archive.holds(bucket, key)

    def _is_sidecar(self, rule: Rule, held: S3Object) -> bool:
        lane = rule.route.lane
        storage = self.storages.get((lane.team, lane.storage))
        return (
            rule.sidecars is not None
            and storage is not None
            and storage.bucket == held.bucket
            and rule.sidecars.own(held.key)
        )

    # What a listing shows

    def seen(self, group: GroupOf, listed: Sequence[Listed]) -> Seen:
        """Of a listing of the group's keys, those that are its own: that its rule takes, and that begin in the same way by
        the rule's own words.
        """
        parts = list[Part]()
        files: dict[str, Listed] = {}
        marker: Listed | None = None
        for each in listed:
            if each.key == group.marker:
                marker = each
                continue
            if (
                each.size == 0
                or each.key.endswith(("/", "_$folder$"))
                or self._is_artefact(group.bucket, each.key)
                or self._is_receipt(group.bucket, each.key)
            ):
                continue
            files[each.key] = each
            held = S3Object(group.bucket, each.key, None, each.etag, each.size)
            found = self.find(held)
            if found is None or found.rule is not group.rule or found.marks is not None:
                continue
            values = group.rule.values(held, found.groups)
            try:
                beginning = _beginning(group.rule, held, values)
            except CannotBe:
                continue
            if group.rule.prefix + beginning == group.beginning:
                parts.append(Part(each, values))
        return Seen(tuple(parts), marker, files)


def _beginning(rule: Rule, held: S3Object, values: Mapping[str, str]) -> str:
    """What the keys of the object's group begin with, below the rule's prefix. Raises :class:`CannotBe`."""
    try:
        beginning = rule.beginning(values)
    except NoValue as error:
        raise blocked(rule, Reason.NO_VALUE, str(error)) from None
    if not rule.prefix + beginning:
        raise rejected(
            rule, Reason.INVALID_ITEM, "The object lies in no folder, so its group would be the whole bucket."
        )
    if not held.key.startswith(rule.prefix + beginning):
        why = f"The group would be {beginning!r}, which the key below the route's prefix does not begin with."
        raise rejected(rule, Reason.INVALID_ITEM, why)
    return beginning


def _paused(rule: Rule) -> Later:
    return Later(
        Outcome(Kind.POSTPONED, Reason.ROUTE_PAUSED, "The route is paused.", rule.route.name), LONGEST_DELAY
    )


def _ignored(reason: Reason, detail: str) -> Outcome:
    return Outcome(Kind.IGNORED, reason, detail)
