"""What is wrong with a set of routes, told before they run: :func:`problems` must be mended, :func:`cautions` may be meant."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter

from worker.core.darwin import Storage
from worker.core.destinations import destinations
from worker.core.forms import FLAT_SLOT, slots_of_layout
from worker.core.model import ItemType, Mode, OnOverwrite, S3Object
from worker.core.naming import normalise_path, under
from worker.core.routes import Completeness, OnRemoved, Route
from worker.core.routing import Routes
from worker.core.rules import Rule
from worker.core.templates import Chooser, Template


def problems(routes: Routes) -> list[str]:
    """What must be mended before these routes may run: one sentence each, empty when all is well."""
    return [
        *_same_names(routes.every_route),
        *(f"Route {rule.route.name!r}: {why}" for rule in routes.every_rule for why in _impossible(rule)),
        *(problem for route in routes.every_route for problem in _wrong_place(route, routes)),
        *_never_reached(routes.rules),
        *_parts_taken_by_event(routes.rules),
    ]


def cautions(routes: Routes) -> list[str]:
    """What these routes may be meant to do, and costs somebody who did not mean it: one sentence each."""
    return [
        *(caution for rule in routes.every_rule for caution in _flattened(rule)),
        *(caution for rule in routes.every_rule for caution in _marker_beside(rule)),
        *(caution for rule in routes.every_rule for caution in _own_thumbnails(rule)),
        *_one_name(routes.every_rule),
    ]


# -- one route ------------------------------------------------------------------------------------------------------------


def _impossible(rule: Rule) -> Iterator[str]:
    """What Darwin's API would refuse of every item, or what no object could ever bring about."""
    route = rule.route
    if route.glob is not None and route.regex is not None:
        yield "glob and regex both choose keys; write one of them."
    if route.largest is not None and route.largest < route.smallest:
        yield f"size: nothing is larger than {route.smallest} bytes and smaller than {route.largest}."
    yield from _impossible_form(route)
    if route.on_removed is OnRemoved.ARCHIVE:
        if route.group is not None:
            yield "on_removed: archive is for items of one object; a group loses a part only."
        if rule.asks_metadata or rule.asks_tags:
            yield "on_removed: archive needs a place that the key alone tells; a removed object has no metadata or tags."
    yield from _impossible_group(rule)
    yield from _impossible_layout(route)
    yield from _impossible_frames(rule)


def _impossible_form(route: Route) -> Iterator[str]:
    if route.type not in (None, ItemType.VIDEO):
        for name, value in (("fps", route.fps), ("as_frames", route.as_frames)):
            if value is not None:
                yield f"{name} is for videos, and the route's type is {route.type}."
    if route.extract_views:
        if route.type not in (None, ItemType.DICOM):
            yield f"extract_views is for DICOM, and the route's type is {route.type}."
        if route.slot not in ("", FLAT_SLOT) or route.group is not None:
            yield 'extract_views needs the file in slot "0", and one file per item: leave slot and group out.'


def _impossible_group(rule: Rule) -> Iterator[str]:
    group = rule.route.group
    if group is None:
        return
    if rule.route.head:
        yield "head: a group is judged by a listing, which shows what is there; leave head out."
    if rule.route.events:
        yield "events: a group is judged by a listing, which shows no events; leave events out."
    if group.complete is Completeness.QUIET and group.quiet >= group.within:
        yield f"group: it can never be quiet for {group.quiet} seconds within {group.within}."
    if group.complete is not Completeness.SLOTS:
        return
    if doubled := next((name for name in group.slots if group.slots.count(name) > 1), None):
        yield f"group: slot {doubled!r} stands twice in complete."
    possible = _possible_slots(rule)
    if possible is not None and (never := [name for name in group.slots if name not in possible]):
        yield (
            f"group: no file ever goes to slot {never[0]!r}, so the group can never be complete; slot makes "
            f"{', '.join(map(repr, sorted(possible)))}."
        )


