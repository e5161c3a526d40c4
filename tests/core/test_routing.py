"""From a record to an item or an outcome."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.naive_routes import first
from tests.core.sample_routes import ALL, LANE, OTHER_LANE, STORAGES, created, routes, tame_keys
from worker.core.conflicts import problems
from worker.core.model import (
    Item,
    ItemType,
    Kind,
    Lane,
    Later,
    OnExisting,
    Outcome,
    Reason,
    Record,
    S3Object,
)
from worker.core.routes import Fallback, Group, OnRemoved, Route
from worker.core.routing import Pending, Routes

Decided = Item | Outcome | Later | Pending


def decide(record: Record, *routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> Decided:
    return Routes(routes, fallback, STORAGES).decide(record)


def item_of(record: Record, *routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> Item:
    item = decide(record, *routes, fallback=fallback)
    assert isinstance(item, Item)
    return item


def test_a_record_becomes_an_item_of_its_route() -> None:
    record = created("incoming/line-3/weld 07.JPG")
    route = Route("welds", LANE, prefix="incoming", on_existing=OnExisting.ACCEPT)
    assert decide(record, route) == Item(
        lane=LANE,
        path="/line-3",
        name="weld 07.JPG",
        object=record.object,
        route="welds",
        type=ItemType.IMAGE,
        on_existing=OnExisting.ACCEPT,
    )


@pytest.mark.parametrize(
    ("event", "reason", "detail"),
    [
        (
            "ObjectRemoved:Delete",
            Reason.OBJECT_REMOVED,
            "The event tells of an object that was removed.",
        ),
        (
            "ObjectRemoved:DeleteMarkerCreated",
            Reason.OBJECT_REMOVED,
            "The event tells of an object that was removed.",
        ),
        (
            "LifecycleExpiration:Delete",
            Reason.OBJECT_REMOVED,
            "The event tells of an object that was removed.",
        ),
        ("ObjectRestore:Completed", Reason.OTHER_EVENT, "The event does not tell of a new object."),
        ("ObjectTagging:Put", Reason.OTHER_EVENT, "The event does not tell of a new object."),
        ("ObjectCreatedOnMars:Put", Reason.OTHER_EVENT, "The event does not tell of a new object."),
        ("LifecycleTransition", Reason.OTHER_EVENT, "The event does not tell of a new object."),
        ("", Reason.OTHER_EVENT, "The event does not tell of a new object."),
    ],
)
def test_only_new_objects_are_registered(event: str, reason: Reason, detail: str) -> None:
    """Row: ignored, delete event."""
    record = replace(created("a.png"), event=event)
    assert decide(record, ALL) == Outcome(Kind.IGNORED, reason, detail)


@pytest.mark.parametrize("kind", ["Put", "Post", "Copy", "CompleteMultipartUpload", "Unknown"])
def test_every_way_to_create_an_object_counts(kind: str) -> None:
    record = replace(created("a.png"), event=f"ObjectCreated:{kind}")
    assert item_of(record, ALL).name == "a.png"


@pytest.mark.parametrize("key", ["incoming/", "incoming/line-3/", "incoming_$folder$", "/"])
def test_a_folder_marker_is_ignored(key: str) -> None:
    """Row: ignored, folder marker."""
    assert decide(created(key, size=None), ALL) == Outcome(
        Kind.IGNORED, Reason.FOLDER_MARKER, "The object only marks a folder."
    )


def test_an_empty_object_is_ignored_and_one_of_unknown_size_is_not_empty() -> None:
    """Row: ignored, empty object."""
    assert decide(created("a.png", size=0), ALL) == Outcome(
        Kind.IGNORED, Reason.EMPTY_OBJECT, "The object is empty."
    )
    assert item_of(created("a.png", size=None), ALL).name == "a.png"


UUIDS = "0d6f5f0e-3a55-4a0e-9f2e-7d0f3f0a1111", "5c0b6c2e-1d0e-4d34-8a4b-0a2f3f0a2222"


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("acme-media", "darwin/data/a.png"),
        ("acme-media", f"a.png/uploads/{UUIDS[0]}/thumbnails/0.jpg"),
        ("acme-clinic", f"a.png/uploads/{UUIDS[0]}/thumbnails/0.jpg"),
        ("acme-clinic", f"{UUIDS[0]}/files/{UUIDS[1]}/thumbnail.jpg"),
    ],
)
def test_what_darwin_wrote_is_ignored_whatever_the_routes_say(bucket: str, key: str) -> None:
    """Law 5. Row: ignored, Darwin's own artefacts."""
    assert decide(created(key, bucket), Route("r", OTHER_LANE), fallback=ALL) == Outcome(
        Kind.IGNORED, Reason.DARWIN_ARTEFACT, "Darwin itself wrote the object."
    )


