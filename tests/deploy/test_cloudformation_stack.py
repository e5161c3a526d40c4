"""deploy/cloudformation/data.yaml made whole on the emulator, and a worker that knows nothing but the stack's outputs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.deploy.templates import FOLDER
from tests.system.conftest import Start
from tests.system.outside import Cloud, until
from tests.system.processes import KEY, Twin, running_twin

STACK = "darwin-data"
MADE = "made"
"""The storage in Darwin that is on the bucket which the stack makes."""


def new_bucket(cloud: Cloud) -> str:
    return f"new-{cloud.bucket}"


@pytest.fixture
def twin(cloud: Cloud) -> Iterator[Twin]:
    with running_twin(cloud.bucket, f"{MADE}:{new_bucket(cloud)}:darwin") as running:
        yield running


def stack_of(cloud: Cloud, **parameters: str) -> dict[str, str]:
    """Make the stack, and put the key where its page says; the outputs by their names."""
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=(FOLDER / "data.yaml").read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )

    def status() -> str:
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        return str(stack["StackStatus"])

    until("the stack is done", lambda: status() != "CREATE_IN_PROGRESS")
    assert status() == "CREATE_COMPLETE"
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    cloud.client("secretsmanager").put_secret_value(SecretId=outputs["ApiKeySecretArn"], SecretString=KEY)
    return outputs


def settings_by(cloud: Cloud, outputs: Mapping[str, str]) -> dict[str, str]:
    """What service.yaml gives the worker, from where it takes it."""
    secrets = cloud.client("secretsmanager")
    return {
        "WORKER_QUEUE__URL": outputs["QueueUrl"],
        "WORKER_LEDGER__URL": f"dynamodb://{outputs['LedgerTable']}",
        "WORKER_REPLICAS": "2",
        "WORKER_DARWIN__PREFIX": "incoming/",
        "DARWIN_API_KEY": secrets.get_secret_value(SecretId=outputs["ApiKeySecretArn"])["SecretString"],
    }


def registers_what_is_uploaded(cloud: Cloud, twin: Twin, outputs: Mapping[str, str], bucket: str) -> None:
    """Upload to *bucket*, below the prefix and elsewhere, and wait until the worker that runs has done its part."""
    for key in ("incoming/a.jpg", "incoming/b c/ä+1.mp4", "elsewhere/c.jpg"):
        cloud.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    both = {("/", "a.jpg"): "incoming/a.jpg", ("/b c", "ä+1.mp4"): "incoming/b c/ä+1.mp4"}
    until("Darwin holds what was uploaded below the prefix", lambda: twin.items() == both)
    until("the queue is empty", lambda: cloud.waiting(outputs["QueueUrl"]) == (0, 0))
    assert cloud.waiting(outputs["DeadLetterQueueUrl"]) == (0, 0)
    entries = cloud.client("dynamodb").scan(TableName=outputs["LedgerTable"], Select="COUNT")["Count"]
    assert entries >= len(both)


def policy_of(cloud: Cloud, outputs: Mapping[str, str]) -> Any:
    asked = cloud.sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["Policy"])
    return json.loads(asked["Attributes"]["Policy"])["Statement"]


def test_a_worker_registers_what_is_uploaded_to_the_bucket_that_the_stack_made(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    bucket = new_bucket(cloud)
    outputs = stack_of(cloud, NewBucket=bucket)
    (statement,) = policy_of(cloud, outputs)
    assert statement["Resource"] == outputs["QueueArn"]
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:*:{bucket}"},
        "StringEquals": {"aws:SourceAccount": cloud.account},
    }
    worker = start(**settings_by(cloud, outputs), WORKER_DARWIN__STORAGE=MADE)
    registers_what_is_uploaded(cloud, twin, outputs, bucket)
    assert worker.stop() == 0


def test_a_worker_registers_what_is_uploaded_to_an_existing_bucket_through_eventbridge(
    cloud: Cloud, twin: Twin, start: Start
) -> None:
    outputs = stack_of(cloud, ExistingBucket=cloud.bucket, CustomerKey="yes")
    cloud.notify({"EventBridgeConfiguration": {}})
    worker = start(**settings_by(cloud, outputs))
    registers_what_is_uploaded(cloud, twin, outputs, cloud.bucket)
    assert worker.stop() == 0