def _possible_slots(rule: Rule) -> set[str] | None:
    """All slots that the route can name; None when they depend on the object."""
    if isinstance(rule.slot, Chooser):
        table = rule.slot.table
        return {*table.values.values(), *([table.otherwise] if table.otherwise is not None else [])}
    return None if rule.slot.names else {rule.slot.text or FLAT_SLOT}


def _impossible_layout(route: Route) -> Iterator[str]:
    """A layout names slots; where the route says which there are, it can name no others."""
    named = slots_of_layout(route.layout)
    if route.group is not None:
        known = set(route.group.slots)
    else:
        known = {route.slot or FLAT_SLOT} if isinstance(route.slot, str) and "{" not in route.slot else set()
    if known and (strange := sorted(named - known)):
        yield f"layout names slot {strange[0]!r}, and the item has {', '.join(map(repr, sorted(known)))}."


def _impossible_frames(rule: Rule) -> Iterator[str]:
    sidecars = rule.route.sidecars
    if rule.sidecars is None or sidecars is None:
        return
    for name, frames in (("high", rule.sidecars.high), ("low", rule.sidecars.low)):
        if frames is not None and not frames.beginning.ending:
            yield (
                f"frames.{name}: what the frames of gate.mp4 begin with, those of gate2.mp4 begin with too; end it with a slash."
            )
    if rule.sidecars.high is not None and sidecars.frames_quiet >= sidecars.within:
        yield f"frames: they can never be unchanged for {sidecars.frames_quiet} seconds within {sidecars.within}."


# -- a route and Darwin's storages ------------------------------------------------------------------------------------------


def _wrong_place(route: Route, routes: Routes) -> Iterator[str]:
    storages, archive = routes.storages, routes.archive
    own = storages.get((route.lane.team, route.lane.storage))
    if own is not None and route.bucket not in (None, own.bucket):
        yield (
            f"Route {route.name!r} watches bucket {route.bucket!r}, but its storage {route.lane.storage!r} reads "
            f"bucket {own.bucket!r}: name that bucket, or a storage on the watched one."
        )
    if own is not None:
        yield from _wrong_mode(route, own)
    bucket = route.bucket or (own.bucket if own is not None else None)
    for (_, slug), storage in storages.items():
        if storage.bucket == bucket and storage.prefix.strip("/") and _inside(storage.prefix, route.prefix):
            yield (
                f"Route {route.name!r} watches prefix {route.prefix!r} of bucket {bucket!r}, where Darwin writes what it "
                f"makes for storage {slug!r} (prefix {storage.prefix!r}): what it wrote would be registered again, "
                "without end. Watch another prefix, or change the storage's."
            )
    if archive is not None and archive.meets(bucket, route.prefix):
        yield (
            f"Route {route.name!r} watches prefix {route.prefix!r} of bucket {bucket!r}, and the archive keeps its receipts "
            f"there ({archive}): each of its objects would make a message, and the messages objects, without end. Watch a "
            "prefix beside it, or set WORKER_ARCHIVE__URL to a bucket or a prefix that no route watches."
        )


def _wrong_mode(route: Route, storage: Storage) -> Iterator[str]:
    if storage.mode is Mode.READ_ONLY and route.sidecars is None:
        yield (
            f"Route {route.name!r}: storage {route.lane.storage!r} is read-only in Darwin, which then makes no thumbnail: say "
            "with `thumbnail` where it lies, or use a read-write storage."
        )
    if storage.mode is Mode.READ_WRITE and route.sidecars is not None:
        yield (
            f"Route {route.name!r}: storage {route.lane.storage!r} is read-write in Darwin, which makes thumbnails and frames "
            "itself: leave `thumbnail` and `frames` out, or use a read-only storage."
        )
    if storage.mode is Mode.READ_ONLY and route.type is ItemType.DICOM:
        yield f"Route {route.name!r}: a read-only storage takes no DICOM; convert it to images, or use a read-write storage."


# -- one route and another ----------------------------------------------------------------------------------------------------


def _same_names(routes: list[Route]) -> Iterator[str]:
    for name, count in Counter(route.name for route in routes).items():
        if count > 1:
            yield f"Two routes are named {name!r}: give each a name of its own."