def test_the_prefix_of_a_storage_means_nothing_in_another_bucket() -> None:
    route = Route("scans", OTHER_LANE, bucket="acme-clinic")
    assert item_of(created("darwin/data/a.png", "acme-clinic"), route).path == "/darwin/data"


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (ALL, True),
        (Route("r", LANE, bucket="acme-media"), True),
        (Route("r", LANE, bucket="acme"), False),
        (Route("r", LANE, prefix="in"), True),
        (Route("r", LANE, prefix="/in/line-3/"), True),
        (Route("r", LANE, prefix="in/line"), False),
        (Route("r", LANE, prefix="In"), False),
        (Route("r", LANE, glob="**/*.png"), True),
        (Route("r", LANE, glob="**/*.PNG"), False),
        (Route("r", LANE, glob="*.png"), False),
        (Route("r", LANE, prefix="in/line-3", glob="*.png"), True),
        (Route("r", LANE, prefix="in", glob="line-[0-9]/*.{jpg,png}"), True),
        (Route("r", LANE, prefix="in", glob="line-[0-9]/*.{jpg,tif}"), False),
        (Route("r", LANE, prefix="in", glob="in/**"), False),
    ],
)
def test_a_route_chooses_by_bucket_prefix_and_glob(route: Route, matches: bool) -> None:
    decided = decide(created("in/line-3/a.png"), route)
    assert isinstance(decided, Item) is matches
    assert matches or decided == Outcome(Kind.IGNORED, Reason.NO_ROUTE, "No route matches the object.")


def test_the_first_route_that_matches_decides() -> None:
    routes = [
        Route("elsewhere", LANE, prefix="elsewhere"),
        Route("first", LANE, prefix="in", path="/first"),
        Route("second", LANE, prefix="in", path="/second"),
    ]
    item = item_of(created("in/a.png"), *routes)
    assert (item.route, item.path) == ("first", "/first")


def test_what_no_route_matches_goes_the_operators_way() -> None:
    """Rows: ignored, no route; dead letter if so configured."""
    record, route = created("out/a.png"), Route("r", LANE, prefix="in")
    detail = "No route matches the object."
    assert decide(record, route, fallback=Fallback.IGNORE) == Outcome(Kind.IGNORED, Reason.NO_ROUTE, detail)
    assert decide(record, route, fallback=Fallback.DEAD_LETTER) == Outcome(
        Kind.BLOCKED, Reason.NO_ROUTE, detail
    )
    last = Route("rest", LANE, path="/rest/{folder}")
    assert item_of(record, route, fallback=last).path == "/rest/out"


def test_an_object_in_a_bucket_that_the_storage_does_not_read_is_rejected() -> None:
    assert decide(created("a.png", "acme-clinic"), ALL) == Outcome(
        Kind.REJECTED,
        Reason.OTHER_BUCKET,
        "The object lies in bucket 'acme-clinic', but storage 'media' of route 'all' reads bucket 'acme-media'.",
        "all",
    )


def test_a_route_whose_storage_darwin_does_not_list_blocks() -> None:
    """Its prefix and its bucket are unknown, so nothing may be registered from it."""
    route = Route("gone", Lane("acme", "intake", "attic"))
    assert decide(created("a.png"), route) == Outcome(
        Kind.BLOCKED,
        Reason.STORAGE_MISSING,
        "Route 'gone' registers from storage 'attic', which Darwin does not list.",
        "gone",
    )


def test_a_key_that_darwin_cannot_take_is_rejected() -> None:
    """Row: rejected."""
    assert decide(created("in/../a.png"), ALL) == Outcome(
        Kind.REJECTED,
        Reason.INVALID_KEY,
        'The key has a segment "." or "..", which paths would take for a way up or down.',
        "all",
    )


@pytest.mark.parametrize(("key", "what"), [("notes.TXT", "the extension '.txt'"), ("README", "no extension")])
def test_a_file_of_unsupported_type_is_rejected(key: str, what: str) -> None:
    """Row: rejected."""
    assert decide(created(key), ALL) == Outcome(
        Kind.REJECTED,
        Reason.UNSUPPORTED_TYPE,
        f"The name has {what}, which no type is known for; the route's type or types can name one.",
        "all",
    )


