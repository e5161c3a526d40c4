"""What Darwin holds, and what it decides when items are to be registered.

Plain values and decisions: no HTTP, no clock. Rules that hold here (darwin-api.md sections 2.3, 5 and 6):

- an item is unique by dataset, path, name *and slot*: a known item with an unknown slot name is extended;
- an archived item still holds its name, unless archiving freed it;
- what exists is refused before the plan is asked, for it would add nothing;
- nothing checks that the object exists.
"""

import re
import uuid
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

ALREADY_EXISTS = "ALREADY_EXISTS"
UNKNOWN_TAGS = "UNKNOWN_TAGS"
PLAN_FULL = "ITEM_COUNT_LIMIT_EXCEEDED"

Processing = Literal["uploading", "processing", "complete", "error"]
"""How far Darwin is with an item's files."""


def normalised(path: str) -> str:
    """The stored form of a folder: ``dir``, ``/dir/`` and ``//dir`` are ``/dir``; the empty path is ``/``."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def iso(at: float) -> str:
    """Unix seconds as Darwin writes them: ISO 8601, UTC, ending in Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a registration, after the body was found valid."""

    slot_name: str
    file_name: str
    type: str
    storage_key: str
    as_frames: bool = False
    extract_views: bool = False


@dataclass(frozen=True, slots=True)
class SentItem:
    """One item of a registration, after the body was found valid. *path* is as sent."""

    path: str
    name: str
    files: tuple[SentFile, ...]
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class HeldItem:
    """One item in a dataset. *files* may share a slot name (DICOM series). *error*: what went wrong in its processing."""

    id: str
    path: str
    name: str
    files: list[SentFile]
    inserted_at: float
    external: bool = True
    extensions: int = 0
    archived: bool = False
    processing: Processing = "complete"
    error: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """One external storage. A *slug* left empty is the name in lower case, with dashes for spaces."""

    name: str
    bucket: str
    prefix: str = ""
    readonly: bool = False
    slug: str = ""
    provider: str = "aws"
    region: str = "eu-west-1"

    def called(self, word: str) -> bool:
        return word in (self.known_as, self.name)

    @property
    def known_as(self) -> str:
        return self.slug or self.name.lower().replace(" ", "-")


@dataclass(slots=True)
class Dataset:
    """One dataset; *items* by (normalised path, name). A *removed* one answers 404 and keeps its items.

    *nameless* are the archived items that hold their path and name no longer.
    """

    id: int
    slug: str
    items: dict[tuple[str, str], HeldItem] = field(default_factory=dict)
    removed: bool = False
    nameless: list[HeldItem] = field(default_factory=list)

    def held(self) -> list[HeldItem]:
        """All its items, archived or not."""
        return [*self.items.values(), *self.nameless]

    def drop(self, item: HeldItem) -> None:
        """Take the item away, as if it had never been there."""
        if item in self.nameless:
            self.nameless.remove(item)
        else:
            del self.items[item.path, item.name]


@dataclass(frozen=True, slots=True)
class Block:
    """A planted reason: items whose name matches *item* are blocked; *slot* limits the reason to that slot."""

    item: re.Pattern[str]
    reason: str
    slot: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one sent item. *reasons* by slot name: empty when accepted, else at least one is set.

    *extended* is true when an item that was there got new slots. *collision* is true for an ALREADY_EXISTS where
    another storage key holds the slot.
    """

    item: SentItem
    id: str
    reasons: Mapping[str, str]
    extended: bool = False
    collision: bool = False


