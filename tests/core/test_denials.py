"""What AWS says of a denied call, as advice: what to allow, on what, where, and which file of deploy/iam has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.denials import POLICIES, advice

ROLE = "User: arn:aws:sts::111122223333:assumed-role/darwin-worker/0a1b2c3d"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:uploads"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/8f7e6d5c-1111-2222-3333-444455556666"


def no(kind: str) -> str:
    return f"because no {kind} policy allows the so named action"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (  # SQS tells its actions in lower case
            f"sqs:deletemessage on resource: {QUEUE} {no('identity-based')}",
            f"Allow sqs:DeleteMessage on {QUEUE} to the worker's role (deploy/iam: worker.json, dead-letters-replay.json).",
        ),
        (  # S3 puts the resource in quotes, for a key may hold spaces
            f's3:PutObject on resource: "arn:aws:s3:::acme/receipts/a b.gz" {no("identity-based")}',
            "Allow s3:PutObject on arn:aws:s3:::acme/receipts/a b.gz to the worker's role (deploy/iam: archive.json).",
        ),
        (
            "dynamodb:BatchGetItem",
            "Allow dynamodb:BatchGetItem to the worker's role, and in the resource's policy (deploy/iam: dynamodb.json).",
        ),
        (  # what no call of ours needs is in no file
            f"sqs:PurgeQueue on resource: {QUEUE}.",
            f"Allow sqs:PurgeQueue on {QUEUE} to the worker's role, and in the resource's policy.",
        ),
        (
            f"kms:GenerateDataKey on resource: {KEY} {no('resource-based')}",
            f"Allow kms:GenerateDataKey on {KEY} in the resource-based policy too: none allows it.",
        ),
        (
            f"sqs:sendmessage on resource: {QUEUE} {no('VPC endpoint')}",
            f"Allow sqs:SendMessage on {QUEUE} in the VPC endpoint policy too: none allows it.",
        ),
        (  # the policy's ARN and a link may follow
            f"sqs:sendmessage on resource: {QUEUE} with an explicit deny in a service control policy: arn:aws:1. Go to",
            f"sqs:SendMessage on {QUEUE} is denied in a service control policy, whatever else allows it: change that.",
        ),
        (
            f"sqs:sendmessage on resource: {QUEUE} with an explicit deny in a permissions boundary",
            f"sqs:SendMessage on {QUEUE} is denied in a permissions boundary, whatever else allows it: change that.",
        ),
        (  # what a service quotes of KMS
            f"kms:Decrypt on resource: {KEY} {no('identity-based')} (Service: AWSKMS; Status Code: 400)",
            f"Allow kms:Decrypt on {KEY} to the worker's role (deploy/iam: kms.json).",
        ),
    ],
)
def test_what_aws_names_is_what_is_told(message: str, said: str) -> None:
    assert advice("s3:ListBucket", "AccessDenied", f"{ROLE} is not authorized to perform: {message}") == said


@pytest.mark.parametrize(
    "message", ["", "Access Denied", "Access to the resource https://sqs/1/q is denied."]
)
def test_where_aws_names_nothing_it_is_what_the_call_needs(message: str) -> None:
    needed = "s3:GetObject, and s3:ListBucket (without it S3 says the same of objects that do not exist),"
    assert advice(needed, "AccessDenied", message) == (
        f"Allow {needed} to the worker's role, and in the resource's policy (deploy/iam: routes-that-ask-s3.json, why.json, "
        "backfill.json)."
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("KMS.AccessDeniedException", ""),
        ("KmsAccessDenied", ""),
        ("AccessDenied", "The ciphertext refers to a customer master key that does not exist, or you are"),
        (
            "AccessDeniedException",
            "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException",
        ),
    ],
)
def test_a_key_that_nobody_names_is_told_as_that_of_the_resource(code: str, message: str) -> None:
    assert advice("sqs:SendMessage", code, message) == (
        "Allow kms:Decrypt and kms:GenerateDataKey, on the key that it is encrypted with, to the worker's role, and in the "
        "resource's policy (deploy/iam: kms.json)."
    )


@given(st.sampled_from(sorted(POLICIES)), st.text(), st.text())
def test_whatever_aws_says_there_is_advice(needed: str, code: str, message: str) -> None:
    assert "Allow " in advice(needed, code, message)


@given(
    st.text(),
    st.sampled_from(["", f" on resource: {QUEUE}", f' on resource: "{QUEUE}"']),
    st.sampled_from(["", " because no session policy allows", " with an explicit deny in a session policy"]),
    st.text(alphabet="abcdef0123456789+/=", min_size=30),
)
def test_nothing_of_aws_is_repeated_but_action_resource_and_kind_of_policy(
    around: str, resource: str, ending: str, secret: str
) -> None:
    """Law 9."""
    sentence = f"User: {secret} is not authorized to perform: sqs:sendmessage{resource}{ending} {secret}"
    for message in (f"{around} {secret}", f"{around}{secret} {sentence}{around}"):
        assert secret not in advice("sqs:SendMessage", "AccessDenied", message)
