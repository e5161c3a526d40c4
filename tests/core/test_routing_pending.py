"""Records of which S3 or Darwin must be asked before they are decided, and those that wait."""

from dataclasses import replace
from typing import Any

import pytest

from tests.core.sample_routes import LANE, OTHER_LANE, STORAGES, created
from worker.core.model import Item, ItemType, Kind, Lane, Later, Outcome, Reason, Record, S3Object
from worker.core.routes import Fallback, Group, OnRemoved, Route, Sidecars
from worker.core.routing import Draft, PartOf, Removal, Routes
from worker.core.templates import Table

PAUSED = Later(Outcome(Kind.POSTPONED, Reason.ROUTE_PAUSED, "The route is paused.", "r"), 900)
REMOVED = Outcome(Kind.IGNORED, Reason.OBJECT_REMOVED, "The event tells of an object that was removed.")
SIDECAR = Outcome(
    Kind.IGNORED, Reason.SIDECAR, "The object belongs to another one, which is registered with it."
)
NO_ROUTE = Outcome(Kind.IGNORED, Reason.NO_ROUTE, "No route matches the object.")


def route(**fields: Any) -> Route:
    return Route("r", **{"lane": LANE, **fields})


def decide(record: Record, *routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> Any:
    return Routes(routes, fallback, STORAGES).decide(record)


def removed(key: str, event: str = "ObjectRemoved:Delete") -> Record:
    return Record(S3Object("acme-media", key), event)


@pytest.mark.parametrize(
    "fields",
    [
        {"head": True},
        {"path": "/{metadata.site}"},
        {"tags": ("{tags.site}",)},
        {"sidecars": Sidecars("thumbs/{stem}.jpg")},
    ],
)
def test_an_object_of_which_s3_must_be_asked_is_a_draft(fields: dict[str, Any]) -> None:
    decided = decide(created("a/b.png"), route(**fields))
    assert isinstance(decided, Draft)
    assert (decided.rule.route, decided.object, decided.lane) == (
        route(**fields),
        created("a/b.png").object,
        LANE,
    )
    assert {"key": "a/b.png", "folder": "a", "filename": "b.png"}.items() <= decided.values.items()


def test_what_can_be_told_without_asking_is_told_without_asking() -> None:
    """A HEAD would be for nothing, and to wait for a sidecar for a day."""
    head = route(head=True)
    assert decide(created("a/../b.png"), head).reason is Reason.INVALID_KEY
    assert decide(created("a.png", "acme-clinic"), head).reason is Reason.OTHER_BUCKET
    assert decide(created("a.png"), route(head=True, lane=Lane("acme", "intake", "attic"))).reason is (
        Reason.STORAGE_MISSING
    )


def test_the_storage_is_that_of_the_routes_team() -> None:
    """Two teams may name theirs alike."""
    other_team = route(lane=Lane("beta", "intake", "media"))
    assert decide(created("a.png"), other_team).reason is Reason.STORAGE_MISSING


def test_an_object_of_a_group_is_a_part_of_it() -> None:
    rig = route(prefix="in", group=Group("{scene}/", count=2), regex=r"(?P<scene>\w+)/.*", path="/{scene}")
    decided = decide(created("in/s1/a.mp4"), rig)
    assert isinstance(decided, PartOf)
    assert (decided.lane, decided.group.rule.route) == (LANE, rig)
    assert (decided.group.bucket, decided.group.beginning) == ("acme-media", "in/s1/")


@pytest.mark.parametrize(
    ("fields", "key", "outcome"),
    [
        (
            {"group": Group(count=2)},
            "a.png",
            Outcome(
                Kind.REJECTED,
                Reason.INVALID_ITEM,
                "The object lies in no folder, so its group would be the whole bucket.",
                "r",
            ),
        ),
        (
            {"group": Group("{stem[:2]}", count=2)},
            "a/xyz.png",
            Outcome(
                Kind.REJECTED,
                Reason.INVALID_ITEM,
                "The group would be 'xy', which the key below the route's prefix does not begin with.",
                "r",
            ),
        ),
    ],
)
def test_an_object_whose_group_cannot_be_listed_is_rejected(
    fields: dict[str, Any], key: str, outcome: Outcome
) -> None:
    assert decide(created(key), route(**fields)) == outcome


def test_the_folder_of_a_group_may_be_the_routes_prefix() -> None:
    decided = decide(created("in/series/1.dcm"), route(prefix="in/series", group=Group(count=2)))
    assert decided.group.beginning == "in/series/"


@pytest.mark.parametrize("key", ["in/s1/_SUCCESS", "darwin/data/s1/_SUCCESS", "in/s1/../_SUCCESS"])
def test_a_marker_judges_its_group_wherever_it_lies_and_though_it_is_empty(key: str) -> None:
    """Markers come before the rules on empty objects and storage prefixes."""
    decided = decide(created(key, size=0), route(glob="**/*.png", group=Group(marker="_SUCCESS")))
    assert isinstance(decided, PartOf)
    assert decided.group.beginning == key.removesuffix("_SUCCESS")


def test_an_empty_part_is_a_part_for_it_may_have_been_filled_since() -> None:
    assert isinstance(decide(created("s1/a.png", size=0), route(group=Group(count=2))), PartOf)
    assert decide(created("s1/a.png", size=0), route()).reason is Reason.EMPTY_OBJECT


@pytest.mark.parametrize(
    ("key", "reason"),
    [("darwin/data/s1/a.png", Reason.DARWIN_ARTEFACT), ("s1/", Reason.FOLDER_MARKER)],
)
def test_what_darwin_wrote_and_what_only_marks_a_folder_is_no_part(key: str, reason: Reason) -> None:
    """Law 5."""
    assert decide(created(key), route(group=Group(count=2))).reason is reason


def test_the_records_of_a_paused_route_wait_whatever_they_are() -> None:
    assert decide(created("a.png"), route(paused=True)) == PAUSED
    assert decide(created("s1/a.png"), route(paused=True, group=Group(count=2))) == PAUSED
    assert decide(created("s1/M"), route(paused=True, group=Group(marker="M"))) == PAUSED
    assert decide(created("a.png"), route(paused=True, head=True)) == PAUSED
    assert decide(removed("a.png"), route(paused=True, on_removed=OnRemoved.ARCHIVE)) == PAUSED
    assert decide(created("a.png"), route(glob="*.jpg", paused=True)) == NO_ROUTE
    last = route(paused=True)
    assert decide(created("a.png"), fallback=last) == PAUSED


@pytest.mark.parametrize("key", ["thumbs/a/b.jpg", "thumbs/b.jpg", "frames/gate/hq/1.png"])
def test_a_sidecar_that_no_route_takes_is_ignored_as_one(key: str) -> None:
    seen = route(
        prefix="in", sidecars=Sidecars("thumbs/{folder}/{stem}.jpg", frames_high="frames/{stem}/hq/")
    )
    for size in (7, 0):
        assert decide(created(key, size=size), seen) == SIDECAR
        assert decide(created(key, size=size), seen, fallback=Fallback.DEAD_LETTER) == SIDECAR
        assert decide(created(key, size=size), seen, fallback=Route("rest", LANE)) == SIDECAR


def test_a_sidecar_that_a_route_takes_is_that_routes() -> None:
    """Else an object could be lost because its key looks like another's thumbnail."""
    seen = route(prefix="in", sidecars=Sidecars("thumbs/{stem}.jpg"))
    decided = decide(created("thumbs/b.jpg"), seen, Route("thumbs", LANE, prefix="thumbs"))
    assert isinstance(decided, Item)
    assert decided.route == "thumbs"


def test_a_sidecar_lies_in_the_bucket_of_its_storage() -> None:
    seen = route(prefix="in", sidecars=Sidecars("thumbs/{stem}.jpg"))
    assert decide(created("thumbs/b.jpg", "acme-clinic"), seen) == NO_ROUTE
    assert decide(created("thumbs/b.jpg"), replace(seen, lane=Lane("acme", "intake", "attic"))) == NO_ROUTE


@pytest.mark.parametrize(
    "event", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete"]
)
def test_the_item_of_an_object_that_was_removed_is_archived_where_the_route_says_so(event: str) -> None:
    kept = route(
        prefix="in",
        smallest=100,
        events=("Put",),
        dataset=Table("{folder}", {"a": "welds"}),
        on_removed=OnRemoved.ARCHIVE,
    )
    decided = decide(removed("in/a/b.png", event), kept)
    assert isinstance(decided, Removal)
    item = decided.item
    assert (item.lane.dataset, item.path, item.name, item.type) == ("welds", "/a", "b.png", ItemType.IMAGE)
    assert item.object == S3Object("acme-media", "in/a/b.png")


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, "a.png"),
        ({"prefix": "in", "on_removed": OnRemoved.ARCHIVE}, "a.png"),
        ({"on_removed": OnRemoved.ARCHIVE}, "a.txt"),
        ({"on_removed": OnRemoved.ARCHIVE}, "a/"),
        ({"on_removed": OnRemoved.ARCHIVE, "item_name": "{metadata.id}"}, "a.png"),
        ({"on_removed": OnRemoved.ARCHIVE, "lane": Lane("acme", "intake", "attic")}, "a.png"),
        ({"on_removed": OnRemoved.ARCHIVE, "lane": OTHER_LANE}, "a.png"),
        ({"group": Group(marker="M")}, "s1/M"),
    ],
)
def test_any_other_removal_is_ignored(fields: dict[str, Any], key: str) -> None:
    """Of an object that could not be registered there is nothing to archive."""
    assert decide(removed(key), route(**fields)) == REMOVED


def test_the_route_of_last_resort_archives_too() -> None:
    last = route(on_removed=OnRemoved.ARCHIVE)
    assert isinstance(decide(removed("a.png"), route(prefix="in"), fallback=last), Removal)
