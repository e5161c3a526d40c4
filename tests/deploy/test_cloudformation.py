"""The CloudFormation templates, as far as they can be judged without AWS: what no emulator checks is asserted here.

The stack itself is made in test_cloudformation_stack.py.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.templates import FOLDER, NAMES, imported, made, template

FORTNIGHT = 1_209_600


def data(**given: str) -> dict[str, Any]:
    return made("data.yaml", **given or {"NewBucket": "media"})


def test_cfn_lint_has_nothing_to_say() -> None:
    """Its own schemas of AWS's resources: every property, type, value and reference."""
    linter = Path(sys.executable).parent / "cfn-lint"
    command = [linter, *(FOLDER / name for name in NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)  # noqa: S603 - no shell
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- data.yaml


def test_both_queues_keep_messages_for_14_days_and_a_message_may_be_received_ten_times() -> None:
    properties = {name: data()[name]["Properties"] for name in ("Queue", "DeadLetters")}
    assert {each["MessageRetentionPeriod"] for each in properties.values()} == {FORTNIGHT}
    assert properties["Queue"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": "DeadLetters.Arn"},
        "maxReceiveCount": 10,
    }


def test_only_the_queue_may_have_the_dead_letter_queue_as_its_own() -> None:
    queue = data()["Queue"]["Properties"]["QueueName"]
    assert queue == {"Fn::Sub": "${AWS::StackName}-events"}
    assert data()["DeadLetters"]["Properties"]["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [
            {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + queue["Fn::Sub"]}
        ],
    }


def test_nobody_but_the_bucket_of_this_account_may_send_to_the_queue() -> None:
    policy = data(NewBucket="media")["QueuePolicy"]["Properties"]
    assert policy["Queues"] == [{"Ref": "Queue"}]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "FromBucket",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": "Queue.Arn"},
            "Condition": {
                "ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:*:*:${NewBucket}"}},
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            },
        }
    ]


def test_nobody_but_the_rule_may_send_to_the_queue_of_an_existing_bucket() -> None:
    policy = data(ExistingBucket="media")["QueuePolicy"]["Properties"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "FromEventBridge",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": "Queue.Arn"},
            "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "ObjectsCreated.Arn"}}},
        }
    ]


def test_a_new_bucket_is_made_after_it_may_send_and_tells_of_new_objects_below_the_prefix() -> None:
    bucket = data(NewBucket="media", Prefix="in/")["Bucket"]
    assert bucket["DependsOn"] == "QueuePolicy"
    assert bucket["Properties"]["BucketName"] == "media"
    assert bucket["Properties"]["NotificationConfiguration"] == {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Queue": {"Fn::GetAtt": "Queue.Arn"},
                "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}},
            }
        ]
    }
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_with_an_empty_prefix_a_new_bucket_tells_of_every_object() -> None:
    (sent,) = data(NewBucket="media", Prefix="")["Bucket"]["Properties"]["NotificationConfiguration"][
        "QueueConfigurations"
    ]
    assert "Filter" not in sent


def test_an_existing_bucket_is_not_touched_and_comes_by_a_rule_of_its_name_and_prefix() -> None:
    resources = data(ExistingBucket="media", Prefix="in/")
    assert "Bucket" not in resources
    assert resources["ObjectsCreated"]["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["media"]}, "object": {"key": [{"prefix": "in/"}]}},
    }
    assert "ObjectsCreated" not in data(NewBucket="media")


@pytest.mark.parametrize(
    ("bucket", "sender"), [("NewBucket", "s3.amazonaws.com"), ("ExistingBucket", "events.amazonaws.com")]
)
def test_a_key_of_the_customer_encrypts_both_queues_and_whoever_sends_may_use_it(
    bucket: str, sender: str
) -> None:
    resources = data(**{bucket: "media", "CustomerKey": "yes"})
    account, events = resources["Key"]["Properties"]["KeyPolicy"]["Statement"]
    assert account["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert events == {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": sender},
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": "*",
    }
    assert resources["Key"]["Properties"]["EnableKeyRotation"] is True
    for queue in ("Queue", "DeadLetters"):
        assert resources[queue]["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": "Key.Arn"}
        assert "SqsManagedSseEnabled" not in resources[queue]["Properties"]


def test_without_a_key_of_the_customer_sqs_encrypts_both_queues() -> None:
    assert "Key" not in data()
    for queue in ("Queue", "DeadLetters"):
        assert data()[queue]["Properties"]["SqsManagedSseEnabled"] is True
        assert "KmsMasterKeyId" not in data()[queue]["Properties"]


def test_the_ledger_is_a_table_by_id_that_forgets_nothing() -> None:
    assert data()["Ledger"]["Properties"] == {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }


def test_what_cannot_be_had_again_outlives_its_stack() -> None:
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in data(NewBucket="media", CustomerKey="yes").items()
        if name != "QueuePolicy"
    }
    assert kept == {
        "Queue": ("Delete", "Retain"),  # a backfill tells again what waited there
        "DeadLetters": ("Retain", "Retain"),
        "Key": ("Retain", "Retain"),
        "Bucket": ("Retain", "Retain"),
        "Ledger": ("Retain", "Retain"),
        "ApiKey": ("Delete", "Retain"),
    }


# --- both, and what they have in common


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_output_or_resource_ever_holds_the_api_key(name: str) -> None:
    """Law 9: what a template resolves can be read by whoever may describe its stack."""
    written = template(name)
    assert not any("NoEcho" in parameter for parameter in written["Parameters"].values())
    text = json.dumps(written)
    assert "{{resolve:" not in text
    assert "SecretString" not in text  # GenerateSecretString neither


def test_the_data_stack_exports_what_the_service_imports_and_nothing_else() -> None:
    exported = {
        output["Export"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for output in template("data.yaml")["Outputs"].values()
        if "Export" in output
    }
    assert exported == set(imported(template("service.yaml")["Resources"]))


def test_the_page_gives_parameters_that_there_are() -> None:
    given = set(re.findall(r"\b([A-Z][a-z]\w*)=(?!=)", (FOLDER / "README.md").read_text()))
    of_the_cli = {"Name", "Values"}
    assert given - of_the_cli <= {name for each in NAMES for name in template(each)["Parameters"]}
