"""Bodies from hell, and records that cannot be read."""

import json
from typing import Any

import pytest

from tests.core.bodies import (
    S3_RECORD,
    eventbridge,
    s3_body,
    s3_record,
    sns,
    why_of,
)
from worker.core.events import (
    Unreadable,
    parse,
)


def test_another_major_version_is_not_guessed_at() -> None:
    assert why_of(s3_body(s3_record(eventVersion="3.0"))) == (
        "The record's eventVersion is not 2.x, the only one known."
    )


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("text", "The record is no object."),
        (None, "The record is no object."),
        ([], "The record is no object."),
        ({}, "The record's s3 is missing or no object."),
        ({"s3": {"object": {"key": "k"}}}, "The record's eventName is missing or empty."),
        (s3_record(drop="eventName"), "The record's eventName is missing or empty."),
        (s3_record(drop="key"), "The record's key is missing or empty."),
        (s3_record(""), "The record's key is missing or empty."),
        (s3_record(["k"]), "The record's key is no text."),
        (s3_record("%FF"), "The record's key, once decoded, is no UTF-8."),
        (s3_record("%ED%A0%80"), "The record's key, once decoded, is no UTF-8."),
        (s3_record("caf%C3"), "The record's key, once decoded, is no UTF-8."),
        (s3_record("\ud800"), "The record's key holds half a character (a lone surrogate)."),
        (s3_record("%C3%A9" * 513), "The record's key is longer than the 1024 bytes that S3 allows."),
        (s3_record("k" * 5000), "The record's key is longer than 4096 characters."),
        (s3_record(size="7"), "The record's size is no number of bytes."),
        (s3_record(size=7.0), "The record's size is no number of bytes."),
        (s3_record(size=True), "The record's size is no number of bytes."),
        (s3_record(size=-1), "The record's size is no number of bytes."),
        (s3_record(size=2**63), "The record's size is no number of bytes."),
        (s3_record(eTag=1), "The record's eTag is no text."),
        (s3_record(versionId={}), "The record's versionId is no text."),
        (s3_record(eventVersion=2.1), "The record's eventVersion is no text."),
        (s3_record(eventName=["x"]), "The record's eventName is no text."),
    ],
)
def test_a_record_that_cannot_be_read_says_why(record: object, why: str) -> None:
    assert why_of(s3_body(record)) == why


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (eventbridge("\udfff"), "The record's key holds half a character (a lone surrogate)."),
        (eventbridge(bucket={"name": ""}), "The record's name is missing or empty."),
        (eventbridge(bucket="b"), "The record's bucket is missing or no object."),
        (eventbridge(reason=["PutObject"]), "The record's reason is no text."),
        ({"source": "aws.s3", "detail": None}, "The record's detail is missing or no object."),
    ],
)
def test_an_event_of_eventbridge_that_cannot_be_read_says_why(event: Any, why: str) -> None:
    assert why_of(json.dumps(event)) == why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "The body is no JSON: Expecting value at character 0."),
        ("hello", "The body is no JSON: Expecting value at character 0."),
        ("\x00", "The body is no JSON: Expecting value at character 0."),
        ("\ud800", "The body is no JSON: Expecting value at character 0."),
        ('{"a": 1} x', "The body is no JSON: Extra data at character 9."),
        ("[]", "The body is JSON, but no object."),
        ("7", "The body is JSON, but no object."),
        ('{"a": NaN}', "The body holds a number that cannot be read."),
        ('{"a": 1e999}', "The body holds a number that cannot be read."),
        ('{"a": ' + "9" * 5000 + "}", "The body holds a number that cannot be read."),
        ("[" * 500_000, "The body is nested more than 64 levels deep."),
        ('{"a":' * 100_000, "The body is nested more than 64 levels deep."),
        ('{"a":' * 65 + "{}" + "}" * 65, "The body is nested more than 64 levels deep."),
        ('{"Records": {}}', "The Records of the notification are no list."),
        (
            '{"Records": [' + "1," * 1000 + "1]}",
            "The notification holds 1001 records; at most 1000 are read.",
        ),
        (
            sns(sns(s3_body(S3_RECORD))),
            "An SNS notification inside another one: only one layer of SNS is read.",
        ),
        (
            sns("hello"),
            "The message inside the SNS notification is no JSON: Expecting value at character 0.",
        ),
        (sns({"Records": []}), "An SNS notification whose Message is no text."),
        (
            '{"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "t"}',
            "An SNS SubscriptionConfirmation, which no worker answers: settle the subscription in SNS.",
        ),
        (
            '{"source": "aws.ec2", "detail-type": "State-change", "detail": {}}',
            "A JSON object that is neither an S3 notification, nor an EventBridge event of S3, nor either inside SNS.",
        ),
        (
            "{}",
            "A JSON object that is neither an S3 notification, nor an EventBridge event of S3, nor either inside SNS.",
        ),
    ],
)
def test_a_body_that_is_no_notification_is_unreadable_and_says_why(body: str, why: str) -> None:
    """Row: unreadable."""
    assert parse(body) == Unreadable(why)
