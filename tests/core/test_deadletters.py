"""Dead letters, postponed copies, and the history that both carry."""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.deadletters import History, dead_letter, postponed, read_history
from worker.core.events import MAX_BODY_BYTES, Notification, parse
from worker.core.model import Kind, Message, Outcome, Reason
from worker.core.queueing import Outgoing

FIRST = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "a+1.png"}}}
SECOND = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "%2B2.png"}}}
BODY = json.dumps({"Records": [FIRST, SECOND]})
COLLISION = Outcome(Kind.BLOCKED, Reason.NAME_COLLISION, "Another object holds the name.")
NINE_O_CLOCK = 1927702800.0


def message(
    body: str = BODY, receive_count: int = 1, attributes: Mapping[str, str] = MappingProxyType({})
) -> Message:
    return Message("id", "handle", body, receive_count, attributes)


def size_in_sqs(sent: Outgoing) -> int:
    """SendMessage: the body, and of each attribute name, type and value."""
    attributes = sum(len(f"{name}String{value}".encode()) for name, value in sent.attributes.items())
    return len(sent.body.encode()) + attributes


def test_a_dead_letter_holds_the_one_record_and_says_why() -> None:
    """Section 3: a dead letter is a valid S3 notification holding the one record."""
    sent = dead_letter(message(), 1, COLLISION, NINE_O_CLOCK, dataset="intake", route="welds")
    assert json.loads(sent.body) == {"Records": [SECOND]}
    assert sent.attributes == {
        "reason": "name_collision",
        "outcome": "blocked",
        "detail": "Another object holds the name.",
        "dataset": "intake",
        "route": "welds",
        "attempts": "1",
        "first_seen": "2031-02-01T09:00:00Z",
    }
    assert sent.delay == 0


def test_an_unreadable_body_stays_as_it_was() -> None:
    """Row: unreadable, dead letter, body verbatim."""
    outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, "The body is no JSON.")
    sent = dead_letter(message("<é\n🙂>"), None, outcome, 0.0)
    assert sent.body == "<é\n🙂>"
    assert sent.attributes == {
        "reason": "unreadable_body",
        "outcome": "unreadable",
        "detail": "The body is no JSON.",
        "attempts": "1",
        "first_seen": "1970-01-01T00:00:00Z",
    }


def test_a_postponed_copy_carries_the_history_and_comes_back_in_time() -> None:
    """Section 1, to postpone: first-seen time, attempts and notes in message attributes."""
    sent = postponed(message(), 0, NINE_O_CLOCK, 30)
    assert json.loads(sent.body) == {"Records": [FIRST]}
    assert sent.attributes == {"first_seen": "2031-02-01T09:00:00Z", "attempts": "1"}
    assert sent.delay == 30


@pytest.mark.parametrize(
    ("asked", "delay"), [(-5, 0), (0, 0), (0.2, 1), (1, 1), (899.5, 900), (900, 900), (1e9, 900)]
)
def test_a_delay_is_whole_seconds_that_sqs_takes(asked: float, delay: int) -> None:
    assert postponed(message(), 0, NINE_O_CLOCK, asked).delay == delay


def test_attempts_add_up_over_all_deliveries_and_the_first_time_stays() -> None:
    first = postponed(message(receive_count=2), 0, NINE_O_CLOCK, 60)
    second = postponed(message(first.body, 3, first.attributes), 0, NINE_O_CLOCK + 100, 60)
    last = dead_letter(message(second.body, 1, second.attributes), 0, COLLISION, NINE_O_CLOCK + 200)
    assert second.attributes == {"first_seen": "2031-02-01T09:00:00Z", "attempts": "5"}
    assert last.attributes["first_seen"] == "2031-02-01T09:00:00Z"
    assert last.attributes["attempts"] == "6"


def test_what_an_operator_sent_again_stays_marked_while_it_is_postponed() -> None:
    sent = postponed(message(attributes={"again": "true"}), 0, NINE_O_CLOCK, 1)
    assert sent.attributes["again"] == "true"
    assert read_history(message(sent.body, 1, sent.attributes)).again


