"""Whether a bucket tells the queue of removed objects, for the routes that archive what was removed."""

from dataclasses import replace

import pytest

from worker.core.checks import Level
from worker.core.notifications import Notification, Notifications, Watched, judge_events, judge_removals

QUEUE = "arn:aws:sqs:eu-west-1:1:events"
OTHER = "arn:aws:sqs:eu-west-1:1:other"
TOPIC = "arn:aws:sns:eu-west-1:1:topic"
WATCHED = Watched("photos", "media", "incoming", removals=True)
BOTH = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
EACH = ("s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated")


@pytest.mark.parametrize(
    "queues",
    [
        [Notification(QUEUE, BOTH)],
        [Notification(QUEUE, EACH, "incoming/")],
        [Notification(QUEUE, EACH[:1], "inc"), Notification(QUEUE, EACH[1:])],
    ],
)
def test_nothing_is_said_when_the_queue_is_told_of_every_removal(queues: list[Notification]) -> None:
    assert judge_removals(WATCHED, Notifications(tuple(queues)), QUEUE) == []


@pytest.mark.parametrize(
    "sent",
    [
        Notification(QUEUE, ("s3:ObjectCreated:*",)),
        Notification(QUEUE, EACH[:1]),
        Notification(QUEUE, BOTH, suffix=".jpg"),
        Notification(QUEUE, BOTH, "incoming/2031/"),
        Notification(OTHER, BOTH),
    ],
)
def test_what_the_queue_is_not_told_of_is_a_note_that_says_what_to_add(sent: Notification) -> None:
    (finding,) = judge_removals(WATCHED, Notifications((sent,)), QUEUE)

    assert (finding.level, finding.about) == (Level.NOTE, "events")
    assert finding.text == (
        "route 'photos' (s3://media/incoming/): events of removed objects do not all reach the queue: send it "
        "s3:ObjectRemoved:* with prefix 'incoming/', or leave on_removed out"
    )


@pytest.mark.parametrize(
    ("notifications", "way"),
    [
        (Notifications(topics=(Notification(TOPIC, BOTH),)), f"SNS ({TOPIC})"),
        (Notifications((Notification(QUEUE, BOTH[:1]),), eventbridge=True), "EventBridge"),
    ],
)
def test_what_goes_through_something_else_cannot_be_followed(notifications: Notifications, way: str) -> None:
    (finding,) = judge_removals(WATCHED, notifications, QUEUE)

    assert (
        f"go through {way}, which cannot be followed from here: see that they reach {QUEUE}" in finding.text
    )


def test_a_topic_that_is_told_of_new_objects_only_brings_no_removal() -> None:
    (finding,) = judge_removals(WATCHED, Notifications(topics=(Notification(TOPIC, BOTH[:1]),)), QUEUE)

    assert "do not all reach the queue" in finding.text


def test_a_route_that_ignores_removals_needs_no_word_of_them() -> None:
    assert judge_removals(replace(WATCHED, removals=False), Notifications(), QUEUE) == []


def test_removals_do_not_stand_for_new_objects() -> None:
    sent = Notifications((Notification(QUEUE, BOTH[1:]),))

    assert judge_events(WATCHED, sent, QUEUE).level is Level.WRONG
