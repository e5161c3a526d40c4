"""What `check` says of calls that AWS denies, over the wire against a stand-in for SQS, S3 and DynamoDB. Darwin is away."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.denials import KEY, TABLE, denied
from worker.commands.check import look
from worker.commands.check_ledger import look_at_ledger
from worker.core.checks import Finding, Level
from worker.routes_file import load_routes
from worker.setting_values import LedgerUrl
from worker.settings import Ledger, load_settings

ACCOUNT = "arn:aws:sqs:eu-west-1:111122223333"
NO_SUCH_HANDLE = {"Code": "ReceiptHandleIsInvalid", "SenderFault": True}


@dataclass
class Aws:
    """Two queues, a table and a bucket, of which all is well, but for the calls in *denied*: by their name and the queue's,
    the kind of statement, or the method, with what AWS says.
    """

    url: str = ""
    denied: dict[str, str] = field(default_factory=dict)
    encrypted: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        service, _, call = request.headers.get("X-Amz-Target", "").partition(".")
        if not call:
            if said := self.denied.get(request.method):
                return web.Response(
                    status=403, text=f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>"
                )
            return web.Response(text="<NotificationConfiguration/>")
        asked = json.loads(await request.read())
        if service == "AmazonSQS":
            queue = str(asked.get("QueueUrl", asked.get("QueueName"))).rpartition("/")[2]
            if said := self.denied.get(f"{call} {queue}"):
                return web.json_response({"__type": "x#AccessDeniedException", "message": said}, status=400)
            return web.json_response(self.of_queue(call, queue, asked))
        if said := self.denied.get(call):
            return web.json_response({"__type": "x#AccessDeniedException", "message": said}, status=400)
        return web.json_response(self.of_table(call, asked))

    def of_queue(self, call: str, queue: str, asked: Any) -> object:
        if call == "GetQueueUrl":
            return {"QueueUrl": f"{self.url}/111122223333/{queue}"}
        if call == "GetQueueAttributes":
            redrive = {"deadLetterTargetArn": f"{ACCOUNT}:dead", "maxReceiveCount": 10}
            return {
                "Attributes": {
                    "QueueArn": f"{ACCOUNT}:{queue}",
                    "MessageRetentionPeriod": "1209600",
                    "RedrivePolicy": json.dumps(redrive),
                    "KmsMasterKeyId": self.encrypted.get(queue, ""),
                }
            }
        assert call in {"ChangeMessageVisibilityBatch", "DeleteMessageBatch"}
        return {"Failed": [{"Id": entry["Id"], **NO_SUCH_HANDLE} for entry in asked["Entries"]]}

    def of_table(self, call: str, asked: Any) -> object:
        if call == "DescribeTable":
            column = {"AttributeName": "id", "AttributeType": "S"}
            key = {"AttributeName": "id", "KeyType": "HASH"}
            return {"Table": {"TableStatus": "ACTIVE", "AttributeDefinitions": [column], "KeySchema": [key]}}
        if call == "BatchGetItem":
            return {"Responses": {}}
        [statement] = asked["Statements"]
        kind = statement["Statement"].partition(" ")[0]
        self.items.append(f"{kind} {statement['Parameters'][0]['S']}")
        if said := self.denied.get(kind):
            return {"Responses": [{"Error": {"Code": "AccessDenied", "Message": said}}]}
        return {"Responses": [{}]}


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Aws]:
    aws = Aws()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", aws.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    aws.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name, value in {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    yield aws
    await runner.cleanup()


async def checked(aws: Aws) -> dict[str, list[Finding]]:
    """What `check` finds that is not well, by what it is about."""
    settings = load_settings(
        {
            "WORKER_QUEUE__URL": f"{aws.url}/111122223333/uploads",
            "WORKER_DARWIN__DATASET": "intake",
            "WORKER_DARWIN__STORAGE": "media",
            "WORKER_LEDGER__URL": "dynamodb://ledger",
            "WORKER_ARCHIVE__URL": "s3://acme-archive/receipts",
            "WORKER_WEB__HOST": "127.0.0.1",
            "WORKER_WEB__PORT": "0",
            "DARWIN_API_KEY": "abcdefg.0123456789abcdef0123456789abcdef",
            "DARWIN_TEAM": "acme",
            "DARWIN_BASE_URL": "http://127.0.0.1:1",
        }
    )
    found: dict[str, list[Finding]] = {}
    for finding in await look(settings, load_routes(settings)):
        if finding.level is not Level.OK:
            found.setdefault(finding.about, []).append(finding)
    return found


async def test_what_is_allowed_is_well_and_nothing_is_left_in_the_table(aws: Aws) -> None:
    found = await checked(aws)
    assert found.keys() == {"darwin", "storage", "events"}, "Darwin must tell the bucket first"
    assert aws.items == ["INSERT check", "UPDATE check", "DELETE check"]


async def test_what_is_denied_is_told_by_the_missing_action_whatever_became_of_the_rest(aws: Aws) -> None:
    aws.denied = {
        "DeleteMessageBatch uploads": denied("sqs:deletemessage", f"{ACCOUNT}:uploads"),
        "ChangeMessageVisibilityBatch dead": denied("sqs:changemessagevisibility", f"{ACCOUNT}:dead"),
        "PUT": denied("kms:GenerateDataKey", KEY),
    }
    found = await checked(aws)

    source, dead = found["permissions"]
    assert source.level is Level.WRONG
    assert source.text.endswith(
        f" Allow sqs:DeleteMessage on {ACCOUNT}:uploads to the worker's role (deploy/iam: worker.json, "
        "dead-letters-replay.json)."
    )
    assert dead.level is Level.NOTE, "`run` does without"
    assert dead.text.startswith("dead letters cannot be looked at, on the page or by commands: SQS Change")
    assert dead.text.endswith(
        f" Allow sqs:ChangeMessageVisibility on {ACCOUNT}:dead to the worker's role (deploy/iam: worker.json, "
        "dead-letters.json, why.json)."
    )
    [archive] = found["archive"]
    assert archive.level is Level.WRONG
    assert f"Allow kms:GenerateDataKey on {KEY} to the worker's role (deploy/iam: kms.json)" in archive.text


async def test_a_dead_letter_queue_that_may_not_be_found_is_wrong_and_the_queues_key_is_told_all_the_same(
    aws: Aws,
) -> None:
    """AWS's own key lets no event into the queue."""
    aws.denied["GetQueueUrl dead"] = denied("sqs:getqueueurl", f"{ACCOUNT}:dead")
    aws.encrypted = {"uploads": "alias/aws/sqs", "dead": "alias/aws/sqs"}
    found = await checked(aws)

    [dead] = found["dead letters"]
    assert dead.level is Level.WRONG
    assert f"Allow sqs:GetQueueUrl on {ACCOUNT}:dead to the worker's role" in dead.text
    [key] = found["encryption"]
    assert key.level is Level.NOTE
    assert "which S3, SNS and EventBridge cannot use, so their events never come" in key.text


