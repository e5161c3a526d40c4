"""What a backfill sends of what a bucket holds, how it is divided, when it may go on, and how far it has come.

The rules that hold here: sent is what some route takes, as the pipeline would find; how far it has come says less rather
than more, so that what is broken off sends a little again and leaves out nothing.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from worker.core.model import Item, Later, Outcome, Record, S3Object
from worker.core.objects import Found
from worker.core.patterns import Matcher
from worker.core.routing import Draft, PartOf, Removal, Routes

COUNTS_LAG = 60.0
"""Seconds that SQS's counts of a queue may be behind
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
"""

MINUTES_AHEAD = 5
"""Minutes of the quota that the queue may hold while a backfill sends."""


# What is sent


class LeftOut(StrEnum):
    """Why an object is not sent though a route may take it. What the routes say otherwise is told in their own reasons."""

    OUTSIDE_PREFIX = "outside_prefix"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    NOT_MATCHED = "not_matched"
    EXCLUDED = "excluded"
    OTHER_ROUTE = "other_route"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is empty does not choose. *since* and *until* (not included) in Unix seconds, sizes in bytes; the patterns are held
    against the whole key, one of *match* and none of *exclude* must take it.
    """

    route: str = ""
    since: float | None = None
    until: float | None = None
    smallest: int = 0
    largest: int | None = None
    match: Sequence[Matcher] = ()
    exclude: Sequence[Matcher] = ()

    def leaves_out(self, found: Found) -> LeftOut | None:
        """Why the object is not even asked about; None when it is."""
        if self.since is not None and found.modified < self.since:
            return LeftOut.TOO_OLD
        if self.until is not None and found.modified >= self.until:
            return LeftOut.TOO_NEW
        if found.size < self.smallest:
            return LeftOut.TOO_SMALL
        if self.largest is not None and found.size > self.largest:
            return LeftOut.TOO_LARGE
        if self.match and not any(takes(found.key) for takes in self.match):
            return LeftOut.NOT_MATCHED
        if any(takes(found.key) for takes in self.exclude):
            return LeftOut.EXCLUDED
        return None


class Chosen(NamedTuple):
    """A record to send, and the route that takes it."""

    route: str
    record: Record


class Choice:
    """Of the objects of a *bucket* below a *prefix*, those to send, as *event* would tell of them.

    The record has no time: what a listing tells is not when S3 would have told of the object, and the age of a record says
    how long an upload waits.
    """

    def __init__(self, routes: Routes, bucket: str, prefix: str, filters: Filters, event: str) -> None:
        self._routes = routes
        self._bucket = bucket
        self._prefix = prefix
        self._filters = filters
        self._event = event

    def of(self, found: Found) -> Chosen | str:
        """The record to send, or in a word why there is none: of :class:`LeftOut`, or an outcome's reason."""
        if not found.key.startswith(self._prefix):
            return LeftOut.OUTSIDE_PREFIX
        left_out = self._filters.leaves_out(found)
        if left_out is not None:
            return left_out
        held = S3Object(self._bucket, found.key, found.version, found.etag, found.size)
        record = Record(held, self._event)
        match self._routes.decide(record):
            case Item(route=route):
                pass
            case Draft(rule=rule):
                route = rule.route.name
            case PartOf(group=group):
                route = group.rule.route.name
            case Outcome() as outcome:
                return outcome.reason.value
            case Later(outcome=outcome):
                return outcome.reason.value
            case Removal():
                raise AssertionError("nothing was removed")
        if self._filters.route not in ("", route):
            return LeftOut.OTHER_ROUTE
        return Chosen(route, record)


# How it is divided


@dataclass(slots=True)
class Range:
    """The keys that come after *after*, up to *until* and with it; None: to the end."""

    after: str = ""
    until: str | None = None

    def holds(self, key: str) -> bool:
        """Texts compare by code points, as their UTF-8 bytes do, by which S3 lists."""
        return self.after < key and (self.until is None or key <= self.until)


