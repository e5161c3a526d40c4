"""Dead letters: what a message tells of, and which letters belong together."""

import json
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.bodies import EVENTBRIDGE, TEST_EVENT, s3_body, s3_record, sns
from worker.core.deadletters import dead_letter, read_history
from worker.core.events import MAX_BODY_BYTES
from worker.core.letters import (
    Letter,
    Wanted,
    folded,
    letter_of,
    parcels,
    piles,
    plain,
    with_all,
    with_any,
)
from worker.core.model import Kind, Message, Outcome, Reason
from worker.core.patterns import compile_glob
from worker.core.queueing import Outgoing

NONE: Mapping[str, str] = MappingProxyType({})
COLLISION = Outcome(Kind.BLOCKED, Reason.NAME_COLLISION, "Another object holds the name.")
NINE_O_CLOCK = 1927702800.0  # on 2031-02-01


def message(body: str, attributes: Mapping[str, str] = NONE, id_: str = "m1") -> Message:
    return Message(id_, f"handle of {id_}", body, 1, attributes)


def received(sent: Outgoing, id_: str = "m1") -> Message:
    return message(sent.body, sent.attributes, id_)


def collision(id_: str, key: str = "a.png", at: float = NINE_O_CLOCK, deliveries: int = 1) -> Message:
    """The dead letter of a record whose message was received so often, first at this time."""
    told = Message("source", "handle", s3_body(s3_record(key)), deliveries)
    return received(dead_letter(told, 0, COLLISION, at, dataset="intake", route="line"), id_)


def letters_of(*messages: Message) -> list[Letter]:
    return [letter for each in messages for letter in letter_of(each)]


# -- what a message tells of


def test_what_the_worker_wrote_is_read_back() -> None:
    [letter] = letter_of(collision("m1", "folder/a+%C3%A9.png", deliveries=3))
    assert plain(letter) == {
        "bucket": "b",
        "key": "folder/a é.png",
        "version": None,
        "etag": "e",
        "size": 7,
        "reason": "name_collision",
        "outcome": "blocked",
        "detail": "Another object holds the name.",
        "dataset": "intake",
        "route": "line",
        "first_seen": "2031-02-01T09:00:00Z",
        "day": "2031-02-01",
        "attempts": 3,
        "raw": False,
        "copies": 1,
    }


def test_a_letter_of_an_unreadable_body_has_no_object_and_the_reason_that_the_worker_wrote() -> None:
    outcome = Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, "The body is no JSON.")
    [letter] = letter_of(received(dead_letter(message("<é>"), None, outcome, NINE_O_CLOCK)))
    assert (letter.object, letter.bucket, letter.key) == (None, "", "")
    assert (letter.reason, letter.detail, letter.raw) == ("unreadable_body", "The body is no JSON.", False)


@pytest.mark.parametrize(
    "body",
    [
        s3_body(s3_record("a.png"), s3_record("b.png")),
        sns(s3_body(s3_record("a.png"), s3_record("b.png"))),
    ],
)
def test_a_notification_that_sqs_moved_gives_a_letter_for_each_record(body: str) -> None:
    letters = letter_of(message(body))
    assert [letter.key for letter in letters] == ["a.png", "b.png"]
    for letter in letters:
        assert (letter.reason, letter.raw, letter.dataset) == ("received_too_often", True, "")
        assert letter.detail == (
            "SQS moved it here, because it was received more often than the queue allows; no worker said why."
        )


def test_an_event_of_eventbridge_that_sqs_moved_is_a_letter_of_its_object_and_of_its_day() -> None:
    [letter] = letter_of(message(json.dumps(EVENTBRIDGE)))
    assert (letter.bucket, letter.key) == ("acme-media", "incoming/line-3/weld 07+%2B é.jpg")
    assert (letter.first_seen, letter.day) == (None, "2031-02-01")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("hello", "The body is no JSON: Expecting value at character 0."),
        (json.dumps(TEST_EVENT), "The notification tells of no object."),
        ('{"Records": []}', "The notification tells of no object."),
        ('{"Records": [7]}', "The record is no object."),
    ],
)
def test_what_is_not_ours_is_a_letter_that_says_so(body: str, why: str) -> None:
    [letter] = letter_of(message(body, {"colour": "green"}))
    assert (letter.reason, letter.raw, letter.object, letter.day) == ("unknown", True, None, "")
    assert letter.detail == f"No worker said why: SQS moved it here, or somebody else sent it. {why}"


