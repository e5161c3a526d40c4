"""What to do where AWS denied a call: which action is missing, on what, where to allow it, and which file of deploy/iam does.

AWS's sentence has the forms of "Troubleshoot access denied error messages" in the IAM user guide. Not every service says it:
S3 may say "Access Denied" alone, and a service whose key KMS denied quotes KMS; then it is told what the call needs.
"""

import re
from collections.abc import Mapping

POLICIES: Mapping[str, tuple[str, ...]] = {
    "dynamodb:BatchGetItem": ("dynamodb",),
    "dynamodb:CreateTable": ("dynamodb-create",),
    "dynamodb:DescribeTable": ("dynamodb", "dynamodb-create"),
    "dynamodb:PartiQLDelete": ("dynamodb",),
    "dynamodb:PartiQLInsert": ("dynamodb",),
    "dynamodb:PartiQLUpdate": ("dynamodb",),
    "kms:Decrypt": ("kms",),
    "kms:DescribeKey": ("kms",),
    "kms:Encrypt": ("kms",),
    "kms:GenerateDataKey": ("kms",),
    "kms:ReEncryptFrom": ("kms",),
    "kms:ReEncryptTo": ("kms",),
    "s3:GetBucketNotification": ("check",),
    "s3:GetObject": ("routes-that-ask-s3", "why", "backfill"),
    "s3:GetObjectTagging": ("routes-that-ask-s3",),
    "s3:ListBucket": ("routes-that-ask-s3", "why", "backfill", "reconcile"),
    "s3:PutObject": ("archive",),
    "sqs:ChangeMessageVisibility": ("worker", "dead-letters", "why"),
    "sqs:DeleteMessage": ("worker", "dead-letters-replay"),
    "sqs:GetQueueAttributes": ("worker", "dead-letters", "why", "backfill", "reconcile"),
    "sqs:GetQueueUrl": ("worker", "dead-letters", "why"),
    "sqs:ReceiveMessage": ("worker", "dead-letters", "why"),
    "sqs:SendMessage": ("worker", "dead-letters-replay", "backfill", "reconcile"),
}
"""The files of deploy/iam that allow an action."""

OF_A_KEY = "kms:Decrypt and kms:GenerateDataKey, on the key that it is encrypted with,"

_ACTION = r"[a-z0-9-]{1,60}:[A-Za-z0-9]{1,60}"
_SENTENCE = re.compile(
    rf"not authorized to perform: (?P<action>{_ACTION})"
    r'(?: on resource: (?:"(?P<quoted>arn:[^"]+)"|(?P<plain>arn:[^\s"]+)))?'
    r"(?: because no (?P<silent>[A-Za-z -]{1,60}?) allows"
    r"| with an explicit deny in (?P<denying>an? [A-Za-z -]{1,60}?(?:policy|boundary)))?"
)
_OF_KMS = re.compile("KMS|Kms|kms:|customer master key")
_AS_WRITTEN = {action.lower(): action for action in POLICIES}  # SQS tells its actions in lower case

TO_THE_ROLE = {
    "": "to the worker's role, and in the resource's policy",
    "identity-based policy": "to the worker's role",
}


def advice(needed: str, code: str, message: str) -> str:
    """A sentence or two. *needed*: the actions that the call needs, in words, the one it needs most in front; *code* and
    *message*: what AWS answered, of which nothing is repeated but the action, the resource and the kind of policy.
    """
    told = _SENTENCE.search(message)
    if told is None:
        what, silent = OF_A_KEY if _OF_KMS.search(f"{code} {message}") else needed, ""
    else:
        what = _AS_WRITTEN.get(told["action"].lower(), told["action"])
        if resource := (told["quoted"] or told["plain"] or "").rstrip(".,;"):
            what += f" on {resource}"
        if told["denying"]:
            return f"{what} is denied in {told['denying']}, whatever else allows it: change that."
        silent = told["silent"] or ""
    if silent not in TO_THE_ROLE:
        return f"Allow {what} in the {silent} too: none allows it."
    return f"Allow {what} {TO_THE_ROLE[silent]}{_files(what)}."


def _files(what: str) -> str:
    named = re.search(_ACTION, what)
    files = [f"{name}.json" for name in POLICIES.get(named[0] if named else "", ())]
    return f" (deploy/iam: {', '.join(files)})" if files else ""
