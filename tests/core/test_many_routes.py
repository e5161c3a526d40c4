"""Problems and cautions of many routes: found without comparing all pairs, and the same ones."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.core.sample_routes import LANE, OTHER_LANE, routes
from worker.core.conflicts import cautions, problems
from worker.core.naming import under
from worker.core.routes import Fallback, Route
from worker.core.routing import Routes

paths = st.sampled_from(["/{folder}", "/a/{folder}", "/ab", "/", "/{stem}", "/a/"])
names = st.sampled_from(["{filename}", "x{filename}", "{stem}.png", "{stem}.jpg", "{stem}"])
several = st.lists(routes, max_size=8).map(
    lambda drawn: [replace(route, name=f"r{number}") for number, route in enumerate(drawn)]
)
placed = st.lists(
    st.builds(
        Route,
        name=st.just(""),
        lane=st.sampled_from([LANE, OTHER_LANE]),
        prefix=st.sampled_from(["p", "q"]),
        path=paths,
        item_name=names,
        extensions=st.sampled_from([(), ("png",), (".jpg",)]),
    ),
    max_size=8,
).map(lambda drawn: [replace(route, name=f"r{number}") for number, route in enumerate(drawn)])


@given(several)
def test_each_route_that_can_never_match_is_told_with_the_first_that_stands_in_its_way(
    drawn: list[Route],
) -> None:
    sentences = problems(Routes(tuple(drawn), Fallback.IGNORE))
    hidden: dict[str, str] = {}
    for position, later in enumerate(drawn):
        for earlier in drawn[:position]:
            takes_all = earlier.glob in (None, "**", "**/*")
            if (
                takes_all
                and earlier.bucket in (None, later.bucket)
                and under(earlier.prefix, later.prefix.strip("/") + "/")
            ):
                hidden.setdefault(later.name, earlier.name)
    assert [sentence for sentence in sentences if "can never match" in sentence] == [
        (
            f"Route {later!r} can never match: route {earlier!r} stands before it and takes all that lies below prefix "
            f"{drawn[int(earlier[1:])].prefix!r}. Put {later!r} first."
        )
        for later, earlier in hidden.items()
    ]


def pairs(drawn: list[Route]) -> set[tuple[str, str]]:
    """The pairs of routes of which it is told that they can give one name."""
    told = cautions(Routes(tuple(drawn), Fallback.IGNORE))
    words = [text.split(" can give one path")[0].split() for text in told if text.startswith("Routes ")]
    return {(one.strip("'"), other.strip("'")) for _, one, _, other in words}


@given(placed)
def test_of_any_two_routes_that_can_give_one_name_one_at_least_is_told_of(drawn: list[Route]) -> None:
    """Which two can, is what is told of them alone; all pairs would be too many sentences."""
    by_twos = {
        (one.name, other.name)
        for position, other in enumerate(drawn)
        for one in drawn[:position]
        if pairs([one, other])
    }

    told = pairs(drawn)

    assert told <= by_twos
    told_of = {name for pair in told for name in pair}
    assert all(told_of & set(pair) for pair in by_twos)


@given(placed)
def test_fewer_sentences_tell_of_names_that_meet_than_there_are_routes(drawn: list[Route]) -> None:
    assert len(pairs(drawn)) <= max(0, len(drawn) - 1)