def _never_reached(rules: list[Rule]) -> Iterator[str]:
    """Of each route, the first one that stands before it and takes all that it could take."""
    taken: dict[tuple[str | None, str], tuple[int, Route]] = {}
    for position, rule in enumerate(rules):
        later = rule.route
        above = [
            taken[place]
            for bucket in dict.fromkeys((None, later.bucket))
            for prefix in _prefixes(rule.prefix)
            if (place := (bucket, prefix)) in taken
        ]
        if above:
            earlier = min(above, key=itemgetter(0))[1]
            yield (
                f"Route {later.name!r} can never match: route {earlier.name!r} stands before it and takes all that "
                f"lies below prefix {earlier.prefix!r}. Put {later.name!r} first."
            )
        if _takes_all(later):
            taken.setdefault((later.bucket, rule.prefix), (position, later))


def _parts_taken_by_event(rules: list[Rule]) -> Iterator[str]:
    """Whether an earlier route would take a part by its event, no listing tells, and the group would never be complete."""
    by_event = list[Rule]()
    for rule in rules:
        later = rule.route
        if later.group is not None and (earlier := next((e for e in by_event if _may_share(e, rule)), None)):
            yield (
                f"Route {later.name!r} makes groups, whose parts route {earlier.route.name!r} before it may take by their "
                f"events, which a listing does not show. Put {later.name!r} first."
            )
        if later.events:
            by_event.append(rule)


def _may_share(one: Rule, other: Rule) -> bool:
    """Whether bucket and prefix leave keys to both."""
    buckets = {one.route.bucket, other.route.bucket}
    return (len(buckets) == 1 or None in buckets) and _may_meet(one.prefix, other.prefix)


def _prefixes(prefix: str) -> list[str]:
    """The empty one, and all that end with a slash of *prefix*, which ends with one."""
    return ["", *(prefix[: slash.end()] for slash in re.finditer("/", prefix))]


def _takes_all(route: Route) -> bool:
    """Whether nothing but bucket and prefix chooses, as far as can be told without trying keys."""
    anything = route.glob in (None, "**", "**/*") and route.regex in (None, ".*", ".+")
    narrowed = (
        route.exclude or route.extensions or route.smallest or route.largest is not None or route.events
    )
    return anything and not narrowed


def _inside(outer: str, inner: str) -> bool:
    """Whether prefix *inner* is *outer* or lies below it."""
    return under(outer, inner.strip("/") + "/")


def _flattened(rule: Rule) -> Iterator[str]:
    """Keys that differ in their folders only get one name: the second one is blocked as a collision."""
    route = rule.route
    told = rule.path.whole | rule.name.whole
    if route.group is not None or told & ({"folder", "key"} | rule.named):
        return
    if route.glob is not None and "/" not in route.glob and "**" not in route.glob:
        return
    if route.on_overwrite is OnOverwrite.REGISTER or rule.name.names - {"filename", "stem", "ext"}:
        return
    yield (
        f"Route {route.name!r} loses the folders of its keys: path {route.path!r} and name {route.item_name!r} are the same for "
        "a/1.jpg and b/1.jpg, and the second one would be a dead letter (name_collision). Use {folder} in one of them."
    )


def _marker_beside(rule: Rule) -> Iterator[str]:
    """The marker of a group is mostly meant to lie in its folder."""
    if rule.by is not None and rule.marker and not rule.by.ending and not rule.marker.startswith("/"):
        yield (
            f"Route {rule.route.name!r} looks for {rule.by.text}{rule.marker}, without a slash between them. End `by` with a "
            f"slash if {rule.marker} lies in the group's folder."
        )


