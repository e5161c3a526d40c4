"""What the SQS adapter does beyond the port, against MiniStack and against a server with answers of AWS's own kind."""

import json
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import aioboto3
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.errors import Refused, Unavailable
from worker.core.model import Message
from worker.core.queueing import Failure, Outgoing
from worker.metrics import Metrics

AWS = aioboto3.Session(
    aws_access_key_id="000000000001", aws_secret_access_key="secret", region_name="eu-west-1"
)


async def test_attributes_and_the_dead_letter_queue_are_found(aws: aioboto3.Session) -> None:
    async with open_queue_client(aws) as client:
        name = uuid.uuid4().hex
        dead_url = (await client.create_queue(QueueName=f"{name}-dead"))["QueueUrl"]
        arn = f"arn:aws:sqs:eu-west-1:000000000001:{name}-dead"
        created = await client.create_queue(
            QueueName=name,
            Attributes={
                "VisibilityTimeout": "77",
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10}),
            },
        )
        queue = SqsQueue(client, created["QueueUrl"], Metrics(CollectorRegistry()))
        attributes = await queue.attributes()
        assert attributes["VisibilityTimeout"] == "77"
        assert attributes["MessageRetentionPeriod"] == "345600"
        assert attributes["ApproximateNumberOfMessages"] == "0"
        assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"] == arn
        assert await queue.url_of(arn) == dead_url


async def test_a_queue_that_does_not_exist_is_refused_by_its_url(
    aws: aioboto3.Session, ministack: str
) -> None:
    url = f"{ministack}/000000000001/absent"
    async with open_queue_client(aws) as client:
        queue = SqsQueue(client, url, Metrics(CollectorRegistry()))
        for call in (
            queue.receive(1, wait=0, visibility=30),
            queue.send([Outgoing("a")]),
            queue.attributes(),
        ):
            with pytest.raises(Refused, match=f"on {url}: .*NonExistentQueue.*Check the queue's name"):
                await call
        with pytest.raises(Refused, match=r"arn:aws:sqs:eu-west-1:000000000001:absent: .*NonExistentQueue"):
            await queue.url_of("arn:aws:sqs:eu-west-1:000000000001:absent")
        for arn in ("rubbish", "arn:aws:sns:eu-west-1:000000000001:topic", "arn:aws:sqs:eu-west-1::"):
            with pytest.raises(Refused, match="is not the ARN of an SQS queue"):
                await queue.url_of(arn)


async def test_attributes_that_are_no_text_are_left_out_and_numbers_are_kept(aws: aioboto3.Session) -> None:
    async with open_queue_client(aws) as client:
        url = (await client.create_queue(QueueName=uuid.uuid4().hex))["QueueUrl"]
        await client.send_message(
            QueueUrl=url,
            MessageBody="body",
            MessageAttributes={
                "text": {"DataType": "String", "StringValue": "a"},
                "number": {"DataType": "Number", "StringValue": "3"},
                "binary": {"DataType": "Binary", "BinaryValue": b"\x00"},
            },
        )
        [message] = await SqsQueue(client, url, Metrics(CollectorRegistry())).receive(
            10, wait=5, visibility=30
        )
        assert message.attributes == {"text": "a", "number": "3"}


async def test_without_a_region_the_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Refused, match="set AWS_REGION"):
        async with open_queue_client(aioboto3.Session()):
            pass


async def test_a_malformed_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    with pytest.raises(Refused, match="Check the AWS settings"):
        async with open_queue_client(AWS):
            pass


async def test_an_endpoint_where_nobody_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        async with open_queue_client(AWS) as client:
            with pytest.raises(Unavailable, match=f"SQS ReceiveMessage on {endpoint}/q: .*Could not connect"):
                await SqsQueue(client, f"{endpoint}/q", Metrics(CollectorRegistry())).receive(
                    1, wait=0, visibility=30
                )


# --- answers that the emulator does not give

Reply = Callable[[str, Any], tuple[int, object]]


