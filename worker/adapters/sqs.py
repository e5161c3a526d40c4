"""One SQS queue through aioboto3's client.

The batch calls run in chunks of ten, a few at a time. Chunks fail one by one: entries of a chunk that AWS did not
answer for are failures that may be tried again; the call itself raises only when no chunk got through.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import aioboto3
from aiobotocore.config import AioConfig

from worker.adapters.aws_errors import aws_call, short_code
from worker.adapters.aws_session import opened
from worker.core.errors import OutsideError, Refused
from worker.core.model import Message
from worker.core.queueing import Failure, Outgoing
from worker.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchResultTypeDef,
        DeleteMessageBatchResultTypeDef,
        MessageTypeDef,
        SendMessageBatchRequestEntryTypeDef,
        SendMessageBatchResultTypeDef,
    )

    _Response = (
        ChangeMessageVisibilityBatchResultTypeDef
        | DeleteMessageBatchResultTypeDef
        | SendMessageBatchResultTypeDef
    )

BATCH_ENTRIES = 10
BATCH_BYTES = 1024 * 1024  # of all bodies and attributes in one SendMessageBatch
BATCHES_AT_ONCE = 10
CONNECT_SECONDS, READ_SECONDS = 5, 30  # the read must outlast the longest poll, 20 s
CALL_SECONDS = 20.0

LOST_CODES = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight"})
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html names what may be sent.
UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

UNANSWERED = Failure(lost=False, text="SQS did not answer for this entry")

T = TypeVar("T")


@asynccontextmanager
async def open_queue_client(session: aioboto3.Session) -> "AsyncIterator[SQSClient]":
    """A client for any number of queues of the session's region; Refused when none can be made."""
    config = AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=50,
        retries={"max_attempts": 2, "mode": "standard"},
    )
    async with opened("SQS", lambda: session.client("sqs", config=config)) as client:
        yield client


class SqsQueue:
    """Implements the Queue port on the queue at *url*. Every call is counted in *metrics*, because it is billed."""

    def __init__(self, client: "SQSClient", url: str, metrics: Metrics) -> None:
        self.url = url
        self._client = client
        self._metrics = metrics

    async def receive(self, limit: int, wait: float, visibility: int) -> list[Message]:
        async with self._call("ReceiveMessage", "sqs:ReceiveMessage", wait + CALL_SECONDS):
            response = await self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=int(wait),
                VisibilityTimeout=visibility,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [_message(received) for received in response.get("Messages", [])]

    async def extend(self, messages: Sequence[Message], seconds: int) -> list[Failure | None]:
        async def chunk(numbered: "Sequence[tuple[int, Message]]") -> "_Response":
            async with self._call("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"):
                return await self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": message.handle, "VisibilityTimeout": seconds}
                        for i, message in numbered
                    ],
                )

        return await self._in_chunks(_by_count(enumerate(messages)), chunk, len(messages))

    async def delete(self, messages: Sequence[Message]) -> list[Failure | None]:
        async def chunk(numbered: "Sequence[tuple[int, Message]]") -> "_Response":
            async with self._call("DeleteMessageBatch", "sqs:DeleteMessage"):
                return await self._client.delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": str(i), "ReceiptHandle": message.handle} for i, message in numbered],
                )

        return await self._in_chunks(_by_count(enumerate(messages)), chunk, len(messages))

    async def send(self, messages: Sequence[Outgoing]) -> list[Failure | None]:
        """Attributes without a value are left out, for SQS refuses them."""

        async def chunk(numbered: "Sequence[tuple[int, Outgoing]]") -> "_Response":
            async with self._call("SendMessageBatch", "sqs:SendMessage"):
                return await self._client.send_message_batch(
                    QueueUrl=self.url, Entries=[_entry(i, message) for i, message in numbered]
                )

        unsendable = {i: failure for i, message in enumerate(messages) if (failure := _unsendable(message))}
        sendable = [(i, message) for i, message in enumerate(messages) if i not in unsendable]
        results = await self._in_chunks(_by_size(sendable), chunk, len(messages))
        return [unsendable.get(i, result) for i, result in enumerate(results)]

    async def attributes(self) -> Mapping[str, str]:
        """All attributes of the queue by their names at AWS, such as ``RedrivePolicy`` or ``VisibilityTimeout``."""
        async with self._call("GetQueueAttributes", "sqs:GetQueueAttributes"):
            response = await self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return {str(name): value for name, value in response.get("Attributes", {}).items()}

    async def url_of(self, arn: str) -> str:
        """The URL of another queue, for instance of the dead-letter queue that the redrive policy names."""
        try:
            _, _, service, _, account, name = arn.split(":")
        except ValueError:
            service = account = name = ""
        if service != "sqs" or not (account and name):
            raise Refused(f"{arn!r} is not the ARN of an SQS queue")
        async with aws_call("SQS GetQueueUrl", arn, "sqs:GetQueueUrl", CALL_SECONDS):
            response = await self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return response["QueueUrl"]

    @asynccontextmanager
    async def _call(self, name: str, action: str, within: float = CALL_SECONDS) -> AsyncIterator[None]:
        result = "ok"
        try:
            async with aws_call(f"SQS {name}", self.url, action, within):
                yield
        except OutsideError as error:
            result = "refused" if isinstance(error, Refused) else "unavailable"
            raise
        finally:
            self._metrics.sqs_calls.labels(call=name, result=result).inc()

    async def _in_chunks(
        self,
        chunks: list[list[tuple[int, T]]],
        call: "Callable[[Sequence[tuple[int, T]]], Awaitable[_Response]]",
        count: int,
    ) -> list[Failure | None]:
        """Results of *count* entries, of which *chunks* holds those to send, each with its place."""
        results: list[Failure | None] = [None] * count
        errors: list[OutsideError] = []
        slots = asyncio.Semaphore(BATCHES_AT_ONCE)

        async def run(chunk: list[tuple[int, T]]) -> None:
            try:
                async with slots:
                    response = await call(chunk)
            except OutsideError as error:
                errors.append(error)
                for place, _ in chunk:
                    results[place] = Failure(lost=False, text=str(error))
            else:
                for place, _ in chunk:
                    results[place] = UNANSWERED
                for done in response.get("Successful", []):
                    results[int(done["Id"])] = None
                for failed in response.get("Failed", []):
                    results[int(failed["Id"])] = _failure(failed)

        async with asyncio.TaskGroup() as tasks:
            for chunk in chunks:
                tasks.create_task(run(chunk))
        if errors and len(errors) == len(chunks):
            raise errors[0]
        return results


