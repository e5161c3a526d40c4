"""From a body to its records: every envelope that AWS puts into such a queue."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.bodies import (
    EVENTBRIDGE,
    S3_RECORD,
    TEST_EVENT,
    eventbridge,
    record_of,
    records_of,
    s3_body,
    s3_record,
    sns,
)
from worker.core.events import (
    BadRecord,
    Notification,
    Shape,
    iso_time,
    parse,
    unix_time,
)
from worker.core.model import Record, S3Object

FROM_S3 = Record(
    S3Object(
        bucket="acme-media",
        key="incoming/line-3/weld 07+é.jpg",
        version="096fKKXTRTtl3on89fVO.nfljtsv6qko",
        etag="d41d8cd98f00b204e9800998ecf8427e",
        size=1024,
    ),
    "ObjectCreated:Put",
    1927702800.25,
)
FROM_EVENTBRIDGE = Record(
    S3Object(
        bucket="acme-media",
        key="incoming/line-3/weld 07+%2B é.jpg",
        version="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        etag="b1946ac92492d2347c6235b4d2611184",
        size=5,
    ),
    "ObjectCreated:Put",
    1927702800.0,
)


@pytest.mark.parametrize(
    ("body", "shape", "record"),
    [
        (s3_body(S3_RECORD), Shape.S3, FROM_S3),
        (sns(s3_body(S3_RECORD)), Shape.SNS, FROM_S3),
        (json.dumps(EVENTBRIDGE), Shape.EVENTBRIDGE, FROM_EVENTBRIDGE),
        (sns(json.dumps(EVENTBRIDGE)), Shape.SNS_EVENTBRIDGE, FROM_EVENTBRIDGE),
    ],
)
def test_every_envelope_of_aws_is_read(body: str, shape: Shape, record: Record) -> None:
    assert parse(body) == Notification(shape, (record,))


@pytest.mark.parametrize(
    ("body", "shape"),
    [(json.dumps(TEST_EVENT), Shape.S3), (sns(json.dumps(TEST_EVENT)), Shape.SNS)],
)
def test_a_test_event_is_told_apart_and_holds_no_record(body: str, shape: Shape) -> None:
    """Row: ignored, test event."""
    assert parse(body) == Notification(shape, (), is_test=True)


def test_a_notification_may_hold_no_record() -> None:
    assert parse('{"Records": []}') == Notification(Shape.S3, ())


def test_each_of_several_records_is_read_by_itself() -> None:
    first, second, third = records_of(
        s3_body(s3_record("a"), {"s3": None}, s3_record("c", eventName="ObjectRemoved:Delete"))
    )
    assert first == Record(S3Object("b", "a", None, "e", 7), "ObjectCreated:Put", 1.0)
    assert second == BadRecord("The record's s3 is missing or no object.")
    assert third == Record(S3Object("b", "c", None, "e", 7), "ObjectRemoved:Delete", 1.0)


def test_a_message_may_be_large_as_long_as_it_is_flat() -> None:
    records = records_of(s3_body(*(s3_record(f"k{index}") for index in range(1000))))
    assert [record.object.key for record in records if isinstance(record, Record)] == [
        f"k{index}" for index in range(1000)
    ]


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.17", None])
def test_every_minor_version_is_read(version: str | None) -> None:
    assert record_of(s3_body(s3_record(eventVersion=version))).object.key == "k"


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("dir%2Fname", "dir/name"),
        ("caf%C3%A9", "café"),
        ("café", "café"),
        ("a%26b%3D%28c%29", "a&b=(c)"),
    ],
)
def test_a_key_from_s3_is_form_decoded_exactly_once(encoded: str, key: str) -> None:
    """Law 7."""
    assert record_of(s3_body(s3_record(encoded))).object.key == key
    assert record_of(sns(s3_body(s3_record(encoded)))).object.key == key


@pytest.mark.parametrize("key", ["a+b", "a%20b", "a b", "100%25", "100%", "%FF", "é"])
def test_a_key_from_eventbridge_is_taken_as_it_is(key: str) -> None:
    """Law 7."""
    assert record_of(json.dumps(eventbridge(key))).object.key == key
    assert record_of(sns(json.dumps(eventbridge(key)))).object.key == key


@pytest.mark.parametrize("version", [None, "", "null"])
def test_an_object_without_a_version_has_none(version: str | None) -> None:
    assert record_of(s3_body(s3_record(versionId=version))).object.version is None
    event = eventbridge(object={"key": "k", "version-id": version})
    assert record_of(json.dumps(event)).object.version is None


def test_an_etag_has_no_quotes() -> None:
    assert record_of(s3_body(s3_record(eTag='"abc"'))).object.etag == "abc"
    assert record_of(s3_body(s3_record(eTag='""'))).object.etag is None
    assert record_of(s3_body(s3_record(drop="eTag"))).object.etag is None


@pytest.mark.parametrize("spelling", ["etag", "eTag"])
def test_eventbridge_may_spell_the_etag_either_way(spelling: str) -> None:
    event = eventbridge(object={"key": "k", spelling: "abc"})
    assert record_of(json.dumps(event)).object.etag == "abc"


def test_a_size_may_be_missing() -> None:
    """As in the events of deletions."""
    assert record_of(s3_body(s3_record(drop="size"))).object.size is None
    assert record_of(s3_body(s3_record(size=0))).object.size == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.500Z", 1.5),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("1970-01-01T00:00:01", 1.0),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("The time, in ISO-8601 format", None),
        ("\ud800", None),
        ("", None),
        (1, None),
        (None, None),
    ],
)
def test_a_time_that_cannot_be_read_is_no_time(text: object, seconds: float | None) -> None:
    assert unix_time(text) == seconds
    assert record_of(s3_body(s3_record(eventTime=text))).time == seconds


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_survives_writing_and_reading(moment: Any) -> None:
    seconds = unix_time(moment.isoformat())
    if seconds is not None:
        assert unix_time(iso_time(seconds)) == seconds


@pytest.mark.parametrize(
    ("detail_type", "detail", "event"),
    [
        ("Object Created", {"reason": "PutObject"}, "ObjectCreated:Put"),
        ("Object Created", {"reason": "POST Object"}, "ObjectCreated:Post"),
        ("Object Created", {"reason": "CopyObject"}, "ObjectCreated:Copy"),
        (
            "Object Created",
            {"reason": "CompleteMultipartUpload"},
            "ObjectCreated:CompleteMultipartUpload",
        ),
        ("Object Created", {"reason": "ObjectCreated"}, "ObjectCreated:Unknown"),
        ("Object Created", {}, "ObjectCreated:Unknown"),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
            "ObjectRemoved:Delete",
        ),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
            "ObjectRemoved:DeleteMarkerCreated",
        ),
        (
            "Object Deleted",
            {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"},
            "LifecycleExpiration:Delete",
        ),
        (
            "Object Deleted",
            {"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"},
            "LifecycleExpiration:DeleteMarkerCreated",
        ),
        ("Object Restore Completed", {}, "ObjectRestore:Completed"),
        ("Object Tags Added", {}, "ObjectTagging:Put"),
        ("Object Storage Class Changed", {}, "LifecycleTransition"),
        ("Object Pondered", {}, "Object Pondered"),
    ],
)
def test_an_event_of_eventbridge_takes_the_name_that_s3_gives_it(
    detail_type: str, detail: dict[str, Any], event: str
) -> None:
    assert record_of(json.dumps(eventbridge("k", detail_type, **detail))).event == event


def test_of_a_field_given_twice_the_last_counts() -> None:
    assert parse('{"Records": 1, "Records": []}') == Notification(Shape.S3, ())
