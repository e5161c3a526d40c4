"""Dead letters as an operator looks at them: what a message of the dead-letter queue tells of, and which of them belong
together.

The rules that hold here: a letter may be there twice after a crash, so one object with one reason counts once; a message
is sent and deleted as a whole, however many records it holds; and what nobody of ours explained, because SQS moved it or
because somebody else put it there, is a letter too, and says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from worker.core.deadletters import read_history
from worker.core.events import MAX_BODY_BYTES, BadRecord, Unreadable, iso_time, parse
from worker.core.model import Message, Record, S3Object
from worker.core.patterns import Matcher
from worker.core.queueing import Outgoing

RECEIVED_TOO_OFTEN = "received_too_often"
"""The reason of a notification that carries none: SQS's own redrive moved it."""

UNKNOWN = "unknown"
"""The reason of a body without one that is no notification either: it may be anybody's."""

_MOVED = "SQS moved it here, because it was received more often than the queue allows; no worker said why."
_ANYBODYS = "No worker said why: SQS moved it here, or somebody else sent it."


Same = tuple[S3Object | str, str]
"""What folds letters: the object with its version, etag and size, or the body where no object can be read; and the reason."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of one message in the dead-letter queue.

    *bucket* and *key* are empty where the record, or the body, cannot be read; *object* is then None. *reason*, *outcome*,
    *detail*, *dataset* and *route* are what the worker wrote, empty where it wrote nothing; a reason there always is.
    *first_seen*: when a worker first received it; *happened*: when S3 says that the event was; both in Unix seconds, None
    where nobody said. *attempts*: deliveries before it was a dead letter, 0 where nobody counted. *raw*: no worker put it
    there, but SQS's own redrive, or a stranger. *copies*: the letters that were folded into this one, itself included.
    """

    message: Message
    bucket: str
    key: str
    reason: str
    outcome: str
    detail: str
    dataset: str
    route: str
    first_seen: float | None
    attempts: int
    raw: bool
    happened: float | None = None
    object: S3Object | None = None
    copies: int = 1

    @property
    def day(self) -> str:
        """The day (UTC) that it was first seen, or else of its event, as ``2031-02-01``; empty where nobody said."""
        moment = self.happened if self.first_seen is None else self.first_seen
        return "" if moment is None else datetime.fromtimestamp(moment, UTC).date().isoformat()

    @property
    def same(self) -> Same:
        return self.object or self.message.body, self.reason


def letter_of(message: Message) -> list[Letter]:
    """What the message tells of: a letter for each record, at least one. Never raises; the cost is linear in the body."""
    told = parse(message.body)
    if isinstance(told, Unreadable):
        return [_letter(message, None, told.why)]
    if not told.records:
        return [_letter(message, None, "The notification tells of no object.")]
    return [
        _letter(message, None, record.why) if isinstance(record, BadRecord) else _letter(message, record, "")
        for record in told.records
    ]


