"""The files of an S3 Inventory on MiniStack: read as they are, and refused where they are not what the manifest says."""

import csv
import gzip
import hashlib
import io
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import aioboto3
import pytest
from botocore.stub import Stubber
from prometheus_client import CollectorRegistry

from tests.adapters.test_objects_contract import ODD_KEYS
from worker.adapters import s3_inventory
from worker.adapters.s3 import open_bucket_client
from worker.adapters.s3_inventory import S3Inventory
from worker.core.errors import Refused
from worker.core.inventory import NotThere
from worker.core.objects import Found
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"


class Place:
    """A bucket with an inventory of a bucket called media."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self.client = client
        self.bucket = bucket
        self.files: list[dict[str, object]] = []

    async def put(self, key: str, content: bytes) -> None:
        await self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    async def add_file(self, key: str, content: bytes, md5: str | None = None) -> None:
        await self.put(key, content)
        told = md5 or hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files.append({"key": key, "size": len(content), "MD5checksum": told})

    async def finish(self) -> S3Inventory:
        manifest = {
            "sourceBucket": "media",
            "destinationBucket": f"arn:aws:s3:::{self.bucket}",
            "fileFormat": "CSV",
            "fileSchema": SCHEMA,
            "files": self.files,
        }
        await self.put("daily/manifest.json", json.dumps(manifest).encode())
        return self.inventory()

    def inventory(self, key: str = "daily/manifest.json") -> S3Inventory:
        return S3Inventory(self.client, Metrics(CollectorRegistry()), self.bucket, key)


@pytest.fixture
async def place(aws: aioboto3.Session) -> AsyncIterator[Place]:
    async with open_bucket_client(aws) as client:
        name = f"inventory-{uuid.uuid4().hex}"
        await client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield Place(client, name)


def rows_of(keys: Sequence[str], **changes: str) -> bytes:
    fields = {"VersionId": "", "IsLatest": "true", "IsDeleteMarker": "false", "Size": "7"}
    fields |= {"LastModifiedDate": "2031-02-01T09:00:00.000Z", "ETag": "e1"} | changes
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(
        ["media", quote_plus(key), *fields.values()] for key in keys
    )
    return text.getvalue().encode()


async def read(inventory: S3Inventory, file: int = 0, after: int = 0) -> list[Found | NotThere]:
    manifest = await inventory.manifest()
    return [row async for page in inventory.rows(manifest, manifest.files[file], after) for row in page]


async def test_hostile_keys_are_what_they_were_in_the_bucket(place: Place) -> None:
    await place.add_file("data/one.csv.gz", gzip.compress(rows_of(ODD_KEYS)))
    found = await read(await place.finish())
    assert found == [Found(key, "e1", 7, 1_927_702_800.0) for key in ODD_KEYS]


async def test_rows_come_a_thousand_at_a_time_from_any_row_on(place: Place) -> None:
    keys = [f"{number:04}" for number in range(2_500)]
    await place.add_file("data/one.csv.gz", gzip.compress(rows_of(keys)))
    inventory = await place.finish()
    manifest = await inventory.manifest()
    assert [len(page) async for page in inventory.rows(manifest, manifest.files[0])] == [1000, 1000, 500]
    found = await read(inventory, after=1_234)
    assert [each.key for each in found if isinstance(each, Found)] == keys[1_234:]
    assert await read(inventory, after=2_500) == []


async def test_old_versions_and_delete_markers_are_told_apart(place: Place) -> None:
    content = (
        rows_of(["a"], VersionId="v1")
        + rows_of(["b"], IsLatest="false")
        + rows_of(["c"], IsDeleteMarker="true")
    )
    await place.add_file("data/one.csv.gz", gzip.compress(content))
    assert await read(await place.finish()) == [
        Found("a", "e1", 7, 1_927_702_800.0, "v1"),
        NotThere.OLD_VERSION,
        NotThere.DELETE_MARKER,
    ]


async def test_an_inventory_of_an_empty_bucket_has_no_rows(place: Place) -> None:
    await place.add_file("data/one.csv.gz", gzip.compress(b""))
    assert await read(await place.finish()) == []


async def test_a_file_that_is_missing_is_named(place: Place) -> None:
    place.files.append({"key": "data/two.csv.gz", "size": 1, "MD5checksum": "0" * 32})
    with pytest.raises(Refused, match=rf"s3://{place.bucket}/data/two\.csv\.gz is not there\. .*not whole"):
        await read(await place.finish())


async def test_a_file_with_another_md5_is_named_before_any_row_of_it_counts(place: Place) -> None:
    await place.add_file("data/one.csv.gz", gzip.compress(rows_of(["a"])), md5="0" * 32)
    with pytest.raises(
        Refused, match=r"/data/one\.csv\.gz: its MD5 is [0-9a-f]{32}, and the manifest says 0{32}\."
    ):
        await read(await place.finish())


GOOD = gzip.compress(rows_of([f"{number:04}" for number in range(3)]), mtime=0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not gzip at all", "what follows row 0 is no gzip"),
        (GOOD[:-12], "is no gzip"),
        (GOOD[:20] + b"\xff\xff\xff\xff" + GOOD[24:], "is no gzip"),
        (
            gzip.compress(b'"media","a"\n'),
            "row 1 cannot be read: it has 2 columns, and the manifest's fileSchema 8",
        ),
        (
            gzip.compress(rows_of(["a"]) + rows_of(["b"], Size="many")),
            "row 2 cannot be read: its size is 'many'",
        ),
        (gzip.compress(b'"media","a'), "what follows row 0 is no CSV"),
        (gzip.compress(b"\xff\xfe"), "what follows row 0 is no CSV"),
    ],
    ids=["no gzip", "cut off", "damaged", "too few columns", "no size", "open quotes", "no text"],
)
async def test_what_is_no_rows_in_gzip_is_named_with_its_place(
    place: Place, content: bytes, why: str
) -> None:
    await place.add_file("data/one.csv.gz", content)
    with pytest.raises(Refused) as refused:
        await read(await place.finish())
    assert f"s3://{place.bucket}/data/one.csv.gz: " in str(refused.value)
    assert why in str(refused.value)


async def test_what_was_read_before_a_row_that_cannot_be_read_was_told(place: Place) -> None:
    keys = [f"{number:04}" for number in range(1_500)]
    await place.add_file("data/one.csv.gz", gzip.compress(rows_of(keys) + rows_of(["z"], Size="many")))
    inventory = await place.finish()
    manifest = await inventory.manifest()
    rows = aiter(inventory.rows(manifest, manifest.files[0]))
    assert len(await anext(rows)) == 1000
    with pytest.raises(Refused, match="row 1501 cannot be read"):
        await anext(rows)


async def test_a_manifest_that_is_missing_or_none_is_named(place: Place) -> None:
    with pytest.raises(
        Refused, match=rf"s3://{place.bucket}/daily/manifest\.json is not there\. It is written last"
    ):
        await place.inventory().manifest()
    await place.put("other.json", b'{"fileFormat": "ORC"}')
    with pytest.raises(
        Refused, match=r"/other\.json is no manifest that can be read: it is in ORC, and only CSV"
    ):
        await place.inventory("other.json").manifest()
    missing = S3Inventory(place.client, Metrics(CollectorRegistry()), "no bucket", "a")
    with pytest.raises(Refused, match="'no bucket' is no name of a bucket"):
        await missing.manifest()


async def test_a_denial_names_the_permission(place: Place) -> None:
    with Stubber(place.client) as stub:
        stub.add_client_error("get_object", "AccessDenied", "Access Denied", 403)
        with pytest.raises(
            Refused, match=rf"s3://{place.bucket}/daily/manifest\.json: .*Allow s3:GetObject to"
        ):
            await place.inventory().manifest()


async def test_a_large_file_is_fetched_by_pieces(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_inventory, "CHUNK", 100)
    await place.add_file("data/one.csv.gz", gzip.compress(rows_of([uuid.uuid4().hex for _ in range(50)])))
    assert len(await read(await place.finish())) == 50
