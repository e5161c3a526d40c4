"""The recipes of docs/routes.md: each routes file makes of the objects below it exactly the bodies that stand there."""

from pathlib import Path

import pytest

from tests.docs.page import ROUTES_PAGE, Section, sections_of
from tests.docs.recipes import BUCKET, READ_ONLY, lines_of, requests_of
from tests.docs.world import as_sent, assert_taken, needless, routes_of, sent_for

pytestmark = pytest.mark.looptime

SECTIONS = sections_of(ROUTES_PAGE)
RECIPES = [section for section in SECTIONS.values() if section.within[-1:] == ("Recipes",)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
async def test_a_recipe_sends_exactly_what_stands_below_it(recipe: Section, tmp_path: Path) -> None:
    (text,) = recipe.blocks_of("yaml")
    lines = lines_of(recipe)
    routes = routes_of(tmp_path / "routes.yaml", text, BUCKET, READ_ONLY.__eq__)

    sent = await sent_for(routes, [line.told for line in lines])

    assert as_sent(sent.requests) == as_sent(requests_of(recipe))
    assert needless(sent) == [(line.told.key, line.outcome) for line in lines if line.outcome]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_the_body_of_a_recipe_is_taken_by_the_twin(recipe: Section) -> None:
    for request in requests_of(recipe):
        assert_taken(request, readonly=[READ_ONLY])


def test_every_recipe_has_routes_objects_and_a_body() -> None:
    assert len(RECIPES) >= 30
    for recipe in RECIPES:
        languages = [block.language for block in recipe.blocks]
        assert languages[:2] == ["yaml", "keys"], recipe.title
        assert "json" in languages, recipe.title
        assert set(languages) <= {"yaml", "keys", "json"}, recipe.title
