"""deploy/terraform makes what deploy/cloudformation/data.yaml makes; applied for real where terraform can be had."""

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.outside import AWS_SECRET, REGION, Cloud, until
from worker.demo.engines import running_ministack

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
MODULE = DEPLOY / "terraform"
TEXT = "".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))

PATIENCE = 400.0
"""Seconds; the provider waits 25 of them for each attribute of a queue, three times in a row."""

pytestmark = pytest.mark.timeout(PATIENCE + 100)

KINDS = {
    "AWS::SQS::Queue": {"aws_sqs_queue", "aws_sqs_queue_redrive_allow_policy"},
    "AWS::SQS::QueuePolicy": {"aws_sqs_queue_policy"},
    "AWS::KMS::Key": {"aws_kms_key"},
    "AWS::S3::Bucket": {
        "aws_s3_bucket",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_notification",
    },
    "AWS::Events::Rule": {"aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"},
    "AWS::DynamoDB::Table": {"aws_dynamodb_table"},
    "AWS::SecretsManager::Secret": {"aws_secretsmanager_secret"},
}
"""What CloudFormation makes of one piece, Terraform makes of one or more."""


# -- what can be told without terraform --------------------------------------------------------------------------------------


class _Template(yaml.SafeLoader):
    """Reads a template for its names alone: what its functions make is left out."""


_Template.add_multi_constructor("!", lambda *_: None)


@functools.cache
def template() -> Any:
    return yaml.load((DEPLOY / "cloudformation" / "data.yaml").read_text(), _Template)  # noqa: S506 - a SafeLoader


def declared(block: str) -> set[str]:
    return set(re.findall(rf'^{block} "(\w+)"', TEXT, re.MULTILINE))


