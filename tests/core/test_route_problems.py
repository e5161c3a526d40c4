"""Routes that are refused at start."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.sample_routes import ALL, LANE, OTHER_LANE, STORAGES, created, routes, tame_keys
from worker.core.conflicts import problems
from worker.core.model import (
    Item,
    Lane,
)
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes


def problems_of(*routes: Route, fallback: Route | Fallback = Fallback.IGNORE) -> list[str]:
    return problems(Routes(routes, fallback, STORAGES))


def test_sound_routes_have_no_problems() -> None:
    sound = problems_of(
        Route("welds", LANE, prefix="incoming/welds"),
        Route("seams", LANE, prefix="incoming", glob="**/*.png"),
        Route("rest", LANE, prefix="incoming"),
        Route("beside", LANE, bucket="acme-media", prefix="darwin/database"),
        Route("root", LANE, bucket="acme-media"),
        Route("scans", OTHER_LANE, bucket="acme-clinic", prefix="darwin/data"),
        Route("attic", Lane("acme", "intake", "attic"), bucket="attic", prefix="darwin/data"),
        fallback=Route("last", LANE),
    )
    assert sound == []
    assert problems_of() == []
    assert problems_of(ALL) == []


@pytest.mark.parametrize("prefix", ["darwin/data", "/darwin/data/", "darwin/data/welds"])
@pytest.mark.parametrize("bucket", [None, "acme-media"])
def test_a_route_that_watches_where_darwin_writes_is_a_problem(prefix: str, bucket: str | None) -> None:
    """Law 5: a configuration that would loop is refused at start."""
    route = Route("loop", LANE, bucket=bucket, prefix=prefix, glob="*.png")
    assert problems_of(route) == [
        (
            f"Route 'loop' watches prefix {prefix!r} of bucket 'acme-media', where Darwin writes what it makes for "
            "storage 'media' (prefix 'darwin/data'): what it wrote would be registered again, without end. "
            "Watch another prefix, or change the storage's."
        )
    ]


def test_a_route_may_watch_what_holds_the_prefix_of_the_storage() -> None:
    """Law 5: what Darwin wrote there is set aside record by record."""
    assert problems_of(Route("r", LANE, prefix="darwin")) == []
    assert problems_of(Route("r", OTHER_LANE)) == []


def test_a_route_on_another_bucket_than_its_storages_is_a_problem() -> None:
    assert problems_of(Route("r", LANE, bucket="acme-clinic")) == [
        (
            "Route 'r' watches bucket 'acme-clinic', but its storage 'media' reads bucket 'acme-media': "
            "name that bucket, or a storage on the watched one."
        )
    ]


def test_names_must_differ() -> None:
    assert problems_of(
        Route("r", LANE, prefix="a"), Route("r", LANE, prefix="b"), fallback=Route("r", LANE)
    ) == ["Two routes are named 'r': give each a name of its own."]


@pytest.mark.parametrize(
    ("earlier", "later", "hidden"),
    [
        (Route("e", LANE), Route("l", LANE), True),
        (Route("e", LANE, prefix="a"), Route("l", LANE, prefix="a/b"), True),
        (Route("e", LANE, prefix="a/"), Route("l", LANE, prefix="a", glob="*.png"), True),
        (Route("e", LANE), Route("l", LANE, bucket="acme-media"), True),
        (Route("e", LANE, bucket="acme-media"), Route("l", LANE, bucket="acme-media"), True),
        (Route("e", LANE, bucket="acme-media"), Route("l", LANE), False),
        (Route("e", LANE, prefix="a/b"), Route("l", LANE, prefix="a"), False),
        (Route("e", LANE, prefix="a"), Route("l", LANE, prefix="ab"), False),
        (Route("e", LANE, glob="*.png"), Route("l", LANE), False),
    ],
)
def test_a_route_behind_one_that_takes_all_is_a_problem(earlier: Route, later: Route, hidden: bool) -> None:
    assert bool(problems_of(earlier, later)) is hidden


@given(st.lists(routes, max_size=4), tame_keys)
def test_a_route_said_to_match_never_does_not(several: list[Route], key: str) -> None:
    """Judged with names of their own."""
    named = [replace(route, name=f"r{index}") for index, route in enumerate(several)]
    hidden = {
        route.name
        for route in named
        if any(text.startswith(f"Route {route.name!r} can never match") for text in problems_of(*named))
    }
    for bucket in ("acme-media", "acme-clinic"):
        decided = Routes(tuple(named), Fallback.IGNORE, STORAGES).decide(created(key, bucket))
        assert not isinstance(decided, Item) or decided.route not in hidden
