"""What S3 tells of buckets, through aioboto3's client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import aioboto3
from aiobotocore.config import AioConfig
from botocore import exceptions

from worker.adapters.aws_errors import aws_call
from worker.adapters.aws_session import opened
from worker.core.notifications import Notification, Notifications

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import (
        NotificationConfigurationFilterOutputTypeDef,
        NotificationConfigurationResponseTypeDef,
    )

CONNECT_SECONDS, READ_SECONDS = 5, 15
CALL_SECONDS = 20.0


@asynccontextmanager
async def open_bucket_client(session: aioboto3.Session) -> "AsyncIterator[S3Client]":
    """A client for any number of buckets, in whatever region they are; Refused when none can be made."""
    config = AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=50,
        retries={"max_attempts": 2, "mode": "standard"},
        # With a range that holds all of a multipart object S3 sends the checksum of its parts' checksums, and the SDK
        # takes it for the content's: https://github.com/boto/botocore/issues/3346.
        response_checksum_validation="when_required",
    )
    async with opened("S3", lambda: session.client("s3", config=config)) as client:
        yield client


class S3Buckets:
    """Reads what buckets are set to; changes nothing."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    async def notifications(self, bucket: str) -> Notifications | None:
        """Whom the bucket tells of its objects; None when there is no bucket of this name, or cannot be.

        Raises :class:`Unavailable` or :class:`Refused` when S3 does not say.
        """
        call = "S3 GetBucketNotificationConfiguration"
        async with aws_call(call, f"s3://{bucket}", "s3:GetBucketNotification", CALL_SECONDS):
            try:
                response = await self._client.get_bucket_notification_configuration(Bucket=bucket)
            except exceptions.ParamValidationError:
                return None
            except exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
                    return None
                raise
        return _translated(response)


def _translated(response: "NotificationConfigurationResponseTypeDef") -> Notifications:
    return Notifications(
        tuple(
            _notification(row["QueueArn"], row["Events"], row.get("Filter"))
            for row in response.get("QueueConfigurations", [])
        ),
        tuple(
            _notification(row["TopicArn"], row["Events"], row.get("Filter"))
            for row in response.get("TopicConfigurations", [])
        ),
        eventbridge="EventBridgeConfiguration" in response,
    )


def _notification(
    target: str, events: Sequence[str], held: "NotificationConfigurationFilterOutputTypeDef | None"
) -> Notification:
    rules = held["Key"].get("FilterRules", []) if held and "Key" in held else []
    # Filters are form-encoded, their names in either case: notification-how-to-filtering in the S3 user guide.
    values = {rule.get("Name", "").lower(): unquote_plus(rule.get("Value", "")) for rule in rules}
    return Notification(target, tuple(events), values.get("prefix", ""), values.get("suffix", ""))