def snake(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_it_makes_the_kinds_of_things_that_the_stack_makes() -> None:
    kinds = {resource["Type"] for resource in template()["Resources"].values()}
    assert declared("resource") == set().union(*(KINDS[kind] for kind in kinds))


def test_it_takes_the_parameters_of_the_stack_and_a_name() -> None:
    assert declared("variable") == {"name", *map(snake, template()["Parameters"])}


def test_it_has_the_outputs_of_the_stack() -> None:
    assert declared("output") == {snake(name) for name in template()["Outputs"]}


@pytest.mark.parametrize("block", ["variable", "output"])
def test_the_page_names_every_input_and_output(block: str) -> None:
    named = set(re.findall(r"`(\w+)`", (MODULE / "README.md").read_text()))
    assert declared(block) <= named


# -- applied -----------------------------------------------------------------------------------------------------------------


def program() -> str:
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("deploy/terraform is not applied: there is no terraform on PATH")
    return found


def plugins() -> Path:
    """The folder of providers that TERRAFORM_PLUGINS names, laid out as Terraform's file system mirrors are."""
    folder = Path(os.environ.get("TERRAFORM_PLUGINS", "/nowhere"))
    if not any(folder.glob("*/hashicorp/aws/*/*")):
        pytest.skip(
            "deploy/terraform is not applied: set TERRAFORM_PLUGINS to a folder that holds the AWS provider "
            "(HOST/hashicorp/aws/VERSION/PLATFORM/), as `terraform providers mirror` makes one"
        )
    return folder


class Applied:
    """Both ways to a bucket, made by one apply in *cloud*: the modules ``made`` and ``taken``."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        modules: dict[str, dict[str, object]] = {
            "made": {"new_bucket": f"{cloud.bucket}-made"},
            "taken": {"existing_bucket": cloud.bucket, "customer_key": True},
        }
        root = {
            "provider": {"aws": {"region": REGION, "s3_use_path_style": True}},
            "module": {
                name: {"source": str(MODULE), "name": name, **inputs} for name, inputs in modules.items()
            },
            "output": {name: {"value": f"${{module.{name}}}"} for name in modules},
        }
        mirror = {"provider_installation": [{"filesystem_mirror": [{"path": str(plugins())}]}]}
        (folder / "main.tf.json").write_text(json.dumps(root))
        (folder / "cli.tfrc.json").write_text(json.dumps(mirror))
        self._folder = folder
        self.run("init", "-input=false")
        self.run("apply", "-auto-approve", "-input=false")
        self.outputs = {
            name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()
        }

    def run(self, *words: str) -> str:
        """What terraform printed. Only *cloud* and the mirror are within its reach."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "TF_CLI_CONFIG_FILE": str(self._folder / "cli.tfrc.json"),
            "CHECKPOINT_DISABLE": "1",
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_ACCESS_KEY_ID": self.cloud.account,
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        }
        ended = subprocess.run(  # noqa: S603 - the machine's own program, no shell
            [program(), f"-chdir={self._folder}", *words, "-no-color"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def attributes(self, url: str) -> dict[str, Any]:
        """Of a queue; what is JSON is read."""
        told = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return {name: json.loads(text) if text[:1] == "{" else text for name, text in told.items()}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    program(), plugins()
    with running_ministack() as endpoint, closing(Cloud(endpoint)) as cloud:
        cloud.notify({"EventBridgeConfiguration": {}})
        yield Applied(cloud, tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("way", ["made", "taken"])
def test_queues_keep_fourteen_days_and_a_message_is_received_ten_times(applied: Applied, way: str) -> None:
    outputs = applied.outputs[way]
    queue = applied.attributes(outputs["queue_url"])
    dead_letters = applied.attributes(outputs["dead_letter_queue_url"])
    assert (queue["MessageRetentionPeriod"], dead_letters["MessageRetentionPeriod"]) == ("1209600", "1209600")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": outputs["dead_letter_queue_arn"],
        "maxReceiveCount": 10,
    }
    assert queue.get("KmsMasterKeyId") == outputs["key_arn"]
    assert dead_letters.get("KmsMasterKeyId") == outputs["key_arn"]


@pytest.mark.parametrize(
    ("way", "sid", "sender", "condition"),
    [
        (
            "made",
            "FromBucket",
            "s3.amazonaws.com",
            {
                "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::BUCKET-made"},
                "StringEquals": {"aws:SourceAccount": "ACCOUNT"},
            },
        ),
        (
            "taken",
            "FromEventBridge",
            "events.amazonaws.com",
            {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:ACCOUNT:rule/taken-objects-created"}},
        ),
    ],
)
def test_only_the_bucket_or_its_rule_may_send(
    applied: Applied, way: str, sid: str, sender: str, condition: Mapping[str, object]
) -> None:
    cloud, outputs = applied.cloud, applied.outputs[way]
    written = json.dumps(condition).replace("ACCOUNT", cloud.account).replace("BUCKET", cloud.bucket)
    assert applied.attributes(outputs["queue_url"])["Policy"]["Statement"] == [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": sender},
            "Action": "sqs:SendMessage",
            "Resource": outputs["queue_arn"],
            "Condition": json.loads(written),
        }
    ]


@pytest.mark.parametrize(("way", "suffix"), [("made", "-made"), ("taken", "")])
def test_an_upload_below_the_prefix_is_told_of_and_no_other(applied: Applied, way: str, suffix: str) -> None:
    cloud, url = applied.cloud, applied.outputs[way]["queue_url"]
    for key in ("darwin/thumbnail.jpg", f"incoming/{way}.jpg"):
        cloud.s3.put_object(Bucket=cloud.bucket + suffix, Key=key, Body=b"x")
    bodies: list[str] = []

    def told() -> bool:
        received = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        bodies.extend(message["Body"] for message in received.get("Messages", []))
        return any(f"incoming/{way}.jpg" in body for body in bodies)

    until(f"{way} tells of the upload", told)
    assert not [body for body in bodies if "thumbnail" in body]


def test_the_ledger_is_a_table_as_the_worker_wants_it(applied: Applied) -> None:
    name = applied.outputs["made"]["ledger_table"]
    dynamodb = applied.cloud.client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    lives = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert lives["TimeToLiveStatus"] == "DISABLED"
