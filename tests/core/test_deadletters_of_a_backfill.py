"""What a backfill sends, and what its mark comes to on the way."""

from worker.core.deadletters import History, backfilled, dead_letter, postponed, read_history
from worker.core.events import Notification, parse
from worker.core.model import Kind, Message, Outcome, Reason, Record, S3Object

RECORD = Record(S3Object("media", "in/ä b+c.jpg", "v1", "e1", 7), "ObjectCreated:Put")


def sent(receives: int = 1) -> Message:
    outgoing = backfilled(RECORD)
    return Message("m", "h", outgoing.body, receives, outgoing.attributes)


def test_a_backfilled_record_is_a_notification_of_the_one_record_and_says_so() -> None:
    told = parse(sent().body)
    assert isinstance(told, Notification)
    assert told.records == (RECORD,)
    assert sent().attributes == {"backfill": "true"}
    assert read_history(sent()) == History(backfill=True)


def test_a_record_that_was_postponed_is_still_a_backfilled_one() -> None:
    copy = postponed(sent(2), 0, 1.0, 60)
    assert copy.attributes == {"backfill": "true", "first_seen": "1970-01-01T00:00:01Z", "attempts": "2"}
    again = postponed(Message("n", "h", copy.body, 1, copy.attributes), 0, 99.0, 60)
    assert again.attributes == {"backfill": "true", "first_seen": "1970-01-01T00:00:01Z", "attempts": "3"}


def test_a_dead_letter_does_not_say_that_it_was_backfilled() -> None:
    """Whoever replays it wants it registered, and not after everything else."""
    letter = dead_letter(sent(), 0, Outcome(Kind.BLOCKED, Reason.UNKNOWN_TAGS), 1.0)
    assert "backfill" not in letter.attributes


def test_only_the_word_true_marks_a_backfilled_message() -> None:
    message = Message("m", "h", sent().body, 1, {"backfill": "no"})
    assert not read_history(message).backfill
