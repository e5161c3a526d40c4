"""What the Archive port promises, run on the real adapter (against MiniStack) and on the fake (on virtual time)."""

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import aioboto3
import pytest
from botocore.stub import Stubber
from prometheus_client import CollectorRegistry

from tests.fakes.archive import FakeArchive
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_archive import S3Archive
from worker.core.errors import Refused, Unavailable
from worker.core.receipts import Place
from worker.metrics import Metrics
from worker.pipeline.ports import Archive


class Opened(NamedTuple):
    """An archive of our own, written through the port and read by the test: what is there, by name."""

    archive: Archive
    read: Callable[[], Coroutine[Any, Any, dict[str, bytes]]]


Opening = Callable[[], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[Opened]:
    archive = FakeArchive()

    async def read() -> dict[str, bytes]:
        return archive.stored

    yield Opened(archive, read)


@pytest.fixture(params=[pytest.param("fake", marks=pytest.mark.looptime), "ministack", "whole bucket"])
def opened(request: pytest.FixtureRequest) -> Opening:
    """Opens a new archive, in the test's own body, where virtual time begins."""
    if request.param == "fake":
        return in_memory
    session: aioboto3.Session = request.getfixturevalue("aws")
    prefix = "" if request.param == "whole bucket" else "receipts of ä/2"

    @asynccontextmanager
    async def on_emulator() -> AsyncIterator[Opened]:
        bucket = f"archive-{uuid.uuid4().hex}"
        async with open_bucket_client(session) as client:
            await client.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )

            async def read() -> dict[str, bytes]:
                beginning = f"{prefix}/" if prefix else ""
                found = {}
                for entry in (await client.list_objects_v2(Bucket=bucket)).get("Contents", []):
                    assert entry["Key"].startswith(beginning)
                    answer = await client.get_object(Bucket=bucket, Key=entry["Key"])
                    found[entry["Key"].removeprefix(beginning)] = await answer["Body"].read()
                return found

            yield Opened(S3Archive(client, Place(bucket, prefix), Metrics(CollectorRegistry())), read)

    return on_emulator


async def test_an_object_that_was_put_is_there_whole(opened: Opening) -> None:
    async with opened() as here:
        large = bytes(range(256)) * 20_000
        await here.archive.put("2027/01/15/08/2027-01-15-08-00-00-0f3a.gz", large)
        await here.archive.put("_check", b"")
        assert await here.read() == {
            "2027/01/15/08/2027-01-15-08-00-00-0f3a.gz": large,
            "_check": b"",
        }


async def test_two_names_are_two_objects(opened: Opening) -> None:
    async with opened() as here:
        await here.archive.put("2027/a.gz", b"one")
        await here.archive.put("2027/b.gz", b"two")
        assert await here.read() == {"2027/a.gz": b"one", "2027/b.gz": b"two"}


# The real adapter's own errors

PLACE = Place("acme-archive", "receipts")


async def test_a_denial_names_the_permission_and_the_object(aws: aioboto3.Session) -> None:
    metrics = Metrics(CollectorRegistry())
    async with open_bucket_client(aws) as client:
        with Stubber(client) as stub:
            stub.add_client_error("put_object", "AccessDenied", "Access Denied", 403)
            with pytest.raises(
                Refused, match=r"S3 PutObject on s3://acme-archive/receipts/a.gz.*Allow s3:PutObject"
            ):
                await S3Archive(client, PLACE, metrics).put("a.gz", b"")
    assert metrics.s3_calls.labels(call="put", result="refused")._value.get() == 1  # noqa: SLF001 - told nowhere else


async def test_a_bucket_that_is_not_there_is_refused_by_its_name(aws: aioboto3.Session) -> None:
    async with open_bucket_client(aws) as client:
        with pytest.raises(Refused, match=r"there is no bucket acme-archive.*WORKER_ARCHIVE__URL"):
            await S3Archive(client, PLACE, Metrics(CollectorRegistry())).put("a.gz", b"x")


async def test_what_may_pass_is_unavailable(aws: aioboto3.Session) -> None:
    async with open_bucket_client(aws) as client:
        with Stubber(client) as stub:
            stub.add_client_error("put_object", "SlowDown", "Please reduce your request rate", 503)
            with pytest.raises(Unavailable, match="SlowDown"):
                await S3Archive(client, PLACE, Metrics(CollectorRegistry())).put("a.gz", b"")
