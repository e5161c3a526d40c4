"""What is wrong with routes by themselves and beside each other: problems, which are refused, and cautions.

Prefixes, buckets and routes that can never match: test_route_problems.py.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.core.sample_routes import LANE, OTHER_LANE, STORAGES
from worker.core.conflicts import cautions, problems
from worker.core.darwin import Storage
from worker.core.model import ItemType, Lane, Mode, OnOverwrite
from worker.core.routes import Fallback, Group, OnRemoved, Route, Sidecars
from worker.core.routing import Routes
from worker.core.templates import Table

SEEN = Lane("acme", "seen", "seen")
READ_ONLY = STORAGES | {
    ("acme", "seen"): Storage("seen", "seen", Mode.READ_ONLY, "aws", "acme-seen", "darwin")
}
V1 = {"version": 1, "type": "simple"}


def route(name: str = "r", **fields: Any) -> Route:
    return Route(name, **{"lane": LANE, **fields})


def told(*routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> list[str]:
    return problems(Routes(routes, fallback, READ_ONLY))


def warned(*routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> list[str]:
    return cautions(Routes(routes, fallback, READ_ONLY))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"glob": "*.png", "regex": ".*"}, "glob and regex both choose keys; write one of them."),
        (
            {"smallest": 10, "largest": 9},
            "size: nothing is larger than 10 bytes and smaller than 9.",
        ),
        (
            {"type": ItemType.IMAGE, "fps": 5},
            "fps is for videos, and the route's type is image.",
        ),
        (
            {"type": ItemType.DICOM, "as_frames": False},
            "as_frames is for videos, and the route's type is dicom.",
        ),
        (
            {"type": ItemType.VIDEO, "extract_views": True},
            "extract_views is for DICOM, and the route's type is video.",
        ),
        (
            {"slot": "1", "extract_views": True},
            'extract_views needs the file in slot "0", and one file per item: leave slot and group out.',
        ),
        (
            {"group": Group(count=2), "extract_views": True},
            'extract_views needs the file in slot "0", and one file per item: leave slot and group out.',
        ),
        (
            {"group": Group(count=2), "on_removed": OnRemoved.ARCHIVE},
            "on_removed: archive is for items of one object; a group loses a part only.",
        ),
        (
            {"item_name": "{metadata.id}", "on_removed": OnRemoved.ARCHIVE},
            "on_removed: archive needs a place that the key alone tells; a removed object has no metadata or tags.",
        ),
        (
            {"group": Group(count=2), "head": True},
            "head: a group is judged by a listing, which shows what is there; leave head out.",
        ),
        (
            {"group": Group(count=2), "events": ("Put",)},
            "events: a group is judged by a listing, which shows no events; leave events out.",
        ),
        (
            {"group": Group(quiet=60, within=60)},
            "group: it can never be quiet for 60 seconds within 60.",
        ),
        (
            {"group": Group(slots=("a", "b", "a")), "slot": "{stem}"},
            "group: slot 'a' stands twice in complete.",
        ),
        (
            {"group": Group(slots=("0", "1"))},
            "group: no file ever goes to slot '1', so the group can never be complete; slot makes '0'.",
        ),
        (
            {"group": Group(slots=("0", "back")), "slot": Table("{stem}", {"front": "0"}, "1")},
            "group: no file ever goes to slot 'back', so the group can never be complete; slot makes '0', '1'.",
        ),
        ({"layout": {**V1, "slots": ["0", "1"]}}, "layout names slot '1', and the item has '0'."),
        (
            {"slot": "left", "layout": {"version": 3, "slots_grid": [[["left", "0"]]]}},
            "layout names slot '0', and the item has 'left'.",
        ),
        (
            {"group": Group(slots=("a", "b")), "slot": "{stem}", "layout": {**V1, "slots": ["a", "c"]}},
            "layout names slot 'c', and the item has 'a', 'b'.",
        ),
    ],
)
def test_what_no_object_could_ever_bring_about_is_a_problem(fields: dict[str, Any], why: str) -> None:
    """Bad input: a group that can never complete; what Darwin would refuse of every item."""
    assert told(route(**fields)) == [f"Route 'r': {why}"]


@pytest.mark.parametrize(
    "fields",
    [
        {"fps": 5, "as_frames": True, "type": ItemType.VIDEO},
        {"fps": 5},
        {"extract_views": True, "slot": "0", "type": ItemType.DICOM},
        {"group": Group(slots=("a", "b")), "slot": "{stem}"},
        {"group": Group(slots=("0", "1")), "slot": Table("{stem}", {"front": "0"}, "1")},
        {"group": Group(slots=("a", "b")), "slot": "{stem}", "layout": {**V1, "slots": ["b"]}},
        {"slot": "{stem}", "layout": {**V1, "slots": ["a", "b"]}},
        {"group": Group(quiet=60, within=61)},
        {"on_removed": OnRemoved.ARCHIVE, "path": "/{folder}"},
        {"smallest": 10, "largest": 10},
    ],
)
def test_what_some_object_can_bring_about_is_none(fields: dict[str, Any]) -> None:
    assert told(route(**fields)) == []


@pytest.mark.parametrize(
    ("lane", "fields", "why"),
    [
        (
            SEEN,
            {},
            (
                "Route 'r': storage 'seen' is read-only in Darwin, which then makes no thumbnail: say with `thumbnail` where "
                "it lies, or use a read-write storage."
            ),
        ),
        (
            LANE,
            {"sidecars": Sidecars("t")},
            (
                "Route 'r': storage 'media' is read-write in Darwin, which makes thumbnails and frames itself: leave "
                "`thumbnail` and `frames` out, or use a read-only storage."
            ),
        ),
        (
            SEEN,
            {"sidecars": Sidecars("t"), "type": ItemType.DICOM},
            (
                "Route 'r': a read-only storage takes no DICOM; convert it to images, or use a read-write storage."
            ),
        ),
        (
            SEEN,
            {"sidecars": Sidecars("t", frames_high="f/{stem}")},
            (
                "Route 'r': frames.high: what the frames of gate.mp4 begin with, those of gate2.mp4 begin with too; end it "
                "with a slash."
            ),
        ),
        (
            SEEN,
            {"sidecars": Sidecars("t", frames_high="f/{stem}/", frames_low="{stem}*.jpg")},
            (
                "Route 'r': frames.low: what the frames of gate.mp4 begin with, those of gate2.mp4 begin with too; end it "
                "with a slash."
            ),
        ),
        (
            SEEN,
            {"sidecars": Sidecars("t", frames_high="f/{stem}/", frames_quiet=60, within=60)},
            "Route 'r': frames: they can never be unchanged for 60 seconds within 60.",
        ),
    ],
)
def test_what_the_storage_does_not_take_is_a_problem(lane: Lane, fields: dict[str, Any], why: str) -> None:
    assert told(route(lane=lane, **fields)) == [why]


def test_a_read_only_storage_takes_what_has_its_sidecars() -> None:
    assert (
        told(route(lane=SEEN, sidecars=Sidecars("t", frames_high="f/{stem}/", frames_low="g/{stem}-"))) == []
    )


def test_the_route_of_last_resort_is_looked_at_too() -> None:
    last = route("otherwise", glob="*.png", regex=".*")
    assert told(fallback=last) == ["Route 'otherwise': glob and regex both choose keys; write one of them."]


GROUPS = route("scenes", prefix="in", group=Group(count=2))


@pytest.mark.parametrize(
    ("earlier", "hidden"),
    [
        (route("copies", events=("Copy",)), True),
        (route("copies", prefix="in/a", events=("Copy",)), True),
        (route("copies", bucket="acme-media", events=("Copy",)), True),
        (route("copies", prefix="out", events=("Copy",)), False),
        (route("copies", glob="*.txt"), False),
    ],
)
def test_a_part_that_an_earlier_route_may_take_by_its_event_is_a_problem(
    earlier: Route, hidden: bool
) -> None:
    """A listing would not show it as a part, and the group would never be complete."""
    sentence = (
        "Route 'scenes' makes groups, whose parts route 'copies' before it may take by their events, which a listing does not "
        "show. Put 'scenes' first."
    )
    assert told(earlier, GROUPS) == ([sentence] if hidden else [])
    assert sentence not in told(GROUPS, earlier)


def test_the_events_of_another_bucket_are_no_matter() -> None:
    earlier = route("copies", lane=OTHER_LANE, bucket="acme-clinic", events=("Copy",))
    assert told(earlier, replace(GROUPS, bucket="acme-media")) == []


# -- cautions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "loses"),
    [
        ({}, False),
        ({"path": "/intake"}, True),
        ({"path": "/{folder[:2]}"}, True),
        ({"path": "/intake", "item_name": "{stem}-v.{ext}"}, True),
        ({"path": "/intake", "glob": "**/*.png"}, True),
        ({"path": "/intake", "glob": "*.png"}, False),
        ({"path": "/intake", "item_name": "{metadata.id}"}, False),
        ({"path": "/intake", "regex": "(?P<a>.*)", "item_name": "{a}"}, False),
        ({"path": "/intake", "on_overwrite": OnOverwrite.REGISTER}, False),
        ({"path": "/intake", "group": Group(count=2)}, False),
    ],
)
def test_a_route_that_loses_folders_is_told_of(fields: dict[str, Any], loses: bool) -> None:
    name = fields.get("item_name", "{filename}")
    assert warned(route(**fields)) == (
        [
            (
                f"Route 'r' loses the folders of its keys: path {fields['path']!r} and name {name!r} are the same for a/1.jpg "
                "and b/1.jpg, and the second one would be a dead letter (name_collision). Use {folder} in one of them."
            )
        ]
        if loses
        else []
    )


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ({"prefix": "a"}, {"prefix": "b"}, True),
        ({"prefix": "a"}, {"prefix": "b", "path": "{folder}/"}, True),
        ({"prefix": "a"}, {"prefix": "b", "path": "/b/{folder}"}, True),
        ({"prefix": "a", "path": "/a/{folder}"}, {"prefix": "b", "path": "/b/{folder}"}, False),
        ({"prefix": "a", "path": "/ab"}, {"prefix": "b", "path": "/a"}, False),
        ({"prefix": "a", "path": "/a"}, {"prefix": "b", "path": "a/"}, True),
        ({"prefix": "a", "item_name": "a-{filename}"}, {"prefix": "b", "item_name": "b-{filename}"}, False),
        ({"prefix": "a", "item_name": "{stem}.a"}, {"prefix": "b", "item_name": "{stem}.b"}, False),
        ({"prefix": "a", "lane": OTHER_LANE}, {"prefix": "b"}, False),
        ({"prefix": "a", "lane": LANE._replace(team="beta")}, {"prefix": "b"}, False),
        ({"prefix": "a", "extensions": ("png",)}, {"prefix": "b", "extensions": (".JPG",)}, False),
        ({"prefix": "a", "extensions": ("png",)}, {"prefix": "b", "extensions": (".PNG",)}, True),
        ({"prefix": "a", "glob": "*.png"}, {"prefix": "a"}, False),
        ({"prefix": "a", "dataset": Table("{ext}", {"png": "intake"})}, {"prefix": "b"}, True),
        ({"prefix": "a", "dataset": Table("{ext}", {"png": "x"}, "y")}, {"prefix": "b"}, False),
        ({"prefix": "a", "dataset": "{ext}"}, {"prefix": "b"}, False),
    ],
)
def test_two_routes_that_can_give_one_name_are_told_of(
    one: dict[str, Any], other: dict[str, Any], meet: bool
) -> None:
    """Flattening is another caution."""
    sentences = [
        text for text in warned(route("one", **one), route("other", **other)) if " and " in text[:20]
    ]
    assert sentences == (
        [
            (
                "Routes 'one' and 'other' can give one path and name in one dataset to two objects, of which the second one "
                "would be a dead letter (name_collision). Begin their paths differently."
            )
        ]
        if meet
        else []
    )


@pytest.mark.parametrize(
    ("group", "key"),
    [
        (Group("{stem[:4]}", marker="_SUCCESS"), "{stem[:4]}_SUCCESS"),
        (Group("{folder}", manifest="manifest.json"), "{folder}manifest.json"),
        (Group("{folder}/", marker="_SUCCESS"), None),
        (Group(marker="_SUCCESS"), None),
        (Group("{folder}", marker="/_SUCCESS"), None),
        (Group("{folder}", count=3), None),
    ],
)
def test_a_marker_that_would_not_lie_in_the_groups_folder_is_told_of(group: Group, key: str | None) -> None:
    """The trap of a `by` without its last slash: the group would never be complete."""
    sentences = [text for text in warned(route(group=group)) if "looks for" in text]
    assert sentences == (
        []
        if key is None
        else [
            (
                f"Route 'r' looks for {key}, without a slash between them. End `by` with a slash if "
                f"{group.marker or group.manifest} lies in the group's folder."
            )
        ]
    )


@pytest.mark.parametrize(
    ("thumbnail", "fields", "taken"),
    [
        ("in/thumbs/{folder}/{stem}.png", {"prefix": "in"}, "in/thumbs/a/b.png"),
        ("{key}.thumb.jpg", {}, "a/b.png.thumb.jpg"),
        ("in/thumbs/{folder}/{stem}.jpg", {"prefix": "in", "extensions": ("jpg",)}, "in/thumbs/a/b.jpg"),
        ("in/thumbs/{folder}/{stem}.jpg", {"prefix": "in", "extensions": ("png",)}, None),
        ("in/thumbs/{folder}/{stem}.jpg", {"prefix": "in", "exclude": ("thumbs/**",)}, None),
        ("thumbs/{folder}/{stem}.jpg", {"prefix": "in"}, None),
        ("in/{x}/{stem}.jpg", {"prefix": "in", "regex": r"(?P<x>\d+)/.*"}, None),
    ],
)
def test_a_route_that_takes_its_own_thumbnails_is_told_of(
    thumbnail: str, fields: dict[str, Any], taken: str | None
) -> None:
    """Each would wait for a thumbnail of its own."""
    sentences = warned(route(lane=SEEN, sidecars=Sidecars(thumbnail), **fields))
    assert sentences == (
        []
        if taken is None
        else [
            (
                f"Route 'r' takes its own thumbnails, such as {taken!r}, and waits for a thumbnail of each. Exclude them, or "
                "keep them elsewhere."
            )
        ]
    )


def test_a_route_for_some_folders_before_one_for_all_gives_no_name_twice() -> None:
    """Keys that would lead the later one to the earlier one's path are all taken by the earlier one."""
    rest = route("rest", prefix="in")
    assert warned(route("partner", prefix="in/partner", path="/partner/{folder}"), rest) == []
    assert warned(route("a/b", prefix="in/a/b", path="a/b/{folder}"), rest) == []
    told_of = ["Routes 'partner' and 'rest' can give one path and name in one dataset to two objects"]
    for partner in (
        route("partner", prefix="in/partner"),
        route("partner", prefix="in/partner", path="/partner/{folder}", extensions=("png",)),
        route("partner", prefix="in/partners", path="/partner/{folder}"),
    ):
        assert [line.partition(", of which")[0] for line in warned(partner, rest)] == told_of
