"""The files of an S3 Inventory, read through aioboto3's client.

A file is fetched whole and held against its MD5 before anything of it counts. It lies on the disk meanwhile, however large
it is, and nothing is left of it in the end.
"""

import csv
import gzip
import hashlib
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from worker.adapters.aws_errors import aws_call
from worker.adapters.s3 import CALL_SECONDS
from worker.adapters.s3_objects import BUCKET
from worker.core.errors import OutsideError, Refused
from worker.core.inventory import MAX_BYTES, File, InvalidInventory, Manifest, NotThere, read_manifest
from worker.core.objects import Found
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK = 2**20
ROWS = 1000
"""Rows that are read in one go: it takes some milliseconds."""

ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404"})


class S3Inventory:
    """One inventory, by where its manifest lies. Every call is counted in *metrics*, because it is billed."""

    def __init__(self, client: "S3Client", metrics: Metrics, bucket: str, key: str) -> None:
        self._client = client
        self._metrics = metrics
        self._bucket = bucket
        self._key = key

    async def manifest(self) -> Manifest:
        """Raises :class:`Refused` for what is no manifest of an inventory in CSV."""
        with tempfile.TemporaryFile() as content:
            await self._fetch(
                self._bucket, self._key, content, "It is written last: see if the inventory is ready."
            )
            content.seek(0)
            try:
                return read_manifest(content.read(MAX_BYTES + 1))
            except InvalidInventory as why:
                raise Refused(
                    f"s3://{self._bucket}/{self._key} is no manifest that can be read: {why}."
                ) from None

    async def rows(
        self, manifest: Manifest, file: File, after: int = 0
    ) -> AsyncIterator[list[Found | NotThere]]:
        """What the rows of a file tell, but for the first *after*, a thousand at a time.

        Raises :class:`Refused`, naming the file, when it is missing, is not what the manifest tells of, or holds
        anything else than rows of the manifest's bucket.
        """
        place = f"s3://{manifest.holder}/{file.key}"
        advice = "The manifest names it: the inventory is not whole. Take another one; what was sent counts."
        with tempfile.TemporaryFile() as content:
            digest = await self._fetch(manifest.holder, file.key, content, advice)
            if digest != file.md5:
                raise Refused(f"{place}: its MD5 is {digest}, and the manifest says {file.md5}. {advice}")
            content.seek(0)
            for page in _pages(content, place, manifest, after):
                yield page

    async def _fetch(self, bucket: str, key: str, into: IO[bytes], advice: str) -> str:
        """The MD5 of the object, in hexadecimal. Each chunk of it has a deadline of its own."""
        digest = hashlib.md5(usedforsecurity=False)
        async with self._call(bucket, key, advice):
            response = await self._client.get_object(Bucket=bucket, Key=key)
        body = response["Body"]
        async with body:
            while True:
                async with self._call(bucket, key, advice):
                    chunk = await body.read(CHUNK)
                if not chunk:
                    return digest.hexdigest()
                digest.update(chunk)
                into.write(chunk)

    @asynccontextmanager
    async def _call(self, bucket: str, key: str, advice: str) -> AsyncIterator[None]:
        result = "ok"
        try:
            async with aws_call("S3 GetObject", f"s3://{bucket}/{key}", "s3:GetObject", CALL_SECONDS):
                if not BUCKET.fullmatch(bucket):
                    raise Refused(
                        f"S3 GetObject: {bucket!r} is no name of a bucket. Correct it in the inventory's address."
                    )
                try:
                    yield
                except ClientError as error:
                    if error.response.get("Error", {}).get("Code") not in ABSENT:
                        raise
                    raise Refused(f"s3://{bucket}/{key} is not there. {advice}") from error
        except OutsideError as error:
            result = "refused" if isinstance(error, Refused) else "unavailable"
            raise
        finally:
            self._metrics.s3_calls.labels(call="get", result=result).inc()


def _pages(
    content: IO[bytes], place: str, manifest: Manifest, after: int
) -> Iterator[list[Found | NotThere]]:
    number = 0
    try:
        with gzip.open(content, "rt", encoding="utf-8", newline="") as text:
            rows = csv.reader(text, strict=True)
            for _ in islice(rows, after):
                number += 1
            page: list[Found | NotThere] = []
            for row in rows:
                number += 1
                page.append(manifest.columns.read(row, manifest.bucket))
                if len(page) == ROWS:
                    yield page
                    page = []
            yield page
    except InvalidInventory as why:
        raise Refused(f"{place}: row {number} cannot be read: {why}.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(f"{place}: what follows row {number} is no CSV: {error}.") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Refused(f"{place}: what follows row {number} is no gzip: {error}.") from None