class Team:
    """One team: its key, its datasets, its storages, its plan."""

    def __init__(
        self,
        slug: str,
        key: str,
        datasets: Sequence[str],
        storages: Sequence[Storage],
        tags: Sequence[str] = (),
    ) -> None:
        self.slug = slug
        self.key = key
        self.tags = set(tags)
        self.storages = list(storages)
        self.blocks: list[Block] = []
        self.datasets: dict[str, Dataset] = {}
        self.plan_items: int | None = None
        self.plan_full = False
        self.paused = False
        self.key_revoked = False
        self._given_ids = 0
        for dataset in datasets:
            self.add_dataset(dataset)

    def add_dataset(self, slug: str) -> Dataset:
        """A new dataset, or the one of this slug as it was before its removal."""
        # An id that survives a restart of the twin spares tests and demo a look-up.
        number = zlib.crc32(f"{self.slug}/{slug}".encode()) & 0x7FFFFFFF
        dataset = self.datasets.setdefault(slug, Dataset(number, slug))
        dataset.removed = False
        return dataset

    def dataset(self, slug: str) -> Dataset | None:
        found = self.datasets.get(slug)
        return None if found is None or found.removed else found

    def storage(self, word: str) -> Storage | None:
        """The storage of this slug or name: the documentation does not say which one is meant."""
        return next((storage for storage in self.storages if storage.called(word)), None)

    def room(self) -> int | None:
        """How many items the plan still takes; None without a limit."""
        if self.plan_full:
            return 0
        if self.plan_items is None:
            return None
        return max(0, self.plan_items - sum(len(dataset.held()) for dataset in self.datasets.values()))

    def adds(self, dataset: Dataset, items: Sequence[SentItem]) -> int:
        """How many of *items* the dataset does not hold yet."""
        return len({(normalised(item.path), item.name) for item in items} - dataset.items.keys())

    def register(self, dataset: Dataset, items: Sequence[SentItem], now: float) -> list[Decision]:
        """Take each item in order, as Darwin would; one decision per item, in the order sent."""
        return [self._register_one(dataset, item, now) for item in items]

    def hold(self, dataset: Dataset, item: SentItem, inserted_at: float, *, external: bool) -> HeldItem:
        """Put an item there by hand, whatever the rules say."""
        place = (normalised(item.path), item.name)
        held = HeldItem(self._new_id(inserted_at), *place, list(item.files), inserted_at, external)
        dataset.items[place] = held
        return held

    def archive(self, dataset_ids: Collection[int], item_ids: Collection[str], *, frees: bool) -> int:
        """Archive the items of these ids in these datasets; how many were not archived before. *frees*: their names
        may be registered anew.
        """
        found = [
            (dataset, item)
            for dataset in self.datasets.values()
            if dataset.id in dataset_ids and not dataset.removed
            for item in dataset.held()
            if item.id in item_ids and not item.archived
        ]
        for dataset, item in found:
            item.archived = True
            if frees:
                dataset.nameless.append(dataset.items.pop((item.path, item.name)))
        return len(found)

    def _register_one(self, dataset: Dataset, item: SentItem, now: float) -> Decision:
        held = dataset.items.get((normalised(item.path), item.name))
        slots = {file.slot_name for file in item.files}
        known = {file.slot_name for file in held.files} & slots if held else set()
        if held and known:
            keys = {(file.slot_name, file.storage_key) for file in held.files}
            collision = any(
                file.slot_name in known and (file.slot_name, file.storage_key) not in keys
                for file in item.files
            )
            return self._refused(item, known, ALREADY_EXISTS, now, collision=collision)
        if set(item.tags) - self.tags:
            return self._refused(item, slots, UNKNOWN_TAGS, now)
        for block in self.blocks:
            hit = slots if block.slot is None else slots & {block.slot}
            if hit and block.item.search(item.name):
                return self._refused(item, hit, block.reason, now)
        if held:
            held.files.extend(item.files)
            held.extensions += 1
            return Decision(item, held.id, {}, extended=True)
        if self.room() == 0:
            return self._refused(item, slots, PLAN_FULL, now)
        return Decision(item, self.hold(dataset, item, now, external=True).id, {})

    def _refused(
        self, item: SentItem, slots: set[str], reason: str, now: float, *, collision: bool = False
    ) -> Decision:
        # A new id each time: nothing promises that a blocked entry carries the id of the item that is there.
        return Decision(item, self._new_id(now), dict.fromkeys(slots, reason), collision=collision)

    def _new_id(self, now: float) -> str:
        """Ids sort by time, as Darwin's do (UUID version 7), and are the same in each run."""
        self._given_ids += 1
        # 48 bits of milliseconds, the version, 12 bits of zero, the variant, then a count beside the team's mark.
        low = (zlib.crc32(self.slug.encode()) & 0x3FFFFFFF) << 32 | self._given_ids
        return str(uuid.UUID(int=max(0, int(now * 1000)) << 80 | 0x7 << 76 | 0b10 << 62 | low))
