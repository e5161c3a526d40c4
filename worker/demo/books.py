"""The books of the demo: what went in, what came out, and whether the one equals the other.

Three witnesses, none of which sees what the others do: Darwin's datasets, the dead-letter queue and the worker's log.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from worker.demo.samples import Place, Sample


@dataclass(frozen=True, slots=True)
class Told:
    """What the worker's log says of one record; *key* is empty where the record tells of no object."""

    key: str
    outcome: str
    reason: str
    detail: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One file of an item in Darwin. *key* is empty where somebody put the item there by hand."""

    place: Place
    key: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; *key* is empty where its body tells of no object."""

    key: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """*uploaded*: the keys of the bucket. *settled*: what the log told, in its order."""

    uploaded: Collection[str]
    settled: Sequence[Told]
    held: Sequence[Held]
    letters: Sequence[Letter]

    @property
    def items(self) -> int:
        """Files of objects that Darwin holds: more than there are keys when one is there twice."""
        return sum(1 for held in self.held if held.key)

    @property
    def dead(self) -> int:
        """Dead letters of objects; the same one may be there twice after a crash, and counts once."""
        return len({(letter.key, letter.reason) for letter in self.letters if letter.key})

    @property
    def ignored(self) -> int:
        """Keys of which nothing but that was told: an overwritten object is ignored, and its first version is not."""
        return len(self._only_ignored)

    @property
    def beside(self) -> Counter[str]:
        """The reasons of the records that are nobody's place in the sum: they tell of no object, or of one whose key
        another record brought there.
        """
        return Counter(
            told.reason
            for told in self.settled
            if not told.key
            or told.outcome == "duplicate"
            or (told.outcome == "ignored" and told.key not in self._only_ignored)
        )

    @property
    def _only_ignored(self) -> set[str]:
        known = {told.key for told in self.settled if told.outcome != "ignored"}
        return {told.key for told in self.settled} - known - {""}

    @property
    def balance(self) -> bool:
        return len(set(self.uploaded)) == self.items + self.dead + self.ignored


def told_in(line: Mapping[str, object]) -> list[Told]:
    """What one line of the worker's log tells of records; most lines tell of none."""
    records = line.get("records")
    if line.get("event") != "message settled" or not isinstance(records, list):
        return []
    return [_told(record) for record in records]


def _told(record: Mapping[str, str]) -> Told:
    place = Place(record["dataset"], record["path"], record["name"]) if "dataset" in record else None
    return Told(record.get("key", ""), record["outcome"], record["reason"], record.get("detail", ""), place)


def read_letter(body: str, attributes: Mapping[str, str]) -> Letter:
    """A dead letter is an S3 notification of one record, or the body that nobody could read."""
    try:
        key = unquote_plus(json.loads(body)["Records"][0]["s3"]["object"]["key"])
    except (ValueError, LookupError, TypeError):
        key = ""
    return Letter(key, attributes.get("reason", ""), attributes.get("detail", ""))


def all_settled(expected: Sequence[Sample], settled: Sequence[Told]) -> bool:
    """Whether the log has told at least as often of each key as it has to."""
    return Counter(sample.key for sample in expected) <= Counter(
        told.key for told in settled if told.reason != "test_event"
    )


def differences(samples: Sequence[Sample], books: Books) -> list[str]:
    """Where the books are not what the samples are to become: one sentence each, none when all is well."""
    return [*_places(samples, books), *_dead_letters(samples, books), *_log(samples, books), *_sum(books)]


def _places(samples: Sequence[Sample], books: Books) -> Iterator[str]:
    wanted = Counter((sample.key, sample.place) for sample in samples if sample.place)
    there = Counter((held.key, held.place) for held in books.held if held.key)
    for key, place in wanted - there:
        yield f"{key!r} is not in Darwin as {_where(place)}"
    for key, place in there - wanted:
        yield f"{key!r} is in Darwin as {_where(place)}, where nobody expects it"


def _dead_letters(samples: Sequence[Sample], books: Books) -> Iterator[str]:
    dead = ("blocked", "rejected", "unreadable")
    wanted = {(sample.key, sample.reason) for sample in samples if sample.outcome in dead}
    there = {(letter.key, letter.reason) for letter in books.letters}
    for key, reason in sorted(wanted - there):
        yield f"{key!r} is not in the dead-letter queue with the reason {reason}"
    for key, reason in sorted(there - wanted):
        yield f"{key!r} is in the dead-letter queue with the reason {reason}, which nobody expects"


def _log(samples: Sequence[Sample], books: Books) -> Iterator[str]:
    wanted = Counter((sample.key, sample.outcome, sample.reason) for sample in samples)
    told = Counter(
        (told.key, told.outcome, told.reason) for told in books.settled if told.reason != "test_event"
    )
    for key, outcome, reason in wanted - told:
        yield f"the log does not tell that {key!r} is {outcome} ({reason})"
    for key, outcome, reason in told - wanted:
        yield f"the log tells that {key!r} is {outcome} ({reason}), which nobody expects"


def _sum(books: Books) -> Iterator[str]:
    if not books.balance:
        yield (
            f"{len(set(books.uploaded))} keys were uploaded, but there are {books.items} items, {books.dead} dead "
            f"letters and {books.ignored} ignored keys"
        )


def _where(place: Place | None) -> str:
    return "nothing" if place is None else f"{place.dataset}:{place.path.rstrip('/')}/{place.name}"
