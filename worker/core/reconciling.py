"""A bucket against Darwin's datasets: what a listing expects of Darwin, and what an item list says to that.

The rules that hold here: a bucket is listed before Darwin is asked, so whatever is listed had its time to be registered
but for the youngest; nothing is told of an item that an object outside the listing may account for.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from worker.core.destinations import destinations
from worker.core.forms import CannotBe, FileDraft, dataset_of, item_of, item_of_parts, place_of
from worker.core.grouping import Seen, values_of_group
from worker.core.judging import identity_of
from worker.core.model import (
    Identity,
    Item,
    Later,
    Notes,
    OnExisting,
    OnOverwrite,
    Outcome,
    Record,
    S3Object,
)
from worker.core.objects import Found, Listed
from worker.core.routes import Route
from worker.core.routing import Draft, PartOf, Routes
from worker.core.rules import Rule
from worker.core.templates import Template

ANY_VERSION = "\ue000" * 1024
"""Stands for every version of an object, which a listing does not tell: so long that a part of it that a template takes is
some of it still.
"""


# -- where to look -----------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """All keys of a bucket that begin with *prefix*."""

    bucket: str
    prefix: str

    def holds(self, other: "Place") -> bool:
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a route's objects lie, and the datasets of *team* that they may go to; None: any."""

    team: str
    place: Place
    datasets: frozenset[str] | None

    def feeds(self, team: str, dataset: str) -> bool:
        return self.team == team and (self.datasets is None or dataset in self.datasets)


def sources(routes: Routes) -> list[Source]:
    """One for each route. The one of last resort may take whatever lies in its bucket."""
    return [_source(routes, rule) for rule in routes.every_rule]


def _source(routes: Routes, rule: Rule) -> Source:
    lane = rule.route.lane
    storage = routes.storages.get((lane.team, lane.storage))
    bucket = rule.route.bucket or (storage.bucket if storage else "")
    place = Place(bucket, "" if rule is routes.last else rule.prefix)
    named = frozenset(lane.dataset for lane in destinations(rule.route))
    return Source(lane.team, place, None if isinstance(rule.dataset, Template) else named)


def apart(places: Iterable[Place]) -> list[Place]:
    """The same keys by as few places as do, so that no key lies in two of them."""
    found: list[Place] = []
    for place in sorted(set(places)):
        if not any(before.holds(place) for before in found):
            found.append(place)
    return found


def wholly_listed(known: Iterable[Source], listed: Iterable[Place], team: str, dataset: str) -> bool:
    """Whether every object that may be in the dataset lies in what was listed."""
    places = list(listed)
    return all(
        any(place.holds(source.place) for place in places) for source in known if source.feeds(team, dataset)
    )


def for_listings(routes: Routes) -> Routes:
    """The routes as they take objects that no event tells of: whichever event that was, and while a route is paused too."""

    def listing(route: Route) -> Route:
        return replace(route, events=(), paused=False)

    last = routes.fallback
    return Routes(
        tuple(map(listing, routes.routes)),
        listing(last) if isinstance(last, Route) else last,
        routes.storages,
        routes.archive,
    )


# -- what a listing expects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """An item that a listed object makes, or is a part of. *source* tells one item's objects from another's. *asks*: only S3
    can tell whether the item can be made now. *adopts*: an item of its path and name that was there before will do.
    *versions*: a GLOB of the names under which further versions of the object are registered; empty where none are.
    """

    identity: Identity
    route: str
    object: S3Object
    source: str
    modified: float
    asks: bool = False
    adopts: bool = False
    versions: str = ""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An object whose item's place only S3 can tell."""

    route: str
    object: S3Object
    source: str
    modified: float


def listed_object(bucket: str, found: Found) -> S3Object:
    return S3Object(bucket, found.key, ANY_VERSION, found.etag, found.size)


def record_of(held: S3Object, modified: float | None = None, event: str = "Put") -> Record:
    """As S3 would tell of an object that was found by a listing."""
    return Record(replace(held, version=None), f"ObjectCreated:{event}", modified)


