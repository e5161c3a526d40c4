"""The books of the demo: three witnesses, one sum, and a sentence for each thing that differs (Conservation)."""

from hypothesis import given
from hypothesis import strategies as st

from worker.demo.books import Books, Held, Letter, Told, all_settled, differences, read_letter, told_in
from worker.demo.samples import Place, Sample, Way

WELD = Place("intake", "/line-3", "weld.jpg")

SAMPLES = (
    Sample("in/line-3/weld.jpg", "weld.jpg", "registered", "accepted", WELD),
    Sample("in/notes.txt", "weld.jpg", "rejected", "unsupported_type"),
    Sample("in/folder/", "", "ignored", "folder_marker"),
    Sample("in/line-3/weld.jpg", "", "duplicate", "in_ledger", way=Way.EVENT_AGAIN),
    Sample("", "", "unreadable", "unreadable_body", way=Way.MESSAGE),
)
UPLOADED = ("in/line-3/weld.jpg", "in/notes.txt", "in/folder/")
SETTLED = (
    Told("", "ignored", "test_event"),
    Told("in/line-3/weld.jpg", "registered", "accepted", "", WELD),
    Told("in/notes.txt", "rejected", "unsupported_type"),
    Told("in/folder/", "ignored", "folder_marker"),
    Told("in/line-3/weld.jpg", "duplicate", "in_ledger"),
    Told("", "unreadable", "unreadable_body"),
)
HELD = (Held(WELD, "in/line-3/weld.jpg"), Held(Place("intake", "/", "planted.jpg"), ""))
LETTERS = (Letter("in/notes.txt", "unsupported_type"), Letter("", "unreadable_body"))


def test_books_that_are_as_expected_have_no_differences() -> None:
    assert differences(SAMPLES, Books(UPLOADED, SETTLED, HELD, LETTERS)) == []


def test_the_sum_counts_items_dead_letters_and_ignored_keys_once() -> None:
    books = Books(UPLOADED, SETTLED, HELD, LETTERS)

    assert (books.items, books.dead, books.ignored, books.balance) == (1, 1, 1, True)


def test_what_is_beside_the_keys_is_named_by_its_reason() -> None:
    assert Books(UPLOADED, SETTLED, HELD, LETTERS).beside == {
        "test_event": 1,
        "in_ledger": 1,
        "unreadable_body": 1,
    }


def test_a_dead_letter_that_is_there_twice_counts_once() -> None:
    books = Books(UPLOADED, SETTLED, HELD, (*LETTERS, *LETTERS))

    assert differences(SAMPLES, books) == []


def test_an_overwritten_object_is_the_item_that_it_was_and_not_ignored() -> None:
    settled = (Told("a.png", "registered", "accepted", "", WELD), Told("a.png", "ignored", "overwritten"))
    books = Books(("a.png",), settled, (Held(WELD, "a.png"),), ())

    assert (books.items, books.ignored, books.balance) == (1, 0, True)
    assert books.beside == {"overwritten": 1}


def test_an_item_that_is_missing_in_darwin_is_named_with_its_place() -> None:
    assert differences(SAMPLES, Books(UPLOADED, SETTLED, (), LETTERS)) == [
        "'in/line-3/weld.jpg' is not in Darwin as intake:/line-3/weld.jpg",
        "3 keys were uploaded, but there are 0 items, 1 dead letters and 1 ignored keys",
    ]


def test_an_item_under_another_path_is_told_as_missing_and_as_too_much() -> None:
    elsewhere = Held(Place("intake", "/", "weld.jpg"), "in/line-3/weld.jpg")

    assert differences(SAMPLES, Books(UPLOADED, SETTLED, (elsewhere,), LETTERS)) == [
        "'in/line-3/weld.jpg' is not in Darwin as intake:/line-3/weld.jpg",
        "'in/line-3/weld.jpg' is in Darwin as intake:/weld.jpg, where nobody expects it",
    ]


def test_an_object_that_is_in_darwin_twice_does_not_balance() -> None:
    books = Books(UPLOADED, SETTLED, (*HELD, HELD[0]), LETTERS)

    assert not books.balance
    assert differences(SAMPLES, books) == [
        "'in/line-3/weld.jpg' is in Darwin as intake:/line-3/weld.jpg, where nobody expects it",
        "3 keys were uploaded, but there are 2 items, 1 dead letters and 1 ignored keys",
    ]


