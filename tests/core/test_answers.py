"""The answer table of the design, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.answers import (
    Answer,
    BatchRefused,
    Exists,
    Final,
    KeyRefused,
    NoClearAnswer,
    NoRoom,
    NotFound,
    PlanFull,
    Registered,
    Taken,
    TooFast,
    TryAgain,
    judge,
    judge_item,
)
from worker.core.model import Item, Lane, Reason, S3Object
from worker.core.registration import Absent, Accepted, Blocked

LANE = Lane("acme", "intake", "prod")


def item(name: str) -> Item:
    return Item(LANE, "/", name, S3Object("media", name), "all")


ITEMS = [item("a.jpg"), item("b.jpg"), item("c.jpg")]

OK = {
    "items": [{"name": "a.jpg", "path": "/", "slots": [{"slot_name": "0"}]}],
    "blocked_items": [{"name": "b.jpg", "path": "/", "slots": [{"reason": "already_exists"}]}],
}

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errors", "code", "items", "blocked_items", "name", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


# The whole request


@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_with_lists_says_something_of_each_item(status: int) -> None:
    """Row: 2xx."""
    said = Taken([Accepted(), Blocked(("ALREADY_EXISTS",)), Absent()])
    assert judge(ITEMS, Answer(status, OK)) == said


@pytest.mark.parametrize("payload", [None, [], "done", {}, {"items": None}, {"data": []}])
def test_a_success_that_says_nothing_may_have_registered(payload: object) -> None:
    """Row: HTML, truncated JSON."""
    assert judge(ITEMS, Answer(200, payload, "<html>")) == NoClearAnswer()


def test_a_limit_of_requests_tells_when_to_go_on() -> None:
    """Row: 429."""
    assert judge(ITEMS, Answer(429, None, "slow down", retry_after=7.0)) == TooFast(7.0)
    assert judge(ITEMS, Answer(429, {"errors": {"code": "RATE_LIMITED"}})) == TooFast(None)
    assert judge(ITEMS, Answer(429, {"errors": ["INSUFFICIENT_REMAINING_STORAGE"]})) == TooFast(None)


@pytest.mark.parametrize("code", ["INSUFFICIENT_REMAINING_STORAGE", "insufficient_remaining_storage"])
def test_a_full_storage_is_no_limit_of_requests(code: str) -> None:
    """Row: 429 with INSUFFICIENT_REMAINING_STORAGE."""
    assert judge(ITEMS, Answer(429, {"errors": {"code": code}}, retry_after=5.0)) == PlanFull()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_no_fault_of_the_batch(status: int) -> None:
    """Row: 401, 403."""
    assert judge(ITEMS, Answer(status)) == KeyRefused()


def test_a_missing_team_dataset_or_storage_is_the_lanes_fault() -> None:
    """Row: 404."""
    assert judge(ITEMS, Answer(404, None, "<html>not found")) == NotFound()


@pytest.mark.parametrize("status", [413, 414])
def test_a_request_that_is_too_large_is_refused_as_a_whole(status: int) -> None:
    """Row: 413, 414."""
    meaning = judge(ITEMS, Answer(status))
    assert isinstance(meaning, BatchRefused)
    assert meaning.too_large


@pytest.mark.parametrize("status", [400, 402, 405, 410, 415, 422, 451])
def test_a_request_that_is_not_taken_is_refused_as_a_whole(status: int) -> None:
    """Row: 422, 400."""
    meaning = judge(ITEMS, Answer(status, {"errors": {"items": ["is invalid"]}}))
    assert isinstance(meaning, BatchRefused)
    assert not meaning.too_large


def test_two_refusals_are_the_same_whatever_their_words() -> None:
    """Row: "with the same answer"."""
    one = judge(ITEMS, Answer(422, {"errors": {"name": ["a.jpg is bad"]}}, "a.jpg is bad"))
    other = judge(ITEMS, Answer(422, {"errors": {"name": ["b.jpg is bad"]}}, "b.jpg is bad"))
    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        Answer(400, {"errors": {"name": ["is bad"]}}),
        Answer(422, {"errors": {"path": ["is bad"]}}),
        Answer(422, {"errors": {"code": "INVALID_REQUEST"}}),
        Answer(422, None),
    ],
)
def test_refusals_of_another_kind_differ(other: Answer) -> None:
    """Row: "with the same answer"."""
    assert judge(ITEMS, Answer(422, {"errors": {"name": ["is bad"]}})) != judge(ITEMS, other)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 409, 425, 100, 301, 302])
def test_an_error_of_the_server_may_have_registered(status: int) -> None:
    """Row: 5xx; and the statuses that say nothing of what was done."""
    assert judge(ITEMS, Answer(status, OK)) == NoClearAnswer()


def test_no_answer_may_have_registered() -> None:
    """Row: timeout, broken connection."""
    assert judge(ITEMS, Answer(None, None, "no answer within 20 s")) == NoClearAnswer()


@given(st.none() | st.integers(100, 599), json)
def test_every_answer_means_something(status: int | None, payload: object) -> None:
    meaning = judge(ITEMS, Answer(status, payload))
    if isinstance(meaning, Taken):
        assert len(meaning.echoes) == 3
        assert status is not None
        assert 200 <= status < 300


@given(st.none() | st.integers(100, 599).filter(lambda status: status // 100 != 2), json)
def test_only_a_success_can_register(status: int | None, payload: object) -> None:
    assert not isinstance(judge(ITEMS, Answer(status, payload)), Taken)


@given(st.none() | st.integers(100, 599).filter(lambda status: status // 100 != 4), json)
def test_only_a_4xx_says_for_certain_that_nothing_was_done(status: int | None, payload: object) -> None:
    assert isinstance(judge(ITEMS, Answer(status, payload)), Taken | NoClearAnswer)


# One item


def test_an_item_in_the_list_of_items_is_registered() -> None:
    """Row: 2xx, in `items`."""
    assert judge_item(Accepted()) == Registered()


def test_an_item_in_neither_list_is_tried_again() -> None:
    """Row: 2xx, in neither."""
    assert judge_item(Absent()) == TryAgain(
        Reason.NO_ANSWER_FOR_ITEM, "Darwin's answer does not name the item"
    )


def test_an_item_that_exists_is_looked_into() -> None:
    """Row: ALREADY_EXISTS."""
    assert judge_item(Blocked(("ALREADY_EXISTS",))) == Exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("UNEXPECTED_ERROR", Reason.UNEXPECTED_ERROR), ("FILE_UPLOAD_FAILED", Reason.UPLOAD_FAILED)],
)
def test_a_hiccup_of_darwin_is_tried_again(name: str, reason: Reason) -> None:
    """Row: UNEXPECTED_ERROR, FILE_UPLOAD_FAILED."""
    assert judge_item(Blocked((name,))) == TryAgain(reason, name)


def test_a_full_plan_is_no_fault_of_the_item() -> None:
    """Row: ITEM_COUNT_LIMIT_EXCEEDED."""
    assert judge_item(Blocked(("ITEM_COUNT_LIMIT_EXCEEDED",))) == NoRoom()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("UNKNOWN_TAGS", Reason.UNKNOWN_TAGS),
        ("FILE_UPLOAD_TIMEOUT", Reason.UPLOAD_FAILED),
        ("UNKNOWN", Reason.OTHER_DARWIN_REASON),
        ("SOMETHING_NEW", Reason.OTHER_DARWIN_REASON),
    ],
)
def test_any_other_reason_is_final(name: str, reason: Reason) -> None:
    """Row: 2xx, in `blocked_items` by reason; outcome "blocked", a final reason."""
    assert judge_item(Blocked((name,))) == Final(reason, name)


@pytest.mark.parametrize(
    ("reasons", "meaning"),
    [
        (("ALREADY_EXISTS", "ITEM_COUNT_LIMIT_EXCEEDED"), NoRoom()),
        (("ALREADY_EXISTS", "UNKNOWN_TAGS"), Final(Reason.UNKNOWN_TAGS, "ALREADY_EXISTS, UNKNOWN_TAGS")),
        (("UNEXPECTED_ERROR", "ALREADY_EXISTS"), Exists()),
        (
            ("SOMETHING_NEW", "UNEXPECTED_ERROR"),
            TryAgain(Reason.UNEXPECTED_ERROR, "SOMETHING_NEW, UNEXPECTED_ERROR"),
        ),
    ],
)
def test_of_several_reasons_the_one_that_says_most_counts(
    reasons: tuple[str, ...], meaning: NoRoom | Final | Exists | TryAgain
) -> None:
    assert judge_item(Blocked(reasons)) == meaning


@given(st.lists(st.sampled_from(["ALREADY_EXISTS", "UNKNOWN_TAGS", "UNEXPECTED_ERROR", "NEW"]), min_size=1))
def test_a_blocked_item_is_never_taken_for_registered(reasons: list[str]) -> None:
    assert judge_item(Blocked(tuple(reasons))) != Registered()


@given(st.permutations(["ALREADY_EXISTS", "UNKNOWN_TAGS", "UNEXPECTED_ERROR", "ITEM_COUNT_LIMIT_EXCEEDED"]))
def test_a_plan_that_is_full_outweighs_every_reason_in_any_order(reasons: list[str]) -> None:
    """Row: ITEM_COUNT_LIMIT_EXCEEDED; nothing dead-lettered."""
    assert judge_item(Blocked(tuple(reasons))) == NoRoom()
