"""What S3 tells of its objects, as values. Etags stand without their quotes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""The storage classes whose objects must be restored before they can be read; GLACIER_IR is not one of them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing."""

    key: str
    etag: str
    size: int


class Found(NamedTuple):
    """One object of a bucket's inventory; *modified* in Unix seconds. *version* is None where nobody told it: a listing tells
    none.
    """

    key: str
    etag: str
    size: int
    modified: float
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD tells (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).

    *version* is None where S3 keeps none, *storage_class* is STANDARD where S3 names none. *restored* says that a
    restored copy can be read, *archive_status* in which archive INTELLIGENT_TIERING has put the object. The names of
    *metadata* are in lower case. *modified* (Unix seconds) is for people, and so not compared: it decides nothing, for a
    multipart object carries the date of its initiation.
    """

    etag: str
    size: int
    version: str | None
    storage_class: str
    restored: bool
    metadata: Mapping[str, str]
    archive_status: str | None = None
    modified: float | None = field(default=None, compare=False)

    @property
    def archived(self) -> bool:
        """Nobody can read the object before it is restored."""
        return (self.storage_class in ARCHIVED or self.archive_status is not None) and not self.restored