@pytest.mark.parametrize(
    ("attributes", "history"),
    [
        ({}, History(None, 0, again=False)),
        (
            {"first_seen": "1970-01-01T00:00:01Z", "attempts": "3", "again": "true"},
            History(1.0, 3, again=True),
        ),
        ({"again": " True "}, History(again=True)),
        ({"first_seen": "yesterday", "attempts": "many", "again": "perhaps"}, History()),
        ({"first_seen": "", "attempts": "", "again": ""}, History()),
        ({"attempts": "-3"}, History()),
        ({"attempts": "٣"}, History()),
        ({"attempts": "9" * 5000}, History()),
        ({"reason": "name_collision", "detail": "x"}, History()),
    ],
)
def test_a_history_that_cannot_be_read_is_no_history(attributes: dict[str, str], history: History) -> None:
    assert read_history(message(attributes=attributes)) == history


def test_a_detail_is_cut_and_holds_only_what_sqs_takes() -> None:
    """SendMessage takes the characters of XML 1.0 and no others."""
    outcome = Outcome(Kind.BLOCKED, Reason.UNEXPECTED_ERROR, "a\x00b\ud800c\ufffe\n" + "é" * 2000)
    detail = dead_letter(message(), 0, outcome, 0.0).attributes["detail"]
    assert detail == "a?b?c?\n" + "é" * 993


def test_an_attribute_without_a_value_is_not_sent() -> None:
    """SQS refuses the whole message for one."""
    sent = dead_letter(message(), 0, Outcome(Kind.BLOCKED, Reason.NO_ROUTE), 0.0)
    assert sent.attributes.keys() == {"reason", "outcome", "first_seen", "attempts"}


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (2000, ["reason", "outcome", "first_seen", "attempts", "dataset", "route", "detail"]),
        (200, ["reason", "outcome", "first_seen", "attempts", "dataset", "route"]),
        (60, ["reason", "outcome"]),
        (30, ["reason"]),
        (0, []),
    ],
)
def test_attributes_make_way_for_the_body_the_detail_first_and_the_reason_last(
    room: int, kept: list[str]
) -> None:
    outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, "d" * 1000)
    body = "x" * (MAX_BODY_BYTES - room)
    sent = dead_letter(message(body), None, outcome, 0.0, dataset="intake", route="welds")
    assert sent.body == body
    assert list(sent.attributes) == kept
    assert size_in_sqs(sent) <= 1_048_576


def test_a_bad_record_that_would_outgrow_a_message_takes_its_whole_body_along() -> None:
    body = json.dumps({"Records": [{"note": "é" * 400_000}]}, ensure_ascii=False)
    sent = dead_letter(message(body), 0, Outcome(Kind.UNREADABLE, Reason.UNREADABLE_RECORD), 0.0)
    assert sent.body == body
    assert sent.attributes["reason"] == "unreadable_record"


texts = st.text(st.characters(codec=None), max_size=1500)
xml_characters = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@given(
    st.text(max_size=100)
    | st.sampled_from([BODY])
    | st.integers(1_048_000, 1_048_576).map(lambda n: "x" * n),
    st.builds(Outcome, st.sampled_from(Kind), st.sampled_from(Reason), texts),
    st.dictionaries(st.sampled_from(["first_seen", "attempts", "again", "other"]), texts),
    texts,
    texts,
    st.floats(0, 4e9),
    st.integers(1, 1000),
)
def test_sqs_takes_every_dead_letter(
    body: str,
    outcome: Outcome,
    attributes: dict[str, str],
    dataset: str,
    route: str,
    received_at: float,
    receive_count: int,
) -> None:
    """Section 3: at most ten message attributes."""
    position = 0 if isinstance(parse(body), Notification) else None
    sent = dead_letter(
        message(body, receive_count, attributes),
        position,
        outcome,
        received_at,
        dataset=dataset,
        route=route,
    )
    assert size_in_sqs(sent) <= 1_048_576
    assert len(sent.attributes) <= 10
    assert all(xml_characters.fullmatch(value) for value in sent.attributes.values())
    assert not sent.body or xml_characters.fullmatch(sent.body)


@given(st.floats(0, 4e9), st.integers(1, 1000), st.integers(1, 1000), st.booleans())
def test_a_history_is_read_as_it_was_written(
    received_at: float, first: int, second: int, again: bool
) -> None:
    marked = {"again": "true"} if again else {}
    sent = postponed(message(BODY, first, marked), 0, received_at, 0)
    sent = postponed(message(sent.body, second, sent.attributes), 0, received_at + 1, 0)
    history = read_history(message(sent.body, 1, sent.attributes))
    assert history.first_seen == pytest.approx(received_at, abs=1e-6)
    assert history.attempts == first + second
    assert history.again is again
