"""Sets the stage: a bucket with its queues as an operator would make them, and the real worker as a process.

Nothing here knows how the worker works: it is started as a user starts it, told its settings by the environment, and
watched by its log lines and ports. Tests that look at the worker from outside use the same stage.
"""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import aioboto3
from aiobotocore.config import AioConfig

from worker.core.errors import OutsideError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient

HOST = "127.0.0.1"
REGION = "us-east-1"
AWS_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
}
"""What AWS's own tools and the worker need in their environment, besides the endpoint."""

MAX_RECEIVE_COUNT = 10
FOURTEEN_DAYS = str(14 * 24 * 3600)
VISIBILITY_SECONDS = "120"

OURS = ("AWS_", "DARWIN_", "WORKER_")
"""How the variables begin that a worker reads."""

START_SECONDS = 30.0
STOP_SECONDS = 30.0
"""A little more than the worker's own deadline for its drain."""

LOOK_EVERY = 0.05
TAIL = 20
LONGEST_LINE = 4 * 1024 * 1024

LogLine = Mapping[str, object]
"""One line of the worker's log; what is no JSON is ``{"text": line}``."""


class WorkerDied(OutsideError):
    """The worker ended without having been asked; the text holds the last lines that it wrote."""


class TooLate(OutsideError):
    """What was waited for did not come."""


async def until(what: str, condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait until *condition* holds. Raises :class:`TooLate`, naming *what*, after *seconds*."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - another process rings no bell here
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise TooLate(f"waited {seconds:.0f} s in vain until {what}") from None


# The cloud


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of the dead-letter queue."""

    body: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cloud:
    """One bucket whose new objects are told to one queue."""

    endpoint: str
    bucket: str
    queue_url: str
    queue_arn: str
    dead_letter_url: str
    s3: "S3Client"
    sqs: "SQSClient"

    async def upload(self, key: str, body: bytes) -> None:
        await self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    async def keys(self) -> list[str]:
        """Of all objects in the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [held["Key"] async for page in pages for held in page.get("Contents", [])]

    async def tell_again(self, key: str) -> None:
        """Send the event of an object that is there once more, as S3 does it now and then."""
        head = await self.s3.head_object(Bucket=self.bucket, Key=key)
        held = {
            "key": quote_plus(key, safe="/"),
            "size": head["ContentLength"],
            "eTag": head["ETag"].strip('"'),
        }
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "eventName": "ObjectCreated:Put",
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": self.bucket}, "object": held},
        }
        await self.send(json.dumps({"Records": [record]}))

    async def send(self, body: str) -> None:
        """Put a message of our own into the queue."""
        await self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)

    async def messages(self) -> int:
        """How many messages the queue holds: waiting, in somebody's hands, or delayed."""
        answer = await self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        kinds = ("", "NotVisible", "Delayed")
        counts = (answer["Attributes"][f"ApproximateNumberOfMessages{kind}"] for kind in kinds)  # type: ignore[index]  # the names are AWS's
        return sum(map(int, counts))

    async def dead_letters(self) -> list[DeadLetter]:
        """All that is in the dead-letter queue; it stays there, and is visible again at once."""
        letters: list[DeadLetter] = []
        handles: list[str] = []
        while True:
            answer = await self.sqs.receive_message(
                QueueUrl=self.dead_letter_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=60,
                MessageAttributeNames=["All"],
            )
            received = answer.get("Messages", [])
            if not received:
                break
            handles += [message["ReceiptHandle"] for message in received]
            for message in received:
                attributes = message.get("MessageAttributes", {})
                texts = {name: value.get("StringValue", "") for name, value in attributes.items()}
                letters.append(DeadLetter(message["Body"], texts))
        for handle in handles:
            await self.sqs.change_message_visibility(
                QueueUrl=self.dead_letter_url, ReceiptHandle=handle, VisibilityTimeout=0
            )
        return letters


def session() -> aioboto3.Session:
    """A session with credentials that any emulator takes."""
    return aioboto3.Session(
        aws_access_key_id=AWS_SETTINGS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=AWS_SETTINGS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


@asynccontextmanager
async def cloud(endpoint: str, bucket: str) -> AsyncIterator[Cloud]:
    """Make *bucket*, a queue ``{bucket}-events``, its dead-letter queue ``{bucket}-dead-letters`` and the notification
    of every new object. They are left behind at the end; only the connections are closed.
    """
    config = AioConfig(max_pool_connections=50, connect_timeout=5, read_timeout=30)
    async with AsyncExitStack() as stack:
        s3 = await stack.enter_async_context(session().client("s3", endpoint_url=endpoint, config=config))
        sqs = await stack.enter_async_context(session().client("sqs", endpoint_url=endpoint, config=config))
        keeping = {"MessageRetentionPeriod": FOURTEEN_DAYS}
        dead_letter_url = await _make_queue(sqs, f"{bucket}-dead-letters", keeping)
        redrive = {
            "deadLetterTargetArn": await _arn(sqs, dead_letter_url),
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        }
        url = await _make_queue(
            sqs,
            f"{bucket}-events",
            keeping | {"VisibilityTimeout": VISIBILITY_SECONDS, "RedrivePolicy": json.dumps(redrive)},
        )
        arn = await _arn(sqs, url)
        await sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(arn, bucket)})
        await s3.create_bucket(Bucket=bucket)
        await s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        yield Cloud(endpoint, bucket, url, arn, dead_letter_url, s3, sqs)


