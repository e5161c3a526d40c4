"""What the Objects port promises, run on the real adapter (against MiniStack) and on the fake (on virtual time)."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aioboto3
import pytest
from prometheus_client import CollectorRegistry

from tests.fakes.objects import NOTHING, FakeObjects
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.core.errors import Refused
from worker.core.objects import Head, Listed
from worker.metrics import Metrics
from worker.pipeline.ports import Objects

X = "9dd4e461268c8034f5c8564e155c67a6"  # the etag of b"x"
ODD_KEYS = [
    "\x01control",
    "%41",
    "+",
    "..",
    "/leading",
    "a b.jpg",
    "a+b.jpg",
    "a%20b.jpg",
    "a%2Bb.jpg",
    "a&b=c;d#e?f",
    "a/../b",
    "a/./b",
    "a//b",
    "folder/",
    "line\nbreak\ttab",
    "quotes \"'<&>\\",
    "\uff5a.jpg",
    "Ünïcode/日本.jpg",
    "U\u0308decomposed",
    "\U0001f600.jpg",
    "\u2028",
    "k" * 1024,
]


class Bucket(NamedTuple):
    """A bucket of our own, read through the port and written by the test."""

    name: str
    objects: Objects
    put: Callable[..., Coroutine[Any, Any, None]]
    delete: Callable[[str], Coroutine[Any, Any, None]]


Opening = Callable[[], AbstractAsyncContextManager[Bucket]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[Bucket]:
    objects = FakeObjects()

    async def put(key: str, content: bytes = b"x", **details: Any) -> None:
        objects.put(key, content, **details)

    async def delete(key: str) -> None:
        objects.delete(key)

    yield Bucket("media", objects, put, delete)


@pytest.fixture(params=[pytest.param("fake", marks=pytest.mark.looptime), "ministack"])
def opened(request: pytest.FixtureRequest) -> Opening:
    """Opens a new bucket, in the test's own body, where virtual time begins."""
    if request.param == "fake":
        return in_memory
    session: aioboto3.Session = request.getfixturevalue("aws")

    @asynccontextmanager
    async def on_emulator() -> AsyncIterator[Bucket]:
        name = f"bucket-{uuid.uuid4().hex}"
        async with open_bucket_client(session) as client:
            await client.create_bucket(
                Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )

            async def put(
                key: str,
                content: bytes = b"x",
                *,
                metadata: Mapping[str, str] = NOTHING,
                tags: Mapping[str, str] = NOTHING,
                storage_class: Any = "STANDARD",
            ) -> None:
                await client.put_object(
                    Bucket=name,
                    Key=key,
                    Body=content,
                    Metadata=dict(metadata),
                    Tagging=urlencode(tags),
                    StorageClass=storage_class,
                )

            async def delete(key: str) -> None:
                await client.delete_object(Bucket=name, Key=key)

            yield Bucket(name, S3Objects(client, Metrics(CollectorRegistry())), put, delete)

    return on_emulator


async def listed(bucket: Bucket, prefix: str, limit: int = 100) -> list[str]:
    return [entry.key for entry in await bucket.objects.list(bucket.name, prefix, limit)]


async def test_a_listing_tells_key_etag_and_size(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", b"0123456789")
        await bucket.put("b.jpg", b"")
        assert await bucket.objects.list(bucket.name, "", 100) == [
            Listed("a.jpg", "781e5e245d69b566979b86e28d23f2c7", 10),
            Listed("b.jpg", "d41d8cd98f00b204e9800998ecf8427e", 0),
        ]


async def test_a_listing_holds_what_begins_with_the_prefix_whole_segments_or_not(opened: Opening) -> None:
    async with opened() as bucket:
        for key in ("incoming/a.jpg", "incoming/deep/b.jpg", "incoming-2/c.jpg", "Incoming/d.jpg", "in.jpg"):
            await bucket.put(key)
        assert await listed(bucket, "incoming/") == ["incoming/a.jpg", "incoming/deep/b.jpg"]
        assert await listed(bucket, "incoming") == [
            "incoming-2/c.jpg",
            "incoming/a.jpg",
            "incoming/deep/b.jpg",
        ]
        assert await listed(bucket, "absent/") == []


async def test_keys_come_in_the_order_of_their_utf_8_bytes(opened: Opening) -> None:
    """UTF-16 would have the emoji before the full-width letter, and people the small letter before the capital."""
    async with opened() as bucket:
        for key in ("\U0001f600", "\uff5a", "é", "b", "a/x", "a-x", "B", "a"):
            await bucket.put(key)
        assert await listed(bucket, "") == ["B", "a", "a-x", "a/x", "b", "é", "\uff5a", "\U0001f600"]


async def test_a_listing_ends_one_above_its_limit(opened: Opening) -> None:
    async with opened() as bucket:
        for key in ("a", "b", "c", "d"):
            await bucket.put(key)
        assert await listed(bucket, "", 0) == ["a"]
        assert await listed(bucket, "", 2) == ["a", "b", "c"]
        assert await listed(bucket, "", 3) == ["a", "b", "c", "d"]
        assert await listed(bucket, "", 4) == ["a", "b", "c", "d"]


async def test_a_listing_may_be_longer_than_a_page_of_s3(opened: Opening) -> None:
    async with opened() as bucket:
        keys = [f"many/{number:04}" for number in range(1001)]
        async with asyncio.TaskGroup() as tasks:
            for key in keys:
                tasks.create_task(bucket.put(key, b""))
        assert await listed(bucket, "many/", 5000) == keys
        assert await listed(bucket, "many/", 1001) == keys
        assert await listed(bucket, "many/", 1000) == keys
        assert await listed(bucket, "many/", 999) == keys[:1000]
        assert await listed(bucket, "many/", 998) == keys[:999]


async def test_odd_keys_are_told_as_they_were_written(opened: Opening) -> None:
    async with opened() as bucket:
        for key in ODD_KEYS:
            await bucket.put(key)
        assert set(await listed(bucket, "")) == set(ODD_KEYS)


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key[:20]))
async def test_an_odd_key_is_found_by_itself_and_is_its_own_prefix(opened: Opening, key: str) -> None:
    async with opened() as bucket:
        await bucket.put(key, key.encode(), tags={"a": "b"})
        assert await listed(bucket, key) == [key]
        head = await bucket.objects.head(bucket.name, key)
        assert head
        assert head.size == len(key.encode())
        assert await bucket.objects.tags(bucket.name, key) == {"a": "b"}
        assert await bucket.objects.read(bucket.name, key, 2000) == key.encode()


