"""What the adapter of S3's objects does beyond the port, against MiniStack and against answers of AWS's own kind."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from aiohttp import web
from botocore.stub import Stubber
from prometheus_client import CollectorRegistry

from worker.adapters import s3_objects
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_objects import S3Objects
from worker.core.errors import Refused, Unavailable
from worker.core.objects import Head, Listed
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

AWS = aioboto3.Session(
    aws_access_key_id="000000000001", aws_secret_access_key="secret", region_name="eu-west-1"
)
WITHOUT_LIST_BUCKET = (
    r"s3:ListBucket \(without it S3 says the same of objects that do not exist\), to the worker's role"
)


@pytest.fixture
async def client(aws: aioboto3.Session) -> "AsyncIterator[S3Client]":
    async with open_bucket_client(aws) as opened:
        yield opened


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def objects(client: "S3Client", registry: CollectorRegistry) -> S3Objects:
    return S3Objects(client, Metrics(registry))


@pytest.fixture
def stub(client: "S3Client") -> Stubber:
    return Stubber(client)


async def versioned_bucket(client: "S3Client") -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    await client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    await client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def counted(registry: CollectorRegistry, call: str, result: str) -> float | None:
    return registry.get_sample_value("darwin_worker_s3_calls_total", {"call": call, "result": result})


async def test_the_version_of_an_object_is_told(client: "S3Client", objects: S3Objects) -> None:
    bucket = await versioned_bucket(client)
    written = await client.put_object(Bucket=bucket, Key="a.jpg", Body=b"x")
    head = await objects.head(bucket, "a.jpg")
    assert head
    assert head.version == written["VersionId"]


async def test_an_object_under_a_delete_marker_is_not_there(client: "S3Client", objects: S3Objects) -> None:
    bucket = await versioned_bucket(client)
    await client.put_object(Bucket=bucket, Key="a.jpg", Body=b"x")
    await client.delete_object(Bucket=bucket, Key="a.jpg")
    assert await objects.head(bucket, "a.jpg") is None
    assert await objects.tags(bucket, "a.jpg") is None
    assert await objects.read(bucket, "a.jpg", 10) is None
    assert await objects.list(bucket, "", 10) == []


async def test_aws_says_of_the_tags_of_a_delete_marker_that_the_method_is_not_allowed(
    objects: S3Objects, stub: Stubber
) -> None:
    with stub:
        stub.add_client_error("get_object_tagging", "MethodNotAllowed", "not allowed", 405)
        assert await objects.tags("media", "a.jpg") is None


async def test_a_bucket_that_does_not_exist_is_refused_but_a_head_cannot_tell(objects: S3Objects) -> None:
    for call in (
        objects.list("absent-bucket", "", 10),
        objects.tags("absent-bucket", "a.jpg"),
        objects.read("absent-bucket", "a.jpg", 10),
    ):
        with pytest.raises(Refused, match=r"s3://absent-bucket/.*: there is no bucket absent-bucket\. Check"):
            await call
    assert await objects.head("absent-bucket", "a.jpg") is None


@pytest.mark.parametrize(
    "bucket",
    ["", "No Bucket", "a/b", "x" * 256, "é", "\ud800", "arn:aws:s3::123456789012:accesspoint/a.mrap"],
)
async def test_a_name_that_no_bucket_can_have_is_refused_before_any_call(
    objects: S3Objects, registry: CollectorRegistry, bucket: str
) -> None:
    """Whoever writes a message chooses it; it must not stop the worker."""
    for call in (
        objects.list(bucket, "", 10),
        objects.head(bucket, "a.jpg"),
        objects.tags(bucket, "a.jpg"),
        objects.read(bucket, "a.jpg", 10),
    ):
        with pytest.raises(Refused, match="is no name of a bucket"):
            await call
    assert counted(registry, "list", "refused") is None


async def test_a_denial_names_the_permission_and_the_object(
    objects: S3Objects, stub: Stubber, registry: CollectorRegistry
) -> None:
    with stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied", 403)
        with pytest.raises(
            Refused, match=r"ListObjectsV2 on s3://media/in/: AccessDenied.* Allow s3:ListBucket to"
        ):
            await objects.list("media", "in/", 10)
        stub.add_client_error("get_object_tagging", "AccessDenied", "Access Denied", 403)
        with pytest.raises(
            Refused,
            match=rf"GetObjectTagging on s3://media/a.*Allow s3:GetObjectTagging, and {WITHOUT_LIST_BUCKET}",
        ):
            await objects.tags("media", "a")
        stub.add_client_error("get_object", "AccessDenied", "Access Denied", 403)
        with pytest.raises(
            Refused, match=rf"GetObject on s3://media/a.*Allow s3:GetObject, and {WITHOUT_LIST_BUCKET}"
        ):
            await objects.read("media", "a", 10)
    assert [counted(registry, call, "refused") for call in ("list", "tags", "get")] == [1, 1, 1]


async def test_a_denied_head_names_the_permission_though_s3_gives_no_reason(
    objects: S3Objects, stub: Stubber, registry: CollectorRegistry
) -> None:
    with stub:
        stub.add_client_error("head_object", "403", "Forbidden", 403)
        with pytest.raises(
            Refused, match=rf"HeadObject on s3://media/a: 403.*Allow s3:GetObject, and {WITHOUT_LIST_BUCKET}"
        ):
            await objects.head("media", "a")
    assert counted(registry, "head", "refused") == 1


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("503", 503)])
async def test_throttling_and_server_errors_may_pass(
    objects: S3Objects, stub: Stubber, registry: CollectorRegistry, code: str, status: int
) -> None:
    with stub:
        stub.add_client_error("head_object", code, "Please reduce your request rate.", status)
        with pytest.raises(Unavailable, match=code):
            await objects.head("media", "a")
    assert counted(registry, "head", "unavailable") == 1


async def test_every_page_is_a_call_and_no_more_is_asked_for_than_is_wanted(
    objects: S3Objects, stub: Stubber, registry: CollectorRegistry
) -> None:
    def page(keys: range, **more: Any) -> dict[str, Any]:
        return {"Contents": [{"Key": f"{n:04}", "ETag": '"e"', "Size": n} for n in keys], **more}

    asked = {"Bucket": "media", "Prefix": "in/"}
    with stub:
        stub.add_response(
            "list_objects_v2",
            page(range(1000), IsTruncated=True, NextContinuationToken="second"),
            asked | {"MaxKeys": 1000},
        )
        # Among many delete markers a page may be empty and yet not the last.
        stub.add_response(
            "list_objects_v2",
            {"IsTruncated": True, "NextContinuationToken": "third"},
            asked | {"MaxKeys": 501, "ContinuationToken": "second"},
        )
        stub.add_response(
            "list_objects_v2",
            page(range(1000, 1501), IsTruncated=True, NextContinuationToken="fourth"),
            asked | {"MaxKeys": 501, "ContinuationToken": "third"},
        )
        found = await objects.list("media", "in/", 1500)
    assert len(found) == 1501
    assert found[-1] == Listed("1500", "e", 1500)
    assert counted(registry, "list", "ok") == 3


async def test_a_call_for_an_object_that_is_not_there_is_answered_and_counted_so(
    objects: S3Objects, stub: Stubber, registry: CollectorRegistry
) -> None:
    with stub:
        stub.add_client_error("head_object", "404", "Not Found", 404)
        assert await objects.head("media", "a") is None
    assert counted(registry, "head", "ok") == 1


async def test_the_version_of_what_was_written_without_versioning_is_none(
    objects: S3Objects, stub: Stubber
) -> None:
    """S3 calls it null, and so it calls the next one: it would tell nothing apart."""
    with stub:
        stub.add_response(
            "head_object", {"ETag": '"e-2"', "ContentLength": 7, "VersionId": "null", "Metadata": {}}
        )
        assert await objects.head("media", "a") == Head(
            "e-2", 7, None, "STANDARD", restored=False, metadata={}
        )


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("=?UTF-8?B?w4XDhE3DhFpJTkc=?=", "ÅÄMÄZING"),
        ("=?UTF-8?Q?B=C3=A4r?= 7", "Bär 7"),
        ("plain = ?text?", "plain = ?text?"),
        ("=?no-charset?B?w4U=?=", "=?no-charset?B?w4U=?="),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("=?UTF-8?B?a?=", "=?UTF-8?B?a?="),
    ],
)
async def test_metadata_that_is_not_ascii_is_read_and_what_cannot_be_read_stays(
    objects: S3Objects, stub: Stubber, sent: str, told: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
    with stub:
        stub.add_response("head_object", {"ETag": '"e"', "ContentLength": 7, "Metadata": {"name": sent}})
        head = await objects.head("media", "a")
    assert head is not None
    assert head.metadata == {"name": told}


@pytest.mark.parametrize(
    ("told", "restored", "archived"),
    [
        ({"StorageClass": "GLACIER"}, False, True),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, False, True),
        (
            {
                "StorageClass": "DEEP_ARCHIVE",
                "Restore": 'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"',
            },
            True,
            False,
        ),
        ({"StorageClass": "INTELLIGENT_TIERING"}, False, False),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "ARCHIVE_ACCESS"}, False, True),
    ],
)
async def test_what_s3_tells_of_archives_and_restores_is_understood(
    objects: S3Objects, stub: Stubber, told: dict[str, str], restored: bool, archived: bool
) -> None:
    with stub:
        stub.add_response("head_object", {"ETag": '"e"', "ContentLength": 7, "Metadata": {}, **told})
        head = await objects.head("media", "a")
    assert head
    assert (head.restored, head.archived) == (restored, archived)


async def test_when_an_object_was_written_is_told_where_s3_tells_it(
    objects: S3Objects, stub: Stubber
) -> None:
    told = {"ETag": '"e"', "ContentLength": 7, "Metadata": {}}
    with stub:
        stub.add_response("head_object", {**told, "LastModified": datetime(2031, 2, 1, 9, tzinfo=UTC)})
        stub.add_response("head_object", told)
        heads = [await objects.head("media", "a") for _ in range(2)]
    assert [head and head.modified for head in heads] == [1927702800.0, None]


# --- over the wire, where no emulator behaves so

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """An S3 that answers each call with *handle*."""

    def __init__(self) -> None:
        self.url = ""
        self.handle: Handler = never

    async def answer(self, request: web.Request) -> web.StreamResponse:
        return await self.handle(request)


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def served(
    server: Server, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[S3Objects]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    async with open_bucket_client(AWS) as client:
        yield S3Objects(client, Metrics(registry))


def calls_of(objects: S3Objects) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: objects.list("media", "", 10),
        lambda: objects.head("media", "a"),
        lambda: objects.tags("media", "a"),
        lambda: objects.read("media", "a", 10),
    ]


async def test_every_call_has_a_deadline(
    served: S3Objects, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "CALL_SECONDS", 0.2)
    for call in calls_of(served):
        with pytest.raises(Unavailable, match=r"on s3://media/.*: no answer within 0\.2 s"):
            await call()
    assert [counted(registry, call, "unavailable") for call in ("list", "head", "tags", "get")] == [1] * 4


async def test_a_content_that_stops_on_its_way_has_a_deadline_too(
    served: S3Objects, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"01234")
        await asyncio.Event().wait()
        return response

    server.handle = half
    monkeypatch.setattr(s3_objects, "CALL_SECONDS", 0.2)
    with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
        await served.read("media", "a", 10)


async def test_a_content_that_breaks_off_is_unavailable(served: S3Objects, server: Server) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"01234")
        assert request.transport
        request.transport.close()
        return response

    server.handle = broken
    with pytest.raises(Unavailable, match="GetObject on s3://media/a: "):
        await served.read("media", "a", 10)


async def test_the_content_of_a_range_is_not_held_against_the_checksum_of_the_whole(
    served: S3Objects, server: Server
) -> None:
    async def ranged(request: web.Request) -> web.StreamResponse:
        assert request.headers["Range"] == "bytes=0-9"
        return web.Response(status=206, body=b"0123456789", headers={"x-amz-checksum-crc32": "UymZPQ=="})

    server.handle = ranged
    assert await served.read("media", "a", 10) == b"0123456789"


async def test_a_content_that_was_stored_compressed_comes_as_it_was_stored(
    served: S3Objects, server: Server
) -> None:
    async def compressed(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=206, body=b"\x1f\x8b\x08half", headers={"Content-Encoding": "gzip"})

    server.handle = compressed
    assert await served.read("media", "a", 7) == b"\x1f\x8b\x08half"


async def test_a_page_of_some_other_server_is_no_empty_bucket(served: S3Objects, server: Server) -> None:
    async def maintenance(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>maintenance</html>")

    server.handle = maintenance
    for call in calls_of(served)[:3]:  # a read takes it for the content
        with pytest.raises(Unavailable, match=r"so it is not S3's\. Check the network and AWS_ENDPOINT_URL"):
            await call()


async def test_an_endpoint_where_nobody_listens_is_unavailable(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        async with open_bucket_client(AWS) as client:
            with pytest.raises(Unavailable, match=r"ListObjectsV2 on s3://media/in/: .*Could not connect"):
                await S3Objects(client, Metrics(registry)).list("media", "in/", 10)
