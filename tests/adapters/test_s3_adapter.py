"""What the S3 adapter reads of buckets, against MiniStack; and the session that all AWS clients share."""

import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from botocore.stub import Stubber

from worker.adapters.aws_session import aws_session
from worker.adapters.s3 import S3Buckets, open_bucket_client
from worker.core.errors import Refused, Unavailable
from worker.core.notifications import Notification, Notifications

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

TOPIC = "arn:aws:sns:eu-west-1:000000000001:topic"
QUEUE = "arn:aws:sqs:eu-west-1:000000000001:events"


@pytest.fixture
async def client(aws: aioboto3.Session) -> "AsyncIterator[S3Client]":
    async with open_bucket_client(aws) as opened:
        yield opened


async def bucket_with(client: "S3Client", configuration: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    await client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    await client.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration=configuration, SkipDestinationValidation=True
    )
    return name


async def test_a_bucket_that_tells_nobody_has_no_notifications(client: "S3Client") -> None:
    assert await S3Buckets(client).notifications(await bucket_with(client, {})) == Notifications()


async def test_queues_topics_and_eventbridge_are_told_apart(
    aws: aioboto3.Session, client: "S3Client"
) -> None:
    async with aws.client("sqs") as sqs, aws.client("sns") as sns:
        await sqs.create_queue(QueueName="events")
        await sns.create_topic(Name="topic")
    bucket = await bucket_with(
        client,
        {
            "QueueConfigurations": [
                {
                    "QueueArn": QUEUE,
                    "Events": ["s3:ObjectCreated:Put", "s3:ObjectCreated:Copy"],
                    "Filter": {
                        "Key": {
                            "FilterRules": [
                                {"Name": "prefix", "Value": "incoming/"},
                                {"Name": "suffix", "Value": ".jpg"},
                            ]
                        }
                    },
                }
            ],
            "TopicConfigurations": [{"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}],
            "EventBridgeConfiguration": {},
        },
    )

    assert await S3Buckets(client).notifications(bucket) == Notifications(
        queues=(Notification(QUEUE, ("s3:ObjectCreated:Put", "s3:ObjectCreated:Copy"), "incoming/", ".jpg"),),
        topics=(Notification(TOPIC, ("s3:ObjectCreated:*",)),),
        eventbridge=True,
    )


async def test_filter_values_are_form_encoded_and_their_names_come_in_either_case(client: "S3Client") -> None:
    rules = [{"Name": "Prefix", "Value": "line+3/caf%C3%A9/"}, {"Name": "Suffix", "Value": "%2B.jpg"}]
    row = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    with Stubber(client) as stub:
        stub.add_response("get_bucket_notification_configuration", {"QueueConfigurations": [row]})
        held = await S3Buckets(client).notifications("media")

    assert held == Notifications((Notification(QUEUE, ("s3:ObjectCreated:*",), "line 3/café/", "+.jpg"),))


@pytest.mark.parametrize("name", ["no-such-bucket", "No Bucket Can Have This Name", "a/b", "x" * 300])
async def test_a_bucket_that_is_not_there_is_none(client: "S3Client", name: str) -> None:
    assert await S3Buckets(client).notifications(name) is None


async def test_a_denial_names_the_permission_and_the_bucket(client: "S3Client") -> None:
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_notification_configuration", "AccessDenied", "Access Denied", 403)
        with pytest.raises(Refused, match=r"s3://media.*Allow s3:GetBucketNotification") as caught:
            await S3Buckets(client).notifications("media")

    assert "GetBucketNotificationConfiguration" in str(caught.value)


async def test_an_endpoint_that_nobody_listens_at_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    session = aioboto3.Session("000000000001", "secret", region_name="eu-west-1")
    async with open_bucket_client(session) as client:
        with pytest.raises(Unavailable, match="s3://media"):
            await S3Buckets(client).notifications("media")


async def test_an_endpoint_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(Refused, match="Check the AWS settings"):
        async with open_bucket_client(aioboto3.Session(region_name="eu-west-1")):
            pass


def test_the_region_is_that_of_either_variable_and_aws_region_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert aws_session().region_name == "eu-central-1"

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert aws_session().region_name == "eu-west-1"


def test_a_profile_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Refused, match=r"nobody.*Set AWS_PROFILE right"):
        aws_session()