async def test_a_plus_a_space_and_their_encodings_are_different_keys(opened: Opening) -> None:
    """Law 7: what S3 was asked for is not decoded once more."""
    async with opened() as bucket:
        await bucket.put("a b")
        assert await bucket.objects.head(bucket.name, "a+b") is None
        assert await bucket.objects.head(bucket.name, "a%20b") is None
        assert await listed(bucket, "a+") == []
        assert await listed(bucket, "a%20") == []


async def test_a_head_tells_of_the_object_without_its_content(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", b"x", metadata={"Patient-ID": "7", "view": "left, upper"})
        assert await bucket.objects.head(bucket.name, "a.jpg") == Head(
            etag=X,
            size=1,
            version=None,
            storage_class="STANDARD",
            restored=False,
            metadata={"patient-id": "7", "view": "left, upper"},
        )


async def test_a_head_without_metadata_has_an_empty_one(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg")
        head = await bucket.objects.head(bucket.name, "a.jpg")
        assert head
        assert head.metadata == {}


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
async def test_an_archived_object_is_told_as_such_and_refuses_to_be_read(
    opened: Opening, storage_class: str
) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", storage_class=storage_class)
        head = await bucket.objects.head(bucket.name, "a.jpg")
        assert head
        assert (head.storage_class, head.archived) == (storage_class, True)
        with pytest.raises(Refused, match=r"GetObject on s3://.*/a.jpg: InvalidObjectState"):
            await bucket.objects.read(bucket.name, "a.jpg", 10)


async def test_an_object_of_instant_retrieval_is_read_like_any_other(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", storage_class="GLACIER_IR")
        head = await bucket.objects.head(bucket.name, "a.jpg")
        assert head
        assert (head.storage_class, head.archived) == ("GLACIER_IR", False)
        assert await bucket.objects.read(bucket.name, "a.jpg", 10) == b"x"


async def test_tags_are_told_by_name(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", tags={"site": "Hall 3", "a+b": "c=d&e", "empty": ""})
        await bucket.put("b.jpg")
        assert await bucket.objects.tags(bucket.name, "a.jpg") == {
            "site": "Hall 3",
            "a+b": "c=d&e",
            "empty": "",
        }
        assert await bucket.objects.tags(bucket.name, "b.jpg") == {}


async def test_a_read_brings_the_first_bytes_and_no_more_than_there_are(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", b"0123456789")
        assert await bucket.objects.read(bucket.name, "a.jpg", 1) == b"0"
        assert await bucket.objects.read(bucket.name, "a.jpg", 4) == b"0123"
        assert await bucket.objects.read(bucket.name, "a.jpg", 10) == b"0123456789"
        assert await bucket.objects.read(bucket.name, "a.jpg", 11) == b"0123456789"


async def test_a_read_brings_all_the_bytes_asked_for_however_they_travel(opened: Opening) -> None:
    async with opened() as bucket:
        content = bytes(range(256)) * 8192
        await bucket.put("a.tif", content)
        assert await bucket.objects.read(bucket.name, "a.tif", 1024 * 1024) == content[: 1024 * 1024]


async def test_an_empty_object_has_no_bytes_to_read(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("empty.json", b"")
        assert await bucket.objects.read(bucket.name, "empty.json", 10) == b""


async def test_an_object_that_is_not_there_is_none(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("gone.jpg", tags={"a": "b"})
        await bucket.put("folder/a.jpg")
        await bucket.delete("gone.jpg")
        for key in ("never.jpg", "gone.jpg", "folder", "folder/"):
            assert await bucket.objects.head(bucket.name, key) is None
            assert await bucket.objects.tags(bucket.name, key) is None
            assert await bucket.objects.read(bucket.name, key, 10) is None
        assert await listed(bucket, "") == ["folder/a.jpg"]


async def test_an_object_written_again_is_the_newer_one(opened: Opening) -> None:
    async with opened() as bucket:
        await bucket.put("a.jpg", b"0123456789", metadata={"a": "b"})
        await bucket.put("a.jpg", b"x")
        assert await bucket.objects.list(bucket.name, "a", 10) == [Listed("a.jpg", X, 1)]
        assert await bucket.objects.head(bucket.name, "a.jpg") == Head(
            X, 1, None, "STANDARD", restored=False, metadata={}
        )
        assert await bucket.objects.read(bucket.name, "a.jpg", 10) == b"x"