async def test_the_keys_of_queues_are_told_for_they_cannot_be_tried(aws: Aws) -> None:
    aws.encrypted = {"uploads": KEY, "dead": KEY}
    source, dead = (await checked(aws))["encryption"]
    assert (source.level, dead.level) == (Level.NOTE, Level.NOTE)
    needed = f"is encrypted with {KEY}, which is not tried here. The worker's role needs there: kms:Decrypt, "
    needed += "kms:GenerateDataKey (deploy/iam: kms.json)"
    assert source.text == (
        f"{aws.url}/111122223333/uploads {needed}, and by the key's policy S3, SNS or EventBridge do too"
    )
    assert dead.text == f"{aws.url}/111122223333/dead {needed}"


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("DescribeTable", "dynamodb:DescribeTable"),
        ("BatchGetItem", "dynamodb:BatchGetItem"),
        ("INSERT", "dynamodb:PartiQLInsert"),
        ("UPDATE", "dynamodb:PartiQLUpdate"),
        ("DELETE", "dynamodb:PartiQLDelete"),
        ("BatchExecuteStatement", "kms:Decrypt"),
    ],
)
async def test_each_action_that_the_ledger_needs_is_tried(aws: Aws, call: str, action: str) -> None:
    resource = KEY if action.startswith("kms:") else TABLE
    aws.denied[call] = denied(action, resource)
    [finding] = await look_at_ledger(Ledger(url=LedgerUrl("dynamodb://ledger")), create=False)
    assert finding.level is Level.WRONG
    assert f"Allow {action} on {resource} to the worker's role" in finding.text
