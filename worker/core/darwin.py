"""What Darwin tells of its team, as values (darwin-api.md section 6)."""

from dataclasses import dataclass

from worker.core.model import Mode


@dataclass(frozen=True, slots=True)
class Dataset:
    id: int
    slug: str


@dataclass(frozen=True, slots=True)
class Storage:
    """One external storage. *slug* falls back to *name* where Darwin tells none; *prefix* has no outer slashes."""

    name: str
    slug: str
    mode: Mode
    provider: str
    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class HeldItem:
    """One item of Darwin's list. *external*: None while Darwin still processes it and does not say. *id* is empty where
    Darwin tells none. *processing* is Darwin's own word for how far it is: ``complete``, ``error``, ``processing``, others;
    empty where it tells none. *trouble*: what went wrong in it, for people.
    """

    path: str
    name: str
    external: bool | None
    inserted_at: float | None
    id: str = ""
    archived: bool = False
    processing: str = ""
    trouble: str = ""