def _letter(message: Message, record: Record | None, why: str) -> Letter:
    written = message.attributes
    reason = written.get("reason", "")
    history = read_history(message)
    if reason:
        detail = written.get("detail", "")
    else:
        detail = f"{_ANYBODYS if record is None else _MOVED} {why}".rstrip()
    return Letter(
        message=message,
        bucket="" if record is None else record.object.bucket,
        key="" if record is None else record.object.key,
        reason=reason or (UNKNOWN if record is None else RECEIVED_TOO_OFTEN),
        outcome=written.get("outcome", ""),
        detail=detail,
        dataset=written.get("dataset", ""),
        route=written.get("route", ""),
        first_seen=history.first_seen,
        attempts=history.attempts,
        raw=not reason,
        happened=None if record is None else record.time,
        object=None if record is None else record.object,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant: those that fit all of it; what is empty or None fits all. *since* and *until* are days in
    UTC, both inclusive; *key* is asked about whole keys. Letters without a day, or without a key, fit neither.
    """

    reasons: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    since: date | None = None
    until: date | None = None
    key: Matcher | None = None

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.datasets or letter.dataset in self.datasets)
            and self._takes_day(letter.day)
            and (self.key is None or (letter.key != "" and self.key(letter.key)))
        )

    def _takes_day(self, day: str) -> bool:
        if self.since is None and self.until is None:
            return True
        return day != "" and (
            (self.since is None or self.since.isoformat() <= day)
            and (self.until is None or day <= self.until.isoformat())
        )


def folded(letters: Iterable[Letter]) -> list[Letter]:
    """One letter for each object and reason, in the order in which they came: that of its copies that was seen first, with
    the attempts of the one that has most.
    """
    kept: dict[Same, Letter] = {}
    for letter in letters:
        other = kept.get(letter.same)
        kept[letter.same] = letter if other is None else _both(other, letter)
    return list(kept.values())


def _both(one: Letter, other: Letter) -> Letter:
    first = min(
        one, other, key=lambda letter: float("inf") if letter.first_seen is None else letter.first_seen
    )
    return replace(first, attempts=max(one.attempts, other.attempts), copies=one.copies + other.copies)


@dataclass(frozen=True, slots=True)
class Pile:
    """The letters of one reason, dataset and day: *count* when folded, of *copies* before, and one of them."""

    reason: str
    dataset: str
    day: str
    count: int
    copies: int
    example: Letter


def piles(letters: Iterable[Letter]) -> list[Pile]:
    """*letters*, which are folded, by reason, dataset and day; the largest pile first."""
    found: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in letters:
        found.setdefault((letter.reason, letter.dataset, letter.day), []).append(letter)
    all_piles = [
        Pile(*names, len(held), sum(letter.copies for letter in held), held[0])
        for names, held in found.items()
    ]
    return sorted(all_piles, key=lambda pile: (-pile.count, pile.reason, pile.dataset, pile.day))


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent or deleted at once: a message with all its records, and the other messages that hold the very same.

    *letters*: one for each record, folded over the messages.
    """

    letters: tuple[Letter, ...]
    messages: tuple[Message, ...]

    @property
    def outgoing(self) -> Outgoing:
        """What puts it back into the source queue: the body as it is; sent by an operator, with its history, and without
        what was said of the last failure. Where the body leaves no room for that, the body alone.
        """
        [first, *_] = self.letters
        told = {"again": "true", "attempts": str(first.attempts)}
        if first.first_seen is not None:
            told["first_seen"] = iso_time(first.first_seen)
        body = first.message.body
        size = len(body.encode()) + sum(len(f"{name}String{value}") for name, value in told.items())
        return Outgoing(body, told if size <= MAX_BODY_BYTES else {})


def parcels(letters: Iterable[Letter]) -> list[Parcel]:
    """*letters* of whole messages, unfolded, as they are sent and deleted."""
    by_message: dict[str, list[Letter]] = {}
    for letter in letters:
        by_message.setdefault(letter.message.handle, []).append(letter)
    by_content: dict[tuple[Same, ...], list[list[Letter]]] = {}
    for held in by_message.values():
        by_content.setdefault(tuple(letter.same for letter in held), []).append(held)
    return [
        Parcel(
            tuple(letter for copies in zip(*same, strict=True) for letter in folded(copies)),
            tuple(held[0].message for held in same),
        )
        for same in by_content.values()
    ]


def with_any(wanted: Wanted, of: Sequence[Parcel]) -> list[Parcel]:
    """Those that hold any letter that is meant: to send the others beside it once more does no harm."""
    return [parcel for parcel in of if any(map(wanted.takes, parcel.letters))]


def with_all(wanted: Wanted, of: Sequence[Parcel]) -> list[Parcel]:
    """Those of which every letter is meant: what is deleted takes nothing else with it."""
    return [parcel for parcel in of if all(map(wanted.takes, parcel.letters))]


def plain(letter: Letter) -> Mapping[str, object]:
    """The letter as JSON has it, without its message."""
    return {
        "bucket": letter.bucket,
        "key": letter.key,
        "version": letter.object.version if letter.object else None,
        "etag": letter.object.etag if letter.object else None,
        "size": letter.object.size if letter.object else None,
        "reason": letter.reason,
        "outcome": letter.outcome,
        "detail": letter.detail,
        "dataset": letter.dataset,
        "route": letter.route,
        "first_seen": None if letter.first_seen is None else iso_time(letter.first_seen),
        "day": letter.day or None,
        "attempts": letter.attempts,
        "raw": letter.raw,
        "copies": letter.copies,
    }