def _message(received: "MessageTypeDef") -> Message:
    attributes = received.get("MessageAttributes", {})
    return Message(
        id=received["MessageId"],
        handle=received["ReceiptHandle"],
        body=received["Body"],
        receive_count=int(received.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
        attributes={
            name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value
        },
    )


def _entry(place: int, message: Outgoing) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": str(place),
        "MessageBody": message.body,
        "DelaySeconds": message.delay,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.attributes.items()
            if value
        },
    }


def _failure(entry: "BatchResultErrorEntryTypeDef") -> Failure:
    code, text = short_code(entry["Code"]), entry.get("Message", "")
    # AWS tells of an expired handle as an invalid parameter; so it does of a time beyond the 12 hours, which is not one.
    expired = code == "InvalidParameterValue" and "ReceiptHandle" in text
    return Failure(lost=code in LOST_CODES or expired, text=f"{code}: {text}")


def _unsendable(message: Outgoing) -> Failure | None:
    """SQS refuses a whole batch for the size of one message, so that one must not reach it."""
    if any(UNSENDABLE.search(text) for text in (message.body, *message.attributes.values())):
        return Failure(lost=False, text="the message has characters that SQS does not carry")
    if (size := _size(message)) > BATCH_BYTES:
        return Failure(lost=False, text=f"the message has {size} bytes, SQS carries {BATCH_BYTES}")
    return None


def _size(message: Outgoing) -> int:
    """As SQS counts it: the body, and name, type and value of each attribute."""
    attributes = sum(
        len(name) + len("String") + len(value.encode()) for name, value in message.attributes.items()
    )
    return len(message.body.encode()) + attributes


def _by_count(numbered: Iterable[tuple[int, T]]) -> list[list[tuple[int, T]]]:
    entries = list(numbered)
    return [entries[i : i + BATCH_ENTRIES] for i in range(0, len(entries), BATCH_ENTRIES)]


def _by_size(numbered: Iterable[tuple[int, Outgoing]]) -> list[list[tuple[int, Outgoing]]]:
    chunks: list[list[tuple[int, Outgoing]]] = []
    room = 0
    for place, message in numbered:
        size = _size(message)
        if not chunks or size > room or len(chunks[-1]) == BATCH_ENTRIES:
            chunks.append([])
            room = BATCH_BYTES
        chunks[-1].append((place, message))
        room -= size
    return chunks
