"""Every item of a dataset by pages, from the twin."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.adapters.darwin_parts import KEY, Tokens, api_at
from worker.adapters.darwin import DarwinApi
from worker.core.errors import Refused, Unavailable
from worker.demo.twin.faults import Fault
from worker.demo.twin.server import RunningTwin, running_twin
from worker.demo.twin.state import Dataset, SentFile, SentItem, Team


@pytest.fixture
async def twin() -> AsyncIterator[RunningTwin]:
    async with running_twin([Team("acme", KEY, ["intake", "other"], [])]) as twin:
        yield twin


@pytest.fixture
def api(session: aiohttp.ClientSession, twin: RunningTwin, tokens: Tokens) -> DarwinApi:
    return api_at(session, twin.url, tokens)


def filled(twin: RunningTwin, items: int, dataset: str = "intake") -> Dataset:
    """The dataset, with so many items more."""
    team = twin.twin.world.teams["acme"]
    held = team.datasets[dataset]
    for number in range(items):
        file = SentFile("0", f"{number}.png", "image", f"in/{number}.png")
        team.hold(held, SentItem("/in", f"{number}.png", (file,)), 1_700_000_000.0 + number, external=True)
    return held


async def test_every_item_of_the_dataset_comes_once_by_pages_of_500_for_a_token_each(
    api: DarwinApi, twin: RunningTwin, tokens: Tokens
) -> None:
    filled(twin, 3, "other")
    dataset = filled(twin, 1_001)
    pages = [page async for page in api.items(dataset.id)]
    assert [len(page) for page in pages] == [500, 500, 1]
    assert {item.name for page in pages for item in page} == {f"{number}.png" for number in range(1_001)}
    assert tokens.taken == 3


async def test_a_list_of_more_than_ten_pages_is_read_to_its_end(api: DarwinApi, twin: RunningTwin) -> None:
    dataset = filled(twin, 5_001)
    assert [len(page) async for page in api.items(dataset.id)] == [500] * 10 + [1]


async def test_a_dataset_without_items_is_one_empty_page(api: DarwinApi, twin: RunningTwin) -> None:
    assert [page async for page in api.items(filled(twin, 0).id)] == [[]]


async def test_items_tell_how_far_their_processing_is_and_what_went_wrong_in_it(
    api: DarwinApi, twin: RunningTwin
) -> None:
    dataset = filled(twin, 3)
    first, second, _ = dataset.held()
    first.processing, first.error = "error", "The file is no picture"
    second.processing = "uploading"
    [page] = [page async for page in api.items(dataset.id)]
    assert [(item.name, item.processing, item.trouble, item.external) for item in page] == [
        ("0.png", "error", "The file is no picture", None),
        ("1.png", "uploading", "", None),
        ("2.png", "complete", "", True),
    ]


async def test_a_page_that_cannot_be_had_ends_the_list_and_what_came_before_stands(
    api: DarwinApi, twin: RunningTwin
) -> None:
    """Row: 5xx."""
    pages = api.items(filled(twin, 600).id)
    assert len(await anext(pages)) == 500
    twin.twin.world.faults.plan(Fault(kind="status", status=503, endpoint="items"))
    with pytest.raises(Unavailable, match="503"):
        await anext(pages)


async def test_the_items_of_another_team_are_refused(api: DarwinApi, twin: RunningTwin) -> None:
    """Row: 401, 403."""
    twin.twin.world.teams["acme"].paused = True
    with pytest.raises(Refused, match="403"):
        assert [page async for page in api.items(1)]
