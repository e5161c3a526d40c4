"""The journal: who sent what, and which answers nobody heard."""

import io
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from tests.demo.twin_calls import ITEMS, KEY, REGISTER, Calls, acme, photo
from worker.demo.twin.faults import Fault
from worker.demo.twin.server import RunningTwin, running_twin
from worker.demo.twin.switches import Switches


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def running(file: io.StringIO) -> AsyncIterator[RunningTwin]:
    async with running_twin([acme()], Switches(requests_per_minute=2), journal=file) as one:
        yield one


@pytest.fixture
async def client(running: RunningTwin) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"ApiKey {KEY}"}
    async with aiohttp.ClientSession(
        running.url, headers=headers, timeout=aiohttp.ClientTimeout(total=10)
    ) as session:
        yield session


@pytest.fixture
def lines(file: io.StringIO) -> Callable[[], list[Any]]:
    return lambda: [json.loads(line) for line in file.getvalue().splitlines()]


def body(*names: str) -> dict[str, object]:
    items = [photo(name, "/x") for name in names]
    return {"dataset_slug": "intake", "storage_slug": "acme-media", "items": items}


async def test_a_registration_is_told_with_who_asked_its_items_and_its_answer(
    client: aiohttp.ClientSession, lines: Callable[[], list[Any]]
) -> None:
    before = time.time()
    async with client.post(f"/as/worker-1{REGISTER}", json=body("a.jpg", "b.jpg")) as answer:
        assert answer.status == 200
    async with client.get(ITEMS) as answer:
        assert len((await answer.json())["items"]) == 2
    (line,) = lines()
    assert before <= line.pop("at") <= line.pop("ended") <= time.time()
    assert line == {
        "by": "worker-1",
        "items": [["/x", "a.jpg", "in/a.jpg"], ["/x", "b.jpg", "in/b.jpg"]],
        "answer": "200",
    }


async def test_what_failed_or_was_dropped_is_told_as_such(
    running: RunningTwin, client: aiohttp.ClientSession, lines: Callable[[], list[Any]]
) -> None:
    faults = running.twin.world.faults
    faults.plan(Fault(kind="status", status=502, times=1))
    faults.plan(Fault(kind="drop-answer-after-work", times=1))
    async with client.post(REGISTER, json=body("a.jpg")) as answer:
        assert answer.status == 502
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post(REGISTER, json=body("a.jpg"))
    assert [(line["by"], line["answer"]) for line in lines()] == [("", "502"), ("", "dropped")]


async def test_a_client_that_went_before_its_answer_cut_the_request(
    running: RunningTwin, client: aiohttp.ClientSession, lines: Callable[[], list[Any]]
) -> None:
    running.twin.world.faults.plan(Fault(kind="slow-answer", seconds=0.3, endpoint="register"))
    with pytest.raises(TimeoutError):
        await client.post(REGISTER, json=body("a.jpg"), timeout=aiohttp.ClientTimeout(total=0.1))
    deadline = time.monotonic() + 10
    while not lines():
        assert time.monotonic() < deadline
        async with client.get(ITEMS):
            pass
    assert [line["answer"] for line in lines()] == ["cut"]


async def test_what_the_limit_kept_out_is_not_told(
    client: aiohttp.ClientSession, lines: Callable[[], list[Any]]
) -> None:
    statuses = []
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        async with client.post(REGISTER, json=body(name)) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 200, 429]
    assert [line["answer"] for line in lines()] == ["200", "200"]


@pytest.mark.parametrize("item", [7, {}, {"name": "a.jpg", "slots": []}, {"name": "a.jpg", "slots": 7}])
def test_an_item_without_files_is_no_line_and_no_harm(item: object) -> None:
    reply = Calls().send(item)
    assert reply.status == 422
    assert reply.entry is not None


def test_whoever_asks_as_somebody_gets_the_same_answer() -> None:
    calls = Calls()
    assert calls.ask("GET", f"/as/worker-1{ITEMS}").status == 200
    assert calls.ask("GET", f"/as/worker-1{ITEMS}", key="wrong").status == 401
    assert calls.ask("GET", "/as/worker-1").status == 404
