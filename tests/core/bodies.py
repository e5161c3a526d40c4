"""Bodies as AWS sends them, and small ones to vary, for the tests of events."""

import json
from typing import Any

from worker.core.events import (
    BadRecord,
    Notification,
    parse,
)
from worker.core.model import Record

# As S3 sends it, with every field of the documentation and one that does not exist yet.
S3_RECORD: dict[str, Any] = {
    "eventVersion": "2.6",
    "eventSource": "aws:s3",
    "awsRegion": "eu-west-1",
    "eventTime": "2031-02-01T09:00:00.250Z",
    "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
    "requestParameters": {"sourceIPAddress": "192.0.2.3"},
    "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
    "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "intake",
        "bucket": {
            "name": "acme-media",
            "ownerIdentity": {"principalId": "A3NL1"},
            "arn": "arn:aws:s3:::acme-media",
        },
        "object": {
            "key": "incoming/line-3/weld+07%2B%C3%A9.jpg",
            "size": 1024,
            "eTag": "d41d8cd98f00b204e9800998ecf8427e",
            "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
            "sequencer": "0055AED6DCD90281E5",
        },
    },
    "somethingNew": {"of": ["later", 3]},
}

EVENTBRIDGE: dict[str, Any] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2031-02-01T09:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:s3:::acme-media"],
    "detail": {
        "version": "0",
        "bucket": {"name": "acme-media"},
        "object": {
            "key": "incoming/line-3/weld 07+%2B é.jpg",
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
            "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "source-ip-address": "192.0.2.3",
        "reason": "PutObject",
    },
}

TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2031-02-01T09:00:00.000Z",
    "Bucket": "acme-media",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}


def s3_body(*records: object) -> str:
    return json.dumps({"Records": list(records)})


def s3_record(key: object = "k", *, drop: str = "", **changes: Any) -> dict[str, Any]:
    """A small record; *changes* go to the object's fields, or to the record's when they are its."""
    held = {"key": key, "size": 7, "eTag": "e"}
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "eventTime": "1970-01-01T00:00:01Z",
        "s3": {"bucket": {"name": "b"}, "object": held},
    }
    for name, value in changes.items():
        (record if name in record else held)[name] = value
    record.pop(drop, None)
    held.pop(drop, None)
    return record


def eventbridge(key: object = "k", detail_type: str = "Object Created", **detail: Any) -> dict[str, Any]:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "size": 7}, **detail}
    return {
        "detail-type": detail_type,
        "source": "aws.s3",
        "time": "1970-01-01T00:00:01Z",
        "detail": detail,
    }


def sns(message: object) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-west-1:111122223333:intake",
            "Subject": "Amazon S3 Notification",
            "Message": message,
            "Timestamp": "2031-02-01T09:00:01.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.example/cert.pem",
            "UnsubscribeURL": "https://sns.example/unsubscribe",
        }
    )


def records_of(body: str) -> tuple[Record | BadRecord, ...]:
    notification = parse(body)
    assert isinstance(notification, Notification)
    return notification.records


def record_of(body: str) -> Record:
    (record,) = records_of(body)
    assert isinstance(record, Record)
    return record


def why_of(body: str) -> str:
    found = parse(body)
    if isinstance(found, Notification):
        (bad,) = found.records
        assert isinstance(bad, BadRecord)
        return bad.why
    return found.why