def divided(folders: Sequence[str], most: int) -> dict[int, Range]:
    """At most so many ranges that hold every key once, with bounds of *folders*, which come in the order of their keys."""
    step = -(-len(folders) // most) if folders else 1
    bounds = ["", *folders[step::step]]
    ends: list[str | None] = [*bounds[1:], None]
    return {
        number: Range(after, until) for number, (after, until) in enumerate(zip(bounds, ends, strict=True))
    }


# How far it has come


class Mark(NamedTuple):
    """Up to *at*, and with it, everything of *place* is dealt with: of a range up to a key, or None: all of it; of the file of
    an inventory up to so many rows.
    """

    place: int
    at: str | int | None


class Step(NamedTuple):
    """One object to send, or none (*chosen* is None), and what was left out right before it. *mark* holds when it is sent."""

    mark: Mark
    chosen: Chosen | None
    left_out: Mapping[str, int]


class Page(NamedTuple):
    """What one answer or a stretch of a file tells: objects, or in a word why there is none. *marks*: for each of them how far
    it has come with it; *end*: when all of them are dealt with.
    """

    entries: Sequence[Found | str]
    marks: Sequence[Mark]
    end: Mark


_NOTHING: Mapping[str, int] = {}


def steps(page: Page, choice: Choice) -> Iterator[Step]:
    """One for each object to send, and one for the end."""
    left_out = Counter[str]()
    for entry, mark in zip(page.entries, page.marks, strict=True):
        chosen = entry if isinstance(entry, str) else choice.of(entry)
        if isinstance(chosen, str):
            left_out[chosen] += 1
            continue
        yield Step(mark, chosen, left_out or _NOTHING)
        if left_out:
            left_out = Counter[str]()
    yield Step(page.end, None, left_out)


@dataclass(slots=True)
class Tally:
    """What became of the objects: sent, or to be sent, *by_route*; *left_out* by reason."""

    by_route: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def chosen(self) -> int:
        return self.by_route.total()

    @property
    def looked_at(self) -> int:
        return self.chosen + self.left_out.total()

    def add(self, step: Step) -> None:
        if step.chosen is not None:
            self.by_route[step.chosen.route] += 1
        self.left_out.update(step.left_out)


class InvalidProgress(Exception):
    """The text is one sentence that says what is wrong with the progress file."""


@dataclass(slots=True)
class Progress:
    """How far a backfill has come. *ranges*: what is still to be listed, by number; None before anything was divided, and of
    an inventory. *file*, *row*: the first of the inventory that is not dealt with, both from 0.
    """

    tally: Tally = field(default_factory=Tally)
    ranges: dict[int, Range] | None = None
    file: int = 0
    row: int = 0

    def add(self, step: Step) -> None:
        """The step is done, and every one before it of its place."""
        self.tally.add(step)
        place, at = step.mark
        if isinstance(at, int):
            self.file, self.row = place, at
        elif self.ranges is None:
            raise ValueError("a key is a mark only where ranges are listed")
        elif at is None:
            del self.ranges[place]
        else:
            self.ranges[place].after = at

    def written(self, backfill: Mapping[str, object]) -> str:
        """As JSON, with what it is the progress of."""
        ranges = self.ranges
        return json.dumps(
            {
                "backfill": backfill,
                "sent": self.tally.by_route,
                "not_sent": self.tally.left_out,
                "left": None if ranges is None else [[each.after, each.until] for each in ranges.values()],
                "file": self.file,
                "row": self.row,
            },
            indent=1,
        )


def read_progress(text: str, backfill: Mapping[str, object]) -> Progress:
    """What :meth:`Progress.written` wrote. Raises :class:`InvalidProgress` for anything else, and for the progress of
    another backfill.
    """
    try:
        document = json.loads(text)
        of = dict(document["backfill"])
        ranges = document["left"]
        progress = Progress(
            Tally(Counter(_counts(document["sent"])), Counter(_counts(document["not_sent"]))),
            None if ranges is None else {number: _range(each) for number, each in enumerate(ranges)},
            _number(document["file"]),
            _number(document["row"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidProgress("it was not written by a backfill, or not wholly") from None
    if other := [name for name in {**of, **backfill} if of.get(name) != backfill.get(name)]:
        raise InvalidProgress(f"it belongs to another backfill, which differs in {', '.join(other)}")
    return progress


def name_of(backfill: Mapping[str, object], bucket: str) -> str:
    """The name of its progress file: the same for the same backfill, and another for any other."""
    digest = hashlib.sha256(json.dumps(backfill, sort_keys=True).encode()).hexdigest()
    return f"backfill-{bucket}-{digest[:12]}.json"


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise TypeError
    return {str(name): _number(count) for name, count in value.items()}


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _range(value: object) -> Range:
    match value:
        case [str() as after, str() | None as until]:
            return Range(after, until)
        case _:
            raise TypeError


# When it may go on


class Room:
    """How many messages may be sent now. SQS's counts are up to a minute old, so what was sent within the last one counts
    beside them, whether they hold it already or not.
    """

    def __init__(self, requests_per_minute: int, max_items: int) -> None:
        self.capacity = MINUTES_AHEAD * requests_per_minute * max_items
        self._a_second = requests_per_minute * max_items / 60
        self._sent: deque[tuple[float, int]] = deque()
        self._lately = 0

    def sent(self, count: int, now: float) -> None:
        self._sent.append((now, count))
        self._lately += count

    def left(self, depth: int, now: float) -> int:
        """*depth*: messages of the queue as SQS counts them, visible, in flight and delayed; *now* on any steady clock."""
        while self._sent and self._sent[0][0] <= now - COUNTS_LAG:
            self._lately -= self._sent.popleft()[1]
        return max(0, self.capacity - depth - self._lately)

    def seconds(self, count: int) -> float:
        """What so many objects take by the quota, when nothing else is sent."""
        return count / self._a_second


def depth(attributes: Mapping[str, str]) -> int:
    """Of a queue's attributes, the messages that it holds, whoever has them."""
    return sum(
        int(attributes.get(f"ApproximateNumberOfMessages{which}", 0))
        for which in ("", "NotVisible", "Delayed")
    )


def in_words(seconds: float) -> str:
    """A length of time for people: the two largest units."""
    whole = max(0, round(seconds))
    units = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((at for at, (count, _) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count) or "0 s"
