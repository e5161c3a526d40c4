"""What a listing of a bucket makes Darwin hold, and where to look for it."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.sample_routes import ALL, LANE, STORAGES, routes, tame_keys
from worker.core.model import (
    Identity,
    Item,
    Later,
    Notes,
    OnExisting,
    OnOverwrite,
    Outcome,
    Reason,
    Record,
    S3Object,
)
from worker.core.model import Kind as Fate
from worker.core.objects import Found
from worker.core.reconciling import (
    Expected,
    Place,
    Source,
    Unplaced,
    apart,
    expect,
    for_listings,
    of_draft,
    record_of,
    sources,
    unchanged_since,
    wholly_listed,
)
from worker.core.routes import Fallback, Group, Route, Sidecars
from worker.core.routing import Draft, Routes
from worker.core.templates import Table

MODIFIED = 1_700_000_000.0
BUCKET = "acme-media"


def listing(*of: Route, fallback: Route | Fallback = Fallback.IGNORE) -> Routes:
    return for_listings(Routes(of, fallback, STORAGES))


def made(key: str, *of: Route, size: int = 7) -> Expected | Unplaced | Outcome:
    return expect(listing(*of), BUCKET, Found(key, "e1", size, MODIFIED))


def expected(key: str, *of: Route) -> Expected:
    found = made(key, *of)
    assert isinstance(found, Expected)
    return found


def rig(**group: Any) -> Route:
    return Route(
        "rig",
        LANE,
        prefix="in",
        regex="(?P<scene>[^/]+)/(?P<camera>[^/.]+)[.]mp4",
        item_name="{scene}",
        path="/",
        slot="{camera}",
        group=Group(by="{scene}/", **group),
    )


# -- where to look -----------------------------------------------------------------------------------------------------

prefixes = st.text("ab/", max_size=4)
places = st.builds(Place, st.sampled_from(["one", "two"]), prefixes)


@given(st.lists(places, max_size=6), places)
def test_places_set_apart_hold_the_same_keys_each_in_one_of_them(several: list[Place], key: Place) -> None:
    kept = apart(several)
    assert sum(place.holds(key) for place in kept) == any(place.holds(key) for place in several)
    assert set(kept) <= set(several)


def test_each_route_is_a_source_of_the_datasets_that_it_names() -> None:
    chosen = replace(ALL, name="b", prefix="b/", dataset=Table("{filename}", {"x": "one"}, "two"))
    template = replace(ALL, name="c", bucket="acme-media", prefix="/c", dataset="d-{folder}")
    of_rest = replace(ALL, name="rest", prefix="ignored", bucket=None)
    assert sources(Routes((replace(ALL, prefix="a"), chosen, template), of_rest, STORAGES)) == [
        Source("acme", Place("acme-media", "a/"), frozenset({"intake"})),
        Source("acme", Place("acme-media", "b/"), frozenset({"one", "two"})),
        Source("acme", Place("acme-media", "c/"), None),
        Source("acme", Place("acme-media", ""), frozenset({"intake"})),
    ]


@pytest.mark.parametrize(
    ("listed", "whole"),
    [
        ([Place("m", "a/"), Place("m", "b/"), Place("m", "c/")], True),
        ([Place("m", "")], True),
        ([Place("m", "a/"), Place("m", "b/1/"), Place("m", "c/")], False),
        ([Place("m", "a/"), Place("m", "b/")], False),
        ([Place("other", "")], False),
        ([], False),
    ],
)
def test_a_dataset_is_wholly_listed_when_every_place_is_whose_objects_may_go_there(
    listed: list[Place], whole: bool
) -> None:
    known = [
        Source("acme", Place("m", "a/"), frozenset({"intake"})),
        Source("acme", Place("m", "b/"), frozenset({"intake", "more"})),
        Source("acme", Place("m", "c/"), None),
        Source("acme", Place("m", "d/"), frozenset({"other"})),
        Source("umbra", Place("m", "e/"), None),
    ]
    assert wholly_listed(known, listed, "acme", "intake") == whole


# -- what is expected ----------------------------------------------------------------------------------------------------


@given(st.lists(routes, max_size=4), tame_keys, st.sampled_from(["acme-media", "acme-clinic"]))
def test_of_an_object_the_item_is_expected_that_an_event_would_bring_about(
    some: list[Route], key: str, bucket: str
) -> None:
    plain = Routes(tuple(some), Fallback.IGNORE, STORAGES)
    by_event = plain.decide(Record(S3Object(bucket, key, None, "e1", 7), "ObjectCreated:Put"))
    found = expect(for_listings(plain), bucket, Found(key, "e1", 7, MODIFIED))
    if isinstance(by_event, Item):
        assert isinstance(found, Expected)
        assert (found.identity, found.route) == (by_event.identity, by_event.route)
        assert found.object == by_event.object
        assert not found.asks
    else:
        assert found == by_event


def test_a_listing_knows_neither_events_nor_pauses() -> None:
    route = replace(ALL, events=("Copy",), paused=True)
    assert expected("a/b.png", route).identity == Identity("acme", "intake", "/a", "b.png")
    last = listing(fallback=replace(route, name="rest"))
    assert isinstance(expect(last, BUCKET, Found("a/b.png", "e1", 7, MODIFIED)), Expected)


def test_what_adopts_an_item_says_so() -> None:
    assert not expected("a.png", ALL).adopts
    assert expected("a.png", replace(ALL, on_existing=OnExisting.ACCEPT)).adopts


def test_what_no_item_is_made_of_has_the_reason_of_its_outcome() -> None:
    reasons = [
        made(key, replace(ALL, prefix="in", glob="*.png"), size=size)
        for key, size in (("in/a.txt", 7), ("in/a.png", 0), ("in/", 0), ("in/../a.png", 7), ("x/a.png", 7))
    ]
    assert [isinstance(each, Outcome) and each.reason for each in reasons] == [
        Reason.NO_ROUTE,
        Reason.EMPTY_OBJECT,
        Reason.FOLDER_MARKER,
        Reason.NO_ROUTE,
        Reason.NO_ROUTE,
    ]


def test_all_parts_of_a_group_are_of_one_item_and_of_one_source() -> None:
    route = rig(slots=("front", "back"))
    front, back = expected("in/s1/front.mp4", route), expected("in/s1/back.mp4", route)
    assert front.identity == back.identity == Identity("acme", "intake", "/", "s1")
    assert front.source == back.source
    assert front.asks
    assert back.asks
    assert expected("in/s2/front.mp4", route).source != front.source


def test_what_a_manifest_names_or_a_marker_lacks_the_words_for_only_s3_can_tell() -> None:
    by_manifest, by_marker = rig(manifest="item.json"), rig(marker="_DONE")
    parts = [made(key, by_manifest) for key in ("in/s1/front.mp4", "in/s1/item.json")]
    assert [isinstance(each, Unplaced) and each.source for each in parts] == ["rig\nacme-media\nin/s1/"] * 2
    assert expected("in/s1/front.mp4", by_marker).source == "rig\nacme-media\nin/s1/"
    assert made("in/s1/_DONE", by_marker) == Unplaced(
        "rig", S3Object("acme-media", "in/s1/_DONE", None, "e1", 7), "rig\nacme-media\nin/s1/", MODIFIED
    )


def test_sidecars_and_heads_are_not_asked_for_to_know_a_place() -> None:
    seen = replace(ALL, sidecars=Sidecars(thumbnail="thumbs/{filename}", width="1", height="1"))
    for route in (seen, replace(ALL, head=True), replace(ALL, metadata={"by": "{metadata.who}"})):
        found = expected("a/b.png", route)
        assert found.identity == Identity("acme", "intake", "/a", "b.png")
        assert found.asks


def test_a_place_that_metadata_tell_waits_for_them() -> None:
    route = replace(ALL, item_name="{metadata.patient}.png", path="/{tags.site}")
    assert isinstance(made("a.png", route), Unplaced)
    draft = listing(route).decide(record_of(S3Object(BUCKET, "a.png", None, "e1", 7)))
    assert isinstance(draft, Draft)
    told = {"metadata.patient": "p7", "tags.site": "north"}
    assert of_draft(draft, told, MODIFIED).identity == Identity("acme", "intake", "/north", "p7.png")


# -- versions --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "name", "versions", "others"),
    [
        (None, "a.png", ["a (v1).png", "a (3f_x).png"], ["a.png", "b (v1).png", "a (v1).jpg"]),
        (None, "a[1]*.png", ["a[1]* (v1).png"], ["a1x (v1).png"]),
        ("{version[:4]}-{filename}", "a.png", ["3f3f-a.png"], ["3f3f-b.png"]),
        ("{stem}@{version[-4:]}@{version}.{ext}", "a.png", ["a@1234@x1234.png"], ["a@1234.png"]),
    ],
)
def test_the_names_of_further_versions_are_known_by_their_form(
    template: str | None, name: str, versions: list[str], others: list[str]
) -> None:
    route = replace(ALL, on_overwrite=OnOverwrite.REGISTER, versioned_name=template)
    for each in (route, replace(route, head=True)):
        found = expected(f"in/{name}", each)
        assert found.identity.name == name
        assert [fnmatchcase(text, found.versions) for text in versions] == [True] * len(versions)
        assert [fnmatchcase(text, found.versions) for text in others] == [False] * len(others)


def test_the_versions_of_a_group_have_names_too() -> None:
    route = replace(rig(slots=("front", "back")), on_overwrite=OnOverwrite.REGISTER)
    assert expected("in/s1/front.mp4", route).versions == "s1 (*)"


def test_where_versions_are_not_registered_there_are_none() -> None:
    assert expected("a.png", ALL).versions == ""
    assert expected("in/s1/front.mp4", rig(count=2)).versions == ""


# -- what is sent and what has waited --------------------------------------------------------------------------------------


def test_an_object_of_a_listing_is_told_of_as_s3_would() -> None:
    held = S3Object(BUCKET, "a.png", "v", "e1", 7)
    assert record_of(held, 5.0, "Copy") == Record(replace(held, version=None), "ObjectCreated:Copy", 5.0)


def test_a_wait_for_quiet_counts_from_the_last_change() -> None:
    outcome = Outcome(Fate.POSTPONED, Reason.GROUP_QUIETING)
    quieting = Later(outcome, 60, Notes(100.0, "mark", 100.0))
    assert unchanged_since(quieting, 7.0) == Notes(100.0, "mark", 7.0)
    assert unchanged_since(Later(outcome, 60, Notes(100.0)), 7.0) is None
    assert unchanged_since(Later(outcome, 60), 7.0) is None