def expect(routes: Routes, bucket: str, found: Found) -> Expected | Unplaced | Outcome:
    """What a listed object makes Darwin hold, by *routes* that are :func:`for_listings`; an outcome where it makes no item."""
    held = listed_object(bucket, found)
    decided = routes.decide(Record(held, "ObjectCreated:Put"))
    try:
        match decided:
            case Item():
                return of_item(decided, held, _source_of(held), found.modified)
            case Draft(rule=rule) if _place_asks(rule):
                return Unplaced(rule.route.name, _told(held), _source_of(held), found.modified)
            case Draft():
                return of_draft(decided, {}, found.modified)
            case PartOf():
                return _of_part(routes, decided, held, found)
            case Outcome():
                return decided
            case _:
                raise AssertionError(decided)  # nothing was removed, and no route is paused
    except CannotBe as cannot:
        return cannot.outcome


def of_item(item: Item, held: S3Object, source: str, modified: float) -> Expected:
    """Of an item that is made."""
    return Expected(
        item.identity,
        item.route,
        _told(held),
        source,
        modified,
        adopts=item.on_existing is OnExisting.ACCEPT,
        versions=_glob_of(item.versioned),
    )


def of_draft(draft: Draft, told: Mapping[str, str], modified: float) -> Expected:
    """*told*: what S3 told for the templates of the place, by placeholder. Raises :class:`CannotBe`."""
    rule, held, values = draft.rule, draft.object, {**draft.values, **told}
    return Expected(
        Identity(draft.lane.team, dataset_of(rule, values), *place_of(rule, values)),
        rule.route.name,
        _told(held),
        _source_of(held),
        modified,
        asks=True,
        adopts=rule.route.on_existing is OnExisting.ACCEPT,
        versions=_versions(rule, lambda: item_of(rule, held, draft.lane, FileDraft(held.key, values))),
    )


def place_placeholders(rule: Rule) -> frozenset[str]:
    """What the templates of an item's place ask for."""
    return (
        rule.path.names | rule.name.names | (rule.dataset.names if rule.dataset is not None else frozenset())
    )


def _place_asks(rule: Rule) -> bool:
    return any(name.startswith(("metadata.", "tags.")) for name in place_placeholders(rule))


def _of_part(routes: Routes, part: PartOf, held: S3Object, found: Found) -> Expected | Unplaced:
    """A group's place shows in any of its parts; not in a manifest, nor in a marker where the parts' own words count."""
    group, route = part.group, part.group.rule.route
    source = f"{route.name}\n{group.bucket}\n{group.beginning}"
    unplaced = Unplaced(route.name, _told(held), source, found.modified)
    if route.group is not None and route.group.manifest:
        return unplaced
    seen = Seen(())
    if group.rule.asked_of_item & group.rule.named:
        seen = routes.seen(group, [Listed(found.key, found.etag, found.size)])
        if not seen.parts:
            return unplaced
    return Expected(
        identity_of(part, seen),
        route.name,
        _told(held),
        source,
        found.modified,
        asks=True,
        adopts=route.on_existing is OnExisting.ACCEPT,
        versions=_versions(group.rule, lambda: _item_of_any_version(part, seen)),
    )


def _source_of(held: S3Object) -> str:
    return f"{held.bucket}\n{held.key}"


def _told(held: S3Object) -> S3Object:
    return replace(held, version=None)


def _item_of_any_version(part: PartOf, seen: Seen) -> Item:
    group = part.group
    stand_in = replace(group.place, version=ANY_VERSION)
    return item_of_parts(group.rule, stand_in, part.lane, values_of_group(group, seen.parts), ())


def _versions(rule: Rule, item: Callable[[], Item]) -> str:
    """Where the item cannot be told from so little, nor can the names of its versions."""
    if rule.route.on_overwrite is not OnOverwrite.REGISTER:
        return ""
    try:
        return _glob_of(item().versioned)
    except CannotBe:
        return ""


def _glob_of(versioned: str) -> str:
    """SQLite's GLOB for the name of any version."""
    quoted = re.sub(r"[*?[]", r"[\g<0>]", versioned)
    return re.sub(f"{ANY_VERSION[0]}+", "*", quoted)


def unchanged_since(later: Later, modified: float) -> Notes | None:
    """The notes of a wait for things to stay as they are, as if they had been so since they were *modified*; None where the
    wait was for something else.
    """
    if later.notes is None or not later.notes.fingerprint:
        return None
    return replace(later.notes, unchanged_since=modified)
