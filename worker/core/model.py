"""The words of the house as values; every other part speaks in these.

Times are Unix seconds (float) unless a name says otherwise; deadlines of leases are on the event loop's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery from the queue."""

    id: str
    handle: str
    body: str
    receive_count: int
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object as an event told of it. What the event left out is None."""

    bucket: str
    key: str
    version: str | None = None
    etag: str | None = None
    size: int | None = None

    def same_place(self, other: "S3Object") -> bool:
        return (self.bucket, self.key) == (other.bucket, other.key)

    def same_as(self, other: "S3Object") -> bool:
        """The same content at the same place: by version where both know it, or else by etag and size."""
        if not self.same_place(other):
            return False
        if self.version is not None and other.version is not None:
            return self.version == other.version
        return (self.etag, self.size) == (other.etag, other.size)


@dataclass(frozen=True, slots=True)
class Record:
    """One event about one object, told of in a message.

    *event* is S3's name without its prefix, such as ``ObjectCreated:Put`` or ``ObjectRemoved:Delete``.
    """

    object: S3Object
    event: str
    time: float | None = None


class RecordId(NamedTuple):
    """A record's place in the settling book: the number of its message there, and its position in the message."""

    message: int
    position: int


class Identity(NamedTuple):
    """What Darwin holds unique, and what a claim is keyed by."""

    team: str
    dataset: str
    path: str
    name: str


class Mode(StrEnum):
    """How Darwin reaches a storage; decides the registration endpoint."""

    READ_WRITE = "read_write"
    READ_ONLY = "read_only"


class ItemType(StrEnum):
    """The file types that Darwin's registration takes."""

    IMAGE = "image"
    VIDEO = "video"
    PDF = "pdf"
    DICOM = "dicom"


class OnExisting(StrEnum):
    """What a route does with a name that Darwin held before us."""

    BLOCK = "block"
    ACCEPT = "accept"


class OnOverwrite(StrEnum):
    """What a route does with a new version of an object that is registered."""

    IGNORE = "ignore"
    DEAD_LETTER = "dead_letter"
    REGISTER = "register"


class Lane(NamedTuple):
    """What may share a request. *options* are those of the request, by name."""

    team: str
    dataset: str
    storage: str
    mode: Mode = Mode.READ_WRITE
    options: tuple[tuple[str, bool], ...] = ()

    def __str__(self) -> str:
        with_options = "".join(f", {name}: {str(value).lower()}" for name, value in self.options)
        return f"{self.team}/{self.dataset} from {self.storage}{with_options}"


Fields = Mapping[str, object]
"""More fields of a registration body, named and typed as Darwin's API has them (darwin-api.md section 1.4)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One file of an item. Several files of one slot are the slices of a DICOM series, in this order."""

    name: str
    key: str
    type: ItemType | None = None
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """What Darwin registers: *name* at *path* in the lane's dataset.

    Without *slots* it is sent in the flat form: the object is its one file, *type* that file's (None lets Darwin infer
    it), and *fields* are the item's and the file's. *grouped*: it is made of several objects, and *object* stands for
    all of them, see :func:`worker.core.grouping.stand_in`. *label* is what metrics call its dataset where the slug
    depends on the object. *versioned* is the name under which a new version of a registered object is registered.
    """

    lane: Lane
    path: str
    name: str
    object: S3Object
    route: str
    type: ItemType | None = None
    on_existing: OnExisting = OnExisting.BLOCK
    slots: tuple[Slot, ...] = ()
    fields: Fields = field(default_factory=dict)
    grouped: bool = False
    label: str = ""
    on_overwrite: OnOverwrite = OnOverwrite.IGNORE
    versioned: str = ""

    @property
    def identity(self) -> Identity:
        return Identity(self.lane.team, self.lane.dataset, self.path, self.name)


class Kind(StrEnum):
    """What became of one record: the closed set of outcomes."""

    REGISTERED = "registered"
    DUPLICATE = "duplicate"
    EXISTING = "existing"
    ARCHIVED = "archived"
    WAITING = "waiting"
    POSTPONED = "postponed"
    IGNORED = "ignored"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"

    @property
    def owes_dead_letter(self) -> bool:
        return self in _DEAD


