"""What the page remembers of the last minutes, in rings of fixed length: fed once for a request, a dead letter or five
seconds, and never for a record that goes its way.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from worker.core.answers import SUCCESS
from worker.core.deadletters import read_history
from worker.core.events import BadRecord
from worker.core.model import Item, Kind, Lane, Outcome, Reason, Record
from worker.core.settlement import Book, OpenMessage, Settled

BATCHES = 50
EXAMPLES = 3

STEP = 5.0
"""Seconds between two samples."""

SAMPLES = 181
"""Of fifteen minutes, with the one that the first step begins at."""

MINUTE = 60.0


class Sent(NamedTuple):
    """One registration request and its answer, at *at* (Unix seconds). *status*, *seconds* and *said* as in
    :class:`worker.core.answers.Answer`.
    """

    at: float
    lane: Lane
    items: int
    status: int | None
    seconds: float
    said: str

    @property
    def taken(self) -> bool:
        return self.status is not None and self.status // 100 == SUCCESS


class Example(NamedTuple):
    """A record that became a dead letter; *bucket* and *key* are empty where it could not be read."""

    at: float
    bucket: str
    key: str
    dataset: str
    detail: str


@dataclass(slots=True)
class Letters:
    """The dead letters of one reason: how many since the start, and the last few."""

    outcome: Kind
    examples: deque[Example]
    count: int = 0


class Sample(NamedTuple):
    """The counters at one moment. *age*: the seconds that the oldest open record waits, None when nothing is open."""

    at: float
    received: int
    registered: int
    blocked: int
    age: float | None


class Recent:
    """The memory of one process. *last*: what was registered last, and when; *last_failure*: the last request that Darwin
    did not take.
    """

    def __init__(self) -> None:
        self.batches: deque[Sent] = deque(maxlen=BATCHES)
        self.letters: dict[Reason, Letters] = {}
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)
        self.last: tuple[float, Item] | None = None
        self.last_failure: Sent | None = None
        self._sent: dict[str, deque[float]] = {}

    def sent(self, sent: Sent) -> None:
        """A request has its answer, or none."""
        self.batches.append(sent)
        if not sent.taken:
            self.last_failure = sent
        times = self._sent.setdefault(sent.lane.team, deque())
        times.append(sent.at)
        _forget(times, sent.at)

    def sent_in_a_minute(self, team: str, now: float) -> int:
        """The team's requests that were answered in the last sixty seconds."""
        times = self._sent.get(team, deque())
        _forget(times, now)
        return len(times)

    def written(self, item: Item, outcome: Outcome, now: float) -> None:
        """An item is in the ledger: one of each request is told of."""
        if outcome.kind is Kind.REGISTERED:
            self.last = now, item

    def dead_letter(self, record: Record | BadRecord | None, settled: Settled, now: float) -> None:
        """A dead letter is stored, and its message deleted. *record* is None where the message was not read."""
        outcome, item = settled.outcome, settled.item
        letters = self.letters.get(outcome.reason)
        if letters is None:
            letters = self.letters[outcome.reason] = Letters(outcome.kind, deque(maxlen=EXAMPLES))
        letters.count += 1
        bucket, key = (record.object.bucket, record.object.key) if isinstance(record, Record) else ("", "")
        dataset = "" if item is None else item.lane.dataset
        letters.examples.append(Example(now, bucket, key, dataset, outcome.detail))

    def sample(self, book: Book, now: float) -> None:
        """Note the counters; to be called every :data:`STEP` seconds."""
        oldest = book.oldest()
        age = None if oldest is None else max(0.0, now - waiting_since(oldest))
        blocked = sum(count for kind, count in book.outcomes.items() if kind.owes_dead_letter)
        self.samples.append(Sample(now, book.received, book.outcomes[Kind.REGISTERED], blocked, age))


def waiting_since(opened: OpenMessage) -> float:
    """Unix seconds: when a worker first saw the message's record, or else S3's event, or else its receipt."""
    seen = read_history(opened.message).first_seen
    if seen is not None:
        return seen
    times = [
        record.time for record in opened.records if isinstance(record, Record) and record.time is not None
    ]
    return min(times, default=opened.received_at)


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] <= now - MINUTE:
        times.popleft()