def _own_thumbnails(rule: Rule) -> Iterator[str]:
    """Each would wait for a thumbnail of its own."""
    if rule.sidecars is None:
        return
    ext = next(iter(rule.route.extensions), "png").strip(".")
    values = rule.values_of_key("", f"{rule.prefix}a/b.{ext}") | dict.fromkeys(rule.named, "c")
    size = rule.route.largest if rule.route.largest is not None else rule.route.smallest
    thumbnail = S3Object(rule.route.bucket or "", rule.sidecars.thumbnail.render(values), size=size)
    if rule.takes(thumbnail) is not None:
        yield (
            f"Route {rule.route.name!r} takes its own thumbnails, such as {thumbnail.key!r}, and waits for a thumbnail of each. "
            "Exclude them, or keep them elsewhere."
        )


def _one_name(rules: list[Rule]) -> Iterator[str]:
    """Pairs of routes, such that of any two that can give one name one at least is in a pair: all pairs of a thousand routes
    would be half a million sentences.
    """
    by_dataset: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for position, rule in enumerate(rules):
        for lane in destinations(rule.route):
            place = lane.team, lane.dataset
            by_dataset.setdefault(place, []).append(("/" + rule.path.beginning.lstrip("/"), position))
    pairs = {pair for places in by_dataset.values() for pair in _meeting(rules, sorted(places))}
    for first, second in sorted(pairs):
        yield (
            f"Routes {rules[first].route.name!r} and {rules[second].route.name!r} can give one path and name in one dataset to "
            "two objects, of which the second one would be a dead letter (name_collision). Begin their paths differently."
        )


def _meeting(rules: list[Rule], places: list[tuple[str, int]]) -> Iterator[tuple[int, int]]:
    """*places*: what paths begin with, and whose path it is, in order: those that begin with another one stand behind it."""
    alone = list(places)
    for beginning, one in places:
        start = end = bisect_right(alone, (beginning, one))
        while end < len(alone) and alone[end][0].startswith(beginning):
            end += 1
        met = {
            other
            for _, other in alone[start:end]
            if _may_be_one(rules[min(one, other)], rules[max(one, other)])
        }
        alone[start:end] = [place for place in alone[start:end] if place[1] not in met]
        yield from ((min(one, other), max(one, other)) for other in met)


def _may_be_one(earlier: Rule, later: Rule) -> bool:
    return (
        _may_meet(earlier.name.beginning, later.name.beginning)
        and _may_meet(earlier.name.ending[::-1], later.name.ending[::-1])
        and not _other_paths(earlier.path, later.path)
        and not _told_apart(earlier.route, later.route)
        and not _out_of_reach(earlier, later)
    )


def _other_paths(one: Template, other: Template) -> bool:
    """Whether both are literal, and differ."""
    if one.names or other.names:
        return False
    return normalise_path(one.beginning) != normalise_path(other.beginning)


def _may_meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _told_apart(one: Route, other: Route) -> bool:
    """By the prefix: keys below the same one that keep their folders and names have different places."""
    keep = all("{folder}" in route.path and "{filename}" in route.item_name for route in (one, other))
    apart = {e.lower().lstrip(".") for e in one.extensions}, {e.lower().lstrip(".") for e in other.extensions}
    if keep and all(apart) and not apart[0] & apart[1]:
        return True
    same = (one.bucket, one.prefix.strip("/"), one.path) == (
        other.bucket,
        other.prefix.strip("/"),
        other.path,
    )
    return keep and same


def _out_of_reach(earlier: Rule, later: Rule) -> bool:
    """Whether the later route would need keys for it that the earlier one takes all of: it keeps the folders below its
    prefix, and those that would lead below the earlier one's path lead below the earlier one's prefix.
    """
    if later.path.text != later.path.beginning + "{folder}" or earlier.path.text not in (
        earlier.path.beginning,
        earlier.path.beginning + "{folder}",
    ):
        return False
    root, below = _folder(later.path.beginning), _folder(earlier.path.beginning)
    if earlier.route.lane.storage != later.route.lane.storage or not below.startswith(root):
        return False
    keys = later.prefix + below.removeprefix(root)
    return keys != "" and _takes_all(earlier.route) and _inside(earlier.route.prefix, keys)


def _folder(path: str) -> str:
    return normalise_path(path).rstrip("/") + "/"
