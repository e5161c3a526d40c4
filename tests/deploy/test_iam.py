"""The policies of deploy/iam: each allows what its feature calls and nothing else, and together they allow every call.

What a call needs is written down here; the calls are read from the code, so that a new one fails until it is in a policy.
"""

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from worker.core.denials import POLICIES

ROOT = Path(__file__).parent.parent.parent
IAM = ROOT / "deploy" / "iam"
README = (IAM / "README.md").read_text()
FILES = sorted(path.stem for path in IAM.glob("*.json"))

ACTIONS = {
    "batch_execute_statement": {
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:PartiQLDelete",
    },
    "batch_get_item": {"dynamodb:BatchGetItem"},
    "change_message_visibility_batch": {"sqs:ChangeMessageVisibility"},
    "create_table": {"dynamodb:CreateTable"},
    "delete_message_batch": {"sqs:DeleteMessage"},
    "describe_table": {"dynamodb:DescribeTable"},
    "get_bucket_notification_configuration": {"s3:GetBucketNotification"},
    "get_object": {"s3:GetObject"},
    "get_object_tagging": {"s3:GetObjectTagging"},
    "get_queue_attributes": {"sqs:GetQueueAttributes"},
    "get_queue_url": {"sqs:GetQueueUrl"},
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_object": {"s3:PutObject"},
    "receive_message": {"sqs:ReceiveMessage"},
    "send_message_batch": {"sqs:SendMessage"},
}
"""What IAM calls what a client's method does: "Actions, resources, and condition keys" of SQS, S3 and DynamoDB in AWS's
service authorization reference.
"""

QUEUE = "arn:aws:sqs:REGION:ACCOUNT:QUEUE"
DEAD_LETTERS = "arn:aws:sqs:REGION:ACCOUNT:DEAD-LETTERS"
BUCKET = "arn:aws:s3:::BUCKET"
OBJECTS = "arn:aws:s3:::BUCKET/PREFIX*"
TABLE = "arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE"
LOOK = ["receive_message", "change_message_visibility_batch", "get_queue_attributes", "get_queue_url"]

CALLS: dict[str, dict[str, list[str]]] = {
    "worker": {
        QUEUE: [
            "receive_message",
            "change_message_visibility_batch",
            "delete_message_batch",
            "send_message_batch",  # what is postponed goes to the same queue
            "get_queue_attributes",
        ],
        DEAD_LETTERS: ["send_message_batch", "get_queue_attributes", "get_queue_url"],
    },
    "check": {BUCKET: ["get_bucket_notification_configuration"]},
    "routes-that-ask-s3": {
        BUCKET: ["list_objects_v2"],
        OBJECTS: ["head_object", "get_object", "get_object_tagging"],
    },
    "archive": {"arn:aws:s3:::ARCHIVE/*": ["put_object"]},
    "dynamodb": {TABLE: ["describe_table", "batch_get_item", "batch_execute_statement"]},
    "dynamodb-create": {TABLE: ["create_table", "describe_table"]},
    "dead-letters": {QUEUE: ["get_queue_attributes"], DEAD_LETTERS: LOOK},
    "dead-letters-replay": {QUEUE: ["send_message_batch"], DEAD_LETTERS: ["delete_message_batch"]},
    "backfill": {
        BUCKET: ["list_objects_v2"],
        "arn:aws:s3:::INVENTORY/*": ["get_object"],
        QUEUE: ["send_message_batch", "get_queue_attributes"],
    },
    "reconcile": {
        BUCKET: ["list_objects_v2"],
        QUEUE: ["send_message_batch", "get_queue_attributes"],
    },
    "why": {
        BUCKET: ["list_objects_v2"],
        OBJECTS: ["head_object"],
        QUEUE: ["get_queue_attributes"],
        DEAD_LETTERS: LOOK,
    },
}
"""What each feature calls, on what."""

KEYS = {
    "arn:aws:kms:REGION:ACCOUNT:key/SQS-KEY": ("sqs", {"kms:Decrypt", "kms:GenerateDataKey"}),
    "arn:aws:kms:REGION:ACCOUNT:key/S3-KEY": ("s3", {"kms:Decrypt"}),
    "arn:aws:kms:REGION:ACCOUNT:key/RECEIPTS-KEY": ("s3", {"kms:GenerateDataKey"}),
    "arn:aws:kms:REGION:ACCOUNT:key/DYNAMODB-KEY": (
        "dynamodb",
        {
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        },
    ),
}
"""What a service does with a key in the name of who calls it: for each key the service, and what it does."""