def test_a_postponed_copy_that_sqs_moved_keeps_its_history() -> None:
    attributes = {
        "first_seen": "2031-02-01T09:00:00Z",
        "attempts": "4",
        "waiting_since": "2031-02-01T09:00:00Z",
    }
    [letter] = letter_of(message(s3_body(s3_record("a.png")), attributes))
    assert (letter.reason, letter.first_seen, letter.attempts) == ("received_too_often", NINE_O_CLOCK, 4)


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=10))
def test_whatever_a_message_holds_it_is_at_least_one_letter_with_a_reason(
    body: str, attributes: dict[str, str]
) -> None:
    letters = letter_of(message(body, attributes))
    assert letters
    assert all(letter.reason for letter in letters)


# -- folding


def test_a_letter_that_is_there_twice_counts_once_with_its_first_time_and_its_most_attempts() -> None:
    """After a crash between the store and the delete."""
    [letter] = folded(
        letters_of(
            collision("m1", at=NINE_O_CLOCK + 60, deliveries=2),
            collision("m2", at=NINE_O_CLOCK, deliveries=1),
        )
    )
    assert (letter.first_seen, letter.attempts, letter.copies) == (NINE_O_CLOCK, 2, 2)


def test_another_version_of_an_object_is_another_object() -> None:
    one, other = s3_record("a.png"), s3_record("a.png")
    one["s3"]["object"]["versionId"], other["s3"]["object"]["versionId"] = "v1", "v2"
    assert len(folded(letters_of(message(s3_body(one)), message(s3_body(other), id_="m2")))) == 2


def test_another_reason_is_another_letter() -> None:
    told = Message("source", "handle", s3_body(s3_record("a.png")), 1)
    other = dead_letter(told, 0, Outcome(Kind.REJECTED, Reason.INVALID_KEY), NINE_O_CLOCK)
    assert len(folded(letters_of(collision("m1"), received(other, "m2")))) == 2


def test_unreadable_bodies_fold_where_they_are_the_same() -> None:
    assert len(folded(letters_of(message("x"), message("x", id_="m2"), message("y", id_="m3")))) == 2


drawn_messages = st.lists(
    st.tuples(
        st.sampled_from(["a.png", "b.png", "c.png"]),
        st.integers(0, 3),
        st.integers(1, 4),
    ),
    max_size=12,
).map(
    lambda drawn: [
        collision(f"m{number}", key, NINE_O_CLOCK + 86_400 * day, deliveries)
        for number, (key, day, deliveries) in enumerate(drawn)
    ]
)


@given(drawn_messages)
def test_folding_loses_no_copy_and_does_nothing_the_second_time(messages: list[Message]) -> None:
    letters = letters_of(*messages)
    once = folded(letters)
    assert sum(letter.copies for letter in once) == len(letters)
    assert {letter.same for letter in once} == {letter.same for letter in letters}
    assert len({letter.same for letter in once}) == len(once)
    assert folded(once) == once


@given(drawn_messages)
def test_every_folded_letter_is_in_one_pile_and_the_largest_comes_first(messages: list[Message]) -> None:
    once = folded(letters_of(*messages))
    found = piles(once)
    assert sum(pile.count for pile in found) == len(once)
    assert sum(pile.copies for pile in found) == len(messages)
    assert [pile.count for pile in found] == sorted((pile.count for pile in found), reverse=True)
    for pile in found:
        assert (pile.example.reason, pile.example.dataset, pile.example.day) == (
            pile.reason,
            pile.dataset,
            pile.day,
        )


