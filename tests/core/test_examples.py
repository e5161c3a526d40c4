"""Examples beside routes: what does not come as they say is one sentence each."""

import pytest

from tests.core.sample_routes import LANE, OTHER_LANE
from worker.core.examples import Example, failures
from worker.core.model import ItemType, Lane
from worker.core.routes import Fallback, Group, Route
from worker.core.routing import Routes
from worker.core.templates import Table


def told(example: Example, *routes: Route, last: Route | Fallback = Fallback.IGNORE) -> list[str]:
    """What is said of *example*, without its beginning, which names the route and the key."""
    sentences = failures(Routes(routes, last), [example])
    beginning = f"Route {example.route!r}: example {example.key!r}: "
    assert all(sentence.startswith(beginning) for sentence in sentences)
    return [sentence.removeprefix(beginning) for sentence in sentences]


WELDS = Route(
    "welds",
    LANE,
    bucket="acme-media",
    prefix="incoming/",
    regex=r"(?P<line>[^/]+)/(?P<seam>\d+)\.png",
    path="/{line}",
    item_name="{seam}",
    slot="{ext}",
)


def test_an_example_that_holds_says_nothing() -> None:
    example = Example(
        "welds", "incoming/a/7.png", dataset="intake", path="/a", name="7", slot="png", bucket="acme-media"
    )

    assert told(example, WELDS) == []


def test_an_example_may_say_no_more_than_that_the_route_takes_its_key() -> None:
    assert told(Example("welds", "incoming/a/7.png"), WELDS) == []


def test_a_path_is_compared_as_darwin_has_it() -> None:
    assert told(Example("welds", "incoming/a/7.png", path="a/"), WELDS) == []


def test_all_that_comes_otherwise_is_told() -> None:
    example = Example("welds", "incoming/a/7.png", dataset="weld", path="/b", name="8", slot="0")

    assert told(example, WELDS) == [
        "its dataset is 'intake', and not 'weld'.",
        "its path is '/a', and not '/b'.",
        "its name is '7', and not '8'.",
        "its slot is 'png', and not '0'.",
    ]


def test_every_example_is_tried() -> None:
    routes = Routes((WELDS, Route("rest", LANE)), Fallback.IGNORE)
    examples = [
        Example("rest", "x.png", name="y.png"),
        Example("welds", "incoming/a/7.png"),
        Example("welds", "incoming/a/7.png", name="8"),
    ]

    assert failures(routes, examples) == [
        "Route 'rest': example 'x.png': its name is 'x.png', and not 'y.png'.",
        "Route 'welds': example 'incoming/a/7.png': its name is '7', and not '8'.",
    ]


@pytest.mark.parametrize(
    ("example", "why"),
    [
        (Example("welds", "outgoing/a/7.png"), "the key is not below prefix incoming/"),
        (Example("welds", "incoming/a/7.png", bucket="other"), "the object is not in bucket acme-media"),
        (
            Example("welds", "incoming/a/x.png"),
            r"the key below the prefix does not match the regular expression (?P<line>[^/]+)/(?P<seam>\d+)\.png",
        ),
    ],
)
def test_a_key_that_the_route_does_not_take_is_told_with_the_reason(example: Example, why: str) -> None:
    assert told(example, WELDS) == [f"the route does not take it, for {why}."]


def test_the_size_of_an_example_chooses_too() -> None:
    large = Route("large", LANE, smallest=10)

    assert told(Example("large", "a.png", size=10), large) == []
    assert told(Example("large", "a.png"), large) == [
        "the route does not take it, for the object is smaller than 10 bytes, or of unknown size."
    ]


def test_any_event_will_do() -> None:
    assert told(Example("copies", "a.png"), Route("copies", LANE, events=("Copy",))) == []


def test_a_key_that_another_route_takes_is_told_with_that_route() -> None:
    assert told(Example("welds", "incoming/a/x.png"), WELDS, Route("rest", LANE)) == [
        (
            r"the route does not take it, for the key below the prefix does not match the regular expression "
            r"(?P<line>[^/]+)/(?P<seam>\d+)\.png; route 'rest' takes it."
        )
    ]


def test_a_key_that_a_route_before_takes_is_told_with_that_route() -> None:
    assert told(Example("welds", "incoming/a/7.png"), Route("first", LANE, glob="**/*7*"), WELDS) == [
        "route 'first' takes it, which stands before."
    ]


