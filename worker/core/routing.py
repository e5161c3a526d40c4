"""From a record to the item it becomes, or to the outcome it has already.

The rules that hold here: the first route that matches decides, and nothing after it is tried; what Darwin wrote is
set aside before any route is asked (law 5); prefixes and globs see the decoded key, case-sensitive.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations

from wcmatch import glob as wcmatch
from wcmatch._wcparse import PatternLimitException  # documented as raised, but exported nowhere else

from worker.core import artefacts, filetypes
from worker.core.darwin import Storage
from worker.core.filetypes import Types, Unsupported
from worker.core.model import Item, ItemType, Kind, Lane, OnExisting, Outcome, Reason, Record, S3Object
from worker.core.naming import DEFAULT_PATH, InvalidKey, place, under


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the operator's.

    It matches objects of *bucket* (None: any) below *prefix* whose key below that prefix matches *glob* (None: any).
    *path* is a template, see :func:`worker.core.naming.place`. *type* holds for all its objects, whatever their
    extension; *types* adds to the known extensions or overrides them.
    """

    name: str
    lane: Lane
    bucket: str | None = None
    prefix: str = ""
    glob: str | None = None
    path: str = DEFAULT_PATH
    type: ItemType | None = None
    types: Types = field(default_factory=dict)
    on_existing: OnExisting = OnExisting.BLOCK


class Fallback(StrEnum):
    """What becomes of records that no route matches, unless a route of last resort takes them."""

    IGNORE = "ignore"
    DEAD_LETTER = "dead_letter"


Matcher = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A route made ready."""

    route: Route
    prefix: str
    matches: Matcher | None
    types: Types

    def takes(self, held: S3Object) -> bool:
        bucket = self.route.bucket
        return (
            (bucket is None or bucket == held.bucket)
            and held.key.startswith(self.prefix)
            and (self.matches is None or self.matches(held.key[len(self.prefix) :]))
        )


class Routes:
    """The routes in their order, what comes after them, and the storages by slug as the lanes name them. Until Darwin
    has told its storages, routes can only be looked at, not decide.

    A *fallback* that is a route takes whatever no other route matched, so its bucket, prefix and glob do not choose.
    Raises ValueError for a glob that :func:`compile_glob` refuses. What else is wrong, :func:`problems` tells.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        fallback: Route | Fallback,
        storages: Mapping[str, Storage] | None = None,
    ) -> None:
        self.routes = routes
        self.fallback = fallback
        self.storages = dict(storages or {})
        self._rules = [_ready(route) for route in routes]
        self._last = _ready(fallback) if isinstance(fallback, Route) else None
        self._prefixes: dict[str, list[str]] = {}
        for storage in self.storages.values():
            self._prefixes.setdefault(storage.bucket, []).append(storage.prefix)

    def decide(self, record: Record) -> Item | Outcome:
        """The item to register, or what became of the record. Looks at nothing but its arguments; never raises."""
        held = record.object
        aside = _set_aside(record, self._prefixes.get(held.bucket, ()))
        if aside is not None:
            return aside
        rule = next((rule for rule in self._rules if rule.takes(held)), self._last)
        if rule is None:
            kind = Kind.BLOCKED if self.fallback is Fallback.DEAD_LETTER else Kind.IGNORED
            return Outcome(kind, Reason.NO_ROUTE, "No route matches the object.")
        return self._item(rule, held)

    def _item(self, rule: _Rule, held: S3Object) -> Item | Outcome:
        route = rule.route
        storage = self.storages.get(route.lane.storage)
        if storage is None:
            detail = f"Route {route.name!r} registers from storage {route.lane.storage!r}, which Darwin does not list."
            return Outcome(Kind.BLOCKED, Reason.STORAGE_MISSING, detail, route.name)
        if held.bucket != storage.bucket:
            detail = (
                f"The object lies in bucket {held.bucket!r}, but storage {route.lane.storage!r} of route "
                f"{route.name!r} reads bucket {storage.bucket!r}."
            )
            return Outcome(Kind.REJECTED, Reason.OTHER_BUCKET, detail, route.name)
        where = place(held.key, rule.prefix, route.path)
        if isinstance(where, InvalidKey):
            return Outcome(Kind.REJECTED, Reason.INVALID_KEY, where.why, route.name)
        item_type = route.type
        if item_type is None:
            found = filetypes.type_of(where.name, rule.types)
            if isinstance(found, Unsupported):
                return Outcome(Kind.REJECTED, Reason.UNSUPPORTED_TYPE, _unsupported(found), route.name)
            item_type = found.type
        return Item(route.lane, where.path, where.name, held, route.name, item_type, route.on_existing)


def _ready(route: Route) -> _Rule:
    prefix = route.prefix.strip("/")
    return _Rule(
        route,
        prefix + "/" if prefix else "",
        None if route.glob is None else compile_glob(route.glob),
        filetypes.with_overrides(route.types),
    )


def _set_aside(record: Record, storage_prefixes: Sequence[str]) -> Outcome | None:
    """What needs no route to be decided."""
    family = record.event.partition(":")[0]
    if family in ("ObjectRemoved", "LifecycleExpiration"):
        return _ignored(Reason.OBJECT_REMOVED, "The event tells of an object that was removed.")
    if family != "ObjectCreated":
        return _ignored(Reason.OTHER_EVENT, "The event does not tell of a new object.")
    key = record.object.key
    if key.endswith(("/", "_$folder$")):
        return _ignored(Reason.FOLDER_MARKER, "The object only marks a folder.")
    if record.object.size == 0:
        return _ignored(Reason.EMPTY_OBJECT, "The object is empty.")
    for prefix in storage_prefixes:
        if artefacts.is_artefact(key, prefix):
            return _ignored(Reason.DARWIN_ARTEFACT, "Darwin itself wrote the object.")
    return None