class Stub:
    """An SQS that answers each call with *reply* (of the operation's name and its input)."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: Reply = lambda _operation, _input: (200, {})
        self.raw: str | None = None
        self.inputs: list[Any] = []

    async def handle(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].removeprefix("AmazonSQS.")
        content = json.loads(await request.read())
        self.inputs.append(content)
        status, body = self.reply(operation, content)
        return web.Response(
            status=status,
            text=self.raw or json.dumps(body),
            headers={"Content-Type": "application/x-amz-json-1.0"},
        )


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.router.add_route("*", "/{rest:.*}", stub.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()


@pytest.fixture
async def queue(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqsQueue]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
    async with open_queue_client(AWS) as client:
        yield SqsQueue(client, f"{stub.url}/000000000001/q", Metrics(CollectorRegistry()))


def done(content: Any) -> tuple[int, object]:
    return 200, {"Successful": [{"Id": entry["Id"]} for entry in content["Entries"]], "Failed": []}


def messages(count: int) -> list[Message]:
    return [Message(f"id-{n}", f"handle-{n}", "", 1) for n in range(count)]


@pytest.mark.parametrize(
    ("code", "text", "lost"),
    [
        ("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", True),
        ("MessageNotInflight", "", True),
        ("AWS.SimpleQueueService.MessageNotInflight", "", True),
        (
            "InvalidParameterValue",
            "Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            True,
        ),
        (
            "InvalidParameterValue",
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            False,
        ),
        ("InternalError", "", False),
        ("ServiceUnavailable", "", False),
    ],
)
async def test_a_failed_entry_says_whether_the_lease_is_lost(
    queue: SqsQueue, stub: Stub, code: str, text: str, lost: bool
) -> None:
    """Law 3. The texts are AWS's."""
    stub.reply = lambda _operation, _input: (
        200,
        {
            "Successful": [{"Id": "0"}],
            "Failed": [{"Id": "1", "SenderFault": True, "Code": code, "Message": text}],
        },
    )
    short = code.rsplit(".", 1)[-1]
    for results in (await queue.extend(messages(2), 30), await queue.delete(messages(2))):
        assert results == [None, Failure(lost, f"{short}: {text}")]


async def test_entries_of_a_request_that_failed_may_be_tried_again(queue: SqsQueue, stub: Stub) -> None:
    def refuse_the_second_ten(_operation: str, content: Any) -> tuple[int, object]:
        if content["Entries"][0]["Id"] == "10":
            return 400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}
        return done(content)

    stub.reply = refuse_the_second_ten
    results = await queue.delete(messages(25))
    assert [place for place, result in enumerate(results) if result] == list(range(10, 20))
    assert not any(result.lost for result in results if result)


async def test_a_call_of_which_no_request_got_through_raises(queue: SqsQueue, stub: Stub) -> None:
    stub.reply = lambda _operation, _input: (
        400,
        {"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"},
    )
    with pytest.raises(Refused, match=r"DeleteMessageBatch on .*Allow sqs:DeleteMessage to"):
        await queue.delete(messages(25))
    with pytest.raises(Refused, match="Allow sqs:ChangeMessageVisibility to"):
        await queue.extend(messages(1), 30)
    with pytest.raises(Refused, match="Allow sqs:SendMessage to"):
        await queue.send([Outgoing("a")])
    with pytest.raises(Refused, match="Allow sqs:ReceiveMessage to"):
        await queue.receive(1, wait=0, visibility=30)


async def test_a_batch_holds_ten_entries_and_a_mebibyte_at_most(queue: SqsQueue, stub: Stub) -> None:
    stub.reply = lambda _operation, content: done(content)
    sizes = [500_000, 500_000, 500_000, 1_000_000, 1] + [1] * 20
    assert await queue.send([Outgoing("x" * size) for size in sizes]) == [None] * 25
    batches = [[len(entry["MessageBody"]) for entry in content["Entries"]] for content in stub.inputs]
    assert all(len(batch) <= 10 and sum(batch) <= 1_048_576 for batch in batches)
    assert sorted(entry["Id"] for content in stub.inputs for entry in content["Entries"]) == sorted(
        map(str, range(25))
    )


async def test_a_receive_asks_for_everything_the_worker_reads(queue: SqsQueue, stub: Stub) -> None:
    assert await queue.receive(7, wait=3.9, visibility=30) == []
    assert stub.inputs == [
        {
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": 7,
            "WaitTimeSeconds": 3,
            "VisibilityTimeout": 30,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
    ]


async def test_an_entry_that_sqs_says_nothing_of_is_not_done(queue: SqsQueue, stub: Stub) -> None:
    """Silence means not done. A proxy's page with status 200 says nothing either."""
    stub.reply = lambda _operation, _input: (200, {"Successful": [{"Id": "1"}]})
    silence = Failure(lost=False, text="SQS did not answer for this entry")
    assert await queue.delete(messages(3)) == [silence, None, silence]
    stub.raw = "<html>maintenance</html>"
    assert await queue.delete(messages(1)) == [silence]
    assert await queue.receive(1, wait=0, visibility=30) == []
