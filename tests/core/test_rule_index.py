"""Which of many rules takes an object: the first in the operator's order, found without asking all of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core import naive_routes
from tests.core.sample_routes import LANE, OTHER_LANE, globs
from worker.core.model import S3Object
from worker.core.routes import Group, Route
from worker.core.rules import Found, Index, Rule

few = st.sampled_from  # few words, so that routes and keys often meet
folders = st.lists(few(["a", "b"]), max_size=3)
rich_routes = st.builds(
    Route,
    name=st.just("r"),
    lane=few([LANE, OTHER_LANE]),
    bucket=few([None, None, None, "acme-media", "acme-clinic"]),
    prefix=few(["", "", "a", "a", "b", "a/b", "/a/a/"]),
    glob=few([None] * 6) | globs.map("/".join),
    regex=few([None] * 6 + [r".*", r"[^/]*", r"(?P<x>[^/]+)/(?P<y>.*)", r".*\.(png|mp4)", r"(a|b)?/?b?\..*"]),
    exclude=few([(), (), (), ("a/**",), ("**/*.txt",), ("*", "b/*")]),
    extensions=few([(), (), (), ("png",), ("mp4", "b.png"), ("txt",)]),
    smallest=few([0, 0, 0, 5]),
    largest=few([None, None, None, 10]),
    events=few([(), (), (), ("Put",), ("Copy",)]),
    group=few([None] * 4)
    | few(
        [Group(marker="a.png"), Group(manifest="b.txt"), Group(count=3), Group("{folder}/", marker="a.png")]
    ),
)
keys = st.builds(
    lambda parts, name: "/".join([*parts, name]), folders, few(["a.png", "b.txt", "ab.mp4", "a.b.png"])
)
objects = st.builds(
    S3Object,
    bucket=few(["acme-media", "acme-clinic"]),
    key=keys,
    size=few([None, 4, 5, 10, 11]),
)
told_events = few(["", "ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"])


@settings(max_examples=400)
@given(st.lists(rich_routes, max_size=6), objects, told_events)
def test_the_choice_of_a_route_equals_that_of_a_naive_reference(
    drawn: list[Route], held: S3Object, event: str
) -> None:
    """Buckets, prefixes, globs, regular expressions, extensions, sizes, exclusions, events, markers; each in any mixture."""
    several = [replace(route, name=f"r{number}") for number, route in enumerate(drawn)]
    found = Index([Rule(route) for route in several]).find(held, event)
    chosen = naive_routes.first(several, held, event)
    assert (found.rule.route if found else None) == chosen
    if found is not None and chosen is not None:
        assert (found.marks is not None) is naive_routes.marks(chosen, held)


@given(rich_routes, objects, told_events)
def test_a_route_says_why_exactly_when_it_does_not_take_the_object(
    route: Route, held: S3Object, event: str
) -> None:
    rule = Rule(route)
    assert (rule.why_not(held, event) is None) is (rule.takes(held, event) is not None)


def rules(*routes: Route) -> list[Rule]:
    return [Rule(route) for route in routes]


def test_the_order_of_the_operator_decides_and_not_the_length_of_the_prefix() -> None:
    deep, shallow, any_key = rules(
        Route("deep", LANE, prefix="a/b"), Route("shallow", LANE, prefix="a"), Route("any", LANE)
    )
    held = S3Object("acme-media", "a/b/c.png")
    assert Index([deep, shallow, any_key]).find(held) == Found(deep, {})
    assert Index([shallow, deep, any_key]).find(held) == Found(shallow, {})
    assert Index([any_key, shallow, deep]).find(held) == Found(any_key, {})
    assert Index([deep]).find(S3Object("acme-media", "a/c.png")) is None
    assert Index([]).find(held) is None


def test_the_marker_of_a_groups_route_is_not_matched_by_the_routes_behind_it() -> None:
    group, rest = rules(
        Route("scenes", LANE, glob="*/*.mp4", group=Group(marker="_SUCCESS")), Route("rest", LANE)
    )
    marker = S3Object("acme-media", "s1/_SUCCESS", size=0)
    assert Index([group, rest]).find(marker) == Found(group, {}, "s1/")
    assert Index([rest, group]).find(marker) == Found(rest, {})


class CountedRule(Rule):
    """Counts how often it is asked."""

    asked = 0

    def marks(self, held: S3Object) -> str | None:
        type(self).asked += 1
        return super().marks(held)


@pytest.mark.parametrize("number", [10, 1_000])
def test_among_a_thousand_prefixes_as_few_routes_are_asked_as_among_ten(number: int) -> None:
    """Those whose prefix the key has, and no others: here three of them."""
    routes = [Route(f"r{n}", LANE, prefix=f"line-{n}/raw", glob="*.png") for n in range(number)]
    routes += [Route("any picture", LANE, glob="*.tif"), Route("line", LANE, prefix="line-7", glob="*.tif")]
    index = Index([CountedRule(route) for route in routes])
    CountedRule.asked = 0
    assert index.find(S3Object("acme-media", "line-7/raw/a.jpg")) is None
    assert CountedRule.asked == 3
    assert index.find(S3Object("acme-media", "elsewhere/raw/a.jpg")) is None
    assert CountedRule.asked == 4
