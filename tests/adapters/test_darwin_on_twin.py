"""The Darwin port against the twin: what is sent is understood there, and what it answers is understood here.

The fake that the pipeline's tests use answers to the same tests.
"""

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tests.adapters.darwin_parts import KEY, LANE, Tokens, api_at
from tests.fakes.darwin import FakeDarwin
from worker.adapters.darwin import DarwinApi
from worker.core.darwin import Dataset, HeldItem, Storage
from worker.core.errors import Refused
from worker.core.model import Mode
from worker.demo.twin.server import RunningTwin, running_twin
from worker.demo.twin.state import Storage as TwinStorage
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches
from worker.metrics import Metrics
from worker.pipeline.ports import Darwin


@pytest.fixture
async def twin() -> AsyncIterator[RunningTwin]:
    storages = [
        TwinStorage("Media", "media-bucket", "/darwin/"),
        TwinStorage("Archive", "old", readonly=True),
    ]
    team = Team("acme", KEY, ["intake", "other"], storages)
    async with running_twin([team], Switches(requests_per_minute=3)) as twin:
        yield twin


@pytest.fixture(params=["adapter", "fake"])
def twin_api(
    request: pytest.FixtureRequest, session: aiohttp.ClientSession, twin: RunningTwin, tokens: Tokens
) -> Darwin:
    if request.param == "fake":
        fake = FakeDarwin(twin.twin, "acme", KEY, time.time)
        fake.seconds = 0
        return fake
    return api_at(session, twin.url, tokens)


def batch(*names: str) -> dict[str, object]:
    items = [{"path": "/in", "name": name, "type": "image", "storage_key": f"in/{name}"} for name in names]
    return {"dataset_slug": "intake", "storage_slug": "media", "items": items}


async def test_the_twin_tells_team_datasets_and_storages(twin_api: Darwin, twin: RunningTwin) -> None:
    datasets = twin.twin.world.teams["acme"].datasets
    assert await twin_api.team() == "acme"
    assert await twin_api.datasets() == [Dataset(datasets[slug].id, slug) for slug in ("intake", "other")]
    assert await twin_api.storages() == [
        Storage("Media", "media", Mode.READ_WRITE, provider="aws", bucket="media-bucket", prefix="darwin"),
        Storage("Archive", "archive", Mode.READ_ONLY, provider="aws", bucket="old", prefix=""),
    ]


async def test_the_twin_holds_what_was_registered(twin_api: Darwin, twin: RunningTwin) -> None:
    names = ["weld 07.jpg", "a,b&c+d%20.jpg", "Grüße \U0001f600.jpg"]
    answer = await twin_api.register(LANE, batch(*names), within=5)
    assert answer.status == 200
    dataset = twin.twin.world.teams["acme"].datasets["intake"]
    found = await twin_api.find_items(dataset.id, [("/in", name) for name in names])
    held = dataset.items.values()
    assert {(item.path, item.name, item.external) for item in found} == {
        ("/in", name, True) for name in names
    }
    assert sorted(item.inserted_at or 0 for item in found) == pytest.approx(
        sorted(item.inserted_at for item in held), abs=0.001
    )
    assert await twin_api.find_items(dataset.id, [("/in", "absent.jpg"), ("/in", "other.jpg")]) == []
    assert await twin_api.find_items(dataset.id, [("/", "weld 07.jpg")]) == []


async def test_the_twin_does_not_say_external_while_it_processes(twin_api: Darwin, twin: RunningTwin) -> None:
    await twin_api.register(LANE, batch("a.jpg"), within=5)
    twin.twin.world.switched(Switches(items_processing=True))
    dataset = twin.twin.world.teams["acme"].datasets["intake"]
    [held] = dataset.items.values()
    [item] = await twin_api.find_items(dataset.id, [("/in", "a.jpg")])
    assert item == HeldItem("/in", "a.jpg", None, item.inserted_at, held.id, processing="processing")


async def test_the_twin_archives_what_it_is_told_to_and_nothing_else(
    twin_api: Darwin, twin: RunningTwin
) -> None:
    await twin_api.register(LANE, batch("a.jpg", "b.jpg", "c.jpg"), within=5)
    datasets = twin.twin.world.teams["acme"].datasets
    dataset, other = datasets["intake"].id, datasets["other"].id
    places = [("/in", "a.jpg"), ("/in", "b.jpg"), ("/in", "c.jpg")]
    first, second, _ = await twin_api.find_items(dataset, places)
    assert await twin_api.archive(other, [first.id]) == 0
    assert await twin_api.archive(dataset, [first.id, second.id]) == 2
    assert [(item.name, item.archived) for item in await twin_api.find_items(dataset, places)] == [
        ("a.jpg", True),
        ("b.jpg", True),
        ("c.jpg", False),
    ]
    with pytest.raises(ValueError, match="missing or empty"):
        await twin_api.archive(dataset, [])


async def test_the_twin_refuses_to_archive_for_a_paused_team(twin_api: Darwin, twin: RunningTwin) -> None:
    """Row: 401, 403."""
    twin.twin.world.teams["acme"].paused = True
    with pytest.raises(Refused, match="403"):
        await twin_api.archive(1, ["018f"])


async def test_the_twin_refuses_a_key_a_team_and_a_dataset_it_does_not_know(
    twin_api: Darwin, twin: RunningTwin, session: aiohttp.ClientSession, tokens: Tokens
) -> None:
    """Rows: 401, 403 and 404."""
    wrong_key = api_at(session, twin.url, tokens, SecretStr("wrong.key"))
    assert (await wrong_key.register(LANE, batch("a.jpg"), within=5)).status == 401
    with pytest.raises(Refused, match="401"):
        await wrong_key.team()
    other_team = DarwinApi(
        session, twin.url, "nobody", SecretStr(KEY), tokens.take, tokens.refuse, Metrics(CollectorRegistry())
    )
    with pytest.raises(Refused, match="404"):
        await other_team.storages()
    body = batch("a.jpg") | {"dataset_slug": "absent"}
    assert (await twin_api.register(LANE, body, within=5)).status == 404
    twin.twin.world.teams["acme"].paused = True
    assert (await twin_api.register(LANE, batch("a.jpg"), within=5)).status == 403


async def test_the_twin_limits_requests_and_says_when_to_come_again(twin_api: Darwin) -> None:
    """Row: 429."""
    answers = [await twin_api.register(LANE, batch(f"{n}.jpg"), within=5) for n in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].retry_after is not None
    assert 0 < answers[3].retry_after <= 60
