"""The settling book: law 2, and conservation (design section 3)."""

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.events import BadRecord
from worker.core.model import Kind, Message, Outcome, Reason, Record, RecordId, S3Object
from worker.core.settlement import Book, OpenMessage, Receipt, Settled

REGISTERED = Settled(Outcome(Kind.REGISTERED, Reason.ACCEPTED))
BLOCKED = Settled(Outcome(Kind.BLOCKED, Reason.FAILS_ALONE))


def receipts(results: Sequence[Settled | None]) -> list[Receipt]:
    return [
        Receipt(settled.outcome.kind, settled.outcome.reason, "", None, b"{}\n")
        for settled in results
        if settled
    ]


def message(id_: str = "m1") -> Message:
    return Message(id_, f"handle of {id_}", "{}", 1)


def records(count: int) -> list[Record | BadRecord]:
    return [Record(S3Object("media", f"{n}.jpg"), "ObjectCreated:Put") for n in range(count)]


class Conservation(RuleBasedStateMachine):
    """received == outcomes + returned + open, after every call."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.model: dict[int, list[Settled | None]] = {}
        self.ids: dict[int, str] = {}
        self.awaiting: list[int] = []
        self.closed: list[Settled | None] = []
        self.returned = 0

    @rule(id_=st.sampled_from(["a", "b", "c", "d"]))
    def a_message_is_received(self, id_: str) -> None:
        older = self.book.holding(id_)
        if older is not None:
            self.give_up(older)
        number = self.book.open(message(id_), 1.0).number
        assert number not in self.model
        self.model[number], self.ids[number] = [None], id_

    @precondition(lambda self: self.model)
    @rule(data=st.data(), count=st.integers(0, 5))
    def it_is_read(self, data: st.DataObject, count: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.model)))
        if not self.book[number].records and self.model[number] == [None]:
            self.book.expect(number, records(count))
            self.model[number] = [None] * max(count, 1)

    @rule(data=st.data(), number=st.integers(1, 30), settled=st.sampled_from([REGISTERED, BLOCKED]))
    def a_record_is_settled(self, data: st.DataObject, number: int, settled: Settled) -> None:
        results = self.model.get(number, [None])
        position = data.draw(st.integers(0, len(results) - 1))
        opened = self.book.settle(RecordId(number, position), settled)
        was_open = number in self.model and results[position] is None
        if was_open:
            results[position] = settled
        assert (opened is not None) == (was_open and None not in results)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def it_is_closed(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model)))
        if None in self.model[number]:
            with pytest.raises(ValueError, match="open record"):
                self.book.close(number)
            return
        if number in self.awaiting:
            with pytest.raises(ValueError, match="before its receipts are stored"):
                self.book.close(number)
            return
        self.book.close(number)
        self.closed += self.model.pop(number)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def it_is_given_up(self, data: st.DataObject) -> None:
        self.give_up(data.draw(st.sampled_from(sorted(self.model))))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def it_awaits_its_receipts(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model)))
        if None not in self.model[number] and not self.book[number].receipts:
            self.book.await_receipts(number, receipts(self.model[number]), 1.0)
            self.awaiting.append(number)

    @precondition(lambda self: self.awaiting)
    @rule(data=st.data())
    def they_are_stored(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.awaiting))
        self.book.receipts_stored(number)
        self.awaiting.remove(number)

    def give_up(self, number: int) -> None:
        lost = self.book.give_up(number)
        assert lost.results == ([] if lost.receipts else self.model[number])
        if number in self.awaiting:
            self.awaiting.remove(number)
        self.returned += len(self.model.pop(number))

    @invariant()
    def it_is_conserved(self) -> None:
        book = self.book
        assert book.received == sum(book.outcomes.values()) + book.returned + book.open_records

    @invariant()
    def the_book_says_what_happened(self) -> None:
        assert self.book.numbers() == sorted(self.model)
        assert self.book.open_records == sum(map(len, self.model.values()))
        assert self.book.returned == self.returned
        assert self.book.outcomes[Kind.REGISTERED] == self.closed.count(REGISTERED)
        assert self.book.outcomes[Kind.BLOCKED] == self.closed.count(BLOCKED)
        assert self.book.awaiting == sum(len(self.model[number]) for number in self.awaiting)
        assert [opened.number for opened in self.book.awaiting_receipts()] == self.awaiting
        assert self.book.busy == len(self.model) - len(self.awaiting)
        assert self.book.owes == any(None not in results for results in self.model.values())
        assert {self.book.holding(self.ids[number]) for number in self.model} == set(self.model)


TestConservation = Conservation.TestCase


def test_a_message_is_complete_with_its_last_record_and_not_before() -> None:
    """Law 2."""
    book = Book()
    number = book.open(message(), 1.0).number
    book.expect(number, records(2))
    assert book.settle(RecordId(number, 1), REGISTERED) is None
    assert book.settle(RecordId(number, 0), BLOCKED) is book[number]


def test_the_first_word_on_a_record_counts() -> None:
    book = Book()
    number = book.open(message(), 1.0).number
    assert book.settle(RecordId(number, 0), REGISTERED) is not None
    assert book.settle(RecordId(number, 0), BLOCKED) is None
    assert book.close(number).results == [REGISTERED]


def test_silence_means_not_done() -> None:
    """A message with an open record cannot be closed, and the attempt changes nothing."""
    book = Book()
    number = book.open(message(), 1.0).number
    book.expect(number, records(2))
    book.settle(RecordId(number, 0), REGISTERED)
    with pytest.raises(ValueError, match="message 1 is closed with an open record"):
        book.close(number)
    assert (number in book, book.open_records, sum(book.outcomes.values())) == (True, 2, 0)


def test_what_was_found_out_about_a_lost_message_counts_for_nothing() -> None:
    """Law 3: a lost lease fences the verdict."""
    book = Book()
    number = book.open(message(), 1.0).number
    book.expect(number, records(3))
    book.settle(RecordId(number, 0), REGISTERED)
    book.give_up(number)
    assert (book.returned, sum(book.outcomes.values()), len(book)) == (3, 0, 0)
    assert book.settle(RecordId(number, 1), REGISTERED) is None


def test_of_a_message_that_awaits_its_receipts_all_else_is_let_go() -> None:
    book = Book()
    number = book.open(Message("m1", "handle of m1", "a body", 3, {"attempts": "1"}), 1.0).number
    book.expect(number, records(2))
    book.settle(RecordId(number, 0), REGISTERED)
    book.settle(RecordId(number, 1), BLOCKED)
    owed = receipts(book[number].results)
    assert (book.oldest(), book.open_characters, book.awaiting_since()) == (book[number], 6, None)
    book.await_receipts(number, owed, 7.5)
    assert book[number] == OpenMessage(1, Message("m1", "handle of m1", "", 3, {}), 1.0, (), [], set(), owed)
    assert (book.oldest(), book.open_characters, book.awaiting_since()) == (None, 0, 7.5)
    assert book.settle(RecordId(number, 0), BLOCKED) is None, "the first word counts"
    book.receipts_stored(number)
    assert (book.awaiting, book.open_records, book.awaiting_since()) == (0, 2, None)
    book.close(number)
    assert (book.outcomes[Kind.REGISTERED], book.outcomes[Kind.BLOCKED], book.open_records) == (1, 1, 0)


def test_a_message_without_records_counts_as_one() -> None:
    book = Book()
    number = book.open(message(), 1.0).number
    book.expect(number, [])
    assert book.settle(RecordId(number, 0), Settled(Outcome(Kind.IGNORED, Reason.TEST_EVENT))) is not None
    book.close(number)
    assert (book.received, book.outcomes[Kind.IGNORED]) == (1, 1)


def test_the_open_delivery_of_a_message_is_found_by_its_id() -> None:
    book = Book()
    first = book.open(message("m1"), 1.0).number
    assert (book.holding("m1"), book.holding("m2")) == (first, None)
    book.give_up(first)
    second = book.open(message("m1"), 2.0).number
    assert book.holding("m1") == second != first