@given(drawn_messages)
def test_every_message_is_in_one_parcel_with_those_that_hold_the_same(messages: list[Message]) -> None:
    found = parcels(letters_of(*messages))
    assert sorted(each.handle for parcel in found for each in parcel.messages) == sorted(
        each.handle for each in messages
    )
    assert len(found) == len({each.body for each in messages})


# -- which are meant

A, B = letters_of(collision("m1", "in/a.png"), collision("m2", "in/deep/b.jpg", at=NINE_O_CLOCK + 86_400))
NOT_OURS = letter_of(message("hello"))[0]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), [A, B, NOT_OURS]),
        (Wanted(reasons=frozenset({"name_collision"})), [A, B]),
        (Wanted(reasons=frozenset({"unknown", "upload_failed"})), [NOT_OURS]),
        (Wanted(datasets=frozenset({"intake"})), [A, B]),
        (Wanted(datasets=frozenset({"other"})), []),
        (Wanted(since=date(2031, 2, 2)), [B]),
        (Wanted(until=date(2031, 2, 1)), [A]),
        (Wanted(since=date(2031, 2, 1), until=date(2031, 2, 2)), [A, B]),
        (Wanted(key=compile_glob("in/*")), [A]),
        (Wanted(key=compile_glob("**/*.{jpg,gif}")), [B]),
        (Wanted(key=compile_glob("**")), [A, B]),
        (
            Wanted(reasons=frozenset({"name_collision"}), until=date(2031, 2, 1), key=compile_glob("**/b.*")),
            [],
        ),
    ],
)
def test_a_letter_is_meant_when_it_fits_every_filter(wanted: Wanted, taken: list[Letter]) -> None:
    assert [letter for letter in (A, B, NOT_OURS) if wanted.takes(letter)] == taken


def test_of_a_message_with_several_records_any_is_enough_to_send_it_and_all_are_needed_to_delete_it() -> None:
    both = parcels(letter_of(message(s3_body(s3_record("a.png"), s3_record("b.png")))))
    assert with_any(Wanted(key=compile_glob("a.*")), both) == both
    assert with_all(Wanted(key=compile_glob("a.*")), both) == []
    assert with_all(Wanted(key=compile_glob("*.png")), both) == both


# -- what is sent back


def test_what_is_replayed_is_the_body_as_it_is_with_its_history_and_asks_darwin() -> None:
    letters = letters_of(
        collision("m1", at=NINE_O_CLOCK + 60, deliveries=2), collision("m2", at=NINE_O_CLOCK, deliveries=1)
    )
    [parcel] = parcels(letters)
    assert parcel.outgoing == Outgoing(
        collision("m1").body, {"again": "true", "attempts": "2", "first_seen": "2031-02-01T09:00:00Z"}
    )
    assert [each.id for each in parcel.messages] == ["m1", "m2"]


def test_a_replayed_record_that_fails_again_has_the_attempts_of_before_and_its_own() -> None:
    [parcel] = parcels(letter_of(collision("m1", deliveries=3)))
    sent = parcel.outgoing
    replayed = Message("source", "handle", sent.body, 2, sent.attributes)
    [letter] = letter_of(received(dead_letter(replayed, 0, COLLISION, NINE_O_CLOCK + 3600)))
    assert (letter.first_seen, letter.attempts) == (NINE_O_CLOCK, 5)


def test_a_postponed_copy_that_sqs_moved_waits_anew_when_it_is_replayed() -> None:
    attributes = {"attempts": "4", "waiting_since": "2031-02-01T09:00:00Z"}
    [parcel] = parcels(letter_of(message(s3_body(s3_record("a.png")), attributes)))
    history = read_history(message("", parcel.outgoing.attributes))
    assert (history.again, history.attempts, history.notes) == (True, 4, None)


def test_a_body_that_fills_a_message_is_sent_alone() -> None:
    body = "x" * MAX_BODY_BYTES
    [parcel] = parcels(letter_of(message(body)))
    assert parcel.outgoing == Outgoing(body, {})
