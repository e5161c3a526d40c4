"""The cloud around the worker, as its operator has it: a bucket, queues, topics and rules, over the real protocols.

Only what emulators and AWS agree on is used: filters are ASCII prefixes, nobody counts on the order of messages, and
what is waited for is a named condition.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import boto3  # type: ignore[import-untyped]  # it ships no types; the stubs that are installed are of aioboto3

REGION = "us-east-1"
AWS_SECRET = "aws-secret-that-nobody-may-see"
LOOK_EVERY = 0.1
SQS_BATCH = 10
UPLOADS_AT_ONCE = 8

CREATED = "s3:ObjectCreated:*"


class TooLate(Exception):
    """What a test waited for did not come."""


def until(what: str, condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until *condition* holds. Raises :class:`TooLate`, naming *what*, after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TooLate(f"waited {seconds:g} s in vain until {what}")
        time.sleep(LOOK_EVERY)


class Waiting(NamedTuple):
    """How many messages a queue holds: to be had, and in somebody's hands or delayed."""

    visible: int
    hidden: int


class Letter(NamedTuple):
    """A message of a queue: its body and its message attributes, as SQS gave them."""

    body: str
    attributes: Mapping[str, Any]

    def said(self, name: str) -> str:
        """The text of the attribute *name*; empty without it."""
        return str(self.attributes.get(name, {}).get("StringValue", ""))


class Cloud:
    """One account of its own, with one bucket, one queue and its dead-letter queue; nothing is wired yet.

    To be closed with :meth:`close`; what was made is left behind, out of everybody's sight.
    """

    def __init__(self, endpoint: str, max_receive_count: int = 10) -> None:
        self.endpoint = endpoint
        # An emulator takes a key of twelve digits for the account's number.
        self.account = str(10**11 + uuid.uuid4().int % (9 * 10**11))
        self._session = boto3.Session(
            aws_access_key_id=self.account, aws_secret_access_key=AWS_SECRET, region_name=REGION
        )
        self._open = ExitStack()
        self.s3 = self.client("s3")
        self.sqs = self.client("sqs")
        self.bucket = f"media-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.dead_letter_url = self.make_queue("dead-letters")
        redrive = {
            "deadLetterTargetArn": self.arn(self.dead_letter_url),
            "maxReceiveCount": max_receive_count,
        }
        self.queue_url = self.make_queue("events", {"RedrivePolicy": json.dumps(redrive)})

    def close(self) -> None:
        self._open.close()

    def client(self, service: str) -> Any:
        return self._open.enter_context(closing(self._session.client(service, endpoint_url=self.endpoint)))

    # Setting up

    def make_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """The URL of a new queue."""
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes or {})["QueueUrl"])

    def arn(self, queue_url: str) -> str:
        asked = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return str(asked["Attributes"]["QueueArn"])

    def notify_queue(self, *events: str) -> None:
        """Let the bucket tell the queue of *events*; without any, of every new object. S3 sends a test event at once."""
        target = {"QueueArn": self.arn(self.queue_url), "Events": events or [CREATED]}
        self.notify({"QueueConfigurations": [target]})

    def notify(self, configuration: Mapping[str, object]) -> None:
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration=configuration
        )

    # What happens in the bucket and the queues

    def upload(self, *keys: str, body: bytes = b"x") -> None:
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as hands:
            list(hands.map(lambda key: self.s3.put_object(Bucket=self.bucket, Key=key, Body=body), keys))

    def send(self, letters: Iterable[Letter], queue_url: str | None = None) -> None:
        """Put messages into the queue, or another one, as they are."""
        rest = list(letters)
        while rest:
            now, rest = rest[:SQS_BATCH], rest[SQS_BATCH:]
            entries = [
                {"Id": str(number), "MessageBody": letter.body, "MessageAttributes": letter.attributes}
                for number, letter in enumerate(now)
            ]
            sent = self.sqs.send_message_batch(QueueUrl=queue_url or self.queue_url, Entries=entries)
            assert not sent.get("Failed"), sent["Failed"]

    def waiting(self, queue_url: str | None = None) -> Waiting:
        asked = self.sqs.get_queue_attributes(QueueUrl=queue_url or self.queue_url, AttributeNames=["All"])
        told = asked["Attributes"]
        hidden = ("ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
        return Waiting(int(told["ApproximateNumberOfMessages"]), sum(int(told[name]) for name in hidden))

    def emptied(self) -> bool:
        """Whether the queue holds nothing at all, not even in somebody's hands."""
        return self.waiting() == (0, 0)

    def peek(self, wanted: int) -> list[Letter]:
        """*wanted* notifications of objects as they wait in the queue. They stay there, received once more."""
        received: list[Any] = []
        letters: list[Letter] = []
        while len(letters) < wanted:
            messages = self._receive(self.queue_url)
            received += messages
            letters += [_letter(message) for message in messages if "s3:TestEvent" not in message["Body"]]
        for message in received:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return letters[:wanted]

    def take_dead_letters(self, wanted: int) -> list[Letter]:
        """All dead letters, once there are *wanted*; they are gone from the queue then.

        Raises :class:`TooLate`; and AssertionError when there are more.
        """
        until(
            f"{wanted} dead letters are stored", lambda: self.waiting(self.dead_letter_url).visible >= wanted
        )
        letters = self.drain(self.dead_letter_url)
        assert len(letters) == wanted, f"{wanted} dead letters were expected: {letters}"
        return letters

    def drain(self, queue_url: str) -> list[Letter]:
        """All messages of a queue that can be had; they are gone from it then."""
        letters: list[Letter] = []
        while messages := self._receive(queue_url):
            letters += map(_letter, messages)
            for message in messages:
                self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return letters

    def _receive(self, queue_url: str) -> list[Any]:
        received = self.sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=SQS_BATCH,
            VisibilityTimeout=60,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        return list(received.get("Messages", []))


def _letter(message: Mapping[str, Any]) -> Letter:
    # A data type and a text are all that may be sent again; the rest of an attribute is SQS's own.
    attributes = {
        name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return Letter(message["Body"], attributes)
