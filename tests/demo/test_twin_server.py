"""The twin on a port: what only real HTTP can show, and the process of its own."""

import asyncio
import io
import json
import re
import signal
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.demo.twin_calls import ITEMS, KEY, REGISTER, acme, photo
from worker.demo.twin.server import RunningTwin, running_twin
from worker.demo.twin.switches import Switches


@pytest.fixture
async def running() -> AsyncIterator[RunningTwin]:
    async with running_twin([acme()]) as one:
        yield one


@pytest.fixture
async def client(running: RunningTwin) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"ApiKey {KEY}"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(running.url, headers=headers, timeout=timeout) as session:
        yield session


def body(*items: object) -> dict[str, object]:
    return {"dataset_slug": "intake", "storage_slug": "acme-media", "items": items}


async def test_what_is_registered_over_http_is_listed_over_http(client: aiohttp.ClientSession) -> None:
    name = "weld 07+é&%2B.jpg"
    async with client.post(REGISTER, json=body(photo(name))) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert [item["name"] for item in (await answer.json())["items"]] == [name]
    async with client.get(ITEMS, params=[("item_names[]", name), ("item_names[]", "other")]) as answer:
        assert [item["name"] for item in (await answer.json())["items"]] == [name]


async def test_errors_come_as_json_with_their_status(client: aiohttp.ClientSession) -> None:
    async with client.post(REGISTER, json=body(photo(frob=1))) as answer:
        assert answer.status == 422
        assert await answer.json() == {"errors": {"items": [{"frob": ["is not expected"]}]}}
    async with client.get(ITEMS, headers={"Authorization": "ApiKey wrong"}) as answer:
        assert answer.status == 401


async def test_a_limited_request_carries_retry_after() -> None:
    headers = {"Authorization": f"ApiKey {KEY}"}
    switches = Switches(general_per_minute=1)
    async with (
        running_twin([acme()], switches) as one,
        aiohttp.ClientSession(one.url, headers=headers) as client,
    ):
        async with client.get(ITEMS) as answer:
            assert answer.status == 200
        async with client.get(ITEMS) as answer:
            assert answer.status == 429
            assert 0 < int(answer.headers["Retry-After"]) <= 60


async def test_a_dropped_answer_breaks_the_connection_after_the_work(
    client: aiohttp.ClientSession, running: RunningTwin
) -> None:
    async with client.post("/_twin/faults", json={"kind": "drop-answer-after-work", "times": 1}) as answer:
        assert answer.status == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post(REGISTER, json=body(photo()))
    assert list(running.twin.world.teams["acme"].datasets["intake"].items) == [("/", "a.jpg")]
    async with client.get(ITEMS) as answer:
        assert answer.status == 200


async def test_a_slow_request_is_done_although_its_client_has_gone(client: aiohttp.ClientSession) -> None:
    async with client.post(
        "/_twin/faults", json={"kind": "slow", "seconds": 0.3, "endpoint": "register"}
    ) as answer:
        assert answer.status == 200
    with pytest.raises(TimeoutError):
        await client.post(REGISTER, json=body(photo()), timeout=aiohttp.ClientTimeout(total=0.1))
    async with asyncio.timeout(10):
        while True:
            async with client.get("/_twin/state") as answer:
                if (await answer.json())["counters"]["items_registered"]:
                    break


async def test_a_query_longer_than_the_librarys_own_limit_is_answered_by_the_twin(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(ITEMS, params=[("item_names[]", "x" * 100)] * 200) as answer:
        assert answer.status == 414


async def test_a_batch_of_a_hundred_long_items_is_taken(client: aiohttp.ClientSession) -> None:
    items = [
        photo(f"{n}{'x' * 200}.jpg", "/" + "y" * 800, metadata={"note": "z" * 20_000}) for n in range(100)
    ]
    # A file: aiohttp warns of blocks of bytes this large.
    with io.BytesIO(json.dumps(body(*items)).encode()) as sent:
        headers = {"Content-Type": "application/json"}
        answer = await client.post(REGISTER, data=sent, headers=headers)
    async with answer:
        assert answer.status == 200


async def test_the_page_is_at_the_root_and_needs_no_key(running: RunningTwin) -> None:
    async with aiohttp.ClientSession(running.url) as client, client.get("/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


async def test_two_twins_know_nothing_of_each_other() -> None:
    async with running_twin([acme()]) as one, running_twin([acme()]) as other:
        assert one.url != other.url
        async with aiohttp.ClientSession() as client:
            call = {"dataset": "intake", "name": "a.jpg"}
            async with client.post(f"{one.url}/_twin/items", json=call) as answer:
                assert answer.status == 200
        assert other.twin.world.teams["acme"].datasets["intake"].items == {}


async def test_a_taken_port_is_an_error(running: RunningTwin) -> None:
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with running_twin([acme()], port=port):
            pass


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.demo.twin",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_process_says_where_it_listens_and_ends_on_sigterm() -> None:
    storages = ["--storage", "media:acme-media:darwin", "--storage", "archive:acme-archive::ro"]
    limits = ["--requests-per-minute", "7", "--limiter", "bucket", "--max-items", "5"]
    process = await start(
        "--team", "acme", "--key", KEY, "--dataset", "one", "--dataset", "two", *storages, *limits
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = (await process.stdout.readline()).decode()
        assert re.fullmatch(r"twin listening on http://127\.0\.0\.1:\d+\n", line)
        async with aiohttp.ClientSession(line.split()[-1]) as client, client.get("/_twin/state") as answer:
            state = await answer.json()
        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    assert list(state["teams"]["acme"]["datasets"]) == ["one", "two"]
    assert state["teams"]["acme"]["storages"] == ["media", "archive"]
    assert state["switches"]["requests_per_minute"] == 7
    assert state["switches"]["limiter"] == "bucket"
    assert state["switches"]["max_items"] == 5


@pytest.mark.parametrize("storage", ["media", "media:bucket", "media:bucket:prefix:rw", ":bucket:prefix"])
async def test_a_misspelt_storage_is_refused_in_words(storage: str) -> None:
    process = await start("--storage", storage)
    async with asyncio.timeout(20):
        _, complaints = await process.communicate()
    assert process.returncode == 2
    assert b"is not name:bucket:prefix" in complaints