_DEAD = frozenset({Kind.BLOCKED, Kind.REJECTED, Kind.UNREADABLE})


class Reason(StrEnum):
    """Why a record had its outcome: a closed set, so that it may label a metric."""

    ACCEPTED = "accepted"
    PROVEN_OURS = "proven_ours"
    IN_LEDGER = "in_ledger"
    ADOPTED = "adopted"
    REMOVED_IN_S3 = "removed_in_s3"
    GROUP_INCOMPLETE = "group_incomplete"
    GROUP_QUIETING = "group_quieting"
    IN_ONE_ITEM = "in_one_item"
    SIDECAR_ABSENT = "sidecar_absent"
    ROUTE_PAUSED = "route_paused"
    LANE_OVER_SHARE = "lane_over_share"
    READING_OVER_SHARE = "reading_over_share"
    TEST_EVENT = "test_event"
    EMPTY_NOTIFICATION = "empty_notification"
    OBJECT_REMOVED = "object_removed"
    OTHER_EVENT = "other_event"
    FOLDER_MARKER = "folder_marker"
    EMPTY_OBJECT = "empty_object"
    DARWIN_ARTEFACT = "darwin_artefact"
    RECEIPT = "receipt"
    NO_ROUTE = "no_route"
    NO_DATASET = "no_dataset"
    NO_VALUE = "no_value"
    SIDECAR = "sidecar"
    OBJECT_GONE = "object_gone"
    OBJECT_BACK = "object_back"
    OBJECT_ARCHIVED = "object_archived"
    NOT_REGISTERED = "not_registered"
    OVERWRITTEN = "overwritten"
    LATE_PART = "late_part"
    MISSING_PARTS = "missing_parts"
    TOO_MANY_PARTS = "too_many_parts"
    UNEXPECTED_PART = "unexpected_part"
    SLOT_TAKEN_TWICE = "slot_taken_twice"
    PARTS_DISAGREE = "parts_disagree"
    INVALID_MANIFEST = "invalid_manifest"
    SIDECARS_MISSING = "sidecars_missing"
    SIZE_UNKNOWN = "size_unknown"
    ALREADY_EXISTS = "already_exists"
    NAME_COLLISION = "name_collision"
    FOREIGN_ITEM = "foreign_item"
    UNKNOWN_TAGS = "unknown_tags"
    UPLOAD_FAILED = "upload_failed"
    UNEXPECTED_ERROR = "unexpected_error"
    OTHER_DARWIN_REASON = "other_darwin_reason"
    NO_ANSWER_FOR_ITEM = "no_answer_for_item"
    FAILS_ALONE = "fails_alone"
    DATASET_MISSING = "dataset_missing"
    STORAGE_MISSING = "storage_missing"
    LANE_REFUSED = "lane_refused"
    REFUSED_ALONE = "refused_alone"
    UNSUPPORTED_TYPE = "unsupported_type"
    INVALID_KEY = "invalid_key"
    INVALID_ITEM = "invalid_item"
    OTHER_BUCKET = "other_bucket"
    UNREADABLE_BODY = "unreadable_body"
    UNREADABLE_RECORD = "unreadable_record"


class Registration(NamedTuple):
    """An item that the ledger has as registered: with which object, and since when (Unix seconds)."""

    identity: Identity
    object: S3Object
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record, and why. *detail* is for people: it may hold Darwin's own words. *route* where one
    matched and yet no item came of it. *before*: of a duplicate, what was registered before.
    """

    kind: Kind
    reason: Reason
    detail: str = ""
    route: str = ""
    before: Registration | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """The record is postponed for *delay* seconds; *notes* is what the copy tells whoever receives it."""

    outcome: Outcome
    delay: int
    notes: "Notes | None" = None


@dataclass(frozen=True, slots=True)
class Notes:
    """What a postponed copy carries of what was seen, times in Unix seconds.

    *waiting_since*: when it was first postponed for what it still waits for. *fingerprint*: of the listing that was
    seen last, unchanged since *unchanged_since*.
    """

    waiting_since: float
    fingerprint: str = ""
    unchanged_since: float = 0.0
