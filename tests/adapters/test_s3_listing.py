"""A whole bucket by pages, and what divides it, against MiniStack and against answers of AWS's own kind."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from botocore.stub import Stubber
from prometheus_client import CollectorRegistry

from tests.adapters.test_objects_contract import ODD_KEYS, X
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.core.errors import Refused
from worker.core.objects import Found
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


@pytest.fixture
async def client(aws: aioboto3.Session) -> "AsyncIterator[S3Client]":
    async with open_bucket_client(aws) as opened:
        yield opened


@pytest.fixture
def objects(client: "S3Client") -> S3Objects:
    return S3Objects(client, Metrics(CollectorRegistry()))


@pytest.fixture
async def bucket(client: "S3Client") -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    await client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


async def listed(objects: S3Objects, bucket: str, prefix: str = "", after: str = "") -> list[Found]:
    return [found async for page in objects.pages(bucket, prefix, after) for found in page]


async def test_every_key_comes_as_it_is_with_what_s3_tells_of_it(
    client: "S3Client", objects: S3Objects, bucket: str
) -> None:
    began = datetime.now(UTC).timestamp()
    for key in ODD_KEYS:
        await client.put_object(Bucket=bucket, Key=key, Body=b"x")
    found = await listed(objects, bucket)
    assert [each.key for each in found] == sorted(ODD_KEYS)
    assert {(each.etag, each.size, each.version) for each in found} == {(X, 1, None)}
    assert all(began - 2 <= each.modified <= began + 60 for each in found)


async def test_a_listing_begins_behind_any_key_that_there_is_or_is_not(
    client: "S3Client", objects: S3Objects, bucket: str
) -> None:
    for key in ("in/a", "in/b b+ä", "in/c/", "in/c/1", "out/a"):
        await client.put_object(Bucket=bucket, Key=key, Body=b"x")
    for after, first in (
        ("", "in/a"),
        ("in/a", "in/b b+ä"),
        ("in/b b+ä", "in/c/"),
        ("in/c/", "in/c/1"),
        ("in/bz", "in/c/"),
    ):
        assert (await listed(objects, bucket, "in/", after))[0].key == first
    assert await listed(objects, bucket, "in/", "in/c/1") == []
    assert await listed(objects, bucket, "absent/") == []


async def test_folders_are_those_right_below_the_prefix(
    client: "S3Client", objects: S3Objects, bucket: str
) -> None:
    for key in ("in/b/1", "in/a/1", "in/a/2", "in/ä +/1", "in/file", "other"):
        await client.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert await objects.folders(bucket, "") == ["in/"]
    assert await objects.folders(bucket, "in/") == ["in/a/", "in/b/", "in/ä +/"]
    assert await objects.folders(bucket, "in") == ["in/"]
    assert await objects.folders(bucket, "in/a/") == []
    assert await objects.folders(bucket, "absent/") == []


async def test_pages_go_on_by_the_token_of_the_one_before(objects: S3Objects, client: "S3Client") -> None:
    def page(key: str, **more: Any) -> dict[str, Any]:
        modified = datetime.fromtimestamp(100, UTC)
        return {"Contents": [{"Key": key, "ETag": '"e"', "Size": 7, "LastModified": modified}], **more}

    asked = {"Bucket": "media", "Prefix": "in/"}
    with Stubber(client) as stub:
        stub.add_response(
            "list_objects_v2",
            page("in/b", IsTruncated=True, NextContinuationToken="2"),
            asked | {"StartAfter": "in/a"},
        )
        # Among many delete markers a page may be empty and yet not the last.
        stub.add_response(
            "list_objects_v2",
            {"IsTruncated": True, "NextContinuationToken": "3"},
            asked | {"StartAfter": "in/a", "ContinuationToken": "2"},
        )
        stub.add_response(
            "list_objects_v2",
            page("in/c", IsTruncated=False),
            asked | {"StartAfter": "in/a", "ContinuationToken": "3"},
        )
        pages = [found async for found in objects.pages("media", "in/", "in/a")]
    assert pages == [[Found("in/b", "e", 7, 100.0)], [], [Found("in/c", "e", 7, 100.0)]]


async def test_a_bucket_that_is_not_there_or_not_ours_to_list_is_refused(
    objects: S3Objects, client: "S3Client"
) -> None:
    with pytest.raises(Refused, match="there is no bucket absent-bucket"):
        await objects.folders("absent-bucket", "")
    with pytest.raises(Refused, match="there is no bucket absent-bucket"):
        await listed(objects, "absent-bucket")
    with Stubber(client) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied", 403)
        with pytest.raises(Refused, match="Allow s3:ListBucket to"):
            await listed(objects, "media")