def test_a_key_that_only_the_route_of_last_resort_takes_is_told_with_it() -> None:
    assert told(Example("welds", "a.png"), WELDS, last=Route("otherwise", LANE)) == [
        "the route does not take it, for the key is not below prefix incoming/; route 'otherwise' takes it."
    ]


def test_a_dataset_by_table_is_the_one_of_the_table() -> None:
    route = Route("r", Lane("acme", "", "media"), dataset=Table("{filename[:2]}", {"12": "twelve"}))

    assert told(Example("r", "12x.png", dataset="twelve"), route) == []
    assert told(Example("r", "13x.png", dataset="twelve"), route) == [
        "it has no dataset: The table has no line for '13', and no `otherwise`."
    ]


def test_metadata_and_tags_are_those_of_the_example() -> None:
    """S3 tells the names of metadata in lower case."""
    route = Route("r", LANE, path="/{metadata.camera}", item_name="{tags.Seam}")
    example = Example("r", "a.png", path="/front", name="7", metadata={"Camera": "front"}, tags={"Seam": "7"})

    assert told(example, route) == []
    assert told(Example("r", "a.png", path="/front"), route) == [
        "it has no path: The object has no metadata 'camera'."
    ]


def test_what_an_example_does_not_tell_and_is_not_asked_for_is_no_failure() -> None:
    route = Route("r", LANE, tags=("{metadata.camera}",))

    assert told(Example("r", "a/b.png", path="/a", name="b.png", slot="0"), route) == []


@pytest.mark.parametrize(
    ("route", "key", "why"),
    [
        (
            Route("r", LANE),
            "a/x.docx",
            "The name has the extension '.docx', which no type is known for; the route's type or types can name one.",
        ),
        (Route("r", LANE), "a/../x.png", 'The key has a segment "." or "..", which paths would take for a way up or down.'),
        (Route("r", LANE), "a/", "The key has no name behind its last slash."),
    ],
)  # fmt: skip
def test_a_key_that_no_item_can_come_of_is_told_with_the_reason(route: Route, key: str, why: str) -> None:
    assert told(Example("r", key), route) == [f"no item comes of it: {why}"]


def test_a_type_that_the_route_names_is_enough() -> None:
    assert told(Example("r", "x.docx"), Route("r", LANE, type=ItemType.PDF)) == []


RIG = Route(
    "rig",
    OTHER_LANE,
    prefix="rig",
    regex=r"(?P<scene>\w+)/(?P<camera>\w+)\.mp4",
    path="/{scene}",
    item_name="{filename}",
    slot="{camera}",
    group=Group("{scene}/", slots=("front", "back")),
)


def test_the_item_of_a_part_is_that_of_its_group_and_its_slot_its_own() -> None:
    assert told(Example("rig", "rig/s1/front.mp4", None, "scans", "/s1", "s1", "front"), RIG) == []
    assert told(Example("rig", "rig/s1/front.mp4", name="front.mp4", slot="back"), RIG) == [
        "its name is 's1', and not 'front.mp4'.",
        "its slot is 'front', and not 'back'.",
    ]


def test_the_item_of_a_marker_is_that_of_its_group() -> None:
    marked = Route("m", LANE, group=Group(marker="_SUCCESS"))

    assert told(Example("m", "a/b/_SUCCESS", path="/a", name="b"), marked) == []
    assert told(Example("m", "a/b/_SUCCESS", path="/b", name="c"), marked) == [
        "its path is '/a', and not '/b'.",
        "its name is 'b', and not 'c'.",
    ]


def test_a_marker_has_no_slot() -> None:
    marked = Route("m", LANE, group=Group(marker="_SUCCESS"))

    assert told(Example("m", "a/_SUCCESS", slot="0"), marked) == [
        "it is the marker of its group, and has no slot."
    ]


def test_a_file_that_a_manifest_may_name_may_be_of_any_type() -> None:
    described = Route("d", LANE, group=Group(manifest="manifest.json"))

    assert told(Example("d", "a/b/x.bin", path="/a", name="b"), described) == []


def test_a_part_that_does_not_begin_as_its_group_does_is_told() -> None:
    route = Route("r", LANE, prefix="p", group=Group("{stem}/", count=2))

    assert told(Example("r", "p/a/x.png"), route) == [
        "no item comes of it: It is in no group: that one's keys would begin with 'p/x/'."
    ]
