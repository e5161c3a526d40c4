"""What S3 holds, read through aioboto3's client."""

import builtins
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from worker.adapters.aws_errors import aws_call
from worker.adapters.s3 import CALL_SECONDS
from worker.core.errors import OutsideError, Refused, Unavailable
from worker.core.objects import Found, Head, Listed
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import HeadObjectOutputTypeDef, ListObjectsV2RequestTypeDef

PAGE = 1000  # the most that S3 lists in one answer
# The SDK would take ARNs too, which no event holds; some need parts of it that are not installed.
BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
# The tags of a delete marker are a method that is not allowed.
ABSENT = frozenset({"404", "NoSuchKey", "MethodNotAllowed"})
LIST_BUCKET = "s3:ListBucket (without it S3 says the same of objects that do not exist)"

T = TypeVar("T")


class S3Objects:
    """Implements the Objects port on any number of buckets. Every call is counted in *metrics*, because it is billed."""

    def __init__(self, client: "S3Client", metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    async def list(self, bucket: str, prefix: str, limit: int) -> builtins.list[Listed]:
        """One call per thousand objects, each with a deadline of its own."""
        found: builtins.list[Listed] = []
        request: ListObjectsV2RequestTypeDef = {"Bucket": bucket, "Prefix": prefix}
        while True:
            request["MaxKeys"] = min(PAGE, limit + 1 - len(found))
            async with self._call("list", "ListObjectsV2", bucket, prefix, "s3:ListBucket"):
                page = await self._client.list_objects_v2(**request)
                found += [
                    Listed(entry["Key"], entry["ETag"].strip('"'), entry["Size"])
                    for entry in page.get("Contents", [])
                ]
                if len(found) > limit or not page["IsTruncated"]:
                    return found
                request["ContinuationToken"] = page["NextContinuationToken"]

    async def pages(self, bucket: str, prefix: str, after: str = "") -> AsyncIterator[builtins.list[Found]]:
        """Every object whose key begins with *prefix* and comes after *after*, in the order of the keys' UTF-8 bytes; a
        thousand at a time, of any number.
        """
        request: ListObjectsV2RequestTypeDef = {"Bucket": bucket, "Prefix": prefix}
        if after:
            request["StartAfter"] = after
        while True:
            async with self._call("list", "ListObjectsV2", bucket, prefix, "s3:ListBucket"):
                page = await self._client.list_objects_v2(**request)
                found = [
                    Found(
                        entry["Key"],
                        entry["ETag"].strip('"'),
                        entry["Size"],
                        entry["LastModified"].timestamp(),
                    )
                    for entry in page.get("Contents", [])
                ]
                following = page["NextContinuationToken"] if page["IsTruncated"] else None
            yield found
            if following is None:
                return
            request["ContinuationToken"] = following

    async def folders(self, bucket: str, prefix: str) -> builtins.list[str]:
        """The first thousand folders below *prefix*, each as what the keys in it begin with, in their order."""
        async with self._call("list", "ListObjectsV2", bucket, prefix, "s3:ListBucket"):
            page = await self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
            if not page["KeyCount"]:
                return []
            return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]

    async def head(self, bucket: str, key: str) -> Head | None:
        async def asked() -> Head:
            return _head(await self._client.head_object(Bucket=bucket, Key=key))

        return await self._of_object("head", "HeadObject", bucket, key, "s3:GetObject", asked)

    async def tags(self, bucket: str, key: str) -> Mapping[str, str] | None:
        async def asked() -> Mapping[str, str]:
            response = await self._client.get_object_tagging(Bucket=bucket, Key=key)
            return {tag["Key"]: tag["Value"] for tag in response["TagSet"]}

        return await self._of_object("tags", "GetObjectTagging", bucket, key, "s3:GetObjectTagging", asked)

    async def read(self, bucket: str, key: str, length: int) -> bytes | None:
        async def asked() -> bytes:
            try:
                response = await self._client.get_object(
                    Bucket=bucket, Key=key, Range=f"bytes=0-{length - 1}"
                )
            except ClientError as error:
                if _code(error) == "InvalidRange":  # an empty object has no first byte
                    return b""
                raise
            async with response["Body"]:
                return await response["Body"].read()

        return await self._of_object("get", "GetObject", bucket, key, "s3:GetObject", asked)

    async def _of_object(
        self,
        call: str,
        operation: str,
        bucket: str,
        key: str,
        action: str,
        asked: Callable[[], Awaitable[T]],
    ) -> T | None:
        """What S3 answered of one object; None where it is not there."""
        async with self._call(call, operation, bucket, key, f"{action}, and {LIST_BUCKET},"):
            try:
                return await asked()
            except ClientError as error:
                if _code(error) in ABSENT:
                    return None
                raise

    @asynccontextmanager
    async def _call(
        self, call: str, operation: str, bucket: str, place: str, action: str
    ) -> AsyncIterator[None]:
        """Around one call and the reading of its answer."""
        doing, target = f"S3 {operation}", f"s3://{bucket}/{place}"
        if not BUCKET.fullmatch(bucket):
            raise Refused(
                f"{doing}: {bucket!r} is no name of a bucket. Correct it where it is written: in the message or "
                "the routes file."
            )
        result = "ok"
        try:
            async with aws_call(doing, target, action, CALL_SECONDS):
                try:
                    yield
                except ClientError as error:
                    if _code(error) != "NoSuchBucket":
                        raise
                    raise Refused(
                        f"{doing} on {target}: there is no bucket {bucket}. Check its name and AWS_ENDPOINT_URL."
                    ) from error
                except KeyError as error:
                    # Some other server's page, which the SDK takes for an answer that leaves everything out.
                    raise Unavailable(
                        f"{doing} on {target}: the answer has no {error.args[0]}, so it is not S3's. Check the network "
                        "and AWS_ENDPOINT_URL."
                    ) from error
        except OutsideError as error:
            result = "refused" if isinstance(error, Refused) else "unavailable"
            raise
        finally:
            self._metrics.s3_calls.labels(call=call, result=result).inc()


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def _head(response: "HeadObjectOutputTypeDef") -> Head:
    version = response.get("VersionId")
    return Head(
        etag=response["ETag"].strip('"'),
        size=response["ContentLength"],
        # What S3 calls the version of an object written while versioning was suspended; others may be called so after it.
        version=None if version == "null" else version,
        storage_class=response.get("StorageClass", "STANDARD"),
        restored='ongoing-request="false"' in response.get("Restore", ""),
        metadata={name: _decoded(value) for name, value in response["Metadata"].items()},
        archive_status=response.get("ArchiveStatus"),
        modified=_moment(response),
    )


def _moment(response: Mapping[str, object]) -> float | None:
    """S3 always tells it; what only speaks like S3 may not, and nothing hangs on it."""
    written = response.get("LastModified")
    return written.timestamp() if isinstance(written, datetime) else None


def _decoded(value: str) -> str:
    """What is not ASCII, S3 sends in RFC 2047's form
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html); what is not in it stays as it is.
    """
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):
        return value
