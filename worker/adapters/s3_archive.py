"""The archive in S3, through aioboto3's client."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from worker.adapters.aws_errors import aws_call
from worker.adapters.s3 import CALL_SECONDS
from worker.core.errors import OutsideError, Refused
from worker.core.receipts import Place
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

ALLOWED = "s3:PutObject (and kms:GenerateDataKey, where the bucket has a key of its own)"


class S3Archive:
    """Implements the Archive port at *place*. Every call is counted in *metrics*, because it is billed."""

    def __init__(self, client: "S3Client", place: Place, metrics: Metrics) -> None:
        self._client = client
        self._place = place
        self._metrics = metrics

    async def put(self, name: str, content: bytes) -> None:
        result = "ok"
        try:
            await self._put(self._place.key_of(name), content)
        except OutsideError as error:
            result = "refused" if isinstance(error, Refused) else "unavailable"
            raise
        finally:
            self._metrics.s3_calls.labels(call="put", result=result).inc()

    async def _put(self, key: str, content: bytes) -> None:
        bucket = self._place.bucket
        doing, target = "S3 PutObject", f"s3://{bucket}/{key}"
        async with aws_call(doing, target, ALLOWED, CALL_SECONDS):
            try:
                await self._client.put_object(
                    Bucket=bucket, Key=key, Body=content, ContentType="application/gzip"
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "NoSuchBucket":
                    raise
                raise Refused(
                    f"{doing} on {target}: there is no bucket {bucket}. Set WORKER_ARCHIVE__URL right, or make the bucket."
                ) from error
