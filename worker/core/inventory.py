"""S3 Inventory: what its manifest says, and what the rows of its CSV files tell.

Sources: Amazon S3 user guide, "Locating your inventory list" (the manifest) and "Cataloging and analyzing your data with S3
Inventory" (the columns; keys in CSV are URL-encoded). Spaces come as a plus sign there:
https://github.com/cloud-custodian/cloud-custodian/pull/1998.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_plus

from worker.core.events import unix_time
from worker.core.objects import Found
from worker.core.strict_json import decoder

MAX_BYTES = 64 * 2**20
"""A manifest of a hundred thousand files has about 20 MB."""

NEEDED = ("Bucket", "Key", "Size", "ETag")
MODIFIED = "LastModifiedDate"

_DECODER = decoder()
_MAX_SIZE = 2**63
_SHOWN = 80
"""Characters of what is wrong that a sentence shows."""


class InvalidInventory(Exception):
    """The text is one sentence that says where and why."""


class NotThere(StrEnum):
    """Why a row tells of no object that is there now."""

    OLD_VERSION = "old_version"
    DELETE_MARKER = "delete_marker"


@dataclass(frozen=True, slots=True)
class File:
    """One file of the inventory: its key in the manifest's destination bucket, and the MD5 of its content in hexadecimal."""

    key: str
    md5: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """*bucket* is the one that the inventory is of, *holder* the one that holds the *files*."""

    bucket: str
    holder: str
    columns: "Columns"
    files: tuple[File, ...]


class Columns:
    """Where a row of so many columns has what."""

    def __init__(self, names: Sequence[str]) -> None:
        self._count = len(names)
        at = {name: position for position, name in enumerate(names)}
        if missing := [name for name in NEEDED if name not in at]:
            raise InvalidInventory(
                f"it has no column {' and no column '.join(missing)}: add it to the fields of the inventory's configuration"
            )
        self._bucket, self._key, self._size, self._etag = (at[name] for name in NEEDED)
        self._modified = at.get(MODIFIED)
        self._version, self._latest, self._marker = (
            at.get(name) for name in ("VersionId", "IsLatest", "IsDeleteMarker")
        )

    @property
    def tell_time(self) -> bool:
        """Whether a row says when its object was modified; without it that is 0."""
        return self._modified is not None

    def read(self, row: Sequence[str], bucket: str) -> Found | NotThere:
        """What a row tells. Raises :class:`InvalidInventory` for a row that no inventory of the *bucket* holds."""
        if len(row) != self._count:
            raise InvalidInventory(f"it has {len(row)} columns, and the manifest's fileSchema {self._count}")
        if row[self._bucket] != bucket:
            raise InvalidInventory(f"it is of bucket {row[self._bucket][:_SHOWN]!r}")
        if self._latest is not None and row[self._latest].lower() == "false":
            return NotThere.OLD_VERSION
        if self._marker is not None and row[self._marker].lower() == "true":
            return NotThere.DELETE_MARKER
        size = row[self._size]
        if not (size.isascii() and size.isdigit() and int(size) < _MAX_SIZE):
            raise InvalidInventory(f"its size is {size[:_SHOWN]!r}, no number of bytes")
        version = "" if self._version is None else row[self._version]
        return Found(
            _decoded(row[self._key]),
            row[self._etag].strip('"'),
            int(size),
            0.0 if self._modified is None else _time(row[self._modified]),
            None if version in ("", "null") else version,
        )


def read_manifest(content: bytes) -> Manifest:
    """Raises :class:`InvalidInventory`, and nothing else, whatever the content is."""
    document = _document(content)
    kind = _text(document, "fileFormat")
    if kind.upper() != "CSV":
        raise InvalidInventory(
            f"it is in {kind[:_SHOWN]}, and only CSV is read: choose CSV as the output format of the inventory's "
            "configuration, or backfill without --inventory"
        )
    listed = document.get("files")
    if not isinstance(listed, list):
        raise InvalidInventory("its files are no list")
    names = [name.strip() for name in _text(document, "fileSchema").split(",")]
    return Manifest(
        _text(document, "sourceBucket"),
        _text(document, "destinationBucket").rpartition(":")[2],
        Columns(names),
        tuple(_file(each, number) for number, each in enumerate(listed, 1)),
    )


def _document(content: bytes) -> Mapping[str, object]:
    if len(content) > MAX_BYTES:
        raise InvalidInventory(f"it is longer than {MAX_BYTES} bytes")
    try:
        document = _DECODER.decode(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInventory("it is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidInventory(f"it is no JSON: {error.msg} at line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise InvalidInventory("it is no JSON that an inventory's manifest could be") from None
    if not isinstance(document, dict):
        raise InvalidInventory("it is no object")
    return document


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInventory(f"its {name} is missing or no text")
    return value


def _file(listed: object, number: int) -> File:
    if not isinstance(listed, dict):
        raise InvalidInventory(f"file {number} of it is no object")
    try:
        return File(_text(listed, "key"), _text(listed, "MD5checksum").lower())
    except InvalidInventory as why:
        raise InvalidInventory(f"of file {number} of it: {why}") from None


def _decoded(key: str) -> str:
    try:
        decoded = unquote_plus(key, errors="strict")
        decoded.encode()
    except UnicodeError:
        raise InvalidInventory(f"its key {key[:_SHOWN]!r}, once decoded, is no UTF-8") from None
    if not decoded:
        raise InvalidInventory("it has no key")
    return decoded


def _time(text: str) -> float:
    moment = unix_time(text)
    if moment is None:
        raise InvalidInventory(f"its {MODIFIED} is {text[:_SHOWN]!r}, no time")
    return moment