def test_a_routes_own_types_come_before_the_known_ones() -> None:
    by_extension = Route("r", LANE, types={".HEIC": ItemType.IMAGE, "png": ItemType.DICOM})
    assert item_of(created("a.heic"), by_extension).type is ItemType.IMAGE
    assert item_of(created("a.png"), by_extension).type is ItemType.DICOM
    assert item_of(created("a.ndpi"), by_extension).type is None
    for_all = Route("r", LANE, type=ItemType.VIDEO, types={"png": ItemType.DICOM})
    assert item_of(created("a.png"), for_all).type is ItemType.VIDEO
    assert item_of(created("README"), for_all).type is ItemType.VIDEO


fallbacks = st.sampled_from(Fallback) | st.builds(Route, name=st.just("last"), lane=st.just(LANE))


@settings(max_examples=300)
@given(st.lists(routes, max_size=5), fallbacks, tame_keys, st.sampled_from(["acme-media", "acme-clinic"]))
def test_first_match_equals_the_naive_reference(
    several: list[Route], fallback: Route | Fallback, key: str, bucket: str
) -> None:
    decided = Routes(tuple(several), fallback, STORAGES).decide(created(key, bucket))
    last = [fallback] if isinstance(fallback, Route) else []
    held = S3Object(bucket, key, size=7)
    chosen: Any = first(several, held, "ObjectCreated:Put") or next(iter(last), None)
    if chosen is None:
        assert isinstance(decided, Outcome)
        assert decided.reason is Reason.NO_ROUTE
    elif STORAGES[chosen.lane.team, chosen.lane.storage].bucket != bucket:
        assert isinstance(decided, Outcome)
        assert decided.reason is Reason.OTHER_BUCKET
    elif key.endswith(".txt"):
        assert isinstance(decided, Outcome)
        assert decided.reason is Reason.UNSUPPORTED_TYPE
    else:
        assert isinstance(decided, Item)
        assert (decided.route, decided.lane) == (chosen.name, chosen.lane)
        assert decided.name == key.rsplit("/", maxsplit=1)[-1]


wild_keys = st.text(max_size=30) | st.text(st.characters(codec=None), max_size=10) | tame_keys


@given(
    st.lists(routes, max_size=3),
    fallbacks,
    st.builds(
        Record,
        st.builds(
            S3Object,
            st.sampled_from(["acme-media", "acme-clinic", "x"]),
            wild_keys,
            size=st.none() | st.integers(0),
        ),
        st.sampled_from(["ObjectCreated:Put", "ObjectRemoved:Delete"]) | st.text(),
    ),
)
def test_every_record_becomes_an_item_or_an_outcome(
    several: list[Route], fallback: Route | Fallback, record: Record
) -> None:
    """Law 5: and no item lies under the prefix of a storage."""
    table = Routes(tuple(several), fallback, STORAGES)
    decided = table.decide(record)
    if isinstance(decided, Item):
        assert decided.object == record.object
        assert not decided.object.key.startswith(("darwin/data/", "/"))
        assert decided.object.bucket == STORAGES[decided.lane.team, decided.lane.storage].bucket
    else:
        assert isinstance(decided, Outcome)
        assert decided.kind in (Kind.IGNORED, Kind.BLOCKED, Kind.REJECTED)
        assert decided.detail.endswith(".")
    assert all(problem.endswith(".") for problem in problems(table))


@pytest.mark.parametrize(
    ("route", "asks"),
    [
        (Route("plain", LANE, prefix="in", tags=("a",), path="/{folder}"), False),
        (Route("group", LANE, prefix="in", slot="{stem}", group=Group(slots=("a", "b"))), True),
        (Route("head", LANE, prefix="in", head=True), True),
        (Route("metadata", LANE, prefix="in", path="/{metadata.line}"), True),
        (Route("tags", LANE, prefix="in", tags=("{tags.kind}",)), True),
        (Route("removals", LANE, prefix="in", on_removed=OnRemoved.ARCHIVE), True),
    ],
)
def test_s3_is_asked_where_a_route_needs_more_than_an_event_tells(route: Route, asks: bool) -> None:
    assert Routes((route,), Fallback.IGNORE, STORAGES).asks_s3 is asks
    assert Routes((), route, STORAGES).asks_s3 is asks
