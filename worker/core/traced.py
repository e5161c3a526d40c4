"""What all sides tell of one object, as values, and whose the entry of the ledger is that stands under its item."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from worker.core.claims import Entry
from worker.core.darwin import HeldItem
from worker.core.explaining import Explanation
from worker.core.grouping import has_key, same_keys
from worker.core.letters import Letter
from worker.core.model import Identity, Item, S3Object
from worker.core.naming import normalise_path
from worker.core.objects import Head


@dataclass(frozen=True, slots=True)
class Unknown:
    """Who was asked did not tell. *why*: the error. *key_refused*: it was Darwin, and it does not take the API key."""

    why: str
    key_refused: bool = False


@dataclass(frozen=True, slots=True)
class NoDataset:
    """Darwin has no dataset of this slug, so it holds no item in it."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of the object, or of its group where it has none itself, the latest first, among so many that were
    looked at. *sampled*: there are more of them.
    """

    own: tuple[Letter, ...]
    looked_at: int
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class Depth:
    """The messages of the source queue, approximately: to be had, in somebody's hands, sent with a delay."""

    waiting: int
    in_flight: int
    delayed: int

    @property
    def all(self) -> int:
        return self.waiting + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class Facts:
    """*explained*: what the routes make of the object now. *s3*: None where it is not there. *identity*: of its item, None
    where nobody can tell; *entry* and *held* are what the ledger and Darwin have there. *parts*: the keys of its group that
    are there. *assumed*: why the routes' storages are taken to be as they are written; empty where Darwin told them. *now*
    in Unix seconds.
    """

    explained: Explanation
    s3: Head | Unknown | None
    identity: Identity | None
    parts: tuple[str, ...]
    entry: Entry | Unknown | None
    letters: Letters | Unknown
    depth: Depth | Unknown
    held: HeldItem | NoDataset | Unknown | None
    assumed: str
    now: float

    @property
    def unknown(self) -> dict[str, str]:
        """Who did not tell, and why."""
        asked = {
            "S3": self.s3,
            "ledger": self.entry,
            "dead letters": self.letters,
            "queue": self.depth,
            "Darwin": self.held,
        }
        told = {name: answer.why for name, answer in asked.items() if isinstance(answer, Unknown)}
        if self.explained.unknown and "S3" not in told:
            told["S3"] = self.explained.unknown
        if self.assumed and "Darwin" not in told:
            told["Darwin"] = self.assumed
        return told


class Whose(Enum):
    """Of an entry under the object's item, as seen from the object."""

    ITS = auto()
    ITS_EARLIER_CONTENT = auto()
    ITS_GROUP_WITHOUT_IT = auto()
    ANOTHERS = auto()


def whose(entry: Entry, facts: Facts) -> Whose:
    """Where S3 does not tell the content, or holds none, the place alone says that it is its own."""
    held, explained = facts.explained.held, facts.explained
    if explained.group:
        if not entry.object.same_place(S3Object(held.bucket, explained.group)):
            return Whose.ANOTHERS
        if not has_key(entry.object, held.key):
            return Whose.ITS_GROUP_WITHOUT_IT
        now = explained.decided.object if isinstance(explained.decided, Item) else entry.object
        earlier = same_keys(entry.object, now) and not entry.object.same_as(now)
        return Whose.ITS_EARLIER_CONTENT if earlier else Whose.ITS
    if not entry.object.same_place(held):
        return Whose.ANOTHERS
    if held.etag is None or entry.object.same_as(held):
        return Whose.ITS
    return Whose.ITS_EARLIER_CONTENT


def is_of(entry: Entry, bucket: str, key: str) -> bool:
    """Whether the entry was written for this object, or for a group that it is a part of, whatever the routes say now."""
    of_group = has_key(entry.object, key) and key.startswith(entry.object.key)
    return entry.object.bucket == bucket and (entry.object.key == key or of_group)


def item_at(identity: Identity, held: Iterable[HeldItem]) -> HeldItem | None:
    """What Darwin has at the item's place: rather one that is not archived."""
    place = normalise_path(identity.path), identity.name
    there = [each for each in held if (normalise_path(each.path), each.name) == place]
    return min(there, key=lambda each: each.archived, default=None)


def letters_of(letters: Iterable[Letter], explained: Explanation) -> tuple[Letter, ...]:
    """Those that tell of the object; where none does and it is a part of a group, those of the group's other parts, for one
    record answers for all of them. The same told twice counts once; the latest come first.
    """
    held = explained.held
    here = [letter for letter in letters if letter.bucket == held.bucket]
    own = [letter for letter in here if letter.key == held.key]
    if not own and explained.group:
        own = [
            letter
            for letter in here
            if letter.route == explained.route and letter.key.startswith(explained.group)
        ]
    own.sort(key=_moment, reverse=True)
    return tuple({letter.same: letter for letter in reversed(own)}.values())[::-1]


def _moment(letter: Letter) -> float:
    return letter.happened or letter.first_seen or 0.0
