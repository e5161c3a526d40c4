"""Calls that AWS denies, over the wire, in the words of each service: the error says what to allow, and where that is
written down.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from tests.adapters.dynamodb_parts import SESSION
from tests.fakes.denials import KEY, TABLE, denied
from worker.adapters.dynamodb_table import DynamodbTable, open_table_client, statement_of
from worker.adapters.s3 import S3Buckets, open_bucket_client
from worker.adapters.s3_archive import S3Archive
from worker.adapters.s3_objects import S3Objects
from worker.adapters.sqs import SqsQueue, open_queue_client
from worker.core.errors import Refused
from worker.core.queueing import Outgoing
from worker.core.receipts import Place
from worker.metrics import Metrics

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:uploads"
OF_KMS = "(Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: 1; Proxy: null)"


@dataclass
class Denying:
    """Answers every call alike."""

    url: str = ""
    status: int = 400
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def handle(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, text=self.body, headers=self.headers)

    def as_sqs(self, code: str, message: str, query_code: str = "") -> None:
        """*query_code*: as it was called before SQS spoke JSON; where it is told, the SDK takes it."""
        self.body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message})
        if query_code:
            self.headers = {"x-amzn-query-error": f"{query_code};Sender"}

    def as_dynamodb(self, message: str) -> None:
        self.body = json.dumps(
            {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message}
        )

    def as_s3(self, message: str) -> None:
        self.status = 403
        self.body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Denying]:
    denying = Denying()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", denying.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    denying.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", denying.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield denying
    await runner.cleanup()


@pytest.fixture
async def queue(aws: Denying) -> AsyncIterator[SqsQueue]:
    async with open_queue_client(SESSION) as client:
        yield SqsQueue(client, f"{aws.url}/111122223333/uploads", Metrics(CollectorRegistry()))


@pytest.fixture
async def table(aws: Denying) -> AsyncIterator[DynamodbTable]:
    assert aws.url
    async with open_table_client(SESSION) as client:
        yield DynamodbTable(client, "ledger", lambda: 0.0)


async def test_sqs_names_the_action_and_the_queue(aws: Denying, queue: SqsQueue) -> None:
    sentence = denied("sqs:sendmessage", QUEUE)
    aws.as_sqs("AccessDeniedException", sentence, "AccessDenied")
    with pytest.raises(Refused) as caught:
        await queue.send([Outgoing("a")])
    assert str(caught.value) == (
        f"SQS SendMessageBatch on {queue.url}: AccessDenied: {sentence}. Allow sqs:SendMessage on {QUEUE} to the worker's "
        "role (deploy/iam: worker.json, dead-letters-replay.json, backfill.json, reconcile.json)."
    )


@pytest.mark.parametrize("query_code", ["KMS.AccessDeniedException", ""])
async def test_a_queue_whose_key_is_denied_names_the_key_and_what_is_missing(
    aws: Denying, queue: SqsQueue, query_code: str
) -> None:
    """SQS quotes KMS, and names it in a code of its own, whatever the way it is told."""
    aws.as_sqs("KmsAccessDenied", f"{denied('kms:GenerateDataKey', KEY)} {OF_KMS}", query_code)
    with pytest.raises(Refused) as caught:
        await queue.send([Outgoing("a")])
    assert str(caught.value).endswith(
        f" Allow kms:GenerateDataKey on {KEY} to the worker's role (deploy/iam: kms.json)."
    )

    hidden = "The ciphertext refers to a customer master key that does not exist, or you are not allowed to access."
    aws.as_sqs("KmsAccessDenied", hidden, query_code)
    with pytest.raises(Refused) as caught:
        await queue.receive(1, 0, 30)
    assert str(caught.value).endswith(
        f"{hidden} Allow kms:Decrypt and kms:GenerateDataKey, on the key that it is encrypted with, to the worker's role, "
        "and in the resource's policy (deploy/iam: kms.json)."
    )


async def test_dynamodb_names_the_action_also_of_a_single_statement(
    aws: Denying, table: DynamodbTable
) -> None:
    aws.as_dynamodb(denied("dynamodb:BatchGetItem", TABLE))
    with pytest.raises(Refused) as caught:
        await table.read_all(["a"])
    assert str(caught.value).endswith(
        f" Allow dynamodb:BatchGetItem on {TABLE} to the worker's role (deploy/iam: dynamodb.json)."
    )

    statement = {"Code": "AccessDenied", "Message": denied("dynamodb:PartiQLUpdate", TABLE)}
    aws.status, aws.body = 200, json.dumps({"Responses": [{"Error": statement}]})
    with pytest.raises(Refused) as caught:
        await table.write_all([statement_of("UPDATE")])
    assert str(caught.value).endswith(
        f" Allow dynamodb:PartiQLUpdate on {TABLE} to the worker's role (deploy/iam: dynamodb.json)."
    )


async def test_a_table_whose_key_is_denied_is_no_matter_of_the_table(
    aws: Denying, table: DynamodbTable
) -> None:
    aws.as_dynamodb(
        "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext refers to a customer "
        f"master key that does not exist, or you are not allowed to access. {OF_KMS}"
    )
    with pytest.raises(Refused) as caught:
        await table.read_all(["a"])
    assert " Allow kms:Decrypt and kms:GenerateDataKey, on the key that it is encrypted with, to" in str(
        caught.value
    )


async def test_s3_may_say_access_denied_alone_and_of_a_head_nothing_at_all(aws: Denying) -> None:
    metrics = Metrics(CollectorRegistry())
    aws.as_s3("Access Denied")
    async with open_bucket_client(SESSION) as client:
        objects = S3Objects(client, metrics)
        with pytest.raises(Refused) as caught:
            await S3Buckets(client).notifications("acme-media")
        assert str(caught.value) == (
            "S3 GetBucketNotificationConfiguration on s3://acme-media: AccessDenied: Access Denied. Allow "
            "s3:GetBucketNotification to the worker's role, and in the resource's policy (deploy/iam: check.json)."
        )
        with pytest.raises(Refused) as caught:
            await objects.head("acme-media", "in/a.jpg")
    assert str(caught.value) == (
        "S3 HeadObject on s3://acme-media/in/a.jpg: 403: Forbidden. Allow s3:GetObject, and s3:ListBucket (without it S3 "
        "says the same of objects that do not exist), to the worker's role, and in the resource's policy (deploy/iam: "
        "routes-that-ask-s3.json, why.json, backfill.json). If that is allowed, check the AWS credentials."
    )


async def test_an_archive_whose_key_is_denied_names_the_key(aws: Denying) -> None:
    aws.as_s3(denied("kms:GenerateDataKey", KEY))
    async with open_bucket_client(SESSION) as client:
        archive = S3Archive(client, Place("acme-archive", "receipts"), Metrics(CollectorRegistry()))
        with pytest.raises(Refused) as caught:
            await archive.put("a.gz", b"")
    assert str(caught.value).endswith(
        f" Allow kms:GenerateDataKey on {KEY} to the worker's role (deploy/iam: kms.json)."
    )


async def test_a_sentence_that_is_too_long_to_quote_is_understood_to_its_end(
    aws: Denying, queue: SqsQueue
) -> None:
    aws.as_sqs("AccessDeniedException", f"{'x' * 400} {denied('sqs:receivemessage', QUEUE)}")
    with pytest.raises(Refused, match=f" Allow sqs:ReceiveMessage on {QUEUE} to the worker's role"):
        await queue.receive(1, 0, 30)