def test_a_dead_letter_with_another_reason_is_named() -> None:
    letters = (Letter("in/notes.txt", "invalid_key"), LETTERS[1])

    assert differences(SAMPLES, Books(UPLOADED, SETTLED, HELD, letters)) == [
        "'in/notes.txt' is not in the dead-letter queue with the reason unsupported_type",
        "'in/notes.txt' is in the dead-letter queue with the reason invalid_key, which nobody expects",
    ]


def test_a_record_that_nobody_settled_is_named() -> None:
    settled = tuple(told for told in SETTLED if told.outcome != "duplicate")

    assert differences(SAMPLES, Books(UPLOADED, settled, HELD, LETTERS)) == [
        "the log does not tell that 'in/line-3/weld.jpg' is duplicate (in_ledger)"
    ]


def test_a_record_that_was_settled_too_often_is_named() -> None:
    assert differences(SAMPLES, Books(UPLOADED, (*SETTLED, SETTLED[4]), HELD, LETTERS)) == [
        "the log tells that 'in/line-3/weld.jpg' is duplicate (in_ledger), which nobody expects"
    ]


def test_a_key_that_vanished_does_not_balance() -> None:
    """Conservation, seen from outside: keys uploaded = items + distinct dead letters + ignored."""
    assert not Books((*UPLOADED, "in/lost.jpg"), SETTLED, HELD, LETTERS).balance


@given(
    st.dictionaries(st.text(min_size=1), st.sampled_from(["registered", "blocked", "ignored"])),
    st.integers(1, 3),
)
def test_books_balance_when_each_key_has_one_place_however_often_it_was_told(
    fates: dict[str, str], times: int
) -> None:
    books = Books(
        fates.keys(),
        [Told(key, fate, "why") for key, fate in fates.items()] * times,
        [Held(Place("intake", "/", key), key) for key, fate in fates.items() if fate == "registered"],
        [Letter(key, "why") for key, fate in fates.items() if fate == "blocked"] * times,
    )

    assert books.balance


@given(st.sets(st.text(min_size=1), min_size=1), st.data())
def test_books_do_not_balance_when_one_item_is_lost(keys: set[str], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(sorted(keys)))
    settled = [Told(key, "registered", "accepted") for key in keys]
    held = [Held(Place("intake", "/", key), key) for key in keys - {lost}]

    assert not Books(keys, settled, held, ()).balance


def test_samples_are_settled_when_the_log_told_of_each_as_often_as_it_has_to() -> None:
    assert all_settled(SAMPLES, SETTLED)
    assert not all_settled(SAMPLES, SETTLED[:-1])
    assert not all_settled(SAMPLES, SETTLED[:4])


def test_the_test_event_of_s3_stands_for_no_sample() -> None:
    assert not all_settled(SAMPLES[-1:], SETTLED[:1])


def test_records_are_read_from_the_line_of_their_message() -> None:
    line = {
        "event": "message settled",
        "message": "1",
        "receive_count": 1,
        "records": [
            {
                "outcome": "registered",
                "reason": "accepted",
                "bucket": "media",
                "key": "in/line-3/weld.jpg",
                "route": "all",
                "dataset": "intake",
                "path": "/line-3",
                "name": "weld.jpg",
            },
            {"outcome": "unreadable", "reason": "unreadable_record", "detail": "It has no key."},
        ],
    }

    assert told_in(line) == [
        Told("in/line-3/weld.jpg", "registered", "accepted", "", WELD),
        Told("", "unreadable", "unreadable_record", "It has no key."),
    ]


def test_other_lines_of_the_log_tell_of_no_record() -> None:
    assert told_in({"event": "request answered", "items": 3}) == []
    assert told_in({"text": "no JSON"}) == []


def test_the_key_of_a_dead_letter_is_decoded() -> None:
    """Law 7."""
    body = '{"Records": [{"s3": {"object": {"key": "in/a+b%2Bc.txt"}}}]}'

    assert read_letter(body, {"reason": "unsupported_type", "detail": "No type."}) == Letter(
        "in/a b+c.txt", "unsupported_type", "No type."
    )


def test_a_dead_letter_that_nobody_could_read_has_no_key() -> None:
    for body in ("junk", "[]", "{}", '{"Records": []}', '{"Records": [1]}', "null", '"text"'):
        assert read_letter(body, {"reason": "unreadable_body"}) == Letter("", "unreadable_body")
