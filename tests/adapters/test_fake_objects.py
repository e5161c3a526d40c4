"""What the fake of S3 promises beyond the port: stale answers, and the failures to order."""

import asyncio

import pytest

from tests.fakes.objects import FakeObjects
from worker.core.errors import Unavailable

pytestmark = pytest.mark.looptime


async def test_an_answer_tells_what_there_was_when_the_call_began() -> None:
    objects = FakeObjects()
    objects.put("a.jpg")
    async with asyncio.TaskGroup() as tasks:
        listing = tasks.create_task(objects.list("media", "", 10))
        head = tasks.create_task(objects.head("media", "b.jpg"))
        read = tasks.create_task(objects.read("media", "a.jpg", 10))
        await asyncio.sleep(0.01)
        objects.put("b.jpg")
        objects.delete("a.jpg")
    assert [entry.key for entry in listing.result()] == ["a.jpg"]
    assert head.result() is None
    assert read.result() == b"x"
    assert [entry.key for entry in await objects.list("media", "", 10)] == ["b.jpg"]


async def test_a_call_takes_its_seconds_and_is_counted() -> None:
    objects = FakeObjects()
    objects.seconds = 2.0
    await objects.list("media", "", 10)
    await objects.head("media", "a.jpg")
    await objects.head("media", "a.jpg")
    await objects.tags("media", "a.jpg")
    await objects.read("media", "a.jpg", 1)
    assert asyncio.get_running_loop().time() == 10
    assert objects.calls == {"list": 1, "head": 2, "tags": 1, "read": 1}


async def test_while_it_fails_every_call_raises_and_is_counted() -> None:
    objects = FakeObjects()
    objects.failing = Unavailable("S3 is away")
    for call in (
        objects.list("media", "", 10),
        objects.head("media", "a.jpg"),
        objects.tags("media", "a.jpg"),
        objects.read("media", "a.jpg", 1),
    ):
        with pytest.raises(Unavailable, match="S3 is away"):
            await call
    assert objects.calls.total() == 4
    objects.failing = None
    assert await objects.list("media", "", 10) == []


async def test_buckets_hold_their_own_objects_with_the_etag_and_version_given() -> None:
    objects = FakeObjects()
    objects.put("a.jpg", bucket="other", etag="e", version="3")
    assert await objects.head("media", "a.jpg") is None
    assert await objects.list("media", "", 10) == []
    head = await objects.head("other", "a.jpg")
    assert head
    assert (head.etag, head.version) == ("e", "3")
    objects.delete("a.jpg", bucket="other")
    assert await objects.head("other", "a.jpg") is None
