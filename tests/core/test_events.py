"""From a body to its records: every envelope that AWS puts into such a queue, and bodies from hell."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.core.events import (
    BadRecord,
    Notification,
    Shape,
    Unreadable,
    iso_time,
    parse,
    single,
    unix_time,
)
from worker.core.model import Record, S3Object

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


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.17", None])
def test_every_minor_version_is_read(version: str | None) -> None:
    assert record_of(s3_body(s3_record(eventVersion=version))).object.key == "k"


def test_another_major_version_is_not_guessed_at() -> None:
    assert why_of(s3_body(s3_record(eventVersion="3.0"))) == (
        "The record's eventVersion is not 2.x, the only one known."
    )


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


def test_of_a_field_given_twice_the_last_counts() -> None:
    assert parse('{"Records": 1, "Records": []}') == Notification(Shape.S3, ())


def test_a_single_record_keeps_all_that_s3_said() -> None:
    body = sns(s3_body(s3_record("other"), S3_RECORD))
    assert json.loads(single(body, 1)) == {"Records": [S3_RECORD]}


def test_a_single_event_of_eventbridge_takes_the_shape_of_s3_and_its_encoding() -> None:
    """Section 3: EventBridge keys are re-encoded to S3 form."""
    assert json.loads(single(sns(json.dumps(EVENTBRIDGE)), 0)) == {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "eu-west-1",
                "eventTime": "2031-02-01T09:00:00Z",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": "acme-media", "arn": "arn:aws:s3:::acme-media"},
                    "object": {
                        "key": "incoming/line-3/weld+07%2B%252B+%C3%A9.jpg",
                        "size": 5,
                        "eTag": "b1946ac92492d2347c6235b4d2611184",
                        "versionId": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                    },
                },
            }
        ]
    }


def test_a_bad_record_is_kept_as_it_is() -> None:
    assert json.loads(single(s3_body(1, {"s3": "x"}), 1)) == {"Records": [{"s3": "x"}]}
    bad = eventbridge(["k"])
    assert json.loads(single(json.dumps(bad), 0)) == bad


def test_a_record_that_would_outgrow_a_message_keeps_what_we_read_of_it() -> None:
    """Written as ASCII, a message full of other characters would be three times as large."""
    body = json.dumps({"Records": [S3_RECORD | {"note": "é" * 400_000}]}, ensure_ascii=False)
    assert len(body.encode()) < 1_048_576 < len(json.dumps(json.loads(body)))
    text = single(body, 0)
    assert len(text) < 1_000
    assert records_of(text) == (FROM_S3,)


@pytest.mark.parametrize("body", ["", json.dumps(TEST_EVENT)])
def test_no_record_can_be_taken_from_a_body_that_tells_of_none(body: str) -> None:
    with pytest.raises(ValueError, match="tells of none"):
        single(body, 0)


# -- properties -----------------------------------------------------------------------------------------------------

any_text = st.text(st.characters(codec=None))  # lone surrogates too: JSON can carry them
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
maybe = json_values | st.none()
wild_objects = st.fixed_dictionaries(
    {},
    optional={
        "key": any_text | json_values,
        "size": st.integers(-1, 2**64) | maybe,
        "eTag": any_text | maybe,
        "etag": any_text | maybe,
        "versionId": any_text | st.just("null") | maybe,
        "version-id": any_text | st.just("null") | maybe,
        "extra": maybe,
    },
)
wild_sections = st.fixed_dictionaries(
    {},
    optional={
        "bucket": st.fixed_dictionaries({"name": any_text}) | maybe,
        "object": wild_objects | maybe,
        "reason": st.sampled_from(["PutObject", "Lifecycle Expiration"]) | maybe,
        "deletion-type": maybe,
    },
)
tame_keys = st.text(min_size=1, max_size=80)
tame_sections = st.builds(
    lambda bucket, key, size, etag, version: {
        "bucket": {"name": bucket},
        "object": {"key": key, "size": size, "eTag": etag, "versionId": version, "version-id": version},
        "reason": "PutObject",
    },
    st.text(min_size=1, max_size=63),
    tame_keys,
    st.integers(0, 2**62) | st.none(),
    st.text(max_size=40) | st.none(),
    st.text(max_size=40) | st.none(),
)
sections = wild_sections | tame_sections
s3_records = st.builds(
    lambda section, name, time, extra: {"eventName": name, "eventTime": time, "s3": section, "x": extra},
    sections,
    st.sampled_from(["ObjectCreated:Put", "s3:ObjectCreated:Put", "ObjectRemoved:Delete"]) | maybe,
    st.datetimes().map(lambda moment: moment.isoformat()) | maybe,
    maybe,
)
tame_records = st.builds(
    lambda section, extra: {"eventName": "ObjectCreated:Put", "s3": section, "x": extra},
    tame_sections,
    st.floats(allow_nan=False, allow_infinity=False) | any_text,
)
tame_events = st.builds(
    lambda section: {"source": "aws.s3", "detail-type": "Object Created", "detail": section}, tame_sections
)
eventbridge_events = st.builds(
    lambda section, kind, time, region: {
        "source": "aws.s3",
        "detail-type": kind,
        "time": time,
        "region": region,
        "detail": section,
    },
    sections,
    st.sampled_from(["Object Created", "Object Deleted", "Object Tags Added", "Object Pondered"]) | maybe,
    st.datetimes().map(lambda moment: moment.isoformat()) | maybe,
    maybe,
)
documents = (
    st.lists(tame_records | tame_records | s3_records | json_values, max_size=4).map(
        lambda records: {"Records": records}
    )
    | eventbridge_events
    | tame_events
    | st.dictionaries(st.sampled_from(["Records", "Type", "Message", "source", "detail", "Event"]), maybe)
)
bodies = (
    documents.map(json.dumps)
    | documents.map(lambda document: sns(json.dumps(document)))
    | json_values.map(json.dumps)
    | any_text
)


@settings(max_examples=300)
@given(bodies)
@example('{"Type": ["unhashable"]}')
@example('{"source": "aws.s3", "detail-type": {}, "detail": {}}')
def test_whatever_a_body_holds_it_is_read_or_refused_in_a_short_sentence(body: str) -> None:
    """Never an exception; what comes out can be written anywhere."""
    found = parse(body)
    if isinstance(found, Unreadable):
        assert 0 < len(found.why) <= 200
        assert found.why.isprintable()
        return
    for record in found.records:
        if isinstance(record, BadRecord):
            assert 0 < len(record.why) <= 200
            assert record.why.isprintable()
        else:
            assert 0 < len(record.object.key.encode()) <= 1024
            assert record.object.bucket.encode()
            assert record.object.version is None or record.object.version.encode()
            assert record.object.etag is None or record.object.etag.encode()


@settings(max_examples=300)
@given(bodies)
def test_a_single_record_is_read_back_as_it_was(body: str) -> None:
    """Section 3: a dead letter is a valid S3 notification holding the one record."""
    found = parse(body)
    if isinstance(found, Notification):
        for position, record in enumerate(found.records):
            alone = single(body, position)
            assert alone.isascii()
            assert records_of(alone) == (record,)


@given(tame_keys)
def test_a_key_survives_the_way_from_eventbridge_into_a_dead_letter(key: str) -> None:
    """Law 7."""
    alone = single(json.dumps(eventbridge(key)), 0)
    assert record_of(alone).object.key == key
    assert record_of(single(sns(alone), 0)).object.key == key