def _ignored(reason: Reason, detail: str) -> Outcome:
    return Outcome(Kind.IGNORED, reason, detail)


def _unsupported(found: Unsupported) -> str:
    what = f"the extension {'.' + found.extension!r}" if found.extension else "no extension"
    return f"The name has {what}, which no type is known for; the route's type or types can name one."


# -- globs ----------------------------------------------------------------------------------------------------------

_GLOB_FLAGS = wcmatch.GLOBSTAR | wcmatch.BRACE | wcmatch.DOTGLOB | wcmatch.FORCEUNIX
_MAX_ALTERNATIVES = 100
_MAX_GLOBSTARS = 2
_GLOBSTAR = r"(?:(?!(?:[/]|^)(?:\.{1,2})(?:$|[/])).)*?"  # what wcmatch makes of ** between slashes
_SLASHES = re.compile("//+")


def compile_glob(glob: str) -> Matcher:
    """A matcher of keys below a route's prefix: ``*`` and ``?`` within a segment, ``**`` across segments,
    ``[a-z]``, ``{jpg,png}``; case-sensitive; slashes in a row count as one. The time is linear in the length of the
    key, which whoever uploads may choose.

    Raises ValueError, with a sentence for the operator, for a glob that can match nothing or could take long.
    """
    if not glob or glob.startswith("/"):
        raise ValueError(
            f"The glob {glob!r} can match nothing: it is compared with the key below the route's prefix, which is "
            "not empty and starts without a slash."
        )
    if glob.count("**") > _MAX_GLOBSTARS:
        raise ValueError(
            f'The glob {glob!r} holds more than {_MAX_GLOBSTARS} times "**"; use a prefix or two routes.'
        )
    try:
        patterns, _ = wcmatch.translate(glob, flags=_GLOB_FLAGS, limit=_MAX_ALTERNATIVES)
    except PatternLimitException:
        raise ValueError(
            f"The braces of the glob {glob!r} make more than {_MAX_ALTERNATIVES} alternatives."
        ) from None
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            matches = re.compile("|".join(map(_without_way_back, patterns))).fullmatch
    except (re.error, FutureWarning):
        raise ValueError(
            f"The brackets of the glob {glob!r} can be read in two ways; write them simpler."
        ) from None
    return lambda key: matches(_SLASHES.sub("/", key)) is not None


def _without_way_back(pattern: str) -> str:
    """What stands between two ``**`` is looked for once: where it fits first, the second ``**`` takes all the rest. To
    try each later place as well would multiply the time by the length of the key.
    """
    *between, last = pattern.split(_GLOBSTAR)
    if len(between) < _MAX_GLOBSTARS:
        return pattern
    first, *inner = between
    return first + "".join(f"(?>{_GLOBSTAR}{each})" for each in inner) + _GLOBSTAR + last


# -- what is wrong with a set of routes -----------------------------------------------------------------------------


def problems(routes: Routes) -> list[str]:
    """What must be mended before these routes may run: one sentence each, empty when all is well."""
    everything = [*routes.routes, *([routes.fallback] if isinstance(routes.fallback, Route) else [])]
    return [
        *_same_names(everything),
        *(problem for route in everything for problem in _wrong_place(route, routes.storages)),
        *_never_reached(routes.routes),
    ]


def _same_names(routes: list[Route]) -> Iterator[str]:
    names = [route.name for route in routes]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"Two routes are named {name!r}: give each a name of its own."


def _wrong_place(route: Route, storages: Mapping[str, Storage]) -> Iterator[str]:
    own = storages.get(route.lane.storage)
    if own is not None and route.bucket not in (None, own.bucket):
        yield (
            f"Route {route.name!r} watches bucket {route.bucket!r}, but its storage {route.lane.storage!r} reads "
            f"bucket {own.bucket!r}: name that bucket, or a storage on the watched one."
        )
    bucket = route.bucket or (own.bucket if own is not None else None)
    for slug, storage in storages.items():
        if storage.bucket == bucket and storage.prefix.strip("/") and _inside(storage.prefix, route.prefix):
            yield (
                f"Route {route.name!r} watches prefix {route.prefix!r} of bucket {bucket!r}, where Darwin writes what "
                f"it makes for storage {slug!r} (prefix {storage.prefix!r}): what it wrote would be registered again, "
                "without end. Watch another prefix, or change the storage's."
            )


def _never_reached(routes: tuple[Route, ...]) -> Iterator[str]:
    for earlier, later in combinations(routes, 2):
        if (
            earlier.glob is None
            and earlier.bucket in (None, later.bucket)
            and _inside(earlier.prefix, later.prefix)
        ):
            yield (
                f"Route {later.name!r} can never match: route {earlier.name!r} stands before it and takes all that "
                f"lies below prefix {earlier.prefix!r}. Put {later.name!r} first."
            )


def _inside(outer: str, inner: str) -> bool:
    """Whether prefix *inner* is *outer* or lies below it."""
    return under(outer, inner.strip("/") + "/")