async def _make_queue(sqs: "SQSClient", name: str, attributes: dict[str, str]) -> str:
    made = await sqs.create_queue(QueueName=name, Attributes=attributes)  # type: ignore[arg-type]  # the names are AWS's
    return made["QueueUrl"]


async def _arn(sqs: "SQSClient", url: str) -> str:
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def _policy(queue_arn: str, bucket: str) -> str:
    """S3 may send to the queue what happens in the bucket: without it, AWS refuses the notification."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# The worker


def worker_settings(
    cloud: Cloud, *, darwin_url: str, team: str, key: str, ledger: Path, port: int
) -> dict[str, str]:
    """The environment of a worker on this cloud, all but its routes; *port* 0 takes a free one."""
    return {
        **AWS_SETTINGS,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "WORKER_QUEUE__URL": cloud.queue_url,
        "DARWIN_BASE_URL": darwin_url,
        "DARWIN_TEAM": team,
        "DARWIN_API_KEY": key,
        "WORKER_LEDGER__URL": f"sqlite://{ledger.absolute()}",
        "WORKER_WEB__HOST": HOST,
        "WORKER_WEB__PORT": str(port),
        "WORKER_LOG__FORMAT": "json",
    }


class Worker:
    """A worker under way, and what it writes."""

    def __init__(self, process: asyncio.subprocess.Process, told: Callable[[LogLine], None]) -> None:
        self.process = process
        self._told = told
        self._tail = deque[str](maxlen=TAIL)
        self._asked = False
        self._started = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(), name="the worker's log")

    async def port(self) -> int:
        """The port of its pages, once it has started. Raises :class:`WorkerDied` and :class:`TooLate`."""
        try:
            async with asyncio.timeout(START_SECONDS):
                line: LogLine = await asyncio.shield(self._started)
        except TimeoutError:
            raise TooLate(f"the worker was not up after {START_SECONDS:.0f} s. {self._said()}") from None
        return int(str(line["port"]))

    async def stop(self) -> int:
        """Ask for a stop, as a platform does; the exit code once all it wrote is read. Raises :class:`TooLate`."""
        self._asked = True
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.shield(self._reading)
                return await self.process.wait()
        except TimeoutError:
            raise TooLate(f"the worker did not stop in {STOP_SECONDS:.0f} s. {self._said()}") from None

    async def kill(self) -> None:
        """End it with SIGKILL: it can finish nothing. All that it wrote is read."""
        self._asked = True
        with suppress(ProcessLookupError):
            self.process.kill()
        await asyncio.shield(self._reading)
        await self.process.wait()

    async def guard(self) -> None:
        """Ends when the worker does; raises :class:`WorkerDied` when nobody asked it to end."""
        await asyncio.shield(self._reading)
        code = await self.process.wait()
        if not self._asked:
            raise WorkerDied(f"the worker ended by itself with code {code}. {self._said()}")

    async def _read(self) -> None:
        """Until the process closes its output, so that a full pipe never stops the worker."""
        output = self.process.stdout
        while output is not None and (raw := await output.readline()):
            text = raw.decode(errors="replace").rstrip()
            self._tail.append(text)
            line = _parsed(text)
            if line.get("event") == "worker started" and not self._started.done():
                self._started.set_result(line)
            self._told(line)
        if not self._started.done():
            code = await self.process.wait()
            self._started.set_exception(WorkerDied(f"the worker ended with code {code}. {self._said()}"))
            self._started.exception()  # told to whoever asks for the port, and nobody has to

    def _said(self) -> str:
        return "Its last lines:\n" + ("\n".join(self._tail) or "(none)")


@asynccontextmanager
async def worker_process(
    environment: Mapping[str, str], told: Callable[[LogLine], None]
) -> AsyncIterator[Worker]:
    """``python -m worker run`` with *environment* and nothing of the caller's own AWS_, DARWIN_ or WORKER_ variables.

    *told* is called with each line of its log. At the end of the block it is killed if it still runs: a block that
    wants a drain calls :meth:`Worker.stop` before.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker",
        "run",
        env=own | dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
        # A session of its own: Ctrl-C on the terminal is for whoever set the stage, who then asks the worker to stop.
        start_new_session=True,
    )
    worker = Worker(process, told)
    try:
        yield worker
    finally:
        await worker.kill()


def _parsed(text: str) -> LogLine:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"text": text}
