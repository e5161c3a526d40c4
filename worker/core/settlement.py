"""The settling book: every open message, and what became of each of its records.

A message is open from its receipt until its verdict is carried out (:meth:`Book.close`) or until it is no longer
ours (:meth:`Book.give_up`). Silence means not done: a record that nobody settles keeps its message open.

Conservation holds after every call: ``received == sum(outcomes) + returned + open``, counted in records. A message
counts as one record until it is known how many it holds, and for ever if it holds none.

Where an archive keeps receipts, a message whose verdict is carried out but for them stays open until they are stored. Of it
nothing is kept but its handle and the lines of its receipts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from worker.core.events import BadRecord
from worker.core.model import Item, Kind, Message, Notes, Outcome, Reason, Record, RecordId

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one record. *item* where a route had made one of it; *delay* of a postponed copy, in seconds, and the
    *notes* that it takes along in place of those that it came with.
    """

    outcome: Outcome
    item: Item | None = None
    delay: int = 0
    notes: Notes | None = None

    @property
    def lane(self) -> str:
        """What metrics call the dataset of its item; empty without one."""
        return "" if self.item is None else self.item.label or self.item.lane.dataset


class Receipt(NamedTuple):
    """All that is kept of a record that awaits only its receipt: what its outcome counts as, and the *line* to be written.

    *lane* as in :class:`Settled`. *age*: seconds from S3's event to the outcome; None where it does not count.
    """

    kind: Kind
    reason: Reason
    lane: str
    age: float | None
    line: bytes

    @property
    def owed(self) -> bool:
        """Whether the line is written. Of the archive's own objects none is, or each of them would make the next."""
        return self.reason is not Reason.RECEIPT


@dataclass(slots=True)
class OpenMessage:
    """A message in the book. *results* has one place per record, None until it is settled; *records* is empty until
    the message was read, and stays so where it holds none. *received_at* in Unix seconds. *stored*: the records whose dead letter or postponed copy is.
    *receipts*: one for each record once the message owes, or owed, nothing else; *records* and *results* are empty then.
    """

    number: int
    message: Message
    received_at: float
    records: Sequence[Record | BadRecord] = ()
    results: list[Settled | None] = field(default_factory=lambda: [None])
    stored: set[int] = field(default_factory=set)
    receipts: Sequence[Receipt] = ()

    @property
    def complete(self) -> bool:
        return all(self.results)

    @property
    def size(self) -> int:
        """In records."""
        return len(self.receipts or self.results)


class Book:
    """Knows every open message of the process. *open_characters*: of all their bodies. *awaiting*: the open records that
    await only their receipts.
    """

    def __init__(self) -> None:
        self.received = 0
        self.returned = 0
        self.outcomes: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self.open_records = 0
        self.open_characters = 0
        self.awaiting = 0
        self._open: dict[int, OpenMessage] = {}
        self._awaiting: dict[int, float] = {}
        self._number_of: dict[str, int] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, number: int) -> bool:
        return number in self._open

    def __getitem__(self, number: int) -> OpenMessage:
        return self._open[number]

    def numbers(self) -> list[int]:
        """The open messages, oldest first."""
        return list(self._open)

    def oldest(self) -> OpenMessage | None:
        """Of the messages that await more than their receipts the one that was received first."""
        return next((opened for opened in self._open.values() if not opened.receipts), None)

    def holding(self, message_id: str) -> int | None:
        """The open message of this id: SQS delivered it before, and whoever holds the older delivery must let go."""
        return self._number_of.get(message_id)

    def open(self, message: Message, received_at: float) -> OpenMessage:
        """Enter a message. Its id must not be held; see :meth:`holding`."""
        self._last += 1
        opened = OpenMessage(self._last, message, received_at)
        self._open[opened.number] = opened
        self._number_of[message.id] = opened.number
        self.received += 1
        self.open_records += 1
        self.open_characters += len(message.body)
        return opened

    def expect(self, number: int, records: Sequence[Record | BadRecord]) -> None:
        """Say what records the message holds. None at all leaves it the one place that says so."""
        more = max(len(records), 1) - 1
        self._open[number].records = records
        self._open[number].results = [None] * (more + 1)
        self.received += more
        self.open_records += more

    def settle(self, record: RecordId, settled: Settled) -> OpenMessage | None:
        """Write what became of a record; the message when that was its last open one.

        Nothing happens for a message that is no longer ours, nor for a record that is settled already.
        """
        opened = self._open.get(record.message)
        if opened is None or opened.receipts or opened.results[record.position] is not None:
            return None
        opened.results[record.position] = settled
        return opened if opened.complete else None

    def close(self, number: int) -> OpenMessage:
        """The verdict is carried out: the message is deleted, and its outcomes count."""
        if not self._open[number].complete:
            raise ValueError(f"message {number} is closed with an open record")
        if number in self._awaiting:
            raise ValueError(f"message {number} is closed before its receipts are stored")
        closed = self._remove(number)
        for settled in closed.results:
            if settled is not None:
                self.outcomes[settled.outcome.kind] += 1
        for receipt in closed.receipts:
            self.outcomes[receipt.kind] += 1
        return closed

    def give_up(self, number: int) -> OpenMessage:
        """The message is given back, or its lease is lost: whatever was found out about its records counts for nothing."""
        lost = self._remove(number)
        self.returned += lost.size
        return lost

    def await_receipts(self, number: int, receipts: Sequence[Receipt], since: float) -> None:
        """The message, whose records have their outcomes, owes nothing but these *receipts* any more: all else is let go.
        *since* on any clock, the same for all.
        """
        opened = self._open[number]
        self.open_characters -= len(opened.message.body)
        opened.message = Message(
            opened.message.id, opened.message.handle, "", opened.message.receive_count, _NOTHING
        )
        opened.records, opened.results, opened.receipts = (), [], receipts
        opened.stored.clear()
        self._awaiting[number] = since
        self.awaiting += len(receipts)

    def receipts_stored(self, number: int) -> None:
        """Nothing is left to do for the message but to delete it."""
        del self._awaiting[number]
        self.awaiting -= self._open[number].size

    def awaits_receipts(self, number: int) -> bool:
        """Whether receipts are all that the message awaits."""
        return number in self._awaiting

    def awaiting_receipts(self) -> Iterator[OpenMessage]:
        """The messages that await only their receipts, those first that have waited longest."""
        return map(self._open.__getitem__, self._awaiting)

    def awaiting_since(self) -> float | None:
        """Since when the first of them does; None when none does."""
        return next(iter(self._awaiting.values()), None)

    @property
    def busy(self) -> int:
        """How many messages await more than their receipts."""
        return len(self._open) - len(self._awaiting)

    @property
    def owes(self) -> bool:
        """Whether the verdict of any message is still to be carried out."""
        return any(opened.complete for opened in self._open.values())

    def _remove(self, number: int) -> OpenMessage:
        if number in self._awaiting:
            self.receipts_stored(number)
        removed = self._open.pop(number)
        self.open_records -= removed.size
        self.open_characters -= len(removed.message.body)
        if self._number_of.get(removed.message.id) == number:
            del self._number_of[removed.message.id]
        return removed
