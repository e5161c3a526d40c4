"""A route as the operator wrote it: plain values. What they mean stands in :mod:`worker.core.rules` and the modules that
make items; what is wrong with them tells :mod:`worker.core.conflicts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.core.filetypes import Types
from worker.core.model import Fields, ItemType, Lane, OnExisting, OnOverwrite
from worker.core.templates import Value

DEFAULT_PATH = "/{folder}"
DEFAULT_NAME = "{filename}"


class Completeness(StrEnum):
    """What shows that all parts of a group are there."""

    SLOTS = "slots"
    COUNT = "count"
    MARKER = "marker"
    MANIFEST = "manifest"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Group:
    """Several objects make one item.

    *by*: a template for what the keys of one item's parts begin with, below the route's prefix; None: their folder. The
    group is complete when the one of these that is set says so: *slots*, each has its file; *count*, so many files are
    there; *marker*, the object of this name is there; *manifest*, the object of this name tells the item, and all files
    it names are there; *quiet*, no file came or changed for so many seconds. What is not complete *within* so many
    seconds is dead-lettered.
    """

    by: str | None = None
    slots: tuple[str, ...] = ()
    count: int = 0
    marker: str = ""
    manifest: str = ""
    quiet: int = 0
    within: int = 86_400

    @property
    def complete(self) -> Completeness:
        return next(which for which in Completeness if getattr(self, which.value))


@dataclass(frozen=True, slots=True)
class Sidecars:
    """What lies in the bucket already for an item of a read-only storage; templates of keys.

    *thumbnail*: the small picture. *frames_high*, *frames_low*: what the keys of a video's frames begin with and, behind a
    ``*``, end with; all of them are there when none came or changed for *frames_quiet* seconds. *width* and *height* as templates; without them they are
    read from the picture itself. What is not there *within* so many seconds after the object is dead-lettered.
    """

    thumbnail: str
    frames_high: str | None = None
    frames_low: str | None = None
    frames_quiet: int = 60
    width: str | None = None
    height: str | None = None
    within: int = 86_400


class OnRemoved(StrEnum):
    """What a route does when an object is removed from the bucket."""

    IGNORE = "ignore"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the operator's.

    It takes objects of *bucket* (None: any) below *prefix* whose key below that prefix matches *glob* or *regex* and none
    of *exclude*, whose name ends in one of *extensions*, whose size in bytes is from *smallest* to *largest*, and whose
    event is one of *events* (``Put``, ``Copy``, …); what is empty does not choose.

    *lane* is where items go; with *dataset* its dataset is chosen by the object. *path*, *name*, *slot*, the texts in
    *tags* and in *metadata*, and *versioned_name* (None: the name with the version in brackets) are templates. *type* holds for all its objects, whatever their
    extension; *types* adds to the known extensions or overrides them. *slot* "" means the flat form, unless something
    else needs slots. *head*: ask S3 whether the object is there before it is sent.
    """

    name: str
    lane: Lane
    bucket: str | None = None
    prefix: str = ""
    glob: str | None = None
    path: str = DEFAULT_PATH
    type: ItemType | None = None
    types: Types = field(default_factory=dict)
    on_existing: OnExisting = OnExisting.BLOCK
    regex: str | None = None
    exclude: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    smallest: int = 0
    largest: int | None = None
    events: tuple[str, ...] = ()
    dataset: Value | None = None
    item_name: str = DEFAULT_NAME
    slot: Value = ""
    fps: float | str | None = None
    as_frames: bool | None = None
    extract_views: bool = False
    tags: tuple[str, ...] | Mapping[str, str] = ()
    layout: Fields = field(default_factory=dict)
    metadata: Fields = field(default_factory=dict)
    group: Group | None = None
    sidecars: Sidecars | None = None
    on_overwrite: OnOverwrite = OnOverwrite.IGNORE
    versioned_name: str | None = None
    on_removed: OnRemoved = OnRemoved.IGNORE
    paused: bool = False
    head: bool = False


class Fallback(StrEnum):
    """What becomes of records that no route matches, unless a route of last resort takes them."""

    IGNORE = "ignore"
    DEAD_LETTER = "dead_letter"
