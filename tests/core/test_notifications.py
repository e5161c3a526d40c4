"""Whether a bucket's notifications reach the queue: all that a route watches, a part of it, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.checks import Level
from worker.core.notifications import (
    EVERY_CREATED,
    Notification,
    Notifications,
    Watched,
    judge_events,
    judge_overlap,
)

QUEUE = "arn:aws:sqs:eu-west-1:1:events"
OTHER = "arn:aws:sqs:eu-west-1:1:other"
TOPIC = "arn:aws:sns:eu-west-1:1:topic"
ALL = ("s3:ObjectCreated:*",)
WATCHED = Watched("photos", "media", "incoming/photos")


def sent(prefix: str = "", suffix: str = "", events: tuple[str, ...] = ALL, to: str = QUEUE) -> Notification:
    return Notification(to, events, prefix, suffix)


@pytest.mark.parametrize("prefix", ["", "inc", "incoming/", "incoming/photos", "incoming/photos/"])
def test_a_prefix_that_the_routes_keys_begin_with_covers_the_route(prefix: str) -> None:
    finding = judge_events(WATCHED, Notifications((sent(prefix),)), QUEUE)

    assert finding.level is Level.OK


@pytest.mark.parametrize(
    "prefix", ["/incoming/photos", "incoming/photo/", "outgoing/", "INCOMING/", "photos/"]
)
def test_a_prefix_that_none_of_the_routes_keys_begin_with_is_wrong(prefix: str) -> None:
    finding = judge_events(WATCHED, Notifications((sent(prefix),)), QUEUE)

    assert finding.level is Level.WRONG
    assert f"keys that begin with {prefix!r}" in finding.text
    assert f"s3:ObjectCreated:* with prefix 'incoming/photos/' to {QUEUE}" in finding.text


def test_the_whole_bucket_needs_a_notification_without_prefix() -> None:
    bucket = Watched("all", "media", "")

    assert judge_events(bucket, Notifications((sent(""),)), QUEUE).level is Level.OK
    assert judge_events(bucket, Notifications((sent("incoming/"),)), QUEUE).level is Level.NOTE


@pytest.mark.parametrize(
    ("notification", "words"),
    [
        (sent("incoming/photos/2031/"), "begin with 'incoming/photos/2031/'"),
        (sent("incoming/", ".jpg"), "end in '.jpg'"),
        (sent("incoming/", events=("s3:ObjectCreated:Put",)), "Large files"),
    ],
)
def test_a_part_of_what_the_route_watches_is_a_note_that_says_which(
    notification: Notification, words: str
) -> None:
    finding = judge_events(WATCHED, Notifications((notification,)), QUEUE)

    assert finding.level is Level.NOTE
    assert words in finding.text


def test_every_kind_of_new_object_may_have_a_notification_of_its_own() -> None:
    kinds = tuple(sent("incoming/", events=(kind,)) for kind in sorted(EVERY_CREATED))

    assert judge_events(WATCHED, Notifications(kinds), QUEUE).level is Level.OK
    assert judge_events(WATCHED, Notifications(kinds[1:]), QUEUE).level is Level.NOTE


@pytest.mark.parametrize("events", [("s3:ObjectRemoved:*",), ("s3:ObjectTagging:Put",), ()])
def test_events_that_are_not_about_new_objects_do_not_count(events: tuple[str, ...]) -> None:
    finding = judge_events(WATCHED, Notifications((sent(events=events),)), QUEUE)

    assert finding.level is Level.WRONG
    assert "the bucket tells nobody of its new objects" in finding.text


def test_a_notification_to_another_queue_is_named() -> None:
    finding = judge_events(WATCHED, Notifications((sent(to=OTHER),)), QUEUE)

    assert finding.level is Level.WRONG
    assert f"they go to {OTHER} and not to the queue" in finding.text


@pytest.mark.parametrize(
    ("notifications", "way"),
    [
        (Notifications(topics=(sent("incoming/", to=TOPIC),)), f"SNS ({TOPIC})"),
        (Notifications(eventbridge=True), "EventBridge"),
    ],
)
def test_what_goes_through_something_else_cannot_be_followed(notifications: Notifications, way: str) -> None:
    finding = judge_events(WATCHED, notifications, QUEUE)

    assert finding.level is Level.NOTE
    assert f"events go through {way}, which cannot be followed from here" in finding.text
    assert QUEUE in finding.text


def test_a_topic_for_other_keys_brings_nothing() -> None:
    elsewhere = Notifications(topics=(sent("outgoing/", to=TOPIC),))

    assert judge_events(WATCHED, elsewhere, QUEUE).level is Level.WRONG


@pytest.mark.parametrize("prefix", ["", "dar", "darwin/", "darwin/thumbs/"])
def test_events_of_what_darwin_writes_are_noted(prefix: str) -> None:
    (finding,) = judge_overlap("media", "darwin", Notifications((sent(prefix),)), QUEUE)

    assert finding.level is Level.NOTE
    assert "what Darwin writes below darwin/" in finding.text


@pytest.mark.parametrize(
    ("written", "notification"),
    [("darwin", sent("incoming/")), ("darwin", sent("darwinia/")), ("darwin", sent(to=OTHER)), ("", sent())],
)
def test_other_events_are_not_taken_for_darwins(written: str, notification: Notification) -> None:
    assert judge_overlap("media", written, Notifications((notification,)), QUEUE) == []


keys = st.text("ab/", max_size=6)
notified = st.builds(
    Notification,
    st.sampled_from([QUEUE, OTHER]),
    st.lists(st.sampled_from([*sorted(EVERY_CREATED), *ALL, "s3:ObjectRemoved:*"]), max_size=3).map(tuple),
    keys,
    st.text("ab", max_size=2),
)


@given(st.lists(notified, max_size=3), keys, keys, st.sampled_from(sorted(EVERY_CREATED)))
def test_ok_means_that_every_object_of_the_route_reaches_the_queue_and_wrong_that_none_does(
    queues: list[Notification], prefix: str, rest: str, kind: str
) -> None:
    """S3's own rule, key by key, is what the judgement is held against."""
    folder = prefix.strip("/") + "/" if prefix.strip("/") else ""
    key = folder + rest
    arrives = any(
        one.target == QUEUE
        and (kind in one.events or "s3:ObjectCreated:*" in one.events)
        and key.startswith(one.prefix)
        and key.endswith(one.suffix)
        for one in queues
    )

    level = judge_events(Watched("r", "media", prefix), Notifications(tuple(queues)), QUEUE).level

    assert not (level is Level.OK and not arrives)
    assert not (level is Level.WRONG and arrives)
