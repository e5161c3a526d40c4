"""What the page remembers: the last of everything, in bounded memory."""

from collections.abc import Sequence

from worker.core.events import BadRecord
from worker.core.model import (
    Item,
    Kind,
    Lane,
    Message,
    Outcome,
    Reason,
    Record,
    RecordId,
    S3Object,
)
from worker.core.settlement import Book, Settled
from worker.pipeline.recent import Example, Recent, Sample, Sent, waiting_since

LANE = Lane("acme", "intake", "prod")
REFUSED = Settled(Outcome(Kind.BLOCKED, Reason.NAME_COLLISION, "taken by a.jpg"))


def sent(at: float, status: int | None = 200, lane: Lane = LANE) -> Sent:
    return Sent(at, lane, 10, status, 0.1, "said")


def record(key: str, time: float | None = None) -> Record:
    return Record(S3Object("media", key), "ObjectCreated:Put", time)


def test_of_a_million_requests_the_last_fifty_are_kept() -> None:
    recent = Recent()
    for number in range(1000):
        recent.sent(sent(float(number)))

    assert [each.at for each in recent.batches] == [float(number) for number in range(950, 1000)]


def test_the_last_request_that_was_not_taken_is_kept_however_long_ago() -> None:
    recent = Recent()
    recent.sent(sent(1.0, 503))
    recent.sent(sent(2.0, None))
    for number in range(1000):
        recent.sent(sent(3.0 + number, 201))

    assert recent.last_failure == sent(2.0, None)


def test_the_requests_of_a_minute_are_counted_by_team() -> None:
    recent = Recent()
    other = Lane("beta", "intake", "prod")
    for at in (0.0, 1.0, 60.0, 61.0):
        recent.sent(sent(at))
    recent.sent(sent(61.0, lane=other))

    assert recent.sent_in_a_minute("acme", 61.0) == 2  # those of more than a minute ago are gone
    assert recent.sent_in_a_minute("beta", 61.0) == 1
    assert recent.sent_in_a_minute("beta", 121.0) == 0
    assert recent.sent_in_a_minute("nobody", 61.0) == 0


def test_only_what_was_registered_is_told_as_registered() -> None:
    recent, item = Recent(), Item(LANE, "/", "a.jpg", S3Object("media", "a.jpg"), "all")
    recent.written(item, Outcome(Kind.EXISTING, Reason.ADOPTED), 1.0)
    assert recent.last is None

    recent.written(item, Outcome(Kind.REGISTERED, Reason.ACCEPTED), 2.0)
    assert recent.last == (2.0, item)


def test_dead_letters_are_counted_by_reason_with_the_last_three_as_examples() -> None:
    recent = Recent()
    for number in range(1000):
        recent.dead_letter(record(f"{number}.jpg"), REFUSED, float(number))

    [(reason, letters)] = recent.letters.items()
    assert (reason, letters.outcome, letters.count) == (Reason.NAME_COLLISION, Kind.BLOCKED, 1000)
    assert list(letters.examples) == [
        Example(997.0, "media", "997.jpg", "", "taken by a.jpg"),
        Example(998.0, "media", "998.jpg", "", "taken by a.jpg"),
        Example(999.0, "media", "999.jpg", "", "taken by a.jpg"),
    ]


def test_a_dead_letter_without_a_record_names_no_object() -> None:
    recent = Recent()
    unreadable = Settled(Outcome(Kind.UNREADABLE, Reason.UNREADABLE_BODY, "no JSON"))
    for what in (None, BadRecord("no bucket")):
        recent.dead_letter(what, unreadable, 5.0)

    assert list(recent.letters[Reason.UNREADABLE_BODY].examples) == 2 * [Example(5.0, "", "", "", "no JSON")]


def test_a_sample_holds_the_counters_and_the_age_of_the_oldest() -> None:
    recent, book = Recent(), Book()
    recent.sample(book, 100.0)
    done = opened(book, "1", [record("a.jpg", 90.0)])
    book.settle(RecordId(done, 0), REFUSED)
    book.close(done)
    opened(book, "2", [record("b.jpg", 97.0), record("c.jpg", 95.0)])
    opened(book, "3", [record("d.jpg", 1.0)])
    recent.sample(book, 105.0)

    assert list(recent.samples) == [Sample(100.0, 0, 0, 0, None), Sample(105.0, 4, 0, 1, 10.0)]


def test_the_samples_of_fifteen_minutes_are_kept() -> None:
    recent, book = Recent(), Book()
    for number in range(1000):
        recent.sample(book, 5.0 * number)

    assert (len(recent.samples), recent.samples[0].at, recent.samples[-1].at) == (181, 4095.0, 4995.0)


def opened(book: Book, name: str, records: Sequence[Record], **attributes: str) -> int:
    number = book.open(Message(name, f"handle-{name}", "{}", 1, attributes), received_at=98.0).number
    book.expect(number, records)
    return number


def test_a_message_waits_since_a_worker_first_saw_it_or_else_since_its_event_or_its_receipt() -> None:
    book = Book()
    postponed = opened(book, "1", [record("a.jpg", 90.0)], first_seen="1970-01-01T00:00:50Z")
    fresh = opened(book, "2", [record("a.jpg", 90.0)])
    untold = opened(book, "3", [record("a.jpg")])

    assert [waiting_since(book[number]) for number in (postponed, fresh, untold)] == [50.0, 90.0, 98.0]
