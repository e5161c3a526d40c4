"""One record taken out of a body, and what holds for any body."""

import json
import sys
from types import FrameType

import pytest
from hypothesis import example, given, settings
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
from worker.core.events import BadRecord, Notification, Unreadable, parse, single


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
    assert records_of(text) == records_of(body)


def test_to_take_a_thousand_records_out_of_a_body_costs_one_reading() -> None:
    """Else a message of a mebibyte, all of whose records owe dead letters, stops the event loop for minutes."""
    body = json.dumps({"Records": [*range(1_000)]})
    readings = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal readings
        readings += event == "call" and frame.f_code is json.JSONDecoder.decode.__code__

    sys.setprofile(count)
    try:
        texts = [single(body, position) for position in range(1_000)]
    finally:
        sys.setprofile(None)
    assert texts[::333] == ['{"Records":[0]}', '{"Records":[333]}', '{"Records":[666]}', '{"Records":[999]}']
    assert readings == 1


@pytest.mark.parametrize("body", ["", json.dumps(TEST_EVENT)])
def test_no_record_can_be_taken_from_a_body_that_tells_of_none(body: str) -> None:
    with pytest.raises(ValueError, match="tells of none"):
        single(body, 0)


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