def statements(name: str) -> list[dict[str, Any]]:
    policy = json.loads((IAM / f"{name}.json").read_text())
    assert policy.keys() == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    told: str | list[str] = statement["Action"]
    return [told] if isinstance(told, str) else told


def calls_of(path: Path) -> set[str]:
    """The methods that a file calls on a client of AWS; a Redis client is none."""
    called = set[str]()
    text = path.read_text()
    if "client." not in text or "redis" in path.name:
        return called
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value).rpartition(".")[2]
            if owner in {"client", "_client"}:
                called.add(node.func.attr)
    return called


def test_every_call_to_aws_is_known_by_its_action_and_none_that_is_not_made() -> None:
    code = [path for path in (ROOT / "worker").rglob("*.py") if "demo" not in path.parts]
    assert {call for path in code for call in calls_of(path)} == ACTIONS.keys()


def test_clients_of_aws_are_made_by_these_adapters_alone() -> None:
    makers = {
        path.name: re.findall(r'session\.client\("(\w+)"', path.read_text())
        for path in (ROOT / "worker").rglob("*.py")
        if "demo" not in path.parts and re.search(r"\.client\(|\.resource\(|get_paginator", path.read_text())
    }
    assert makers == {"sqs.py": ["sqs"], "s3.py": ["s3"], "dynamodb_table.py": ["dynamodb"]}


@pytest.mark.parametrize("name", CALLS)
def test_a_policy_allows_what_its_feature_calls_and_nothing_else(name: str) -> None:
    allowed = {statement["Resource"]: sorted(actions(statement)) for statement in statements(name)}
    assert len(allowed) == len(statements(name))
    assert allowed == {
        resource: sorted({action for call in calls for action in ACTIONS[call]})
        for resource, calls in CALLS[name].items()
    }


def test_a_key_may_be_used_through_its_service_alone() -> None:
    assert {statement["Resource"]: statement["Condition"] for statement in statements("kms")} == {
        key: {"StringEquals": {"kms:ViaService": f"{service}.REGION.amazonaws.com"}}
        for key, (service, _) in KEYS.items()
    }
    assert {statement["Resource"]: set(actions(statement)) for statement in statements("kms")} == {
        key: needed for key, (_, needed) in KEYS.items()
    }


def test_every_file_is_of_a_feature_and_every_call_is_in_one() -> None:
    assert sorted([*CALLS, "kms"]) == FILES
    assert {
        call for feature in CALLS.values() for calls in feature.values() for call in calls
    } == ACTIONS.keys()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_allowed_by_a_wildcard_but_the_objects_below_a_place(name: str) -> None:
    for statement in statements(name):
        assert statement.keys() - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"]), "IAM takes nothing else"
        assert not any("*" in action for action in actions(statement))
        resource = statement["Resource"]
        assert resource.startswith("arn:aws:")
        # An object's key is not known before it comes.
        assert "*" not in resource or re.fullmatch(r"arn:aws:s3:::[A-Z]+/([A-Z]+)?\*", resource)


def test_advice_on_a_denial_names_the_files_that_allow_the_action() -> None:
    allowing: dict[str, set[str]] = {}
    for name in FILES:
        for statement in statements(name):
            for action in actions(statement):
                allowing.setdefault(action, set()).add(name)
    assert {action: set(files) for action, files in POLICIES.items()} == allowing


# The page


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_page_tells_of_every_file_and_what_each_action_is_for() -> None:
    told = rows("The files")
    assert sorted({file for file, _, _ in told}) == sorted(f"{name}.json" for name in FILES)
    for name in FILES:
        of_file = " ".join(what for file, what, _ in told if file == f"{name}.json")
        assert set(re.findall("[a-z0-9]+:[A-Za-z]+", of_file)) == {
            action for statement in statements(name) for action in actions(statement)
        }


def test_no_placeholder_is_a_part_of_another_and_the_page_fills_in_every_one(tmp_path: Path) -> None:
    placeholders = [name for name, *_ in rows("Fill them in")]
    assert not [
        (one, other) for one in placeholders for other in placeholders if one in other and one != other
    ]
    script = README.split("\n## Fill them in\n")[1].split("```sh\n")[1].split("```")[0]
    environ = os.environ | {"OUT": str(tmp_path)}
    subprocess.run(["sh", "-eu"], input=script, text=True, cwd=ROOT, env=environ, check=True)  # noqa: S607 - every system has one
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == FILES
    for path in tmp_path.glob("*.json"):
        for statement in json.loads(path.read_text())["Statement"]:
            assert not re.findall("[A-Z]{2,}", f"{statement['Resource']} {statement.get('Condition')}")
