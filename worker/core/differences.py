"""How a bucket and Darwin differ, as values, and what an item of Darwin's list says to what a bucket holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from worker.core.claims import CLOCK_SKEW
from worker.core.darwin import HeldItem
from worker.core.events import iso_time
from worker.core.model import Identity, S3Object
from worker.core.naming import normalise_path

BROKEN = frozenset({"error", "cancelled"})
"""Darwin's words for a processing that has ended without a usable item (darwin-api.md section 6.1)."""


class Kind(StrEnum):
    """How a bucket and Darwin may differ: the closed set of differences."""

    MISSING = "missing"
    INCOMPLETE = "incomplete"
    COLLISION = "collision"
    FAILED = "failed"
    STUCK = "stuck"
    FOREIGN = "foreign"
    ARCHIVED = "archived"
    STRAY = "stray"


MEANINGS: Mapping[Kind, str] = {
    Kind.MISSING: "a route makes an item of the object, and Darwin does not hold it",
    Kind.INCOMPLETE: "the item's other objects are not there, so that it cannot be registered yet",
    Kind.COLLISION: "several objects make an item of one path and name, and Darwin takes but one of them",
    Kind.FAILED: "registered, and of no use: Darwin could not process it",
    Kind.STUCK: "registered, and Darwin has been processing it for too long",
    Kind.FOREIGN: "Darwin holds an item of the path and name that somebody uploaded, so the object cannot be registered",
    Kind.ARCHIVED: "the object is there, and its item was archived in Darwin, where it holds its name",
    Kind.STRAY: "an item of external storage that no object in the bucket accounts for",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them. *object*: what makes the item, or one part of it; None of a stray. *time*, in Unix seconds: of the
    object's last change, or where the item is there, of its insertion. *item*: Darwin's id of it.
    """

    kind: Kind
    identity: Identity | None
    route: str = ""
    object: S3Object | None = None
    time: float | None = None
    item: str = ""
    detail: str = ""

    def row(self) -> dict[str, str | int | None]:
        """For machines: the same fields in the same order for each kind."""
        team, dataset, path, name = self.identity or ("", "", "", "")
        held = self.object or S3Object("", "")
        return {
            "kind": self.kind.value,
            "team": team,
            "dataset": dataset,
            "path": path,
            "name": name,
            "route": self.route,
            "bucket": held.bucket,
            "key": held.key,
            "etag": held.etag,
            "size": held.size,
            "time": None if self.time is None else iso_time(self.time),
            "item": self.item,
            "detail": self.detail,
        }


# -- what Darwin's item says ------------------------------------------------------------------------------------------


def key_of(identity: Identity) -> bytes:
    """What is equal for equal places, and short: any text is safe in it."""
    team, dataset, path, name = identity
    return _digest((team, dataset, normalise_path(path), name))


def key_of_folder(identity: Identity) -> bytes:
    return _digest((identity.team, identity.dataset, normalise_path(identity.path)))


def key_of_source(source: str) -> bytes:
    return _digest((source,))


def _digest(texts: tuple[str, ...]) -> bytes:
    # Python's own notation tells every text from every other, lone surrogates too.
    return blake2b(repr(texts).encode(), digest_size=16).digest()


def rank(item: HeldItem) -> int:
    """Of several items at one place, the lowest counts."""
    if item.archived:
        return 2
    return 1 if item.external is False else 0


def state_of(item: HeldItem, now: float, stuck_after: float) -> Kind | None:
    """What is wrong with an item by itself; *stuck_after* in seconds. None: nothing."""
    if item.archived:
        return Kind.ARCHIVED
    if item.processing in ("", "complete"):
        return None
    if item.processing in BROKEN or item.trouble:
        return Kind.FAILED
    old = item.inserted_at is not None and item.inserted_at <= now - stuck_after
    return Kind.STUCK if old else None


def of_wanted(state: Kind | None, *, external: bool | None, adopts: bool) -> Kind | None:
    """What is wrong with an item that an object accounts for, by its :func:`state_of`. *adopts*: the object's route takes
    it whoever put it there.
    """
    return Kind.FOREIGN if external is False and not adopts and state is not Kind.ARCHIVED else state


def of_unwanted(item: HeldItem, state: Kind | None, now: float) -> Kind | None:
    """What an item is that no object accounts for, where all that might were listed at *now* or later; *state*: its
    :func:`state_of`. For what came since, an object may have been uploaded meanwhile. While Darwin does not say whether
    it is external, it is told of only if its processing is in trouble.
    """
    if item.archived or item.external is False:
        return None
    if item.external is None:
        return state
    new = item.inserted_at is not None and item.inserted_at >= now - CLOCK_SKEW
    return None if new else Kind.STRAY


def in_words(item: HeldItem) -> str:
    """How far Darwin is with it, and what went wrong."""
    if not item.processing or item.processing == "complete":
        return item.trouble
    return f"{item.processing}: {item.trouble}" if item.trouble else f"Darwin says: {item.processing}."
